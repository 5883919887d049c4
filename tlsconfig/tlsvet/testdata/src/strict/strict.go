package strict

import "crypto/tls"

var c = &tls.Config{
	MinVersion:       tls.VersionTLS12,
	CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519},
}
