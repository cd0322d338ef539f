package op

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/profile"
)

// told is a custom database that answers each action in the same way, and keeps in
// which order it was asked.
type told struct {
	answers map[customdb.Action]any // an error, or the JSON text of an answer; nothing: null
	asked   []string
}

func (s *told) Run(_ context.Context, _ *connection.Connection, call customdb.Call) (customdb.Answer, error) {
	s.asked = append(s.asked, string(call.Action))
	if err, ok := s.answers[call.Action].(error); ok {
		return customdb.Answer{}, err
	}
	text, _ := s.answers[call.Action].(string)
	if text == "" {
		return customdb.Answer{Value: profile.Null}, nil
	}
	return customdb.Answer{Value: json.RawMessage(text)}, nil
}

// customized makes the connection a custom database.
func (w *world) customized(tb testing.TB, name, options string, s *told) {
	tb.Helper()
	must(tb, w.store.CreateConnection(tb.Context(), &connection.Connection{
		ID: "con_" + name + strings.Repeat("z", 16-len(name)), Name: name, Strategy: "auth0", Realms: []string{name}, EnabledClients: []string{webApp},
		Options: json.RawMessage(`{"enabledDatabaseCustomization":true,"customScripts":{"login":"x","get_user":"x","create":"x"}` + options + `}`),
		Extra:   json.RawMessage(`{}`), Version: 1,
	}, audit.Event{Type: audit.APIOperation}))
	w.d.Users.External = s
}

// What a custom database says about a sign-up, on the wire.
func TestSignupElsewhere(t *testing.T) {
	const (
		there = `{"user_id":"legacy|42","email":"Bo@Shop.example","email_verified":false}`
		three = "get_user create login"
	)
	for i, row := range []struct {
		about   string
		options string
		answers map[customdb.Action]any
		status  int
		want    string
		asked   string
		record  string
	}{
		{"made", "", map[customdb.Action]any{customdb.Login: there}, 200, `{"_id":"legacy|42","email":"Bo@Shop.example","email_verified":false}`, three, ""},
		{
			"is there", "", map[customdb.Action]any{customdb.GetUser: there}, 400,
			`{"name":"BadRequestError","code":"invalid_signup","description":"Invalid sign up","statusCode":400}`, "get_user", "The user already exists.",
		},
		{
			"is there, says create", "", map[customdb.Action]any{customdb.Create: &customdb.Failure{Kind: customdb.Invalid, Code: "user_exists", Message: "we know bo"}}, 400,
			`{"name":"BadRequestError","code":"invalid_signup","description":"Invalid sign up","statusCode":400}`, "get_user create", "we know bo",
		},
		{
			"a ValidationError", "", map[customdb.Action]any{customdb.Create: &customdb.Failure{Kind: customdb.Invalid, Code: "email-too-long", Message: "the e-mail is too long"}}, 400,
			`{"name":"BadRequestError","code":"email-too-long","description":"the e-mail is too long","statusCode":400}`, "get_user create", "the e-mail is too long",
		},
		{
			"any other error", "", map[customdb.Action]any{customdb.Create: &customdb.Failure{Kind: customdb.Failed, Message: "duplicate key in row 7"}}, 503,
			`"description":"The database of this connection gave no answer. Please try again later."`, "get_user create", "duplicate key in row 7",
		},
		{
			"nobody confirms", "", map[customdb.Action]any{customdb.Login: &customdb.Failure{Kind: customdb.Wrong}}, 400,
			`"code":"auth0_idp_error","description":"The account was created in the database of this connection, which has not confirmed it. Please try to sign in."`, three, "",
		},
		{
			"is in the old store", `,"import_mode":true`, map[customdb.Action]any{customdb.GetUser: there}, 400,
			`{"name":"BadRequestError","code":"invalid_signup","description":"Invalid sign up","statusCode":400}`, "get_user", "The user already exists.",
		},
		{"is not in the old store", `,"import_mode":true`, nil, 200, `"email":"bo@shop.example","email_verified":false}`, "get_user", ""},
		{
			"the old store is down", `,"import_mode":true`, map[customdb.Action]any{customdb.GetUser: &customdb.Failure{Kind: customdb.Broken, Message: "20 s"}}, 503,
			`gave no answer`, "get_user", "20 s",
		},
	} {
		t.Run(row.about, func(t *testing.T) {
			w := newWorld(t)
			s := &told{answers: row.answers}
			name := "Shop" + string(rune('a'+i))
			w.customized(t, name, row.options, s)
			rec := w.send(t, "POST", "/dbconnections/signup", `{"client_id":"`+webApp+`","connection":"`+name+`","email":"Bo@Shop.example","password":"Correct-horse-4-battery"}`)
			if rec.Code != row.status || !strings.Contains(rec.Body.String(), row.want) {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
			if got := strings.Join(s.asked, " "); got != row.asked {
				t.Errorf("asked %s", got)
			}
			if row.status == 200 {
				return
			}
			if e := w.events.list[len(w.events.list)-1]; e.Type != audit.SignupFailed || row.record != "" && e.Description != row.record {
				t.Errorf("recorded %+v", e)
			}
		})
	}
}
