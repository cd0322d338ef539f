package profile

import (
	"errors"
	"strings"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/schema"
)

// The tables of this package write profiles, bodies and claims as JSON objects.

// body makes changes of an object, in its order.
func body(object string) []Change {
	var in []Change
	for m := range schema.Members(Value(object)) {
		in = append(in, Change{m.Name(), m.Value})
	}
	return in
}

// has makes a profile of an object whose values all came by one way. An
// attribute written as name@origin came by that one.
func has(object string, origin Origin) Profile {
	var attrs []Attribute
	for m := range schema.Members(Value(object)) {
		name, o, ok := strings.Cut(m.Name(), "@")
		if !ok {
			o = string(origin)
		}
		attrs = append(attrs, Attribute{name, m.Value, Source{Origin: Origin(o), At: 1}})
	}
	return Of(attrs...)
}

// shown is the profile as an object, names sorted.
func shown(p Profile) string {
	var parts []string
	for _, a := range p.All() {
		parts = append(parts, string(Text(a.Name))+":"+string(a.Value))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// origins is where each value came from.
func origins(p Profile) string {
	var parts []string
	for _, a := range p.All() {
		parts = append(parts, a.Name+"@"+string(a.Source.Origin))
	}
	return strings.Join(parts, " ")
}

// told is a refusal in one line: the error code of the surface, and the text.
func told(err error) string {
	var bad schema.Error
	if errors.As(err, &bad) {
		return bad.Error()
	}
	if err == nil {
		return ""
	}
	e := errs.From(err)
	return e.Code + ": " + e.Text
}

// same fails the test where a profile is not what the object says.
func same(t *testing.T, p Profile, object string) {
	t.Helper()
	if want := shown(has(object, "")); shown(p) != want {
		t.Errorf("profile\n got %s\nwant %s", shown(p), want)
	}
}

// Connections of every class, as the tables call them.
var (
	db       = Connection{ID: "con_db", Name: "Users", Class: Database, EmailRequired: true}
	dbNames  = Connection{ID: "con_un", Name: "Users", Class: Database, EmailRequired: true, Username: UsernameRule{Allowed: true}}
	flexible = Connection{
		ID: "con_fl", Name: "Users", Class: Database, PhoneAllowed: true,
		Username: UsernameRule{Allowed: true, Min: 3, Max: 20, EmailShaped: true, PhoneShaped: true},
	}
	imported = Connection{ID: "con_im", Name: "Legacy", Class: ImportDatabase, EmailRequired: true}
	byEmail  = Connection{ID: "con_em", Name: "email", Class: PasswordlessEmail}
	bySMS    = Connection{ID: "con_sm", Name: "sms", Class: PasswordlessSMS}
	external = Connection{ID: "con_ex", Name: "Legacy", Class: ExternalDatabase}
	scripted = Connection{
		ID: "con_sc", Name: "Legacy", Class: ExternalDatabase, PhoneAllowed: true, Username: UsernameRule{Allowed: true},
		ScriptChangesEmail: true, ScriptChangesUsername: true, ScriptChangesPhone: true,
	}
	google = Connection{ID: "con_go", Name: "google-oauth2", Class: Social}
	okta   = Connection{ID: "con_ok", Name: "corp", Class: Enterprise}
)

func with(c Connection, change func(*Connection)) Connection {
	change(&c)
	return c
}

func mode(c Connection, s Sync) Connection { c.Sync = s; return c }
