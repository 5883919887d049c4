package mysql

type Config struct {
	TLSConfig                string
	AllowFallbackToPlaintext bool
}

func ParseDSN(string) (*Config, error) { return nil, nil }
