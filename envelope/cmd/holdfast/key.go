package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"runtime"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/holdfast-go/holdfast/internal/keyfile"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/awskms"
	"github.com/holdfast-go/holdfast/kms/hpke"
	"github.com/holdfast-go/holdfast/kms/local"
)

const maxPassphrase = 4096 // bytes, as package local has it

// openKey opens the KMS key.
func (j *job) openKey(ctx context.Context) (*kms.Key, error) {
	var o local.Options
	if j.passphraseFile != "" {
		if !strings.HasPrefix(j.key, "local:") {
			return nil, errors.New("-passphrase-file is for local keys")
		}
		o.Passphrase = func() ([]byte, error) { return readPassphrase(j.passphraseFile) }
	}
	openers := kms.Openers{
		"awskms": openAWS,
		"hpke":   hpke.Opener(nil),
		"local":  local.Opener(&o),
	}
	if j.init {
		openers["local"] = func(ctx context.Context, u *url.URL) (*kms.Key, error) {
			if err := createFile(u, &o); err != nil {
				return nil, err
			}
			return local.Opener(&o)(ctx, u)
		}
	}
	return openers.Open(ctx, j.key)
}

// createFile makes the key file that u names, unless there is one.
func createFile(u *url.URL, o *local.Options) error {
	path, err := keyfile.Path(u)
	if err != nil {
		return err
	}
	f, err := local.Create(path, o)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// readPassphrase returns the only line of a file. It may be a pipe, such as the shell's <(pass show key).
func readPassphrase(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); runtime.GOOS != "windows" && mode.IsRegular() && mode.Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%q: the file's mode is %04o: run chmod 600 on it", path, mode.Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPassphrase+3))
	if err != nil {
		return nil, err
	}
	line := bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if bytes.ContainsAny(line, "\r\n") {
		clear(b)
		return nil, fmt.Errorf("%q has more than one line", path)
	}
	return line, nil
}

// openAWS opens a key of AWS KMS with the credentials of the environment.
func openAWS(ctx context.Context, u *url.URL) (*kms.Key, error) {
	cfg, err := awsConfig()
	if err != nil {
		return nil, err
	}
	return awskms.Opener(cfg)(ctx, u)
}

func awsConfig() (aws.Config, error) {
	c := aws.Credentials{
		AccessKeyID:     os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    os.Getenv("AWS_SESSION_TOKEN"),
		Source:          "environment",
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return aws.Config{}, errors.New(`AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set: run eval "$(aws configure export-credentials --format env)"`)
	}
	return aws.Config{
		Region:      os.Getenv("AWS_REGION"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil }),
	}, nil
}
