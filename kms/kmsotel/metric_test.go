package kmsotel_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/holdfast-go/holdfast/kms"
)

// points returns those of the histogram.
func points(t testing.TB, b *backend) []metricdata.HistogramDataPoint[float64] {
	t.Helper()
	m := b.metrics(t)["holdfast.kms.attempt.duration"]
	require.Equal(t, "s", m.Unit)
	require.NotEmpty(t, m.Description)
	h, ok := m.Data.(metricdata.Histogram[float64])
	require.True(t, ok)
	return h.DataPoints
}

func labels(operation, class string) attribute.Set {
	return set(
		attribute.String("holdfast.kms.operation", operation),
		attribute.String("holdfast.kms.provider", "script"),
		attribute.String("holdfast.kms.class", class),
	)
}

func TestDuration(t *testing.T) {
	b := newBackend(t, sdktrace.AlwaysSample())
	for _, took := range []time.Duration{time.Millisecond, 1500 * time.Microsecond, 10 * time.Second, 11 * time.Second} {
		e := event()
		e.Duration = took
		b.Observe(t.Context(), e)
	}
	p := points(t, b)
	require.Len(t, p, 1)
	require.Equal(t, labels("wrap", "ok"), p[0].Attributes)
	require.Equal(t, uint64(4), p[0].Count)
	require.InDelta(t, 21.0025, p[0].Sum, 1e-9)
	require.Equal(t, []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}, p[0].Bounds)
	require.Equal(t, []uint64{1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}, p[0].BucketCounts)
	require.NotContains(t, b.metrics(t), "holdfast.kms.call.refused")
}

// TestExemplar: a measurement leads to the span of its attempt.
func TestExemplar(t *testing.T) {
	b := newBackend(t, sdktrace.AlwaysSample())
	b.Observe(t.Context(), event())
	want := b.spans.GetSpans()[0].SpanContext
	exemplars := points(t, b)[0].Exemplars
	require.Len(t, exemplars, 1)
	id := want.SpanID()
	require.Equal(t, id[:], exemplars[0].SpanID)
}

func TestRefused(t *testing.T) {
	b := newBackend(t, sdktrace.AlwaysSample())
	for _, err := range []error{kms.ErrUnavailable, kms.ErrInvalid, kms.ErrUnavailable} {
		e := failedEvent("unwrap", err)
		e.Attempt = 0
		b.Observe(t.Context(), e)
	}
	all := b.metrics(t)
	require.NotContains(t, all, "holdfast.kms.attempt.duration", "what was not sent took no time")
	m := all["holdfast.kms.call.refused"]
	require.Equal(t, "{call}", m.Unit)
	sum, ok := m.Data.(metricdata.Sum[int64])
	require.True(t, ok)
	require.True(t, sum.IsMonotonic)
	got := map[attribute.Set]int64{}
	for _, p := range sum.DataPoints {
		got[p.Attributes] = p.Value
	}
	require.Equal(t, map[attribute.Set]int64{labels("unwrap", "unavailable"): 2, labels("unwrap", "invalid"): 1}, got)
}

// TestCardinality: neither keys nor contexts, requests and attempts make time series.
func TestCardinality(t *testing.T) {
	b := newBackend(t, sdktrace.NeverSample())
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			for attempt := range 3 {
				e := event()
				e.Ref.KeyID, e.RequestID = fmt.Sprint("key-", i), fmt.Sprint("req-", i)
				e.Context = kms.Context{"tenant": fmt.Sprint(i)}
				e.Attempt = attempt
				b.Observe(t.Context(), e)
			}
		})
	}
	group.Wait()
	p := points(t, b)
	require.Len(t, p, 1)
	require.Equal(t, uint64(400), p[0].Count)
	sum := b.metrics(t)["holdfast.kms.call.refused"].Data.(metricdata.Sum[int64])
	require.Len(t, sum.DataPoints, 1)
	require.Equal(t, int64(200), sum.DataPoints[0].Value)
}
