package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/field"
)

func (s *service) find(r *http.Request) (int, any, error) {
	in, err := decode[struct{ Email string }](r)
	if err == nil {
		err = checkEmail(in.Email)
	}
	if err != nil {
		return 0, nil, err
	}
	c, q, err := s.store.byEmail(r.Context(), in.Email)
	if err != nil {
		return 0, nil, err
	}
	err = s.store.open(r.Context(), c)
	if err == nil && !q.Keep(c) {
		err = errNone
	}
	return http.StatusOK, c.person(), err
}

// update answers 409 to an address that is taken: the desk may know, who can look for it too.
func (s *service) update(r *http.Request) (int, any, error) {
	in, err := decode[struct{ Name, Email, Phone *string }](r)
	if err != nil {
		return 0, nil, err
	}
	c := &customer{ID: r.PathValue("id"), Name: field.Null[string](), Email: field.Null[string](), Phone: field.Null[string]()}
	if in.Name != nil {
		err, c.Name = checkText("name", *in.Name, 1), field.Of(*in.Name)
	}
	if in.Email != nil {
		err, c.Email = errors.Join(err, checkEmail(*in.Email)), field.Of(*in.Email)
	}
	if in.Phone != nil {
		err, c.Phone = errors.Join(err, checkText("phone", *in.Phone, 0)), field.Of(*in.Phone)
	}
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, s.store.update(r.Context(), c)
}

// page lists customers from after on. One who is erased or disabled, or whose row is damaged, is in it all the same, by the id; an outage, or a refusal by the KMS, fails it whole, for it hits every row.
func (s *service) page(r *http.Request) (int, any, error) {
	ctx, after, limit := r.Context(), r.FormValue("after"), 20
	if text := r.FormValue("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 100 {
			return 0, nil, refusal{http.StatusBadRequest, "limit is 1 to 100"}
		}
	}
	if after != "" && !ids.MatchString(after) {
		return 0, nil, refusal{http.StatusBadRequest, "after is an id"}
	}
	found, err := s.store.query(ctx, "WHERE id > $1 ORDER BY id LIMIT $2", after, limit)
	if err != nil {
		return 0, nil, err
	}
	list := make([]person, 0, len(found))
	for _, c := range found {
		err := s.store.open(ctx, c)
		p := c.person()
		switch envelope.ActionFor(err) {
		case envelope.None:
		case envelope.Retry, envelope.Fix:
			return 0, nil, err
		case envelope.Skip:
			p.Unreadable = "erased"
		case envelope.Hold:
			if !errors.Is(err, envelope.ErrDisabled) { // the KMS refuses the key of all
				return 0, nil, err
			}
			p.Unreadable = "disabled"
		default:
			p.Unreadable = "damaged"
			s.log.ErrorContext(ctx, "a row does not open", "class", envelope.Class(err), "error", err.Error()) // which names columns and keys, and no person
		}
		list = append(list, p)
	}
	return http.StatusOK, map[string][]person{"customers": list}, nil
}

// export returns everything that there is of a person, or nothing.
func (s *service) export(r *http.Request) (int, any, error) {
	c, err := s.store.byID(r.Context(), r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	err = s.store.open(r.Context(), c)
	return http.StatusOK, c.person(), err
}

// erase returns the receipt. It goes on when the client goes away, and after a crash in the middle a repeat does the rest. Call Keyring.Compact once a day when somebody was erased: then an old
// row of theirs that somebody puts back does not open either. A whole old copy of the database opens until the KMS key is destroyed: the receipt says so.
func (s *service) erase(r *http.Request) (int, any, error) {
	in, err := decode[struct{ Ref, Basis string }](r)
	if err == nil {
		err = errors.Join(checkText("ref", in.Ref, 1), checkText("basis", in.Basis, 0))
	}
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience)
	defer cancel()
	c, err := s.store.byID(ctx, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	receipt, err := s.store.tenant.Subject(c.ID).Erase(ctx, envelope.Erasure{Ref: in.Ref, Basis: in.Basis})
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), patience) // however long that took
	defer cancel()
	return http.StatusOK, receipt, s.store.clear(ctx, c.ID)
}
