package token

import (
	"encoding/json"
	"slices"
	"time"

	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// Claim is one member of an ID token or of a /userinfo answer.
type Claim struct {
	Name  string
	Value json.RawMessage
}

// mapping says which scope shows which attribute under which name.
type mapping struct {
	scope, claim, attribute string
	kinds                   string // first bytes that a value may have
}

const (
	texts    = `"`
	booleans = "tf"
	either   = `"{` // address: an object by OpenID Connect Core §5.1.1, a text at some upstreams
)

// updatedAt stands for the time of the record, which is no attribute.
const updatedAt = "updated_at"

// mappings is reference/authentication.md §3.13, in the order of recorded answers.
// What an upstream put into an attribute in a shape that the claim does not
// have (a number as a name, "true" as a boolean) is not shown: clients decode
// claims into typed fields and would fail as a whole.
var mappings = []mapping{
	{"profile", "given_name", profile.GivenName, texts},
	{"profile", "family_name", profile.FamilyName, texts},
	{"profile", "middle_name", "middle_name", texts},
	{"profile", "nickname", profile.Nickname, texts},
	{"profile", "preferred_username", "preferred_username", texts},
	{"profile", "name", profile.Name, texts},
	{"profile", "profile", "profile", texts},
	{"profile", "picture", profile.Picture, texts},
	{"profile", "website", "website", texts},
	{"profile", "gender", "gender", texts},
	{"profile", "birthdate", "birthdate", texts},
	{"profile", "zoneinfo", "zoneinfo", texts},
	{"profile", "locale", "locale", texts},
	{"profile", "updated_at", updatedAt, texts},
	{"email", "email", profile.Email, texts},
	{"email", "email_verified", profile.EmailVerified, booleans},
	{"phone", "phone_number", profile.PhoneNumber, texts},
	{"phone", "phone_number_verified", profile.PhoneVerified, booleans},
	{"address", "address", "address", either},
}

// ClaimNames are all names that Claims may give, in its order.
func ClaimNames() []string {
	names := make([]string, len(mappings))
	for i, m := range mappings {
		names[i] = m.claim
	}
	return names
}

// Claims is what the scopes show of the user, without sub. Absent attributes
// have no claim. updated_at is an ISO text, unlike OpenID Connect's number: so
// it is on the wire (reference §3.13).
func Claims(u *user.User, scopes []string) []Claim {
	var list []Claim
	for _, m := range mappings {
		if !slices.Contains(scopes, m.scope) {
			continue
		}
		var v profile.Value
		if m.attribute == updatedAt {
			if at := max(u.UpdatedAt, u.Logins.Last); at != 0 {
				v = profile.Text(time.UnixMicro(at).UTC().Format("2006-01-02T15:04:05.000Z"))
			}
		} else {
			v = u.Profile.Value(m.attribute)
		}
		if len(v) > 0 && slices.Contains([]byte(m.kinds), v[0]) {
			list = append(list, Claim{m.claim, v})
		}
	}
	return list
}

// WriteClaims is the /userinfo answer: sub and the claims, in order.
func WriteClaims(subject string, list []Claim) json.RawMessage {
	var o object
	o.text("sub", subject)
	for _, c := range list {
		o.raw(c.Name, c.Value)
	}
	return o.done()
}
