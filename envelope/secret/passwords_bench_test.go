package secret_test

import (
	"context"
	"crypto/fips140"
	"crypto/pbkdf2"
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/holdfast-go/holdfast/envelope/secret"
)

// BenchmarkPasswords hashes and verifies beside the function below it alone: Argon2id, or PBKDF2 in FIPS mode.
func BenchmarkPasswords(b *testing.B) {
	ctx := context.Background()
	p, _ := newPasswords(b, nil)
	password := secret.NewText("correct horse")
	stored, err := p.Hash(ctx, "7", password)
	require.NoError(b, err)
	salt := make([]byte, 16)
	primitive, raw := "argon2id", func() error {
		argon2.IDKey([]byte("correct horse"), salt, 2, 19<<10, 1, 32)
		return nil
	}
	if fips140.Enabled() {
		primitive, raw = "pbkdf2", func() error {
			_, err := pbkdf2.Key(sha256.New, "correct horse", salt, 600_000, 32)
			return err
		}
	}
	for _, c := range []struct {
		op  string
		run func() error
	}{
		{"hash", func() error { _, err := p.Hash(ctx, "7", password); return err }},
		{"verify", func() error { _, _, err := p.Verify(ctx, "7", password, stored); return err }},
		{"dummy", func() error { return p.Dummy(ctx, password) }},
		{"raw-" + primitive, raw},
	} {
		b.Run("op="+c.op, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
