package saml

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/russellhaering/gosaml2/types"

	"mangrove/internal/upstream"
	"mangrove/internal/upstream/safexml"
)

// FuzzOpen: what is accepted has exactly one assertion, and everything that was read
// of it is under a signature of the pinned key: the fuzzer cannot sign, so all it may
// get accepted is what was signed here. Nothing panics.
func FuzzOpen(f *testing.F) {
	base := said()
	genuine := text(base.signed(idpKey()))
	for _, seed := range []string{
		genuine, text(base.assertionSigned(idpKey())), text(base.response()), text(evil("_a1")), "<x/>",
		strings.Replace(genuine, "carol", "car<!-- -->ol", 1), strings.Replace(genuine, "carol", "<![CDATA[carol]]>", 1),
	} {
		f.Add(seed)
	}
	sealed, signed := base.response(), base.assertion()
	idpKey().sign(signed, method(idpKey()))
	sealed.AddChild(parsed(encrypted(text(signed), types.MethodAES128GCM, types.MethodRSAOAEP)))
	f.Add(text(sealed))
	o, err := read(newRig(map[string]any{"decryptionKey": spKey().keyPEM()}).c)
	if err != nil {
		f.Fatal(err)
	}
	want, err := readAssertion(base.assertion())
	if err != nil {
		f.Fatal(err)
	}
	said, err := json.Marshal(want)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, document string) {
		got, err := open(base64.StdEncoding.EncodeToString([]byte(document)), o)
		if err != nil {
			return
		}
		read, err := json.Marshal(got.assertion)
		if err != nil || string(read) != string(said) {
			t.Errorf("%s\nread of\n%s", read, document)
		}
		doc, err := safexml.Parse([]byte(document), maxMessage)
		if err != nil || len(likeAssertions(doc.Root())) != 1 {
			t.Errorf("not one assertion: %v", err)
		}
	})
}

// FuzzAssertion: whatever a provider signs is read without panic; a name that is read
// is the same when our own requests say it, and the claims are valid JSON.
func FuzzAssertion(f *testing.F) {
	f.Add(text(said().assertion()), "")
	f.Add(`<a/>`, "employee")
	f.Fuzz(func(t *testing.T, document, id string) {
		doc, err := safexml.Parse([]byte(document), maxMessage)
		if err != nil {
			return
		}
		a, err := readAssertion(doc.Root())
		if err != nil {
			return
		}
		if name := a.Name.canonical(); name != "" {
			again, err := safexml.Parse([]byte(name), maxMessage)
			if err != nil || readNameID(again.Root()).canonical() != name {
				t.Errorf("%q does not read back: %v", name, err)
			}
		}
		claims, err := a.statement().Claims(made("samlp", nil).Upstream(), id)
		if err != nil {
			return
		}
		if claims.Subject == "" || !json.Valid(claims.Raw) {
			t.Errorf("%q %s", claims.Subject, claims.Raw)
		}
		for _, ch := range claims.Attributes {
			if !json.Valid(ch.Value) {
				t.Errorf("%s: %s", ch.Name, ch.Value)
			}
		}
	})
}

// FuzzSignOut: nobody but the holder of the key ends a session.
func FuzzSignOut(f *testing.F) {
	r := newRig(nil)
	genuine := left().redirected(otherKey(), false)
	f.Add(genuine.RawQuery, "", "")
	f.Add("", left().posted(otherKey()).Params.Get("SAMLRequest"), "x")
	f.Fuzz(func(t *testing.T, query, request, relay string) {
		m := upstream.SignOutMessage{Params: url.Values{"SAMLRequest": {request}, "RelayState": {relay}}, RawQuery: query, Address: logoutAddress}
		if out, err := r.ReadSignOut(t.Context(), r.c, m); err == nil {
			t.Errorf("%+v", out)
		}
		_ = r.Speaks(m)
	})
}

// FuzzTemplate: values never leave the place that the template gives them.
func FuzzTemplate(f *testing.F) {
	f.Add("carol")
	f.Add(`"/><x a="`)
	f.Add("</saml:Issuer>&#x0;\xff\u2028")
	f.Fuzz(func(t *testing.T, value string) {
		v := templateValues{hint: value, consumer: value, destination: value}
		filled := fillTemplate(`<a b="@@LoginHint@@" @@AssertServiceURLAndDestination@@>@@LoginHint@@</a>`, v)
		d := etree.NewDocument()
		if err := d.ReadFromString(filled); err != nil {
			t.Fatalf("%q: %v", filled, err)
		}
		if e := d.Root(); len(e.Attr) != 3 || len(e.ChildElements()) != 0 {
			t.Errorf("%q", filled)
		}
	})
}

func BenchmarkCallback(b *testing.B) {
	r := newRig(nil)
	r.memory = forgetful{}
	document := posted(said().signed(idpKey()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.callback(document); err != nil {
			b.Fatal(err)
		}
	}
}

// forgetful has seen nothing.
type forgetful struct{}

func (forgetful) Seen(context.Context, string, int64) (bool, error) { return true, nil }
