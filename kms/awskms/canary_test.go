package awskms

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
	"github.com/holdfast-go/holdfast/kms"
)

// What must not be in the text of an error: a key, and a value of the context it belongs to.
const (
	canary        = "canary-0123456789-canary-abcdef!"
	contextCanary = "tenant-canary-4711"
)

// requireQuiet requires that no text of err, and of nothing that it wraps, holds a canary in any form.
func requireQuiet(t testing.TB, err error) {
	t.Helper()
	require.Error(t, err)
	var texts []string
	var walk func(error)
	walk = func(err error) {
		if err == nil {
			return
		}
		texts = append(texts, fmt.Sprintf("%v %+v %#v %q", err, err, err, err))
		walk(errors.Unwrap(err))
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			for _, one := range several.Unwrap() {
				walk(one)
			}
		}
	}
	walk(err)
	all := strings.Join(texts, "\n")
	for _, secret := range []string{canary, contextCanary} {
		for _, form := range []string{
			secret[:10],
			hex.EncodeToString([]byte(secret))[:20],
			base64.StdEncoding.EncodeToString([]byte(secret))[:12],
			strings.Trim(fmt.Sprint([]byte(secret[:10])), "[]"),
		} {
			require.NotContains(t, all, form)
		}
	}
}

// TestCanary shows that no error holds a key or a context value: not when the service repeats them in every place that it has.
func TestCanary(t *testing.T) {
	s := awskmstest.New(t)
	client := s.Client(region, func(o *sdk.Options) { o.Retryer = aws.NopRetryer{} })
	d, err := newDriver(t.Context(), client, s.CreateKey(region), nil)
	require.NoError(t, err)
	ec := kms.Context{"tenant": contextCanary}
	w, err := d.Wrap(t.Context(), []byte(canary), ec)
	require.NoError(t, err)
	echo := canary + contextCanary
	faults := map[string]awskmstest.Fault{
		"status 500":            {Status: 500, Body: []byte(echo)},
		"status 403":            {Status: 403, Body: []byte(echo)},
		"status 200":            {Body: []byte(echo)},
		"JSON text":             {Body: []byte(fmt.Sprintf("%q", echo))},
		"JSON object":           {Body: []byte(fmt.Sprintf(`{"KeyId":%q,"Plaintext":%q}`, echo, echo))},
		"code":                  {Status: 400, Body: []byte(fmt.Sprintf(`{"__type":%q}`, echo))},
		"drop":                  {Drop: true},
		"cut":                   {Cut: 10},
		"cut at once":           {Cut: -1},
		"request id":            {Code: "AccessDeniedException", Header: map[string]string{"X-Amzn-Requestid": echo}},
		"request id of an '{}'": {Body: []byte("{}"), Header: map[string]string{"X-Amzn-Requestid": echo}},
		"edited": {Edit: func(answer map[string]any) {
			for name := range answer {
				answer[name] = echo
			}
		}},
	}
	for code := range modelled {
		faults[code] = awskmstest.Fault{Code: code, Message: echo}
	}
	for code := range unmodelled {
		faults[code] = awskmstest.Fault{Code: code, Message: echo}
	}
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		f := faults[name]
		s.Inject(func(string, int) *awskmstest.Fault { return &f })
		_, err := d.Wrap(t.Context(), []byte(canary), ec)
		requireQuiet(t, err)
		_, err = d.Unwrap(t.Context(), w, ec)
		requireQuiet(t, err)
		_, err = d.Describe(t.Context())
		requireQuiet(t, err)
		requireQuiet(t, d.Rotate(t.Context()))
	}
	s.Inject(nil)
	_, err = d.Unwrap(t.Context(), w, kms.Context{"tenant": contextCanary + "x"})
	requireClass(t, kms.ErrCiphertext, err)
	requireQuiet(t, err)
}
