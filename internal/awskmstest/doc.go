// Package awskmstest is a stand-in for AWS KMS: a server of its JSON 1.1 protocol, on the loopback interface, that tests
// call with the SDK's own client over HTTP.
//
//	s := awskmstest.New(t)
//	arn := s.CreateKey("eu-north-1")
//	client := s.Client("eu-north-1")
//
// One [Server] is one account in all regions. It has symmetric keys, single- and multi-Region, with their states, aliases,
// rotation, deletion and grants. [Server.Inject] makes it slow, throttled, broken or wrong; [Server.Calls] and
// [Server.Requests] tell what arrived. What it does not know, it refuses: other operations with
// UnknownOperationException, other parameters (DryRun, Recipient, Policy, Tags, pages) with ValidationException.
//
// # What is known
//
// None of this was compared with AWS itself. It rests on what AWS publishes:
//
//   - Names, types and JSON forms of parameters and answers: the SDK's client serializes every request and deserializes every
//     answer and error in this package's tests.
//   - Signatures: every request is signed again with the SDK's signer. The five minutes are from the IAM user guide,
//     "in most cases".
//   - What each operation does, its limits and its errors: the SDK's documentation of service/kms v1.62.4. It allows 25
//     on-demand rotations of a key, where older pages say 10.
//   - Key states: the table in the developer guide, as it was in 2020. It leaves open which error cryptography under a key
//     that waits for deletion gives: KMSInvalidStateException here, and the guide's other one,
//     DisabledException, is there to be injected.
//   - HTTP status 400 of errors, and their request ids: from error texts that people published. The SDK's model has other
//     statuses (404 for NotFoundException, 409 for DisabledException and KMSInvalidStateException), which clients should stand too:
//     [Fault] has a Status. KMSInternalException and KeyUnavailableException have 500 and DependencyTimeoutException 503, as in the model.
//   - NotFoundException "Invalid arn" for an ARN of another region, and AccessDeniedException for a blob without KeyId whose
//     key is not here: likewise.
//
// # What is assumed
//
//   - The exact names of errors before an operation is reached (MissingAuthenticationTokenException,
//     IncompleteSignatureException, InvalidSignatureException, UnrecognizedClientException, UnknownOperationException,
//     SerializationException), all with status 400, and most messages.
//   - The order of checks: parameters, key, permission, key state, algorithm, blob.
//   - That a blob which names no key of the account is InvalidCiphertextException, that an alias where only key ids are
//     taken is NotFoundException, and an ARN of another account AccessDeniedException.
//   - The states PendingReplicaDeletion and Creating, and ReplicateKey, RotateKeyOnDemand and ListKeyRotations in all
//     states, which that table lacks: they go with PendingDeletion, Unavailable and Encrypt, and the last one is always allowed.
//   - That "not case sensitive", for the names in a grant's constraints, means Unicode's simple folding.
//   - Blobs of 151 bytes more than their plaintext: 183 for a data key of 32, where AWS's take about 184.
//
// # What is simpler
//
// Changes are seen at once, but for grants without their token until [Server.SettleGrants]. Rotation is done at once,
// and automatic rotation never comes. Replicas are Enabled at once. Deletion waits for [Server.FinishDeletion]. There are no
// key policies: [Server.Config] is of a user who may do everything, and any other [Principal] may do what grants allow.
// Lists come in one page. Keys in state Unavailable are not in a custom key store, so that their rotation fails with another error.
package awskmstest
