package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// canary is in every value of the persons below, and must be nowhere that the service writes to.
const canary = "zq7vx0ktm4"

var errCanary = errors.New("plaintext where none may be")

// demo is a client that prints what it does.
type demo struct {
	client *http.Client
	url    string
	out    io.Writer
}

// do sends a request whose answer must have the status want, and prints both without canaries, for it prints no customer's data either.
func (d *demo) do(ctx context.Context, title string, want int, route string, body any) ([]byte, error) {
	sent, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	method, path, _ := strings.Cut(route, " ")
	r, err := http.NewRequestWithContext(ctx, method, d.url+path, bytes.NewReader(sent))
	if err != nil {
		return nil, err
	}
	answer, err := d.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(d.out, "%-20s %s: %d %s\n", title, method, answer.StatusCode, strings.ReplaceAll(strings.TrimSpace(string(got)), canary, "***"))
	if answer.StatusCode != want {
		return nil, fmt.Errorf("%s: status %d instead of %d", title, answer.StatusCode, want)
	}
	return got, nil
}

// demonstrate is a short life of three customers at the service at url, and a look into its database.
func demonstrate(ctx context.Context, out io.Writer, url string, db *sql.DB) error {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	d := &demo{&http.Client{Transport: transport}, url, out}
	type values = map[string]string
	before := newID()[:14] + "0000-0000-000000000000"                          // the least id of this millisecond
	tag, password := strings.ToLower(rand.Text()[:6]), "correct horse "+canary // tag: other addresses in each run
	email := func(name string) string { return name + "-" + tag + "@" + canary + ".example" }
	for _, name := range []string{"ada", "bob", "cyd"} {
		all := values{"name": name + " " + canary, "email": email(name), "phone": "+46 8 123 456 " + canary, "password": password}
		if _, err := d.do(ctx, "sign-up", 202, "POST /customers", all); err != nil {
			return err
		}
	}
	var bob person
	found, err := d.do(ctx, "find", 200, "POST /customers/find", values{"email": strings.ToUpper(email("bob"))})
	if err == nil {
		err = json.Unmarshal(found, &bob)
	}
	if err != nil {
		return err
	}
	for _, step := range []struct {
		title string
		want  int
		route string
		body  values
	}{
		{"sign-up, taken", 202, "POST /customers", values{"name": canary, "email": bob.Email, "password": password}},
		{"wrong password", 401, "POST /sign-in", values{"email": bob.Email, "password": password + "!"}},
		{"sign-in", 204, "POST /sign-in", values{"email": bob.Email, "password": password}},
		{"update", 204, "PATCH /customers/" + bob.ID, values{"phone": "+46 8 654 321 " + canary}},
		{"page", 200, "GET /customers?limit=3&after=" + before, nil},
		{"export", 200, "GET /customers/" + bob.ID + "/export", nil},
		{"erase", 200, "POST /customers/" + bob.ID + "/erase", values{"ref": "case-2041", "basis": "Art. 17(1)(b)"}},
		{"page, one erased", 200, "GET /customers?limit=3&after=" + before, nil},
		{"sign-in, erased", 401, "POST /sign-in", values{"email": bob.Email, "password": password}},
		{"export, erased", 410, "GET /customers/" + bob.ID + "/export", nil},
	} {
		if _, err := d.do(ctx, step.title, step.want, step.route, step.body); err != nil {
			return err
		}
	}
	return errors.Join(searchTable(ctx, out, db, "customers"), searchTable(ctx, out, db, "holdfast_keys"))
}

// searchTable counts canaries in all values of a table, which is what a dump has.
func searchTable(ctx context.Context, out io.Writer, db *sql.DB, table string) error {
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+table)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(sql.RawBytes)
	}
	var dump []byte
	for rows.Next() {
		if err := rows.Scan(values...); err != nil {
			return err
		}
		for _, v := range values {
			dump = append(append(dump, *v.(*sql.RawBytes)...), '\n')
		}
	}
	return errors.Join(rows.Err(), search(out, "table "+table, dump))
}

// search counts the canaries in what the service has written, and fails unless there are none.
func search(out io.Writer, place string, written []byte) error {
	n := bytes.Count(written, []byte(canary)) + bytes.Count(written, []byte(hex.EncodeToString([]byte(canary))))
	fmt.Fprintf(out, "%s, %d bytes: %d canaries\n", place, len(written), n)
	if n != 0 || len(written) == 0 {
		return fmt.Errorf("%w: %s", errCanary, place)
	}
	return nil
}
