package kmsotel_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/holdfast-go/holdfast/kms"
)

const (
	canary       = "canary-0123456789-canary-abcdef!" // what is wrapped
	canaryTenant = "kanarie-9876543210"               // a context value that nobody may see
	listed       = "for-all-to-see"                   // one that everybody may
)

// gossip is a driver whose errors tell all that it knows, as no driver may.
type gossip struct{ err error }

func (g *gossip) Ref() kms.Ref { return kms.Ref{Provider: "gossip", KeyID: "key-1"} }

func (g *gossip) Wrap(_ context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	if g.err != nil {
		return kms.Wrapped{}, fmt.Errorf("%w: %s %x %v", g.err, plaintext, plaintext, ec)
	}
	return kms.Wrapped{Ref: g.Ref(), Blob: []byte("blob")}, nil
}

func (g *gossip) Unwrap(_ context.Context, _ kms.Wrapped, ec kms.Context) ([]byte, error) {
	if g.err != nil {
		return nil, fmt.Errorf("%w: %s %v", g.err, canary, ec)
	}
	return []byte(canary), nil
}

func (g *gossip) Close() error { return nil }

// TestNothingSecret: plaintext, context values that are not listed and the texts of errors stay out of spans and metrics.
func TestNothingSecret(t *testing.T) {
	for name, err := range map[string]error{
		"works":          nil,
		"refused":        kms.ErrAccessDenied,
		"corrupt":        kms.ErrCiphertext,
		"out":            kms.ErrUnavailable,
		"throttled":      kms.ErrThrottled,
		"no class":       errors.New("oops"),
		"with a request": &kms.Error{RequestID: "req-1", Err: kms.ErrDisabled},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, sdktrace.AlwaysSample())
			k, kerr := kms.NewKey(&gossip{err}, &kms.Options{
				Attempts: 1, BreakAfter: 3, Observer: b, ObserveContext: []string{"purpose"},
			})
			require.NoError(t, kerr)
			defer k.Close()
			ec := kms.Context{"tenant": canaryTenant, "purpose": listed}
			calls := 0
			wrap := func(secret string, ec kms.Context) {
				calls++
				k.Wrap(t.Context(), []byte(secret), ec)
			}
			for range 4 { // the breaker opens
				wrap(canary, ec)
			}
			wrap(strings.Repeat(canary, 3), ec)
			wrap(canary, kms.Context{"tenant": canaryTenant + "\xff", "purpose": listed})
			calls += 2
			k.Unwrap(t.Context(), kms.Wrapped{Ref: k.Ref(), Blob: []byte("blob")}, ec)
			k.Unwrap(t.Context(), kms.Wrapped{Ref: kms.Ref{Provider: "other", KeyID: canaryTenant}, Blob: []byte(canary)}, ec)

			spans := b.spans.GetSpans()
			require.Len(t, spans, calls)
			measured := b.metrics(t)
			spansJSON, jerr := json.Marshal(spans)
			require.NoError(t, jerr)
			metricsJSON, jerr := json.Marshal(measured)
			require.NoError(t, jerr)
			shown := fmt.Sprintf("%+v %s %+v %s", spans, spansJSON, measured, metricsJSON)
			for _, secret := range []string{canary, canaryTenant} {
				for _, form := range []string{
					secret[:8],
					hex.EncodeToString([]byte(secret))[:16],
					base64.StdEncoding.EncodeToString([]byte(secret))[:10],
					strings.Trim(fmt.Sprint([]byte(secret[:8])), "[]"),
				} {
					require.False(t, strings.Contains(shown, form), "a span or metric shows the plaintext or a context value")
				}
			}
			require.Contains(t, string(spansJSON), listed)
			require.NotContains(t, string(metricsJSON), listed)
		})
	}
}
