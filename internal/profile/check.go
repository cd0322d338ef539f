package profile

import (
	"strings"

	"mangrove/internal/schema"
)

// CheckCreate checks the attributes of a POST /users. Like its neighbours it
// returns nil or a schema.Error, and the rules behind it call it again.
func CheckCreate(in []Change) error { return check(AtCreate, in) }

// CheckPatch checks the attributes of a PATCH. An unknown name with null passes:
// whether it may be removed depends on the connection (see Edit).
func CheckPatch(in []Change) error { return check(AtPatch, in) }

// CheckRow checks the attributes of an import row.
func CheckRow(in []Change) error { return check(AtImport, in) }

// CheckSignup checks the attributes of a public sign-up, but for user_metadata,
// whose errors have a form of their own there (see Create). Members that a
// sign-up may not bring are not looked at: they are without effect.
func CheckSignup(in []Change) error { return check(AtSignup, in) }

func check(d Door, in []Change) error {
	var wrong schema.Error
	var unknown []string
	var seen uint32 // a bit per row of the table
	known := forms[d]
	for _, c := range in {
		form, ok := known[c.Name]
		switch {
		case !ok && d == AtSignup:
			continue
		case !ok && d == AtPatch && IsNull(c.Value) && !reserved[c.Name]:
			continue
		case !ok:
			if len(unknown) < mostNamed {
				unknown = append(unknown, c.Name)
			}
			continue
		case d == AtSignup && c.Name == UserMetadata:
			continue
		}
		if seen&form.bit != 0 {
			wrong = append(wrong, schema.Violation{
				Code: schema.NotPassed, Message: "Property is defined twice", Path: c.Name, Description: form.Description,
			})
		}
		seen |= form.bit
		wrong = append(wrong, form.Check(c.Name, c.Value)...)
		if c.Name == UserMetadata || c.Name == AppMetadata {
			wrong = append(wrong, checkMetadata(&form.Property, c)...)
		}
	}
	if len(unknown) > 0 {
		wrong = append(schema.Error{additional(d, unknown)}, wrong...)
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

// mostNamed bounds how many unknown names an error lists.
const mostNamed = 50

// additional is the violation of unknown members. PATCH adds a hint, without
// blanks in the list and with them in the sentence (reference/users.md §1.8).
func additional(d Door, names []string) schema.Violation {
	v := schema.Additional("", "", names...)
	if d == AtPatch {
		v.Message += ` (consider storing them in app_metadata or user_metadata. See "Users Metadata" in https://auth0.com/docs/api/v2/changes for more details)`
	}
	return v
}

// patchMembers are the members one of which a PATCH must have, in the order in
// which the reference asks for them (reference/users.md §1.8).
var patchMembers = []string{
	Blocked, EmailVerified, Email, "verify_email", PhoneNumber, PhoneVerified, "verify_phone_number",
	"password", "verify_password", UserMetadata, AppMetadata, Username, "client_id",
	GivenName, FamilyName, Name, Nickname, Picture,
}

// EmptyPatch is the refusal of a PATCH that has nothing to change.
func EmptyPatch() error {
	inner := make([]schema.Violation, len(patchMembers))
	for i, name := range patchMembers {
		inner[i] = schema.Missing(name)
	}
	return schema.Error{schema.NoneOf("", "", inner...)}
}

// list joins names as refusals print them.
func list(names []string) string { return strings.Join(names, ", ") }
