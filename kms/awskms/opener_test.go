package awskms

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// TestOpenerURIs is the grammar of the URIs: which key is asked for, in which region.
func TestOpenerURIs(t *testing.T) {
	alias := "arn:aws:kms:eu-north-1:123456789012:alias/app"
	for _, c := range []struct {
		uri, preset string
		keyID       string // "" for a URI that is refused
		region      string
	}{
		{"awskms:///" + testARN, "", testARN, region},
		{"awskms:///" + testARN, "us-east-1", testARN, region},
		{"awskms:///" + testARN + "?region=eu-north-1", "us-east-1", testARN, region},
		{"awskms:///" + alias, "", alias, region},
		{"awskms:///alias/app?region=eu-north-1", "us-east-1", "alias/app", region},
		{"awskms:///alias/team/app", region, "alias/team/app", region},
		{"awskms:///" + keyID + "?region=eu-north-1", "", keyID, region},
		{"awskms:///" + mrkID, region, mrkID, region},

		{"awskms:///" + testARN + "?region=eu-west-1", "", "", ""},
		{"awskms:///alias/app", "", "", ""},
		{"awskms:///" + keyID, "", "", ""},
		{"awskms:", region, "", ""},
		{"awskms://", region, "", ""},
		{"awskms:///", region, "", ""},
		{"awskms:alias/app", region, "", ""},
		{"awskms:/alias/app", region, "", ""},
		{"awskms:/" + "/alias/app", region, "", ""}, // "alias" is a host
		{"awskms://" + keyID, region, "", ""},
		{"awskms://user@/alias/app", region, "", ""},
		{"awskms://user:secret@/alias/app", region, "", ""},
		{"awskms://kms.example/alias/app", region, "", ""},
		{"awskms:////alias/app", region, "", ""},
		{"awskms:///alias/app#fragment", region, "", ""},
		{"awskms:///alias/app%23", region, "", ""},
		{"awskms:///alias%2Fapp", region, "", ""},
		{"awskms:///alias/my%20app", region, "", ""},
		{"awskms:///alias/app?", region, "", ""},
		{"awskms:///alias/app?region", region, "", ""},
		{"awskms:///alias/app?region=", region, "", ""},
		{"awskms:///alias/app?region=eu-north-1&", region, "", ""},
		{"awskms:///alias/app?region=eu-north-1&region=eu-north-1", region, "", ""},
		{"awskms:///alias/app?region=eu-north-1&endpoint=evil.example", region, "", ""},
		{"awskms:///alias/app?endpoint=evil.example", region, "", ""},
		{"awskms:///alias/app?Region=eu-north-1", region, "", ""},
		{"awskms:///alias/app?region=eu.north.1", region, "", ""},
		{"awskms:///alias/app?region=evil.example%2F", region, "", ""},
		{"awskms:///alias/app?region=EU-NORTH-1", region, "", ""},
		{"awskms:///an%20arn", region, "", ""},
	} {
		t.Run(c.uri+" "+c.preset, func(t *testing.T) {
			w := &wire{answer: answers(map[string]func(request) (*http.Response, error){
				"DescribeKey": description(t, "Enabled", map[string]any{"Arn": described(c.keyID)}),
				"Encrypt":     reply(200, jsonOf(t, encrypted(described(c.keyID)))),
			})}
			spy := &regionSpy{wire: w}
			open := kms.Openers{"awskms": Opener(aws.Config{Region: c.preset, Credentials: credentials, HTTPClient: spy})}
			k, err := open.Open(t.Context(), c.uri)
			if c.keyID == "" {
				requireClass(t, kms.ErrInvalid, err)
				require.NotContains(t, err.Error(), "secret")
				require.Nil(t, k)
				require.Empty(t, w.requests)
				return
			}
			require.NoError(t, err)
			defer k.Close()
			_, err = k.Wrap(t.Context(), []byte("key"), nil)
			require.NoError(t, err)
			asked, full := parseARN(c.keyID)
			if full && asked.isKey() {
				require.Equal(t, []string{"Encrypt"}, w.operations())
			} else {
				require.Equal(t, []string{"DescribeKey", "Encrypt"}, w.operations())
			}
			require.Equal(t, c.keyID, w.requests[0].body["KeyId"])
			for _, host := range spy.hosts {
				require.Equal(t, "kms."+c.region+".amazonaws.com", host)
			}
		})
	}
}

// described is the ARN of the key that a name stands for.
func described(name string) string {
	if name == mrkID {
		return mrkARN
	}
	return testARN
}

// regionSpy notes which hosts are called.
type regionSpy struct {
	*wire
	hosts []string
}

func (s *regionSpy) Do(r *http.Request) (*http.Response, error) {
	s.hosts = append(s.hosts, r.URL.Host)
	return s.wire.Do(r)
}

func TestOpenerCopiesConfig(t *testing.T) {
	cfg := aws.Config{Region: region, Credentials: credentials, HTTPClient: &wire{answer: description(t, "Enabled", nil)}}
	open := Opener(cfg)
	cfg.Region, cfg.HTTPClient = "eu-west-1", nil
	k, err := kms.Openers{"awskms": open}.Open(t.Context(), "awskms:///alias/app")
	require.NoError(t, err)
	require.NoError(t, k.Close())
	require.NoError(t, k.Close())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = kms.Openers{"awskms": open}.Open(ctx, "awskms:///alias/app")
	require.ErrorIs(t, err, context.Canceled)
}

// seen is an Observer that keeps what it is told.
type seen struct{ events []kms.Event }

func (s *seen) Observe(_ context.Context, e kms.Event) { s.events = append(s.events, e) }

// TestOpenerWith requires that options arrive at the key, as they were.
func TestOpenerWith(t *testing.T) {
	w, observer := &wire{answer: reply(200, jsonOf(t, encrypted(testARN)))}, &seen{}
	o := &Options{GrantTokens: []string{"a grant token"}, Key: &kms.Options{Observer: observer, ObserveContext: []string{"tenant"}}}
	open := kms.Openers{"awskms": OpenerWith(aws.Config{Credentials: credentials, HTTPClient: w}, o)}
	o.GrantTokens[0], o.Key.ObserveContext[0], o.Key.Observer = "changed", "changed", nil
	k, err := open.Open(t.Context(), "awskms:///"+testARN)
	require.NoError(t, err)
	defer k.Close()
	_, err = k.Wrap(t.Context(), []byte("key"), kms.Context{"tenant": "acme"})
	require.NoError(t, err)
	require.Equal(t, []any{"a grant token"}, w.requests[0].body["GrantTokens"])
	require.Len(t, observer.events, 1)
	require.Equal(t, kms.Context{"tenant": "acme"}, observer.events[0].Context)

	open = kms.Openers{"awskms": OpenerWith(aws.Config{Credentials: credentials, HTTPClient: w}, &Options{GrantTokens: []string{""}})}
	_, err = open.Open(t.Context(), "awskms:///"+testARN)
	requireClass(t, kms.ErrInvalid, err)
}

// TestOpenerOwnsItsConnections requires that Close closes what Opener opened, and that no redirect is followed, which
// would take the session token along.
func TestOpenerOwnsItsConnections(t *testing.T) {
	paths, states := make(chan string, 10), make(chan http.ConnState, 100)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths <- r.URL.Path
		switch len(paths) {
		case 1:
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			_, _ = io.WriteString(w, jsonOf(t, encrypted(testARN)))
		case 2:
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusFound)
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) { states <- s }
	server.Start()
	defer server.Close()
	allClosed := func() { // or the test hangs
		for open, seen := 0, false; open > 0 || !seen; seen = true {
			switch <-states {
			case http.StateNew:
				open++
			case http.StateClosed:
				open--
			}
		}
	}
	openers := kms.Openers{"awskms": Opener(aws.Config{Credentials: credentials, BaseEndpoint: &server.URL})}
	k, err := openers.Open(t.Context(), "awskms:///"+testARN)
	require.NoError(t, err)
	_, err = k.Wrap(t.Context(), []byte(canary), nil)
	require.NoError(t, err)
	require.NoError(t, k.Close())
	allClosed()

	k, err = openers.Open(t.Context(), "awskms:///"+testARN)
	require.NoError(t, err)
	_, err = k.Wrap(t.Context(), []byte(canary), nil)
	requireClass(t, kms.ErrUnavailable, err)
	require.NoError(t, k.Close())
	allClosed()
	require.Len(t, paths, 2)

	// One that can't be opened leaves nothing open either.
	_, err = openers.Open(t.Context(), "awskms:///alias/app?region=eu-north-1")
	requireClass(t, kms.ErrUnavailable, err)
	allClosed()
	require.Len(t, paths, 3)
	for range 3 {
		require.Equal(t, "/", <-paths)
	}
}
