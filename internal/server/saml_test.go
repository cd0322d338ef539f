package server_test

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/idptest"
)

// samlIdentity is who we are for the provider of a connection, and where its answers go.
func (w *world) samlIdentity(name string) (entity, acs string) {
	return "urn:auth0:localhost:" + name, w.url + "/login/callback?connection=" + name
}

// departs follows redirects until the browser leaves for a provider.
func (b *browser) departs(w *world, u string) (to string, form url.Values) {
	b.t.Helper()
	for range 10 {
		res, err := b.client.Get(u)
		if err != nil {
			b.t.Fatal(err)
		}
		page := bodyOf(b.t, res)
		next, err := res.Location()
		if err != nil {
			form := formOf(b.t, page)
			_, action, ok := strings.Cut(page, ` action="`)
			if len(form) == 0 || !ok {
				b.t.Fatalf("ended at %s: %.300s", u, page)
			}
			action, _, _ = strings.Cut(action, `"`)
			for name := range form {
				form.Set(name, html.UnescapeString(form.Get(name)))
			}
			return html.UnescapeString(action), form
		}
		if u = next.String(); !strings.HasPrefix(u, w.url) {
			return u, nil
		}
	}
	b.t.Fatal("too many redirects")
	return "", nil
}

func bodyOf(t *testing.T, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// samlTrip is a login on its way: what the provider answered, and what is needed after.
type samlTrip struct {
	browser  *browser
	verifier string
	answer   idptest.Answer
}

func (a *application) samlTrip(t *testing.T, connection, person string) samlTrip {
	t.Helper()
	b, verifier := a.w.newBrowser(), oauth2.GenerateVerifier()
	to, form := b.departs(a.w, a.oauth.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("the nonce"), oauth2.SetAuthURLParam("connection", connection)))
	return samlTrip{b, verifier, idptest.NewBrowser(t).Visit(to, form, person, a.w.url+"/login/callback")}
}

func (a *application) signInBySAML(t *testing.T, connection, person string) (*signedIn, url.Values) {
	t.Helper()
	trip := a.samlTrip(t, connection, person)
	query, page, at := trip.browser.submit(trip.answer.URL, trip.answer.Form)
	if query == nil {
		t.Fatalf("ended at %s with a page: %.300s", at, page)
	}
	return a.exchange(query, trip.verifier)
}

// TestSAMLAnswersElsewhere: an answer is good once, in the browser that asked, at the
// address of its connection (security.md 102, 103).
func TestSAMLAnswersElsewhere(t *testing.T) {
	w, idp := newWorld(t, storetest.SQLite), idptest.StartSimpleSAML(t)
	idp.SetPerson("carol", map[string][]string{"uid": {"carol"}})
	for _, name := range []string{"one", "two"} {
		w.made("/api/v2/connections", map[string]any{"name": name, "strategy": "samlp", "options": map[string]any{"metadataUrl": idp.SAMLMetadata(), "protocolBinding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"}})
		entity, acs := w.samlIdentity(name)
		idp.Trust(entity, idptest.Provider{ACS: acs})
	}
	a := w.newApplication("one", "two")
	nobody := func(t *testing.T, b *browser, to string, form url.Values) {
		t.Helper()
		if query, page, at := b.submit(to, form); query.Get("code") != "" || strings.Contains(page, "SAMLResponse") {
			t.Errorf("signed in: %v at %s", query, at)
		}
	}
	trip := a.samlTrip(t, "one", "carol")
	_, two := w.samlIdentity("two")
	nobody(t, w.newBrowser(), trip.answer.URL, trip.answer.Form)
	forged := url.Values{"SAMLResponse": trip.answer.Form["SAMLResponse"], "RelayState": {"https://evil.example/"}}
	nobody(t, trip.browser, trip.answer.URL, forged)
	nobody(t, trip.browser, trip.answer.URL, url.Values{"SAMLResponse": trip.answer.Form["SAMLResponse"]})

	// With the state of a trip to another connection, at either address.
	other := a.samlTrip(t, "two", "carol")
	mixed := url.Values{"SAMLResponse": trip.answer.Form["SAMLResponse"], "RelayState": other.answer.Form["RelayState"]}
	nobody(t, other.browser, two, mixed)

	query, page, at := trip.browser.submit(trip.answer.URL, trip.answer.Form)
	if in, q := a.exchange(query, trip.verifier); in == nil || in.subject != "samlp|one|carol" {
		t.Fatalf("the answer in its place: %v at %s: %.200s", q, at, page)
	}
	nobody(t, trip.browser, trip.answer.URL, trip.answer.Form)

	tampered := a.samlTrip(t, "one", "carol")
	raw, err := base64.StdEncoding.DecodeString(tampered.answer.Form.Get("SAMLResponse"))
	if err != nil {
		t.Fatal(err)
	}
	tampered.answer.Form.Set("SAMLResponse", base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(raw), ">carol<", ">admin<", 1))))
	query, _, _ = tampered.browser.submit(tampered.answer.URL, tampered.answer.Form)
	if query.Get("error") != "access_denied" || query.Get("error_description") != "The identity provider's answer was not accepted." {
		t.Errorf("%v", query)
	}
	w.stop()
	for _, secret := range []string{trip.answer.Form.Get("SAMLResponse")[:200], ">carol<"} {
		if strings.Contains(w.logs.String(), secret) {
			t.Error("an answer is in the log")
		}
	}
}

// TestSAMLProviderBegins: idpinitiated.
func TestSAMLProviderBegins(t *testing.T) {
	w, idp := newWorld(t, storetest.SQLite), idptest.StartSAMLP(t)
	idp.SetPerson("carol", map[string][]string{"email": {"carol@corp.example"}})
	made := w.made("/api/v2/connections", map[string]any{"name": "corp", "strategy": "samlp", "options": map[string]any{"metadataUrl": idp.SAMLMetadata()}})
	a := w.newApplication("corp")
	entity, acs := w.samlIdentity("corp")
	begin := func() idptest.Answer {
		return idptest.NewBrowser(t).Visit(idp.Begin(entity, acs, "https://evil.example/"), nil, "carol", w.url+"/login/callback")
	}
	answer := begin()
	if query, page, _ := w.newBrowser().submit(answer.URL, answer.Form); query != nil || !strings.Contains(page, "IdP-Initiated login is not enabled") {
		t.Fatalf("%v %.500s", query, page)
	}
	options, _ := made["options"].(map[string]any)
	options["idpinitiated"] = map[string]any{
		"enabled": true, "client_id": a.oauth.ClientID, "client_protocol": "oauth2",
		"client_authorizequery": "response_type=code&scope=openid&redirect_uri=http%3A%2F%2Fapp.example%2Fcallback",
	}
	id, _ := made["id"].(string)
	patch, err := json.Marshal(map[string]any{"options": options})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := w.call("PATCH", "/api/v2/connections/"+id, string(patch)); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	answer = begin()
	query, page, at := w.newBrowser().submit(answer.URL, answer.Form)
	if query.Get("code") == "" || at.Host != "app.example" {
		t.Fatalf("%v at %s %.300s", query, at, page)
	}
	if again, _, _ := w.newBrowser().submit(answer.URL, answer.Form); again.Get("code") != "" {
		t.Error("one answer signed in twice")
	}
}

// TestSAMLMetadata is what an administrator hands to the provider.
func TestSAMLMetadata(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	w.made("/api/v2/connections", map[string]any{"name": "corp", "strategy": "samlp", "options": map[string]any{}})
	get := func(path string) (*http.Response, string) {
		res, err := w.client.Get(w.url + path)
		if err != nil {
			t.Fatal(err)
		}
		return res, bodyOf(t, res)
	}
	entity, acs := w.samlIdentity("corp")
	res, body := get("/samlp/metadata?connection=corp")
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/xml" || !strings.Contains(body, `entityID="`+entity+`"`) || !strings.Contains(body, `Location="`+acs+`"`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	_, raw := get("/rawpem")
	if !strings.Contains(body, raw) {
		t.Error("it does not have the tenant's certificate")
	}
	for _, path := range []string{"", "?connection=", "?connection=none", "?connection=%00", "?connection=%ff", "?connection=corp&connection=corp", "?connection=" + database} {
		if res, body := get("/samlp/metadata" + path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
}
