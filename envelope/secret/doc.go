// Package secret keeps a service's credentials: those that it uses, sealed in its configuration, and the passwords of its accounts.
//
// # Configuration
//
// A [Text] is a secret that does not print. [Resolve] fills those of a configuration struct from sealed texts, each of which opens for its
// tenant and at its place alone, so that the sealed password of the database can't be pasted where an outgoing header is made of it:
//
//	type Config struct {
//		Listen string
//		DSN    secret.Text `secret:"db"`
//	}
//
//	{"Listen": ":8080", "DSN": "enc:v1:9fIAFgk..."}
//
//	err := json.Unmarshal(file, &cfg)
//	err = secret.Resolve(ctx, keyring.Tenant("config"), &cfg)
//	db, err := sql.Open("pgx", cfg.DSN.Reveal())
//
// [SealText] makes the sealed texts, and so does the command
// github.com/holdfast-go/holdfast/envelope/cmd/holdfast, which reads the secret from standard input.
//
// The keys that open the password of a database can't lie in that database: give the configuration a store of its own, such as a file of package boltstore. A service opens it, calls Resolve and
// closes it, so that the next process, or the command, can have it.
//
// A sealed text may lie in a repository: whoever reads it needs the key store and the KMS. It is not bound to a version of the file, so whoever can change the file
// can put an older sealed text back at its place. After tn's key was rotated old ones still open; to be rid of the old key seal them again.
// It keeps the length of the secret, to a byte.
//
// Give a Text to no flag package, though flag.TextVar takes one: every process on a host can read the arguments of others.
//
// # Passwords
//
// [Passwords] hashes and verifies the passwords of accounts.
package secret
