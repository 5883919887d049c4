package kmstest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/awskms"
	"github.com/holdfast-go/holdfast/kms/hpke"
	"github.com/holdfast-go/holdfast/kms/kmstest"
	"github.com/holdfast-go/holdfast/kms/local"
)

// world is where the providers of one test live, and what their Keys tell an observer.
type world struct {
	t       *testing.T
	log     lockedBuffer
	aws     *awskmstest.Server
	disable []func(context.Context) error
	enable  []func(context.Context) error
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// dump is an Observer that writes all that an event holds, of which logs, spans and metrics show a part.
type dump struct{ io.Writer }

func (d dump) Observe(_ context.Context, e kms.Event) {
	fmt.Fprintf(d, "%+v %#v\n", e, e)
}

// options are of Keys whose pauses and breaker do not hold up the cases in which the service fails. Of the context
// an observer may see one key.
func (w *world) options() *kms.Options {
	log := slog.New(slog.NewJSONHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return &kms.Options{
		Attempts: 1, BreakAfter: 1000,
		Observer: kms.Observers{kms.NewLogObserver(log), dump{&w.log}}, ObserveContext: []string{"region"},
	}
}

func (w *world) local() *kms.Key {
	f, err := local.Create(filepath.Join(w.t.TempDir(), "key.json"), &local.Options{Key: w.options()})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { f.Close() })
	w.disable, w.enable = append(w.disable, f.Disable), append(w.enable, f.Enable)
	return f.Key()
}

func (w *world) hpke() *kms.Key {
	priv, err := hpke.GenerateKey(0)
	require.NoError(w.t, err)
	k, err := hpke.NewIdentity(priv, &hpke.Options{Key: w.options()})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { k.Close() })
	return k
}

// awskms returns a key in a region of one account.
func (w *world) awskms(region string) *kms.Key {
	if w.aws == nil {
		w.aws = awskmstest.New(w.t)
	}
	arn := w.aws.CreateKey(region)
	client := w.aws.Client(region, func(o *sdk.Options) { o.Retryer = aws.NopRetryer{} })
	k, err := awskms.New(w.t.Context(), client, arn, &awskms.Options{Key: w.options()})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { k.Close() })
	w.disable = append(w.disable, func(ctx context.Context) error {
		_, err := client.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: &arn})
		return err
	})
	w.enable = append(w.enable, func(ctx context.Context) error {
		_, err := client.EnableKey(ctx, &sdk.EnableKeyInput{KeyId: &arn})
		return err
	})
	return k
}

// TestProviders runs the suite over the Keys of every provider, and over AnyOf of mixtures of them, as a service has them. None
// of it may show a secret to an observer.
func TestProviders(t *testing.T) {
	for _, mixture := range []struct {
		name string
		keys func(w *world) []*kms.Key
		down bool // all of them are one service's, which can be taken down
		off  bool // all of them can be disabled
	}{
		{"local", func(w *world) []*kms.Key { return []*kms.Key{w.local()} }, false, true},
		{"hpke", func(w *world) []*kms.Key { return []*kms.Key{w.hpke()} }, false, false},
		{"awskms", func(w *world) []*kms.Key { return []*kms.Key{w.awskms("eu-north-1")} }, true, true},
		{"two regions", func(w *world) []*kms.Key {
			return []*kms.Key{w.awskms("eu-north-1"), w.awskms("eu-west-1")}
		}, true, true},
		{"local and awskms", func(w *world) []*kms.Key { return []*kms.Key{w.local(), w.awskms("eu-north-1")} }, false, true},
		{"awskms and hpke", func(w *world) []*kms.Key { return []*kms.Key{w.awskms("eu-north-1"), w.hpke()} }, false, false},
		{"local, awskms and hpke", func(w *world) []*kms.Key {
			return []*kms.Key{w.local(), w.awskms("eu-north-1"), w.hpke()}
		}, false, false},
	} {
		t.Run(mixture.name, func(t *testing.T) {
			if _, err := hpke.GenerateKey(0); errors.Is(err, kms.ErrUnsupported) && strings.Contains(mixture.name, "hpke") {
				t.Skip("this FIPS module has no HPKE")
			}
			logged := 0
			kmstest.Run(t, func(t *testing.T) kmstest.Harness {
				other := &world{t: t}
				h := kmstest.Harness{Other: one(t, mixture.keys(other))}
				w := &world{t: t, aws: other.aws}
				keys := mixture.keys(w)
				h.Driver, h.Group = one(t, keys), len(keys) > 1
				if w.aws != nil {
					h.Calls = func() int { return w.aws.Calls("") }
				}
				if mixture.off {
					h.Disable = func(ctx context.Context) error { return each(ctx, w.disable) }
					h.Enable = func(ctx context.Context) error { return each(ctx, w.enable) }
				}
				if mixture.down {
					h.Deny = w.fault(awskmstest.Fault{Code: "AccessDeniedException"})
					h.Outage = w.fault(awskmstest.Fault{Status: http.StatusBadGateway, Body: []byte("<html>")})
					throttle := w.fault(awskmstest.Fault{Code: "ThrottlingException", RetryAfter: time.Second})
					h.Throttle = func() (time.Duration, func()) { return time.Second, throttle() }
					h.Hang = w.hang
				}
				if h.Group {
					h.Reopen = func() kms.Driver { return one(t, keys) }
				}
				t.Cleanup(func() {
					requireQuiet(t, w.log.b.String())
					logged += w.log.b.Len()
				})
				return h
			})
			require.NotZero(t, logged)
		})
	}
}

// one returns the only key, or AnyOf of several.
func one(t *testing.T, keys []*kms.Key) *kms.Key {
	t.Helper()
	if len(keys) == 1 {
		return keys[0]
	}
	k, err := kms.AnyOf(keys, nil)
	require.NoError(t, err)
	t.Cleanup(func() { k.Close() })
	return k
}

func each(ctx context.Context, all []func(context.Context) error) error {
	for _, f := range all {
		if err := f(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fault returns what has the AWS account answer with f.
func (w *world) fault(f awskmstest.Fault) func() (undo func()) {
	return func() func() {
		w.aws.Inject(func(string, int) *awskmstest.Fault { return &f })
		return func() { w.aws.Inject(nil) }
	}
}

// hang has the AWS account take requests and not answer.
func (w *world) hang(arrived func()) (undo func()) {
	released := make(chan struct{})
	w.aws.Inject(func(string, int) *awskmstest.Fault {
		arrived()
		<-released
		return nil
	})
	return func() {
		w.aws.Inject(nil)
		close(released)
	}
}

// requireQuiet requires that a log shows none of what the suite seals, nor a context value that is not listed.
func requireQuiet(t *testing.T, log string) {
	t.Helper()
	for _, secret := range []string{"canary-0123456789-canary-abcdef!", "kanarie-9876543210", "acme"} {
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), base64.RawStdEncoding.EncodeToString([]byte(secret))} {
			require.NotContains(t, log, form[:min(len(form), 10)])
		}
	}
}
