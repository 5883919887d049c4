package secret

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// Resolve opens the secrets of a configuration. cfg is a pointer to a struct, as a decoder of JSON, YAML or TOML has filled it, whose fields of type [Text] hold sealed texts. Each has a tag:
//
//	DSN     secret.Text `secret:"db"`             // opened at the place "db"
//	Webhook secret.Text `secret:"hook,optional"`  // may be empty
//	Token   secret.Text `secret:"-"`              // left as it is
//	Replica Database    `secret:"replica"`        // places within this struct start with "replica/"
//	Audit   *Database   `secret:"audit"`          // likewise, unless it is nil
//
// It goes into structs and pointers to structs, embedded ones too. Without a tag their places get no more steps. SealText says what a place is.
//
// It fails closed: a Text without a tag, one that is empty or not sealed ([ErrNotSealed]), a tag on another type, an unknown option, a place that two fields have, a Text that is not exported, or in a slice,
// array, map, channel or interface are all errors, for else a password in plaintext, or no password, would pass unnoticed. Behind an interface it looks into exported fields alone.
//
// The error joins those of all fields, each with the field and its place and never with a value; only an outage ends it early. They match [kms.ErrInvalid], [ErrNotSealed] and what [OpenText] fails with. After an error no
// field has changed. Nothing else may use cfg meanwhile. Resolve it once: what is open is not sealed any more, and a second time fails.
func Resolve(ctx context.Context, tn envelope.Tenant, cfg any) error {
	return atEdge(resolve(ctx, tn, cfg))
}

func resolve(ctx context.Context, tn envelope.Tenant, cfg any) error {
	v := reflect.ValueOf(cfg)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Type() == reflect.PointerTo(textType) || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("%w: give a pointer to a struct with fields of type secret.Text, not %T", kms.ErrInvalid, cfg)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w := walk{paths: map[string]string{}, seen: map[seen]bool{}}
	w.section(v.Elem(), "", "")
	opened := make([]Text, len(w.targets))
	for i, t := range w.targets {
		if t.sealed == "" {
			continue
		}
		var err error
		if opened[i], err = openText(ctx, tn, t.place, t.sealed); err != nil {
			w.fail(t.path, fmt.Errorf("place %q: %w", t.place, err))
		}
		if envelope.ActionFor(err) == envelope.Retry { // an outage: it would be the same for the others, each after a wait
			break
		}
	}
	if err := errors.Join(w.errs...); err != nil {
		return err
	}
	for i, t := range w.targets {
		*t.field = opened[i]
	}
	return nil
}
