package tlsconfig

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const floorOwner = "platform team <platform@example.com>"

// floorFresh gives the test a process without a floor, and the next one too.
func floorFresh(t *testing.T) {
	ForgetFloor()
	t.Cleanup(ForgetFloor)
}

func TestNoFloorGivesThePolicyItself(t *testing.T) {
	floorFresh(t)
	for _, explicit := range []bool{true, false} {
		p, err := underFloor(Policy{}, explicit)
		require.NoError(t, err)
		require.Equal(t, Recommended(), p)
	}
	modern := MozillaModern()
	p, err := underFloor(modern, true)
	require.NoError(t, err)
	require.Equal(t, modern, p)
}

func TestFloorTightensWhatNobodyChose(t *testing.T) {
	floorFresh(t)
	require.NoError(t, SetFloor(InternalMTLS(), floorOwner))
	p, err := underFloor(Policy{}, false)
	require.NoError(t, err)
	require.Equal(t, InternalMTLS(), p)

	ForgetFloor()
	own, err := ParsePolicy([]byte(`{"name": "own", "min_version": "1.3", "groups": ["P-521", "P-256"], "keys": ["Ed25519", "ECDSA-P256"], "ticket_minutes": 5}`))
	require.NoError(t, err)
	require.NoError(t, SetFloor(own, floorOwner))
	p, err = underFloor(Policy{}, false)
	require.NoError(t, err)
	require.Equal(t, "own+recommended-2026", p.Name())
	require.Empty(t, p.rules().weakerThan(own.rules()))
	require.Empty(t, p.rules().weakerThan(Recommended().rules()))
}

func TestFloorWithNothingInCommonIsAnError(t *testing.T) {
	floorFresh(t)
	own, err := ParsePolicy([]byte(`{"name": "own", "min_version": "1.3", "groups": ["P-521"], "keys": ["RSA"]}`))
	require.NoError(t, err)
	require.NoError(t, SetFloor(own, floorOwner))
	_, err = underFloor(Policy{}, false)
	require.ErrorIs(t, err, ErrInvalid)
}

func TestFloorRefusesWhatIsWeaker(t *testing.T) {
	for _, c := range []struct {
		name, policy string // over internal-mtls-2026, which is the floor
		says         string
	}{
		{"version", `"min_version": "1.2", "suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]`, "it allows TLS 1.2"},
		{"groups", `"groups": ["X25519", "P-521"]`, "it allows groups P-521"},
		{"keys", `"keys": ["RSA", "Ed25519"]`, "it allows keys Ed25519"},
		{"life", `"certificate_days": 8`, "own certificates of 8 days, not 7"},
		{"endless life", `"certificate_days": 0`, "no limit for the life of own certificates, not 7 days"},
		{"clients", `"require_clients": false`, "without verified clients"},
		{"roots", `"private_roots": false`, "roots of the system"},
		{"equal", `"certificate_days": 7`, ""},
		{"stricter", `"groups": ["X25519MLKEM768"], "keys": ["ECDSA-P256"], "certificate_days": 1, "rsa_bits": 3072, "fips140": true, "ticket_minutes": 1`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			floorFresh(t)
			require.NoError(t, SetFloor(InternalMTLS(), floorOwner))
			p, err := ParsePolicy([]byte(`{"name": "service", "base": "internal-mtls-2026", ` + c.policy + `}`))
			require.NoError(t, err)
			got, err := underFloor(p, true)
			if c.says == "" {
				require.NoError(t, err)
				require.Equal(t, p, got)
				return
			}
			require.ErrorIs(t, err, ErrWeaker)
			require.Equal(t, Policy{}, got)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, floorOwner, "whom to ask")
			require.ErrorContains(t, err, "service")
			require.ErrorContains(t, err, "internal-mtls-2026")
		})
	}
	for _, c := range []struct{ floor, policy, says string }{
		{`"suites": ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]`, `"suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]`, "it allows suites TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		{`"rsa_bits": 3072`, `"rsa_bits": 2048`, "RSA keys of 2048 bits, not from 3072"},
		{`"ticket_minutes": 60`, `"ticket_minutes": 61`, "tickets of 61 minutes, not 60"},
		{`"fips140": true`, `"fips140": false`, "without FIPS 140-3 mode"},
	} {
		floor, err := ParsePolicy([]byte(`{"name": "floor", "base": "recommended-2026", ` + c.floor + `}`))
		require.NoError(t, err)
		p, err := ParsePolicy([]byte(`{"name": "service", "base": "recommended-2026", ` + c.policy + `}`))
		require.NoError(t, err)
		require.Contains(t, strings.Join(p.rules().weakerThan(floor.rules()), "; "), c.says)
	}
}

// A zero policy that was asked for by name is held to the floor, not tightened.
func TestFloorRefusesExplicitRecommended(t *testing.T) {
	floorFresh(t)
	require.NoError(t, SetFloor(MozillaModern(), floorOwner))
	_, err := underFloor(Recommended(), true)
	require.ErrorIs(t, err, ErrWeaker)
}

func TestSetFloorInAllOrders(t *testing.T) {
	modern := MozillaModern()
	renamed, err := ParsePolicy([]byte(`{"name": "ours", "base": "mozilla-modern-6.0"}`))
	require.NoError(t, err)
	set := func(p Policy, owner string) func() error { return func() error { return SetFloor(p, owner) } }
	build := func() error { _, err := underFloor(Policy{}, false); return err }
	for _, c := range []struct {
		name  string
		first func() error
		then  func() error
		want  error
	}{
		{"same again", set(modern, "a"), set(MozillaModern(), "a"), nil},
		{"same by another name again", set(modern, "a"), set(renamed, "a"), nil},
		{"another owner", set(modern, "a"), set(modern, "b"), ErrInvalid},
		{"another policy", set(modern, "a"), set(InternalMTLS(), "a"), ErrInvalid},
		{"a stricter policy", set(Recommended(), "a"), set(modern, "a"), ErrInvalid},
		{"too late", build, set(modern, "a"), ErrWeaker},
		{"build after", set(modern, "a"), build, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			floorFresh(t)
			require.NoError(t, c.first())
			require.ErrorIs(t, c.then(), c.want)
		})
	}
	t.Run("same again after a build", func(t *testing.T) {
		floorFresh(t)
		require.NoError(t, SetFloor(modern, "a"))
		require.NoError(t, build())
		require.NoError(t, SetFloor(modern, "a"))
		require.ErrorIs(t, SetFloor(InternalMTLS(), "a"), ErrInvalid)
	})
	t.Run("a refused config counts as one", func(t *testing.T) {
		floorFresh(t)
		_, err := underFloor(Recommended(), true)
		require.NoError(t, err)
		require.ErrorIs(t, SetFloor(modern, "a"), ErrWeaker)
		p, err := underFloor(Policy{}, false)
		require.NoError(t, err)
		require.Equal(t, Recommended(), p, "a floor that came too late is none")
	})
}

func TestSetFloorWantsAnOwner(t *testing.T) {
	floorFresh(t)
	for _, owner := range []string{"", "a\nb", "a\x00", "\xff", strings.Repeat("o", 129), "\u202eevil"} {
		require.ErrorIs(t, SetFloor(MozillaModern(), owner), ErrInvalid, "%q", owner)
	}
	require.NoError(t, SetFloor(MozillaModern(), strings.Repeat("o", 128)), "the refused ones left no floor")
}

// Whoever comes first: either the floor is set and every config keeps it, or a config came first and there is no floor.
func TestFloorConcurrently(t *testing.T) {
	for range 50 {
		floorFresh(t)
		var wait sync.WaitGroup
		var setErr error
		policies := make([]Policy, 4)
		wait.Go(func() { setErr = SetFloor(MozillaModern(), "a") })
		for i := range policies {
			wait.Go(func() {
				p, err := underFloor(Policy{}, false)
				if err == nil {
					policies[i] = p
				}
			})
		}
		wait.Wait()
		want := MozillaModern()
		if setErr != nil {
			require.ErrorIs(t, setErr, ErrWeaker)
			want = Recommended()
		}
		for _, p := range policies {
			require.Equal(t, want, p)
		}
	}
}

// A policy is weaker than another exactly if tightening by the other changes it.
func TestWeakerIsWhatTighteningChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func() *rules {
			r := *judgePolicy(t).r
			r.rsaBits = rapid.SampledFrom([]int{2048, 3072}).Draw(t, "bits")
			r.leafDays = rapid.SampledFrom([]int{0, 7, 90}).Draw(t, "days")
			r.ticketMinutes = rapid.SampledFrom([]int{5, 60}).Draw(t, "minutes")
			r.clients, r.privateRoots, r.fips = rapid.Bool().Draw(t, "clients"), rapid.Bool().Draw(t, "roots"), rapid.Bool().Draw(t, "fips")
			return &r
		}
		a, b := draw(), draw()
		require.Equal(t, meet(a, b).same(a), len(a.weakerThan(b)) == 0)
		require.Empty(t, meet(a, b).weakerThan(a))
		require.Empty(t, meet(a, b).weakerThan(b))
		require.Empty(t, a.weakerThan(a))
	})
}
