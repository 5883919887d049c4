package kms

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Observer is told of every attempt of a [Key] to call its provider: for logs, metrics and traces.
// [NewLogObserver] writes them to a log, module kms/kmsotel to OpenTelemetry. Observe is called by several goroutines at once. The caller
// waits for it, and gets its panics. ctx is the caller's, and may be done. A driver that panics after its caller has left is told by another goroutine, perhaps after
// the Key was closed, and a panic of Observe is lost then.
type Observer interface {
	Observe(ctx context.Context, e Event)
}

// Observers tells each of several, in turn.
type Observers []Observer

// Observe implements [Observer].
func (all Observers) Observe(ctx context.Context, e Event) {
	for _, o := range all {
		o.Observe(ctx, e)
	}
}

// Event is an attempt that has ended, or a call that was refused before it. It holds no plaintext and no key bytes, and of the context only what
// [Options].ObserveContext lists. There is none of a call to a closed Key, and none of an AnyOf or Rolling key but those of its members.
type Event struct {
	Op        string // "wrap", "unwrap", "describe", "rotate", "destroy", or "check" for the call of [Key.Check] that must fail
	Ref       Ref
	Attempt   int // 1 for the first; 0 for a call that was refused before it reached the provider
	Start     time.Time
	Duration  time.Duration // of the attempt, without pauses and waits; of the wait where Attempt is 0
	Class     string        // what [Class] makes of Err
	RequestID string        // the provider's, "" where there is none
	Context   Context
	Err       error // nil, or an *[Error], with what the driver said
}

// NewLogObserver returns an Observer that writes to l, or to [slog.Default] when l is nil: what ended as it should, or was
// cancelled by its caller, at level Debug, and everything else at Warn. The message is "kms call"; the attributes are op, provider,
// key, attempt, duration, class, and where there are any request, context (a group) and error. The error's text is the driver's, which
// for this module's providers holds no secrets.
func NewLogObserver(l *slog.Logger) Observer {
	if l == nil {
		l = slog.Default()
	}
	return logObserver{l}
}

type logObserver struct{ log *slog.Logger }

func (o logObserver) Observe(ctx context.Context, e Event) {
	level := slog.LevelWarn
	switch {
	case e.Class == ClassCanceled, e.Class == ClassOK && e.Op != opCheck:
		level = slog.LevelDebug
	case e.Op == opCheck && (errors.Is(e.Err, ErrCiphertext) || errors.Is(e.Err, ErrAccessDenied)):
		level = slog.LevelDebug // it must be refused
	}
	if !o.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("op", e.Op),
		slog.String("provider", e.Ref.Provider),
		slog.String("key", e.Ref.KeyID),
		slog.Int("attempt", e.Attempt),
		slog.Duration("duration", e.Duration),
		slog.String("class", e.Class),
	}
	if e.RequestID != "" {
		attrs = append(attrs, slog.String("request", e.RequestID))
	}
	if len(e.Context) > 0 {
		attrs = append(attrs, slog.Any("context", map[string]string(e.Context)))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	o.log.LogAttrs(ctx, level, "kms call", attrs...)
}
