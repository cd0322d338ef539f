package saml

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream"
)

func TestLogin(t *testing.T) {
	for _, row := range []struct {
		name     string
		options  map[string]any
		document func() *etree.Element
	}{
		{"both signed", nil, func() *etree.Element { return said().signed(idpKey()) }},
		{"only the assertion", nil, func() *etree.Element { return said().assertionSigned(idpKey()) }},
		{"only the response", nil, func() *etree.Element {
			r := said().response()
			r.AddChild(said().assertion())
			idpKey().sign(r, dsig.RSASHA256SignatureMethod)
			return r
		}},
		{"by ECDSA", map[string]any{"cert": ecKey().certPEM()}, func() *etree.Element { return said().signed(ecKey()) }},
		{"by the second of two keys", map[string]any{"cert": otherKey().certPEM() + idpKey().certPEM()}, func() *etree.Element { return said().signed(idpKey()) }},
		{"without KeyInfo, by the second of two keys", map[string]any{"cert": otherKey().certPEM() + idpKey().certPEM()}, func() *etree.Element {
			r := said().assertionSigned(idpKey())
			s := child(r, "Assertion", "Signature")
			s.RemoveChild(child(s, "KeyInfo"))
			return r
		}},
		{"by a pinned certificate that is over: its key counts", map[string]any{"cert": newPair(idpKey().key, clockAt.Add(-48*time.Hour), clockAt.Add(-24*time.Hour)).certPEM()},
			func() *etree.Element { return said().signed(idpKey()) }},
		{"SHA-1 where both options say so", map[string]any{"signatureAlgorithm": "rsa-sha1", "digestAlgorithm": "sha1"}, func() *etree.Element {
			r, a := said().response(), said().assertion()
			idpKey().sign(a, dsig.RSASHA1SignatureMethod)
			r.AddChild(a)
			return r
		}},
		{"to the address before a proxy", map[string]any{"recipientUrl": "https://front.example/acs", "destinationUrl": "https://front.example/acs"}, func() *etree.Element {
			s := said()
			s.recipient, s.destination = "https://front.example/acs", "https://front.example/acs"
			return s.signed(idpKey())
		}},
		{"without a known entity id", map[string]any{"issuer": nil}, func() *etree.Element {
			s := said()
			s.issuer, s.responseIssuer = "urn:else", "urn:else"
			return s.signed(idpKey())
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := newRig(row.options).callback(posted(row.document()))
			if err != nil {
				t.Fatal(err)
			}
			if got.Claims.Subject != "carol" || attribute(got, "email") != `"carol@corp.example"` {
				t.Errorf("%+v", got.Claims)
			}
			want := `<saml:NameID xmlns:saml="` + nsAssertion + `" Format="` + formatPersistent + `">carol</saml:NameID>`
			if got.Foreign.Name != want || got.Foreign.Index != "_s1" {
				t.Errorf("%+v", got.Foreign)
			}
		})
	}
}

// security.md 102: one assertion is good for one login.
func TestReplay(t *testing.T) {
	r := newRig(nil)
	document := posted(said().signed(idpKey()))
	if _, err := r.callback(document); err != nil {
		t.Fatal(err)
	}
	_, err := r.callback(document)
	refused(t, err, "used before")
	other := rig{r.Connector, made("samlp", map[string]any{"cert": idpKey().certPEM()})}
	other.c.ID = "con_2"
	if _, err := other.callback(document); err != nil { // its own memory; audience and address are alike in this test
		t.Error(err)
	}
}

// security.md 102, 103.
func TestUnsolicited(t *testing.T) {
	begun := func(change func(*says)) error {
		s := said()
		s.inResponseTo, s.confirmedTo = "-", "-"
		change(&s)
		r := newRig(nil)
		_, err := r.Unsolicited(t.Context(), r.c, upstream.Start{}, posted(s.signed(idpKey())))
		return err
	}
	if err := begun(func(*says) {}); err != nil {
		t.Fatal(err)
	}
	refused(t, begun(func(s *says) { s.inResponseTo = requestID }), "another request")
	refused(t, begun(func(s *says) { s.confirmedTo = requestID }), "another request")
	// what was begun elsewhere is no answer to a request of ours
	s := said()
	s.inResponseTo, s.confirmedTo = "-", "-"
	_, err := newRig(nil).callback(posted(s.signed(idpKey())))
	refused(t, err, "does not say for which request")
	r := newRig(nil)
	_, err = r.Callback(t.Context(), r.c, upstream.Start{}, upstream.Pending{}, posted(s.signed(idpKey())))
	refused(t, err, "no request was made")
}

// security.md 103: a response goes to the address of its connection.
func TestOtherConnection(t *testing.T) {
	got := posted(said().signed(idpKey()))
	got.Set("connection", "other")
	_, err := newRig(nil).callback(got)
	refused(t, err, "another connection")
}

// evil is an assertion about somebody else.
func evil(id string) *etree.Element {
	s := said()
	s.id, s.nameID = id, `<saml:NameID>mallory</saml:NameID>`
	return s.assertion()
}

// security.md 99: the wrapping attacks of Somorovsky et al. (2012), XSW1 to 8, and
// their neighbours. The signed part is genuine in each.
func TestWrapping(t *testing.T) {
	key := idpKey()
	genuine := func() *etree.Element { return said().assertionSigned(key) }
	responseOnly := func() *etree.Element {
		r := said().response()
		r.AddChild(said().assertion())
		key.sign(r, dsig.RSASHA256SignatureMethod)
		return r
	}
	take := func(e *etree.Element) *etree.Element {
		e.Parent().RemoveChild(e)
		return e
	}
	for _, row := range []struct {
		name     string
		document func() *etree.Element
	}{
		{"XSW1: the signed response inside the signature of another", func() *etree.Element {
			r := responseOnly()
			inner := r.Copy()
			inner.RemoveChild(child(inner, "Signature"))
			r.CreateAttr("ID", "_evil")
			r.RemoveChild(child(r, "Assertion"))
			r.AddChild(evil("_a2"))
			child(r, "Signature").AddChild(inner)
			return r
		}},
		{"XSW2: the signed response before its detached signature", func() *etree.Element {
			r := responseOnly()
			inner := r.Copy()
			inner.RemoveChild(child(inner, "Signature"))
			r.CreateAttr("ID", "_evil")
			r.RemoveChild(child(r, "Assertion"))
			r.AddChild(evil("_a2"))
			r.InsertChildAt(1, inner)
			return r
		}},
		{"XSW3: another assertion before the signed one", func() *etree.Element {
			r := genuine()
			r.InsertChildAt(2, evil("_a2"))
			return r
		}},
		{"XSW4: the signed assertion within another", func() *etree.Element {
			r := genuine()
			signed := take(child(r, "Assertion"))
			e := evil("_a2")
			e.AddChild(signed)
			r.AddChild(e)
			return r
		}},
		{"XSW5: another assertion with the signature, the signed one behind it", func() *etree.Element {
			r := genuine()
			signed := take(child(r, "Assertion"))
			e := evil("_a2")
			e.InsertChildAt(1, take(child(signed, "Signature")))
			r.AddChild(e)
			r.AddChild(signed)
			return r
		}},
		{"XSW6: the signed assertion inside the signature of another", func() *etree.Element {
			r := genuine()
			signed := take(child(r, "Assertion"))
			signature := take(child(signed, "Signature"))
			signature.AddChild(signed)
			e := evil("_a2")
			e.InsertChildAt(1, signature)
			r.AddChild(e)
			return r
		}},
		{"XSW7: another assertion in Extensions", func() *etree.Element {
			r := genuine()
			x := etree.NewElement("samlp:Extensions")
			x.AddChild(evil("_a1"))
			r.InsertChildAt(1, x)
			return r
		}},
		{"XSW8: the signed assertion in an Object of the signature", func() *etree.Element {
			r := genuine()
			signed := take(child(r, "Assertion"))
			signature := take(child(signed, "Signature"))
			o := etree.NewElement("ds:Object")
			o.AddChild(signed)
			signature.AddChild(o)
			e := evil("_a2")
			e.InsertChildAt(1, signature)
			r.AddChild(e)
			return r
		}},
		{"another assertion with the same ID in front", func() *etree.Element {
			r := genuine()
			r.InsertChildAt(2, evil("_a1"))
			return r
		}},
		{"an assertion behind, in another namespace", func() *etree.Element {
			r := genuine()
			e := etree.NewElement("x:Assertion")
			e.CreateAttr("xmlns:x", "urn:x")
			r.AddChild(e)
			return r
		}},
		{"one signed, one encrypted", func() *etree.Element {
			r := genuine()
			e := etree.NewElement("saml:EncryptedAssertion")
			e.CreateAttr("xmlns:saml", nsAssertion)
			r.AddChild(e)
			return r
		}},
		{"another assertion in Advice", func() *etree.Element {
			a := said().assertion()
			advice := etree.NewElement("saml:Advice")
			advice.AddChild(evil("_a2"))
			a.AddChild(advice)
			key.sign(a, dsig.RSASHA256SignatureMethod)
			r := said().response()
			r.AddChild(a)
			return r
		}},
		{"the response signed, its assertion swapped", func() *etree.Element {
			r := responseOnly()
			take(child(r, "Assertion"))
			r.AddChild(evil("_a1"))
			return r
		}},
		{"the response signed, another assertion added", func() *etree.Element {
			r := responseOnly()
			r.AddChild(evil("_a2"))
			return r
		}},
		{"the response signed, its assertion's own signature wrong", func() *etree.Element {
			a := said().assertion()
			otherKey().sign(a, dsig.RSASHA256SignatureMethod)
			r := said().response()
			r.AddChild(a)
			key.sign(r, dsig.RSASHA256SignatureMethod)
			return r
		}},
		{"the assertion signed, the response's signature wrong", func() *etree.Element {
			r := genuine()
			otherKey().sign(r, dsig.RSASHA256SignatureMethod)
			return r
		}},
		{"nothing signed", func() *etree.Element {
			r := said().response()
			r.AddChild(said().assertion())
			return r
		}},
		{"the signature taken away", func() *etree.Element {
			r := genuine()
			take(child(r, "Assertion", "Signature"))
			return r
		}},
		{"the signature moved to the response", func() *etree.Element {
			r := genuine()
			r.InsertChildAt(1, take(child(r, "Assertion", "Signature")))
			return r
		}},
		{"the signature twice", func() *etree.Element {
			r := genuine()
			s := child(r, "Assertion", "Signature")
			s.Parent().InsertChildAt(1, s.Copy())
			return r
		}},
		{"the signature over the whole document (URI empty)", func() *etree.Element {
			r := genuine()
			child(r, "Assertion", "Signature", "SignedInfo", "Reference").CreateAttr("URI", "")
			return r
		}},
		{"the signature over another ID", func() *etree.Element {
			r := genuine()
			child(r, "Assertion").CreateAttr("ID", "_a9")
			return r
		}},
		{"without an ID", func() *etree.Element {
			r := genuine()
			child(r, "Assertion").RemoveAttr("ID")
			return r
		}},
		{"two references", func() *etree.Element {
			r := genuine()
			ref := child(r, "Assertion", "Signature", "SignedInfo", "Reference")
			ref.Parent().AddChild(ref.Copy())
			return r
		}},
		{"by a foreign key, with its certificate in KeyInfo", func() *etree.Element { return said().signed(otherKey()) }},
		{"by a foreign key, with our provider's certificate in KeyInfo", func() *etree.Element {
			r := said().assertionSigned(otherKey())
			child(r, "Assertion", "Signature", "KeyInfo", "X509Data", "X509Certificate").SetText(base64.StdEncoding.EncodeToString(key.cert.Raw))
			return r
		}},
		{"HMAC with the public certificate as its key", func() *etree.Element {
			r := genuine()
			child(r, "Assertion", "Signature", "SignedInfo", "SignatureMethod").CreateAttr("Algorithm", "http://www.w3.org/2000/09/xmldsig#hmac-sha1")
			return r
		}},
		{"SHA-1", func() *etree.Element {
			r, a := said().response(), said().assertion()
			key.sign(a, dsig.RSASHA1SignatureMethod)
			r.AddChild(a)
			return r
		}},
		{"an XPath transform", func() *etree.Element {
			r := genuine()
			x := child(r, "Assertion", "Signature", "SignedInfo", "Reference", "Transforms").CreateElement("ds:Transform")
			x.CreateAttr("Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116")
			return r
		}},
		{"a name that was changed", func() *etree.Element {
			r := genuine()
			child(r, "Assertion", "Subject", "NameID").SetText("mallory")
			return r
		}},
		{"an attribute that was added", func() *etree.Element {
			r := genuine()
			s := child(r, "Assertion", "AttributeStatement")
			s.AddChild(s.ChildElements()[0].Copy())
			return r
		}},
		{"the assertion is not in the response but around it", func() *etree.Element { return child(genuine(), "Assertion").Copy() }},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := newRig(nil).callback(posted(row.document()))
			if err == nil {
				t.Fatalf("accepted: %+v", got.Claims)
			}
			refused(t, err, "")
		})
	}
	t.Run("SHA-1 where one option says so", func(t *testing.T) {
		r, a := said().response(), said().assertion()
		key.sign(a, dsig.RSASHA1SignatureMethod)
		r.AddChild(a)
		_, err := newRig(map[string]any{"signatureAlgorithm": "rsa-sha1"}).callback(posted(r))
		refused(t, err, "not allowed")
	})
}

// security.md 100.
func TestUnsafeDocuments(t *testing.T) {
	genuine := text(said().signed(idpKey()))
	for _, row := range []struct{ name, document string }{
		{"a DOCTYPE", `<!DOCTYPE r>` + genuine},
		{"an entity", `<!DOCTYPE r [<!ENTITY e "x">]>` + genuine},
		{"a bomb", `<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>` + genuine},
		{"an entity that nobody declared", strings.Replace(genuine, "carol<", "&x;carol<", 1)},
		{"10 MB", genuine + strings.Repeat(" ", 10<<20)},
		{"two roots", genuine + genuine},
		{"an attribute twice", strings.Replace(genuine, ` Version="2.0"`, ` Version="2.0" Version="2.0"`, 1)},
		{"a prefix that is not declared", strings.Replace(genuine, "<samlp:Status>", "<samlp:Status><q:x/>", 1)},
		{"a directive that changes when it is written again", strings.Replace(genuine, "<samlp:Status>", "<samlp:Status><![CDATA[x]]><!x>", 1)},
		{"names with two colons (CVE-2020-29509)", strings.Replace(genuine, "<samlp:Status>", `<samlp:Status a:b:c="x">`, 1)},
		{"no XML", "SAML"},
		{"nothing", ""},
		{"UTF-16", "\xff\xfe<\x00"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := newRig(nil).callback(postedText(row.document))
			refused(t, err, "")
		})
	}
	t.Run("a deflate bomb is no posted response", func(t *testing.T) {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, 9)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(bytes.Repeat([]byte{' '}, 50<<20))
		_ = w.Close()
		_, err = newRig(nil).callback(postedText(b.String()))
		refused(t, err, "")
	})
	t.Run("no base64", func(t *testing.T) {
		_, err := newRig(nil).callback(map[string][]string{"SAMLResponse": {"%%%"}})
		refused(t, err, "base64")
	})
}

// security.md 100: what a comment or CDATA splits is read whole.
func TestNameIsReadWhole(t *testing.T) {
	for _, row := range []struct{ name, nameID, subject string }{
		{"a comment", `<saml:NameID>carol@corp.example<!-- -->.evil.example</saml:NameID>`, "carol@corp.example.evil.example"},
		{"CDATA", `<saml:NameID>carol<![CDATA[@corp]]>.example</saml:NameID>`, "carol@corp.example"},
		{"space around", "<saml:NameID>\n  carol  \n</saml:NameID>", "carol"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := said()
			s.nameID = row.nameID
			got, err := newRig(nil).callback(posted(s.signed(idpKey())))
			if err != nil || got.Claims.Subject != row.subject {
				t.Errorf("%q, %v", got.Claims.Subject, err)
			}
		})
	}
	t.Run("a comment that was added later changes nothing", func(t *testing.T) {
		s := said()
		s.nameID = `<saml:NameID>carol@corp.example.evil.example</saml:NameID>`
		document := strings.Replace(text(s.signed(idpKey())), "corp.example.evil", "corp.example<!-- x -->.evil", 1)
		got, err := newRig(nil).callback(postedText(document))
		if err != nil || got.Claims.Subject != "carol@corp.example.evil.example" {
			t.Errorf("%q, %v", got.Claims.Subject, err)
		}
	})
}

func TestNamesThatNobodyCanHave(t *testing.T) {
	for name, who := range map[string]string{"too long": strings.Repeat("x", maxSubject+1), "1 MB": strings.Repeat("x", 900_000), "control characters": "carol&#x9;x"} {
		s := said()
		s.nameID = "<saml:NameID>" + who + "</saml:NameID>"
		_, err := newRig(nil).callback(posted(s.signed(idpKey())))
		t.Run(name, func(t *testing.T) { refused(t, err, "the name of the person") })
	}
	s := said()
	s.nameID = "<saml:NameID>" + strings.Repeat("x", maxSubject) + "</saml:NameID>"
	if _, err := newRig(nil).callback(posted(s.signed(idpKey()))); err != nil {
		t.Error(err)
	}
}

func TestManyGroups(t *testing.T) {
	s := said()
	s.attributes = `<saml:AttributeStatement><saml:Attribute Name="groups">` + strings.Repeat(`<saml:AttributeValue>g</saml:AttributeValue>`, 3000) + `</saml:Attribute></saml:AttributeStatement>`
	got, err := newRig(nil).callback(posted(s.signed(idpKey())))
	if err != nil || strings.Count(attribute(got, "groups"), `"g"`) != 3000 {
		t.Errorf("%v", err)
	}
}

// security.md 102: also after a restart, and at a second instance.
func TestReplayElsewhere(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			database := storetest.URL(t, engine)
			document := posted(said().signed(idpKey()))
			first := storetest.OpenURL(t, database, nil)
			r := newRig(nil)
			r.memory = first
			if _, err := r.callback(document); err != nil {
				t.Fatal(err)
			}
			if engine == storetest.SQLite { // one process has the file
				if err := first.Close(); err != nil {
					t.Fatal(err)
				}
			}
			other := newRig(nil)
			other.memory = storetest.OpenURL(t, database, nil)
			_, err := other.callback(document)
			refused(t, err, "used before")
		})
	}
}
