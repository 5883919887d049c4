package kmsotel_test

import (
	"testing"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmsotel"
)

// BenchmarkObserve counts no exporter. "off" is what is left with providers that do nothing.
func BenchmarkObserve(b *testing.B) {
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	for _, test := range []struct {
		spans string
		o     kmsotel.Options
	}{
		{"recorded", kmsotel.Options{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSyncer(tracetest.NewNoopExporter())), MeterProvider: meters}},
		{"dropped", kmsotel.Options{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())), MeterProvider: meters}},
		{"off", kmsotel.Options{TracerProvider: tracenoop.NewTracerProvider(), MeterProvider: metricnoop.NewMeterProvider()}},
	} {
		b.Run("spans="+test.spans, func(b *testing.B) {
			o, err := kmsotel.New(&test.o)
			if err != nil {
				b.Fatal(err)
			}
			e := event()
			e.RequestID, e.Context = "4dd6cc4e-0b1c-4b3f-9b1a-0c0d3f5c7e11", kms.Context{"purpose": "invoices"}
			b.ReportAllocs()
			for b.Loop() {
				o.Observe(b.Context(), e)
			}
		})
	}
}
