package customdb

import (
	"encoding/json"
	"strings"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// Person is what login, get_user and list say of somebody
// (reference/connections.md §5.3).
type Person struct {
	// Claims are what becomes the profile; the Subject is user_id.
	Claims profile.Claims
	// Factors is mfa_factors as it came; nil: none.
	Factors profile.Value
	// Tokens are access_token and refresh_token as an object; nil: none.
	Tokens profile.Value
	// PasswordHash and CustomPasswordHash are members that only list and get_user
	// bring, as rows of an import do (ours).
	PasswordHash       profile.Value
	CustomPasswordHash profile.Value
}

// ErrNobody is the answer that there is nobody.
var ErrNobody error = &Failure{Kind: Wrong, Detail: "nothing was answered"}

// ReadPerson reads an answer about one person. Errors: ErrNobody for null, false and
// nothing; a *Failure of kind Broken for what is no profile.
//
// user_id is a text or a whole number, and stays what it is: two spellings are two
// people. What a profile cannot hold is left to profile.Login, which drops it.
func ReadPerson(answer json.RawMessage) (Person, error) {
	switch string(answer) {
	case "", "null", "false":
		return Person{}, ErrNobody
	}
	members, err := strictjson.Object(answer)
	if err != nil {
		return Person{}, broken("the profile is no object")
	}
	var p Person
	kept, tokens := strictjson.Document{}, strictjson.Document{}
	for _, m := range members {
		if profile.IsNull(m.Value) {
			continue
		}
		switch m.Name {
		case "user_id":
			if p.Claims.Subject = subject(m.Value); p.Claims.Subject == "" {
				return Person{}, broken("user_id must be a text or a whole number, and not empty")
			}
		case profile.UserMetadata, profile.AppMetadata, profile.Blocked:
			p.Claims.Local = append(p.Claims.Local, profile.Change{Name: m.Name, Value: m.Value})
		case "mfa_factors":
			p.Factors = m.Value
		case "access_token", "refresh_token":
			tokens[m.Name] = m.Value
		case "password_hash":
			p.PasswordHash = m.Value
		case "custom_password_hash":
			p.CustomPasswordHash = m.Value
		case "password":
		default:
			p.Claims.Attributes = append(p.Claims.Attributes, profile.Change{Name: m.Name, Value: m.Value})
			kept[m.Name] = m.Value
		}
	}
	if p.Claims.Subject == "" {
		return Person{}, broken("the profile has no user_id")
	}
	if err := p.Claims.Check(); err != nil {
		return Person{}, broken("user_id is longer than 255 bytes, or holds what nobody can read")
	}
	kept["user_id"] = profile.Text(p.Claims.Subject)
	p.Claims.Raw = kept.Encode()
	if len(tokens) > 0 {
		p.Tokens = tokens.Encode()
	}
	return p, nil
}

// subject is the text of a user_id; empty: it is none. A number is spelled as it came:
// beyond 2^53 JavaScript has rounded it already, which nobody can see from here.
func subject(v json.RawMessage) string {
	if s := profile.TextOf(v); s != "" {
		return s
	}
	if len(v) > 0 && (v[0] >= '0' && v[0] <= '9' || v[0] == '-') && !strings.ContainsAny(string(v), ".eE") {
		return string(v)
	}
	return ""
}
