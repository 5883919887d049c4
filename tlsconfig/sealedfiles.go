package tlsconfig

import (
	"context"
	"errors"
	"fmt"
)

// SealedFiles is Files for a private key that is encrypted on disk. open decrypts what the key file has and returns the key in PEM; what it returns is cleared after use, so it must be its own copy.
//
// open is called at the start and whenever one of the files changes or it failed before, with a ctx that ends after 30 s, and may ask a KMS. While it fails the last good pair stays in place. Its error is shown, so it must not have anything of the key.
func SealedFiles(cert, sealedKey string, open func(ctx context.Context, sealed []byte) ([]byte, error)) Identity {
	return newFileIdentity(cert, sealedKey, func(ctx context.Context, sealed []byte) ([]byte, error) {
		if open == nil {
			return nil, errors.New("SealedFiles needs a function that opens the key")
		}
		key, err := open(ctx, sealed)
		if err != nil {
			return nil, err
		}
		if len(key) > maxFile {
			clear(key)
			return nil, fmt.Errorf("the key is larger than the %d bytes allowed", maxFile)
		}
		return key, nil
	})
}
