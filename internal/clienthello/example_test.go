package clienthello_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net"

	"github.com/holdfast-go/holdfast/internal/clienthello"
)

func ExampleProbe() {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		_ = tls.Server(server, &tls.Config{Certificates: certificates(), MinVersion: tls.VersionTLS13}).Handshake()
	}()
	defer client.Close()

	answer, err := clienthello.Probe(context.Background(), client, clienthello.Hello{
		Versions: []uint16{tls.VersionTLS13},
		Suites:   []uint16{tls.TLS_AES_128_GCM_SHA256},
		Groups:   []tls.CurveID{tls.SecP384r1MLKEM1024},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Outcome, tls.VersionName(answer.Version), tls.CipherSuiteName(answer.Suite), answer.Group)
	// Output: agreed TLS 1.3 TLS_AES_128_GCM_SHA256 SecP384r1MLKEM1024
}
