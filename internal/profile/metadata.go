package profile

import (
	"bytes"
	"slices"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/schema"
)

// appReserved are the keys that app_metadata must not have at its first level:
// rules and actions would read them as the attribute (reference/users.md §1.10).
// __proto__ and constructor are not among them: to this server they are plain data.
var appReserved = []string{
	"__tenant", "_id", "blocked", "clientID", "created_at", "email", "email_verified", "globalClientID",
	"global_client_id", "identities", "lastIP", "lastLogin", "loginsCount", "metadata", "multifactor",
	"multifactor_last_modified", "updated_at", "user_id",
}

// checkMetadata refuses reserved keys, and at any depth keys with a dot or a
// dollar: a path like user_metadata.a.b must mean one thing.
func checkMetadata(form *schema.Property, c Change) []schema.Violation {
	var wrong []schema.Violation
	if c.Name == AppMetadata {
		var taken []string
		for m := range schema.Members(c.Value) {
			if name := m.Name(); slices.Contains(appReserved, name) {
				taken = append(taken, name)
			}
		}
		if len(taken) > 0 {
			wrong = append(wrong, schema.Additional(c.Name, form.Description, taken...))
		}
	}
	if key, bad := badKey(c.Value); bad {
		wrong = append(wrong, schema.Violation{
			Code: schema.NotPassed, Path: c.Name, Description: form.Description,
			Message: "Property names must not contain '.' or '$': " + key,
		})
	}
	return wrong
}

// badKey finds a key with a dot or a dollar at any depth.
func badKey(v Value) (string, bool) {
	if !bytes.ContainsAny(v, `.$\`) { // nothing that could spell one
		return "", false
	}
	for todo := []Value{v}; len(todo) > 0; {
		v, todo = todo[len(todo)-1], todo[:len(todo)-1]
		for m := range schema.Members(v) {
			if name := m.Name(); strings.ContainsAny(name, ".$") {
				return cut(name), true
			}
			todo = append(todo, m.Value)
		}
		for _, e := range schema.Elements(v) {
			todo = append(todo, e)
		}
	}
	return "", false
}

// cut keeps a name that a stranger chose short enough for an error text.
func cut(s string) string {
	if r := []rune(s); len(r) > 100 {
		return string(r[:100]) + "…"
	}
	return s
}

// Limits of user_metadata at a public sign-up (reference/users.md §7).
const (
	signupMaxMembers = 10
	signupMaxName    = 100
	signupMaxText    = 500
)

// checkSignupMetadata applies the limits. The text is code and description of
// the sign-up's error. The two texts about types are recorded, the others follow them.
func checkSignupMetadata(v Value) error {
	if len(v) == 0 || v[0] != '{' {
		return signupError("invalid user_metadata type (expected object)")
	}
	n := 0
	for m := range schema.Members(v) {
		name := m.Name()
		if n++; n > signupMaxMembers {
			return signupError("invalid user_metadata (at most 10 properties are allowed)")
		}
		if len([]rune(name)) > signupMaxName {
			return signupError("invalid user_metadata." + cut(name) + " name (at most 100 characters are allowed)")
		}
		text, ok := schema.Text(m.Value)
		if !ok {
			return signupError("invalid user_metadata." + name + " type (only strings are allowed)")
		}
		if len(text) > signupMaxText && len([]rune(text)) > signupMaxText {
			return signupError("invalid user_metadata." + name + " length (at most 500 characters are allowed)")
		}
	}
	if key, bad := badKey(v); bad {
		return signupError("invalid user_metadata." + key + " name (. and $ are not allowed)")
	}
	return nil
}

func signupError(text string) error { return errs.New(errs.Invalid, text, "%s", text) }
