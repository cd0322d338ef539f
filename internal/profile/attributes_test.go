package profile

import (
	"encoding/json"
	"strings"
	"testing"
)

// Who may bring what: the columns of reference/users.md §1.2 and §6.2, a row
// per attribute, a letter per door: create, patch, signup, import, upsert, login.
func TestDoors(t *testing.T) {
	want := map[string]string{
		Email: "cpsi-l", EmailVerified: "cp-iul", Username: "cpsi-l", PhoneNumber: "cpsi-l", PhoneVerified: "cp-i-l",
		Name: "cpsiul", GivenName: "cpsiul", FamilyName: "cpsiul", Nickname: "cpsiul", Picture: "cpsiul",
		Blocked: "cp-i--", UserMetadata: "cpsiu-", AppMetadata: "cp-iu-",
	}
	for _, a := range attributes {
		var got strings.Builder
		for i, d := range []Door{AtCreate, AtPatch, AtSignup, AtImport, AtUpsert, AtLogin} {
			if Form(d, a.Name) != nil {
				got.WriteByte("cpsiul"[i])
			} else {
				got.WriteByte('-')
			}
		}
		if got.String() != want[a.Name] {
			t.Errorf("%s: %s, want %s", a.Name, got.String(), want[a.Name])
		}
		if reserved[a.Name] {
			t.Errorf("%s is an attribute and reserved", a.Name)
		}
		delete(want, a.Name)
	}
	if len(want) > 0 {
		t.Errorf("not in the table: %v", want)
	}
	for _, name := range RootAttributes {
		if !Known(name) {
			t.Errorf("%s is not in the table", name)
		}
	}
}

func TestNullOnlyInPatch(t *testing.T) {
	nullable := map[string]bool{
		Email: true, Username: true, PhoneNumber: true,
		Name: true, GivenName: true, FamilyName: true, Nickname: true, Picture: true,
	}
	for _, a := range attributes {
		for _, d := range []Door{AtCreate, AtPatch, AtSignup, AtImport} {
			if d == AtSignup && a.Name == UserMetadata {
				continue // has errors of its own, see Create
			}
			err := check(d, []Change{{a.Name, Null}})
			may := d == AtPatch && nullable[a.Name]
			if d == AtSignup && a.doors&d == 0 {
				may = true // not looked at
			}
			if (err == nil) != may {
				t.Errorf("null for %s at door %d: %v", a.Name, d, err)
			}
		}
	}
}

func TestSurface(t *testing.T) {
	for _, row := range []struct {
		door  Door
		name  string
		value string
		want  string // "-": the door has no such member
	}{
		{AtCreate, "connection", `""`, "Payload validation error: 'String is too short (0 chars), minimum 1' on property connection (Name of the connection this user should be created in)."},
		{AtPatch, "connection", `"Users"`, ""},
		{AtCreate, "password", `null`, "Payload validation error: 'Expected type string but found type null' on property password (Initial password for this user. Only valid for auth0 connection strategy)."},
		{AtPatch, "password", `null`, ""},
		{AtPatch, "password", `""`, "Payload validation error: 'String is too short (0 chars), minimum 1' on property password (New password for this user. Only valid for database connections)."},
		{AtCreate, "verify_email", `false`, ""},
		{AtPatch, "verify_phone_number", `true`, ""},
		{AtCreate, "verify_phone_number", `true`, "-"},
		{AtPatch, "client_id", `1`, "Payload validation error: 'Expected type string but found type integer' on property client_id (Auth0 client ID. Only valid when updating email address)."},
		{AtCreate, "client_id", `"x"`, "-"},
		{AtCreate, "user_id", `"a b"`, `Payload validation error: 'String does not match pattern ^\S*$: a b' on property user_id (The external user's id provided by the identity provider).`},
		{AtCreate, "user_id", `"samlp|x"`, ""},
		{AtPatch, "user_id", `"x"`, "-"},
		{AtPatch, "name", `"x"`, "-"},
	} {
		p := Surface(row.door, row.name)
		if p == nil {
			if row.want != "-" {
				t.Errorf("door %d has no %s", row.door, row.name)
			}
			continue
		}
		got := ""
		if v := p.Check(row.name, Value(row.value)); v != nil {
			got = v[0].Payload()
		}
		if got != row.want {
			t.Errorf("%s %s\n got %s\nwant %s", row.name, row.value, got, row.want)
		}
	}
}

func TestEmptyPatch(t *testing.T) {
	got := told(EmptyPatch())
	const from = "Payload validation error: 'None of the valid schemas were met'. Inner errors: [ Payload validation error: 'Missing required property: blocked'. (also) Payload validation error: 'Missing required property: email_verified'. (also) "
	if !strings.HasPrefix(got, from) || !strings.HasSuffix(got, " (also) Payload validation error: 'Missing required property: picture'. ]") || strings.Count(got, "(also)") != 17 {
		t.Error(got)
	}
	for _, name := range patchMembers {
		if !Known(name) && Surface(AtPatch, name) == nil {
			t.Errorf("%s is neither attribute nor member", name)
		}
	}
}

// A thousand unknown members cost one short answer.
func TestManyUnknownMembers(t *testing.T) {
	var in []Change
	for range 100_000 {
		in = append(in, Change{strings.Repeat("x", 10), json.RawMessage("1")})
	}
	for _, check := range []func([]Change) error{CheckCreate, CheckPatch, CheckRow} {
		if err := check(in); err == nil || len(err.Error()) > 2000 {
			t.Error("accepted, or a long answer")
		}
	}
	if CheckSignup(in) != nil {
		t.Error("a sign-up looks at members that are none")
	}
}
