package envelope_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// actionTable has all errors that callers can tell apart, with what to do and with the word for dashboards, which hold on to it.
var actionTable = map[string]struct {
	err    error
	action envelope.Action
	class  string
}{
	"envelope.ErrOpen":         {envelope.ErrOpen, envelope.Reject, "open"},
	"envelope.ErrFormat":       {envelope.ErrFormat, envelope.Reject, "format"},
	"envelope.ErrTruncated":    {envelope.ErrTruncated, envelope.Reject, "truncated"},
	"envelope.ErrTooLarge":     {envelope.ErrTooLarge, envelope.Fix, "too_large"},
	"envelope.ErrWrongScope":   {envelope.ErrWrongScope, envelope.Reject, "wrong_scope"},
	"envelope.ErrUnknownKey":   {envelope.ErrUnknownKey, envelope.Reject, "unknown_key"},
	"envelope.ErrErased":       {envelope.ErrErased, envelope.Skip, "erased"},
	"envelope.ErrDisabled":     {envelope.ErrDisabled, envelope.Hold, "disabled"},
	"envelope.ErrHeld":         {envelope.ErrHeld, envelope.Hold, "held"},
	"envelope.ErrUnbound":      {envelope.ErrUnbound, envelope.Fix, "unbound"},
	"envelope.ErrConflict":     {envelope.ErrConflict, envelope.Retry, "conflict"},
	"envelope.ErrUnavailable":  {envelope.ErrUnavailable, envelope.Retry, "store_unavailable"},
	"envelope.ErrClosed":       {envelope.ErrClosed, envelope.Fix, "closed"},
	"kms.ErrNotFound":          {kms.ErrNotFound, envelope.Hold, "kms_not_found"},
	"kms.ErrDisabled":          {kms.ErrDisabled, envelope.Hold, "kms_disabled"},
	"kms.ErrPendingDeletion":   {kms.ErrPendingDeletion, envelope.Hold, "kms_pending_deletion"},
	"kms.ErrDestroyed":         {kms.ErrDestroyed, envelope.Hold, "kms_destroyed"},
	"kms.ErrAccessDenied":      {kms.ErrAccessDenied, envelope.Hold, "kms_access_denied"},
	"kms.ErrThrottled":         {kms.ErrThrottled, envelope.Retry, "throttled"},
	"kms.ErrUnavailable":       {kms.ErrUnavailable, envelope.Retry, "kms_unavailable"},
	"kms.ErrCiphertext":        {kms.ErrCiphertext, envelope.Reject, "open"},
	"kms.ErrInvalid":           {kms.ErrInvalid, envelope.Fix, "invalid"},
	"kms.ErrUnsupported":       {kms.ErrUnsupported, envelope.Fix, "unsupported"},
	"kms.ErrClosed":            {kms.ErrClosed, envelope.Fix, "closed"},
	"context.Canceled":         {context.Canceled, envelope.Retry, "canceled"},
	"context.DeadlineExceeded": {context.DeadlineExceeded, envelope.Retry, "canceled"},
	"io.ErrUnexpectedEOF":      {io.ErrUnexpectedEOF, envelope.Reject, "truncated"},
}

// actionSentinels returns the names of the exported errors that a file declares.
func actionSentinels(t *testing.T, pkg, file string) (names []string) {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	for _, d := range tree.Decls {
		vars, ok := d.(*ast.GenDecl)
		if !ok || vars.Tok != token.VAR {
			continue
		}
		for _, s := range vars.Specs {
			for _, name := range s.(*ast.ValueSpec).Names {
				if strings.HasPrefix(name.Name, "Err") {
					names = append(names, pkg+"."+name.Name)
				}
			}
		}
	}
	return names
}

// TestActionsAreComplete: no sentinel is left out of the table.
func TestActionsAreComplete(t *testing.T) {
	names := append(actionSentinels(t, "envelope", "errors.go"), actionSentinels(t, "kms", "../kms/errors.go")...)
	require.Greater(t, len(names), 20)
	for _, name := range names {
		require.Contains(t, actionTable, name)
	}
}

func TestActions(t *testing.T) {
	for name, want := range actionTable {
		for how, err := range map[string]error{
			"itself":         want.err,
			"wrapped":        fmt.Errorf("around: %w", want.err),
			"in an Error":    fmt.Errorf("envelope: %w", &envelope.Error{Tenant: "acme", Err: fmt.Errorf("x: %w", want.err)}),
			"in a kms.Error": &kms.Error{Op: "unwrap", Err: want.err},
			"joined":         errors.Join(io.EOF, want.err, errors.New("another")),
			"with a foreign": fmt.Errorf("%w: %w", errors.New("no route to host"), want.err),
		} {
			require.Equal(t, want.action, envelope.ActionFor(err), "%s %s", name, how)
			require.Equal(t, want.class, envelope.Class(err), "%s %s", name, how)
		}
	}
}

func TestActionsOfTheRest(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		action envelope.Action
		class  string
	}{
		"nil":                      {nil, envelope.None, "ok"},
		"foreign":                  {errors.New("disk full"), envelope.Hold, "other"},
		"foreign of the same text": {errors.New(envelope.ErrErased.Error()), envelope.Hold, "other"},
		"end of input":             {io.EOF, envelope.Hold, "other"},
		"empty kms.Error":          {&kms.Error{}, envelope.Hold, "other"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.action, envelope.ActionFor(tc.err))
			require.Equal(t, tc.class, envelope.Class(tc.err))
		})
	}
}

// TestActionsOfTwo: a second cause is not taken for the first.
func TestActionsOfTwo(t *testing.T) {
	for name, tc := range map[string]struct {
		err   error
		class string
	}{
		"an outage of the KMS is one, not the store's": {fmt.Errorf("%w: %w", envelope.ErrUnavailable, kms.ErrUnavailable), "kms_unavailable"},
		"throttling is no outage of the store":         {fmt.Errorf("%w: %w", envelope.ErrUnavailable, kms.ErrThrottled), "throttled"},
		"a timeout of the KMS is its outage":           {fmt.Errorf("%w: %w", kms.ErrUnavailable, context.DeadlineExceeded), "kms_unavailable"},
		"the KMS refuses the ciphertext":               {fmt.Errorf("%w: %w", envelope.ErrOpen, kms.ErrCiphertext), "open"},
		"cut short":                                    {fmt.Errorf("%w: %w", envelope.ErrTruncated, io.ErrUnexpectedEOF), "truncated"},
		"erased while the store was away":              {errors.Join(envelope.ErrUnavailable, envelope.ErrErased), "erased"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.class, envelope.Class(tc.err)) })
	}
}

func TestActionNames(t *testing.T) {
	for action, name := range map[envelope.Action]string{
		envelope.None: "none", envelope.Retry: "retry", envelope.Skip: "skip", envelope.Hold: "hold", envelope.Reject: "reject", envelope.Fix: "fix",
		-1: "unknown", envelope.Fix + 1: "unknown",
	} {
		require.Equal(t, name, action.String())
	}
}

// TestErrorText: an Error says tenant, key, cause, since when and under which reference, and what others wrote is quoted and cut.
func TestErrorText(t *testing.T) {
	long := strings.Repeat("x\n", 1000)
	e := &envelope.Error{Tenant: long, KeyID: aead.KeyID{1}, Ref: long, Err: envelope.ErrErased}
	require.NotContains(t, e.Error(), "\n")
	require.Less(t, len(e.Error()), 400)
	require.ErrorIs(t, e, envelope.ErrErased)
	require.Contains(t, e.Error(), e.KeyID.String())
	require.NotContains(t, (&envelope.Error{Tenant: "acme", Err: envelope.ErrErased}).Error(), "key", "no key is named where there is none")
}

// ownError is an error of a package above.
type ownError struct{ action envelope.Action }

func (ownError) Error() string             { return "own" }
func (e ownError) Action() envelope.Action { return e.action }
func (ownError) Class() string             { return "own_class" }
func (ownError) Unwrap() error             { return envelope.ErrUnknownKey }

// TestActionOfErrorsThatSaySo: an error's own word counts before what it wraps.
func TestActionOfErrorsThatSaySo(t *testing.T) {
	err := fmt.Errorf("outer: %w", ownError{envelope.Retry})
	require.Equal(t, envelope.Retry, envelope.ActionFor(err))
	require.Equal(t, "own_class", envelope.Class(err))
	require.Equal(t, envelope.Reject, envelope.ActionFor(fmt.Errorf("outer: %w", ownError{envelope.Reject})))
	require.Equal(t, envelope.Skip, envelope.ActionFor(envelope.ErrErased))
}
