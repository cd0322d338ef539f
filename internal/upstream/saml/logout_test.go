package saml

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"mangrove/internal/session"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/safexml"
)

// leaving is a LogoutRequest of the provider.
type leaving struct{ id, version, issued, destination, issuer, until, name, index string }

func left() leaving {
	return leaving{
		id: "_l1", version: "2.0", issued: at(0), destination: publicURL + "/logout", issuer: idpEntity, until: at(time.Minute),
		name: `<saml:NameID Format="` + formatPersistent + `">carol</saml:NameID>`, index: `<samlp:SessionIndex>_s1</samlp:SessionIndex>`,
	}
}

func (l leaving) element() *etree.Element {
	return parsed(`<samlp:LogoutRequest xmlns:samlp="` + nsProtocol + `" xmlns:saml="` + nsAssertion + `"` + attr("ID", l.id) + attr("Version", l.version) +
		attr("IssueInstant", l.issued) + attr("Destination", l.destination) + attr("NotOnOrAfter", l.until) + `><saml:Issuer>` + l.issuer + `</saml:Issuer>` + l.name + l.index + `</samlp:LogoutRequest>`)
}

const logoutAddress = publicURL + "/logout"

func (l leaving) posted(p pair) upstream.SignOutMessage {
	e := l.element()
	p.sign(e, method(p))
	return postedMessage(e)
}

func postedMessage(e *etree.Element) upstream.SignOutMessage {
	return upstream.SignOutMessage{
		Params:  url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(text(e)))}, "RelayState": {"there"}},
		Address: logoutAddress,
	}
}

// redirected signs the query.
func (l leaving) redirected(p pair, sha1 bool) upstream.SignOutMessage {
	s, err := newSigning(p.key, p.cert.Raw, sha1)
	if err != nil {
		panic(err)
	}
	d, err := redirect(&options{Deflate: true}, s, outgoing{name: "SAMLRequest", document: text(l.element()), relayState: "there", to: "https://x"})
	if err != nil {
		panic(err)
	}
	return queried(strings.TrimPrefix(d.URL, "https://x?"))
}

func queried(query string) upstream.SignOutMessage {
	v, err := url.ParseQuery(query)
	if err != nil {
		panic(err)
	}
	return upstream.SignOutMessage{Params: v, RawQuery: query, Address: logoutAddress}
}

func TestSignOut(t *testing.T) {
	for name, m := range map[string]upstream.SignOutMessage{"posted": left().posted(idpKey()), "redirected": left().redirected(idpKey(), false)} {
		r := newRig(nil)
		got, err := r.ReadSignOut(t.Context(), r.c, m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a := assertion{Name: nameID{Value: "carol", Format: formatPersistent}}
		if got.ID != "_l1" || got.Name != a.foreign().Name || len(got.Indexes) != 1 || got.Indexes[0] != "_s1" || got.Here {
			t.Errorf("%s: %+v", name, got)
		}
		if is := r.Speaks(m); is == nil || !is(r.c) || is(made("oidc", nil)) || is(made("samlp", map[string]any{"issuer": "urn:other"})) || !is(made("pingfederate", nil)) {
			t.Errorf("%s: whose it is", name)
		}
		d, ok, err := r.AnswerSignOut(t.Context(), r.c, m, got)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		u, err := url.Parse(d.URL)
		if err != nil || u.Host != "idp.example" || u.Query().Get("RelayState") != "there" || u.Query().Get("Signature") == "" {
			t.Error(d.URL)
		}
		e := carried(t, d, "SAMLResponse")
		if !safexml.Is(e, nsProtocol, "LogoutResponse") || safexml.Attr(e, "InResponseTo") != "_l1" || status(e) != statusSuccess || safexml.Attr(e, "Destination") != "https://idp.example/slo" {
			t.Error(text(e))
		}
	}
	silent := newRig(map[string]any{"disableSignout": true})
	if _, ok, err := silent.AnswerSignOut(t.Context(), silent.c, upstream.SignOutMessage{}, upstream.SignOut{ID: "_l1"}); ok || err != nil {
		t.Error(ok, err)
	}
}

// security.md 104: a LogoutRequest ends sessions only when it is signed, by the
// connection's keys, for us, now.
func TestSignOutRefused(t *testing.T) {
	changed := func(change func(*leaving)) upstream.SignOutMessage {
		l := left()
		change(&l)
		return l.posted(idpKey())
	}
	query := left().redirected(idpKey(), false).RawQuery
	sha1 := left().redirected(idpKey(), true)
	unsigned, _, _ := strings.Cut(query, "&SigAlg=")
	rows := map[string]upstream.SignOutMessage{
		"not signed":                 postedMessage(left().element()),
		"not signed, redirected":     queried(unsigned),
		"by another key":             left().posted(otherKey()),
		"by another key, in a query": left().redirected(otherKey(), false),
		"SHA-1":                      sha1,
		"another RelayState":         queried(strings.Replace(query, "RelayState=there", "RelayState=here", 1)),
		"without its RelayState":     queried(strings.Replace(query, "&RelayState=there", "", 1)),
		"two requests":               queried(query + "&SAMLRequest=x"),
		"two signatures":             queried(query + "&Signature=x"),
		"an algorithm of nobody":     queried(strings.Replace(query, "rsa-sha256", "hmac-sha256", 1)),
		"version":                    changed(func(l *leaving) { l.version = "1.1" }),
		"issuer":                     changed(func(l *leaving) { l.issuer = "urn:x" }),
		"destination":                changed(func(l *leaving) { l.destination = publicURL }),
		"no destination":             changed(func(l *leaving) { l.destination = "-" }),
		"old":                        changed(func(l *leaving) { l.issued = at(-logoutLife - skew) }),
		"of the future":              changed(func(l *leaving) { l.issued = at(skew + time.Second) }),
		"over":                       changed(func(l *leaving) { l.until = at(-skew) }),
		"a time that is none":        changed(func(l *leaving) { l.until = "x" }),
		"about nobody":               changed(func(l *leaving) { l.name = "" }),
		"about two":                  changed(func(l *leaving) { l.name += l.name }),
		"a response of a login":      postedMessage(said().signed(idpKey())),
		"a DOCTYPE":                  {Params: url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte("<!DOCTYPE x>" + text(left().element())))}}},
		"nothing":                    {},
	}
	for name, m := range rows {
		t.Run(name, func(t *testing.T) {
			r := newRig(nil)
			got, err := r.ReadSignOut(t.Context(), r.c, m)
			if !errors.Is(err, upstream.ErrRefused) || got.Name != "" {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	allowing := newRig(map[string]any{"signatureAlgorithm": "rsa-sha1", "digestAlgorithm": "sha1"})
	if _, err := allowing.ReadSignOut(t.Context(), allowing.c, sha1); err != nil {
		t.Error(err)
	}
}

func TestLeave(t *testing.T) {
	who := (&assertion{Name: nameID{Value: "carol<&>", Format: formatTransient, NameQualifier: "q"}, Statements: []statement{{SessionIndex: "_s1"}}}).foreign()
	r := newRig(nil)
	d, ok, err := r.Leave(t.Context(), r.c, who, upstream.Start{State: "s"})
	if err != nil || !ok || !strings.HasPrefix(d.URL, "https://idp.example/slo?") {
		t.Fatal(d, ok, err)
	}
	u, err := url.Parse(d.URL)
	if err != nil || u.Query().Get("RelayState") != "s" || u.Query().Get("SigAlg") != dsig.RSASHA256SignatureMethod {
		t.Error(d.URL)
	}
	e := carried(t, d, "SAMLRequest")
	// What we send is what a provider would send us: it reads back as the same person.
	out, err := readLogout(e, logoutFacts{clockAt, "https://idp.example/slo", sp})
	if err != nil || out.Name != who.Name || len(out.Indexes) != 1 || out.Indexes[0] != "_s1" {
		t.Errorf("%+v %v\n%s", out, err, text(e))
	}
	for name, row := range map[string]struct {
		options map[string]any
		who     session.Foreign
		to      string
	}{
		"switched off":             {map[string]any{"disableSignout": true}, who, ""},
		"nobody":                   {nil, session.Foreign{}, ""},
		"of OpenID Connect":        {nil, session.Foreign{Name: "248289761001", Index: "sid"}, ""},
		"by the sign-in's address": {map[string]any{"signOutEndpoint": nil}, who, "https://idp.example/sso?"},
	} {
		r := newRig(row.options)
		d, ok, err := r.Leave(t.Context(), r.c, row.who, upstream.Start{})
		if err != nil || ok != (row.to != "") || !strings.HasPrefix(d.URL, row.to) {
			t.Errorf("%s: %v %v %v", name, d, ok, err)
		}
	}
}
