// Package local keeps a key encryption key in a file on this machine: a KMS key
// without a KMS.
//
//	f, err := local.Create("/var/lib/app/key.json", nil) // once
//	f, err := local.Open("/var/lib/app/key.json", nil)   // at every start
//	defer f.Close()
//	key := f.Key()
//
// Whoever can read the file can open everything wrapped under it: its mode must be
// 0600. A passphrase ([Options]) protects copies and backups of the file. Back the file up, and apart from the
// data: without it the data is lost. Keep the newest copy: one from before a rotation lacks
// the newest key version.
//
// # The file
//
// JSON of at most 1 MiB:
//
//	format          "holdfast key file"
//	format_version  1
//	key_id          32 hex digits, random
//	state           "enabled", "disabled" or "destroyed"
//	current         number of the version that wraps: the highest
//	destroyed_at    only when destroyed; there are no versions then
//	passphrase      how to stretch the passphrase, if there is one
//	versions        number (1, 2, ...), created (RFC 3339, UTC), id, and key or sealed
//
// A version is 32 random bytes: key has them in base64; sealed has them under the
// stretched passphrase, as a record (FORMAT.md section 2, without the first 17 bytes) whose additional data
// is the length-prefixed format, key_id and number. Its id is the key's KeyID (FORMAT.md section
// 1), by which a damaged file is noticed. FORMAT.md section 7 has the bytes of what a version wraps.
//
// The state is not authenticated: whoever writes the file can enable the key
// again, but so can whoever kept a copy of it.
//
// # Several processes
//
// Changes are made under an advisory lock on the file's name plus ".lock", to a copy
// that replaces the file: readers see the old or the new one, and no process
// undoes another's rotation. A network file system must support such locks. A running File learns of a rotation elsewhere when
// it meets the new version, and of every change at its next [kms.Key.Describe] or change
// of its own. Run all of them as the same user, since the new file is the writer's.
//
// A writer that was killed leaves a file ".NAME.holdfast-new", which the next
// one overwrites.
//
// # Destruction
//
// [File.Destroy] replaces the file by one without keys, makes that durable, and then overwrites
// the bytes of the old one in place. The overwriting is an attempt: SSDs, copy-on-write file
// systems, snapshots and backups keep old blocks, as do the blocks that earlier rotations freed, and Windows
// does not allow it. Where that matters use a passphrase, and destroy that too.
// Other processes that hold the key in memory stop using it when they next look at the file.
//
// # Cost, limits, permissions
//
// A call takes some microseconds and costs nothing. What a 32-byte key is wrapped to takes 72 bytes, and with its names 116
// ([kms.Wrapped]). The file has room for thousands of versions. A process needs to read the file, and to write its directory
// only to create, rotate, disable, enable or destroy the key.
//
// # When the disk fails
//
// The key is in memory, so Wrap and Unwrap go on without the file. What needs it fails with [kms.ErrUnavailable] and may be
// tried again: a rotation, [kms.Key.Describe], and an Unwrap of a version that another process has made since. A missing file is
// [kms.ErrNotFound], one that this user may not read [kms.ErrAccessDenied], and a damaged one [kms.ErrInvalid]. A file system
// that hangs costs a caller the [kms.Options].Timeout.
//
// # FIPS 140
//
// A passphrase is stretched with Argon2id (RFC 9106: 3 passes, 64 MiB, 4 lanes), or in FIPS
// mode with PBKDF2-HMAC-SHA-256 (600 000 iterations). GODEBUG=fips140=only refuses files with
// Argon2id.
package local
