// Package envelope encrypts data under keys that a KMS keeps.
//
// A [Sealer] makes self-contained messages: the wrapped data key and the context travel in a
// header, so whoever may use the KMS key can open a message anywhere, years
// later, with no database. Use it for files, backups, exports and dead letters. Each
// costs a call to the KMS when it is sealed and one when it is opened, and some 300 bytes under kms/local, 500 under kms/awskms, 1450 under kms/hpke; a stream costs
// 4096 and can be rewrapped in place.
//
// The context says what a message belongs to, such as {"tenant": "acme", "object":
// "invoices/7.pdf"}. It must be the same when the message is opened, comes from the caller's own records, and
// keeps a message from being taken for another. It is stored and logged in the clear, and takes at most 8165 bytes in
// canonical form: 8 KiB less what the package adds for the KMS.
//
// FORMAT.md beside this file has every byte.
package envelope
