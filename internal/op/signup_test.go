package op

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/user"
)

func TestSignupMetadata(t *testing.T) {
	many := make([]string, 11)
	for i := range many {
		many[i] = fmt.Sprintf(`"k%d":"v"`, i)
	}
	for _, row := range []struct {
		in, want string
	}{
		{``, ""},
		{`null`, ""},
		{`{}`, ""},
		{`{"a":"b","__proto__":"x"}`, ""},
		{`{"a":"` + strings.Repeat("é", 500) + `"}`, ""},
		{`{` + strings.Join(many[:10], ",") + `}`, ""},
		{`"a"`, "invalid user_metadata type (expected object)"},
		{`[]`, "invalid user_metadata type (expected object)"},
		{`{"a":1}`, "invalid user_metadata.a type (only strings are allowed)"},
		{`{"a":"b","c":{}}`, "invalid user_metadata.c type (only strings are allowed)"},
		{`{"a":null}`, "invalid user_metadata.a type (only strings are allowed)"},
		{`{` + strings.Join(many, ",") + `}`, "invalid user_metadata (at most 10 properties are allowed)"},
		{`{"a":"` + strings.Repeat("é", 501) + `"}`, "invalid user_metadata.a value (at most 500 characters are allowed)"},
		{`{"` + strings.Repeat("n", 101) + `":"b"}`, "invalid user_metadata." + strings.Repeat("n", 101) + " name (at most 100 characters are allowed)"},
	} {
		var v json.RawMessage
		if row.in != "" {
			v = json.RawMessage(row.in)
		}
		err := signupMetadata(v)
		if f := errs.From(err); (err == nil) != (row.want == "") || err != nil && (f.Text != row.want || f.Code != row.want) {
			t.Errorf("%.60s: %v", row.in, err)
		}
	}
}

func TestSignupIdentifiers(t *testing.T) {
	for _, row := range []struct {
		name  string
		facts profile.Connection
		rules connection.Signup
		given string
		want  string
	}{
		{"email", profile.Connection{EmailRequired: true}, connection.Signup{}, "email", ""},
		{"email missing", profile.Connection{EmailRequired: true}, connection.Signup{}, "username", "missing email"},
		{"username missing", profile.Connection{EmailRequired: true, Username: profile.UsernameRule{Required: true}}, connection.Signup{}, "email", "missing username for C connection with requires_username enabled"},
		{"both", profile.Connection{EmailRequired: true, Username: profile.UsernameRule{Required: true}}, connection.Signup{}, "email username", ""},
		{"phone at sign-up", profile.Connection{}, connection.Signup{PhoneRequired: true}, "email", "missing phone_number"},
		{"email refused", profile.Connection{}, connection.Signup{EmailInactive: true}, "email", "email is not allowed at sign up"},
	} {
		var changes []profile.Change
		for _, n := range strings.Fields(row.given) {
			changes = append(changes, profile.Change{Name: n, Value: profile.Text("x")})
		}
		err := signupIdentifiers("C", row.facts, row.rules, changes)
		if (err == nil) != (row.want == "") || err != nil && err.Error() != row.want {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

func TestLegacyBodies(t *testing.T) {
	for _, row := range []struct {
		err    error
		status int
		want   string
	}{
		{user.ErrExists, 400, `{"name":"BadRequestError","code":"invalid_signup","description":"Invalid sign up","statusCode":400}`},
		{user.ErrUsernameTaken, 400, `{"name":"BadRequestError","code":"invalid_signup","description":"Invalid sign up","statusCode":400}`},
		{user.ErrSignupDisabled, 400, `{"error":"public signup is disabled"}`},
		{user.ErrNoConnection, 400, `{"error":"invalid_request","error_description":"the connection was not found"}`},
		{user.ErrSignupLocked, 429, `{"name":"AnomalyDetected","code":"too_many_attempts","description":"We have detected suspicious sign up behavior and further attempts will be blocked. Please contact the administrator.","statusCode":429}`},
		{user.ErrBusy, 429, `{"name":"TooManyRequestsError","code":"too_many_requests","description":"Too many sign-ins at once. Please try again in a moment.","statusCode":429}`},
		{fmt.Errorf("disk on fire: %s", "secret"), 500, `{"name":"InternalError","code":"server_error","description":"Internal error.","statusCode":500}`},
		{&passwd.Weak{Name: "PasswordStrengthError", Message: "Password is too weak", Description: map[string]any{"verified": false}, Policy: "* At least 8 characters in length"}, 400,
			`{"name":"PasswordStrengthError","message":"Password is too weak","code":"invalid_password","description":{"verified":false},"policy":"* At least 8 characters in length","statusCode":400}`},
		{&passwd.Weak{Name: "PasswordDictionaryError", Message: "Password is too common", Description: "Password is not allowed, it might be too common."}, 400,
			`{"name":"PasswordDictionaryError","message":"Password is too common","code":"invalid_password","description":"Password is not allowed, it might be too common.","statusCode":400}`},
		{schema.Error{{Code: "OBJECT_REQUIRED", Message: "Missing required property: email"}}, 400,
			`{"name":"BadRequestError","code":"bad_request","description":"Payload validation error: 'Missing required property: email'.","statusCode":400}`},
	} {
		status, body := legacyOf(row.err)
		text, _ := json.Marshal(body)
		if status != row.status || string(text) != row.want {
			t.Errorf("%v: %d %s\nwant %s", row.err, status, text, row.want)
		}
	}
}

func TestSignupAnswer(t *testing.T) {
	for _, row := range []struct{ given, want string }{
		{`{"email":"A@b.c"}`, `{"_id":"1","email":"a@b.c","email_verified":false}`},
		{`{"username":"ann","email":"a@b.c","app_metadata":{},"email_verified":true}`, `{"_id":"1","email":"a@b.c","username":"ann","email_verified":false}`},
		{`{"username":"ann"}`, `{"_id":"1","username":"ann"}`},
		{`{"username":"ann","phone_number":"+1"}`, `{"_id":"1","username":"ann","phone_number":"+1","phone_verified":false}`},
		{`{"email":"a@b.c","user_metadata":{"a":"b"},"name":"N","given_name":"G","nickname":null}`,
			`{"_id":"1","email":"a@b.c","email_verified":false,"given_name":"G","name":"N","user_metadata":{"a":"b"}}`},
	} {
		var given map[string]json.RawMessage
		if err := json.Unmarshal([]byte(row.given), &given); err != nil {
			t.Fatal(err)
		}
		u := &user.User{Identities: []user.Identity{{UserID: "1"}}, Profile: profile.Of(
			profile.Attribute{Name: "email", Value: profile.Text("a@b.c")}, profile.Attribute{Name: "email_verified", Value: profile.Bool(false)},
			profile.Attribute{Name: "username", Value: profile.Text("ann")}, profile.Attribute{Name: "phone_number", Value: profile.Text("+1")},
			profile.Attribute{Name: "name", Value: profile.Text("N")}, profile.Attribute{Name: "given_name", Value: profile.Text("G")},
			profile.Attribute{Name: "nickname", Value: profile.Text("n")}, profile.Attribute{Name: "user_metadata", Value: profile.Value(`{"a":"b"}`)},
			profile.Attribute{Name: "picture", Value: profile.Text("p")},
		)}
		if got := string(signupAnswer(u, given)); got != row.want {
			t.Errorf("%s: %s", row.given, got)
		}
	}
}

// The mail that follows is in the language of the person who signs up.
func TestSignupLanguage(t *testing.T) {
	w := newWorld(t)
	rec := w.send(t, "POST", "/dbconnections/signup", `{"client_id":"`+webApp+`","connection":"Users","email":"dora@example.com","password":"`+secretPW+`"}`, "Accept-Language", "de-AT,en;q=0.5")
	if rec.Code != 200 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	var mails []string // ann's is among them, and which of the two comes first is open
	for range 2 {
		j, _, err := w.store.Claim(t.Context(), "me", w.at.UnixMicro()+1, w.at.UnixMicro()+1e9, job.VerificationEmail)
		if err != nil || j == nil {
			t.Fatalf("%+v %v", j, err)
		}
		mails = append(mails, string(j.Params))
	}
	if !strings.Contains(strings.Join(mails, " "), `"language":"de-AT"`) {
		t.Errorf("%s", mails)
	}
}
