package op

import (
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/customdb"
)

// What a custom database says about a password, on the wire of the password grants; the
// text of a plain error is for the record alone (reference/connections.md §5.2).
func TestPasswordGrantElsewhere(t *testing.T) {
	const (
		wrong = `{"error":"invalid_grant","error_description":"Wrong email or password."}`
		down  = `{"error":"access_denied","error_description":"The database of this connection gave no answer. Please try again later."}`
	)
	w := newWorld(t)
	for i, row := range []struct {
		about  string
		answer any
		status int
		want   string
		record string
		userID string
		text   string
	}{
		{"wrong, of somebody", &customdb.Failure{Kind: customdb.Wrong, UserID: "7", Message: "no 4711"}, 403, wrong, audit.WrongPassword, "auth0|7", "no 4711"},
		{"wrong, of nobody", &customdb.Failure{Kind: customdb.Wrong, Message: "who?"}, 403, wrong, audit.UnknownUser, "", "who?"},
		{"nothing", nil, 403, wrong, audit.UnknownUser, "", "Wrong email or password."},
		{
			"UnauthorizedError", &customdb.Failure{Kind: customdb.Unauthorized, Message: "Please verify your account."}, 403,
			`{"error":"unauthorized","error_description":"Please verify your account."}`, audit.LoginFailed, "", "Please verify your account.",
		},
		{
			"UnauthorizedError without a text", &customdb.Failure{Kind: customdb.Unauthorized}, 403,
			`{"error":"unauthorized","error_description":"Unauthorized"}`, audit.LoginFailed, "", "Unauthorized",
		},
		{
			"ValidationError", &customdb.Failure{Kind: customdb.Invalid, Code: "too-old", Message: "Too old."}, 400,
			`{"error":"too-old","error_description":"Too old."}`, audit.LoginFailed, "", "Too old.",
		},
		{
			"ValidationError of a code that sign-up has", &customdb.Failure{Kind: customdb.Invalid, Code: "user_exists", Message: "Two of you."}, 400,
			`{"error":"user_exists","error_description":"Two of you."}`, audit.LoginFailed, "", "Two of you.",
		},
		{"Error", &customdb.Failure{Kind: customdb.Failed, Message: "row 4711"}, 503, down, audit.LoginFailed, "", "row 4711"},
		{"a limit", &customdb.Failure{Kind: customdb.Broken, Message: "20 s"}, 503, down, audit.LoginFailed, "", "20 s"},
		{"no id", `{"email":"bo@shop.example"}`, 503, down, audit.LoginFailed, "", "the profile has no user_id"},
	} {
		for kind, options := range map[string]string{"Store": "", "Import": `,"import_mode":true`} {
			t.Run(row.about+", "+kind, func(t *testing.T) {
				name := kind + string(rune('a'+i))
				s := &told{answers: map[customdb.Action]any{customdb.Login: row.answer}}
				w.customized(t, name, options, s)
				rec := w.post(t, form("grant_type", "http://auth0.com/oauth/grant-type/password-realm", "realm", name, "client_id", webApp, "client_secret", secret,
					"username", "bo@shop.example", "password", "whatever"))
				if got := strings.TrimSpace(rec.Body.String()); rec.Code != row.status || got != row.want {
					t.Errorf("%d %s", rec.Code, got)
				}
				if (rec.Code == 503) != (rec.Header().Get("Retry-After") != "") {
					t.Errorf("Retry-After %q", rec.Header().Get("Retry-After"))
				}
				if e := w.events.list[len(w.events.list)-1]; e.Type != row.record || e.UserID != row.userID || e.Description != row.text || e.Connection != name {
					t.Errorf("recorded %+v", e)
				}
				if got := strings.Join(s.asked, " "); got != "login" {
					t.Errorf("asked %s", got)
				}
			})
		}
	}
}
