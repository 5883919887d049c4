package tlsconfig_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

func ExampleServer_Guard() {
	dir, cert, key := examplePair("localhost") // yours come from your PKI
	defer os.RemoveAll(dir)

	ctx := context.Background()
	server, err := tlsconfig.NewServer(ctx, tlsconfig.Files(cert, key), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	prefixes, err := tlsconfig.ParsePrefixes("127.0.0.0/8", "10.0.0.0/8")
	if err != nil {
		log.Fatal(err)
	}
	allow, err := tlsconfig.NewAllowList(prefixes)
	if err != nil {
		log.Fatal(err)
	}
	guarded, err := server.Guard(l, &tlsconfig.GuardOptions{Allow: allow, Signatures: 200})
	if err != nil {
		log.Fatal(err)
	}
	h := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello over ", r.Proto) })}
	defer h.Close()
	go server.Serve(h, guarded)

	client, err := tlsconfig.NewClient(ctx, tlsconfig.RootFiles(cert), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ask := func() {
		transport, err := client.Transport(&http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
		}})
		if err != nil {
			log.Fatal(err)
		}
		resp, err := (&http.Client{Transport: transport}).Get("https://localhost")
		if err != nil {
			fmt.Println("refused:", server.Inventory().Refused)
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		fmt.Println(string(body), err)
	}
	ask()
	if err := allow.Replace(nil); err != nil { // nobody, from now on
		log.Fatal(err)
	}
	ask()
	// Output:
	// hello over HTTP/2.0 <nil>
	// refused: map[address:1]
}
