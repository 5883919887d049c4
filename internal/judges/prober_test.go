package judges_test

import (
	"crypto/tls"
	"net"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/clienthello"
)

const versionSSL30 = 0x0300

// judgeByProber asks for all cipher suites and all groups that have a number, 65536 each: thousands in one hello, again without what the server takes of them, until it takes none.
func judgeByProber(t *testing.T, s *server) {
	want := s.offer(s.key)
	refusal := func(version uint16) tls.AlertError {
		if _, ok := want[version]; ok {
			return 40 // handshake_failure: nothing in common
		}
		return 70 // protocol_version: whatever the suites
	}
	all := want[tls.VersionTLS13].groups
	got := offer{}
	for _, version := range []uint16{versionSSL30, tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		for suites := range slices.Chunk(numbers[uint16](notSuites...), chunk) {
			enumerate(t, s, clienthello.Hello{Versions: []uint16{version}, Suites: suites, Groups: all}, refusal(version), got, func(h *clienthello.Hello, a clienthello.Answer) {
				h.Suites = without(h.Suites, a.Suite)
			})
		}
		suites := got[version].suites
		if len(suites) == 0 {
			continue
		}
		for groups := range slices.Chunk(numbers[tls.CurveID](), chunk) {
			enumerate(t, s, clienthello.Hello{Versions: []uint16{version}, Suites: suites, Groups: groups}, refusal(version), got, func(h *clienthello.Hello, a clienthello.Answer) {
				h.Groups = without(h.Groups, a.Group)
			})
		}
	}
	require.Equal(t, want, got)

	// A version that is agreed to is the best in common.
	both := clienthello.Hello{Versions: []uint16{tls.VersionTLS12, tls.VersionTLS13}, Suites: slices.Concat(aead, got[tls.VersionTLS13].suites), Groups: all}
	require.Equal(t, uint16(tls.VersionTLS13), ask(t, s, both).Version)
}

// chunk is how many suites or groups a hello has.
const chunk = 4000

// notSuites are numbers among the suites that are signals (RFC 5746, RFC 7507). A server ends a connection for the second.
var notSuites = []uint16{0x00ff, 0x5600}

// numbers returns all numbers of 16 bits but a few.
func numbers[T ~uint16](but ...T) []T {
	var all []T
	for n := range 1 << 16 {
		if !slices.Contains(but, T(n)) {
			all = append(all, T(n))
		}
	}
	return all
}

// without returns a list without one of its members.
func without[T comparable](list []T, one T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(v T) bool { return v == one })
}

// enumerate adds what the server takes, again and again without it, until it refuses by this alert.
func enumerate(t *testing.T, s *server, h clienthello.Hello, refusal tls.AlertError, got offer, less func(*clienthello.Hello, clienthello.Answer)) {
	t.Helper()
	for {
		answer := ask(t, s, h)
		if answer.Outcome != clienthello.Agreed {
			require.Equal(t, clienthello.Answer{Outcome: clienthello.Refused, Alert: refusal}, answer)
			return
		}
		require.NotZero(t, answer.Suite)
		require.NotZero(t, answer.Group, "no forward secrecy")
		got.add(answer.Version, answer.Suite, answer.Group)
		before := len(h.Suites) + len(h.Groups)
		less(&h, answer)
		require.Less(t, len(h.Suites)+len(h.Groups), before, "the server answers with what was not offered: %+v", answer)
	}
}

func ask(t *testing.T, s *server, h clienthello.Hello) clienthello.Answer {
	t.Helper()
	conn, err := net.Dial("tcp", s.address())
	require.NoError(t, err)
	defer conn.Close()
	answer, err := clienthello.Probe(t.Context(), conn, h)
	require.NoError(t, err)
	return answer
}
