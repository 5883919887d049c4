package field

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"unsafe"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// renewal is a row that is brought up to date.
type renewal[R any] struct {
	keys[R]
	mode    mode
	count   BackfillReport
	columns []string // that change
	work    []written
	now     [2][]byte // records of the tenant and the subject that were sealed now
}

// ends tells whether an error is about more than the row.
func (w *renewal[R]) ends(ctx context.Context, c *column, err error) bool {
	if errors.Is(err, errUnread) || errors.Is(err, envelope.ErrClosed) {
		return true
	}
	if errors.Is(err, envelope.ErrDisabled) && w.bySubject(c) {
		_, err = w.tenant.AppendToken(ctx, nil, nil, envelope.Bind("field")) // a person was disabled, or the tenant
	}
	action := envelope.ActionFor(err)
	return action == envelope.Retry || action == envelope.Hold
}

var errUnread = fmt.Errorf("%w: the batch must read this column of every row: for some of the columns make a Table of a struct that has only these", kms.ErrInvalid)

// renew does a column and its indexes.
func (w *renewal[R]) renew(ctx context.Context, c *column) error {
	f := c.cell(unsafe.Pointer(w.row))
	err := w.open(ctx, c, f)
	if err == nil {
		err = w.compute(ctx, c, f)
	}
	switch {
	case !errors.Is(err, envelope.ErrErased):
		return err
	case f.sealedRecord() == nil:
		return fmt.Errorf("this is plaintext of an erased person, which should be deleted: %w", err)
	}
	w.count.Erased = 1
	return nil
}

// open has a column have its value, where it has one.
func (w *renewal[R]) open(ctx context.Context, c *column, f cell) error {
	for _, x := range c.indexes {
		if w.index(x).state == unset {
			return w.table.fail(x.name, errUnread)
		}
	}
	switch f.phase() {
	case unset:
		return errUnread
	case sealed:
		return w.table.openColumn(ctx, &w.keys, c)
	case foreign:
		if !c.legacy {
			return errForeign
		}
		return f.adopt()
	}
	return nil
}

// current tells whether a record is under the current version of its key.
func (w *renewal[R]) current(ctx context.Context, c *column, record []byte) (bool, error) {
	now := &w.now[0]
	if w.bySubject(c) {
		now = &w.now[1]
	}
	if *now == nil {
		_, err := w.place(c) // which has the subject be known
		if err != nil {
			return false, err
		}
		// Sealing nothing takes a microsecond, and the key is in memory, for a record of its scope has just opened.
		if w.bySubject(c) {
			*now, err = w.subject.Seal(ctx, nil, envelope.Bind("field"))
		} else {
			*now, err = w.tenant.Seal(ctx, nil, envelope.Bind("field"))
		}
		if err != nil {
			return false, err
		}
	}
	return bytes.Equal(record[:recordHeader], (*now)[:recordHeader]), nil
}

const recordHeader = 1 + len(aead.KeyID{}) // FORMAT.md section 2: recordByte and the key's id

// compute seals a column that is plaintext, or not under the current version of its key, and compares its indexes.
func (w *renewal[R]) compute(ctx context.Context, c *column, f cell) error {
	record := f.sealedRecord()
	switch {
	case f.phase() == null:
		done := written{cell: f}
		done.clearIndexes(c)
		w.take(done)
		return nil
	case record != nil:
	case w.mode == writing:
		return w.seal(ctx, c, &w.count.Sealed)
	default:
		w.count.Sealed++
		if w.mode == verifying { // others wrote it meanwhile
			return nil
		}
		return w.table.checkIndexable(f, c) // which makes no tokens, and so no key for a tenant that has none
	}
	current, err := w.current(ctx, c, record)
	switch {
	case err != nil:
		return err
	case !current && w.mode == writing:
		return w.seal(ctx, c, &w.count.Resealed)
	case !current:
		w.count.Resealed++
	}
	done := written{cell: f}
	if err := w.table.fillIndexes(ctx, &w.keys, &done, c); err != nil {
		return err
	}
	w.take(done)
	return nil
}

// seal seals a column, and counts it.
func (w *renewal[R]) seal(ctx context.Context, c *column, count *int64) error {
	done, err := w.table.sealColumn(ctx, &w.keys, c, true)
	if err != nil {
		return err
	}
	*count++
	w.columns = append(w.columns, c.name)
	w.take(done)
	return nil
}

// take notes what a column becomes, and which of its indexes change.
func (w *renewal[R]) take(done written) {
	for i, x := range done.indexes {
		if !w.index(x).Equal(done.tokens[i]) {
			w.count.Indexed++
			w.columns = append(w.columns, x.name)
		}
	}
	w.work = append(w.work, done)
}

// checkIndexable tells whether a value has a normal form for each of its indexes.
func (t *Table[R]) checkIndexable(f cell, c *column) error {
	if len(c.indexes) == 0 {
		return nil
	}
	value, ok := f.words()
	if !ok {
		return errNoWords
	}
	for _, x := range c.indexes {
		if _, err := normalize(x.norms[0], value); err != nil {
			return t.fail(x.name, err)
		}
	}
	return nil
}
