package user

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"mangrove/internal/profile"
	"mangrove/internal/schema"
)

// What of a user can be searched (reference/users.md §5.1). Not here: user_id, and
// what comes with the login record (last_login, logins_count, last_ip, updated_at),
// which have indexes of their own.

// Bounds of what one user brings into the index. What is beyond is not found.
const (
	maxMetadataTerms = 2000
	maxTermPath      = 250 // bytes
)

// folded are the fields that match without regard to case.
var folded = []string{profile.Email, profile.Name, profile.GivenName, profile.FamilyName, profile.Nickname}

// lackable are the fields that nearly everybody has: the index knows who lacks
// them, as PathExists with a minus in front.
var lackable = []string{profile.Email, profile.Name, profile.Nickname}

// EmailDomain is the search field of what stands behind the @.
const EmailDomain = "email.domain"

// LoggedIn is the PathExists value of everybody with a login record.
const LoggedIn = "last_login"

// Terms is everything the index holds of a user, sorted, without doubles.
func Terms(u *User) []Term {
	t := terms{{PathAll, ""}, {"created_at", TimeTerm(u.CreatedAt)}}
	for _, a := range u.Profile.All() {
		t.attribute(a.Name, a.Value)
	}
	for _, name := range lackable {
		if !u.Profile.Has(name) {
			t.attribute(name, nil)
		}
	}
	t.identities(u.Identities)
	if u.Logins.Count > 0 {
		t.exists(LoggedIn)
	}
	return t.sorted()
}

// TermChanges is what goes from the index and what comes when old becomes new:
// Terms of both, without what they share.
func TermChanges(old, now *User) (gone, come []Term) {
	var a, b terms
	was, is := old.Profile.All(), now.Profile.All()
	for len(was) > 0 || len(is) > 0 {
		switch {
		case len(is) == 0 || len(was) > 0 && was[0].Name < is[0].Name:
			a.attribute(was[0].Name, was[0].Value)
			b.attribute(was[0].Name, nil)
			was = was[1:]
		case len(was) == 0 || is[0].Name < was[0].Name:
			a.attribute(is[0].Name, nil)
			b.attribute(is[0].Name, is[0].Value)
			is = is[1:]
		default:
			if !bytes.Equal(was[0].Value, is[0].Value) {
				a.attribute(was[0].Name, was[0].Value)
				b.attribute(is[0].Name, is[0].Value)
			}
			was, is = was[1:], is[1:]
		}
	}
	if !slices.EqualFunc(old.Identities, now.Identities, sameTerms) {
		a.identities(old.Identities)
		b.identities(now.Identities)
	}
	if old.CreatedAt != now.CreatedAt {
		a.add("created_at", TimeTerm(old.CreatedAt))
		b.add("created_at", TimeTerm(now.CreatedAt))
	}
	gone, come = a.sorted(), b.sorted()
	return without(gone, come), without(come, gone)
}

// sameTerms reports whether two identities look the same to the index.
func sameTerms(a, b Identity) bool {
	return a.Connection == b.Connection && a.Provider == b.Provider && a.UserID == b.UserID && a.IsSocial == b.IsSocial &&
		a.ProfileData.Equal(b.ProfileData)
}

// without is the terms of a that are not in b, which is sorted.
func without(a, b []Term) []Term {
	var out []Term
	for _, t := range a {
		if _, shared := slices.BinarySearchFunc(b, t, compareTerms); !shared {
			out = append(out, t)
		}
	}
	return out
}

// terms gathers the terms of one user, in any order.
type terms []Term

func (t *terms) add(path, value string) {
	if len(path) <= maxTermPath {
		*t = append(*t, Term{path, value})
	}
}

func (t *terms) exists(path string) {
	if len(path) <= maxTermPath {
		t.add(PathExists, path)
	}
}

func (t *terms) sorted() []Term {
	slices.SortFunc(*t, compareTerms)
	return slices.Compact(*t)
}

func compareTerms(a, b Term) int {
	if c := strings.Compare(a.Path, b.Path); c != 0 {
		return c
	}
	return strings.Compare(a.Value, b.Value)
}

// attribute adds what one attribute of the profile brings; nil: what its absence does.
func (t *terms) attribute(name string, v profile.Value) {
	switch name {
	case profile.Email, profile.Name, profile.Nickname:
		if s := profile.TextOf(v); s != "" {
			t.text(name, s)
		} else {
			t.exists("-" + name)
		}
	case profile.GivenName, profile.FamilyName, profile.Username, profile.PhoneNumber:
		if s := profile.TextOf(v); s != "" {
			t.text(name, s)
			t.exists(name)
		}
	case profile.EmailVerified, profile.PhoneVerified, profile.Blocked:
		if v != nil {
			t.add(name, BoolTerm(string(v) == "true"))
		}
	case profile.UserMetadata, profile.AppMetadata:
		if v != nil {
			left := maxMetadataTerms
			t.value(name, v, &left)
		}
	}
}

// text adds a text field of the root, and what is derived from it.
func (t *terms) text(name, s string) {
	if slices.Contains(folded, name) {
		s = strings.ToLower(s)
	}
	t.add(name, TextTerm(s))
	if name == profile.Email {
		if at := strings.LastIndexByte(s, '@'); at >= 0 {
			t.add(EmailDomain, TextTerm(s[at+1:]))
		}
	}
}

// value adds a JSON value: each scalar at the path of names that leads to it.
// Arrays do not count as a level; null and what is empty is not there at all. It
// reports whether anything was.
func (t *terms) value(path string, v json.RawMessage, left *int) (any bool) {
	switch {
	case *left <= 0 || len(v) == 0:
		return false
	case v[0] == '{':
		for m := range schema.Members(v) {
			any = t.value(path+"."+m.Name(), m.Value, left) || any
		}
		if any {
			t.exists(path)
		}
		return any
	case v[0] == '[':
		for _, e := range schema.Elements(v) {
			any = t.value(path, e, left) || any
		}
		return any
	case v[0] == 'n':
		return false
	}
	*left--
	t.exists(path)
	t.add(path, scalarTerm(v))
	return true
}

// scalarTerm is the value of a JSON string, number or truth value.
func scalarTerm(v json.RawMessage) string {
	switch v[0] {
	case '"':
		return TextTerm(profile.TextOf(v))
	case 't', 'f':
		return BoolTerm(v[0] == 't')
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil {
		return TextTerm(string(v)) // beyond what a float holds
	}
	return NumberTerm(f)
}

func (t *terms) identities(list []Identity) {
	for i := range list {
		id := &list[i]
		t.add("identities.connection", TextTerm(id.Connection))
		t.add("identities.provider", TextTerm(id.Provider))
		t.add("identities.user_id", TextTerm(id.UserID))
		t.add("identities.isSocial", BoolTerm(id.IsSocial))
		left, found := maxMetadataTerms, false
		for _, a := range id.ProfileData.All() {
			found = t.value("identities.profileData."+a.Name, a.Value, &left) || found
		}
		if found {
			t.exists("identities.profileData")
		}
	}
}

// SortKey is the value of a sortable field of a user, ordered as the index orders
// it; empty when there is none.
func SortKey(v *View, field string) string {
	switch field {
	case "user_id":
		return TextTerm(string(v.ID))
	case "created_at":
		return TimeTerm(v.CreatedAt)
	case "updated_at":
		return TimeTerm(max(v.UpdatedAt, v.Logins.Last))
	case "last_login":
		if v.Logins.Last > 0 {
			return TimeTerm(v.Logins.Last)
		}
		return ""
	case "logins_count":
		if v.Logins.Count > 0 {
			return NumberTerm(float64(v.Logins.Count))
		}
		return ""
	case "last_ip":
		if v.Logins.IP != "" {
			return TextTerm(v.Logins.IP)
		}
		return ""
	}
	var t terms
	t.attribute(field, profile.Member(v.Attributes, field))
	for _, term := range t {
		if term.Path == field {
			return term.Value
		}
	}
	return ""
}
