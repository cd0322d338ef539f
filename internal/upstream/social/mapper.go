package social

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// maxSubject is the length of what a provider calls a person, in bytes.
const maxSubject = 255

// mapper is a Mapping taken apart.
type mapper struct {
	id, verified choice
	fields       []mappedField
	consumed     map[string]bool // members of the copied document that are not copied
	keep         map[string]bool
}

type mappedField struct {
	name string
	from choice
}

// choice is the first of several joins that says something.
type choice []join

// join is the texts of several paths with spaces between; of one path it is the
// value as it is.
type join []path

type path struct {
	document string // empty: the profile
	steps    []string
}

func compile(m *Mapping) *mapper {
	c := &mapper{id: parseChoice(m.ID), verified: parseChoice(m.Verified), consumed: map[string]bool{}, keep: map[string]bool{}}
	for _, f := range m.Fields {
		c.fields = append(c.fields, mappedField{f.Name, parseChoice(f.From)})
	}
	consume := func(ch choice) {
		for _, j := range ch {
			for _, p := range j {
				if p.document == m.Copied && len(p.steps) == 1 {
					c.consumed[p.steps[0]] = true
				}
			}
		}
	}
	consume(c.id)
	consume(c.verified)
	for _, f := range c.fields {
		consume(f.from)
		c.consumed[f.name] = true // a raw member of that name means something else
	}
	for _, name := range m.Drop {
		c.consumed[name] = true
	}
	for _, name := range m.Keep {
		c.keep[name] = true
	}
	return c
}

func parseChoice(s string) choice {
	if s == "" {
		return nil
	}
	var ch choice
	for alternative := range strings.SplitSeq(s, "|") {
		var j join
		for part := range strings.SplitSeq(alternative, "+") {
			part = strings.TrimSpace(part)
			document, rest, named := strings.Cut(part, ":")
			if !named {
				document, rest = "", part
			}
			j = append(j, path{document, strings.Split(rest, ".")})
		}
		ch = append(ch, j)
	}
	return ch
}

// document of the answers by the name that paths have for it.
func (a *Answers) document(name string) strictjson.Document {
	switch name {
	case "":
		return a.Profile
	case "token":
		return a.Token
	case "id_token":
		return a.IDToken
	case "form":
		return a.Form
	}
	return nil
}

// at is the value at the path; nil: there is none, or it says nothing (null, "").
func (p path) at(a *Answers) profile.Value {
	v := a.document(p.document)[p.steps[0]]
	for _, step := range p.steps[1:] {
		v = inside(v, step)
	}
	if len(v) == 0 || profile.IsNull(v) || string(v) == `""` {
		return nil
	}
	return v
}

// inside is a member of an object or, by number, an item of an array.
func inside(v profile.Value, step string) profile.Value {
	if len(v) == 0 {
		return nil
	}
	switch v[0] {
	case '{':
		return strictjson.ParseDocument(v)[step]
	case '[':
		i, err := strconv.Atoi(step)
		if list := Items(v); err == nil && i >= 0 && i < len(list) {
			return list[i]
		}
	}
	return nil
}

func (j join) at(a *Answers) profile.Value {
	if len(j) == 1 {
		return j[0].at(a)
	}
	var texts []string
	for _, p := range j {
		if s := strings.TrimSpace(profile.TextOf(p.at(a))); s != "" {
			texts = append(texts, s)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return profile.Text(strings.Join(texts, " "))
}

func (c choice) at(a *Answers) profile.Value {
	for _, j := range c {
		if v := j.at(a); v != nil {
			return v
		}
	}
	return nil
}

// subject is what the provider calls the person; ok is false when it does not say.
// An integer counts by its digits.
func subject(v profile.Value) (s string, ok bool) {
	switch {
	case len(v) == 0:
		return "", false
	case v[0] == '"':
		s = profile.TextOf(v)
	default:
		if s = string(v); !isDigits(strings.TrimPrefix(s, "-")) {
			return "", false
		}
	}
	return s, s != "" && len(s) <= maxSubject && strings.TrimSpace(s) == s &&
		utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// claims maps what was answered; ok is false when nobody was named. Values are
// as they came: which of them a profile can hold is decided at the login.
func (m *Mapping) claims(a *Answers) (cl profile.Claims, ok bool) {
	c := m.compiled
	if cl.Subject, ok = subject(c.id.at(a)); !ok {
		return profile.Claims{}, false
	}
	raw := a.document(m.Copied)
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if c.consumed[name] || isProof(name) || upstream.Reserved(name) || upstream.Restricted(name) && !m.Unrestricted && !c.keep[name] {
			continue
		}
		cl.Attributes = append(cl.Attributes, profile.Change{Name: name, Value: raw[name]})
	}
	email := false
	for _, f := range c.fields {
		v := f.from.at(a)
		if v == nil || isProof(f.name) && !isBool(v) {
			continue
		}
		email = email || f.name == profile.Email && v[0] == '"'
		cl.Attributes = append(cl.Attributes, profile.Change{Name: f.name, Value: v})
	}
	if email {
		proof := c.verified.at(a)
		if m.TextProof {
			proof = upstream.ProofText(proof)
		}
		if m.Proven {
			proof = profile.Bool(true)
		}
		if isBool(proof) {
			cl.Attributes = append(cl.Attributes, profile.Change{Name: profile.EmailVerified, Value: proof})
		}
	}
	cl.Once = m.Once
	return cl, true
}

func isProof(name string) bool {
	return name == profile.EmailVerified || name == profile.PhoneVerified
}

func isBool(v profile.Value) bool { return string(v) == "true" || string(v) == "false" }
