package tlsconfig_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// bubbleStart is when the clock of a synctest bubble starts.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// bubbleCA returns a CA that is valid in a synctest bubble, with an intermediate. Make it outside.
func bubbleCA(t testing.TB) *tlsconfigtest.CA {
	t.Helper()
	o := &tlsconfigtest.CAOptions{NotBefore: bubbleStart.AddDate(-1, 0, 0), NotAfter: bubbleStart.AddDate(5, 0, 0)}
	return tlsconfigtest.NewCA(t, o).Intermediate(o)
}

// bubbleLeaf returns a certificate for a name that is valid for life from the start of a bubble.
func bubbleLeaf(ca *tlsconfigtest.CA, life time.Duration, dns ...string) tls.Certificate {
	return ca.Issue(&tlsconfigtest.Leaf{DNS: dns, NotBefore: bubbleStart, NotAfter: bubbleStart.Add(life)})
}

// identityEvents remembers events.
type identityEvents struct {
	mu   sync.Mutex
	list []tlsconfig.Event
}

func (e *identityEvents) tell(event tlsconfig.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, event)
}

// take returns what came since the last take.
func (e *identityEvents) take() []tlsconfig.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() { e.list = nil }()
	return slices.Clone(e.list)
}

var errIdentityForbidden = errors.New("forbidden")

// forbidWeak is a check that stands for that of a policy: it forbids certificates for weak.example.
func forbidWeak(c *tls.Certificate) error {
	if c.Leaf.VerifyHostname("weak.example") == nil {
		return errIdentityForbidden
	}
	return nil
}

// identityFor returns the certificate for a name.
func identityFor(t testing.TB, h tlsconfig.Held, name string) *tls.Certificate {
	t.Helper()
	c, err := h.Get(&tls.ClientHelloInfo{ServerName: name})
	require.NoError(t, err)
	return c
}

// identityIs asserts that what is served is a certificate.
func identityIs(t testing.TB, want tls.Certificate, got *tls.Certificate) {
	t.Helper()
	require.Equal(t, want.Certificate, got.Certificate)
}

func TestStatic(t *testing.T) {
	c := tlsconfigtest.NewCA(t, nil).Issue(&tlsconfigtest.Leaf{DNS: []string{"a.example"}})
	c.Leaf = nil
	id := tlsconfig.Static(c)
	require.Nil(t, id.Changed())
	h, err := tlsconfig.HoldIdentity(t.Context(), id, forbidWeak, new(identityEvents).tell)
	require.NoError(t, err)
	got, err := h.Get(nil)
	require.NoError(t, err)
	identityIs(t, c, got)
	require.Equal(t, []string{"a.example"}, got.Leaf.DNSNames)
	require.Equal(t, got.Leaf.NotAfter, tlsconfig.FirstEnd(h.All()))
}

func TestIdentityRefusedAtStart(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	intermediate := ca.Intermediate(nil)
	good := intermediate.Issue(&tlsconfigtest.Leaf{DNS: []string{"a.example"}})
	other := ca.Issue(nil)
	with := func(change func(c *tls.Certificate)) tlsconfig.Identity {
		c := good
		c.Certificate = slices.Clone(good.Certificate)
		change(&c)
		return tlsconfig.Static(c)
	}
	ends := func(from, to time.Duration) tlsconfig.Identity {
		return tlsconfig.Static(ca.Issue(&tlsconfigtest.Leaf{NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to)}))
	}
	for _, test := range []struct {
		name string
		id   tlsconfig.Identity
		want error
	}{
		{"nil", nil, tlsconfig.ErrInvalid},
		{"empty", tlsconfig.Static(tls.Certificate{}), tlsconfig.ErrCertificate},
		{"no key", with(func(c *tls.Certificate) { c.PrivateKey = nil }), tlsconfig.ErrCertificate},
		{"key of another", with(func(c *tls.Certificate) { c.PrivateKey = other.PrivateKey }), tlsconfig.ErrCertificate},
		{"garbage for a certificate", with(func(c *tls.Certificate) { c.Certificate[0] = []byte("garbage") }), tlsconfig.ErrCertificate},
		{"garbage for an intermediate", with(func(c *tls.Certificate) { c.Certificate[1] = []byte("garbage") }), tlsconfig.ErrCertificate},
		{"chain in disorder", with(func(c *tls.Certificate) { c.Certificate = append(c.Certificate[:1], other.Certificate[0]) }), tlsconfig.ErrCertificate},
		{"chain that skips one", with(func(c *tls.Certificate) { c.Certificate[1] = ca.Certificate().Raw }), tlsconfig.ErrCertificate},
		{"expired", ends(-2*time.Hour, -time.Hour), tlsconfig.ErrCertificate},
		{"expired a minute ago", ends(-2*time.Hour, -time.Minute), tlsconfig.ErrCertificate},
		{"not yet valid", ends(time.Hour, 2*time.Hour), tlsconfig.ErrCertificate},
		{"forbidden", tlsconfig.Static(ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"weak.example"}})), errIdentityForbidden},
		{"files that are not there", tlsconfig.Files("no/such.crt", "no/such.key"), os.ErrNotExist},
		{"Certificate fails", failingIdentity{errIdentityForbidden}, tlsconfig.ErrCertificate},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := tlsconfig.HoldIdentity(t.Context(), test.id, forbidWeak, new(identityEvents).tell)
			require.ErrorIs(t, err, test.want)
		})
	}
	for name, id := range map[string]tlsconfig.Identity{
		"with intermediate":       tlsconfig.Static(good),
		"with root":               with(func(c *tls.Certificate) { c.Certificate = append(c.Certificate, ca.Certificate().Raw) }),
		"in a minute, for clocks": ends(time.Minute, time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tlsconfig.HoldIdentity(t.Context(), id, forbidWeak, new(identityEvents).tell)
			require.NoError(t, err)
		})
	}
}

func TestCheckRole(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	server := ca.Issue(&tlsconfigtest.Leaf{Server: true}).Leaf
	client := ca.Issue(&tlsconfigtest.Leaf{Client: true}).Leaf
	both := ca.Issue(nil).Leaf
	for name, test := range map[string]struct {
		err error
		ok  bool
	}{
		"server as server": {tlsconfig.CheckRole(server, true), true},
		"server as client": {tlsconfig.CheckRole(server, false), false},
		"client as client": {tlsconfig.CheckRole(client, false), true},
		"client as server": {tlsconfig.CheckRole(client, true), false},
		"both as server":   {tlsconfig.CheckRole(both, true), true},
		"both as client":   {tlsconfig.CheckRole(both, false), true},
		"CA as server":     {tlsconfig.CheckRole(ca.Certificate(), true), false}, // its key usage is to sign certificates
	} {
		t.Run(name, func(t *testing.T) {
			if test.ok {
				require.NoError(t, test.err)
				return
			}
			require.ErrorIs(t, test.err, tlsconfig.ErrCertificate)
			require.Equal(t, tlsconfig.ReasonUsage, tlsconfig.ReasonOf(test.err))
		})
	}
}

func TestClientCertificate(t *testing.T) {
	c := tlsconfigtest.NewCA(t, nil).Issue(nil)
	h, err := tlsconfig.HoldIdentity(t.Context(), tlsconfig.Static(c), forbidWeak, new(identityEvents).tell)
	require.NoError(t, err)
	request := func(cas ...[]byte) *tls.CertificateRequestInfo {
		return &tls.CertificateRequestInfo{Version: tls.VersionTLS13, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}, AcceptableCAs: cas}
	}
	got, err := h.Client(request())
	require.NoError(t, err)
	identityIs(t, c, got)
	got, err = h.Client(request([]byte("another CA")))
	require.NoError(t, err)
	require.Empty(t, got.Certificate)
	named := map[string]tlsconfig.Identity{"a.example": tlsconfig.Static(c)}
	_, err = tlsconfig.NewClient(t.Context(), tlsconfig.SystemRoots(), &tlsconfig.ClientOptions{Identity: tlsconfig.BySNI(nil, named)})
	require.ErrorIs(t, err, tlsconfig.ErrInvalid, "there is no name to choose by")
}

// failingIdentity is an Identity of a user that has nothing.
type failingIdentity struct{ err error }

func (f failingIdentity) Certificate(context.Context) (*tls.Certificate, error) { return nil, f.err }
func (f failingIdentity) Changed() <-chan struct{}                              { return nil }

// identitySwitch is an Identity of a user that changes on demand.
type identitySwitch struct {
	mu    sync.Mutex
	cert  *tls.Certificate
	err   error
	moved chan struct{}
	loads int
}

func newIdentitySwitch(c tls.Certificate) *identitySwitch {
	return &identitySwitch{cert: &c, moved: make(chan struct{})}
}

func (i *identitySwitch) Certificate(context.Context) (*tls.Certificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.loads++
	return i.cert, i.err
}

func (i *identitySwitch) Changed() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.moved
}

// set has it return something else from now on.
func (i *identitySwitch) set(c tls.Certificate, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cert, i.err = &c, err
	close(i.moved)
	i.moved = make(chan struct{})
}

func TestIdentityOfUser(t *testing.T) {
	ca := bubbleCA(t)
	first, second := bubbleLeaf(ca, 90*identityDay), bubbleLeaf(ca, 90*identityDay)
	bubble.Test(t, func(t *testing.T) {
		id, events := newIdentitySwitch(first), new(identityEvents)
		h, err := tlsconfig.HoldIdentity(t.Context(), id, forbidWeak, events.tell)
		require.NoError(t, err)
		id.set(first, errIdentityForbidden)
		synctest.Wait()
		identityIs(t, first, identityFor(t, h, ""))
		told := events.take()
		require.Len(t, told, 1)
		require.ErrorIs(t, told[0].Err, errIdentityForbidden)
		id.set(second, nil)
		synctest.Wait()
		identityIs(t, second, identityFor(t, h, ""))
		stapled := second
		stapled.OCSPStaple = []byte("staple")
		id.set(stapled, nil)
		synctest.Wait()
		require.Equal(t, stapled.OCSPStaple, identityFor(t, h, "").OCSPStaple, "another staple of the same certificate counts")
	})
}

// Every certificate that is got during swaps is whole: the key is that of the leaf.
func TestIdentitySwapsUnderLoad(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	pairs := []tls.Certificate{ca.Issue(nil), ca.Issue(nil)}
	id := newIdentitySwitch(pairs[0])
	h, err := tlsconfig.HoldIdentity(t.Context(), id, forbidWeak, new(identityEvents).tell)
	require.NoError(t, err)
	stop := make(chan struct{})
	var getters sync.WaitGroup
	for range 4 {
		getters.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := h.Get(&tls.ClientHelloInfo{ServerName: "a.example"})
				if err != nil || !c.Leaf.PublicKey.(*ecdsa.PublicKey).Equal(c.PrivateKey.(crypto.Signer).Public()) {
					t.Errorf("got %v", err)
					return
				}
			}
		})
	}
	for i := range 100 {
		changed := h.Changed()
		id.set(pairs[(i+1)%2], nil)
		<-changed
	}
	close(stop)
	getters.Wait()
}

// healthy scales with the lifetime.
func TestIdentityHealthy(t *testing.T) {
	ca := bubbleCA(t)
	for _, test := range []struct{ life, budget time.Duration }{
		{90 * identityDay, 15 * identityDay},
		{47 * identityDay, 47 * identityDay / 6},
		{6 * identityDay, identityDay},
	} {
		t.Run(test.life.String(), func(t *testing.T) {
			c := bubbleLeaf(ca, test.life, "a.example")
			bubble.Test(t, func(t *testing.T) {
				good, err := tlsconfig.HoldIdentity(t.Context(), tlsconfig.Static(c), forbidWeak, new(identityEvents).tell)
				require.NoError(t, err)
				id := newIdentitySwitch(c)
				failing, err := tlsconfig.HoldIdentity(t.Context(), id, forbidWeak, new(identityEvents).tell)
				require.NoError(t, err)
				until := func(left time.Duration) time.Time {
					id.set(c, nil)
					time.Sleep(time.Until(c.Leaf.NotAfter.Add(-left)))
					id.set(c, errIdentityForbidden)
					synctest.Wait()
					return time.Now()
				}
				now := until(test.life/3 + time.Minute)
				require.NoError(t, good.Healthy(now))
				require.NoError(t, failing.Healthy(now), "there is time to repair it")
				now = until(test.life/3 - time.Minute)
				require.NoError(t, good.Healthy(now))
				require.ErrorIs(t, failing.Healthy(now), errIdentityForbidden)
				now = until(test.budget + time.Minute)
				require.NoError(t, good.Healthy(now))
				now = until(test.budget - time.Minute)
				require.ErrorIs(t, good.Healthy(now), tlsconfig.ErrCertificate)
				now = until(-time.Minute)
				require.ErrorIs(t, good.Healthy(now), tlsconfig.ErrCertificate)
				_, err = good.Get(nil)
				require.NoError(t, err, "what has ended is served all the same: nothing better is there")
			})
		})
	}
}

// No way to print an identity shows a key.
func TestIdentityShowsNoKey(t *testing.T) {
	c := tlsconfigtest.NewCA(t, nil).Issue(&tlsconfigtest.Leaf{Key: tlsconfigtest.KeyEd25519})
	key := c.PrivateKey.(ed25519.PrivateKey)
	signer := tlsconfig.Signer(c.Certificate, key, nil)
	signing, err := signer.Certificate(t.Context())
	require.NoError(t, err)
	h, err := tlsconfig.HoldIdentity(t.Context(), tlsconfig.Static(c), forbidWeak, new(identityEvents).tell)
	require.NoError(t, err)
	seed := fmt.Sprint([]byte(key[:8]))
	for _, v := range []any{tlsconfig.Static(c), signer, signing.PrivateKey, h, tlsconfig.BySNI(tlsconfig.Static(c), map[string]tlsconfig.Identity{"a.example": signer})} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
			text := fmt.Sprintf(verb, v)
			require.NotContains(t, text, strings.Trim(seed, "[]"))
			require.NotContains(t, text, fmt.Sprintf("%x", key[:8]))
			require.NotContains(t, text, strings.Trim(fmt.Sprintf("%#v", []byte(key[:8])), "[]byte{}"))
		}
	}
}

// identityInTheMiddle is an Identity that changes while it is asked, the next time.
type identityInTheMiddle struct {
	*identitySwitch
	next *tls.Certificate
}

func (i *identityInTheMiddle) Certificate(ctx context.Context) (*tls.Certificate, error) {
	c, err := i.identitySwitch.Certificate(ctx)
	if next := i.next; next != nil {
		i.next = nil
		i.set(*next, nil)
	}
	return c, err
}

func TestIdentityChangesDuringLoad(t *testing.T) {
	ca := bubbleCA(t)
	pairs := []tls.Certificate{bubbleLeaf(ca, identityDay), bubbleLeaf(ca, identityDay), bubbleLeaf(ca, identityDay), bubbleLeaf(ca, identityDay)}
	bubble.Test(t, func(t *testing.T) {
		id := &identityInTheMiddle{newIdentitySwitch(pairs[0]), &pairs[1]} // during the first load
		h, err := tlsconfig.HoldIdentity(t.Context(), id, forbidWeak, new(identityEvents).tell)
		require.NoError(t, err)
		synctest.Wait()
		identityIs(t, pairs[1], identityFor(t, h, ""))
		id.next = &pairs[3] // and during a later one
		id.set(pairs[2], nil)
		synctest.Wait()
		identityIs(t, pairs[3], identityFor(t, h, ""))
	})
}
