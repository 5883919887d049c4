package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/hpke"
)

func TestPassphrase(t *testing.T) {
	d := newDesk(t)
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(d.dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
		return path
	}
	good := file("good", "correct hunter2\r\n", 0o600)
	sealed, _ := d.run(done, plaintext, d.args("seal", nil, "-init", "-passphrase-file", good)...)
	for path, status := range map[string]int{
		good:                                   done,
		file("bare", "correct hunter2", 0o600): done,
		file("wrong", "hunter2", 0o600):        failed,
		file("two", "correct hunter2\nhunter2\n", 0o600):       failed,
		file("none", "", 0o600):                                failed,
		file("long", strings.Repeat("hunter2", 10_000), 0o600): failed,
		filepath.Join(d.dir, "missing"):                        failed,
	} {
		d.run(status, sealed, d.args("open", nil, "-passphrase-file", path)...)
	}
	_, said := d.run(failed, sealed, d.args("open", nil)...)
	require.Contains(t, said, "-passphrase-file")
	if runtime.GOOS != "windows" {
		d.run(failed, sealed, d.args("open", nil, "-passphrase-file", file("open", "correct hunter2", 0o640))...)
	}
}

func TestHPKEKey(t *testing.T) {
	d := newDesk(t)
	priv, err := hpke.GenerateKey(hpke.MLKEM768X25519)
	if err != nil {
		require.ErrorIs(t, err, kms.ErrUnsupported)
		t.Skip("this FIPS module has no HPKE")
	}
	path := filepath.Join(d.dir, "private.pem")
	require.NoError(t, hpke.WriteFile(path, priv.PEM()))
	d.flags["key"] = uri("hpke", path)
	opened, _ := d.run(done, d.seal(), d.args("open", nil)...)
	require.Equal(t, plaintext, opened)
}

func TestAWS(t *testing.T) {
	d := newDesk(t)
	d.flags["key"] = "awskms:///alias/app"
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"} {
		t.Setenv(name, "")
	}
	_, said := d.run(failed, plaintext, d.args("seal", nil, "-init")...)
	require.Contains(t, said, "AWS_ACCESS_KEY_ID")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	t.Setenv("AWS_SESSION_TOKEN", "token")
	_, said = d.run(failed, plaintext, d.args("seal", nil, "-init")...)
	require.Contains(t, said, "region")
	t.Setenv("AWS_REGION", "eu-north-1")
	cfg, err := awsConfig()
	require.NoError(t, err)
	require.Equal(t, "eu-north-1", cfg.Region)
	c, err := cfg.Credentials.Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"AKIDEXAMPLE", "hunter2", "token"}, []string{c.AccessKeyID, c.SecretAccessKey, c.SessionToken})
	require.Empty(t, d.files())
}
