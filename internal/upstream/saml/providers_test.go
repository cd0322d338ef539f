package saml

import (
	"maps"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/outbound"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/idptest"
)

// real is a connection to a provider that is not ours, set up by its metadata.
func real(t *testing.T, metadata string, options map[string]any) rig {
	t.Helper()
	loopback := outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	k := New(publicURL, loopback, tenantKey{}, &memory{map[string]int64{}}, time.Now)
	all := map[string]any{"metadataUrl": metadata}
	maps.Copy(all, options)
	prepared, err := k.Preparer("samlp").Prepare(t.Context(), "corp", nil, document(t, all))
	if err != nil {
		t.Fatal(err)
	}
	return rig{k, &connection.Connection{ID: "con_1", Name: "corp", Strategy: "samlp", Options: prepared.Encode()}}
}

// signIn goes there and back.
func (r rig) signIn(t *testing.T, b *idptest.Browser, name string, s upstream.Start) (upstream.Result, url.Values, error) {
	t.Helper()
	s.State = "state-1"
	d := r.depart(t, s)
	answer := b.Visit(d.URL, d.Form, name, publicURL+callbackPath)
	got := answer.Values()
	if got.Get("RelayState") != "state-1" || !strings.HasPrefix(answer.URL, acs) {
		t.Fatalf("came back to %s with %q", answer.URL, got.Get("RelayState"))
	}
	result, err := r.Callback(t.Context(), r.c, s, d.Pending, got)
	return result, got, err
}

func TestSimpleSAMLphp(t *testing.T) {
	idp := idptest.StartSimpleSAML(t)
	idp.SetPerson("carol", map[string][]string{"uid": {"carol"}, "mail": {"carol@corp.example"}, "groups": {"a", "b"}})
	cert := spKey().certPEM()
	fields := map[string]any{"email": "mail"}
	own := map[string]any{"key": spKey().keyPEM(), "cert": cert}
	for _, row := range []struct {
		name    string
		options map[string]any
		trust   idptest.Provider
	}{
		{"redirected", map[string]any{}, idptest.Provider{}},
		{"posted", map[string]any{"protocolBinding": bindingPOST}, idptest.Provider{}},
		{"signed, redirected", map[string]any{"signSAMLRequest": true}, idptest.Provider{Signed: true, CertPEM: cert}},
		{"signed, posted", map[string]any{"signSAMLRequest": true, "protocolBinding": bindingPOST}, idptest.Provider{Signed: true, CertPEM: cert}},
		{"encrypted", map[string]any{"decryptionKey": own}, idptest.Provider{Encrypt: true, CertPEM: cert}},
		{"only the response signed", map[string]any{}, idptest.Provider{UnsignedAssertion: true}},
		{"only the assertion signed", map[string]any{}, idptest.Provider{UnsignedResponse: true}},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.trust.ACS, row.trust.Logout = acs, publicURL+logoutPath
			idp.Trust(sp, row.trust)
			row.options["fieldsMap"] = fields
			r := real(t, idp.SAMLMetadata(), row.options)
			got, answer, err := r.signIn(t, idptest.NewBrowser(t), "carol", upstream.Start{})
			if err != nil {
				t.Fatal(err)
			}
			if got.Claims.Subject != "carol" || attribute(got, "email") != `"carol@corp.example"` || attribute(got, "groups") != `["a","b"]` || attribute(got, "issuer") == "" {
				t.Errorf("%+v", got.Claims)
			}
			if _, err = r.callback(answer); err == nil {
				t.Error("an answer to another request was accepted")
			}
		})
	}
	t.Run("nothing signed", func(t *testing.T) {
		idp.Trust(sp, idptest.Provider{ACS: acs, UnsignedAssertion: true, UnsignedResponse: true})
		_, _, err := real(t, idp.SAMLMetadata(), nil).signIn(t, idptest.NewBrowser(t), "carol", upstream.Start{})
		refused(t, err, "no signature")
	})
	t.Run("leaving", func(t *testing.T) {
		idp.Trust(sp, idptest.Provider{ACS: acs, Logout: publicURL + logoutPath, CertPEM: cert})
		r, b := real(t, idp.SAMLMetadata(), nil), idptest.NewBrowser(t)
		got, _, err := r.signIn(t, b, "carol", upstream.Start{})
		if err != nil {
			t.Fatal(err)
		}
		d, ok, err := r.Leave(t.Context(), r.c, got.Foreign, upstream.Start{State: "out"})
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		back := b.Visit(d.URL, d.Form, "", publicURL+logoutPath)
		if v := back.Values(); v.Get("SAMLResponse") == "" || v.Get("RelayState") != "out" {
			t.Errorf("%+v", back)
		}
		if options := strictjson.ParseDocument(r.c.Options); options.Text("signOutEndpoint") == "" || options.Text("issuer") != idp.SAMLMetadata() {
			t.Error(string(r.c.Options))
		}
	})
}

func TestNodeSAMLP(t *testing.T) {
	idp := idptest.StartSAMLP(t)
	idp.SetPerson("carol", map[string][]string{"email": {"carol@corp.example"}})
	for _, row := range []struct {
		name string
		set  map[string]any
		ours map[string]any
		why  string // empty: signed in
	}{
		{"the response signed", map[string]any{"signResponse": true, "signAssertion": false}, nil, ""},
		{"the assertion signed", map[string]any{"signResponse": false, "signAssertion": true}, nil, ""},
		{"SHA-1", map[string]any{"signatureAlgorithm": "rsa-sha1", "digestAlgorithm": "sha1"}, nil, "not allowed"},
		{"SHA-1 allowed", map[string]any{"signatureAlgorithm": "rsa-sha1", "digestAlgorithm": "sha1"}, map[string]any{"signatureAlgorithm": "rsa-sha1", "digestAlgorithm": "sha1"}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			idp.Set(row.set)
			got, _, err := real(t, idp.SAMLMetadata(), row.ours).signIn(t, idptest.NewBrowser(t), "carol", upstream.Start{})
			if row.why != "" {
				refused(t, err, row.why)
				return
			}
			if err != nil || attribute(got, "email") != `"carol@corp.example"` {
				t.Errorf("%+v, %v", got.Claims, err)
			}
		})
	}
	t.Run("the provider begins", func(t *testing.T) {
		idp.Set(map[string]any{"signatureAlgorithm": "rsa-sha256", "digestAlgorithm": "sha256"})
		r := real(t, idp.SAMLMetadata(), nil)
		got := idptest.NewBrowser(t).Visit(idp.Begin(sp, acs, ""), nil, "carol", publicURL+callbackPath).Values()
		result, err := r.Unsolicited(t.Context(), r.c, upstream.Start{}, got)
		if err != nil || attribute(result, "email") != `"carol@corp.example"` {
			t.Errorf("%+v, %v", result.Claims, err)
		}
		_, err = r.Unsolicited(t.Context(), r.c, upstream.Start{}, got)
		refused(t, err, "used before")
	})
}
