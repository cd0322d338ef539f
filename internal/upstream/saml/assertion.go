package saml

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"mangrove/internal/session"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/safexml"
)

// answer is a response whose assertion was verified. What is outside of the
// assertion was verified only when signed is true.
type answer struct {
	signed                    bool
	ID, Version, Destination  string
	InResponseTo, Issuer      string
	Status                    string
	hasDestination, hasAnswer bool // the attribute is there
	assertion                 assertion
}

// assertion is what one of the connection's keys has signed.
type assertion struct {
	ID, Version, Issuer string
	IssueInstant        time.Time
	Name                nameID
	Confirmations       []confirmation
	// Conditions is false when there are none.
	Conditions              bool
	NotBefore, NotOnOrAfter time.Time  // zero: not said
	Audiences               [][]string // each restriction by itself
	UnknownConditions       bool
	Statements              []statement
	Attributes              []upstream.StatementAttribute
}

// nameID is who, in the provider's words. Format is empty when unspecified.
type nameID struct {
	Value                                          string
	Format, NameQualifier, SPNameQualifier, SPGave string
	// Attributes as they were written.
	Attributes map[string]string
}

type confirmation struct {
	Method, Recipient, InResponseTo string
	hasAnswer                       bool
	NotBefore, NotOnOrAfter         time.Time
}

type statement struct {
	SessionIndex, ClassRef string
	SessionNotOnOrAfter    time.Time
}

// times that are read strictly: a time that cannot be read is not "not said".
type clock struct{ err error }

func (k *clock) read(e *etree.Element, name string) time.Time {
	s := strings.TrimSpace(safexml.Attr(e, name))
	if s == "" {
		if has(e, name) {
			k.err = errors.New("an empty time")
		}
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		// xs:dateTime without a zone: SAML wants UTC (core §1.3.3).
		if t, err = time.Parse("2006-01-02T15:04:05.999999999", s); err != nil {
			k.err = errors.New("a time that cannot be read")
		}
	}
	return t
}

func has(e *etree.Element, name string) bool {
	return e != nil && slices.ContainsFunc(e.Attr, func(a etree.Attr) bool { return a.Space == "" && a.Key == name })
}

// atMostOne refuses an element that has two children of a kind: of two a reader
// takes either.
func atMostOne(e *etree.Element, names ...string) error {
	for _, name := range names {
		if len(safexml.Children(e, nsAssertion, name)) > 1 {
			return errors.New("doubled " + name)
		}
	}
	return nil
}

// readAssertion reads a verified element. It refuses what can be read in two ways,
// and leaves what is missing empty, for check to judge.
func readAssertion(e *etree.Element) (assertion, error) {
	if err := atMostOne(e, "Issuer", "Subject", "Conditions", "Advice"); err != nil {
		return assertion{}, err
	}
	child := func(in *etree.Element, name string) *etree.Element { return safexml.Child(in, nsAssertion, name) }
	var k clock
	a := assertion{
		ID: safexml.Attr(e, "ID"), Version: safexml.Attr(e, "Version"), Issuer: safexml.Text(child(e, "Issuer")),
		IssueInstant: k.read(e, "IssueInstant"),
	}
	who := child(e, "Subject")
	if err := atMostOne(who, "NameID", "BaseID", "EncryptedID"); err != nil {
		return assertion{}, err
	}
	if child(who, "EncryptedID") != nil {
		return assertion{}, errors.New("an EncryptedID")
	}
	a.Name = readNameID(child(who, "NameID"))
	for _, sc := range safexml.Children(who, nsAssertion, "SubjectConfirmation") {
		if err := atMostOne(sc, "SubjectConfirmationData"); err != nil {
			return assertion{}, err
		}
		data := child(sc, "SubjectConfirmationData")
		a.Confirmations = append(a.Confirmations, confirmation{
			Method: safexml.Attr(sc, "Method"), Recipient: safexml.Attr(data, "Recipient"),
			InResponseTo: safexml.Attr(data, "InResponseTo"), hasAnswer: has(data, "InResponseTo"),
			NotBefore: k.read(data, "NotBefore"), NotOnOrAfter: k.read(data, "NotOnOrAfter"),
		})
	}
	if conditions := child(e, "Conditions"); conditions != nil {
		a.Conditions = true
		a.NotBefore, a.NotOnOrAfter = k.read(conditions, "NotBefore"), k.read(conditions, "NotOnOrAfter")
		a.readConditions(conditions)
	}
	for _, s := range safexml.Children(e, nsAssertion, "AuthnStatement") {
		if err := atMostOne(s, "AuthnContext"); err != nil {
			return assertion{}, err
		}
		a.Statements = append(a.Statements, statement{
			SessionIndex: safexml.Attr(s, "SessionIndex"), SessionNotOnOrAfter: k.read(s, "SessionNotOnOrAfter"),
			ClassRef: safexml.Text(child(child(s, "AuthnContext"), "AuthnContextClassRef")),
		})
	}
	a.Attributes = readAttributes(e)
	return a, k.err
}

func (a *assertion) readConditions(conditions *etree.Element) {
	for _, c := range conditions.ChildElements() {
		switch {
		case safexml.Is(c, nsAssertion, "AudienceRestriction"):
			list := []string{}
			for _, audience := range safexml.Children(c, nsAssertion, "Audience") {
				list = append(list, safexml.Text(audience))
			}
			a.Audiences = append(a.Audiences, list)
		case safexml.Is(c, nsAssertion, "OneTimeUse"), safexml.Is(c, nsAssertion, "ProxyRestriction"):
		default: // core §2.5.1.1: what is not understood makes the assertion invalid
			a.UnknownConditions = true
		}
	}
}

func readAttributes(e *etree.Element) []upstream.StatementAttribute {
	var list []upstream.StatementAttribute
	for _, s := range safexml.Children(e, nsAssertion, "AttributeStatement") {
		for _, x := range safexml.Children(s, nsAssertion, "Attribute") {
			a := upstream.StatementAttribute{Name: safexml.Attr(x, "Name")}
			for _, v := range safexml.Children(x, nsAssertion, "AttributeValue") {
				a.Values = append(a.Values, safexml.Text(v))
			}
			list = append(list, a)
		}
	}
	return list
}

func readNameID(e *etree.Element) nameID {
	if e == nil {
		return nameID{}
	}
	n := nameID{
		Value:         safexml.Text(e),
		NameQualifier: safexml.Attr(e, "NameQualifier"), SPNameQualifier: safexml.Attr(e, "SPNameQualifier"),
		SPGave: safexml.Attr(e, "SPProvidedID"),
	}
	if f := safexml.Attr(e, "Format"); f != formatUnspecified {
		n.Format = f
	}
	for _, x := range e.Attr {
		if x.Space != "" || x.Key == "xmlns" {
			continue
		}
		if n.Attributes == nil {
			n.Attributes = map[string]string{}
		}
		n.Attributes[x.Key] = x.Value
	}
	return n
}

// element writes the name in one way, whoever sent it: equal names are equal text.
func (n nameID) element() *etree.Element {
	e := etree.NewElement("saml:NameID")
	e.CreateAttr("xmlns:saml", nsAssertion)
	for _, a := range []struct{ name, value string }{
		{"Format", n.Format}, {"NameQualifier", n.NameQualifier}, {"SPNameQualifier", n.SPNameQualifier}, {"SPProvidedID", n.SPGave},
	} {
		if a.value != "" {
			e.CreateAttr(a.name, a.value)
		}
	}
	e.SetText(n.Value)
	return e
}

func (n nameID) canonical() string {
	if n.Value == "" {
		return ""
	}
	return text(n.element())
}

// statement is what the assertion says of a person.
func (a *assertion) statement() *upstream.Statement {
	s := &upstream.Statement{
		NameID: a.Name.Value, NameIDAttributes: a.Name.Attributes, Issuer: a.Issuer, Attributes: a.Attributes,
	}
	for _, authn := range a.Statements {
		if s.Method == "" {
			s.Method = authn.ClassRef
		}
	}
	return s
}

// foreign is what ending the session there takes. It ends by itself at the time
// that the provider said first.
func (a *assertion) foreign() session.Foreign {
	f := session.Foreign{Name: a.Name.canonical(), Index: a.sessionIndex()}
	for _, s := range a.Statements {
		if end := s.SessionNotOnOrAfter; !end.IsZero() && (f.Until == 0 || end.UnixMicro() < f.Until) {
			f.Until = end.UnixMicro()
		}
	}
	return f
}

func (a *assertion) sessionIndex() string {
	for _, s := range a.Statements {
		if s.SessionIndex != "" {
			return s.SessionIndex
		}
	}
	return ""
}

// longest is how long an assertion can be good for, whatever it says: so long its
// ID is remembered.
const longest = 24 * time.Hour

// end is when the assertion can be used no more, without the tolerance for clocks.
func (a *assertion) end() time.Time { return a.IssueInstant.Add(longest) }

// text is an element as a document.
func text(e *etree.Element) string {
	d := etree.NewDocument()
	d.SetRoot(e)
	d.WriteSettings.CanonicalText, d.WriteSettings.CanonicalAttrVal, d.WriteSettings.CanonicalEndTags = true, true, true
	s, err := d.WriteToString()
	if err != nil {
		return "" // a strings.Builder takes everything
	}
	return s
}
