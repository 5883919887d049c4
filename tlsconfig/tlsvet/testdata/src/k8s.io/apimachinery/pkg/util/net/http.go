package net

import "net/http"

func SetTransportDefaults(t *http.Transport) *http.Transport { return t }
