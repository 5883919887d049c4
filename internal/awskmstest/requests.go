package awskmstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// Request is what the server keeps of a request that arrived, before it checked anything. No plaintext and no blob is kept.
type Request struct {
	ID                string // that the answer has as x-amzn-RequestId; different for all
	Operation         string
	Region            string // of the credential scope
	KeyID             string // as sent; "" where there was none; of ReEncrypt the destination's
	EncryptionContext map[string]string
	GrantTokens       []string
}

// Calls counts the requests for an operation that arrived, also those that were refused or met a fault. "" counts all.
func (s *Server) Calls(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.requests {
		if operation == "" || operation == r.Operation {
			n++
		}
	}
	return n
}

// Requests returns what arrived so far, in that order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.requests)
	for i := range list {
		list[i].EncryptionContext = maps.Clone(list[i].EncryptionContext)
		list[i].GrantTokens = slices.Clone(list[i].GrantTokens)
	}
	return list
}

// arrive records a request and returns its id and what is injected into it, if anything.
func (s *Server) arrive(r *http.Request, body []byte) (id string, f *Fault) {
	var in struct {
		KeyID             string            `json:"KeyId"`
		TargetKeyID       string            `json:"TargetKeyId"`
		DestinationKeyID  string            `json:"DestinationKeyId"`
		EncryptionContext map[string]string `json:"EncryptionContext"`
		Destination       map[string]string `json:"DestinationEncryptionContext"`
		GrantTokens       []string          `json:"GrantTokens"`
	}
	_ = json.Unmarshal(body, &in) // what is malformed is recorded as far as it goes, and refused later
	a, _ := parseAuthorization(r.Header.Get("Authorization"))
	for name, value := range in.Destination {
		if in.EncryptionContext == nil {
			in.EncryptionContext = map[string]string{}
		}
		in.EncryptionContext[name] = value
	}
	for _, key := range []string{in.TargetKeyID, in.DestinationKeyID} {
		if in.KeyID == "" {
			in.KeyID = key
		}
	}
	op := operationName(r)
	s.mu.Lock()
	id = fmt.Sprintf("00000000-0000-4000-8000-%012d", len(s.requests)+1)
	s.requests = append(s.requests, Request{id, op, a.region, in.KeyID, in.EncryptionContext, in.GrantTokens})
	s.seen[op]++
	n, inject := s.seen[op], s.injected
	s.mu.Unlock()
	if inject != nil {
		f = inject(op, n)
	}
	return id, f
}
