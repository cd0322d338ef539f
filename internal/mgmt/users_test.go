package mgmt

import (
	"strings"
	"testing"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

func members(t *testing.T, body string) []strictjson.Member {
	t.Helper()
	m, err := strictjson.Object([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func callerWith(subject, scopes string) *caller {
	b := &token.Bearer{Subject: subject, ClientID: "c", Scopes: strings.Fields(scopes)}
	return &caller{Bearer: b, own: !b.Machine()}
}

func TestBearer(t *testing.T) {
	for _, row := range []struct {
		name    string
		headers []string
		want    string
		err     error
	}{
		{"none", nil, "", errNoToken},
		{"good", []string{"Bearer a.b.c"}, "a.b.c", nil},
		{"scheme in another case", []string{"bearer a.b.c"}, "a.b.c", nil},
		{"empty", []string{""}, "", errHeaderForm},
		{"alone", []string{"Bearer"}, "", errHeaderForm},
		{"alone with a blank", []string{"Bearer "}, "", errHeaderForm},
		{"basic", []string{"Basic YTpi"}, "", errHeaderForm},
		{"two tokens", []string{"Bearer a b"}, "", errHeaderForm},
		{"two blanks", []string{"Bearer  a"}, "", errHeaderForm},
		{"two in one line", []string{"Bearer a,Bearer b"}, "", errHeaderForm},
		{"two lines", []string{"Bearer a", "Bearer b"}, "", errHeaderForm},
		{"token alone", []string{"a.b.c"}, "", errHeaderForm},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := bearer(row.headers)
			if got != row.want || err != row.err { //nolint:errorlint // the very value
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestActsOn(t *testing.T) {
	for _, row := range []struct {
		name, subject, scopes string
		allowed               bool
	}{
		{"machine with the scope", "c@clients", "read:users", true},
		{"machine with the user's scope", "c@clients", "read:current_user", false},
		{"own user", "auth0|1", "read:current_user", true},
		{"own user, scope of machines does not count", "auth0|2", "read:users", false},
		{"other user", "auth0|2", "read:current_user", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := callerWith(row.subject, row.scopes).actsOn("auth0|1", readUsers)
			if (err == nil) != row.allowed {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestMayUpdate(t *testing.T) {
	const machine, own = "c@clients", "auth0|1"
	for _, row := range []struct {
		name, subject, scopes, body, refusal string
	}{
		{"all members", machine, "update:users", `{"name":"x","app_metadata":{}}`, ""},
		{"app_metadata alone", machine, "update:users_app_metadata", `{"app_metadata":{}}`, ""},
		{"both scopes", machine, "update:users update:users_app_metadata", `{"name":"x"}`, ""},
		{"name by the narrow scope", machine, "update:users_app_metadata", `{"app_metadata":{},"name":"x","connection":"y"}`, "name, connection"},
		{"own user_metadata", own, "update:current_user_metadata", `{"user_metadata":{}}`, ""},
		{"own app_metadata", own, "update:current_user_metadata", `{"app_metadata":{}}`, "app_metadata"},
		{"own blocked", own, "update:current_user_metadata", `{"user_metadata":{},"blocked":false,"email_verified":true}`, "blocked, email_verified"},
		{"own names", own, "update:current_user_metadata", `{"given_name":"a","family_name":"b","email":"c"}`, "given_name, family_name, email"},
		{"own with the scope of machines", own, "update:users update:current_user_metadata", `{"name":"x"}`, "name"},
		{"own with the narrow scope of machines", own, "update:users_app_metadata update:current_user_metadata", `{"app_metadata":{}}`, "app_metadata"},
	} {
		t.Run(row.name, func(t *testing.T) {
			text := ""
			if row.refusal != "" {
				text = "You cannot update the following fields: " + row.refusal
			}
			refused(t, callerWith(row.subject, row.scopes).mayUpdate(members(t, row.body)), "insufficient_scope", text)
		})
	}
}

func TestCreateRequest(t *testing.T) {
	for _, row := range []struct{ name, body, wrong string }{
		{"least", `{"connection":"Users"}`, ""},
		{"all", `{"connection":"Users","email":"a@example.com","password":"x","user_id":"","verify_email":false,"phone_verified":true,"user_metadata":{"a":1}}`, ""},
		{"no connection", `{"email":"a@example.com"}`, "Missing required property: connection"},
		{"connection of another type", `{"connection":5}`, "on property connection"},
		{"connection null", `{"connection":null}`, "on property connection"},
		{"empty connection", `{"connection":""}`, "String is too short (0 chars), minimum 1"},
		{"unknown member", `{"connection":"Users","foo":1,"bar":2}`, "Additional properties not allowed: foo,bar"},
		{"server's member", `{"connection":"Users","created_at":"x"}`, "Additional properties not allowed: created_at"},
		{"PATCH's member", `{"connection":"Users","client_id":"x"}`, "Additional properties not allowed: client_id"},
		{"text for a boolean", `{"connection":"Users","email_verified":"true"}`, "on property email_verified"},
		{"number for a boolean", `{"connection":"Users","verify_email":1}`, "on property verify_email"},
		{"list for metadata", `{"connection":"Users","user_metadata":[]}`, "on property user_metadata"},
		{"blank in the id", `{"connection":"Users","user_id":"a b"}`, "on property user_id"},
		{"null name", `{"connection":"Users","name":null}`, "on property name"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := user.ReadCreate(members(t, row.body))
			refused(t, err, "invalid_body", row.wrong)
		})
	}
	got, err := user.ReadCreate(members(t, `{"name":"A","connection":"Users","email":"a@example.com","password":"p","user_id":"u"}`))
	want := user.CreateRequest{Connection: "Users", UserID: "u", Password: "p"}
	if err != nil || got.Connection != want.Connection || got.UserID != want.UserID || got.Password != want.Password ||
		len(got.Changes) != 2 || got.Changes[0].Name != "name" || got.Changes[1].Name != "email" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestPatchRequest(t *testing.T) {
	const empty = "None of the valid schemas were met'. Inner errors: [ Payload validation error: 'Missing required property: blocked'. (also)"
	for _, row := range []struct{ name, body, wrong string }{
		{"one attribute", `{"name":"A"}`, ""},
		{"null removes", `{"name":null}`, ""},
		{"password", `{"password":"x","connection":"Users"}`, ""},
		{"verify_email alone", `{"verify_email":true}`, ""},
		{"empty", `{}`, empty},
		{"connection alone", `{"connection":"Users"}`, empty},
		{"unknown members", `{"user_id":"x","identities":[],"last_ip":"x"}`, "Additional properties not allowed: user_id,identities,last_ip (consider storing them"},
		{"server's times", `{"created_at":"x","updated_at":"x","last_login":"x","logins_count":1}`, "Additional properties not allowed: created_at,updated_at,last_login,logins_count (consider"},
		{"POST's member", `{"user_id":"x"}`, "Additional properties not allowed: user_id"},
		{"one bad member", `{"user_metadata":{"a":1},"blocked":"yes"}`, "Expected type boolean but found type string' on property blocked"},
		{"null metadata", `{"user_metadata":null}`, "on property user_metadata"},
		{"empty password", `{"password":""}`, "on property password"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := user.ReadPatch(members(t, row.body))
			refused(t, err, "invalid_body", row.wrong)
		})
	}
	got, err := user.ReadPatch(members(t, `{"password":null,"name":"A"}`))
	if err != nil || !got.Password.IsNull() || len(got.Changes) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestImportable(t *testing.T) {
	for _, row := range []struct {
		name string
		c    profile.Connection
		want error
	}{
		{"database", profile.Connection{Class: profile.Database}, nil},
		{"import mode", profile.Connection{Class: profile.ImportDatabase}, nil},
		{"disabled", profile.Connection{Class: profile.Database, Disabled: true}, errNotEnabled},
		{"external store", profile.Connection{Class: profile.ExternalDatabase}, errNoImportMode},
		{"passwordless", profile.Connection{Class: profile.PasswordlessEmail}, errNotDatabase},
		{"social", profile.Connection{Class: profile.Social}, errNotDatabase},
		{"enterprise", profile.Connection{Class: profile.Enterprise}, errNotDatabase},
		{"of no kind", profile.Connection{}, errNotDatabase},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := importable(row.c); got != row.want { //nolint:errorlint // the very value
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}
