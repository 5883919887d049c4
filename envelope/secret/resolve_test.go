package secret_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/secret"
	"github.com/holdfast-go/holdfast/internal/canary"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

type resolveDatabase struct {
	Host     string
	Password secret.Text `secret:"password"`
	Pool     struct {
		Token secret.Text `secret:"pool.token,optional"`
	}
}

type resolveBase struct {
	Signing secret.Text `secret:"signing"`
}

type resolveConfig struct {
	resolveBase // not exported: what is promoted can be set all the same
	Listen      string
	DSN         secret.Text      `json:"dsn" secret:"db"`
	Hook        secret.Text      `secret:"hook,optional"`
	Note        secret.Text      `secret:"-"`
	Primary     resolveDatabase  `secret:"primary"`
	Replica     *resolveDatabase `secret:"eu/replica"`
	Missing     *resolveDatabase `secret:"missing"`
	Ignored     []secret.Text    `secret:"-"`
	Log         *slog.Logger
	Client      *http.Client
	Any         any
	Labels      map[string]any
	Left        []struct {
		Token secret.Text `secret:"-"`
	}
	callbacks []func()
}

func TestResolve(t *testing.T) {
	tn := envelopetest.New(t, nil).Tenant("config")
	file, err := json.Marshal(map[string]any{
		"Listen":  ":8080",
		"Signing": sealedText(t, tn, "signing", "s1"),
		"dsn":     sealedText(t, tn, "db", "s2"),
		"Note":    "as it is",
		"Primary": map[string]any{"Host": "a", "Password": sealedText(t, tn, "primary/password", "s3") + "\n"},
		"Replica": map[string]any{"Host": "b", "Password": sealedText(t, tn, "eu/replica/password", "s4"), "Pool": map[string]any{"Token": sealedText(t, tn, "eu/replica/pool.token", "s5")}},
		"Hook":    " \n",
		"Labels":  map[string]any{"a": []any{"b", 7}},
	})
	require.NoError(t, err)
	var cfg resolveConfig
	require.NoError(t, json.Unmarshal(file, &cfg))
	cfg.Log, cfg.Client, cfg.Any, cfg.callbacks = slog.Default(), http.DefaultClient, &cfg.Labels, []func(){func() {}}
	cfg.Labels["itself"] = cfg.Labels
	cfg.Labels["another package's"] = &struct{ any any }{secret.NewText("as it is")}
	cfg.Ignored = []secret.Text{secret.NewText("as it is")}

	require.NoError(t, secret.Resolve(t.Context(), tn, &cfg))
	require.Equal(t, "s1", cfg.Signing.Reveal())
	require.Equal(t, "s2", cfg.DSN.Reveal())
	require.Equal(t, "s3", cfg.Primary.Password.Reveal())
	require.Equal(t, "s4", cfg.Replica.Password.Reveal())
	require.Equal(t, "s5", cfg.Replica.Pool.Token.Reveal())
	require.Equal(t, "as it is", cfg.Note.Reveal())
	require.Equal(t, "as it is", cfg.Ignored[0].Reveal())
	require.Empty(t, cfg.Hook.Reveal())
	require.Empty(t, cfg.Primary.Pool.Token.Reveal())
	require.Nil(t, cfg.Missing)
	require.Equal(t, ":8080", cfg.Listen)

	require.ErrorIs(t, secret.Resolve(t.Context(), tn, &cfg), secret.ErrNotSealed, "a second time")
}

type resolveNode struct {
	Token secret.Text  `secret:"token"`
	Next  *resolveNode `secret:"next"`
}

type resolveEmbedded struct{ secret.Text }

// resolveLong returns a configuration with a place of 4 x 64 bytes.
func resolveLong(text secret.Text) any {
	tag := func(name string) reflect.StructTag { return reflect.StructTag(`secret:"` + name + `"`) }
	t := reflect.StructOf([]reflect.StructField{{Name: "Token", Type: reflect.TypeFor[secret.Text](), Tag: tag(strings.Repeat("t", 64))}})
	for range 3 {
		t = reflect.StructOf([]reflect.StructField{{Name: "Next", Type: t, Tag: tag(strings.Repeat("n", 63))}})
	}
	cfg := reflect.New(t)
	cfg.Elem().FieldByIndex([]int{0, 0, 0, 0}).Set(reflect.ValueOf(text))
	return cfg.Interface()
}

// TestResolveRefuses has configurations in which a secret could be passed over. Each error names the field.
func TestResolveRefuses(t *testing.T) {
	tn := envelopetest.New(t, nil).Tenant("config")
	const plaintext = "hunter2-in-the-clear"
	plain := secret.NewText(plaintext)
	cyclic := &resolveNode{Token: secret.NewText(sealedText(t, tn, "token", "x"))}
	cyclic.Next = cyclic
	shared := &resolveNode{Token: secret.NewText(sealedText(t, tn, "a/token", "x"))}
	for _, c := range []struct {
		name, field string
		cfg         any
		want        error
	}{
		{"plaintext", "DSN", &struct {
			DSN secret.Text `secret:"db"`
		}{plain}, secret.ErrNotSealed},
		{"plaintext, optional", "DSN", &struct {
			DSN secret.Text `secret:"db,optional"`
		}{plain}, secret.ErrNotSealed},
		{"empty", "DSN", &struct {
			DSN secret.Text `secret:"db"`
		}{}, secret.ErrNotSealed},
		{"printed", "DSN", &struct {
			DSN secret.Text `secret:"db"`
		}{secret.NewText("[secret]")}, secret.ErrNotSealed},
		{"another place", "DSN", &struct {
			DSN secret.Text `secret:"db"`
		}{secret.NewText(sealedText(t, tn, "smtp", plaintext))}, envelope.ErrOpen},
		{"later version", "DSN", &struct {
			DSN secret.Text `secret:"db"`
		}{secret.NewText("enc:v2:" + plaintext)}, envelope.ErrFormat},
		{"no tag", "DSN", &struct{ DSN secret.Text }{plain}, kms.ErrInvalid},
		{"tag without a name", "DSN", &struct {
			DSN secret.Text `secret:""`
		}{plain}, kms.ErrInvalid},
		{"option alone", "DSN", &struct {
			DSN secret.Text `secret:",optional"`
		}{plain}, kms.ErrInvalid},
		{"unknown option", "DSN", &struct {
			DSN secret.Text `secret:"db,omitempty"`
		}{plain}, kms.ErrInvalid},
		{"two options", "DSN", &struct {
			DSN secret.Text `secret:"db,optional,optional"`
		}{plain}, kms.ErrInvalid},
		{"comma at the end", "DSN", &struct {
			DSN secret.Text `secret:"db,"`
		}{plain}, kms.ErrInvalid},
		{"skipped with an option", "DSN", &struct {
			DSN secret.Text `secret:"-,optional"`
		}{plain}, kms.ErrInvalid},
		{"no place", "DSN", &struct {
			DSN secret.Text `secret:"My DB"`
		}{plain}, kms.ErrInvalid},
		{"tag on a string", "DSN", &struct {
			DSN string `secret:"db"`
		}{plaintext}, kms.ErrInvalid},
		{"tag on a struct without secrets", "DB", &struct {
			DB struct{ Host string } `secret:"db"`
		}{}, kms.ErrInvalid},
		{"tag on a pointer to text", "DSN", &struct {
			DSN *secret.Text `secret:"db"`
		}{&plain}, kms.ErrInvalid},
		{"optional struct", "DB", &struct {
			DB resolveNode `secret:"db,optional"`
		}{}, kms.ErrInvalid},
		{"not exported", "dsn", &struct {
			dsn secret.Text `secret:"db"`
		}{plain}, kms.ErrInvalid},
		{"in a struct that is not exported", "db.Token", &struct{ db resolveNode }{}, kms.ErrInvalid},
		{"behind a pointer that is not exported", "db.Token", &struct{ db *resolveNode }{&resolveNode{}}, kms.ErrInvalid},
		{"pointer to text", "DSN", &struct{ DSN *secret.Text }{&plain}, kms.ErrInvalid},
		{"nil pointer to text", "DSN", &struct{ DSN *secret.Text }{}, kms.ErrInvalid},
		{"pointer to pointer", "DB", &struct{ DB **resolveNode }{}, kms.ErrInvalid},
		{"embedded text", "Text", &resolveEmbedded{plain}, kms.ErrInvalid},
		{"struct with embedded text", "DSN.Text", &struct{ DSN resolveEmbedded }{}, kms.ErrInvalid},
		{"empty slice of text", "Keys", &struct{ Keys []secret.Text }{}, kms.ErrInvalid},
		{"array", "Keys", &struct{ Keys [2]secret.Text }{}, kms.ErrInvalid},
		{"slice of structs", "DBs", &struct{ DBs []resolveNode }{}, kms.ErrInvalid},
		{"map", "Keys", &struct{ Keys map[string]secret.Text }{}, kms.ErrInvalid},
		{"map to pointers", "DBs", &struct{ DBs map[string]*resolveNode }{}, kms.ErrInvalid},
		{"channel", "Keys", &struct{ Keys chan secret.Text }{}, kms.ErrInvalid},
		{"interface", "Any", &struct{ Any any }{plain}, kms.ErrInvalid},
		{"interface with a pointer", "Any", &struct{ Any fmt.Stringer }{&plain}, kms.ErrInvalid},
		{"interface with a struct", "Any", &struct{ Any any }{&resolveNode{}}, kms.ErrInvalid},
		{"interface that is not exported", "any", &struct{ any any }{plain}, kms.ErrInvalid},
		{"interfaces in interfaces", "Any", &struct{ Any any }{map[string]any{"a": []any{1, struct{ B any }{&plain}}}}, kms.ErrInvalid},
		{"interface as a key", "Any", &struct{ Any map[any]int }{map[any]int{&plain: 1}}, kms.ErrInvalid},
		{"place twice", "B", &struct {
			A secret.Text `secret:"db"`
			B secret.Text `secret:"db"`
		}{secret.NewText(sealedText(t, tn, "db", "x")), secret.NewText(sealedText(t, tn, "db", "y"))}, kms.ErrInvalid},
		{"place twice, optional and empty", "B.Token", &struct {
			A secret.Text `secret:"b/token,optional"`
			B resolveNode `secret:"b"`
		}{}, kms.ErrInvalid},
		{"cycle", "Next", cyclic, kms.ErrInvalid},
		{"one struct at two places", "B", &struct {
			A *resolveNode `secret:"a"`
			B *resolveNode `secret:"b"`
		}{shared, shared}, kms.ErrInvalid},
		{"place too long", "Next.Next.Next.Token", resolveLong(plain), kms.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := secret.Resolve(t.Context(), tn, c.cfg)
			require.ErrorIs(t, err, c.want)
			require.True(t, strings.HasPrefix(err.Error(), "secret: ") || strings.Contains(err.Error(), "\n"+c.field+": "), err)
			require.Contains(t, "\n"+strings.TrimPrefix(err.Error(), "secret: "), "\n"+c.field+": ")
			require.NotContains(t, err.Error(), plaintext)
			if c.want == kms.ErrInvalid {
				require.NotErrorIs(t, err, secret.ErrNotSealed)
			}
		})
	}
	require.Equal(t, plaintext, plain.Reveal())
}

func TestResolveArguments(t *testing.T) {
	tn := envelopetest.New(t, nil).Tenant("config")
	text := secret.NewText("x")
	pointer := new(resolveNode)
	for name, cfg := range map[string]any{
		"nil": nil, "struct": resolveNode{}, "nil pointer": (*resolveNode)(nil), "pointer to pointer": &pointer, "text": &text,
		"map": map[string]secret.Text{}, "pointer to map": &map[string]secret.Text{}, "pointer to string": new(string),
	} {
		require.ErrorIs(t, secret.Resolve(t.Context(), tn, cfg), kms.ErrInvalid, name)
	}
	require.NoError(t, secret.Resolve(t.Context(), tn, &struct{ Listen string }{}))
	require.ErrorIs(t, secret.Resolve(t.Context(), envelope.Tenant{}, &resolveNode{Token: secret.NewText(sealedText(t, tn, "token", "x"))}), kms.ErrInvalid)
}

// TestResolveAllOrNothing joins what is wrong with every field, and changes none.
func TestResolveAllOrNothing(t *testing.T) {
	tn := envelopetest.New(t, nil).Tenant("config")
	good := sealedText(t, tn, "a", string(canary.Bytes()))
	cfg := struct {
		A secret.Text `secret:"a"`
		B secret.Text `secret:"b"`
		C secret.Text `secret:"c"`
		D secret.Text `secret:"d"`
		E secret.Text
	}{secret.NewText(" " + good), secret.NewText(good), secret.NewText("plain"), secret.Text{}, secret.NewText("untagged")}
	err := secret.Resolve(t.Context(), tn, &cfg)
	for _, want := range []error{envelope.ErrOpen, secret.ErrNotSealed, kms.ErrInvalid} {
		require.ErrorIs(t, err, want)
	}
	for _, want := range []string{`B: place "b": `, `C: place "c": `, `D: place "d": `, "E: "} {
		require.Contains(t, err.Error(), want)
	}
	require.NotContains(t, err.Error(), "A: ")
	require.NotContains(t, err.Error(), "plain")
	require.NotContains(t, err.Error(), good)
	require.Empty(t, canary.Leaks(err.Error()))
	require.Equal(t, " "+good, cfg.A.Reveal())
	require.Equal(t, good, cfg.B.Reveal())
	require.Equal(t, "plain", cfg.C.Reveal())
	require.Equal(t, "untagged", cfg.E.Reveal())
}

// TestResolveOutage gives up at the first field that the KMS can't open, and changes none.
func TestResolveOutage(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	process := func() envelope.Tenant {
		return envelopetest.New(t, &envelopetest.Options{Fake: fake, Store: store}).Tenant("config")
	}
	tn := process()
	a := sealedText(t, tn, "a", "1")
	cfg := struct {
		A secret.Text `secret:"a"`
		B secret.Text `secret:"b"`
	}{secret.NewText(a), secret.NewText(sealedText(t, tn, "b", "2"))}
	fake.Always(kmstest.Fault{Op: "unwrap", Err: kms.ErrUnavailable})
	err := secret.Resolve(t.Context(), process(), &cfg)
	require.ErrorIs(t, err, envelope.ErrUnavailable)
	require.Contains(t, err.Error(), "A: ")
	require.NotContains(t, err.Error(), "B: ")
	require.Equal(t, a, cfg.A.Reveal())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, secret.Resolve(ctx, tn, &cfg), context.Canceled, "also where all keys are in memory")
	require.NoError(t, secret.Resolve(t.Context(), tn, &cfg))
	require.Equal(t, "1", cfg.A.Reveal())
}
