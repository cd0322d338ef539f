package saml

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/beevik/etree"

	"mangrove/internal/connection"
	"mangrove/internal/replay"
	"mangrove/internal/session"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/safexml"
)

const requestName = "SAMLRequest"

// logoutLife is how long a LogoutRequest is good for, and how old one may be.
const logoutLife = 5 * time.Minute

// Leave asks the provider to end its session: a signed LogoutRequest. s.State comes
// back as RelayState.
func (k *Connector) Leave(ctx context.Context, c *connection.Connection, f session.Foreign, s upstream.Start) (upstream.Departure, bool, error) {
	o, err := read(c)
	if err != nil {
		return upstream.Departure{}, false, upstream.ErrConfig.Because(err)
	}
	if o.SignOut == "" || f.Name == "" {
		return upstream.Departure{}, false, nil
	}
	name := nameOf(f)
	if name == nil { // the session came by another strategy
		return upstream.Departure{}, false, nil
	}
	now := k.now()
	e := k.message("LogoutRequest", c, o)
	e.CreateAttr("NotOnOrAfter", instant(now.Add(logoutLife)))
	e.AddChild(name)
	if f.Index != "" {
		e.CreateElement("samlp:SessionIndex").SetText(f.Index)
	}
	d, err := k.send(ctx, o, outgoing{name: requestName, document: text(e), relayState: s.State, to: o.SignOut, sign: true})
	return d, err == nil, err
}

// nameOf is the NameID of a session that came by SAML, else nil.
func nameOf(f session.Foreign) *etree.Element {
	doc, err := safexml.Parse([]byte(f.Name), maxMessage)
	if err != nil || !safexml.Is(doc.Root(), nsAssertion, "NameID") {
		return nil
	}
	return doc.Root().Copy()
}

// message begins a message about a logout.
func (k *Connector) message(name string, c *connection.Connection, o *options) *etree.Element {
	e := etree.NewElement("samlp:" + name)
	e.CreateAttr("xmlns:samlp", nsProtocol)
	e.CreateAttr("ID", newID())
	e.CreateAttr("Version", "2.0")
	e.CreateAttr("IssueInstant", instant(k.now()))
	e.CreateAttr("Destination", o.SignOut)
	issuer := e.CreateElement("saml:Issuer")
	issuer.CreateAttr("xmlns:saml", nsAssertion)
	issuer.SetText(k.entityID(c, o))
	return e
}

// Speaks reads whom a LogoutRequest says that it is of. A connection of which the
// provider's entity id is not known can be anybody's: its keys will tell.
func (k *Connector) Speaks(m upstream.SignOutMessage) func(c *connection.Connection) bool {
	e, err := incoming{m, requestName}.document()
	if err != nil || !safexml.Is(e, nsProtocol, "LogoutRequest") {
		return nil
	}
	issuer := safexml.Text(safexml.Child(e, nsAssertion, "Issuer"))
	return func(c *connection.Connection) bool {
		known := c.Document().Text("issuer")
		return (c.Strategy == "samlp" || c.Strategy == "pingfederate") && (known == "" || known == issuer)
	}
}

// ReadSignOut verifies a LogoutRequest of the connection's provider: it has to be
// signed (security.md 104), and ends sessions once (security.md 102): somebody who
// kept it must not end those that the person has begun since.
func (k *Connector) ReadSignOut(ctx context.Context, c *connection.Connection, m upstream.SignOutMessage) (upstream.SignOut, error) {
	o, err := configured(c)
	if err != nil {
		return upstream.SignOut{}, err
	}
	e, err := incoming{m, requestName}.verified(o)
	if err != nil {
		return upstream.SignOut{}, upstream.ErrRefused.Because(err)
	}
	out, err := readLogout(e, logoutFacts{k.now(), m.Address, o.Issuer})
	if err != nil {
		return upstream.SignOut{}, upstream.ErrRefused.Because(err)
	}
	// All connections have one address for it, so that a request could be tried again
	// with each that its provider has: the memory is of the provider.
	issuer := safexml.Text(safexml.Child(e, nsAssertion, "Issuer"))
	first, err := k.memory.Seen(ctx, replay.Key("LogoutRequest of "+issuer, out.ID), k.now().Add(logoutLife+2*skew).UnixMicro())
	if err != nil {
		return upstream.SignOut{}, fmt.Errorf("remember a sign-out: %w", err)
	}
	if !first {
		return upstream.SignOut{}, upstream.ErrRefused.Because(errors.New("the LogoutRequest was used before"))
	}
	return out, nil
}

// logoutFacts are what a LogoutRequest is compared with.
type logoutFacts struct {
	now                 time.Time
	destination, issuer string // issuer empty: the keys alone say whose it is
}

// readLogout judges a verified LogoutRequest and says whose sessions end. It is
// signed, so its Destination has to be said (bindings §3.4.5.2, §3.5.5.2).
func readLogout(e *etree.Element, f logoutFacts) (upstream.SignOut, error) {
	var times clock
	issued, until := times.read(e, "IssueInstant"), times.read(e, "NotOnOrAfter")
	issuers := safexml.Children(e, nsAssertion, "Issuer")
	out := upstream.SignOut{
		ID:   safexml.Attr(e, "ID"),
		Name: readNameID(safexml.Child(e, nsAssertion, "NameID")).canonical(),
	}
	switch {
	case !safexml.Is(e, nsProtocol, "LogoutRequest") || safexml.Attr(e, "Version") != "2.0":
		return upstream.SignOut{}, errors.New("not a LogoutRequest of SAML 2.0")
	case len(issuers) != 1 || f.issuer != "" && safexml.Text(issuers[0]) != f.issuer:
		return upstream.SignOut{}, errors.New("a LogoutRequest of another Issuer: compare options.issuer with the provider's entity id")
	case safexml.Attr(e, "Destination") != f.destination:
		return upstream.SignOut{}, errors.New("a LogoutRequest for another Destination: the provider has to know the address in our metadata")
	case times.err != nil, issued.IsZero(), !within(f.now, issued, issued.Add(logoutLife)), !within(f.now, time.Time{}, until):
		return upstream.SignOut{}, errors.New("a LogoutRequest that is not good now: compare the clocks here and there")
	case out.ID == "" || out.Name == "":
		return upstream.SignOut{}, errors.New("a LogoutRequest without ID or with no NameID that can be read")
	}
	for _, x := range safexml.Children(e, nsProtocol, "SessionIndex") {
		if index := safexml.Text(x); index != "" {
			out.Indexes = append(out.Indexes, index)
		}
	}
	return out, nil
}

// AnswerSignOut is the LogoutResponse, signed.
func (k *Connector) AnswerSignOut(ctx context.Context, c *connection.Connection, m upstream.SignOutMessage, s upstream.SignOut) (upstream.Departure, bool, error) {
	o, err := read(c)
	if err != nil {
		return upstream.Departure{}, false, upstream.ErrConfig.Because(err)
	}
	if o.SignOut == "" {
		return upstream.Departure{}, false, nil
	}
	e := k.message("LogoutResponse", c, o)
	e.CreateAttr("InResponseTo", s.ID)
	e.CreateElement("samlp:Status").CreateElement("samlp:StatusCode").CreateAttr("Value", statusSuccess)
	d, err := k.send(ctx, o, outgoing{name: "SAMLResponse", document: text(e), relayState: m.Params.Get("RelayState"), to: o.SignOut, sign: true})
	return d, err == nil, err
}
