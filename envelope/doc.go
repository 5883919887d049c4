// Package envelope encrypts data under keys that a KMS keeps. It does so in two ways.
//
// A [Sealer] makes self-contained messages: the wrapped data key and the context travel in a header, so whoever may use the
// KMS key can open a message anywhere, years later, with no database. Use it for files, backups, exports and dead letters.
// Each costs a call to the KMS when it is sealed and one when it is opened, and some 300 bytes under kms/local, 500 under
// kms/awskms, 1450 under kms/hpke; a stream costs 4096 and can be rewrapped in place.
//
// The context says what a message belongs to, such as {"tenant": "acme", "object": "invoices/7.pdf"}. It must be the same
// when the message is opened, comes from the caller's own records, and keeps a message from being taken for another. It is
// stored and logged in the clear, and takes at most 8165 bytes in canonical form: 8 KiB less what the package adds for the
// KMS.
//
// A [Keyring] keeps a key for every [Tenant], and for every [Subject], a person of a tenant's: wrapped in a [Store],
// unwrapped in memory for some minutes. A record is [RecordOverhead] bytes longer than what it holds, and no call to
// anything is made while its key is in memory. Keys rotate, and can be destroyed. Use it for columns, events, messages,
// sessions and credentials.
//
// A record names its key, and belongs to a [Binding], such as Bind("users", "email", id): it is stored nowhere, and must
// be the same when the record is opened. Larger data is a stream, see [Tenant.NewWriter].
//
// # How keys hang together
//
//	KMS key                  the Root's: one for all tenants, or a customer's own
//	└─ of each tenant, 32 random bytes each:
//	   ├─ data keys          seal what is the tenant's; Rotate adds one, the newest seals
//	   ├─ lookup key         makes of a subject's id the reference that the store has; stays the same
//	   └─ wrap key           wraps the subjects' keys; Compact replaces it
//	      └─ of each subject:
//	         └─ data keys    seal what is the subject's; Rotate adds one, Erase destroys them all
//
// Every key is a row of its own in the store. [Keyring.Rewrap] moves tenants' keys to the current KMS key and leaves data
// alone; [Tenant.Reseal] moves a record to the current data key. Reading the first record of a tenant takes one call to
// the KMS, of a subject's two; then a process makes one for each tenant's key in use, every CacheTTL.
//
// # Outages and revocation
//
// These are the windows of [KeyringOptions], with their defaults:
//
//	CacheTTL           5 min   for which keys and states are used before KMS and store are asked again
//	StaleIfError       1 h     after that, for which keys in memory still open while the KMS can't be reached
//	WriteStaleIfError  3 min   likewise, for which they still seal
//
// Only a KMS that unwraps the keys again renews them. What is not in memory needs KMS and store at once. A store that
// can't be reached is not bridged: keys in memory go on until CacheTTL is over, then calls fail with [ErrUnavailable]. A
// refusal by the KMS is not an outage: it ends the use of what the refused key has wrapped. So a revocation at the KMS,
// and [Tenant.Disable] or [Subject.Erase] in another process, arrive within CacheTTL; while the KMS can't be reached a
// revocation there may take until the windows end. [ActionFor] tells what to do after an error, and [Keyring.Health]
// where a tenant stands.
//
// # Erasure
//
// [Subject.Erase] fences the subject, writes over its keys and returns a [Receipt]; [Tenant.Destroy] does so for a tenant.
// Copies of the store from before, such as backups, still have the keys, wrapped. [Keyring.Compact] replaces the wrap key
// above, after which an old row of an erased subject does not open with the living store. A whole old copy opens until
// the KMS key is destroyed: the receipt says when that is, or that it is not known.
//
// # Audit
//
// [KeyringOptions].Audit is told of an [Event] each time a key is made or unwrapped, and before and after each rotation,
// disabling, hold, erasure, rewrapping and what undoes them. It is not told of records: what opens with a key in memory
// leaves no trace. Events name the tenant, the key and who [WithActor] says is acting; of a subject they hold a reference
// and never the id. An Auditor that fails stops what it was told of.
//
// FORMAT.md beside this file has every byte.
package envelope
