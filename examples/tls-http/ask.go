package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

const pause = 5 * time.Millisecond // between two requests

// askUntil sends requests until done says something, and two more: by turns on a connection that stays and on a new one. It returns how many had their answer.
func askUntil(ctx context.Context, done <-chan error, c *tlsconfig.Client, url string) (n int, err error) {
	var transports [2]http.RoundTripper
	for i, base := range []*http.Transport{nil, {DisableKeepAlives: true}} {
		if transports[i], err = c.Transport(base); err != nil {
			return 0, err
		}
	}
	for last := math.MaxInt; n < last; n++ {
		select {
		case err := <-done:
			if err != nil {
				return n, err
			}
			done, last = nil, n+2
		case <-time.After(pause):
		}
		if err := get(ctx, transports[n%2], url); err != nil {
			return n, err
		}
	}
	return n, nil
}

// get wants the answer that is for this client.
func get(ctx context.Context, transport http.RoundTripper, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && string(text) != "hello "+clientID {
		err = fmt.Errorf("the answer is %q", text)
	}
	return err
}
