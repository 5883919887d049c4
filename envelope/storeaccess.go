package envelope

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

const pageSize = 500 // rows of one List

// read returns what the store has under the prefix of a scope.
func (r *ring) read(ctx context.Context, prefix string) (*stored, error) {
	if err := r.announce(ctx); err != nil {
		return nil, err
	}
	s := &stored{prefix: prefix, head: head{State: active}, readAt: time.Now()}
	for after := ""; ; {
		page, err := r.store.List(ctx, prefix, after, pageSize)
		if err != nil {
			return nil, storeFailure(ctx, err)
		}
		if err := s.parse(page); err != nil {
			return nil, err
		}
		if len(page) < pageSize {
			return s, nil
		}
		after = page[len(page)-1].Key
	}
}

// get returns one row.
func (r *ring) get(ctx context.Context, name string) (Row, error) {
	row, err := r.store.Get(ctx, name)
	if err != nil {
		return Row{}, storeFailure(ctx, err)
	}
	return row, nil
}

// apply writes rows.
func (r *ring) apply(ctx context.Context, changes ...Change) error {
	err := r.store.Apply(ctx, changes...)
	if err == nil || errors.Is(err, ErrConflict) {
		return err
	}
	return storeFailure(ctx, err)
}

// storeFailure is an outage of the store, unless the caller gave up or a mistake was made. It matches nothing of the KMS's.
func storeFailure(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.Is(err, kms.ErrInvalid):
		return fmt.Errorf("store: %w", err)
	case errors.Is(err, ErrClosed):
		return fmt.Errorf("store: %w", ErrClosed)
	case kmsOutage(err):
		err = errors.New(err.Error())
	}
	if errors.Is(err, ErrUnavailable) {
		return fmt.Errorf("store: %w", err)
	}
	return fmt.Errorf("%w: store: %w", ErrUnavailable, foreign(err))
}

// owner is the scope that a key belongs to, by the prefix of its rows: "" where there is no such key. It is remembered for a pause.
type owner struct {
	prefix string
	until  time.Time
}

// owner returns the prefix of the scope that a key belongs to, "" when there is no such key. The answer may be some seconds old.
func (r *ring) owner(ctx context.Context, id aead.KeyID) (string, error) {
	if o, ok := r.owners.GetIfPresent(id); ok && time.Now().Before(o.until) {
		return o.prefix, nil
	}
	row, err := r.get(ctx, idName(id))
	if err != nil {
		return "", err
	}
	prefix := ""
	if row.Revision != 0 {
		var entry idRow
		if err := decodeRow(row, &entry); err != nil {
			return "", err
		}
		prefix = dataPrefix(entry.Row)
		other := strings.Contains(entry.Row, "/"+kindWrap+"/") || strings.Contains(entry.Row, "/"+kindLookup+"/")
		if entry.Format != rowFormat || prefix == "" && !other {
			return "", fmt.Errorf("%w: row %q names no key", ErrFormat, row.Key)
		}
	}
	r.owners.Set(id, owner{prefix, time.Now().Add(pause)})
	return prefix, nil
}

// idRow is the row that a key's id names.
type idRow struct {
	Format int    `json:"format"`
	Row    string `json:"row"`
}

// dataPrefix returns the prefix of the scope whose data key has a row of this name, "" where that is no such name.
func dataPrefix(name string) string {
	i := strings.LastIndex(name, "/"+kindData+"/")
	if i < 0 {
		return ""
	}
	prefix := name[:i+1]
	version, err := strconv.ParseUint(name[i+len(kindData)+2:], 10, 64)
	if err != nil || versionName(prefix, kindData, version) != name {
		return ""
	}
	rows := tenantRows
	if strings.HasPrefix(name, subjectRows) {
		rows = subjectRows
	}
	_, tenant, err := tenantOf(name, rows)
	rest := strings.TrimPrefix(prefix, tenant)
	switch {
	case err != nil, !strings.HasPrefix(prefix, rows):
	case rows == tenantRows && rest == "", rows == subjectRows && len(rest) == 65 && len(rawRef(rest[:64])) == 32:
		return prefix
	}
	return ""
}
