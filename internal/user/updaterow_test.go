package user

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/passwd"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

func TestParseUpdateAccepted(t *testing.T) {
	for _, c := range []struct {
		name, row string
		id        ID
		email     string
		changes   int
		supplied  string // when it differs from row
	}{
		{"by id", `{"user_id":"auth0|1","patch":{"name":"A"}}`, "auth0|1", "", 1, ""},
		{"by e-mail", `{"patch":{"name":"A","blocked":true},"email":"Ann@Example.com"}`, "", "Ann@Example.com", 2, ""},
		{"null removes", `{"user_id":"auth0|1","patch":{"name":null}}`, "auth0|1", "", 1, ""},
		{
			"a password is masked", `{"user_id":"auth0|1","patch":{"password":"hunter2","name":"A"}}`, "auth0|1", "", 1,
			`{"user_id":"auth0|1","patch":{"password":"*****","name":"A"}}`,
		},
		{"only a message", `{"user_id":"auth0|1","patch":{"verify_email":false}}`, "auth0|1", "", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			row, problems := ParseUpdate([]byte(c.row))
			if len(problems) > 0 || row.ID != c.id || row.Email != c.email || len(row.Patch.Changes) != c.changes {
				t.Errorf("%+v, problems %v", row, problems)
			}
			want := c.supplied
			if want == "" {
				want = c.row
			}
			if string(row.Supplied) != want {
				t.Errorf("supplied %s", row.Supplied)
			}
		})
	}
}

func TestParseUpdateRefused(t *testing.T) {
	const either = "NOT_PASSED  A row has either user_id or email"
	for _, c := range []struct{ name, row, want, supplied string }{
		{"no JSON", `nonsense`, "INVALID_FORMAT  The row is not a valid JSON object: expected a value at byte 0", `{}`},
		{"no object", `[]`, "INVALID_FORMAT  The row is not a valid JSON object: expected an object at byte 0", `{}`},
		{"nobody", `{"patch":{"name":"A"}}`, either, ""},
		{"both", `{"user_id":"auth0|1","email":"a@example.com","patch":{"name":"A"}}`, either, ""},
		{"no patch", `{"user_id":"auth0|1"}`, "OBJECT_REQUIRED  Missing required property: patch", ""},
		{"unknown member", `{"user_id":"auth0|1","patch":{"name":"A"},"name":"A"}`, "OBJECT_ADDITIONAL_PROPERTIES  Additional properties not allowed: name", ""},
		{"id of another form", `{"user_id":"1","patch":{"name":"A"}}`, "FORMAT user_id Error in user_id property - ", ""},
		{"id of another type", `{"user_id":1,"patch":{"name":"A"}}`, "INVALID_TYPE user_id Error in user_id property - Expected type string but found type integer", ""},
		{"empty e-mail", `{"email":"","patch":{"name":"A"}}`, "MIN_LENGTH email Error in email property - ", ""},
		{"patch is no object", `{"user_id":"auth0|1","patch":[{"password":"hunter2"}]}`, "INVALID_TYPE patch Error in patch property - ", `{"user_id":"auth0|1","patch":[{"password":"*****"}]}`},
		{"patch is a text", `{"user_id":"auth0|1","patch":"hunter2"}`, "INVALID_TYPE patch Error in patch property - ", `{"user_id":"auth0|1","patch":"*****"}`},
		{"empty patch", `{"user_id":"auth0|1","patch":{}}`, "ANY_OF_MISSING patch Error in patch property - None of the valid schemas were met", ""},
		{"the connection alone", `{"user_id":"auth0|1","patch":{"connection":"Users"}}`, "ANY_OF_MISSING patch Error in patch property - None", ""},
		{"wrong type within", `{"user_id":"auth0|1","patch":{"blocked":"yes"}}`, "INVALID_TYPE patch.blocked Error in patch.blocked property - Expected type boolean but found type string", ""},
		{"unknown attribute", `{"user_id":"auth0|1","patch":{"created_at":"x"}}`, "OBJECT_ADDITIONAL_PROPERTIES patch Error in patch property - Additional properties not allowed: created_at (consider storing them in app_metadata", ""},
		{"password beside the patch", `{"user_id":"auth0|1","password":"hunter2","patch":{"password":7}}`, "OBJECT_ADDITIONAL_PROPERTIES  Additional properties not allowed: password", `{"user_id":"auth0|1","password":"*****","patch":{"password":"*****"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			row, problems := ParseUpdate([]byte(c.row))
			if len(problems) == 0 {
				t.Fatalf("accepted: %+v", row)
			}
			p := problems[0]
			if got := p.Code + " " + p.Path + " " + p.Message; !strings.HasPrefix(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			want := c.supplied
			if want == "" {
				want = c.row
			}
			if string(row.Supplied) != want {
				t.Errorf("supplied %s", row.Supplied)
			}
		})
	}
}

func TestUpdateProblems(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want []Problem
	}{
		{"unknown user", ErrNotFound, []Problem{{"USER_NOT_FOUND", "The user does not exist.", ""}}},
		{"several users", ErrAmbiguous, []Problem{{"USER_AMBIGUOUS", "There are several users with this email.", ""}}},
		{"taken", ErrExists, []Problem{{"DUPLICATED_USER", "The user already exists.", ""}}},
		{"name taken", ErrUsernameTaken, []Problem{{"CONFLICT_USERNAME", "The username provided is in use already.", ""}}},
		{"connection", ErrNoConnection, []Problem{{"CONNECTION_NOT_FOUND", "Connection does not exist.", ""}}},
		{"not editable", ErrConnectionUnsupported, []Problem{{"NOT_PASSED", "Connection is not supported for this operation.", ""}}},
		{"violation", schema.Error{{Code: "FORMAT", Message: "m", Path: "email"}}, []Problem{{"FORMAT", "Error in patch.email property - m", "patch.email"}}},
		{"weak", &passwd.Weak{Name: "PasswordStrengthError", Message: "Password is too weak"}, []Problem{{"NOT_PASSED", "Error in patch.password property - PasswordStrengthError: Password is too weak", "patch.password"}}},
		{"wrapped", ErrNotFound.Because(errors.New("x")), []Problem{{"USER_NOT_FOUND", "The user does not exist.", ""}}},
		{"no answer", errs.New(errs.Unavailable, "", "away"), nil},
		{"busy", ErrBusy, nil},
		{"bug", errors.New("bug"), nil},
	} {
		if got := PatchProblems(c.err); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// Law: a row is refused or complete; the report is an object that never repeats
// a secret of the patch; what PATCH accepts is accepted, and nothing else.
func FuzzParseUpdate(f *testing.F) {
	for _, s := range []string{
		`{"user_id":"auth0|1","patch":{"name":"A"}}`,
		`{"email":"a@example.com","patch":{"password":"canary-secret","user_metadata":{"a":null}}}`,
		`{"user_id":"auth0|1","patch":{"password":{"x":"canary-secret"}},"password":["canary-secret"]}`,
		`{"user_id":"auth0|1","patch":["canary-secret",{"client_secret":1}]}`,
		`{"patch":{},"patch":{}}`, `[]`, `{}`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		row, problems := ParseUpdate(text)
		if !json.Valid(row.Supplied) || row.Supplied[0] != '{' {
			t.Fatalf("report %q", row.Supplied)
		}
		complete := (row.ID == "") != (row.Email == "")
		if len(problems) == 0 && !complete {
			t.Fatalf("accepted: %+v", row)
		}
		_, members, err := strictjson.Split(text)
		if err != nil {
			if len(problems) != 1 || string(row.Supplied) != "{}" {
				t.Fatalf("no JSON: %+v, %+v", row, problems)
			}
			return
		}
		var patch []strictjson.Member
		for _, m := range members {
			if m.Name != patchMember {
				continue
			}
			if patch, err = strictjson.Object(m.Value); err != nil {
				continue
			}
			if _, err := ReadPatch(patch); err != nil && len(problems) == 0 {
				t.Fatalf("accepted what PATCH refuses: %v", err)
			}
		}
		for _, m := range patch {
			if m.Name == "password" && len(m.Value) > 9 && m.Value[0] == '"' && bytes.Count(text, m.Value) == 1 && bytes.Contains(row.Supplied, m.Value) {
				t.Fatalf("the report repeats a password: %s", row.Supplied)
			}
		}
	})
}
