// Command tls-http is an HTTPS server and its clients in one process, with certificates on both sides. It moves them to
// another CA while requests go on. ca.go stands for your PKI, counts.go for your metrics.
//
//	go run ./examples/tls-http
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// The platform team's rules come from a file or a package of theirs. A service may ask for stricter ones: here a client
// does, which is old and has no post-quantum groups.
const (
	platformRules = `{"name": "example-2026", "base": "internal-mtls-2026", "certificate_days": 2}`
	classicRules  = `{"name": "classic", "base": "internal-mtls-2026", "certificate_days": 2, "groups": ["P-256", "P-384"]}`
)

func main() {
	log.SetFlags(0)
	dir := flag.String("dir", "", "the `folder` in which to make a temporary one (default: that of the system)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *dir); err != nil {
		log.Fatal("tls-http: ", err)
	}
}

func run(ctx context.Context, out io.Writer, dir string) error {
	floor, err := tlsconfig.ParsePolicy([]byte(platformRules))
	if err != nil {
		return err
	}
	if err := tlsconfig.SetFloor(floor, "platform team <platform@example.org>"); err != nil {
		return err
	}
	p, err := newPKI(dir)
	if err != nil {
		return err
	}
	defer p.close()

	seen := &counts{of: map[string]int{}, news: make(chan tlsconfig.Event, 16)}
	roots, identity := tlsconfig.RootFiles(p.roots), tlsconfig.Files(p.client, p.client)
	server, err := tlsconfig.NewServer(ctx, tlsconfig.Files(p.server, p.server), &tlsconfig.ServerOptions{
		Clients:    &tlsconfig.Clients{Roots: roots, Allow: tlsconfig.SPIFFE(clientID)},
		Observer:   seen,
		ReportOnly: new(tlsconfig.PostQuantumRequired()), // refuses nobody, and tells whom it would
	})
	if err != nil {
		return err
	}
	defer server.Close()
	client, err := tlsconfig.NewClient(ctx, roots, &tlsconfig.ClientOptions{Identity: identity, Observer: seen})
	if err != nil {
		return err
	}
	defer client.Close()
	report, err := tlsconfig.Audit(ctx, floor, tlsconfig.ServerConfig("server", server.Config()), tlsconfig.ClientConfig("client", client.Snapshot(host)))
	if err != nil {
		return err
	}
	if err := errors.Join(report.Err(), tlsconfig.AuditProcess(floor).Err()); err != nil {
		return err // rather than start
	}
	seen.forget() // the audit's handshakes
	fmt.Fprintf(out, "The audit finds no violation of %s. Healthy says:\n  %v\n", floor.Name(), server.Healthy())

	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return err
	}
	web, served := &http.Server{Handler: http.HandlerFunc(hello)}, make(chan error, 1)
	go func() { served <- server.Serve(web, l) }()
	defer web.Close()
	url := fmt.Sprintf("https://%s:%d", host, l.Addr().(*net.TCPAddr).Port)

	rules, err := tlsconfig.ParsePolicy([]byte(classicRules))
	if err != nil {
		return err
	}
	classic, err := tlsconfig.NewClient(ctx, roots, &tlsconfig.ClientOptions{Identity: identity, Policy: rules})
	if err != nil {
		return err
	}
	defer classic.Close()
	transport, err := classic.Transport(nil)
	if err != nil {
		return err
	}
	if err := get(ctx, transport, url); err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	moved := make(chan error, 1)
	work.Go(func() { moved <- p.move(ctx, seen) })
	requests, err := askUntil(ctx, moved, client, url)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Moved to another CA: %d requests meanwhile, none failed. Handshakes at the server:\n%v", requests, seen)
	if err := server.Healthy(); err != nil {
		return err
	}
	fmt.Fprintf(out, "Healthy: the certificate ends in %.0f minutes.\n", time.Until(server.Expiry()).Minutes())
	if err := web.Shutdown(ctx); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// hello knows its client by the verified certificate.
func hello(w http.ResponseWriter, r *http.Request) {
	peer, _ := tlsconfig.Peer(r.TLS)
	fmt.Fprint(w, "hello ", peer.SPIFFE)
}
