package awskms

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// endless is a body without an end. It counts what is read.
type endless struct {
	io.Reader
	read   int
	closed bool
}

func (e *endless) Read(p []byte) (int, error) {
	n, _ := e.Reader.Read(p)
	if e.read > 10*maxAnswer {
		return 0, io.ErrUnexpectedEOF // the test has failed
	}
	if n == 0 {
		n = copy(p, strings.Repeat(" ", len(p)))
	}
	e.read += n
	return n, nil
}

func (e *endless) Close() error {
	e.closed = true
	return nil
}

// TestLongAnswers requires that an answer which never ends is not read on and on.
func TestLongAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"answer":      {200, `{"KeyId":"` + testARN + `"`},
		"long string": {200, `{"KeyId":"`},
		"error":       {400, `{"__type":"SlowDownOrNot","message":"`},
		"page":        {502, "<html>"},
	} {
		t.Run(name, func(t *testing.T) {
			for operation, run := range operations {
				body := &endless{Reader: strings.NewReader(c.body)}
				answer := func(sent request) (*http.Response, error) {
					r, err := reply(c.status, "")(sent)
					r.Body, r.ContentLength = body, -1
					return r, err
				}
				err := run(t.Context(), driverOver(t, &wire{answer: answer}, testARN))
				requireClass(t, kms.ErrUnavailable, err)
				require.LessOrEqual(t, body.read, maxAnswer, operation)
				require.True(t, body.closed, operation)
			}
		})
	}
}

// TestLongestAnswer takes the longest description that a key may have.
func TestLongestAnswer(t *testing.T) {
	d := driverOver(t, &wire{answer: answers(map[string]func(request) (*http.Response, error){
		"DescribeKey":          description(t, "Enabled", map[string]any{"Description": strings.Repeat("<", 8192)}), // \u003c
		"GetKeyRotationStatus": reply(400, `{"__type":"AccessDeniedException"}`),
	})}, testARN)
	_, err := d.Describe(t.Context())
	require.NoError(t, err)
}

// TestLongRotationStatus is the second call of Describe.
func TestLongRotationStatus(t *testing.T) {
	body := &endless{Reader: strings.NewReader(`{"KeyId":"`)}
	w := &wire{answer: answers(map[string]func(request) (*http.Response, error){
		"DescribeKey": description(t, "Enabled", nil),
		"GetKeyRotationStatus": func(sent request) (*http.Response, error) {
			r, err := reply(200, "")(sent)
			r.Body, r.ContentLength = body, -1
			return r, err
		},
	})}
	_, err := driverOver(t, w, testARN).Describe(t.Context())
	requireClass(t, kms.ErrUnavailable, err)
	require.LessOrEqual(t, body.read, maxAnswer)
}
