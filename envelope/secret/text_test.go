package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"reflect"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/secret"
	"github.com/holdfast-go/holdfast/internal/canary"
	"github.com/holdfast-go/holdfast/kms"
)

func TestTextRedaction(t *testing.T) {
	text := secret.NewText(string(canary.Bytes()))
	canary.RequireRedacted(t, canary.Holders(&text))
	canary.RequireName(t, "[secret]", &text)

	type configuration struct {
		Name  string
		Token secret.Text
	}
	config := configuration{"svc", text}
	b, err := xml.Marshal(config)
	require.NoError(t, err)
	require.Empty(t, canary.Leaks(string(b)))
	var out bytes.Buffer
	require.Error(t, gob.NewEncoder(&out).Encode(config))
	require.NoError(t, template.Must(template.New("").Parse("{{.Name}} {{.Token}}")).Execute(&out, config))
	require.Contains(t, out.String(), "svc [secret]")
	require.Empty(t, canary.Leaks(out.String()))

	defer func() { require.Empty(t, canary.Leaks(fmt.Sprintf("%v %+v %#v", recover(), config, text))) }()
	panic(config)
}

// TestTextEmpty has no printer tell an empty Text from another.
func TestTextEmpty(t *testing.T) {
	for _, text := range []secret.Text{{}, secret.NewText("")} {
		require.Empty(t, text.Reveal())
		require.Equal(t, "[secret]", fmt.Sprint(text))
		require.True(t, reflect.ValueOf(text).IsZero())
	}
}

func TestTextEqual(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		want       bool
	}{
		{"same", "correct horse", "correct horse", true},
		{"empty", "", "", true},
		{"one empty", "", "x", false},
		{"last byte", "aaaa", "aaab", false},
		{"first byte", "aaaa", "baaa", false},
		{"longer", "aaaa", "aaaaa", false},
		{"zero byte", "a", "a\x00", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, secret.NewText(c.a).Equal(secret.NewText(c.b)))
			require.Equal(t, c.want, secret.NewText(c.b).Equal(secret.NewText(c.a)))
		})
	}
	require.False(t, reflect.TypeFor[secret.Text]().Comparable(), "== would compare neither in constant time nor what is held")
}

// TestTextUnmarshal loads texts, and not what one prints as.
func TestTextUnmarshal(t *testing.T) {
	type config struct{ DSN secret.Text }
	for _, c := range []struct {
		name, in, want string
		ok             bool
	}{
		{"plain", `{"DSN":"postgres://"}`, "postgres://", true},
		{"spaces stay", `{"DSN":" a b "}`, " a b ", true},
		{"absent", `{}`, "", true},
		{"null", `{"DSN":null}`, "", true},
		{"empty", `{"DSN":""}`, "", true},
		{"printed", `{"DSN":"[secret]"}`, "", false},
		{"printed, spaces", `{"DSN":" [secret]\n"}`, "", false},
		{"number", `{"DSN":7}`, "", false},
		{"object", `{"DSN":{"a":"b"}}`, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got config
			err := json.Unmarshal([]byte(c.in), &got)
			require.Equal(t, c.ok, err == nil, "%v", err)
			require.Equal(t, c.want, got.DSN.Reveal())
		})
	}
	var text secret.Text
	require.ErrorIs(t, text.UnmarshalText([]byte("[secret]")), kms.ErrInvalid)

	b, err := json.Marshal(config{secret.NewText("hunter2")})
	require.NoError(t, err)
	require.JSONEq(t, `{"DSN":"[secret]"}`, string(b))
	require.Error(t, json.Unmarshal(b, new(config)), "what a config was printed as must not be one")
}

func TestTextUnmarshalCopies(t *testing.T) {
	b := []byte("hunter2")
	var text secret.Text
	require.NoError(t, text.UnmarshalText(b))
	clear(b)
	require.Equal(t, "hunter2", text.Reveal())
}
