package wsfed

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"mangrove/internal/upstream"
	"mangrove/internal/upstream/safexml"
)

// maxResult bounds wresult.
const maxResult = 1 << 20

const (
	nsSAML1 = "urn:oasis:names:tc:SAML:1.0:assertion"
	nsSAML2 = "urn:oasis:names:tc:SAML:2.0:assertion"
)

// trustVersions are the namespaces of WS-Trust of February 2005 and 1.3.
var trustVersions = []string{
	"http://schemas.xmlsoap.org/ws/2005/02/trust",
	"http://docs.oasis-open.org/ws-sx/ws-trust/200512",
}

// token is what a verified assertion says.
type token struct {
	upstream.Statement
	id string
	// session is the SessionIndex. It is no attribute: WS-Federation has no use for it,
	// and it would be a change of the profile with every login.
	session      string
	issued       time.Time // zero: not said, or no time
	notBefore    time.Time // zero: not said
	notOnOrAfter time.Time // zero: not said
	// audiences has one list for each restriction: we have to be in all of them.
	audiences [][]string
	// confirmations are the methods by which the bearer proves to be the subject.
	confirmations []string
	recipients    []string
	answers       bool // it has InResponseTo
	subjects      []string
	conditions    bool // there are conditions, and we know all of them
	malformed     bool // a time is no time
}

var (
	errShape     = errors.New("wresult is not a response with one security token")
	errOne       = errors.New("wresult has not exactly one assertion")
	errEncrypted = errors.New("the token is encrypted: switch that off at the provider")
)

// assertionOf finds the one assertion in a wresult. Nothing of it is proven yet.
func assertionOf(wresult []byte) (*etree.Element, error) {
	doc, err := safexml.Parse(wresult, maxResult)
	if err != nil {
		return nil, err
	}
	response := doc.Root()
	for _, ns := range trustVersions {
		if safexml.Is(response, ns, "RequestSecurityTokenResponseCollection") {
			response = safexml.Child(response, ns, "RequestSecurityTokenResponse")
		}
	}
	var requested *etree.Element
	for _, ns := range trustVersions {
		if safexml.Is(response, ns, "RequestSecurityTokenResponse") {
			requested = safexml.Child(response, ns, "RequestedSecurityToken")
		}
	}
	if requested == nil || len(requested.ChildElements()) != 1 {
		return nil, errShape
	}
	assertion := requested.ChildElements()[0]
	switch {
	case assertion.Tag == "EncryptedData", assertion.Tag == "EncryptedAssertion":
		return nil, errEncrypted
	case !safexml.Is(assertion, nsSAML1, "Assertion") && !safexml.Is(assertion, nsSAML2, "Assertion"):
		return nil, errShape
	}
	all := len(safexml.Descendants(doc.Root(), nsSAML1, "Assertion")) + len(safexml.Descendants(doc.Root(), nsSAML2, "Assertion"))
	if all != 1 {
		return nil, errOne
	}
	return assertion, nil
}

// idAttribute is where an assertion has its ID.
func idAttribute(assertion *etree.Element) string {
	if assertion.NamespaceURI() == nsSAML1 {
		return "AssertionID"
	}
	return "ID"
}

// readToken reads a verified assertion.
func readToken(a *etree.Element) token {
	if a.NamespaceURI() == nsSAML1 {
		return readSAML1(a)
	}
	return readSAML2(a)
}

// readSAML1 reads an assertion of SAML 1.1 (saml-core-1.1 §2.3).
func readSAML1(a *etree.Element) token {
	t := token{id: safexml.Attr(a, "AssertionID")}
	t.Issuer = safexml.Attr(a, "Issuer")
	t.issued = t.when(a, "IssueInstant")
	t.readConditions(a, nsSAML1, "AudienceRestrictionCondition", "DoNotCacheCondition")
	for _, s := range a.ChildElements() {
		subject := safexml.Child(s, nsSAML1, "Subject")
		if subject == nil {
			continue
		}
		t.addSubject(subject, safexml.Child(subject, nsSAML1, "NameIdentifier"))
		for _, m := range safexml.Descendants(subject, nsSAML1, "ConfirmationMethod") {
			t.confirmations = append(t.confirmations, safexml.Text(m))
		}
		for _, e := range safexml.Children(s, nsSAML1, "Attribute") {
			name := safexml.Attr(e, "AttributeName")
			if ns := safexml.Attr(e, "AttributeNamespace"); ns != "" && name != "" {
				name = strings.TrimSuffix(ns, "/") + "/" + name
			}
			t.addAttribute(name, safexml.Children(e, nsSAML1, "AttributeValue"))
		}
	}
	return t
}

// readSAML2 reads an assertion of SAML 2.0 (saml-core-2.0 §2.3).
func readSAML2(a *etree.Element) token {
	t := token{id: safexml.Attr(a, "ID")}
	t.Issuer = safexml.Text(safexml.Child(a, nsSAML2, "Issuer"))
	t.issued = t.when(a, "IssueInstant")
	t.readConditions(a, nsSAML2, "AudienceRestriction", "OneTimeUse")
	if subject := safexml.Child(a, nsSAML2, "Subject"); subject != nil {
		name := safexml.Child(subject, nsSAML2, "NameID")
		t.addSubject(subject, name)
		t.NameIDAttributes = attributesOf(name)
		for _, c := range safexml.Children(subject, nsSAML2, "SubjectConfirmation") {
			t.confirmations = append(t.confirmations, safexml.Attr(c, "Method"))
			for _, d := range safexml.Children(c, nsSAML2, "SubjectConfirmationData") {
				t.answers = t.answers || safexml.Attr(d, "InResponseTo") != ""
				if r := safexml.Attr(d, "Recipient"); r != "" {
					t.recipients = append(t.recipients, r)
				}
				if end := t.when(d, "NotOnOrAfter"); !end.IsZero() && (t.notOnOrAfter.IsZero() || end.Before(t.notOnOrAfter)) {
					t.notOnOrAfter = end
				}
			}
		}
	}
	for _, s := range safexml.Children(a, nsSAML2, "AuthnStatement") {
		t.session = safexml.Attr(s, "SessionIndex")
		t.Method = safexml.Text(safexml.Child(safexml.Child(s, nsSAML2, "AuthnContext"), nsSAML2, "AuthnContextClassRef"))
	}
	for _, s := range safexml.Children(a, nsSAML2, "AttributeStatement") {
		for _, e := range safexml.Children(s, nsSAML2, "Attribute") {
			t.addAttribute(safexml.Attr(e, "Name"), safexml.Children(e, nsSAML2, "AttributeValue"))
		}
	}
	return t
}

// addSubject notes a subject; every statement of SAML 1.1 has its own, of the same
// person.
func (t *token) addSubject(subject, name *etree.Element) {
	text := safexml.Text(name)
	if name == nil && len(safexml.Descendants(subject, subject.NamespaceURI(), "NameIdentifier")) > 0 {
		t.malformed = true // more than one name
	}
	if !slices.Contains(t.subjects, text) {
		t.subjects = append(t.subjects, text)
	}
	t.NameID = text
}

// attributesOf are the XML attributes of a NameID (reference/connections.md §4.7).
func attributesOf(name *etree.Element) map[string]string {
	if name == nil {
		return nil
	}
	m := map[string]string{}
	for _, a := range name.Attr {
		if a.Space == "" && a.Key != "xmlns" {
			m[a.Key] = a.Value
		}
	}
	return m
}

func (t *token) addAttribute(name string, values []*etree.Element) {
	a := upstream.StatementAttribute{Name: name}
	for _, v := range values {
		a.Values = append(a.Values, safexml.Text(v))
	}
	t.Attributes = append(t.Attributes, a)
}

// readConditions reads the times, and the audiences of each restriction. A condition
// that is neither that nor harmless makes the token void (saml-core-1.1 §2.3.2.1).
func (t *token) readConditions(a *etree.Element, ns, restriction, harmless string) {
	c := safexml.Child(a, ns, "Conditions")
	if c == nil {
		return
	}
	t.conditions = true
	t.notBefore, t.notOnOrAfter = t.when(c, "NotBefore"), t.when(c, "NotOnOrAfter")
	for _, e := range c.ChildElements() {
		switch {
		case safexml.Is(e, ns, restriction):
			var list []string
			for _, audience := range safexml.Children(e, ns, "Audience") {
				list = append(list, safexml.Text(audience))
			}
			t.audiences = append(t.audiences, list)
		case !safexml.Is(e, ns, harmless):
			t.conditions = false
		}
	}
}

// when reads a time. Without a zone it is in UTC (saml-core-2.0 §1.3.3).
func (t *token) when(e *etree.Element, name string) time.Time {
	text := safexml.Attr(e, name)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC()
		}
	}
	t.malformed = true
	return time.Time{}
}
