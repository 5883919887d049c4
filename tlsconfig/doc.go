// Package tlsconfig makes TLS servers and clients that keep one policy: the same versions, cipher suites, key exchange groups and certificate rules everywhere, set by a platform team and never loosened by a service. Certificates and roots change without a restart,
// peers are known by their verified identity, and an error says what is wrong and what to do.
//
// A server is three lines:
//
//	server, err := tlsconfig.NewServer(ctx, tlsconfig.Files("tls.crt", "tls.key"), nil)
//	// handle err
//	err = server.Serve(&http.Server{Handler: handler}, listener)
//
// And so is a client:
//
//	client, err := tlsconfig.NewClient(ctx, tlsconfig.RootFiles("ca.crt"), nil)
//	// handle err
//	transport, err := client.Transport(nil) // for http.Client; DialContext and Handshake are for other protocols
//
// # Policies
//
// A [Policy] is one of the profiles below, one from a file ([ParsePolicy]), or two of them tightened to what both allow ([Policy.Tighten]). A server or client that names none has [Recommended]. Profiles are dated: one never changes after it was published,
// and what replaces it has another name.
//
//	name                      versions   groups                                       leaf keys                     besides
//	recommended-2026          1.2, 1.3   X25519MLKEM768, SecP256r1MLKEM768,           ECDSA P-256, P-384; RSA 2048
//	                                     SecP384r1MLKEM1024, X25519, P-256, P-384
//	mozilla-modern-6.0        1.3        X25519MLKEM768, X25519, P-256, P-384         ECDSA P-256, P-384            own certificates up to 90 days
//	mozilla-intermediate-6.0  1.2, 1.3   X25519MLKEM768, X25519, P-256, P-384         ECDSA P-256, P-384; RSA 2048  own certificates up to 366 days
//	pq-required-2026          1.3        X25519MLKEM768, SecP256r1MLKEM768,           ECDSA P-256, P-384; RSA 2048
//	                                     SecP384r1MLKEM1024
//	internal-mtls-2026        1.3        as recommended-2026                          ECDSA P-256, P-384; RSA 2048  own certificates up to 7 days, clients
//	                                                                                                                are verified, private roots only
//	nist-800-52r2             1.2, 1.3   the three hybrids, P-256, P-384, P-521       ECDSA P-256, P-384, P-521;    FIPS 140-3 mode must be on
//	                                                                                  Ed25519; RSA 2048
//
// With TLS 1.2 the suites are ECDHE with AES-GCM and, but for nist-800-52r2, ChaCha20-Poly1305. RSA keys have at least 2048 bits and certificates are never signed with SHA-1 or MD5, in every profile and at every level of a chain; the signature of a root itself does not count.
// The rules for keys are for our own certificates and for the peer's. Only a leaf is held to the kinds of keys: a certificate of a CA may have any of them. Session tickets live a day at most.
//
// [SetFloor] gives the whole process a least policy. A server or client without a policy of its own is tightened to it; one with a weaker policy is an error that names whom to ask.
//
// A platform team can tighten all its processes later, without a release of any: [SignedPolicy] is a file that it signs and that each Server and Client with it in Central takes for every handshake from then on, once it has seen in report_only what would be
// refused. It can't loosen anything. FORMAT.md has its format, and the command tlsprobe sign makes one.
//
// # Strangers
//
// Whoever can connect can ask for a handshake, which costs a signature before the client has shown anything. [Server.Guard] bounds handshakes in time, number and rate of each source, and the signatures of a key in a KMS, and has an [AllowList] of addresses that is
// asked before a handshake begins.
//
// # Evidence
//
// [Server.Inventory] and [Client.Inventory] say what is configured and what was negotiated, in JSON, for those who must prove it.
//
// # What others configured
//
// [Audit] judges any tls.Config, http.Server or http.Transport by handshakes in memory and by what it says, against a policy, and [AuditProcess] what the process decides: call both at start-up and stop on [Report.Err]. An Observer of a
// Server or Client that is audited hears of the audit's handshakes too.
//
// [Probe] judges servers on a network, of whatever make, by the same rules and from outside; the command tlsprobe is it for people and pipelines.
//
// # FIPS 140-3
//
// Everything works under GODEBUG=fips140=on and fips140=only. The mode takes X25519 and ChaCha20-Poly1305 away from every policy, and a policy with no group left is an error. nist-800-52r2 is an error without the mode, because nothing else
// takes ChaCha20-Poly1305 away from TLS 1.3.
//
// # Limits
//
// crypto/tls decides some things itself, and a policy can't express them: the suites of TLS 1.3, the order of suites and groups, the signature algorithms that a peer is asked for. [Policy.Deviations] lists them for each policy and process.
// A policy names nothing that is weak: versions before TLS 1.2, RSA key exchange, CBC, 3DES and RC4 are errors. Of what crypto/tls lacks, finite-field Diffie-Hellman, AES-CCM, Brainpool curves, X448, pure ML-KEM and ML-DSA certificates can't be had, so that BSI TR-02102-2 is kept
// in part and CNSA 2.0 not at all. HTTP/2 over TLS 1.2 needs TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or its ECDSA twin: NewServer refuses a policy with TLS 1.2 and neither.
package tlsconfig
