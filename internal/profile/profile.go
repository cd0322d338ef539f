package profile

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// Names of the attributes that have rules of their own. Everything else at the
// first level came from an identity provider and is kept as it came.
const (
	Email         = "email"
	EmailVerified = "email_verified"
	Username      = "username"
	PhoneNumber   = "phone_number"
	PhoneVerified = "phone_verified"
	Name          = "name"
	GivenName     = "given_name"
	FamilyName    = "family_name"
	Nickname      = "nickname"
	Picture       = "picture"
	Blocked       = "blocked"
	UserMetadata  = "user_metadata"
	AppMetadata   = "app_metadata"
)

// RootAttributes are the five that set_user_root_attributes names, in the order
// in which every refusal lists them (reference/users.md §1.8).
var RootAttributes = []string{FamilyName, GivenName, Name, Nickname, Picture}

// IsRootAttribute reports whether name is one of the five.
func IsRootAttribute(name string) bool { return slices.Contains(RootAttributes, name) }

// Value is one JSON value in compact form, digit for digit as it came.
// The nil Value means absent.
type Value = json.RawMessage

// Null is the JSON null.
var Null = Value("null")

// IsNull reports an explicit null.
func IsNull(v Value) bool { return string(v) == "null" }

// Texts makes the Value of a list of strings, each as Text does.
func Texts(list []string) Value {
	b := Value{'['}
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, Text(s)...)
	}
	return append(b, ']')
}

// Text makes the Value of a string, spelled as strictjson spells it: without
// needless escapes, so that equal strings are equal bytes. What is not UTF-8
// becomes U+FFFD.
func Text(s string) Value {
	const hex = "0123456789abcdef"
	b := make(Value, 0, len(s)+2)
	b = append(b, '"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r >= ' ' && r < utf8.RuneSelf:
			b = append(b, byte(r))
		case r >= utf8.RuneSelf:
			b = utf8.AppendRune(b, r)
		default:
			if k := strings.IndexByte("\b\f\n\r\t", s[i]); k >= 0 {
				b = append(b, '\\', "bfnrt"[k])
			} else {
				b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
			}
		}
	}
	return append(b, '"')
}

// Bool makes the Value of a boolean.
func Bool(v bool) Value {
	if v {
		return Value("true")
	}
	return Value("false")
}

// Origin says by which way a value arrived.
type Origin string

// The origins.
const (
	FromDefault    Origin = "default"         // computed at creation
	FromSignup     Origin = "signup"          // public sign-up
	FromManagement Origin = "management_api"  // POST or PATCH /users
	FromImport     Origin = "import"          // a row of an import
	FromUpstream   Origin = "upstream"        // claims of an upstream login
	FromScript     Origin = "custom_database" // profile returned by a database script
)

// Source is where a value came from.
type Source struct {
	Origin     Origin
	Connection string // connection id, empty where no connection is involved
	Actor      string // client id, job id, or user id of who did it; may be empty
	At         int64  // microseconds since 1970, UTC
}

// Attribute is one member of a profile and its source.
type Attribute struct {
	Name   string
	Value  Value
	Source Source
}

// Profile is the attributes of one user, sorted by name, none of them null.
// The zero Profile is empty. A Profile is a value: methods that change it work
// on their own copy of the list, never on one that another Profile shares.
type Profile struct{ attrs []Attribute }

// Of makes a Profile of attributes in any order. Of two with one name the later wins.
func Of(attrs ...Attribute) Profile {
	var p Profile
	for _, a := range attrs {
		p.Set(a.Name, a.Value, a.Source)
	}
	return p
}

// FromSorted takes over a list that is sorted by name without doubles, as the
// store wrote it.
func FromSorted(attrs []Attribute) Profile { return Profile{attrs} }

// All is the list, sorted by name. The caller must not change it.
func (p Profile) All() []Attribute { return p.attrs }

func (p Profile) find(name string) (int, bool) {
	low, high := 0, len(p.attrs) // by hand: slices.BinarySearchFunc copies the attributes it looks at
	for low < high {
		if mid := (low + high) / 2; p.attrs[mid].Name < name {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < len(p.attrs) && p.attrs[low].Name == name
}

// Get is the attribute of that name, and whether the profile has it.
func (p Profile) Get(name string) (Attribute, bool) {
	if i, ok := p.find(name); ok {
		return p.attrs[i], true
	}
	return Attribute{}, false
}

// Value is the value of that name, nil when absent.
func (p Profile) Value(name string) Value {
	a, _ := p.Get(name)
	return a.Value
}

// Has reports whether the profile has the attribute.
func (p Profile) Has(name string) bool { _, ok := p.find(name); return ok }

// Text is the string of that name; empty when absent or not a string.
func (p Profile) Text(name string) string { return TextOf(p.Value(name)) }

// True reports whether the attribute is the boolean true.
func (p Profile) True(name string) bool { return string(p.Value(name)) == "true" }

// TextOf is the string that v holds; empty when v is no string.
func TextOf(v Value) string {
	if len(v) < 2 || v[0] != '"' {
		return ""
	}
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v[1 : len(v)-1])
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// Set gives name the value and source; null removes. It reports whether the
// value differs from what was there; an equal value keeps its old source.
func (p *Profile) Set(name string, v Value, src Source) bool {
	if v == nil || IsNull(v) {
		return p.Remove(name)
	}
	i, ok := p.find(name)
	if ok && bytes.Equal(p.attrs[i].Value, v) {
		return false
	}
	attrs := make([]Attribute, 0, len(p.attrs)+1)
	attrs = append(attrs, p.attrs...)
	if ok {
		attrs[i].Value, attrs[i].Source = v, src
	} else {
		attrs = slices.Insert(attrs, i, Attribute{name, v, src})
	}
	p.attrs = attrs
	return true
}

// Remove takes the attribute away and reports whether it was there.
func (p *Profile) Remove(name string) bool {
	i, ok := p.find(name)
	if !ok {
		return false
	}
	attrs := make([]Attribute, 0, len(p.attrs))
	attrs = append(attrs, p.attrs[:i]...)
	p.attrs = append(attrs, p.attrs[i+1:]...)
	return true
}

// Equal reports whether both hold the same values; sources do not count.
func (p Profile) Equal(o Profile) bool {
	return slices.EqualFunc(p.attrs, o.attrs, func(a, b Attribute) bool {
		return a.Name == b.Name && bytes.Equal(a.Value, b.Value)
	})
}
