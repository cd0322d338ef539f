package server_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/auth0/go-auth0/management"
)

// TestSDKSearch: lists, queries, pages and sorting as the SDK asks for them.
func TestSDKSearch(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for i, name := range []string{"Ann Lee", "Bob Ray", "Cleo Lee"} {
			u := &management.User{Connection: ptr(database), Email: ptr(fmt.Sprintf("u%d@example.com", i)), Password: ptr(goodPassword), Name: ptr(name),
				AppMetadata: &map[string]any{"team": map[string]any{"n": i}}}
			if err := w.sdk.User.Create(ctx, u); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			query string
			want  []string
		}{
			{`name:"ann lee"`, []string{"Ann Lee"}},
			{`name:*lee`, []string{"Ann Lee", "Cleo Lee"}},
			{`email:u?@example.com AND NOT name:bob*`, []string{"Ann Lee", "Cleo Lee"}},
			{`app_metadata.team.n:[1 TO *]`, []string{"Bob Ray", "Cleo Lee"}},
			{`name:("Bob Ray" OR "Ann Lee")`, []string{"Ann Lee", "Bob Ray"}},
			{`nobody`, nil},
		} {
			list, err := w.sdk.User.Search(ctx, management.Query(c.query), management.Parameter("search_engine", "v3"), management.Parameter("sort", "name:1"))
			if err != nil {
				t.Fatalf("%s: %v", c.query, err)
			}
			var got []string
			for _, u := range list.Users {
				got = append(got, u.GetName())
			}
			if strings.Join(got, ",") != strings.Join(c.want, ",") || list.Total != len(c.want) {
				t.Errorf("%s: %v of %d, want %v", c.query, got, list.Total, c.want)
			}
		}
		first, err := w.sdk.User.List(ctx, management.PerPage(2), management.IncludeFields("user_id", "name"))
		if err != nil || len(first.Users) != 2 || !first.HasNext() || first.Users[0].Email != nil {
			t.Errorf("first page %v, %v", first, err)
		}
		if _, err := w.sdk.User.Search(ctx, management.Query(`name:"`)); statusOf(err) != 400 {
			t.Errorf("a broken query: %v", err)
		}
	})
}

// TestSDKJobs: an import with a row that fails, an export that brings the rest
// back, tickets, links between accounts, and what the log says of it.
func TestSDKJobs(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		check := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		c, err := w.sdk.Connection.ReadByName(ctx, database)
		check("connection", err)
		in := &management.Job{ConnectionID: c.ID, Upsert: ptr(false), ExternalID: ptr("one"), Users: []map[string]any{
			{"email": "ann@example.com", "name": "Ann", "user_id": "ann"}, {"email": "foo@"}, {"email": "bob@example.com", "user_id": "bob", "user_metadata": map[string]any{"a": 1}},
		}}
		check("import", w.sdk.Job.ImportUsers(ctx, in))
		w.await(in.GetID())
		failed, err := w.sdk.Job.ReadErrors(ctx, in.GetID())
		check("errors", err)
		if len(failed) != 1 || failed[0].Errors[0].Code != "FORMAT" {
			t.Errorf("errors %+v", failed)
		}

		out := &management.Job{ConnectionID: c.ID, Format: ptr("json"), Fields: []map[string]any{{"name": "email"}, {"name": "user_metadata.a", "export_as": "a"}}}
		check("export", w.sdk.Job.ExportUsers(ctx, out))
		w.await(out.GetID())
		done, err := w.sdk.Job.Read(ctx, out.GetID())
		check("job", err)
		res, err := w.client.Get(done.GetLocation())
		check("download", err)
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("download: %s", res.Status)
		}
		z, err := gzip.NewReader(res.Body)
		check("gzip", err)
		b, err := io.ReadAll(z)
		check("file", err)
		if got, want := string(b), `{"email":"ann@example.com"}`+"\n"+`{"email":"bob@example.com","a":1}`+"\n"; got != want {
			t.Errorf("exported %s", got)
		}

		ticket := &management.Ticket{UserID: ptr("auth0|ann"), ResultURL: ptr("https://app.example/done"), TTLSec: ptr(60)}
		check("ticket", w.sdk.Ticket.ChangePassword(ctx, ticket))
		if !strings.Contains(ticket.GetTicket(), "/u/reset-password?ticket=") {
			t.Errorf("ticket %s", ticket.GetTicket())
		}
		links, err := w.sdk.User.Link(ctx, "auth0|ann", &management.UserIdentityLink{Provider: ptr("auth0"), UserID: ptr("auth0|bob")})
		check("link", err)
		if len(links) != 2 || links[1].GetUserID() != "bob" {
			t.Errorf("linked %v", links)
		}
		if _, err := w.sdk.User.Read(ctx, "auth0|bob"); statusOf(err) != 404 {
			t.Errorf("the second of two linked: %v", err)
		}
		if _, err := w.sdk.User.Unlink(ctx, "auth0|ann", "auth0", "bob"); err != nil {
			t.Errorf("unlink: %v", err)
		}
		if u, err := w.sdk.User.Read(ctx, "auth0|bob"); err != nil || u.GetEmail() != "bob@example.com" || u.UserMetadata != nil {
			t.Errorf("alone again: %v, %v", u, err)
		}
		logs, err := w.sdk.Log.List(ctx, management.Parameter("q", "type:sapi"))
		check("logs", err)
		if len(logs) == 0 {
			t.Error("nothing was logged")
		}
	})
}

// TestParallelEdits: 200 PATCHes at once, each of another attribute or metadata
// key of one user: all of them are kept.
func TestParallelEdits(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := &management.User{Connection: ptr(database), Email: ptr("ann@example.com"), Password: ptr(goodPassword)}
		if err := w.sdk.User.Create(ctx, u); err != nil {
			t.Fatal(err)
		}
		edits := []*management.User{
			{Name: ptr("N")}, {GivenName: ptr("G")}, {FamilyName: ptr("F")}, {Nickname: ptr("I")}, {Picture: ptr("https://example.com/p.png")}, {Blocked: ptr(false)},
		}
		for i := len(edits); i < 200; i++ {
			m := &map[string]any{fmt.Sprintf("k%03d", i): i}
			if i%2 == 0 {
				edits = append(edits, &management.User{UserMetadata: m})
			} else {
				edits = append(edits, &management.User{AppMetadata: m})
			}
		}
		var wg sync.WaitGroup
		start := make(chan struct{})
		for _, e := range edits {
			wg.Go(func() {
				<-start
				if err := w.sdk.User.Update(context.WithoutCancel(ctx), u.GetID(), e); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		got, err := w.sdk.User.Read(ctx, u.GetID())
		if err != nil {
			t.Fatal(err)
		}
		if got.GetName() != "N" || got.GetGivenName() != "G" || got.GetFamilyName() != "F" || got.GetNickname() != "I" || got.GetPicture() != "https://example.com/p.png" || got.Blocked == nil {
			t.Errorf("root attributes were lost: %s", got)
		}
		if n := len(*got.UserMetadata) + len(*got.AppMetadata); n != 194 {
			t.Errorf("%d of 194 metadata keys were kept", n)
		}
	})
}
