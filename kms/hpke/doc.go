// Package hpke wraps keys to a public key, so that a process can encrypt what it can't decrypt: with HPKE
// (RFC 9180) over a hybrid of a post-quantum and a classical key exchange.
//
//	priv, err := hpke.GenerateKey(hpke.MLKEM768X25519)         // once, offline
//	err = hpke.WriteFile("/keys/backup.pem", priv.PEM())       // or what priv.Seal returns
//	err = hpke.WriteFile("/keys/backup.pub", priv.Public().PEM())
//
//	pub, err := hpke.ParsePublicKey(text)
//	key, err := hpke.NewRecipient(pub, nil)                    // in the service that writes
//	key, err := hpke.NewIdentity(priv, nil)                    // where it is read
//
// It is for services that only write, such as intake, backups and audit logs. A recipient serves envelope.Sealer.
//
// # Recovery key
//
// A [kms.AnyOf] of the key in use and a recipient wraps under both. The recipient's private key lies offline until the key in use
// is lost. Then its identity alone, without the AnyOf, unwraps everything that lists it as a recipient.
//
//	both, err := kms.AnyOf([]*kms.Key{inUse, recipient}, nil)  // every day
//	recovery, err := hpke.NewIdentity(priv, nil)               // on the day that counts
//
// # What it does not do
//
// A message sealed to a public key proves nothing about its sender: anyone can make one. Whoever can replace the
// public key file reads what is sealed from then on: compare [PublicKey.ID] with a note of your own.
//
// Key pairs have no versions and can't be rotated, disabled or revoked. Make a new pair, wrap to it with
// [kms.Rolling], and keep the old private key for as long as anything is wrapped to it: when it is lost, so is that. A
// private key that got out opens all that was ever wrapped to it.
//
// There is no service: no requests, no permissions, no cost, no outage. What decides is who holds the private key's
// file, and nothing records its use.
//
// # Sizes and times
//
// In bytes. The whole is [kms.Wrapped] in binary form. The time is of one x86-64 core of a shared virtual machine: compare the
// two columns, or run the benchmark, which pairs each operation with crypto/hpke alone and finds 1.1 to 1.3 times its time.
//
//	                               MLKEM768-X25519   MLKEM1024-P384
//	public key                                1216             1665
//	private key                                 32               32
//	public key file                           1742             2351
//	private key file                          1789             2394
//	blob of a 32-byte key                     1174             1719
//	whole of it                               1248             1793
//	wrap                                    0.3 ms           1.2 ms
//	unwrap                                  0.2 ms           1.0 ms
//
// A blob is 1142 or 1687 bytes longer than what it wraps, which is 1 to 64 bytes.
//
// # Bytes
//
// FORMAT.md section 7 has the blob. The KDF is HKDF-SHA256 with MLKEM768-X25519 and HKDF-SHA384 with MLKEM1024-P384, the AEAD always
// AES-256-GCM, and a blob with other numbers than the key's own does not open. The key id is the SHA-256 of the public key, in lower-case
// hex. The version is always empty.
//
// The KEMs are those of draft-ietf-hpke-pq as Go's crypto/hpke has them, MLKEM768-X25519 being X-Wing. The
// draft is not final. What is written here stays as it is: the vectors in testdata see to it.
//
// # Files
//
// There is no standard encoding of these keys in Go's crypto/x509, so a file is one PEM block of our own, without
// headers and with nothing but white space around it. FORMAT.md section 7 has the bodies:
//
//	HOLDFAST HPKE PUBLIC KEY              u16 KEM || public key                 || check
//	HOLDFAST HPKE PRIVATE KEY             u16 KEM || public key || 32-byte seed || check
//	HOLDFAST HPKE SEALED PRIVATE KEY      u16 KEM || public key || kms.Wrapped  || check
//
// The seed is what HPKE serializes a private key to, and kms.Wrapped, in binary form, has it under the key given to
// [PrivateKey.Seal]. It must give the public key beside it, or the file does not parse. check is the start of a SHA-256: it finds
// a damaged file, not a replaced one.
//
// Private keys are hard to clear from memory in Go: crypto/hpke keeps the seed and what is expanded from it, and offers no way to
// clear them. Closing a [kms.Key] drops its reference, and the garbage collector takes them in its time.
//
// # FIPS 140
//
// Under GODEBUG=fips140=only it needs a Go Cryptographic Module newer than v1.0.0, which refuses the AES-GCM of HPKE: build with
// GOFIPS140=v1.26.0 or newer. All constructors and parsers try, and fail with [kms.ErrUnsupported]. In both KEMs crypto/hpke counts
// on ML-KEM, which is approved, and lets the classical half pass as an addition to it. For those who need
// a NIST curve there, too, there is MLKEM1024-P384.
package hpke
