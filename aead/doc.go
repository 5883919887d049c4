// Package aead seals bytes under a key that the caller holds: AES-256-GCM in two public constructions, with no
// nonce to choose.
//
//   - [Key.Seal] and [Key.Open] make records: XAES-256-GCM, 40 bytes longer than the plaintext. For columns, messages and
//     everything that fits in memory with ease.
//   - [NewWriter] and [NewReader] make streams: FLOE, in segments that are authenticated each, for files and
//     uploads of any length in a few segments of memory. [NewReaderAt] reads one at any place, and
//     [NewSealReader] is for uploads that want an io.Reader.
//
// Both take additional data that is authenticated and not stored: say there what the data is and where it
// belongs, so that it opens nowhere else. Use one [Key] for one purpose, and never the same for records and streams; [Key.Derive] makes more.
// Where a KMS should hold the key, use package envelope.
//
// A record commits neither to its key nor to its additional data: who holds keys can make one that opens under two. A
// stream commits to both.
//
// Everything works under GODEBUG=fips140=only. FORMAT.md in package envelope has every byte.
package aead
