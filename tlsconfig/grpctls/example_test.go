package grpctls_test

import (
	"context"
	"fmt"
	"log"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/grpctls"
)

func ExampleNewServer() {
	server, err := tlsconfig.NewServer(context.Background(), tlsconfig.Files("tls.crt", "tls.key"), &tlsconfig.ServerOptions{
		Clients: &tlsconfig.Clients{Roots: tlsconfig.RootFiles("clients.pem"), Allow: tlsconfig.SPIFFE("spiffe://example.org/billing")},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	creds, err := grpctls.NewServer(server)
	if err != nil {
		log.Fatal(err)
	}
	s := grpc.NewServer(grpc.Creds(creds), grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if id, ok := grpctls.Peer(ctx); ok {
			fmt.Println("a call of", id.SPIFFE)
		}
		return next(ctx, r)
	}))
	defer s.Stop()
}

func ExampleNewClient() {
	client, err := tlsconfig.NewClient(context.Background(), tlsconfig.RootFiles("ca.pem"), &tlsconfig.ClientOptions{Identity: tlsconfig.Files("tls.crt", "tls.key")})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	creds, err := grpctls.NewClient(client)
	if err != nil {
		log.Fatal(err)
	}
	conn, err := grpc.NewClient("orders.internal:443", grpc.WithTransportCredentials(creds))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	_, err = grpc_health_v1.NewHealthClient(conn).Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		log.Fatal(err)
	}
}
