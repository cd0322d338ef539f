package oidc

import (
	"encoding/json"
	"slices"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// source is what the templates of an attribute map may speak of.
type source struct {
	tokenset     []strictjson.Member // claims of the ID token
	userinfo     []strictjson.Member // nil: was not asked
	accessToken  string
	connectionID string
	strategy     string
}

// basicClaims are the standard claims of the scopes profile and email.
var basicClaims = []string{
	"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username",
	"profile", "picture", "website", "gender", "birthdate", "zoneinfo", "locale",
	"email", "email_verified",
}

// passing claims speak of one token or one visit, not of the person: kept, they
// would make each login a change. The last line is what Entra ID adds.
var passing = set(`at_hash auth_time c_hash exp iat jti nbf nonce s_hash session_expiry session_state sid
	aio in_corp ipaddr rh signin_state uti`)

// lasting is the payload without the claims that pass, compact.
func lasting(claims []strictjson.Member) profile.Value {
	return strictjson.Join(slices.DeleteFunc(slices.Clone(claims), func(m strictjson.Member) bool { return passing[m.Name] }))
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// mappable reports whether a claim or a template may become the attribute
// (reference/connections.md §3.10, §4.0).
func mappable(name string) bool {
	return !upstream.Restricted(name) && !upstream.Reserved(name)
}

// attributes makes the profile attributes of claims
// (reference/connections.md §3.10). A null says nothing and is left out;
// a proof (email_verified, phone_verified) counts only as a boolean, email only
// as a string.
func attributes(m connection.AttributeMap, s source) []profile.Change {
	var list []profile.Change
	add := func(name string, v profile.Value) {
		if !mappable(name) || v == nil || profile.IsNull(v) {
			return
		}
		switch name {
		case profile.EmailVerified, profile.PhoneVerified:
			if b := string(v); b != "true" && b != "false" {
				return
			}
		case profile.Email:
			if _, ok := text(v); !ok {
				return
			}
		}
		list = append(list, profile.Change{Name: name, Value: v})
	}
	switch m.Mode {
	case connection.UseMap:
		for _, t := range m.Attributes {
			add(t.Name, s.value(t.Value))
		}
	case connection.BasicProfile:
		for _, c := range s.tokenset {
			if slices.Contains(basicClaims, c.Name) {
				add(c.Name, c.Value)
			}
		}
	default:
		for _, c := range s.tokenset {
			if !passing[c.Name] {
				add(c.Name, c.Value)
			}
		}
	}
	return list
}

// value is what a template yields: nil when it speaks of something absent. A
// template that is one reference keeps the type of what it names, arrays
// included; a mixture is text. A mixture of which a part is absent is absent:
// half an identifier would be worse than none.
func (s source) value(template json.RawMessage) profile.Value {
	t, ok := text(template)
	if !ok {
		return template
	}
	parts := split(t)
	if len(parts) == 1 && parts[0].reference {
		return s.lookup(parts[0].text)
	}
	var b strings.Builder
	for _, p := range parts {
		if !p.reference {
			b.WriteString(p.text)
			continue
		}
		v := s.lookup(p.text)
		if v == nil || profile.IsNull(v) {
			return nil
		}
		if str, ok := text(v); ok {
			b.WriteString(str)
		} else {
			b.Write(v)
		}
	}
	return profile.Text(b.String())
}

// lookup finds what stands between ${ and }.
func (s source) lookup(reference string) profile.Value {
	if claim, ok := strings.CutPrefix(reference, "context.tokenset."); ok {
		if claim == "access_token" {
			if s.accessToken == "" {
				return nil
			}
			return profile.Text(s.accessToken)
		}
		return claimAt(s.tokenset, claim)
	}
	if claim, ok := strings.CutPrefix(reference, "context.userinfo."); ok {
		return claimAt(s.userinfo, claim)
	}
	switch reference {
	case "context.connection.id":
		return profile.Text(s.connectionID)
	case "context.connection.strategy":
		return profile.Text(s.strategy)
	}
	return nil
}

// claimAt is the claim of that name; names may hold dots (https://ns.example/x).
// Where there is none, dots lead into objects (address.country).
func claimAt(claims []strictjson.Member, name string) profile.Value {
	if v := member(claims, name); v != nil {
		return v
	}
	head, rest, ok := strings.Cut(name, ".")
	if !ok {
		return nil
	}
	inner := member(claims, head)
	if len(inner) == 0 || inner[0] != '{' {
		return nil
	}
	members, err := strictjson.Object(inner)
	if err != nil {
		return nil
	}
	return claimAt(members, rest)
}

// part of a template: text, or the inside of a reference.
type part struct {
	text      string
	reference bool
}

// split takes a template apart. An opening without its end is text.
func split(t string) []part {
	var parts []part
	for t != "" {
		start := strings.Index(t, "${")
		if start < 0 {
			break
		}
		end := strings.IndexByte(t[start:], '}')
		if end < 0 {
			break
		}
		if start > 0 {
			parts = append(parts, part{text: t[:start]})
		}
		parts = append(parts, part{text: strings.TrimSpace(t[start+2 : start+end]), reference: true})
		t = t[start+end+1:]
	}
	if t != "" || len(parts) == 0 {
		parts = append(parts, part{text: t})
	}
	return parts
}

// needsUserinfo reports whether a template speaks of userinfo; otherwise it is
// never called (reference/connections.md §2.4).
func needsUserinfo(m connection.AttributeMap) bool {
	if m.Mode != connection.UseMap {
		return false
	}
	for _, a := range m.Attributes {
		t, _ := text(a.Value)
		for _, p := range split(t) {
			if p.reference && strings.HasPrefix(p.text, "context.userinfo.") {
				return true
			}
		}
	}
	return false
}

func member(list []strictjson.Member, name string) profile.Value {
	for _, m := range list {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// text is the string that v holds; false when v is no string.
func text(v profile.Value) (string, bool) {
	if len(v) < 2 || v[0] != '"' {
		return "", false
	}
	return profile.TextOf(v), true
}
