package saml

import (
	"errors"
	"fmt"

	"github.com/beevik/etree"

	"mangrove/internal/upstream/safexml"
)

func (o *options) verifiers() safexml.Keys {
	return safexml.Keys{Certificates: o.Certificates, AllowSHA1: o.AllowSHA1}
}

// open reads a posted response down to its one assertion, which is read only from
// what a key of the connection has signed: the response as a whole, or the assertion
// itself. A signature that is there has to be right, even where another covers it.
//
// The order matters: the document is judged before it is a tree, the response is
// verified before anything in it is decrypted, and an assertion is counted before
// it is verified, so that a second one that is not signed cannot be the one read.
func open(posted string, o *options) (answer, error) {
	if posted == "" {
		return answer{}, errors.New("no SAMLResponse")
	}
	if len(posted) > maxMessage/3*4+maxMessage/16 {
		return answer{}, safexml.ErrTooLarge
	}
	raw, err := decode64(posted)
	if err != nil {
		return answer{}, errors.New("SAMLResponse is not base64")
	}
	doc, err := safexml.Parse(raw, maxMessage)
	if err != nil {
		return answer{}, err
	}
	response := doc.Root()
	if !safexml.Is(response, nsProtocol, "Response") {
		return answer{}, errors.New("not a Response")
	}
	signed := hasSignature(response)
	if signed {
		if response, err = safexml.Verify(response, "ID", o.verifiers()); err != nil {
			return answer{}, fmt.Errorf("the response: %w", err)
		}
	}
	a, err := readResponse(response)
	if err != nil {
		return answer{}, err
	}
	a.signed = signed
	if a.Status != statusSuccess {
		return answer{}, errNoSuccess
	}
	element, err := onlyAssertion(response, o)
	if err != nil {
		return answer{}, err
	}
	if hasSignature(element) || !signed {
		if element, err = safexml.Verify(element, "ID", o.verifiers()); err != nil {
			return answer{}, fmt.Errorf("the assertion: %w", err)
		}
	}
	a.assertion, err = readAssertion(element)
	return a, err
}

func hasSignature(e *etree.Element) bool {
	return len(safexml.Children(e, nsSignature, "Signature")) > 0
}

// readResponse reads what surrounds the assertion.
func readResponse(e *etree.Element) (answer, error) {
	issuers, statuses := safexml.Children(e, nsAssertion, "Issuer"), safexml.Children(e, nsProtocol, "Status")
	if len(issuers) > 1 || len(statuses) > 1 {
		return answer{}, errors.New("a doubled Issuer or Status")
	}
	return answer{
		ID: safexml.Attr(e, "ID"), Version: safexml.Attr(e, "Version"),
		Destination: safexml.Attr(e, "Destination"), hasDestination: has(e, "Destination"),
		InResponseTo: safexml.Attr(e, "InResponseTo"), hasAnswer: has(e, "InResponseTo"),
		Issuer: safexml.Text(safexml.Child(e, nsAssertion, "Issuer")),
		Status: status(e),
	}, nil
}

// status is the top-level code of a response.
func status(e *etree.Element) string {
	code := safexml.Child(safexml.Child(e, nsProtocol, "Status"), nsProtocol, "StatusCode")
	return safexml.Attr(code, "Value")
}

// onlyAssertion finds the one assertion, directly within the response, decrypted.
// Anything that looks like another one anywhere is refused.
func onlyAssertion(response *etree.Element, o *options) (*etree.Element, error) {
	plain := safexml.Children(response, nsAssertion, "Assertion")
	sealed := safexml.Children(response, nsAssertion, "EncryptedAssertion")
	if len(plain)+len(sealed) != 1 || len(likeAssertions(response)) != 1 {
		return nil, errors.New("not exactly one assertion")
	}
	if len(plain) == 1 {
		return plain[0], nil
	}
	opened, err := decrypt(sealed[0], o)
	if err != nil {
		return nil, err
	}
	if !safexml.Is(opened, nsAssertion, "Assertion") || len(likeAssertions(opened)) != 1 {
		return nil, errors.New("not exactly one encrypted assertion")
	}
	return opened, nil
}

// likeAssertions are elements of that name in any namespace: a parser that loses a
// namespace must not find more than we count.
func likeAssertions(e *etree.Element) []*etree.Element {
	var list []*etree.Element
	if e.Tag == "Assertion" || e.Tag == "EncryptedAssertion" {
		list = append(list, e)
	}
	for _, c := range e.ChildElements() {
		list = append(list, likeAssertions(c)...)
	}
	return list
}
