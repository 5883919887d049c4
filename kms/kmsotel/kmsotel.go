package kmsotel

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/holdfast-go/holdfast/kms"
)

// Options are the settings of [New]. nil and the zero value are the defaults.
type Options struct {
	// TracerProvider makes the spans. nil means OpenTelemetry's global one, also when that is set later.
	TracerProvider trace.TracerProvider
	// MeterProvider makes the instruments. nil means OpenTelemetry's global one, also when that is set later.
	MeterProvider metric.MeterProvider
}

// scope names this package to OpenTelemetry.
const scope = "github.com/holdfast-go/holdfast/kms/kmsotel"

// Names of instruments and attributes. The package's documentation lists them.
const (
	durationName = "holdfast.kms.attempt.duration"
	refusedName  = "holdfast.kms.call.refused"

	operationKey  = "holdfast.kms.operation"
	providerKey   = "holdfast.kms.provider"
	classKey      = "holdfast.kms.class"
	keyIDKey      = "holdfast.kms.key_id"
	attemptKey    = "holdfast.kms.attempt"
	requestIDKey  = "holdfast.kms.request_id"
	contextPrefix = "holdfast.kms.context."
)

// New returns an Observer for Options.Observer of package kms, which may serve any number of keys. It fails when
// the MeterProvider does not make an instrument. It is safe for concurrent use.
func New(o *Options) (kms.Observer, error) {
	var own Options
	if o != nil {
		own = *o
	}
	if own.TracerProvider == nil {
		own.TracerProvider = otel.GetTracerProvider()
	}
	if own.MeterProvider == nil {
		own.MeterProvider = otel.GetMeterProvider()
	}
	meter := own.MeterProvider.Meter(scope)
	duration, err := meter.Float64Histogram(
		durationName,
		metric.WithUnit("s"),
		metric.WithDescription("Duration of attempts to call a key management service."),
		metric.WithExplicitBucketBoundaries(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
	)
	if err != nil {
		return nil, fmt.Errorf("kmsotel: make %s: %w", durationName, err)
	}
	refused, err := meter.Int64Counter(
		refusedName,
		metric.WithUnit("{call}"),
		metric.WithDescription("Calls that were refused before they reached a key management service."),
	)
	if err != nil {
		return nil, fmt.Errorf("kmsotel: make %s: %w", refusedName, err)
	}
	return &observer{own.TracerProvider.Tracer(scope), duration, refused}, nil
}

type observer struct {
	tracer   trace.Tracer
	duration metric.Float64Histogram
	refused  metric.Int64Counter
}

// Observe implements [kms.Observer].
func (o *observer) Observe(ctx context.Context, e kms.Event) {
	kind := trace.SpanKindClient
	if e.Attempt == 0 {
		kind = trace.SpanKindInternal
	}
	labels := []attribute.KeyValue{text(operationKey, e.Op), text(providerKey, e.Ref.Provider), text(classKey, e.Class)}
	ctx, span := o.tracer.Start(
		ctx,
		"kms "+e.Op,
		trace.WithSpanKind(kind),
		trace.WithTimestamp(e.Start),
		trace.WithAttributes(slices.Concat(labels, details(e))...), // all of them now: a sampler may go by any
	)
	if failed(e) {
		span.SetStatus(codes.Error, e.Class)
	}
	if e.Attempt == 0 {
		o.refused.Add(ctx, 1, metric.WithAttributes(labels...))
	} else {
		o.duration.Record(ctx, e.Duration.Seconds(), metric.WithAttributes(labels...))
	}
	span.End(trace.WithTimestamp(e.Start.Add(e.Duration)))
}

// details are what only spans show. The values of the context come last: a span has room for 128 attributes by the SDK's
// default, and what is over that is dropped.
func details(e kms.Event) []attribute.KeyValue {
	all := []attribute.KeyValue{text(keyIDKey, e.Ref.KeyID), attribute.Int(attemptKey, e.Attempt)}
	if e.RequestID != "" {
		all = append(all, text(requestIDKey, e.RequestID))
	}
	for name, value := range e.Context {
		all = append(all, text(contextPrefix+name, value))
	}
	return all
}

// failed tells whether e is an error for who reads traces.
func failed(e kms.Event) bool {
	switch e.Class {
	case kms.ClassCanceled:
		return false
	case kms.ClassOK:
		return e.Op == "check"
	case kms.Class(kms.ErrCiphertext), kms.Class(kms.ErrAccessDenied):
		return e.Op != "check"
	}
	return true
}

// maxText bounds a string, in bytes: more than the names of keys take, and far less than a driver or a caller could give.
const maxText = 1 << 10

// text is an attribute that every exporter can encode: protocol buffers refuse a string that is not UTF-8.
func text(key, value string) attribute.KeyValue {
	return attribute.String(key, strings.ToValidUTF8(value[:min(len(value), maxText)], ""))
}
