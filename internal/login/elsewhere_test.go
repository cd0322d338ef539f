package login_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/oauth"
	"mangrove/internal/profile"
	"mangrove/internal/ticket"
)

// answering is a custom database that says the same whenever it is asked.
type answering map[customdb.Action]any // an error, or the JSON text of an answer; nothing: null

func (s answering) Run(_ context.Context, _ *connection.Connection, call customdb.Call) (customdb.Answer, error) {
	if err, ok := s[call.Action].(error); ok {
		return customdb.Answer{}, err
	}
	if text, _ := s[call.Action].(string); text != "" {
		return customdb.Answer{Value: profile.Value(text)}, nil
	}
	return customdb.Answer{Value: profile.Null}, nil
}

const boThere = `{"user_id":"legacy|42","email":"bo@shop.example","email_verified":true}`

// The pages of somebody whose account an external store makes and changes.
func TestPagesOfAnExternalStore(t *testing.T) {
	r := newRig(t)
	r.tenant = identifierFirst
	r.connect(databaseID, "db", "auth0", map[string]any{"enabledDatabaseCustomization": true, "customScripts": map[string]any{
		"login": "x", "get_user": "x", "create": "x", "change_password": "x",
	}}, `{}`)
	shop := answering{customdb.Login: boThere}
	r.users.External = shop
	r.request = func(q *oauth.AuthorizeRequest) { q.ScreenHint = "signup" }
	const strong = "Correct-horse-4-battery"
	b := r.browser()
	to := action(t, b.get("/authorize").body)
	form := url.Values{"email": {"bo@shop.example"}, "password": {strong}}
	const refused = "We could not create this account."
	for _, row := range []struct {
		about  string
		action customdb.Action
		answer any
		status int
		want   string
		record string
	}{
		{"taken", customdb.GetUser, boThere, http.StatusBadRequest, refused, "The user already exists."},
		{"taken, says create", customdb.Create, &customdb.Failure{Kind: customdb.Invalid, Code: "user_exists", Message: "we know bo"}, http.StatusBadRequest, refused, "we know bo"},
		{"a ValidationError", customdb.Create, &customdb.Failure{Kind: customdb.Invalid, Code: "x", Message: "too long"}, http.StatusBadRequest, refused, "too long"},
		{"the answer is no", customdb.Create, "false", http.StatusBadRequest, refused, "the answer is false"},
	} {
		shop[row.action] = row.answer
		a := b.post(to, form)
		a.wantPage(t, row.status, row.want)
		if strings.Contains(a.body, strong) || strings.Contains(a.body, "too long") {
			t.Errorf("%s: the page tells: %s", row.about, a.body)
		}
		if e := r.events[len(r.events)-1]; e.Type != audit.SignupFailed || e.Description != row.record {
			t.Errorf("%s: recorded %+v", row.about, e)
		}
		delete(shop, row.action)
	}
	if a := b.post(to, form); a.app.Get("user") != "auth0|legacy|42" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if b.whoami() != "auth0|legacy|42" {
		t.Error("not signed in")
	}

	shop[customdb.GetUser], shop[customdb.ChangePassword] = boThere, &customdb.Failure{Kind: customdb.Invalid, Code: "x", Message: "used before"}
	link := r.link(ticket.ChangePassword, "auth0|legacy|42", func(*ticket.Request) {})
	fresh := url.Values{"password": {"Another-9-good-long-one"}, "again": {"Another-9-good-long-one"}}
	a := b.post(link, fresh)
	a.wantPage(t, http.StatusBadRequest, "Something you entered cannot be used.")
	if !strings.Contains(a.body, "<form") || strings.Contains(a.body, "used before") {
		t.Errorf("%s", a.body)
	}
	shop[customdb.ChangePassword] = "true"
	if a := b.post(link, fresh); a.status != http.StatusOK || !strings.Contains(a.body, "You can sign in with your new password now.") {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

// What a login script refuses: the words of an UnauthorizedError are for the application,
// those of a ValidationError for the tenant log, and both are refusals, no breakdown.
func TestSignInRefusedElsewhere(t *testing.T) {
	for _, mode := range []struct {
		about string
		moves bool
	}{{"external store", false}, {"import mode", true}} {
		t.Run(mode.about, func(t *testing.T) {
			r := newRig(t)
			r.connect(databaseID, "db", "auth0", map[string]any{
				"enabledDatabaseCustomization": true, "import_mode": mode.moves, "customScripts": map[string]any{"login": "x", "get_user": "x"},
			}, `{}`)
			shop := answering{}
			r.users.External = shop
			form := url.Values{"username": {"bo@shop.example"}, "password": {"Correct-horse-4-battery"}}
			for _, row := range []struct {
				about string
				said  *customdb.Failure
			}{
				{"a ValidationError", &customdb.Failure{Kind: customdb.Invalid, Code: "too-old", Message: "Too old."}},
				{"of a sign-up's code", &customdb.Failure{Kind: customdb.Invalid, Code: "user_exists", Message: "Too old."}},
				{"of no code", &customdb.Failure{Kind: customdb.Invalid, Message: "Too old."}},
			} {
				shop[customdb.Login] = row.said
				b := r.browser()
				a := b.post(action(t, b.get("/authorize").body), form)
				a.wantPage(t, http.StatusBadRequest, "Something you entered cannot be used.")
				if !strings.Contains(a.body, "<form") || strings.Contains(a.body, "Too old") {
					t.Errorf("%s: %s", row.about, a.body)
				}
				if e := r.events[len(r.events)-1]; e.Type != audit.LoginFailed || e.Description != "Too old." {
					t.Errorf("%s: recorded %+v", row.about, e)
				}
			}
			shop[customdb.Login] = &customdb.Failure{Kind: customdb.Unauthorized, Message: "Not today."}
			b := r.browser()
			if a := b.post(action(t, b.get("/authorize").body), form); a.app.Get("error") != "unauthorized" || a.app.Get("error_description") != "Not today." {
				t.Errorf("%d %s %s", a.status, a.app, a.body)
			}
		})
	}
}
