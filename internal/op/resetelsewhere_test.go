package op

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/customdb"
	"mangrove/internal/ticket"
	"mangrove/internal/user"
)

// Whom only a custom database knows, or nobody, or that it fails: the answer is one
// sentence, and given before it is asked.
func TestChangePasswordElsewhere(t *testing.T) {
	const there = `{"user_id":"legacy|42","email":"Bo@Shop.example","email_verified":false}`
	for i, row := range []struct {
		about   string
		options string
		answers map[customdb.Action]any
		mailed  string
		record  string
		says    string
	}{
		{"an external store", "", map[customdb.Action]any{customdb.GetUser: there}, "Bo@Shop.example", audit.ResetRequested, ""},
		{"an old store", `,"import_mode":true`, map[customdb.Action]any{customdb.GetUser: there}, "bo@shop.example", audit.ResetRequested, ""},
		{"nobody", "", nil, "", audit.ResetNotRequested, user.ErrNotFound.Text},
		{"nobody in the old store", `,"import_mode":true`, nil, "", audit.ResetNotRequested, user.ErrNotFound.Text},
		{
			"no address", `,"import_mode":true,"attributes":{"username":{"identifier":{"active":true}},"email":{"identifier":{"active":true}}}`,
			map[customdb.Action]any{customdb.GetUser: `{"user_id":"42","username":"bo"}`}, "", audit.ResetNotRequested, "The user does not have an email address.",
		},
		{"it fails", "", map[customdb.Action]any{customdb.GetUser: &customdb.Failure{Kind: customdb.Failed, Message: "ECONNREFUSED"}}, "", audit.ResetNotRequested, "ECONNREFUSED"},
		{"it makes no sense", "", map[customdb.Action]any{customdb.GetUser: `"yes"`}, "", audit.ResetNotRequested, "the profile is no object"},
	} {
		t.Run(row.about, func(t *testing.T) {
			w := newWorld(t)
			s := &told{answers: row.answers}
			name := "Shop" + string(rune('a'+i))
			w.customized(t, name, row.options, s)
			var work []func()
			w.tickets.Later = func(ctx context.Context, fn func(context.Context)) { work = append(work, func() { fn(ctx) }) }
			rec := w.send(t, "POST", "/dbconnections/change_password", `{"client_id":"`+webApp+`","connection":"`+name+`","email":"bo@shop.example"}`)
			if rec.Code != 200 || rec.Body.String() != sentence || len(s.asked) != 0 || len(work) != 1 {
				t.Fatalf("%d %s, asked %s", rec.Code, rec.Body, s.asked)
			}
			work[0]()
			if got := strings.Join(s.asked, " "); got != "get_user" {
				t.Errorf("asked %s", got)
			}
			var to []string
			for _, l := range w.outbox.letters {
				to = append(to, l.To)
			}
			if got := strings.Join(to, " "); got != row.mailed {
				t.Errorf("mailed to %s", got)
			}
			if e := w.outbox.events[len(w.outbox.events)-1]; e.Type != row.record || e.Description != row.says {
				t.Errorf("recorded %+v", e)
			}
		})
	}
}

// A mailed link brings somebody out of the old store, once.
func TestResetOutOfAnOldStore(t *testing.T) {
	w := newWorld(t)
	s := &told{answers: map[customdb.Action]any{customdb.GetUser: `{"user_id":"legacy|42","email":"Bo@Shop.example","given_name":"Bo"}`}}
	w.customized(t, "Shop", `,"import_mode":true`, s)
	w.send(t, "POST", "/dbconnections/change_password", `{"client_id":"`+webApp+`","connection":"Shop","email":"bo@shop.example"}`)
	secret := secretOf(t, w.outbox.letters[0], "/u/reset-password")
	if res, err := w.tickets.Look(t.Context(), ticket.ChangePassword, secret); err != nil || res.Err != nil {
		t.Fatalf("%v %v", res.Err, err)
	}
	for _, want := range []error{nil, user.ErrTicketUsed} {
		if res, err := w.tickets.Reset(t.Context(), secret, "Correct-horse-4-battery", user.Actor{}); err != nil || !errors.Is(res.Err, want) {
			t.Errorf("%v %v, want %v", res.Err, err, want)
		}
	}
	u, err := w.store.User(t.Context(), "auth0|legacy|42")
	if err != nil || u.Profile.Text("given_name") != "Bo" || !u.Profile.True("email_verified") {
		t.Fatalf("%+v, %v", u, err)
	}
	s.asked = nil
	// From now on she is ours, and the old store is not asked who asks for a link.
	w.send(t, "POST", "/dbconnections/change_password", `{"client_id":"`+webApp+`","connection":"Shop","email":"bo@shop.example"}`)
	if len(w.outbox.letters) < 2 || len(s.asked) != 0 {
		t.Errorf("%d letters, asked %s", len(w.outbox.letters), s.asked)
	}
}
