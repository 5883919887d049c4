package main

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// TestBadInput: what is wrong is refused, in words that repeat nothing of it, and leaves nothing behind.
func TestBadInput(t *testing.T) {
	with := func(name, value string) values {
		v := ada()
		v[name] = value
		return v
	}
	nobody := newID()
	whole := `{"name": "x-secret-x", "email": "x-secret-x@example.com", "password": "` + password + `"}`
	big := strings.Repeat("x", 2<<20)
	tests := []struct {
		name   string
		route  string
		body   any
		status int
	}{
		{"no body", "POST /customers", "", 400},
		{"no JSON", "POST /customers", "name=x-secret-x", 400},
		{"no object", "POST /customers", `"x-secret-x"`, 400},
		{"null", "POST /customers", "null", 400},
		{"number for text", "POST /customers", `{"name": 7}`, 400},
		{"unknown member", "POST /customers", `{"x-secret-x": "x-secret-x"}`, 400},
		{"cut off", "POST /customers", `{"name": "x-secret-x`, 400},
		{"two objects", "POST /customers", whole + ` {}`, 400},
		{"brace behind it", "POST /customers", whole + ` }`, 400},
		{"2 MiB", "POST /customers", with("name", big), 413},
		{"2 MiB of nothing", "POST /customers", big, 413},
		{"2 MiB of blanks behind it", "POST /sign-in", `{"email": "ada@example.com", "password": "` + password + `"}` + strings.Repeat(" ", 2<<20), 413},
		{"no name", "POST /customers", with("name", ""), 400},
		{"long name", "POST /customers", with("name", strings.Repeat("x", 256)), 400},
		{"long phone", "POST /customers", with("phone", strings.Repeat("1", 256)), 400},
		{"no e-mail", "POST /customers", with("email", ""), 400},
		{"bad e-mail", "POST /customers", with("email", "x-secret-x"), 400},
		{"e-mail with a name", "POST /customers", with("email", "Ada <x-secret-x@example.com>"), 400},
		{"two e-mails", "POST /customers", with("email", "ada@example.com, x-secret-x@example.com"), 400},
		{"e-mail with a line break", "POST /customers", with("email", "ada@example.com\n"), 400},
		{"long e-mail", "POST /customers", with("email", strings.Repeat("x", 250)+"@example.com"), 400},
		{"no password", "POST /customers", with("password", ""), 400},
		{"short password", "POST /customers", with("password", "x-secret-x"), 400},
		{"long password", "POST /customers", with("password", strings.Repeat("x", 1025)), 400},
		{"printed password", "POST /customers", with("password", "[secret]"), 400},
		{"sign-in, bad e-mail", "POST /sign-in", values{"email": "x-secret-x", "password": password}, 400},
		{"sign-in, no password", "POST /sign-in", values{"email": "ada@example.com"}, 400},
		{"find nothing", "POST /customers/find", values{}, 400},
		{"find no address", "POST /customers/find", values{"email": " x-secret-x "}, 400},
		{"update, bad e-mail", "PATCH /customers/" + nobody, values{"email": "x-secret-x"}, 400},
		{"update, bad name", "PATCH /customers/" + nobody, values{"name": "", "phone": "1"}, 400},
		{"update the password", "PATCH /customers/" + nobody, values{"password": password}, 400},
		{"update nobody", "PATCH /customers/" + nobody, values{"name": "x-secret-x"}, 404},
		{"export nobody", "GET /customers/" + nobody + "/export", nil, 404},
		{"export what is no id", "GET /customers/x-secret-x/export", nil, 404},
		{"export a zero byte", "GET /customers/%00/export", nil, 404},
		{"erase nobody", "POST /customers/" + nobody + "/erase", values{"ref": "case-1"}, 404},
		{"erase without a reference", "POST /customers/" + nobody + "/erase", values{}, 400},
		{"erase with a long reference", "POST /customers/" + nobody + "/erase", values{"ref": strings.Repeat("x", 256)}, 400},
		{"page of 0", "GET /customers?limit=0", nil, 400},
		{"page of 101", "GET /customers?limit=101", nil, 400},
		{"page of x", "GET /customers?limit=x-secret-x", nil, 400},
		{"page after x", "GET /customers?after=x-secret-x", nil, 400},
		{"page after a zero byte", "GET /customers?after=%00", nil, 400},
	}
	each(t, func(t *testing.T, w *world) {
		p := w.process(t, "pepper")
		before := w.count(t, "SELECT count(*) FROM holdfast_keys")
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				require.NotContains(t, p.do(t, tt.status, tt.route, tt.body), "x-secret-x")
			})
		}
		a, err := p.send(t.Context(), "DELETE /customers", nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusMethodNotAllowed, a.status)
		require.NotContains(t, w.log.String(), "x-secret-x")
		require.Zero(t, w.count(t, "SELECT count(*) FROM customers"))
		require.Equal(t, before, w.count(t, "SELECT count(*) FROM holdfast_keys"), "a key for nobody")
	})
}

// TestMoved: who writes the table, and has no key, gets nowhere by moving values between rows.
func TestMoved(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.process(t, "pepper")
		ids := p.signedUp(t, ada(), bob(), cyd())
		var token, hash, name []byte
		require.NoError(t, w.db.QueryRowContext(t.Context(), "SELECT email_eq, password, name FROM customers WHERE id = $1", ids[1]).Scan(&token, &hash, &name))

		w.exec(t, "UPDATE customers SET name = $1 WHERE id = $2", name, ids[0])
		want := ada().as(ids[0])
		want.Name, want.Unreadable = "", "damaged"
		require.Equal(t, []person{want, bob().as(ids[1]), cyd().as(ids[2])}, inOrder(p.list(t, ""), ids))
		require.Contains(t, w.log.String(), "a row does not open", "for a person to look at")
		require.NotContains(t, w.log.String(), ids[0], "which names a person")
		p.do(t, 500, "GET /customers/"+ids[0]+"/export", nil)

		w.exec(t, "UPDATE customers SET email_eq = NULL WHERE id = $1", ids[1])
		w.exec(t, "UPDATE customers SET email_eq = $1 WHERE id = $2", token, ids[2]) // now Cyd's row has Bob's address
		p.signIn(t, 401, "bob@example.com", password)                                // her password
		p.signIn(t, 401, "bob@example.com", password+" too")
		p.do(t, 404, "POST /customers/find", values{"email": "bob@example.com"})

		w.exec(t, "UPDATE customers SET email_eq = NULL WHERE id = $1", ids[2])
		w.exec(t, "UPDATE customers SET email_eq = $1, password = (SELECT password FROM customers WHERE id = $2) WHERE id = $3", token, ids[2], ids[1])
		p.signIn(t, 500, "bob@example.com", password) // Cyd's hash in Bob's row
		w.exec(t, "UPDATE customers SET password = $1 WHERE id = $2", hash, ids[1])
		p.signIn(t, 204, "bob@example.com", password+" too")
	})
}

// TestWrongPepper: a pepper that is not that of the hashes is no wrong password, of which nobody would hear.
func TestWrongPepper(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, other := w.process(t, "pepper"), w.process(t, "other-pepper")
		p.signedUp(t, ada())
		for _, try := range []string{password, password + "!"} {
			a, err := other.send(t.Context(), "POST /sign-in", values{"email": "ada@example.com", "password": try})
			require.NoError(t, err)
			require.Equal(t, http.StatusInternalServerError, a.status)
			require.JSONEq(t, `{"error": "internal server error"}`, a.body)
		}
		require.Contains(t, w.log.String(), `"class":"wrong_scope"`)
		p.signIn(t, 204, "ada@example.com", password)

		require.NoError(t, p.ring.Tenant("pepper").Disable(t.Context(), "test"))
		for _, email := range []string{"ada@example.com", "eve@example.com"} { // who does not exist is no exception
			p.signIn(t, 500, email, password)
		}
	})
}

// TestKMSDown: an outage is a 503 to whom a key is not in memory for, whether there is such a customer or not, and ends with the outage.
func TestKMSDown(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		warm, cold := w.process(t, "pepper"), w.process(t, "pepper")
		id := warm.signedUp(t, ada())[0]
		warm.signIn(t, 401, "ada@example.com", password+"!")
		w.kms.Always(kmstest.Fault{Err: kms.ErrUnavailable})
		for route, body := range map[string]any{
			"POST /customers":                  bob(),
			"POST /sign-in":                    values{"email": "ada@example.com", "password": password},
			"POST /sign-in?unknown":            values{"email": "eve@example.com", "password": password},
			"POST /customers/find":             values{"email": "ada@example.com"},
			"GET /customers":                   nil,
			"PATCH /customers/" + id:           values{"name": "Ada"},
			"GET /customers/" + id + "/export": nil,
			"POST /customers/" + id + "/erase": values{"ref": "case-1"},
		} {
			a, err := cold.send(t.Context(), route, body)
			require.NoError(t, err)
			require.Equal(t, http.StatusServiceUnavailable, a.status, route)
			require.JSONEq(t, `{"error": "service unavailable"}`, a.body)
			require.Equal(t, "10", a.header.Get("Retry-After"))
		}
		warm.signIn(t, 204, "ada@example.com", password)
		require.Equal(t, ada().as(id), warm.found(t, "ada@example.com"))
		w.kms.Always()
		require.Equal(t, 204, cold.insist(t, "POST /sign-in", values{"email": "ada@example.com", "password": password}).status)
		require.Equal(t, 200, cold.insist(t, "POST /customers/find", values{"email": "ada@example.com"}).status)
		require.Equal(t, 1, w.count(t, "SELECT count(*) FROM customers"))
	})
}

// TestRevoked: a key that was disabled is for a person to look at, and not to be asked for again by clients.
func TestRevoked(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.process(t, "pepper")
		p.signedUp(t, ada())
		w.kms.SetState(kms.Disabled)
		cold := w.process(t, "pepper")
		for route, body := range map[string]any{"POST /customers/find": values{"email": "ada@example.com"}, "GET /customers": nil} {
			a, err := cold.send(t.Context(), route, body)
			require.NoError(t, err)
			require.Equal(t, http.StatusInternalServerError, a.status, route)
			require.JSONEq(t, `{"error": "internal server error"}`, a.body)
		}
		require.Contains(t, w.log.String(), `"class":"kms_disabled"`)
	})
}

// TestOutage: a database that is away is tried again, and one that refuses a statement is not.
func TestOutage(t *testing.T) {
	for _, err := range []error{&pgconn.PgError{Code: "57P01"}, fmt.Errorf("query: %w", &pgconn.PgError{Code: "08006"}), driver.ErrBadConn} {
		require.ErrorIs(t, outage(err), envelope.ErrUnavailable)
		require.ErrorIs(t, outage(err), err)
	}
	for _, err := range []error{nil, context.Canceled, sql.ErrNoRows, &pgconn.PgError{Code: "23505"}, &pgconn.PgError{Code: "42601"}, &pgconn.PgError{Code: "22P02"}} {
		require.Equal(t, err, outage(err))
	}
}

// TestRehash: a hash that is weaker than new ones is replaced at the next sign-in, once.
func TestRehash(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.process(t, "pepper")
		id := p.signedUp(t, ada())[0]
		salt := []byte("sixteen bytes it")
		tag, err := pbkdf2.Key(sha256.New, password, salt, 1000, 32)
		require.NoError(t, err)
		encode := base64.RawStdEncoding.EncodeToString
		weak, err := p.passwords.Import(t.Context(), id, fmt.Sprintf("$pbkdf2-sha256$i=1000$%s$%s", encode(salt), encode(tag)))
		require.NoError(t, err)
		w.exec(t, "UPDATE customers SET password = $1", weak)
		stored := func() (hash []byte) {
			require.NoError(t, w.db.QueryRowContext(t.Context(), "SELECT password FROM customers").Scan(&hash))
			return hash
		}
		p.signIn(t, 401, "ada@example.com", password+"!")
		require.Equal(t, weak, stored())
		p.signIn(t, 204, "ada@example.com", password)
		strong := stored()
		require.NotEqual(t, weak, strong)
		p.signIn(t, 204, "ada@example.com", password)
		require.Equal(t, strong, stored())
		require.NoError(t, p.store.rehash(t.Context(), id, weak, weak), "by another, who was slower")
		require.Equal(t, strong, stored())
	})
}
