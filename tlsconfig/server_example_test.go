package tlsconfig_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

func ExampleNewServer() {
	dir, cert, key := examplePair("localhost") // yours come from your PKI
	defer os.RemoveAll(dir)

	ctx := context.Background()
	server, err := tlsconfig.NewServer(ctx, tlsconfig.Files(cert, key), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	h := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello over ", r.Proto) })}
	defer h.Close()
	go server.Serve(h, l)

	client, err := tlsconfig.NewClient(ctx, tlsconfig.RootFiles(cert), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	transport, err := client.Transport(nil)
	if err != nil {
		log.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	resp, err := (&http.Client{Transport: transport}).Get("https://localhost:" + port)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(string(body), err)
	fmt.Println(server.Expiry().After(time.Now()), server.Healthy())
	// Output:
	// hello over HTTP/2.0 <nil>
	// true <nil>
}

func ExampleNewClient() {
	dir, cert, _ := examplePair("db.example")
	defer os.RemoveAll(dir)

	client, err := tlsconfig.NewClient(context.Background(), tlsconfig.RootFiles(cert), &tlsconfig.ClientOptions{
		Policy:  tlsconfig.PostQuantumRequired(),
		Servers: tlsconfig.DNS("db.example"),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	config := client.Snapshot("db.example") // for a driver that takes a *tls.Config: one for each connection
	fmt.Println(config.ServerName, config.CurvePreferences)
	// Output: db.example [X25519MLKEM768 SecP256r1MLKEM768 SecP384r1MLKEM1024]
}
