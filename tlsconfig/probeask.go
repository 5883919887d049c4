package tlsconfig

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/internal/clienthello"
)

// probing is one endpoint that is looked at, and what was seen of it.
type probing struct {
	endpoint Endpoint
	host     string         // that the certificate is to be for
	name     string         // that is asked for, "" for an address
	roots    *x509.CertPool // nil: the certificate is not verified
	slots    chan struct{}
	opening  clienthello.Hello // that it has agreed to
	mutual   bool              // the policy demands certificates of clients

	mu          sync.Mutex // of all below, until look returns
	address     string     // that was connected to
	connections int
	unsteady    bool                // it has refused what it agrees to
	missed      int                 // questions without an answer
	failed      error               // the first of them; nil if all were answered
	suites      map[uint16][]uint16 // by version: all that it agrees to
	groups      []group
	protocols   []string
	chains      [][]*x509.Certificate
	clients     string
	unknown     string
	resumes     []uint16
	hsts        *string  // nil if it gave no answer to look at
	odd         []string // what no server should do
	notSeen     []string
}

// tries is how often a question is asked that is not answered.
const tries = 3

// What a question comes to that is not answered.
var (
	errGivenUp = errors.New("it has left too many questions unanswered, or taken too many connections")
	errHungUp  = errors.New("it hangs up without a word, also on what it has agreed to before")
	errChanged = errors.New("it refuses what it has agreed to before")
	errFails   = errors.New("it now and then refuses what it agrees to: what it has refused may be no refusal")
	errOdd     = errors.New("it answers with what was not offered")
	errNoChain = errors.New("its certificate was not seen")
	errClients = errors.New("whether it demands certificates of clients was not seen, and the policy demands them")
)

// open makes a connection, when it is the turn of this one. The caller calls done.
func (q *probing) open(ctx context.Context) (conn net.Conn, done func(), err error) {
	select {
	case q.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	release := func() { <-q.slots }
	q.mu.Lock()
	over := q.missed >= maxUnanswered || q.connections >= maxAnswered
	if !over {
		q.connections++
	}
	q.mu.Unlock()
	if over {
		release()
		return nil, nil, errGivenUp
	}
	if conn, err = q.dial(ctx); err != nil {
		release()
		return nil, nil, err
	}
	return conn, func() {
		_ = conn.Close()
		release()
	}, nil
}

// dial connects to the endpoint: of several addresses of its name always to the same.
func (q *probing) dial(ctx context.Context) (net.Conn, error) {
	if q.endpoint.Dial != nil {
		return q.endpoint.Dial(ctx, "tcp", q.endpoint.Address)
	}
	q.mu.Lock()
	address := cmp.Or(q.address, q.endpoint.Address)
	q.mu.Unlock()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err == nil {
		q.mu.Lock()
		q.address = conn.RemoteAddr().String()
		q.mu.Unlock()
	}
	return conn, err
}

// once asks one question on one connection.
func (q *probing) once(ctx context.Context, h clienthello.Hello) (clienthello.Answer, error) {
	conn, done, err := q.within(ctx)
	if err != nil {
		return clienthello.Answer{}, err
	}
	defer done()
	answer, err := clienthello.Probe(conn.ctx, conn, h)
	if err == nil && answer.Outcome == clienthello.Agreed && !offered(h, answer) {
		q.note(&q.odd, "it answers a ClientHello with a version, suite or group that was not offered")
		answer = clienthello.Answer{Outcome: clienthello.Refused}
	}
	return answer, err
}

// timed is a connection with the context that bounds its question.
type timed struct {
	net.Conn
	ctx context.Context
}

// within opens a connection for one question.
func (q *probing) within(ctx context.Context) (timed, func(), error) {
	ctx, cancel := context.WithTimeout(ctx, questionTime)
	conn, done, err := q.open(ctx)
	if err != nil {
		cancel()
		return timed{}, nil, err
	}
	return timed{conn, ctx}, func() { done(); cancel() }, nil
}

// patiently asks until there is an answer, up to tries times. What it returns is noted as missed.
func (q *probing) patiently(ctx context.Context, question func() error) error {
	var err error
	for i := range tries {
		if err = question(); err == nil || errors.Is(err, errGivenUp) || ctx.Err() != nil {
			break
		}
		if i == tries-1 {
			break
		}
		select {
		case <-time.After(time.Duration(i+1) * 200 * time.Millisecond): // for one that limits how fast connections come
		case <-ctx.Done():
		}
	}
	if err == nil {
		return nil
	}
	err = bare(err)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.missed++
	if q.failed == nil {
		q.failed = err
	}
	return err
}

// ask returns what the endpoint answers: an agreement or a refusal. The error is that it does not answer. What may be a failure counts as a refusal if it comes each time, though the endpoint agrees to others in between.
func (q *probing) ask(ctx context.Context, h clienthello.Hello) (clienthello.Answer, error) {
	h.ServerName = q.name
	var answer clienthello.Answer
	err := q.patiently(ctx, func() (err error) {
		for i := range tries {
			if answer, err = q.once(ctx, h); err != nil || answer.Outcome == clienthello.Agreed || answer.Outcome == clienthello.Refused && refusing(answer.Alert.Error()) {
				if i > 0 && err == nil && answer.Outcome == clienthello.Agreed {
					q.fails()
				}
				return err
			}
			if answer.Outcome == clienthello.Refused && q.opening.Suites == nil {
				return nil
			}
			for range 1 + i%2 { // so that it is not just every other connection that fails
				if err := q.stillThere(ctx); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return answer, err
}

// stillThere says whether the endpoint answers what it has agreed to before: if not, that it hangs up is no refusal.
func (q *probing) stillThere(ctx context.Context) error {
	if q.opening.Suites == nil {
		return errHungUp
	}
	switch answer, err := q.once(ctx, q.opening); {
	case err != nil || answer.Outcome == clienthello.Agreed:
		return err
	case answer.Outcome == clienthello.Refused:
		q.fails()
		return errChanged
	}
	q.fails()
	return errHungUp
}

// fails notes that the endpoint has refused what it agrees to at other times.
func (q *probing) fails() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.unsteady = true
}

// note adds to a list, once.
func (q *probing) note(list *[]string, format string, args ...any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	for _, noted := range *list {
		if noted == text {
			return
		}
	}
	*list = append(*list, text)
}

// unseen notes what was not seen, and why.
func (q *probing) unseen(what string, err error) {
	q.note(&q.notSeen, "%s: %q", what, plain(err))
}
