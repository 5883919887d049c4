package awskmstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

const (
	contentType = "application/x-amz-json-1.1"
	target      = "TrentService." // before the operation's name in X-Amz-Target
	maxBody     = 1 << 20         // bytes of a request; the largest real one is some 20 KiB
)

// operation is one call of the API.
type operation struct {
	required []string
	optional []string
	rule     rule // the key states that it works in
	run      func(*call) (answer, error)
}

// call is a request that was authenticated and read. The server is locked while it runs.
type call struct {
	*Server
	name      string
	operation operation
	region    string
	principal Principal
	in        input
}

// answer is the body of a response, before it becomes JSON.
type answer = map[string]any

// operations is what the stand-in knows.
func operations() map[string]operation {
	return map[string]operation{
		"CreateKey":   {nil, []string{"Description", "KeySpec", "KeyUsage", "MultiRegion", "Origin"}, anyState, createKey},
		"DescribeKey": {[]string{"KeyId"}, []string{"GrantTokens"}, anyState, describeKey},
		"EnableKey":   {[]string{"KeyId"}, nil, managed, enableKey},
		"DisableKey":  {[]string{"KeyId"}, nil, managed, disableKey},

		"Encrypt":                         {[]string{"KeyId", "Plaintext"}, []string{"EncryptionAlgorithm", "EncryptionContext", "GrantTokens"}, usable, encrypt},
		"Decrypt":                         {[]string{"CiphertextBlob"}, []string{"KeyId", "EncryptionAlgorithm", "EncryptionContext", "GrantTokens"}, usable, decrypt},
		"ReEncrypt":                       {[]string{"CiphertextBlob", "DestinationKeyId"}, []string{"SourceKeyId", "SourceEncryptionAlgorithm", "DestinationEncryptionAlgorithm", "SourceEncryptionContext", "DestinationEncryptionContext", "GrantTokens"}, usable, reEncrypt},
		"GenerateDataKey":                 {[]string{"KeyId"}, []string{"EncryptionContext", "GrantTokens", "KeySpec", "NumberOfBytes"}, usable, generateDataKey},
		"GenerateDataKeyWithoutPlaintext": {[]string{"KeyId"}, []string{"EncryptionContext", "GrantTokens", "KeySpec", "NumberOfBytes"}, usable, generateDataKeyWithoutPlaintext},

		"CreateAlias": {[]string{"AliasName", "TargetKeyId"}, nil, managed, createAlias},
		"UpdateAlias": {[]string{"AliasName", "TargetKeyId"}, nil, managed, updateAlias},
		"DeleteAlias": {[]string{"AliasName"}, nil, anyState, deleteAlias},
		"ListAliases": {nil, []string{"KeyId"}, anyState, listAliases},

		"ScheduleKeyDeletion": {[]string{"KeyId"}, []string{"PendingWindowInDays"}, managed, scheduleKeyDeletion},
		"CancelKeyDeletion":   {[]string{"KeyId"}, nil, pendingOnly, cancelKeyDeletion},
		"ReplicateKey":        {[]string{"KeyId", "ReplicaRegion"}, []string{"Description"}, usable, replicateKey},

		"RotateKeyOnDemand":    {[]string{"KeyId"}, nil, usable, rotateKeyOnDemand},
		"EnableKeyRotation":    {[]string{"KeyId"}, []string{"RotationPeriodInDays"}, usable, enableKeyRotation},
		"DisableKeyRotation":   {[]string{"KeyId"}, nil, usable, disableKeyRotation},
		"GetKeyRotationStatus": {[]string{"KeyId"}, nil, anyState, getKeyRotationStatus},
		"ListKeyRotations":     {[]string{"KeyId"}, nil, anyState, listKeyRotations},

		"CreateGrant": {[]string{"KeyId", "GranteePrincipal", "Operations"}, []string{"Constraints", "GrantTokens", "Name", "RetiringPrincipal"}, grantable, createGrant},
		"RevokeGrant": {[]string{"KeyId", "GrantId"}, nil, anyState, revokeGrant},
		"RetireGrant": {nil, []string{"KeyId", "GrantId", "GrantToken"}, anyState, retireGrant},
	}
}

// apiError is an answer that is an error of the API.
type apiError struct {
	status        int
	code, message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// fail is an error of the API. The three that the SDK's model gives a status above 499 have it; all others come with 400,
// whatever status below that the model has for them.
func fail(code, format string, a ...any) error {
	status := http.StatusBadRequest
	switch code {
	case "KMSInternalException", "KeyUnavailableException":
		status = http.StatusInternalServerError
	case "DependencyTimeoutException":
		status = http.StatusServiceUnavailable
	}
	return &apiError{status, code, fmt.Sprintf(format, a...)}
}

// handle checks a request and runs its operation.
func (s *Server) handle(r *http.Request, body []byte, bodyErr error) (answer, error) {
	if bodyErr != nil {
		return nil, fail("SerializationException", "the body is cut short or over %d bytes", maxBody)
	}
	principal, region, err := s.authenticate(r, body)
	if err != nil {
		return nil, err
	}
	name := operationName(r)
	op, known := s.operations[name]
	if !known || r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("Content-Type") != contentType {
		return nil, fail("UnknownOperationException", "no such operation: POST / with Content-Type %s and an X-Amz-Target that is known here", contentType)
	}
	in, err := op.read(body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return op.run(&call{s, name, op, region, principal, in})
}

func operationName(r *http.Request) string {
	name, _ := strings.CutPrefix(r.Header.Get("X-Amz-Target"), target)
	return name
}

// read decodes a body. What the stand-in does not know it refuses, so that no parameter is silently ignored.
func (op operation) read(body []byte) (in input, err error) {
	var names map[string]json.RawMessage
	if err := json.Unmarshal(body, &names); err != nil {
		return in, fail("SerializationException", "the body is no JSON object")
	}
	for name, value := range names {
		if !slices.Contains(op.required, name) && !slices.Contains(op.optional, name) {
			return in, fail("ValidationException", "parameter %.64q is unknown to this stand-in", name)
		}
		if string(value) == "null" {
			delete(names, name)
		}
	}
	for _, name := range op.required {
		if names[name] == nil {
			return in, fail("ValidationException", "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", name)
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return in, fail("SerializationException", "a parameter has the wrong type")
	}
	return in, in.check()
}

// encode makes an error or an answer a response's status and body.
func encode(a answer, err error) (status int, body []byte) {
	status = http.StatusOK
	var e *apiError
	switch {
	case errors.As(err, &e):
		status = e.status
		a = answer{"__type": e.code}
		if e.message != "" {
			a["message"] = e.message
		}
	case err != nil:
		panic(err) // every error of an operation is made by fail
	case a == nil:
		return status, nil // operations without an answer have an empty body
	}
	body, err = json.Marshal(a)
	if err != nil {
		panic(err) // answers hold strings, numbers and bytes only
	}
	return status, body
}

func (s *Server) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
}
