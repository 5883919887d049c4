package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/kms"
)

// driver is a kms.Driver of a service that encrypts small values with additional data, over HTTP and JSON. Put
// your service's client in its place: Wrap and Unwrap stay as they are.
type driver struct {
	url    string // of the service, from the operator; never from what is to be opened
	client *http.Client
	ref    kms.Ref
	closed atomic.Bool
}

func newDriver(url, keyID string) *driver {
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // what is wrapped goes nowhere else
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second}, CheckRedirect: stay}
	return &driver{url: url, client: client, ref: kms.Ref{Provider: "example", KeyID: keyID}}
}

func (d *driver) Ref() kms.Ref { return d.ref }

func (d *driver) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	if n := len(plaintext); n == 0 || n > kms.MaxPlaintext {
		return kms.Wrapped{}, fmt.Errorf("%w: plaintext must be 1 to %d bytes", kms.ErrInvalid, kms.MaxPlaintext)
	}
	blob, err := d.call(ctx, "/encrypt", plaintext, ec)
	if err != nil {
		return kms.Wrapped{}, err
	}
	return kms.Wrapped{Ref: d.ref, Blob: blob}, nil
}

func (d *driver) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
	if w.Ref != d.ref || w.Version != "" { // before any request
		return nil, kms.ErrNotFound
	}
	if len(w.Blob) == 0 || len(w.Blob) > 1<<10 { // no wrapped key of this service is longer
		return nil, kms.ErrCiphertext
	}
	return d.call(ctx, "/decrypt", w.Blob, ec)
}

func (d *driver) Close() error {
	d.closed.Store(true)
	d.client.CloseIdleConnections()
	return nil
}

// message is the body of a request and of an answer.
type message struct {
	Key, Error string
	Data, AAD  []byte
}

// call sends data, bound to every pair of ec, and returns what the service made of it.
func (d *driver) call(ctx context.Context, path string, data []byte, ec kms.Context) ([]byte, error) {
	aad, err := ec.Canonical()
	if err != nil {
		return nil, err
	}
	if d.closed.Load() {
		return nil, kms.ErrClosed
	}
	body, _ := json.Marshal(message{Key: d.ref.KeyID, Data: data, AAD: aad}) // strings and bytes: it can't fail
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: the service's URL can't be parsed", kms.ErrInvalid)
	}
	answer, err := d.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", kms.ErrUnavailable, errors.Unwrap(err)) // without the URL, which may hold a token
	}
	defer answer.Body.Close()
	var m message
	err = json.NewDecoder(http.MaxBytesReader(nil, answer.Body, 64<<10)).Decode(&m)
	switch class := classes[m.Error]; {
	case err == nil && answer.StatusCode == http.StatusOK && len(m.Data) > 0:
		return m.Data, nil
	case err == nil && answer.StatusCode == http.StatusBadRequest && class != nil:
		return nil, class
	}
	return nil, fmt.Errorf("%w: status %d and no answer of the service", kms.ErrUnavailable, answer.StatusCode)
}

// classes says what the service's own words mean. All else is an outage, such as a proxy's page, and never a refusal.
var classes = map[string]error{
	"no such key": kms.ErrNotFound, "disabled": kms.ErrDisabled, "forbidden": kms.ErrAccessDenied,
	"not authentic": kms.ErrCiphertext, "slow down": kms.ErrThrottled,
}
