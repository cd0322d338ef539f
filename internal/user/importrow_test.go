package user

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
)

const importedAt = 1_750_000_000_000_000

func importDatabase(options string) *connection.Connection {
	return &connection.Connection{
		ID: "con_0123456789abcdef", Name: "people", Strategy: "auth0",
		Options: json.RawMessage(options), EnabledClients: []string{"app"}, Realms: []string{"people"},
	}
}

func importOptions() ImportOptions {
	n := 0
	return ImportOptions{JobID: "job_1", Upsert: true, Now: importedAt, NewID: func() string {
		n++
		return fmt.Sprintf("made%d", n)
	}}
}

const (
	bcryptHash = "$2b$10$abcdefghijklmnopqrstuuweFluOTZuQ0Boo1w.y.les8URrwaTdW"
	md5Custom  = `{"algorithm":"md5","hash":{"value":"7fc56270e7a70fa81a5935b72eacbe29","encoding":"hex"}}` // of A
)

func TestParseRowAccepted(t *testing.T) {
	for _, c := range []struct {
		name, options, row string
		id                 ID
		profile            string
	}{
		{
			"e-mail only", `{}`, `{"email":"Au@Example.COM"}`, "auth0|made1",
			`{"email":"au@example.com","email_verified":false,"name":"au@example.com","nickname":"au","picture":"https://secure.gravatar.com/avatar/cf473e467c5b477f17dbc1609e8b5eed?s=480&r=pg&d=https%3A%2F%2Fcdn.auth0.com%2Favatars%2Fau.png"}`,
		},
		{
			"everything", `{"requires_username":true}`,
			`{"email":"a@b.example","email_verified":true,"user_id":"X1","username":"ANN","given_name":"Ann","family_name":"Lee","name":"Ann Lee","nickname":"annie","picture":"https://x.example/a.png","blocked":true,"app_metadata":{"a":1.50},"user_metadata":{"b":[1]}}`,
			"auth0|X1",
			`{"app_metadata":{"a":1.50},"blocked":true,"email":"a@b.example","email_verified":true,"family_name":"Lee","given_name":"Ann","name":"Ann Lee","nickname":"annie","picture":"https://x.example/a.png","user_metadata":{"b":[1]},"username":"ann"}`,
		},
		{"id with prefix", `{}`, `{"email":"a@b.example","name":"A","nickname":"a","picture":"https://x.example/","user_id":"auth0|abc|d"}`, "auth0|abc|d", `{"email":"a@b.example","email_verified":false,"name":"A","nickname":"a","picture":"https://x.example/"}`},
		{"prefix is taken off once", `{}`, `{"email":"a@b.example","name":"A","nickname":"a","picture":"https://x.example/","user_id":"auth0|auth0|x"}`, "auth0|auth0|x", `{"email":"a@b.example","email_verified":false,"name":"A","nickname":"a","picture":"https://x.example/"}`},
		{"empty id", `{}`, `{"email":"a@b.example","name":"A","nickname":"a","picture":"https://x.example/","user_id":""}`, "auth0|made1", `{"email":"a@b.example","email_verified":false,"name":"A","nickname":"a","picture":"https://x.example/"}`},
		{
			"a whole export row", `{}`,
			`{"user_id":"auth0|abc","email":"a@b.example","email_verified":true,"name":"A","nickname":"a","picture":"https://x.example/","identities":[{"user_id":"abc","provider":"auth0","connection":"theirs","isSocial":false}],` +
				`"created_at":"2020-01-01T00:00:00.000Z","updated_at":"2021-01-01T00:00:00.000Z","last_login":"2021-01-01T00:00:00.000Z","last_ip":"192.0.2.1","logins_count":7,"last_password_reset":"2020-06-01T00:00:00.000Z",` +
				`"multifactor":["guardian"],"multifactor_last_modified":"2020-06-01T00:00:00.000Z","blocked_for":[],"guardian_authenticators":[],"tenant":"t","connection":"theirs","blocked":false}`,
			"auth0|abc", `{"blocked":false,"email":"a@b.example","email_verified":true,"name":"A","nickname":"a","picture":"https://x.example/"}`,
		},
		{
			"phone instead of e-mail", `{"attributes":{"phone_number":{},"email":{}}}`,
			`{"phone_number":"+12025550100","phone_verified":true,"name":"A","nickname":"a","picture":"https://x.example/"}`, "auth0|made1",
			`{"name":"A","nickname":"a","phone_number":"+12025550100","phone_verified":true,"picture":"https://x.example/"}`,
		},
	} {
		r, problems := ParseRow(importDatabase(c.options), []byte(c.row), importOptions())
		if len(problems) > 0 {
			t.Errorf("%s: %+v", c.name, problems)
			continue
		}
		if r.New.ID != c.id || r.New.Primary().UserID != strings.TrimPrefix(string(c.id), "auth0|") || r.New.Primary().ConnectionID != "con_0123456789abcdef" {
			t.Errorf("%s: id %s, identity %+v", c.name, r.New.ID, r.New.Primary())
		}
		if got := string(EncodeAttributes(r.New.Profile)); got != c.profile {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.profile)
		}
		if string(r.Supplied) != c.row {
			t.Errorf("%s: supplied %s", c.name, r.Supplied)
		}
		if r.New.CreatedAt != importedAt || r.New.UpdatedAt != importedAt || r.New.Password.Hash != "" || r.New.Password.Imported {
			t.Errorf("%s: %+v", c.name, r.New)
		}
		for _, a := range r.New.Profile.All() {
			if a.Source.At != importedAt || a.Source.Actor != "job_1" || a.Source.Connection != "con_0123456789abcdef" ||
				a.Source.Origin != profile.FromImport && a.Source.Origin != profile.FromDefault {
				t.Errorf("%s: source of %s is %+v", c.name, a.Name, a.Source)
			}
		}
	}
}

func TestParseRowRefused(t *testing.T) {
	for _, c := range []struct{ name, row, code, message, path string }{
		{"no JSON", `{"email":`, "INVALID_FORMAT", "The row is not a valid JSON object: unexpected end of the text at byte 9", ""},
		{"no object", `["a@b.example"]`, "INVALID_FORMAT", "The row is not a valid JSON object: expected an object at byte 0", ""},
		{"twice", `{"email":"a@b.example","email":"c@d.example"}`, "INVALID_FORMAT", "The row is not a valid JSON object: duplicate member name at byte 23", ""},
		{"NUL", `{"email":"a@b.example","name":"a\u0000"}`, "INVALID_FORMAT", "The row is not a valid JSON object: NUL in a string at byte 32", ""},
		{"no e-mail", `{"name":"Ann"}`, "OBJECT_REQUIRED", "Missing required property: email", ""},
		{"bad e-mail", `{"email":"foo@"}`, "FORMAT", "Error in email property - Object didn't pass validation for format email: foo@", "email"},
		{"null e-mail", `{"email":null}`, "INVALID_TYPE", "Error in email property - Expected type string but found type null", "email"},
		{"unknown member", `{"email":"a@b.example","created_at":"x","_id":2,"foo":1}`, "OBJECT_ADDITIONAL_PROPERTIES", "Additional properties not allowed: _id,foo", ""},
		{"password", `{"email":"a@b.example","password":"secret"}`, "OBJECT_ADDITIONAL_PROPERTIES", "Additional properties not allowed: password", ""},
		{"name of another type", `{"email":"a@b.example","name":1}`, "INVALID_TYPE", "Error in name property - Expected type string but found type integer", "name"},
		{"long name", `{"email":"a@b.example","name":"` + strings.Repeat("x", 301) + `"}`, "MAX_LENGTH", "Error in name property - String is too long (301 chars), maximum 300", "name"},
		{"no usernames here", `{"email":"a@b.example","username":"ann"}`, "NOT_PASSED", "Cannot set username for connection without requires_username.", ""},
		{"id with a blank", `{"email":"a@b.example","user_id":"a b"}`, "PATTERN", `Error in user_id property - String does not match pattern ^\S*$: a b`, "user_id"},
		{"long id", `{"email":"a@b.example","user_id":"` + strings.Repeat("x", 256) + `"}`, "MAX_LENGTH", "Error in user_id property - String is too long (256 chars), maximum 255", "user_id"},
		{"id of another type", `{"email":"a@b.example","user_id":7}`, "INVALID_TYPE", "Error in user_id property - Expected type string but found type integer", "user_id"},
		{"both hashes", `{"email":"a@b.example","password_hash":"` + bcryptHash + `","custom_password_hash":` + md5Custom + `}`, "NOT_PASSED", "password_hash and custom_password_hash exclude each other", ""},
		{"no bcrypt", `{"email":"a@b.example","password_hash":"secret"}`, "FORMAT", "Error in password_hash property - Not a bcrypt hash ($2a$, $2b$ or $2y$)", "password_hash"},
		{"empty hash", `{"email":"a@b.example","password_hash":""}`, "FORMAT", "Error in password_hash property - Not a bcrypt hash ($2a$, $2b$ or $2y$)", "password_hash"},
		{"hash of another type", `{"email":"a@b.example","password_hash":null}`, "INVALID_TYPE", "Error in password_hash property - Expected type string but found type null", "password_hash"},
		{"bcrypt cost 31", `{"email":"a@b.example","password_hash":"$2a$31$abcdefghijklmnopqrstuuweFluOTZuQ0Boo1w.y.les8URrwaTdW"}`, "MAXIMUM", "Error in password_hash property - bcrypt cost 31 is greater than maximum 14", "password_hash"},
		{"custom hash", `{"email":"a@b.example","custom_password_hash":{"algorithm":"md5","hash":{"value":"x","encoding":"hex"}}}`, "FORMAT", "Error in custom_password_hash.hash.value property - The hash is not of its encoding", "custom_password_hash.hash.value"},
		{"custom hash of another type", `{"email":"a@b.example","custom_password_hash":"x"}`, "INVALID_TYPE", "Error in custom_password_hash property - Expected type object but found type string", "custom_password_hash"},
		{"factors of another type", `{"email":"a@b.example","mfa_factors":{}}`, "INVALID_TYPE", "Error in mfa_factors property - Expected type array but found type object", "mfa_factors"},
		{"no factors", `{"email":"a@b.example","mfa_factors":[]}`, "ARRAY_LENGTH_SHORT", "Error in mfa_factors property - Array is too short (0), minimum 1", "mfa_factors"},
		{"eleven factors", `{"email":"a@b.example","mfa_factors":[{},{},{},{},{},{},{},{},{},{},{}]}`, "ARRAY_LENGTH_LONG", "Error in mfa_factors property - Array is too long (11), maximum 10", "mfa_factors"},
		{"empty factor", `{"email":"a@b.example","mfa_factors":[{}]}`, "MFA_FACTORS_FAILED", "Error in mfa_factors[0] property - A factor is exactly one of totp, phone and email", "mfa_factors[0]"},
		{"two in one", `{"email":"a@b.example","mfa_factors":[{"totp":{"secret":"AB"},"phone":{"value":"+1"}}]}`, "MFA_FACTORS_FAILED", "Error in mfa_factors[0] property - A factor is exactly one of totp, phone and email", "mfa_factors[0]"},
		{"unknown factor", `{"email":"a@b.example","mfa_factors":[{"totp":{"secret":"AB"}},{"duo":{}}]}`, "MFA_FACTORS_FAILED", "Error in mfa_factors[1] property - A factor is exactly one of totp, phone and email", "mfa_factors[1]"},
		{"factor without value", `{"email":"a@b.example","mfa_factors":[{"totp":{}}]}`, "OBJECT_REQUIRED", "Error in mfa_factors[0].totp property - Missing required property: secret", "mfa_factors[0].totp"},
		{"factor secret", `{"email":"a@b.example","mfa_factors":[{"totp":{"secret":"geheim18"}}]}`, "PATTERN", "Error in mfa_factors[0].totp.secret property - String does not match pattern ^[A-Z2-7]+$", "mfa_factors[0].totp.secret"},
		{"factor phone", `{"email":"a@b.example","mfa_factors":[{"phone":{"value":"0202"}}]}`, "PATTERN", `Error in mfa_factors[0].phone.value property - String does not match pattern ^\+[0-9]{1,15}$`, "mfa_factors[0].phone.value"},
		{"factor e-mail", `{"email":"a@b.example","mfa_factors":[{"email":{"value":"x"}}]}`, "FORMAT", "Error in mfa_factors[0].email.value property - Object didn't pass validation for format email", "mfa_factors[0].email.value"},
	} {
		r, problems := ParseRow(importDatabase(`{}`), []byte(c.row), importOptions())
		if len(problems) != 1 || problems[0] != (Problem{c.code, c.message, c.path}) {
			t.Errorf("%s: %+v\nwant %s %s %s", c.name, problems, c.code, c.message, c.path)
		}
		if r.New != nil || r.Upsert != nil {
			t.Errorf("%s: there is a user", c.name)
		}
		if !json.Valid(r.Supplied) || r.Supplied[0] != '{' {
			t.Errorf("%s: supplied %s", c.name, r.Supplied)
		}
	}
}

// All that is wrong with a row is told at once.
func TestParseRowManyProblems(t *testing.T) {
	_, problems := ParseRow(importDatabase(`{}`), []byte(`{"email":"foo@","name":1,"user_id":2,"foo":3,"password_hash":4}`), importOptions())
	var paths []string
	for _, p := range problems {
		paths = append(paths, p.Path)
	}
	if got := strings.Join(paths, ","); got != "user_id,password_hash,,email,name" {
		t.Errorf("paths %s", got)
	}
}

func TestParseRowSecretsMasked(t *testing.T) {
	for _, c := range []struct{ row, supplied string }{
		{`{"email":"a@b.example","password_hash":"` + bcryptHash + `"}`, `{"email":"a@b.example","password_hash":"*****"}`},
		{`{"email":"foo@", "password_hash":"` + bcryptHash + `"}`, `{"email":"foo@","password_hash":"*****"}`},
		{
			`{"custom_password_hash":{"algorithm":"hmac","hash":{"value":"SECRET","encoding":"hex","digest":"sha1","key":{"value":"SECRET"}},"salt":{"value":"SECRET","position":"prefix"},"keylen":7},"email":"a@b.example"}`,
			`{"custom_password_hash":{"algorithm":"hmac","hash":{"value":"*****","encoding":"hex","digest":"sha1","key":{"value":"*****"}},"salt":{"value":"*****","position":"prefix"},"keylen":7},"email":"a@b.example"}`,
		},
		{`{"custom_password_hash":{"algorithm":"SECRET","value":["SECRET",18,true]}}`, `{"custom_password_hash":{"algorithm":"*****","value":["*****","*****",true]}}`},
		{`{"mfa_factors":[{"totp":{"secret":"SECRET"}}]}`, `{"mfa_factors":[{"totp":{"secret":"*****"}}]}`},
		{`{"password":"SECRET","Password_Hash":"SECRET","totp_secret":"SECRET","refresh_token":"SECRET","email":"x"}`, `{"password":"*****","Password_Hash":"*****","totp_secret":"*****","refresh_token":"*****","email":"x"}`},
		{`{"user_metadata":{"password":"theirs"},"email":"x"}`, `{"user_metadata":{"password":"theirs"},"email":"x"}`},
	} {
		r, problems := ParseRow(importDatabase(`{}`), []byte(c.row), importOptions())
		if string(r.Supplied) != c.supplied {
			t.Errorf("got  %s\nwant %s", r.Supplied, c.supplied)
		}
		if text := fmt.Sprint(problems); strings.Contains(text, "SECRET") || strings.Contains(text, bcryptHash) {
			t.Errorf("a problem tells a secret: %s", text)
		}
	}
}

func TestParseRowPasswords(t *testing.T) {
	c := importDatabase(`{}`)
	r, problems := ParseRow(c, []byte(`{"email":"a@b.example","password_hash":"`+bcryptHash+`","mfa_factors":[{"totp":{"secret":"ABC234"}},{"phone":{"value":"+1202"}}]}`), importOptions())
	if len(problems) > 0 || r.New.Password != (Password{Hash: bcryptHash, Imported: true}) {
		t.Errorf("%+v, %+v", r.New, problems)
	}
	if string(r.New.MFAFactors) != `[{"totp":{"secret":"ABC234"}},{"phone":{"value":"+1202"}}]` {
		t.Errorf("factors %s", r.New.MFAFactors)
	}
	r, problems = ParseRow(c, []byte(`{"email":"a@b.example","custom_password_hash":`+md5Custom+`}`), importOptions())
	if len(problems) > 0 || !r.New.Password.Imported {
		t.Fatalf("%+v, %+v", r.New, problems)
	}
	if ok, _ := passwd.Verify(r.New.Password.Hash, "A"); !ok {
		t.Error("the imported hash does not verify")
	}
}

func TestUpsert(t *testing.T) {
	c := importDatabase(`{"requires_username":true}`)
	there := func(p Password) *User {
		r, problems := ParseRow(c, []byte(`{"email":"a@b.example","username":"ann","name":"Old","user_id":"old","app_metadata":{"a":1,"b":2},"blocked":false}`), importOptions())
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		r.New.Password, r.New.UpdatedAt = p, 1
		return r.New
	}
	for _, row := range []struct {
		name, row   string
		password    Password
		refused     string // code; empty: done
		wantName    string
		wantHash    string
		wantUpdated int64
	}{
		{"nothing new", `{"email":"A@b.example","username":"ann"}`, Password{}, "", "Old", "", 1},
		{"a name", `{"email":"a@b.example","username":"ann","name":"New"}`, Password{}, "", "New", "", importedAt},
		{"what an upsert leaves alone", `{"email":"a@b.example","username":"other","user_id":"other","blocked":true,"password_hash":"` + bcryptHash + `","mfa_factors":[{"totp":{"secret":"AA"}}]}`, Password{}, "", "Old", "", 1},
		{"hash where none is", `{"email":"a@b.example","username":"ann","custom_password_hash":` + md5Custom + `}`, Password{}, "", "Old", "A", importedAt},
		{"hash over an unused one", `{"email":"a@b.example","username":"ann","custom_password_hash":` + md5Custom + `}`, Password{Hash: bcryptHash, Imported: true}, "", "Old", "A", importedAt},
		{"hash over a used one", `{"email":"a@b.example","username":"ann","name":"New","custom_password_hash":` + md5Custom + `}`, Password{Hash: bcryptHash}, "CONFLICT", "Old", bcryptHash, 1},
	} {
		r, problems := ParseRow(c, []byte(row.row), importOptions())
		if len(problems) > 0 {
			t.Errorf("%s: %+v", row.name, problems)
			continue
		}
		for range 2 { // it may run more than once
			u := there(row.password)
			_, err := r.Upsert(u)
			if row.refused != "" {
				var e *errs.Error
				if !errors.As(err, &e) || e.Code != row.refused || e.Text == "" {
					t.Errorf("%s: %v", row.name, err)
				}
			} else if err != nil {
				t.Errorf("%s: %v", row.name, err)
			}
			hash := u.Password.Hash
			if ok, _ := passwd.Verify(hash, "A"); ok {
				hash = "A"
			}
			if u.Profile.Text(profile.Name) != row.wantName || hash != row.wantHash || u.UpdatedAt != row.wantUpdated ||
				u.ID != "auth0|old" || u.Profile.Text(profile.Username) != "ann" || u.Profile.True(profile.Blocked) || u.MFAFactors != nil {
				t.Errorf("%s: %+v", row.name, u)
			}
		}
	}

	r, _ := ParseRow(c, []byte(`{"email":"a@b.example","username":"ann","app_metadata":{"c":3}}`), importOptions())
	u := there(Password{})
	if _, err := r.Upsert(u); err != nil || string(u.Profile.Value(profile.AppMetadata)) != `{"c":3}` {
		t.Errorf("app_metadata %s, %v; it is replaced", u.Profile.Value(profile.AppMetadata), err)
	}
	u.Identities[0].ConnectionID = "con_other"
	if _, err := r.Upsert(u); errs.KindOf(err) != errs.Conflict {
		t.Errorf("a user of another connection: %v", err)
	}

	o := importOptions()
	o.Upsert = false
	if r, _ := ParseRow(c, []byte(`{"email":"a@b.example","username":"ann"}`), o); r.New == nil || r.Upsert != nil {
		t.Errorf("without upsert: %+v", r)
	}
}

// What the options of ours widen, and what the change means for the sessions.
func TestUpsertWidened(t *testing.T) {
	c := importDatabase(`{"requires_username":true}`)
	const custom = `{"email":"a@b.example","username":"ann","custom_password_hash":` + md5Custom + `}`
	for _, row := range []struct {
		name, row string
		widen     profile.UpsertOptions
		effect    Effect
		hash      string // its first letters
		metadata  string
	}{
		{"nothing", `{"email":"a@b.example","username":"ann"}`, profile.UpsertOptions{All: true, Merge: true}, Effect{Unchanged: true}, "used", `{"a":1,"b":2}`},
		{"what it has", `{"email":"a@b.example","username":"ANN","app_metadata":{"a":1,"b":2}}`, profile.UpsertOptions{All: true}, Effect{Unchanged: true}, "used", `{"a":1,"b":2}`},
		{"merge", `{"email":"a@b.example","username":"ann","app_metadata":{"a":null,"c":3}}`, profile.UpsertOptions{Merge: true}, Effect{}, "used", `{"b":2,"c":3}`},
		{"replace", `{"email":"a@b.example","username":"ann","app_metadata":{"c":3}}`, profile.UpsertOptions{All: true}, Effect{}, "used", `{"c":3}`},
		{"a username", `{"email":"a@b.example","username":"bob"}`, profile.UpsertOptions{All: true}, Effect{EndSessions: true}, "used", `{"a":1,"b":2}`},
		{"bcrypt", `{"email":"a@b.example","username":"ann","password_hash":"` + bcryptHash + `"}`, profile.UpsertOptions{All: true}, Effect{EndSessions: true}, "$2b$", `{"a":1,"b":2}`},
		{"bcrypt, not all", `{"email":"a@b.example","username":"ann","password_hash":"` + bcryptHash + `"}`, profile.UpsertOptions{}, Effect{Unchanged: true}, "used", `{"a":1,"b":2}`},
		{"a custom hash", custom, profile.UpsertOptions{All: true}, Effect{EndSessions: true}, `{"algorithm":"md5"`, `{"a":1,"b":2}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := importOptions()
			first, problems := ParseRow(c, []byte(`{"email":"a@b.example","username":"ann","app_metadata":{"a":1,"b":2}}`), o)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			u := first.New
			u.Password, u.UpdatedAt = Password{Hash: "used"}, 1
			o.Widen = row.widen
			r, problems := ParseRow(c, []byte(row.row), o)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			e, err := r.Upsert(u)
			if err != nil || e.EndSessions != row.effect.EndSessions || e.Unchanged != row.effect.Unchanged {
				t.Errorf("effect %+v, %v", e, err)
			}
			if !strings.HasPrefix(u.Password.Hash, row.hash) || string(u.Profile.Value(profile.AppMetadata)) != row.metadata || (u.UpdatedAt == 1) != e.Unchanged {
				t.Errorf("%+v %s", u, u.Profile.Value(profile.AppMetadata))
			}
			if e, err := r.Upsert(u); err != nil || !e.Unchanged {
				t.Errorf("the same row again: %+v, %v", e, err)
			}
		})
	}
}

func TestParseRowOtherConnections(t *testing.T) {
	c := importDatabase(`{}`)
	c.Strategy = "google-oauth2"
	if _, problems := ParseRow(c, []byte(`{"email":"a@b.example"}`), importOptions()); len(problems) != 1 {
		t.Errorf("a social connection: %+v", problems)
	}
}

// The laws: never a panic; an accepted row has an id of the connection's
// strategy and, where it has one, an e-mail in lower case; Supplied is an object
// and holds no hash.
func FuzzParseRow(f *testing.F) {
	for _, s := range []string{
		`{"email":"Ann@Example.com","user_id":"auth0|x"}`, `{"email":"a@b.example","password_hash":"` + bcryptHash + `"}`,
		`{"email":"a@b.example","custom_password_hash":` + md5Custom + `}`, `{"email":"a@b.example","mfa_factors":[{"totp":{"secret":"AB"}}]}`,
		`{"email":"ſ@k.example","app_metadata":{"a":{"b":[]}}}`, `{`, `[]`, `{"email":"a@b.example","username":"X"}`,
	} {
		f.Add([]byte(s))
	}
	c := importDatabase(`{"requires_username":false}`)
	f.Fuzz(func(t *testing.T, row []byte) {
		r, problems := ParseRow(c, row, importOptions())
		if (r.New == nil) != (len(problems) > 0) || (r.New == nil) != (r.Upsert == nil) {
			t.Fatalf("user %v, problems %v", r.New, problems)
		}
		if !json.Valid(r.Supplied) || r.Supplied[0] != '{' {
			t.Fatalf("supplied %q", r.Supplied)
		}
		for _, p := range problems {
			if p.Code == "" || p.Message == "" {
				t.Fatalf("empty problem for %q", row)
			}
		}
		if r.New == nil {
			return
		}
		if email := r.New.Profile.Text(profile.Email); email == "" || email != strings.ToLower(email) {
			t.Fatalf("e-mail %q", email)
		}
		if rest, ok := strings.CutPrefix(string(r.New.ID), "auth0|"); !ok || rest == "" || rest != r.New.Primary().UserID {
			t.Fatalf("id %q", r.New.ID)
		}
		if h := r.New.Password.Hash; h != "" && strings.Contains(string(r.Supplied), bcryptHash) {
			t.Fatalf("supplied %q", r.Supplied)
		}
		if _, err := r.Upsert(r.New); err != nil {
			t.Fatalf("the row does not update the user that it makes: %v", err)
		}
	})
}

var benchRow = []byte(`{"email":"Ann.Lee@Example.com","email_verified":true,"user_id":"65f0c0ffee0123456789abcd","given_name":"Ann","family_name":"Lee","name":"Ann Lee","nickname":"ann","picture":"https://cdn.example.com/a.png","blocked":false,"password_hash":"` + bcryptHash + `","app_metadata":{"plan":"gold","roles":["admin","editor","viewer"],"limits":{"a":1,"b":2.50}},"user_metadata":{"lang":"en","theme":"dark","address":{"street":"1 Long Road","city":"Sometown","zip":"12345"},"tags":["a","b","c","d"],"newsletter":true}}`)

func BenchmarkParseRow(b *testing.B) {
	c, o := importDatabase(`{}`), importOptions()
	b.SetBytes(int64(len(benchRow)))
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := ParseRow(c, benchRow, o); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}
