package tlsconfig_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// allow returns a list of prefixes and addresses.
func allow(t testing.TB, texts ...string) *tlsconfig.AllowList {
	t.Helper()
	a, err := tlsconfig.NewAllowList(prefixes(t, texts...))
	require.NoError(t, err)
	return a
}

func prefixes(t testing.TB, texts ...string) []netip.Prefix {
	t.Helper()
	p, err := tlsconfig.ParsePrefixes(texts...)
	require.NoError(t, err)
	return p
}

// TestAllowList: who is in which list.
func TestAllowList(t *testing.T) {
	for name, c := range map[string]struct {
		list    []string
		in, out []string
	}{
		"nobody":          {nil, nil, []string{"0.0.0.0", "127.0.0.1", "::", "::1"}},
		"one":             {[]string{"192.0.2.1"}, []string{"192.0.2.1", "::ffff:192.0.2.1"}, []string{"192.0.2.2", "192.0.2.0", "::c000:201"}},
		"nested":          {[]string{"10.0.0.0/8", "10.1.0.0/16"}, []string{"10.0.0.0", "10.255.255.255", "10.1.2.3"}, []string{"11.0.0.0", "9.255.255.255"}},
		"two lengths":     {[]string{"10.0.0.0/8", "192.0.2.0/25"}, []string{"10.9.9.9", "192.0.2.127"}, []string{"192.0.2.128"}},
		"all of IPv4":     {[]string{"0.0.0.0/0"}, []string{"0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"}, []string{"::", "2001:db8::1"}},
		"all of IPv6":     {[]string{"::/0"}, []string{"::", "2001:db8::1", "fe80::1%eth0"}, []string{"1.2.3.4", "::ffff:1.2.3.4"}},
		"IPv4 in IPv6":    {[]string{"::ffff:10.0.0.0/104"}, []string{"10.1.2.3", "::ffff:10.1.2.3"}, []string{"11.0.0.0", "::10.1.2.3"}},
		"IPv4 as a whole": {[]string{"::ffff:0:0/96"}, []string{"8.8.8.8"}, []string{"::8.8.8.8", "::1"}},
		"IPv6":            {[]string{"2001:db8::/32", "fe80::1"}, []string{"2001:db8:ffff::", "fe80::1", "fe80::1%lo"}, []string{"2001:db9::", "fe80::2"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := allow(t, c.list...)
			for _, text := range c.in {
				require.True(t, a.Contains(netip.MustParseAddr(text)), text)
			}
			for _, text := range c.out {
				require.False(t, a.Contains(netip.MustParseAddr(text)), text)
			}
			require.False(t, a.Contains(netip.Addr{}))
		})
	}
	require.False(t, new(tlsconfig.AllowList).Contains(netip.MustParseAddr("127.0.0.1")), "the zero value")
}

// TestAllowListRefuses what is no prefix, and leaves the list as it was.
func TestAllowListRefuses(t *testing.T) {
	a := allow(t, "127.0.0.1")
	for name, p := range map[string]netip.Prefix{
		"zero":                   {},
		"bits beyond":            netip.MustParsePrefix("10.1.2.3/8"),
		"bits beyond, IPv6":      netip.MustParsePrefix("2001:db8::1/64"),
		"bits beyond, as IPv6":   netip.PrefixFrom(netip.MustParseAddr("::ffff:10.1.2.3"), 104),
		"too long":               netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), 33),
		"negative":               netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), -1),
		"more than IPv4":         netip.PrefixFrom(netip.MustParseAddr("::ffff:0:0"), 90),
		"more than IPv4, masked": netip.PrefixFrom(netip.MustParseAddr("::ffff:0:0"), 95),
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, a.Replace([]netip.Prefix{netip.MustParsePrefix("::/0"), p}), tlsconfig.ErrInvalid)
			_, err := tlsconfig.NewAllowList([]netip.Prefix{p})
			require.ErrorIs(t, err, tlsconfig.ErrInvalid)
			require.True(t, a.Contains(netip.MustParseAddr("127.0.0.1")))
			require.False(t, a.Contains(netip.MustParseAddr("::1")))
		})
	}
	for _, text := range []string{"", "/", "10.0.0.0/", "/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0/8", "010.0.0.0/8", "fe80::1%eth0", "fe80::%eth0/10", "::/129", "example.com", "10.0.0.0/8 ", "127.0.0.1:443", strings.Repeat("1", 1<<20)} {
		_, err := tlsconfig.ParsePrefixes("::1", text)
		require.ErrorIs(t, err, tlsconfig.ErrInvalid, "%.60q", text)
		require.Less(t, len(err.Error()), 300)
	}
}

// TestAllowListProperty: a list is what net/netip says of its prefixes, one by one.
func TestAllowListProperty(t *testing.T) {
	addr := rapid.Custom(func(t *rapid.T) netip.Addr {
		// Few values, so that prefixes meet addresses.
		octet := rapid.SampledFrom([]byte{0, 1, 127, 128, 255})
		switch rapid.IntRange(0, 2).Draw(t, "family") {
		case 0:
			return netip.AddrFrom4([4]byte{octet.Draw(t, "a"), octet.Draw(t, "b"), octet.Draw(t, "c"), octet.Draw(t, "d")})
		case 1:
			return netip.AddrFrom16([16]byte{10: 255, 11: 255, 12: octet.Draw(t, "a"), 13: octet.Draw(t, "b"), 15: octet.Draw(t, "d")})
		}
		return netip.AddrFrom16([16]byte{octet.Draw(t, "a"), 7: octet.Draw(t, "b"), 8: octet.Draw(t, "c"), 15: octet.Draw(t, "d")})
	})
	rapid.Check(t, func(t *rapid.T) {
		a := &tlsconfig.AllowList{}
		for range rapid.IntRange(1, 3).Draw(t, "lists") {
			var list, plain []netip.Prefix
			for range rapid.IntRange(0, 8).Draw(t, "prefixes") {
				from := addr.Draw(t, "prefix")
				bits, shift := rapid.IntRange(0, from.Unmap().BitLen()).Draw(t, "bits"), from.BitLen()-from.Unmap().BitLen()
				p := netip.PrefixFrom(from, bits+shift).Masked()
				list, plain = append(list, p), append(plain, netip.PrefixFrom(from.Unmap(), bits).Masked())
			}
			require.NoError(t, a.Replace(list))
			for range 20 {
				who := addr.Draw(t, "who")
				want := false
				for _, p := range plain {
					want = want || p.Contains(who.Unmap())
				}
				require.Equal(t, want, a.Contains(who), "%v in %v", who, list)
			}
		}
	})
}

// FuzzAllowList: texts become prefixes and lists, or errors of a bounded size, and never a list that has others than they say.
func FuzzAllowList(f *testing.F) {
	for _, seed := range []string{"10.0.0.0/8", "192.0.2.1", "::/0", "::ffff:10.0.0.0/104", "fe80::1%eth0", "2001:db8::1/64", "", "/", "0.0.0.0/0,::/0"} {
		f.Add(seed, "10.1.2.3")
	}
	f.Fuzz(func(t *testing.T, texts, who string) {
		list, err := tlsconfig.ParsePrefixes(strings.Split(texts, ",")...)
		if err != nil {
			require.ErrorIs(t, err, tlsconfig.ErrInvalid)
			require.Less(t, len(err.Error()), 1000)
			return
		}
		a, err := tlsconfig.NewAllowList(list)
		if err != nil {
			require.ErrorIs(t, err, tlsconfig.ErrInvalid)
			require.Less(t, len(err.Error()), 1000)
			return
		}
		addr, err := netip.ParseAddr(who)
		if err != nil {
			addr = list[0].Addr()
		}
		want := false
		for _, p := range list {
			require.Equal(t, p.Masked(), p)
			require.True(t, a.Contains(p.Addr()))
			if p.Addr().Is4In6() {
				p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
			}
			want = want || p.Contains(addr.Unmap().WithZone(""))
		}
		require.Equal(t, want, a.Contains(addr))
	})
}
