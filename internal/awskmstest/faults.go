package awskmstest

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Fault is what goes wrong with one request. Parts can be combined; the zero Fault changes nothing.
type Fault struct {
	// Delay is waited for first, unless the client leaves or the server closes.
	Delay time.Duration
	// After has the operation done before the fault strikes, where it would not be: the answer is lost, the work is not.
	After bool
	// Hang gives no answer until the client leaves or the server closes.
	Hang bool
	// Drop closes the connection instead of an answer.
	Drop bool

	// Code answers with that error and Message, under Status, 0 for what the API gives that code.
	Code, Message string
	// Body, if not nil, is sent instead of an answer, under Status.
	Body []byte
	// Status of the answer; 0 for the right one. Alone, it comes with an empty body.
	Status int
	// RetryAfter is sent, rounded up, as Retry-After in seconds and X-Amz-Retry-After in milliseconds. The SDK reads
	// the latter, and only under AWS_NEW_RETRIES_2026=true. Header can remove either.
	RetryAfter time.Duration
	// Header is set on the answer in place of what is there, such as X-Amzn-Requestid; "" removes.
	Header map[string]string

	// Edit changes a successful answer: by the API's names, []byte for blobs, float64 seconds for times.
	Edit func(answer map[string]any)
	// Cut breaks the connection after so many bytes of the body, when it has more; negative for none of them.
	Cut int
}

// Inject has f choose, for every request from now on, what goes wrong with it; nil for nothing. n counts the requests of that
// operation since Inject, from 1. f may be called on several goroutines at once, and nil as f ends it.
func (s *Server) Inject(f func(operation string, n int) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.injected = f
	clear(s.seen)
}

// replaces tells whether the request's own answer is not sent.
func (f *Fault) replaces() bool {
	return f.Hang || f.Drop || f.Code != "" || f.Body != nil || f.Status != 0
}

// serve serves the API, with the faults in the order of Fault's fields.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, bodyErr := s.read(w, r)
	id, f := s.arrive(r, body)
	if f == nil {
		f = &Fault{}
	}
	if !s.wait(r.Context(), f.Delay) {
		panic(http.ErrAbortHandler)
	}
	var a answer
	var err error
	if !f.replaces() || f.After {
		a, err = s.handle(r, body, bodyErr)
	}
	if f.Hang {
		s.wait(r.Context(), math.MaxInt64)
	}
	if f.Hang || f.Drop {
		panic(http.ErrAbortHandler)
	}
	status, out := f.answer(a, err)
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Amzn-Requestid", id)
	h.Set("Content-Length", strconv.Itoa(len(out)))
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
		h.Set("X-Amz-Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()*1000))))
	}
	for name, value := range f.Header {
		h.Set(name, value)
		if value == "" {
			h.Del(name)
		}
	}
	w.WriteHeader(status)
	if f.Cut == 0 || f.Cut >= len(out) {
		_, _ = w.Write(out) // a client that left needs no answer
		return
	}
	_, _ = w.Write(out[:max(f.Cut, 0)])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// answer returns the response's status and body: the fault's, or those of a and err.
func (f *Fault) answer(a answer, err error) (status int, body []byte) {
	switch {
	case f.Body != nil:
		status, body = http.StatusOK, f.Body
	case f.Code != "":
		status, body = encode(nil, fail(f.Code, "%s", f.Message))
	case f.Status != 0:
	default:
		if f.Edit != nil && err == nil && a != nil {
			f.Edit(a)
		}
		status, body = encode(a, err)
	}
	if f.Status != 0 {
		status = f.Status
	}
	return status, body
}

// wait returns true after d, or false when the client leaves or the server closes before.
func (s *Server) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.closing:
	}
	return false
}
