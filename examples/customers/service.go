package main

import (
	"database/sql"
	"errors"
	"log/slog"
	"net/http"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/envelope/secret"
)

// service answers requests. What desk.go has is for the support desk: put your authorization in front of it, and a limit of tries in front of sign-up and sign-in.
type service struct {
	store     *store
	passwords *secret.Passwords
	log       *slog.Logger
}

// newService returns a service whose passwords are under a tenant of their own, the pepper.
func newService(db *sql.DB, customers, pepper envelope.Tenant, l *slog.Logger) (*service, error) {
	table, err := newTable()
	if err != nil {
		return nil, err
	}
	passwords, err := secret.NewPasswords(pepper, nil)
	if err != nil {
		return nil, err
	}
	return &service{&store{db, table, customers}, passwords, l}, nil
}

// handler has the routes. No address stands in a URL, for URLs end in logs.
func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, do := range map[string]action{
		"POST /customers":            s.signUp,
		"POST /sign-in":              s.signIn,
		"POST /customers/find":       s.find,
		"GET /customers":             s.page,
		"PATCH /customers/{id}":      s.update,
		"GET /customers/{id}/export": s.export,
		"POST /customers/{id}/erase": s.erase,
	} {
		mux.Handle(pattern, s.answering(do))
	}
	return mux
}

// signUp answers alike, after about the same work, to an address that is taken. That keeps who is a customer secret only once addresses are confirmed: a service sends a mail to each, new or taken, and lets nobody sign in
// before its link was followed. As it is, who signs up with an address and can sign in has learned that it was free, and has it. A sign-up for a taken address leaves a key that nobody uses.
func (s *service) signUp(r *http.Request) (int, any, error) {
	in, err := decode[struct {
		Name, Email, Phone string
		Password           secret.Text
	}](r)
	if err == nil {
		err = errors.Join(checkText("name", in.Name, 1), checkEmail(in.Email), checkText("phone", in.Phone, 0), checkNewPassword(in.Password))
	}
	if err != nil {
		return 0, nil, err
	}
	c := &customer{ID: newID(), Name: field.Of(in.Name), Email: field.Of(in.Email), Phone: field.Of(in.Phone)}
	if c.Password, err = s.passwords.Hash(r.Context(), c.ID, in.Password); err != nil {
		return 0, nil, err
	}
	return http.StatusAccepted, nil, s.store.insert(r.Context(), c)
}

// signIn takes as long for an address that nobody has as for a wrong password, unless the hash is of older options: it opens a row only after the right one.
func (s *service) signIn(r *http.Request) (int, any, error) {
	ctx := r.Context()
	in, err := decode[struct {
		Email    string
		Password secret.Text
	}](r)
	if err == nil {
		err = errors.Join(checkEmail(in.Email), checkPassword(in.Password))
	}
	if err != nil {
		return 0, nil, err
	}
	c, q, err := s.store.byEmail(ctx, in.Email)
	if errors.Is(err, errNone) || err == nil && c.Password == nil {
		return http.StatusUnauthorized, nil, s.passwords.Dummy(ctx, in.Password)
	}
	if err != nil {
		return 0, nil, err
	}
	ok, rehash, err := s.passwords.Verify(ctx, c.ID, in.Password, c.Password)
	if err != nil || !ok {
		return http.StatusUnauthorized, nil, err
	}
	if err := s.store.open(ctx, c); err != nil {
		return 0, nil, err
	}
	if !q.Keep(c) {
		return http.StatusUnauthorized, nil, nil
	}
	if rehash { // PasswordOptions have risen since
		hash, err := s.passwords.Hash(ctx, c.ID, in.Password)
		if err == nil {
			err = s.store.rehash(ctx, c.ID, c.Password, hash)
		}
		if err != nil {
			s.log.WarnContext(ctx, "rehash", "class", envelope.Class(err)) // the next sign-in tries again
		}
	}
	return http.StatusNoContent, nil, nil
}
