package grpc

import "time"

type ServerOption interface{}

type Server struct{}

func NewServer(...ServerOption) *Server            { return nil }
func Creds(any) ServerOption                       { return nil }
func ConnectionTimeout(time.Duration) ServerOption { return nil }
