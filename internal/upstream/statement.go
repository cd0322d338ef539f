package upstream

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// Statement is what a SAML assertion of either version says about a person,
// verified. Names and values are as sent.
type Statement struct {
	// NameID is the name identifier as whole text, NameIDAttributes its XML
	// attributes (Format, NameQualifier, …).
	NameID           string
	NameIDAttributes map[string]string
	Issuer           string
	Method           string // AuthnContextClassRef
	Attributes       []StatementAttribute
}

// StatementAttribute is one attribute; of several with one name the values count
// together.
type StatementAttribute struct {
	Name   string
	Values []string
}

// Prefixes of claim names.
const (
	soapClaims      = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	microsoftClaims = "http://schemas.microsoft.com/ws/2008/06/identity/claims/"
	nameIdentifier  = soapClaims + "nameidentifier"
)

// subjectClaims are who it is, the first that is there (reference/connections.md §4.7).
var subjectClaims = []string{nameIdentifier, soapClaims + "upn", soapClaims + "name"}

// defaultFields are where attributes of a profile come from when fieldsMap does
// not say (reference/connections.md §4.7).
var defaultFields = []connection.Field{
	{Name: "email", Sources: []string{"email", soapClaims + "emailaddress"}},
	{Name: "name", Sources: []string{soapClaims + "name"}},
	{Name: "given_name", Sources: []string{soapClaims + "givenname"}},
	{Name: "family_name", Sources: []string{soapClaims + "surname"}},
	{Name: "groups", Sources: []string{"http://schemas.xmlsoap.org/claims/Group", microsoftClaims + "groups"}},
	{Name: "upn", Sources: []string{soapClaims + "upn"}},
}

// addressClaims may be an e-mail address, and are one when they look so.
var addressClaims = []string{soapClaims + "upn", nameIdentifier}

// aboutTheLogin are claims that say when, and not who: they would be a change of
// the profile with every login. The SessionIndex is kept with the session instead
// (session.Foreign).
var aboutTheLogin = []string{microsoftClaims + "authenticationinstant"}

// Claims normalizes the statement (reference/connections.md §4.7). userIDAttribute
// is the option of that name; empty: not set. It refuses a statement about nobody,
// one that names the person twice, and one that names them by a name for this login
// alone, unless an option says which claim it is that stays.
//
// A claim that the deny list names, as the provider calls it, becomes no attribute
// under whatever name (§3.8).
func (s *Statement) Claims(o *connection.UpstreamOptions, userIDAttribute string) (profile.Claims, error) {
	said := s.byName()
	subject, err := s.subject(said, o, userIDAttribute)
	if err != nil {
		return profile.Claims{}, err
	}
	kept := maps.Clone(said)
	maps.DeleteFunc(kept, func(name string, _ []string) bool { return profile.Denied(o.NonPersistent, name) })
	m := mapping{said: kept, used: map[string]bool{nameIdentifier: true}, out: map[string]profile.Value{}}
	m.mapped(o.Fields)
	m.usual()
	m.address()
	m.others()
	if m.guessed { // a proof was said of no address, or of another
		delete(m.out, profile.EmailVerified)
	}
	for name, text := range map[string]string{"issuer": s.Issuer, "authenticationmethod": s.Method} {
		m.add(name, []string{text})
	}
	if len(s.NameIDAttributes) > 0 && len(kept[nameIdentifier]) > 0 {
		m.out["nameIdAttributes"] = s.nameIDObject()
	}
	list := make([]profile.Change, 0, len(m.out))
	for _, name := range slices.Sorted(maps.Keys(m.out)) {
		list = append(list, profile.Change{Name: name, Value: m.out[name]})
	}
	return profile.Claims{Subject: subject, Attributes: Vouch(list, o), Raw: s.raw(said)}, nil
}

var (
	errNobody    = errors.New("the assertion names nobody")
	errManyNames = errors.New("the assertion names the person more than once")
	errTransient = errors.New("the NameID is transient, another one at every login: set user_id_attribute to a claim that stays, or have the provider send a persistent NameID")
)

// transientFormat is that of a NameID that is made up for one login (SAML core §8.3.8).
const transientFormat = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"

func (s *Statement) transient() bool { return s.NameIDAttributes["Format"] == transientFormat }

// byName joins attributes of one name. What has no text says nothing. The name
// identifier counts as the claim of that name, unless it is of this login alone.
func (s *Statement) byName() map[string][]string {
	m := map[string][]string{}
	for _, a := range s.Attributes {
		for _, v := range a.Values {
			if v != "" && a.Name != "" {
				m[a.Name] = append(m[a.Name], v)
			}
		}
	}
	if s.NameID != "" && !s.transient() {
		m[nameIdentifier] = []string{s.NameID}
	}
	return m
}

// subject is who it is. Behind a transient NameID none of the usual claims counts: the
// provider chose not to say who it is.
func (s *Statement) subject(said map[string][]string, o *connection.UpstreamOptions, userIDAttribute string) (string, error) {
	var sources []string
	if userIDAttribute != "" {
		sources = append(sources, userIDAttribute)
	}
	for _, f := range o.Fields {
		if f.Name == "user_id" {
			sources = append(sources, f.Sources...)
		}
	}
	if !s.transient() {
		sources = append(sources, subjectClaims...)
	}
	for _, source := range sources {
		values := said[claimOf(said, source)]
		if len(values) > 1 {
			return "", ErrRefused.Because(errManyNames)
		}
		if len(values) == 1 {
			return values[0], nil
		}
	}
	if s.transient() {
		return "", ErrRefused.Because(errTransient)
	}
	return "", ErrRefused.Because(errNobody)
}

// claimOf is the claim that a source means: by its name, or by the last segment of
// one (short names are in use, reference/connections.md §4.7); empty: none. Of
// several with one last segment it is the first by name.
func claimOf(said map[string][]string, source string) string {
	if len(said[source]) > 0 {
		return source
	}
	if strings.ContainsAny(source, "/:") {
		return ""
	}
	found := ""
	for name := range said {
		if lastSegment(name) == source && (found == "" || name < found) {
			found = name
		}
	}
	return found
}

// lastSegment of a name that is a URI; other names are as they are.
func lastSegment(name string) string {
	if !strings.Contains(name, "://") {
		return name
	}
	return name[strings.LastIndexByte(name, '/')+1:]
}

type mapping struct {
	said map[string][]string
	used map[string]bool // claims that are in the profile already
	out  map[string]profile.Value
	// guessed: the e-mail address is another claim that looked like one.
	guessed bool
}

func (m *mapping) add(name string, values []string) {
	if Reserved(name) || name == "user_id" || len(values) == 0 || values[0] == "" || m.out[name] != nil {
		return
	}
	v := texts(values)
	if name == profile.EmailVerified || name == profile.PhoneVerified {
		v = ProofText(v) // SAML has no other form
	}
	m.out[name] = v
}

// mapped fills what fieldsMap names, from the first of the sources that is there.
func (m *mapping) mapped(list []connection.Field) {
	for _, f := range list {
		if f.Name == "user_id" {
			continue
		}
		for _, source := range f.Sources {
			if name := claimOf(m.said, source); name != "" {
				m.add(f.Name, m.said[name])
				m.used[name] = true
				break
			}
		}
	}
}

// usual fills what defaultFields names and fieldsMap did not, by whole names.
func (m *mapping) usual() {
	for _, f := range defaultFields {
		for _, source := range f.Sources {
			m.add(f.Name, m.said[source])
			m.used[source] = true
		}
	}
}

func (m *mapping) address() {
	if m.out[profile.Email] != nil {
		return
	}
	for _, name := range addressClaims {
		if v := m.said[name]; len(v) == 1 && strings.Contains(v[0], "@") {
			m.add(profile.Email, v)
			m.guessed = true
			return
		}
	}
}

// others are claims that nothing maps: they keep their names, but for the
// beginnings of URIs.
func (m *mapping) others() {
	for _, name := range slices.Sorted(maps.Keys(m.said)) {
		if !m.used[name] && !slices.Contains(aboutTheLogin, name) {
			m.add(lastSegment(name), m.said[name])
		}
	}
}

func texts(values []string) profile.Value {
	if len(values) == 1 {
		return profile.Text(values[0])
	}
	return profile.Texts(values)
}

func (s *Statement) nameIDObject() profile.Value {
	d := strictjson.Document{"value": profile.Text(s.NameID)}
	for name, v := range s.NameIDAttributes {
		if name != "value" {
			d[name] = profile.Text(v)
		}
	}
	return d.Encode()
}

// raw is everything that was said, under the names of the provider.
func (s *Statement) raw(said map[string][]string) profile.Value {
	d := strictjson.Document{}
	for name, values := range said {
		if !slices.Contains(aboutTheLogin, name) {
			d[name] = texts(values)
		}
	}
	for name, text := range map[string]string{"issuer": s.Issuer, microsoftClaims + "authenticationmethod": s.Method} {
		if text != "" {
			d[name] = profile.Text(text)
		}
	}
	return d.Encode()
}
