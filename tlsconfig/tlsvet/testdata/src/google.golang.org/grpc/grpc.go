package grpc

import (
	"time"

	"google.golang.org/grpc/credentials/insecure"
)

type ServerOption interface{}

type Server struct{}

func NewServer(...ServerOption) *Server            { return nil }
func Creds(any) ServerOption                       { return nil }
func ConnectionTimeout(time.Duration) ServerOption { return nil }

type DialOption interface{}

func WithTransportCredentials(any) DialOption { return nil }
func WithInsecure() DialOption                { return WithTransportCredentials(insecure.NewCredentials()) }
