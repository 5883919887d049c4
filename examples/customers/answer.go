package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/secret"
)

const (
	patience = 15 * time.Second // for a request: passwords wait their turn, and an outage is no reason to wait longer
	maxBody  = 16 << 10         // bytes
)

// action is what a route does. It returns the status and body of the answer, or an error for answering to translate.
type action func(r *http.Request) (status int, body any, err error)

// refusal is an error that a client is told in these words. All others say something of the service, and stay in its log.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }

// answering runs an action within its bounds, answers and logs.
func (s *service) answering(do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(envelope.WithActor(r.Context(), "customers", r.Pattern), patience)
		defer cancel()
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		status, body, err := do(r)
		if err != nil {
			said := refuse(err)
			status, body = said.status, map[string]string{"error": said.text}
		}
		level, attrs := slog.LevelInfo, []slog.Attr{slog.String("route", r.Pattern), slog.Int("status", status)}
		if status >= 500 { // what a client did wrong may be in the words of its error
			level, attrs = slog.LevelError, append(attrs, slog.String("class", envelope.Class(err)), slog.String("error", err.Error()))
		}
		s.log.LogAttrs(ctx, level, "request", attrs...)

		w.Header().Set("Cache-Control", "no-store")
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "10")
		}
		if body == nil {
			w.WriteHeader(status)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(body) // fails where the client is gone
	}
}

// refuse translates an error. What only a person can mend is a 500: a key that is disabled, a row that is damaged, a wrong pepper.
func refuse(err error) refusal {
	if said, ok := errors.AsType[refusal](err); ok {
		return said
	}
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, errNone):
		status = http.StatusNotFound
	case errors.Is(err, errTaken), errors.Is(err, envelope.ErrHeld): // a hold: a dispute forbids the erasure
		status = http.StatusConflict
	case envelope.ActionFor(err) == envelope.Retry:
		status = http.StatusServiceUnavailable
	case envelope.ActionFor(err) == envelope.Skip:
		status = http.StatusGone
	}
	return refusal{status, strings.ToLower(http.StatusText(status))}
}

// decode reads a body: one JSON object with no other members than T has.
func decode[T any](r *http.Request) (v T, err error) {
	var all bytes.Buffer
	if _, err := all.ReadFrom(r.Body); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return v, refusal{http.StatusRequestEntityTooLarge, "the body is too large"}
		}
		return v, refusal{http.StatusBadRequest, "the body ends early"}
	}
	d := json.NewDecoder(&all)
	d.DisallowUnknownFields()
	if d.Decode(&v) != nil || d.Decode(new(any)) != io.EOF {
		return v, refusal{http.StatusBadRequest, "the body is not the JSON object of this route"}
	}
	return v, nil
}

func checkText(name, text string, least int) error {
	if len(text) < least || len(text) > 255 {
		return refusal{http.StatusBadRequest, name + " is missing, or longer than 255 bytes"}
	}
	return nil
}

func checkEmail(email string) error {
	if a, err := mail.ParseAddress(email); err != nil || a.Address != email || len(email) > 254 {
		return refusal{http.StatusBadRequest, "email is no address"}
	}
	return nil
}

// checkPassword has the bounds of secret.Passwords.
func checkPassword(p secret.Text) error {
	if n := len(p.Reveal()); n < 1 || n > 1024 {
		return refusal{http.StatusBadRequest, "password has 1 to 1024 bytes"}
	}
	return nil
}

// checkNewPassword has the least length of NIST SP 800-63B-4. Refuse common passwords too, and normalize here and at sign-in (NFC) if users type more than ASCII.
func checkNewPassword(p secret.Text) error {
	if utf8.RuneCountInString(p.Reveal()) < 15 {
		return refusal{http.StatusBadRequest, "password has 15 characters or more"}
	}
	return checkPassword(p)
}
