package kmsotel_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmsotel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend is where a test's spans and measurements go.
type backend struct {
	kms.Observer
	tracers *sdktrace.TracerProvider
	spans   *tracetest.InMemoryExporter
	reader  *sdkmetric.ManualReader
}

func newBackend(t testing.TB, sampler sdktrace.Sampler) *backend {
	t.Helper()
	b := &backend{spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	b.tracers = sdktrace.NewTracerProvider(sdktrace.WithSyncer(b.spans), sdktrace.WithSampler(sampler))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(b.reader))
	t.Cleanup(func() {
		ctx := context.Background()
		require.NoError(t, b.tracers.Shutdown(ctx))
		require.NoError(t, meters.Shutdown(ctx))
	})
	o, err := kmsotel.New(&kmsotel.Options{TracerProvider: b.tracers, MeterProvider: meters})
	require.NoError(t, err)
	b.Observer = o
	return b
}

// metrics returns what was measured, by name.
func (b *backend) metrics(t testing.TB) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, b.reader.Collect(context.Background(), &all))
	byName := map[string]metricdata.Metrics{}
	for _, scope := range all.ScopeMetrics {
		require.Equal(t, "github.com/holdfast-go/holdfast/kms/kmsotel", scope.Scope.Name)
		for _, m := range scope.Metrics {
			byName[m.Name] = m
		}
	}
	return byName
}

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// event is an attempt that worked.
func event() kms.Event {
	return kms.Event{
		Op:       "wrap",
		Ref:      kms.Ref{Provider: "script", KeyID: "key-1"},
		Attempt:  1,
		Start:    began,
		Duration: 7 * time.Millisecond,
		Class:    kms.ClassOK,
	}
}

// failedEvent is an attempt of op that failed with err.
func failedEvent(op string, err error) kms.Event {
	e := event()
	e.Op, e.Class, e.Err = op, kms.Class(err), err
	return e
}

func set(all ...attribute.KeyValue) attribute.Set { return attribute.NewSet(all...) }
