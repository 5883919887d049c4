package pgx

import "context"

func Connect(context.Context, string) (any, error) { return nil, nil }
func ParseConfig(string) (any, error)              { return nil, nil }
