package tlsconfig_test

import (
	"crypto/tls"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/tlsconfig"
)

// TestSharedPolicyFileFromTheFuture: who joins while a file waits for its time hears of that, and takes it when the others do.
func TestSharedPolicyFileFromTheFuture(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		l := newPolicyFileLab(t)
		modern, pq := tlsconfig.MozillaModern(), tlsconfig.PostQuantumRequired()
		writeFile(t, l.path, l.signer.sign(t, document(1, &modern)))
		file := l.file()
		first, second := &events{}, &events{}
		server := l.newServer(t, &tlsconfig.ServerOptions{Central: file, Observer: first})
		next := document(2, &pq)
		next.NotBefore, next.Expires = time.Now().Add(40*time.Minute), time.Now().Add(2*time.Hour)
		writeFile(t, l.path, l.signer.sign(t, next))
		time.Sleep(5 * time.Minute)
		client := l.newClient(t, &tlsconfig.ClientOptions{Central: file, Observer: second})
		for _, seen := range []*events{first, second} {
			require.Len(t, seen.of(tlsconfig.KindPolicy), 1)
			require.Equal(t, tlsconfig.ReasonNotYetValid, seen.of(tlsconfig.KindPolicy)[0].Reason)
		}
		require.NoError(t, client.Healthy())
		time.Sleep(36 * time.Minute)
		require.Equal(t, pq.Name(), server.Policy().Name())
		require.Equal(t, pq.Name(), client.Policy().Name())
		for _, seen := range []*events{first, second} {
			require.Len(t, seen.of(tlsconfig.KindPolicy), 2)
			require.NoError(t, seen.of(tlsconfig.KindPolicy)[1].Err)
		}
		require.NoError(t, client.Close())
		require.NoError(t, server.Close())
	})
}

// TestWhoJoinsHearsWhatIsWrong: a file that is not taken when a Client joins is told to its Observer, as it was to the others.
func TestWhoJoinsHearsWhatIsWrong(t *testing.T) {
	l := newPolicyFileLab(t)
	pq, modern := tlsconfig.PostQuantumRequired(), tlsconfig.MozillaModern()
	writeFile(t, l.path, l.signer.sign(t, document(2, &pq)))
	file, seen := l.file(), &events{}
	l.newServer(t, &tlsconfig.ServerOptions{Central: file})
	writeFile(t, l.path, newSigner('z').sign(t, document(3, &modern)))
	client := l.newClient(t, &tlsconfig.ClientOptions{Central: file, Observer: seen})
	told := seen.of(tlsconfig.KindPolicy)
	require.Len(t, told, 1)
	require.Equal(t, tlsconfig.ReasonUntrusted, told[0].Reason)
	require.ErrorIs(t, told[0].Err, tlsconfig.ErrInvalid)
	require.ErrorIs(t, client.Healthy(), tlsconfig.ErrInvalid)
	require.NotEmpty(t, client.Inventory().Central.Problem)
	writeFile(t, l.path, l.signer.sign(t, document(4, &modern)))
	require.Eventually(t, func() bool { return len(seen.of(tlsconfig.KindPolicy)) == 2 }, time.Minute, time.Millisecond)
	require.NoError(t, seen.of(tlsconfig.KindPolicy)[1].Err)
	require.NoError(t, client.Healthy())
}

// TestUnkeptVersionIsUnhealthy: a version that only others can keep is a fault here, also once the next is there and waits for its time.
func TestUnkeptVersionIsUnhealthy(t *testing.T) {
	l := newPolicyFileLab(t)
	modern := tlsconfig.MozillaModern()
	writeFile(t, l.path, l.signer.sign(t, document(1, &modern)))
	file, seen := l.file(), &events{}
	server := l.newServer(t, &tlsconfig.ServerOptions{Central: file, Clients: l.clients()})
	client := l.newClient(t, &tlsconfig.ClientOptions{Central: file, Observer: seen}) // it shows no certificate
	writeFile(t, l.path, l.signer.sign(t, document(2, policyOf(t, `{"name": "mutual", "base": "mozilla-modern-6.0", "require_clients": true}`))))
	require.Eventually(t, func() bool { return server.Policy().Name() == "mutual" && client.Healthy() != nil }, time.Minute, time.Millisecond)
	second, err := os.ReadFile(l.path)
	require.NoError(t, err)
	told := func(last tlsconfig.Reason, n int) {
		t.Helper()
		require.Eventually(t, func() bool {
			all := seen.of(tlsconfig.KindPolicy)
			return len(all) == n && all[n-1].Reason == last
		}, time.Minute, time.Millisecond)
	}
	told(tlsconfig.ReasonOther, 1)
	next := document(3, &modern)
	next.NotBefore = time.Now().Add(30 * time.Minute)
	writeFile(t, l.path, l.signer.sign(t, next))
	told(tlsconfig.ReasonNotYetValid, 2)
	writeFile(t, l.path, second)
	told(tlsconfig.ReasonOther, 3)
	require.ErrorContains(t, seen.of(tlsconfig.KindPolicy)[2].Err, "version 2 can't be kept here")
	writeFile(t, l.path, l.signer.sign(t, next))
	told(tlsconfig.ReasonNotYetValid, 4)
	require.ErrorContains(t, client.Healthy(), "version 2 can't be kept here")
	require.Contains(t, client.Inventory().Central.Problem, "version 2 can't be kept here")
	require.Eventually(t, func() bool { return strings.Contains(server.Inventory().Central.Problem, "version 3 counts from") }, time.Minute, time.Millisecond)
	require.NoError(t, server.Healthy(), "it only waits for version 3")
	writeFile(t, l.path, l.signer.sign(t, document(4, &modern)))
	require.Eventually(t, func() bool { return client.Healthy() == nil }, time.Minute, time.Millisecond)
	require.EqualValues(t, 4, client.Inventory().Central.Version)
}

// slowEvents are events whose Observer waits in the first one of a policy.
type slowEvents struct {
	events
	wait func()
}

func (e *slowEvents) Observe(event tlsconfig.Event) {
	e.events.Observe(event)
	if event.Kind == tlsconfig.KindPolicy && len(e.of(tlsconfig.KindPolicy)) == 1 {
		e.wait()
	}
}

// TestTakenAndAnnouncedAtOnce: who takes one version late, and finds the next one waiting, hears of both.
func TestTakenAndAnnouncedAtOnce(t *testing.T) {
	l := newPolicyFileLab(t)
	modern, pq := tlsconfig.MozillaModern(), tlsconfig.PostQuantumRequired()
	writeFile(t, l.path, l.signer.sign(t, document(1, &modern)))
	stopped, goOn := make(chan struct{}), make(chan struct{})
	file, seen := l.file(), &slowEvents{wait: func() { close(stopped); <-goOn }}
	server := l.newServer(t, &tlsconfig.ServerOptions{Central: file, Observer: seen})
	writeFile(t, l.path, []byte("garbage"))
	<-stopped
	writeFile(t, l.path, l.signer.sign(t, document(2, &pq)))
	l.newClient(t, &tlsconfig.ClientOptions{Central: file}) // which takes it first
	next := document(3, &modern)
	next.NotBefore = time.Now().Add(30 * time.Minute)
	writeFile(t, l.path, l.signer.sign(t, next))
	close(goOn)
	require.Eventually(t, func() bool { return len(seen.of(tlsconfig.KindPolicy)) == 3 }, time.Minute, time.Millisecond)
	told := seen.of(tlsconfig.KindPolicy)
	require.NoError(t, told[1].Err)
	require.Equal(t, tlsconfig.ReasonNotYetValid, told[2].Reason)
	require.Equal(t, pq.Name(), server.Policy().Name())
	require.NoError(t, server.Healthy())
}

// TestReportOnlyAtTheStart: what could not be kept is told of the first file too, with the certificate in mind.
func TestReportOnlyAtTheStart(t *testing.T) {
	l := newPolicyFileLab(t)
	recommended := tlsconfig.Recommended()
	d := document(1, &recommended)
	d.ReportOnly = policyOf(t, `{"name": "day", "base": "recommended-2026", "certificate_days": 1}`)
	writeFile(t, l.path, l.signer.sign(t, d))
	seen := &events{}
	id := newSwapIdentity(l.server)
	server, err := tlsconfig.NewServer(t.Context(), id, &tlsconfig.ServerOptions{Central: l.file(), Observer: seen})
	require.NoError(t, err)
	defer server.Close()
	told := seen.of(tlsconfig.KindPolicy)
	require.Len(t, told, 1)
	require.ErrorContains(t, told[0].Err, "report_only of version 1")
	require.Contains(t, server.Inventory().Central.Problem, "report_only of version 1")
	require.NoError(t, server.Healthy())
	l.life = 20 * time.Hour
	id.swap(l.issue(servedHost))
	require.Eventually(t, func() bool { return server.Inventory().Central.Problem == "" }, time.Minute, time.Millisecond, "the certificate was in the way")
}

// TestReportOnlyWithNothingInCommon: what would leave no group or no kind of key would refuse everybody, and is reported of everybody.
func TestReportOnlyWithNothingInCommon(t *testing.T) {
	for name, c := range map[string]struct {
		report string
		reason tlsconfig.Reason
	}{
		"groups": {`{"name": "x", "min_version": "1.2", "suites": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"], "groups": ["P-384"], "keys": ["ECDSA-P256"]}`, tlsconfig.ReasonGroup},
		"keys":   {`{"name": "x", "min_version": "1.2", "suites": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"], "groups": ["P-256"], "keys": ["ECDSA-P384"]}`, tlsconfig.ReasonWeak},
	} {
		t.Run(name, func(t *testing.T) {
			l := newPolicyFileLab(t)
			own := policyOf(t, `{"name": "own", "min_version": "1.2", "suites": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"], "groups": ["P-256"], "keys": ["ECDSA-P256"]}`)
			d := document(1, nil)
			d.ReportOnly = policyOf(t, c.report)
			writeFile(t, l.path, l.signer.sign(t, d))
			atServer, atClient := &events{}, &events{}
			server := l.newServer(t, &tlsconfig.ServerOptions{Policy: *own, Central: l.file(), Observer: atServer})
			client := l.newClient(t, &tlsconfig.ClientOptions{Policy: *own, Central: l.file(), Observer: atClient})
			addr := echo(t, server.Config())
			both := l.plain()
			both.CurvePreferences = []tls.CurveID{tls.CurveP256, tls.CurveP384}
			mustHear(t, addr, both)
			mustHear(t, addr, client.Snapshot(servedHost))
			require.Len(t, atServer.of(tlsconfig.KindWouldRefuse), 2)
			require.Equal(t, c.reason, atServer.of(tlsconfig.KindWouldRefuse)[0].Reason)
			require.Len(t, atClient.of(tlsconfig.KindWouldRefuse), 1)
			require.Equal(t, c.reason, atClient.of(tlsconfig.KindWouldRefuse)[0].Reason)
			require.Len(t, atServer.of(tlsconfig.KindPolicy), 1)
			require.ErrorContains(t, atServer.of(tlsconfig.KindPolicy)[0].Err, "in common")
			require.Len(t, server.Inventory().ReportOnly, 1)
		})
	}
}

// TestEmptyPolicyFile: one that SignedPolicy did not make is an error.
func TestEmptyPolicyFile(t *testing.T) {
	l := newServed(t)
	_, err := tlsconfig.NewServer(t.Context(), tlsconfig.Static(l.server), &tlsconfig.ServerOptions{Central: &tlsconfig.PolicyFile{}})
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)
	require.ErrorContains(t, err, "SignedPolicy")
	_, err = tlsconfig.NewClient(t.Context(), l.roots(), &tlsconfig.ClientOptions{Central: new(tlsconfig.PolicyFile)})
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)
}
