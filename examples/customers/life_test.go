package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// TestLife is the life of three customers, one of whom is erased.
func TestLife(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.process(t, "pepper")
		ids := p.signedUp(t, ada(), bob(), cyd())
		require.Len(t, ids, 3)
		require.Equal(t, []person{ada().as(ids[0]), bob().as(ids[1]), cyd().as(ids[2])}, inOrder(p.list(t, ""), ids))

		p.signIn(t, 204, "ada@EXAMPLE.com", password)
		p.signIn(t, 401, "ada@example.com", password+" too")
		p.signIn(t, 401, "eve@example.com", password)
		require.Equal(t, bob().as(ids[1]), p.found(t, "BOB@example.com"))
		p.do(t, 404, "POST /customers/find", values{"email": "eve@example.com"})

		// Each column by itself, and the index with its column.
		p.do(t, 204, "PATCH /customers/"+ids[0], values{"phone": "+44 20 7946 0000"})
		p.do(t, 204, "PATCH /customers/"+ids[0], values{"email": "ada@example.org"})
		p.do(t, 204, "PATCH /customers/"+ids[0], values{})
		moved := person{ID: ids[0], Name: "Ada Lovelace", Email: "ada@example.org", Phone: "+44 20 7946 0000"}
		require.Equal(t, moved, p.found(t, "ada@example.org"))
		p.do(t, 404, "POST /customers/find", values{"email": "ada@example.com"})
		p.signIn(t, 204, "ada@example.org", password)
		p.do(t, 409, "PATCH /customers/"+ids[0], values{"email": "Bob@example.com"})
		require.Equal(t, moved, p.found(t, "ada@example.org"))

		require.JSONEq(t, `{"id": "`+ids[1]+`", "name": "Bob Kahn", "email": "bob@example.com", "phone": "+46 8 123 456"}`, p.do(t, 200, "GET /customers/"+ids[1]+"/export", nil))

		case1 := values{"ref": "case-1", "basis": "Art. 17(1)(b)"}
		require.NoError(t, p.store.tenant.Subject(ids[1]).Hold(t.Context(), "dispute"))
		p.do(t, 409, "POST /customers/"+ids[1]+"/erase", case1)
		require.Equal(t, bob().as(ids[1]), p.found(t, "bob@example.com"))
		require.NoError(t, p.store.tenant.Subject(ids[1]).Release(t.Context(), "dispute"))
		receipt, err := envelope.ParseReceipt([]byte(p.do(t, 200, "POST /customers/"+ids[1]+"/erase", case1)))
		require.NoError(t, err)
		require.Equal(t, "case-1", receipt.Ref)
		require.Equal(t, "Art. 17(1)(b)", receipt.Basis)
		require.Len(t, receipt.Keys, 1)
		require.NotContains(t, receipt.SubjectRef, ids[1])
		require.Equal(t, 1, w.count(t, "SELECT count(*) FROM customers WHERE id = $1 AND email_eq IS NULL AND password IS NULL", ids[1]))

		p.signIn(t, 401, "bob@example.com", password+" too")
		p.do(t, 404, "POST /customers/find", values{"email": "bob@example.com"})
		require.JSONEq(t, `{"error": "gone"}`, p.do(t, 410, "GET /customers/"+ids[1]+"/export", nil))
		p.do(t, 410, "PATCH /customers/"+ids[1], values{"name": "Bob"})
		erased := person{ID: ids[1], Unreadable: "erased"}
		require.Equal(t, []person{moved, erased, cyd().as(ids[2])}, inOrder(p.list(t, ""), ids))
		again, err := envelope.ParseReceipt([]byte(p.do(t, 200, "POST /customers/"+ids[1]+"/erase", values{"ref": "case-2"})))
		require.NoError(t, err)
		require.Equal(t, receipt.Keys, again.Keys)
		require.Equal(t, "case-1", again.Ref)

		back := p.signedUp(t, bob())
		require.NotContains(t, ids, back[0])
		p.signIn(t, 204, "bob@example.com", password+" too")
		require.Len(t, p.list(t, ""), 4)
	})
}

// inOrder returns a page in the order of ids, for those of one millisecond come in any.
func inOrder(page []person, ids []string) (sorted []person) {
	for _, id := range ids {
		for _, p := range page {
			if p.ID == id {
				sorted = append(sorted, p)
			}
		}
	}
	return sorted
}

// TestPages: pages have the rows of the table, each once, with the erased.
func TestPages(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.process(t, "pepper")
		require.Empty(t, p.list(t, ""))
		require.JSONEq(t, `{"customers": []}`, p.do(t, 200, "GET /customers", nil))
		ids := p.signedUp(t, ada(), bob(), cyd())
		p.do(t, 200, "POST /customers/"+ids[0]+"/erase", values{"ref": "case-1"})
		var all []person
		after := ""
		for _, want := range []int{2, 1} {
			page := p.list(t, "?limit=2&after="+after)
			require.Len(t, page, want)
			all, after = append(all, page...), page[len(page)-1].ID
		}
		require.Empty(t, p.list(t, "?limit=2&after="+after))
		require.Equal(t, []person{{ID: ids[0], Unreadable: "erased"}, bob().as(ids[1]), cyd().as(ids[2])}, inOrder(all, ids))
		require.NoError(t, p.store.tenant.Subject(ids[1]).Disable(t.Context(), "test"))
		require.Equal(t, []person{{ID: ids[0], Unreadable: "erased"}, {ID: ids[1], Unreadable: "disabled"}, cyd().as(ids[2])}, inOrder(p.list(t, ""), ids))
	})
}

func TestNewID(t *testing.T) {
	start := time.Now().UnixMilli()
	id := newID()
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, id)
	require.Regexp(t, ids, id)
	ms, err := strconv.ParseInt(id[:8]+id[9:13], 16, 64)
	require.NoError(t, err)
	require.LessOrEqual(t, start, ms)
	require.LessOrEqual(t, ms, time.Now().UnixMilli())
	require.NotEqual(t, id, newID())
}

// TestTaken: an address that is taken gets the answer of one that is not, and of many at once one has it.
func TestTaken(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.process(t, "pepper")
		var answers [16]answer
		var work sync.WaitGroup
		for i := range answers {
			work.Go(func() {
				v := ada()
				v["email"] = strings.Repeat("A", i%2) + strings.Repeat("a", 1-i%2) + "da@example.com"
				answers[i] = p.insist(t, "POST /customers", v)
			})
		}
		work.Wait()
		for _, a := range answers {
			a.header.Del("Date")
			require.Equal(t, answers[0].header, a.header)
			require.Equal(t, http.StatusAccepted, a.status, a.body)
			require.Empty(t, a.body)
		}
		require.Equal(t, 1, w.count(t, "SELECT count(*) FROM customers"))
		require.Equal(t, "Ada Lovelace", p.found(t, "ada@example.com").Name)
		p.signIn(t, 204, "ada@example.com", password)
	})
}

// TestEraseMidway: what stays after a crash between key and row lets nobody in, and a repeat removes it.
func TestEraseMidway(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.process(t, "pepper")
		id := p.signedUp(t, ada())[0]
		_, err := p.store.tenant.Subject(id).Erase(t.Context(), envelope.Erasure{Ref: "case-1"})
		require.NoError(t, err)
		p.signIn(t, 401, "ada@example.com", password+"!")
		p.signIn(t, 410, "ada@example.com", password)
		p.do(t, 410, "POST /customers/find", values{"email": "ada@example.com"})
		p.do(t, 200, "POST /customers/"+id+"/erase", values{"ref": "case-1"})
		p.signIn(t, 401, "ada@example.com", password)
		require.Equal(t, 1, w.count(t, "SELECT count(*) FROM customers WHERE email_eq IS NULL AND password IS NULL"))
	})
}

// TestEraseAlone: an erasure that has begun is carried through when the client goes away.
func TestEraseAlone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, cold := w.process(t, "pepper"), w.process(t, "pepper")
		id := p.signedUp(t, ada())[0]
		gone, arrived := make(chan struct{}), make(chan struct{})
		web := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			context.AfterFunc(r.Context(), func() { close(gone) })
			cold.handler().ServeHTTP(out, r)
		}))
		var once sync.Once
		w.kms.Always(kmstest.Fault{Hang: true, Arrived: func() { once.Do(func() { close(arrived) }) }})
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			<-arrived
			leave()
			<-gone // the server knows
			w.kms.Always()
		}()
		_, err := (&process{cold.service, nil, web.URL, web.Client()}).send(ctx, "POST /customers/"+id+"/erase", values{"ref": "case-1"})
		require.ErrorIs(t, err, context.Canceled)
		web.Close() // when the request has ended
		require.Equal(t, 1, w.count(t, "SELECT count(*) FROM customers WHERE email_eq IS NULL AND password IS NULL"))
		w.process(t, "pepper").do(t, 410, "GET /customers/"+id+"/export", nil)
	})
}

// TestUpdateAfterErase: a process that still has the person's key in memory brings no token back.
func TestUpdateAfterErase(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, other := w.process(t, "pepper"), w.process(t, "pepper")
		id := p.signedUp(t, ada())[0]
		other.do(t, 204, "PATCH /customers/"+id, values{"email": "ada@example.org"})
		p.do(t, 200, "POST /customers/"+id+"/erase", values{"ref": "case-1"})
		other.do(t, 410, "PATCH /customers/"+id, values{"email": "ada@example.net"})
		require.Equal(t, 1, w.count(t, "SELECT count(*) FROM customers WHERE email_eq IS NULL AND password IS NULL"))
	})
}
