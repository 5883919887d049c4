package tlsconfig_test

import (
	"crypto/tls"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

func TestBySNI(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	certs := map[string]tls.Certificate{}
	for _, name := range []string{"default", "a.example", "*.example", "*.b.example", "x.b.example"} {
		certs[name] = ca.Issue(nil)
	}
	members := map[string]tlsconfig.Identity{
		"A.Example.":  tlsconfig.Static(certs["a.example"]),
		"*.example":   tlsconfig.Static(certs["*.example"]),
		"*.B.example": tlsconfig.Static(certs["*.b.example"]),
		"x.b.example": tlsconfig.Static(certs["x.b.example"]),
	}
	hold := func(def tlsconfig.Identity) tlsconfig.Held {
		h, err := tlsconfig.HoldIdentity(t.Context(), tlsconfig.BySNI(def, members), forbidWeak, new(identityEvents).tell)
		require.NoError(t, err)
		return h
	}
	with, without := hold(tlsconfig.Static(certs["default"])), hold(nil)
	require.Len(t, with.All(), 5)
	for _, test := range []struct{ name, ask, want string }{
		{"exact", "a.example", "a.example"},
		{"case", "A.eXAMPLE", "a.example"},
		{"trailing dot", "a.example.", "a.example"},
		{"wildcard", "z.example", "*.example"},
		{"wildcard and case", "Z.EXAMPLE", "*.example"},
		{"wildcard of a lower level", "z.b.example", "*.b.example"},
		{"name before wildcard", "x.b.example", "x.b.example"},
		{"name of the lower wildcard itself", "b.example", "*.example"},
		{"wildcard is not two labels", "y.z.example", ""},
		{"wildcard is not three labels", "w.z.b.example", ""},
		{"wildcard is not nothing", "example", ""},
		{"empty label", ".example", ""},
		{"two dots at the end", "a.example..", ""},
		{"unknown", "a.test", ""},
		{"end of a name", "notb.example.test", ""},
		{"none", "", ""},
		{"IPv4", "192.0.2.1", ""},
		{"IPv6", "2001:db8::1", ""},
		{"Kelvin sign", "\u212a.test", ""},
		{"zero byte", "a.example\x00", ""},
		{"very long", strings.Repeat("a", 300) + ".example", ""},
		{"dot alone", ".", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := without.Get(&tls.ClientHelloInfo{ServerName: test.ask})
			if test.want == "" {
				require.ErrorIs(t, err, tlsconfig.ErrRefused)
				require.Equal(t, tlsconfig.ReasonServerName, tlsconfig.ReasonOf(err))
				require.Nil(t, got)
				identityIs(t, certs["default"], identityFor(t, with, test.ask))
				return
			}
			require.NoError(t, err)
			identityIs(t, certs[test.want], got)
			identityIs(t, certs[test.want], identityFor(t, with, test.ask))
		})
	}
	_, err := without.Get(nil)
	require.ErrorIs(t, err, tlsconfig.ErrRefused)
}

func TestBySNIRefused(t *testing.T) {
	id := tlsconfig.Static(tlsconfigtest.NewCA(t, nil).Issue(nil))
	type members = map[string]tlsconfig.Identity
	for _, test := range []struct {
		name    string
		def     tlsconfig.Identity
		members members
	}{
		{"nothing", nil, nil},
		{"nil member", id, members{"a.example": nil}},
		{"BySNI as a member", id, members{"a.example": tlsconfig.BySNI(id, nil)}},
		{"BySNI as the default", tlsconfig.BySNI(id, nil), nil},
		{"empty name", id, members{"": id}},
		{"star alone", id, members{"*": id}},
		{"star in the middle", id, members{"a.*.example": id}},
		{"star in a label", id, members{"a*.example": id}},
		{"two stars", id, members{"*.*.example": id}},
		{"IPv4", id, members{"192.0.2.1": id}},
		{"IPv6", id, members{"::1": id}},
		{"port", id, members{"a.example:443": id}},
		{"another alphabet", id, members{"bücher.example": id}},
		{"twice", id, members{"a.example": id, "A.example.": id}},
		{"long", id, members{strings.Repeat("abcdefghi.", 26) + "example": id}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := tlsconfig.BySNI(test.def, test.members)
			_, err := tlsconfig.HoldIdentity(t.Context(), b, forbidWeak, new(identityEvents).tell)
			require.ErrorIs(t, err, tlsconfig.ErrInvalid)
			_, err = b.Certificate(t.Context())
			require.ErrorIs(t, err, tlsconfig.ErrInvalid)
		})
	}
}

// As an Identity by itself it is its default.
func TestBySNIAlone(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	def, member := newIdentitySwitch(ca.Issue(nil)), newIdentitySwitch(ca.Issue(nil))
	b := tlsconfig.BySNI(def, map[string]tlsconfig.Identity{"a.example": member})
	got, err := b.Certificate(t.Context())
	require.NoError(t, err)
	require.Same(t, def.cert, got)
	require.Equal(t, def.Changed(), b.Changed())
	b = tlsconfig.BySNI(nil, map[string]tlsconfig.Identity{"a.example": member})
	_, err = b.Certificate(t.Context())
	require.ErrorIs(t, err, tlsconfig.ErrCertificate)
	require.Nil(t, b.Changed())
}

// Members are reloaded each for itself: a bad one stays as it was, and the others change. One under several names is loaded once.
func TestBySNIReload(t *testing.T) {
	ca := bubbleCA(t)
	first, second := bubbleLeaf(ca, 90*identityDay), bubbleLeaf(ca, 90*identityDay)
	dir := t.TempDir()
	cert, key := tlsconfigtest.WritePair(t, dir, first)
	bubble.Test(t, func(t *testing.T) {
		bad, events := newIdentitySwitch(first), new(identityEvents)
		b := tlsconfig.BySNI(nil, map[string]tlsconfig.Identity{
			"a.example": bad, "*.a.example": bad, "b.example": tlsconfig.Files(filepath.Clean(cert), key),
		})
		h, err := tlsconfig.HoldIdentity(t.Context(), b, forbidWeak, events.tell)
		require.NoError(t, err)
		require.Equal(t, 1, bad.loads)
		require.Len(t, h.All(), 2)
		bad.set(second, errIdentityForbidden)
		tlsconfigtest.WritePair(t, dir, second)
		filesPolled()
		identityIs(t, first, identityFor(t, h, "a.example"))
		identityIs(t, first, identityFor(t, h, "z.a.example"))
		identityIs(t, second, identityFor(t, h, "b.example"))
		require.Len(t, events.take(), 2)
		require.ErrorIs(t, h.Healthy(time.Now().Add(70*identityDay)), errIdentityForbidden)
	})
}

func TestIdentityGetAllocates(t *testing.T) {
	id := tlsconfig.Static(tlsconfigtest.NewCA(t, nil).Issue(nil))
	h, err := tlsconfig.HoldIdentity(t.Context(), tlsconfig.BySNI(id, map[string]tlsconfig.Identity{"a.example": id, "*.example": id}), forbidWeak, new(identityEvents).tell)
	require.NoError(t, err)
	for _, name := range []string{"", "a.example", "A.EXAMPLE.", "other.example", "unknown.test"} {
		hello := &tls.ClientHelloInfo{ServerName: name}
		require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = h.Get(hello) }), name)
	}
}
