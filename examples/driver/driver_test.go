package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func TestContract(t *testing.T) {
	kmstest.Run(t, func(t *testing.T) kmstest.Harness {
		s := &service{keys: map[string]*aead.Key{"one": aead.NewKey(), "two": aead.NewKey()}}
		var hang atomic.Pointer[func(*http.Request)]
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if f := hang.Load(); f != nil {
				(*f)(r)
				return
			}
			s.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		answer := func(trade string) func() { s.set(trade); return func() { s.set("") } }
		return kmstest.Harness{
			Driver:   newDriver(server.URL, "one"),
			Other:    newDriver(server.URL, "two"),
			Calls:    s.count,
			Reopen:   func() kms.Driver { return newDriver(server.URL, "one") },
			Disable:  func(context.Context) error { s.set("disabled"); return nil },
			Enable:   func(context.Context) error { s.set(""); return nil },
			Deny:     func() func() { return answer("forbidden") },
			Outage:   func() func() { return answer("on fire") },
			Throttle: func() (time.Duration, func()) { return 0, answer("slow down") },
			Hang: func(arrived func()) func() {
				released := make(chan struct{})
				hang.Store(new(func(r *http.Request) {
					io.Copy(io.Discard, r.Body) // or the server does not notice that the client goes
					arrived()
					select {
					case <-r.Context().Done():
					case <-released:
					}
				}))
				return func() { hang.Store(nil); close(released) }
			},
		}
	})
}

func TestRun(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	require.Contains(t, out.String(), "an invoice")
	require.Contains(t, out.String(), "access denied")
	require.Contains(t, out.String(), "the key is denied")
}

// TestOutage: what is no answer of the service is an outage, whatever it looks like, and the key goes nowhere else.
func TestOutage(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it followed a redirect") }))
	defer elsewhere.Close()
	for name, answer := range map[string]http.HandlerFunc{
		"empty": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") },
		"null":  func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "null") },
		"page":  func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") },
		"proxy's 403": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error":"forbidden"}`, http.StatusForbidden)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			d := newDriver(server.URL, "one")
			defer d.Close()
			_, err := d.Wrap(t.Context(), []byte("a key"), nil)
			require.ErrorIs(t, err, kms.ErrUnavailable)
			_, err = d.Unwrap(t.Context(), kms.Wrapped{Ref: d.ref, Blob: []byte("blob")}, nil)
			require.ErrorIs(t, err, kms.ErrUnavailable)
		})
	}
	server := httptest.NewServer(&service{})
	server.Close()
	_, err := newDriver(server.URL+"?token=canary", "one").Wrap(t.Context(), []byte("a key"), nil)
	require.ErrorIs(t, err, kms.ErrUnavailable)
	require.NotContains(t, err.Error(), "canary")
}
