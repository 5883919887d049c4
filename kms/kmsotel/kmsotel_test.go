package kmsotel_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/holdfast-go/holdfast/kms/kmsotel"
)

// TestGlobalProviders: they serve by default, also when they are set after New. No other test uses them.
func TestGlobalProviders(t *testing.T) {
	byNil, err := kmsotel.New(nil)
	require.NoError(t, err)
	byZero, err := kmsotel.New(&kmsotel.Options{})
	require.NoError(t, err)
	byNil.Observe(t.Context(), event()) // goes nowhere yet

	b := &backend{spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(b.spans)))
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(b.reader)))
	byNil.Observe(t.Context(), event())
	byZero.Observe(t.Context(), event())
	require.Len(t, b.spans.GetSpans(), 2)
	require.Equal(t, uint64(2), points(t, b)[0].Count)
}

var errMeter = errors.New("no more instruments")

// poorMeters make no instrument of one name.
type poorMeters struct {
	noop.MeterProvider
	lacks string
}

func (p poorMeters) Meter(string, ...metric.MeterOption) metric.Meter {
	return poorMeter{lacks: p.lacks}
}

type poorMeter struct {
	noop.Meter
	lacks string
}

func (m poorMeter) Float64Histogram(name string, o ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	if name == m.lacks {
		return nil, errMeter
	}
	return m.Meter.Float64Histogram(name, o...)
}

func (m poorMeter) Int64Counter(name string, o ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	if name == m.lacks {
		return nil, errMeter
	}
	return m.Meter.Int64Counter(name, o...)
}

func TestNewWithoutInstrument(t *testing.T) {
	for _, name := range []string{"holdfast.kms.attempt.duration", "holdfast.kms.call.refused"} {
		t.Run(name, func(t *testing.T) {
			o, err := kmsotel.New(&kmsotel.Options{MeterProvider: poorMeters{lacks: name}})
			require.ErrorIs(t, err, errMeter)
			require.Nil(t, o)
		})
	}
}
