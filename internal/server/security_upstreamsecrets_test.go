package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"mangrove/internal/fakeidp"
	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/idptest"
	"mangrove/internal/upstream/ldaptest"
	"mangrove/internal/upstream/social/socialtest"
)

// kept are the secrets of a story with identity providers, by value; what they are.
type kept map[string]string

func (k kept) add(what string, values ...string) {
	for _, v := range values {
		if len(v) >= 8 {
			k[v] = what
		}
	}
}

// private adds a key in every form in which somebody might keep it.
func (k kept) private(what, keyPEM string) {
	block, _ := pem.Decode([]byte(keyPEM))
	lines := strings.Split(strings.TrimSpace(keyPEM), "\n")
	k.add(what, lines[len(lines)/2], string(block.Bytes[len(block.Bytes)/2:len(block.Bytes)/2+24]))
}

// answer adds what a provider sent by way of the browser.
func (k kept) answer(what string, answer idptest.Answer) {
	for name, values := range answer.Values() {
		switch name {
		case "code", "state", "RelayState", "wctx", "id_token", "oauth_verifier", "oauth_token":
			k.add(name+" of "+what, values[0])
		case "wresult":
			_, after, _ := strings.Cut(values[0], "SignatureValue>")
			k.add("assertion of "+what, after[:100])
		case "SAMLResponse":
			raw, _ := base64.StdEncoding.DecodeString(values[0])
			_, after, _ := strings.Cut(string(raw), "SignatureValue>")
			k.add("assertion of "+what, values[0][:200], after[:100])
		}
	}
}

// security.md 124, 128: no secret of a connection, no token of a provider, nothing
// that a browser brings from one and no password for a directory can be read in a
// stolen file or in the log, whatever fails.
func TestProvidersSecretsStaySecret(t *testing.T) {
	s := newStage(t, storetest.SQLite)
	s.client.Transport = s.watch.base // it looks at our own pages, and browsers go elsewhere here
	secrets := kept{}
	w := s.world
	lay := func(strategy, name string, options map[string]any) { w.laid(strategy, name, options, nil) }

	const clientSecret = "canary-client-secret-of-oidc"
	idp := fakeidp.New(fakeidp.Options{Clients: []fakeidp.Client{{ID: "mangrove", Secret: clientSecret, RedirectURIs: []string{w.url + "/login/callback"}}}})
	server := httptest.NewServer(idp)
	t.Cleanup(server.Close)
	idp.SetIssuer(server.URL)
	idp.SetPerson("carol", map[string]any{"name": "Carol", "email": "carol@corp.example"})
	secrets.add("client_secret", clientSecret, socialtest.ClientSecret)
	endpoints := map[string]any{"client_id": "mangrove", "client_secret": clientSecret, "issuer": server.URL, "discovery_url": idp.DiscoveryURL()}
	back, front := map[string]any{"type": "back_channel"}, map[string]any{"type": "front_channel"}
	for k, v := range endpoints {
		back[k], front[k] = v, v
	}
	lay("oidc", "back", back)
	lay("oidc", "front", front)

	parts, decryption, signing := samlParts(t), idptest.NewKeyPair(t, "decryption"), idptest.NewKeyPair(t, "signing")
	secrets.private("decryptionKey", decryption.KeyPEM)
	secrets.private("signing_key", signing.KeyPEM)
	lay("samlp", "saml", map[string]any{
		"metadataUrl": parts.SAMLMetadata(), "signSAMLRequest": true, "decryptionKey": map[string]any{"key": decryption.KeyPEM, "cert": decryption.CertPEM},
		"signing_key": map[string]any{"key": signing.KeyPEM, "cert": signing.CertPEM},
	})
	lay("adfs", "adfs", map[string]any{"adfs_server": parts.WSFedMetadata()})

	directory := ldaptest.Slapd(t, ldaptest.Person("carol", "Carol Ash", "carol@corp.example")+ldaptest.Person("longcarol", "Long Carol", "long@corp.example"))
	options := directory.Options()
	lay("ad", "ad", map[string]any{"ldap": options})
	secrets.add("bind_password", directory.BindPassword)
	secrets.add("password for a directory", "longcarolpw", "canary wrong password of the directory")

	doubles := map[string]*socialtest.Double{}
	for _, c := range []string{"github", "apple", "twitter.oauth1", "oauth2", "google-oauth2"} {
		d := socialtest.Start(t, c)
		d.Redirect(w.url + "/login/callback")
		var options map[string]any
		if err := json.Unmarshal(d.Options(), &options); err != nil {
			t.Fatal(err)
		}
		if key, _ := options["app_secret"].(string); key != "" {
			secrets.private("app_secret", key)
		}
		doubles[strings.ReplaceAll(c, ".", "-")] = d
		lay(d.Strategy, strings.ReplaceAll(c, ".", "-"), options)
	}
	redirecting := []string{"back", "front", "saml", "adfs", "github", "apple", "twitter-oauth1", "oauth2", "google-oauth2"}
	a := w.newApplication(append(redirecting, "ad")...)

	// Logins, and logins that stay half-way.
	var pending []func()
	for _, name := range redirecting {
		for range 2 {
			b := w.newBrowser()
			trip := away("carol")(a, b, name)
			secrets.answer(name, trip.answer)
			pending = append(pending, func() { trip.deliver(b) })
		}
		b := w.newBrowser()
		trip := away("carol")(a, b, name)
		secrets.answer(name, trip.answer)
		query, page, at := trip.deliver(b)
		if query.Get("code") == "" {
			t.Fatalf("%s: %v at %s %.300s", name, query, at, page)
		}
		secrets.add("our code", query.Get("code"))
		again := w.newBrowser()
		trip.deliver(again) // elsewhere, and again
	}
	if in, refused, page := a.signInByDirectory("ad", "longcarol", "longcarolpw"); in == nil {
		t.Fatalf("%v %.300s", refused, page)
	}
	a.signInByDirectory("ad", "longcarol", "canary wrong password of the directory")
	a.grant("ad", "longcarol", "canary wrong password of the directory")

	// Tokens, as who may read them reads them.
	status, body := w.call("GET", "/api/v2/users?per_page=100", "")
	var users []struct {
		Identities []map[string]any `json:"identities"`
	}
	if err := json.Unmarshal([]byte(body), &users); status != 200 || err != nil {
		t.Fatalf("%d %s", status, body)
	}
	for _, u := range users {
		for _, i := range u.Identities {
			for _, name := range []string{"access_token", "refresh_token", "access_token_secret"} {
				if v, ok := i[name].(string); ok {
					secrets.add("upstream "+name, v)
				}
			}
		}
	}

	// Failures of every kind.
	for _, mode := range []fakeidp.Mode{fakeidp.Garbage, fakeidp.ServerFailure, fakeidp.Doubled, fakeidp.WrongNonce, fakeidp.OtherSubject, fakeidp.RedirectAway} {
		idp.Rude(mode, fakeidp.Token, fakeidp.Userinfo, fakeidp.JWKS)
		a.signIn(w.newBrowser(), "back", "")
	}
	idp.Rude(fakeidp.Polite)
	for name, d := range doubles {
		for _, mode := range []socialtest.Mode{socialtest.Garbage, socialtest.Refusal, socialtest.QuietError} {
			for _, endpoint := range []string{"token", "profile"} {
				d.Rude(mode, endpoint)
				a.signInAt(t, d, name)
				d.Rude(socialtest.Polite, endpoint)
			}
		}
	}
	for _, name := range []string{"saml", "adfs"} {
		b := w.newBrowser()
		trip := away("carol")(a, b, name)
		for field, values := range trip.answer.Form {
			if field == "wresult" {
				trip.answer.Form[field] = []string{strings.Replace(values[0], ">Carol<", ">Mallory<", 1)}
			}
			if field == "SAMLResponse" {
				raw, _ := base64.StdEncoding.DecodeString(values[0])
				trip.answer.Form[field] = []string{base64.StdEncoding.EncodeToString(bytes.Replace(raw, []byte(">Carol<"), []byte(">Mallory<"), 1))}
			}
		}
		b.hand(trip.answer)
	}
	var stolen []byte
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(s.file + suffix)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		stolen = append(stolen, b...)
	}
	s.breakDatabase()
	for _, deliver := range pending {
		deliver()
	}
	a.grant("ad", "longcarol", "longcarolpw")
	w.client.CloseIdleConnections()
	w.stop()

	if !bytes.Contains(stolen, []byte("carol@corp.example")) {
		t.Fatal("the scan does not even find what is not secret")
	}
	logs := w.logs.Bytes()
	if bytes.Count(logs, []byte(`"status":500`)) < len(redirecting) {
		t.Errorf("only %d failures were forced", bytes.Count(logs, []byte(`"status":500`)))
	}
	kinds := map[string]bool{}
	for value, what := range secrets {
		kinds[what] = true
		for _, form := range []string{
			value, url.QueryEscape(value), url.PathEscape(value), base64.StdEncoding.EncodeToString([]byte(value)), hex.EncodeToString([]byte(value)),
			strings.ReplaceAll(value, "\n", `\n`),
		} {
			for where, data := range map[string][]byte{"file": stolen, "log": logs} {
				if i := bytes.Index(data, []byte(form)); i >= 0 {
					t.Errorf("%s can be read in the %s: …%q…", what, where, data[max(0, i-200):min(len(data), i+60)])
				}
			}
		}
	}
	for _, what := range []string{
		"client_secret", "app_secret", "decryptionKey", "signing_key", "bind_password", "password for a directory", "upstream access_token", "upstream refresh_token",
		"upstream access_token_secret", "assertion of saml", "assertion of adfs", "id_token of front", "code of github", "oauth_verifier of twitter-oauth1", "our code",
	} {
		if !kinds[what] {
			t.Errorf("there was no %s: the test looks at nothing", what)
		}
	}
}
