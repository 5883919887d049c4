// Package clienthello asks a TLS server one question: a ClientHello with exactly what one wants to know of, old versions, broken cipher suites and any group included, which no client library sends. It reads what the server answers in the clear,
// and ends there: no key is made, nothing is verified, no certificate is looked at.
package clienthello

import (
	"context"
	"fmt"
	"net"
	"time"
)

// Probe sends h over conn and returns what the server answers. It returns when the answer is complete or ctx ends, and has no other limit of time. conn is of no further use then, but its owner still closes it.
//
// The error is that of ctx, of conn, of a Hello that can't be sent, or wraps ErrNotTLS.
func Probe(ctx context.Context, conn net.Conn, h Hello) (Answer, error) {
	record, err := h.record()
	if err != nil {
		return Answer{}, err
	}
	stop := context.AfterFunc(ctx, func() {
		_ = conn.SetDeadline(time.Unix(1, 0)) // in the past: ends reads and writes; a conn that has failed ends them itself
	})
	defer stop()
	var answer Answer
	if _, err = conn.Write(record); hungUp(err) {
		answer, err = Answer{Outcome: Closed}, nil
	} else if err == nil {
		answer, err = readAnswer(conn)
	}
	if ctx.Err() != nil {
		return Answer{}, fmt.Errorf("clienthello: no answer: %w", ctx.Err())
	}
	if err != nil {
		return Answer{}, fmt.Errorf("clienthello: %w", err)
	}
	return answer, nil
}
