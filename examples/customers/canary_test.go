package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// TestCanary: nothing of a person is in the files, logs and dumps of the database, in the service's log, or in what it says to those who did wrong.
func TestCanary(t *testing.T) {
	persons := []values{
		{"name": "Wqhvx Canary", "email": "wqhvx-7tz0k@canary.example", "phone": "+46 8 7391 6624", "password": "canary Jf8mPz2LrUc4"},
		{"name": "U3nb6 Canary", "email": "u3nb6-ykqe9@canary.example", "phone": "+46 8 2085 9173", "password": "canary Wd5sGv0XhTaQ"},
	}
	later := values{"name": "Canary T4hr2", "email": "t4hr2-m8wps@canary.example", "phone": "+46 8 6402 5518"}
	var forms []string
	for _, v := range append(persons, later) {
		for _, value := range v {
			forms = append(forms, formsOf(value)...)
		}
	}
	each(t, func(t *testing.T, w *world) {
		p := w.process(t, "pepper")
		var said strings.Builder
		say := func(want int, route string, body any) { said.WriteString(p.do(t, want, route, body)) }
		ids := p.signedUp(t, persons...)
		p.signIn(t, 204, persons[0]["email"], persons[0]["password"])
		say(202, "POST /customers", persons[0])
		say(401, "POST /sign-in", values{"email": persons[0]["email"], "password": persons[1]["password"]})
		say(401, "POST /sign-in", values{"email": later["email"], "password": persons[1]["password"]})
		say(404, "POST /customers/find", values{"email": later["email"]})
		say(400, "POST /customers/find", values{"email": persons[0]["name"]})
		say(400, "POST /customers", persons[0]["password"])
		say(400, "POST /customers", values{persons[0]["password"]: persons[0]["name"]})
		say(400, "PATCH /customers/"+ids[0], values{"email": later["name"]})
		say(409, "PATCH /customers/"+ids[0], values{"email": persons[1]["email"]})
		say(404, "GET /customers/"+persons[0]["email"]+"/export", nil)
		say(204, "PATCH /customers/"+ids[0], later)
		p.do(t, 200, "GET /customers/"+ids[0]+"/export", nil)
		say(200, "POST /customers/"+ids[1]+"/erase", values{"ref": "case-1"})
		say(410, "GET /customers/"+ids[1]+"/export", nil)
		w.exec(t, "UPDATE customers SET name = (SELECT name FROM customers WHERE id = $1) WHERE id = $2", ids[1], ids[0])
		say(500, "GET /customers/"+ids[0]+"/export", nil)
		p.list(t, "")

		unseen := func(place, content, control string) {
			t.Helper()
			require.Contains(t, content, control, "%s is not what it should be", place)
			for i, form := range forms {
				require.False(t, strings.Contains(content, form), "%s has the canary form %d", place, i)
			}
		}
		unseen("what it said", said.String(), "case-1")
		unseen("the log", w.log.String(), "PATCH /customers/{id}")
		if w.dir != "" {
			log, err := os.ReadFile(filepath.Join(w.dir, "customers.db-wal"))
			require.NoError(t, err)
			unseen("the write-ahead log", string(log), ids[0])
			unseen("the files", files(t, w.dir), ids[0])
			return
		}
		unseen("the dump", dump(t, w.dsn), ids[0])
	})
}

// formsOf returns what a value looks like in files, messages and logs.
func formsOf(v string) (all []string) {
	for _, part := range append(strings.Fields(v), v) {
		if len(part) >= 5 { // fewer come by chance
			all = append(all, part, strings.ToUpper(part), strings.ToLower(part), hex.EncodeToString([]byte(part)))
		}
	}
	for shift := range 3 { // base64, wherever in a longer text
		in := v[shift:]
		all = append(all, base64.StdEncoding.EncodeToString([]byte(in[:len(in)/3*3])))
	}
	return all
}

func files(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var all bytes.Buffer
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		all.Write(b)
	}
	return all.String()
}

// dump returns what pg_dump makes of a database or, where that is missing, what COPY makes of its tables.
func dump(t *testing.T, dsn string) string {
	t.Helper()
	if program, err := exec.LookPath("pg_dump"); err == nil {
		out, err := exec.CommandContext(t.Context(), program, dsn).Output()
		require.NoError(t, err)
		return string(out)
	}
	c, err := pgconn.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer c.Close(t.Context())
	var all bytes.Buffer
	for _, table := range []string{"customers", "holdfast_keys"} {
		_, err := c.CopyTo(t.Context(), &all, "COPY "+table+" TO STDOUT")
		require.NoError(t, err)
	}
	return all.String()
}
