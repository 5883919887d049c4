package kmsotel_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/holdfast-go/holdfast/kms"
)

func TestSpan(t *testing.T) {
	b := newBackend(t, sdktrace.AlwaysSample())
	ctx, parent := b.tracers.Tracer("test").Start(t.Context(), "parent")
	ctx, cancel := context.WithCancel(ctx)
	cancel() // an attempt is observed also when its caller has gone
	e := event()
	e.Attempt, e.RequestID = 2, "req-1"
	e.Context = kms.Context{"purpose": "invoices", "region": "north"}
	b.Observe(ctx, e)

	spans := b.spans.GetSpans()
	require.Len(t, spans, 1)
	s := spans[0]
	require.Equal(t, "kms wrap", s.Name)
	require.Equal(t, trace.SpanKindClient, s.SpanKind)
	require.Equal(t, parent.SpanContext().SpanID(), s.Parent.SpanID())
	require.Equal(t, parent.SpanContext().TraceID(), s.SpanContext.TraceID())
	require.Equal(t, began, s.StartTime)
	require.Equal(t, began.Add(7*time.Millisecond), s.EndTime)
	require.Equal(t, codes.Unset, s.Status.Code)
	require.Empty(t, s.Events)
	require.Equal(t, set(
		attribute.String("holdfast.kms.operation", "wrap"),
		attribute.String("holdfast.kms.provider", "script"),
		attribute.String("holdfast.kms.key_id", "key-1"),
		attribute.Int("holdfast.kms.attempt", 2),
		attribute.String("holdfast.kms.class", "ok"),
		attribute.String("holdfast.kms.request_id", "req-1"),
		attribute.String("holdfast.kms.context.purpose", "invoices"),
		attribute.String("holdfast.kms.context.region", "north"),
	), set(s.Attributes...))
}

func TestSpanWithoutParentAndDetails(t *testing.T) {
	b := newBackend(t, sdktrace.AlwaysSample())
	e := event()
	e.Attempt = 0
	b.Observe(t.Context(), e)
	s := b.spans.GetSpans()[0]
	require.False(t, s.Parent.IsValid())
	require.Equal(t, trace.SpanKindInternal, s.SpanKind, "nothing was sent")
	require.Equal(t, set(
		attribute.String("holdfast.kms.operation", "wrap"),
		attribute.String("holdfast.kms.provider", "script"),
		attribute.String("holdfast.kms.key_id", "key-1"),
		attribute.Int("holdfast.kms.attempt", 0),
		attribute.String("holdfast.kms.class", "ok"),
	), set(s.Attributes...))
}

func TestSpanStatus(t *testing.T) {
	for _, test := range []struct {
		op     string
		err    error
		status codes.Code
	}{
		{"wrap", nil, codes.Unset},
		{"wrap", context.Canceled, codes.Unset},
		{"wrap", kms.ErrUnavailable, codes.Error},
		{"describe", kms.ErrThrottled, codes.Error},
		{"rotate", kms.ErrUnsupported, codes.Error},
		{"destroy", kms.ErrInvalid, codes.Error},
		{"unwrap", kms.ErrCiphertext, codes.Error},
		{"unwrap", kms.ErrAccessDenied, codes.Error},
		{"unwrap", fmt.Errorf("no class"), codes.Error},
		{"check", kms.ErrCiphertext, codes.Unset},
		{"check", kms.ErrAccessDenied, codes.Unset},
		{"check", context.Canceled, codes.Unset},
		{"check", kms.ErrUnavailable, codes.Error},
		{"check", nil, codes.Error},
	} {
		t.Run(test.op+" "+kms.Class(test.err), func(t *testing.T) {
			b := newBackend(t, sdktrace.AlwaysSample())
			b.Observe(t.Context(), failedEvent(test.op, test.err))
			s := b.spans.GetSpans()[0]
			require.Equal(t, "kms "+test.op, s.Name)
			require.Equal(t, test.status, s.Status.Code)
			if test.status == codes.Error {
				require.Equal(t, kms.Class(test.err), s.Status.Description)
			}
			require.Empty(t, s.Events, "an error's text would stand there")
		})
	}
}

// TestText: what a provider says is cut, and what no exporter could encode is left out.
func TestText(t *testing.T) {
	for name, test := range map[string]struct{ given, want string }{
		"short":           {"req-1", "req-1"},
		"at the limit":    {strings.Repeat("x", 1024), strings.Repeat("x", 1024)},
		"over it":         {strings.Repeat("x", 1025), strings.Repeat("x", 1024)},
		"cut in a letter": {strings.Repeat("x", 1023) + "é", strings.Repeat("x", 1023)},
		"not UTF-8":       {"a\xffb", "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, sdktrace.AlwaysSample())
			e := event()
			e.Ref.KeyID, e.RequestID = test.given, test.given
			e.Context = kms.Context{"purpose": test.given}
			b.Observe(t.Context(), e)
			found := 0
			for _, a := range b.spans.GetSpans()[0].Attributes {
				switch a.Key {
				case "holdfast.kms.key_id", "holdfast.kms.request_id", "holdfast.kms.context.purpose":
					found++
					require.Equal(t, test.want, a.Value.AsString())
					require.True(t, utf8.ValidString(a.Value.AsString()))
				}
			}
			require.Equal(t, 3, found)
		})
	}
}

// TestManyContextValues: where a span has no room for all attributes, none but those of the context are dropped.
func TestManyContextValues(t *testing.T) {
	b := newBackend(t, sdktrace.AlwaysSample())
	e := event()
	e.RequestID, e.Context = "req-1", kms.Context{}
	for i := range 130 {
		e.Context[fmt.Sprint("key", i)] = "value"
	}
	b.Observe(t.Context(), e)
	s := b.spans.GetSpans()[0]
	require.Len(t, s.Attributes, 128)
	require.Equal(t, 6+130-128, s.DroppedAttributes)
	all := set(s.Attributes...)
	for _, name := range []attribute.Key{"operation", "provider", "class", "key_id", "attempt", "request_id"} {
		require.True(t, all.HasValue("holdfast.kms."+name), name)
	}
}

// classSampler keeps what is of one class.
type classSampler struct {
	sdktrace.Sampler
	class string
}

func (c classSampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	all := set(p.Attributes...)
	if v, _ := all.Value("holdfast.kms.class"); v.AsString() != c.class {
		return sdktrace.SamplingResult{Decision: sdktrace.Drop}
	}
	return c.Sampler.ShouldSample(p)
}

// TestSampler: a sampler sees the attributes, and what it drops is measured all the same.
func TestSampler(t *testing.T) {
	b := newBackend(t, classSampler{sdktrace.AlwaysSample(), "throttled"})
	b.Observe(t.Context(), event())
	b.Observe(t.Context(), failedEvent("wrap", kms.ErrThrottled))
	spans := b.spans.GetSpans()
	require.Len(t, spans, 1)
	require.Equal(t, "throttled", spans[0].Status.Description)
	require.Len(t, points(t, b), 2)
}
