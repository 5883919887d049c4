package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

const signUsage = `usage: tlsprobe sign -key FILE -version N -expires WHEN -o FILE [-policy POLICY] [-report POLICY] [-not-before TIME]
       tlsprobe sign -check FILE -public FILE

Signs a policy file that servers and clients take by tlsconfig.SignedPolicy, or checks and shows one.
POLICY is the name of a profile, such as mozilla-modern-6.0, or a file as tlsconfig.ParsePolicy reads it.
FILE of -o may be the policy file before, which the new one replaces, and nothing else that is there.
A file says all that counts: with -report, repeat the -policy that goes on being kept.
Have a key for each policy file: nothing in a file says which services it is for.
`

// maxSignInput is how much of a file is read.
const maxSignInput = 1 << 20

// signFlags are the flags of sign.
type signFlags struct {
	key, policy, report, notBefore, expires, out string
	check, public                                string
	version                                      uint64
}

// sign is the command "tlsprobe sign". It returns what the process ends with: 0, 1 for what failed, 2 for a wrong call.
func sign(args []string, stdout, stderr io.Writer) int {
	var f signFlags
	set := flag.NewFlagSet("tlsprobe sign", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() {
		fmt.Fprint(stderr, signUsage)
		set.PrintDefaults()
	}
	set.StringVar(&f.key, "key", "", "private Ed25519 key in PEM (PKCS#8), as \"openssl genpkey -algorithm ed25519\" makes one")
	set.StringVar(&f.policy, "policy", "", "what all must keep, beside their own policy")
	set.StringVar(&f.report, "report", "", "what refuses nothing and is only reported, to try it first")
	set.Func("version", "higher than in the file before, in decimal digits, from one place: two files of one version divide a fleet", func(text string) (err error) {
		f.version, err = strconv.ParseUint(text, 10, 64) // the package flag takes 010 for 8
		return err
	})
	set.StringVar(&f.notBefore, "not-before", "", "when it begins to count, such as 2026-12-01T08:00:00Z (default now)")
	set.StringVar(&f.expires, "expires", "", "until when it may be taken: a time, or how long after -not-before, such as 336h")
	set.StringVar(&f.out, "o", "", "file to write, at once or not at all")
	set.StringVar(&f.check, "check", "", "signed file to check and show, instead of signing one")
	set.StringVar(&f.public, "public", "", "public key in PEM to check it with, as \"openssl pkey -pubout\" makes one")
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	checking := f.check != "" && f.public != "" && f == (signFlags{check: f.check, public: f.public})
	signing := f.check == "" && f.public == "" && f.key != "" && f.version != 0 && f.expires != "" && f.out != "" && f.policy+f.report != ""
	if set.NArg() > 0 || !checking && !signing {
		fmt.Fprintln(stderr, "tlsprobe sign: flags are missing, or don't go together")
		set.Usage()
		return 2
	}
	run := f.sign
	if checking {
		run = f.verify
	}
	if err := run(stdout); err != nil {
		fmt.Fprintf(stderr, "tlsprobe sign: %v\n", err)
		return 1
	}
	return 0
}

// sign writes a signed file and shows what was signed.
func (f *signFlags) sign(stdout io.Writer) error {
	d := tlsconfig.PolicyDocument{Version: f.version, NotBefore: time.Now()}
	var err error
	if f.notBefore != "" {
		if d.NotBefore, err = time.Parse(time.RFC3339, f.notBefore); err != nil {
			return fmt.Errorf("-not-before: want a time such as 2026-12-01T08:00:00Z, not %.64q", f.notBefore)
		}
	}
	if length, isLength := time.ParseDuration(f.expires); isLength == nil {
		d.Expires = d.NotBefore.Add(length)
	} else if d.Expires, err = time.Parse(time.RFC3339, f.expires); err != nil {
		return fmt.Errorf("-expires: want a time such as 2026-12-15T08:00:00Z, or a duration such as 336h, not %.64q", f.expires)
	}
	if !d.Expires.After(time.Now()) {
		return fmt.Errorf("-expires: %s is over: nobody would take the file", d.Expires.UTC().Format(time.RFC3339))
	}
	if d.Policy, err = policyArgument("policy", f.policy); err != nil {
		return err
	}
	if d.ReportOnly, err = policyArgument("report", f.report); err != nil {
		return err
	}
	key, err := privateKey(f.key)
	if err != nil {
		return err
	}
	public := key.Public().(ed25519.PublicKey)
	out, err := openOutput(f.out)
	if err != nil {
		return err
	}
	defer out.close()
	if err := out.follows(d); err != nil {
		return err
	}
	file, err := tlsconfig.SignPolicy(key, d)
	if err != nil {
		return err
	}
	if d, err = tlsconfig.ParseSignedPolicy(file, public); err != nil { // what is shown is what others read
		return err
	}
	if err := out.write(file); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "signed       %s\n", f.out)
	show(stdout, d, public)
	return nil
}

// verify shows a signed file, and fails unless it could be taken now.
func (f *signFlags) verify(stdout io.Writer) error {
	block, err := pemFile(f.public, "PUBLIC KEY")
	if err != nil {
		return err
	}
	key, err := x509.ParsePKIXPublicKey(block)
	public, ok := key.(ed25519.PublicKey)
	if err != nil || !ok {
		return fmt.Errorf("%q is not an Ed25519 public key", f.public)
	}
	file, err := readFile(f.check)
	if err != nil {
		return err
	}
	d, err := tlsconfig.ParseSignedPolicy(file, public)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "good         %s\n", f.check)
	show(stdout, d, public)
	switch now := time.Now(); {
	case now.Before(d.NotBefore):
		return errors.New("the signature is good, and its time has not come")
	case !now.Before(d.Expires):
		return errors.New("the signature is good, and the file has expired")
	}
	return nil
}

// show prints what a document says.
func show(w io.Writer, d tlsconfig.PolicyDocument, public ed25519.PublicKey) {
	fmt.Fprintf(w, "public key   %s\n", base64.StdEncoding.EncodeToString(public))
	fmt.Fprintf(w, "version      %d\n", d.Version)
	fmt.Fprintf(w, "not before   %s\n", d.NotBefore.UTC().Format(time.RFC3339))
	fmt.Fprintf(w, "expires      %s\n", d.Expires.UTC().Format(time.RFC3339))
	if d.Policy != nil {
		fmt.Fprintf(w, "policy       %s\n", d.Policy)
	} else {
		fmt.Fprintln(w, "policy       none: services keep what they keep by themselves")
	}
	if d.ReportOnly != nil {
		fmt.Fprintf(w, "report only  %s\n", d.ReportOnly)
	}
}

// policyArgument returns the policy of a flag, nil where it is not set.
func policyArgument(name, value string) (*tlsconfig.Policy, error) {
	if value == "" {
		return nil, nil
	}
	if p, ok := tlsconfig.Named(value); ok {
		return &p, nil
	}
	text, err := readFile(value)
	if err != nil {
		return nil, fmt.Errorf("-%s: %.100q is no profile, and as a file: %w", name, value, err)
	}
	p, err := tlsconfig.ParsePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("-%s %q: %w", name, value, err)
	}
	return &p, nil
}

// privateKey reads an Ed25519 key.
func privateKey(path string) (ed25519.PrivateKey, error) {
	block, err := pemFile(path, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	defer clear(block)
	key, err := x509.ParsePKCS8PrivateKey(block)
	private, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok { // what crypto/x509 says may hold some of the file
		return nil, fmt.Errorf("%q is not an Ed25519 private key", path)
	}
	return private, nil
}

// pemFile returns the one PEM block of a file.
func pemFile(path, kind string) ([]byte, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	block, rest := pem.Decode(text)
	if block == nil || block.Type != kind || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%q is not one PEM block of type %s", path, kind)
	}
	return block.Bytes, nil
}

// readFile returns a file of at most 1 MiB.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxSignInput+1))
	if err == nil && len(content) > maxSignInput {
		err = fmt.Errorf("%q is larger than %d bytes", path, maxSignInput)
	}
	return content, err
}
