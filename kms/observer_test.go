package kms_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

func TestObservers(t *testing.T) {
	a, b := &recorder{}, &recorder{}
	ctx, e := t.Context(), kms.Event{Op: "wrap", Attempt: 3}
	kms.Observers{a, b}.Observe(ctx, e)
	for _, r := range []*recorder{a, b} {
		require.Equal(t, []kms.Event{e}, r.events)
		require.True(t, r.ctxs[0] == ctx)
	}
	kms.Observers(nil).Observe(ctx, e)
}

func TestLogObserver(t *testing.T) {
	ref := kms.Ref{Provider: "script", KeyID: "key-1"}
	for name, test := range map[string]struct {
		event kms.Event
		want  map[string]any
	}{
		"ok": {
			kms.Event{Op: "wrap", Ref: ref, Attempt: 1, Duration: 7, Class: kms.ClassOK},
			map[string]any{"level": "DEBUG", "op": "wrap", "attempt": 1.0, "duration": 7.0, "class": "ok"},
		},
		"cancelled": {
			kms.Event{Op: "wrap", Ref: ref, Class: kms.ClassCanceled, Err: context.Canceled},
			map[string]any{"level": "DEBUG", "op": "wrap", "attempt": 0.0, "duration": 0.0, "class": "canceled", "error": context.Canceled.Error()},
		},
		"refused, with everything": {
			kms.Event{
				Op: "unwrap", Ref: ref, Attempt: 2, Duration: 9, Class: kms.Class(kms.ErrDisabled), RequestID: "req-1",
				Context: kms.Context{"purpose": "invoices"}, Err: kms.ErrDisabled,
			},
			map[string]any{
				"level": "WARN", "op": "unwrap", "attempt": 2.0, "duration": 9.0, "class": "disabled", "request": "req-1",
				"context": map[string]any{"purpose": "invoices"}, "error": kms.ErrDisabled.Error(),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := &bytes.Buffer{}
			observe := func(from slog.Level) {
				kms.NewLogObserver(slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: from}))).Observe(t.Context(), test.event)
			}
			observe(slog.LevelWarn)
			require.Equal(t, test.want["level"] == "WARN", log.Len() > 0)
			log.Reset()
			observe(slog.LevelDebug)
			got := map[string]any{}
			require.NoError(t, json.Unmarshal(log.Bytes(), &got), "one line")
			require.Contains(t, got, "time")
			delete(got, "time")
			test.want["msg"], test.want["provider"], test.want["key"] = "kms call", "script", "key-1"
			require.Equal(t, test.want, got)
		})
	}
}

const (
	canaryKey    = "canary-0123456789-canary-abcdef!" // what is wrapped
	canaryTenant = "kanarie-9876543210"               // of a context
)

// TestEventsAreQuiet: no event and no line of a log shows a plaintext or a context value that is not listed.
func TestEventsAreQuiet(t *testing.T) {
	d, r, log := newScript(), &recorder{}, &bytes.Buffer{}
	lines := kms.NewLogObserver(slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	k, err := kms.NewKey(d, &kms.Options{
		Attempts: 1, BreakAfter: 1, Observer: kms.Observers{r, lines}, ObserveContext: []string{"purpose"},
	})
	require.NoError(t, err)
	defer k.Close()
	ctx, plaintext := t.Context(), []byte(canaryKey)
	ec := kms.Context{"tenant": canaryTenant, "purpose": "for-all-to-see"}
	w, err := k.Wrap(ctx, plaintext, ec)
	require.NoError(t, err)
	_, err = k.Unwrap(ctx, w, ec)
	require.NoError(t, err)
	wrap := func(plaintext []byte, ec kms.Context) {
		_, err := k.Wrap(ctx, plaintext, ec)
		require.Error(t, err)
	}
	unwrap := func(w kms.Wrapped, ec kms.Context) {
		_, err := k.Unwrap(ctx, w, ec)
		require.Error(t, err)
	}
	wrap(bytes.Repeat(plaintext, 3), ec)
	wrap(plaintext, kms.Context{"tenant": canaryTenant + "\xff"})
	wrap(plaintext, kms.Context{"": canaryTenant})
	wrap(plaintext, kms.Context{"tenant": strings.Repeat(canaryTenant, 1000)})
	wrap(plaintext, kms.Context{reserved.Prefix: canaryTenant})
	unwrap(w, kms.Context{"tenant": canaryTenant + "2"})
	unwrap(kms.Wrapped{Ref: d.ref, Blob: bytes.Repeat(w.Blob, 1000)}, ec)
	unwrap(kms.Wrapped{Ref: kms.Ref{Provider: "other"}, Blob: plaintext}, ec)
	d.wrap = func(context.Context, []byte, kms.Context) (kms.Wrapped, error) {
		return kms.Wrapped{Ref: kms.Ref{Provider: "other"}, Blob: plaintext}, nil
	}
	wrap(plaintext, ec)
	d.unwrap = func(context.Context, kms.Wrapped, kms.Context) ([]byte, error) {
		return bytes.Repeat(plaintext, 3), nil
	}
	unwrap(w, ec)
	d.unwrap = func(context.Context, kms.Wrapped, kms.Context) ([]byte, error) { return plaintext, kms.ErrUnavailable }
	unwrap(w, ec)
	wrap(bytes.Clone([]byte(canaryKey)), ec) // at the breaker

	require.Len(t, r.events, 14)
	require.Zero(t, r.events[13].Attempt, "the breaker has opened")
	shown := log.String()
	require.Equal(t, len(r.events), strings.Count(shown, "\n"))
	require.Contains(t, shown, "for-all-to-see")
	for _, e := range r.events {
		shown += fmt.Sprintf("%v %+v %#v %v %#v", e, e, e, e.Err, e.Err)
	}
	for _, hidden := range []string{canaryKey, canaryTenant} {
		for _, form := range []string{
			hidden[:8],
			fmt.Sprintf("%x", hidden[:8]),
			base64.StdEncoding.EncodeToString([]byte(hidden))[:10],
			strings.Trim(fmt.Sprint([]byte(hidden[:8])), "[]"),
		} {
			require.False(t, strings.Contains(shown, form), "an event or a log shows the plaintext or a context value")
		}
	}
}

func ExampleNewLogObserver() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	steady := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == "time" || a.Key == "duration" || a.Key == "key" {
			return slog.Attr{} // they differ from run to run
		}
		return a
	}
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: steady}))
	f, err := local.Create(filepath.Join(dir, "key.json"), &local.Options{
		Key: &kms.Options{Observer: kms.NewLogObserver(logger), ObserveContext: []string{"purpose"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	ec := kms.Context{"tenant": "acme", "purpose": "invoices"}
	if _, err := f.Key().Wrap(context.Background(), []byte("a key of 1 to 64 bytes"), ec); err != nil {
		log.Fatal(err)
	}
	// Output: level=DEBUG msg="kms call" op=wrap provider=local attempt=1 class=ok context=map[purpose:invoices]
}

// TestLogOfCheck: that a wrong context is refused is how it should be, and that it is not is worth a warning.
func TestLogOfCheck(t *testing.T) {
	for _, tc := range []struct {
		err   error
		level string
	}{
		{kms.ErrCiphertext, "DEBUG"}, {kms.ErrAccessDenied, "DEBUG"}, {nil, "WARN"}, {kms.ErrUnavailable, "WARN"},
	} {
		var out strings.Builder
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		kms.NewLogObserver(log).Observe(t.Context(), kms.Event{Op: "check", Class: kms.Class(tc.err), Err: tc.err})
		require.Contains(t, out.String(), "level="+tc.level, "%v", tc.err)
	}
	kms.NewLogObserver(nil).Observe(t.Context(), kms.Event{Class: kms.ClassOK}) // the default log
}
