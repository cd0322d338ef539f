package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/idptest"
)

// TestFederatedLogoutWithACertifiedProvider: signing out here signs out there, and
// leads to where the application said.
func TestFederatedLogoutWithACertifiedProvider(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	idp := startUpstream(t, w.url+"/login/callback")
	idp.set("pia", map[string]any{"name": "Pia"})
	idp.connect(w, "acme", "")
	a := w.newApplication("acme")
	if status, body := w.call("PATCH", "/api/v2/clients/"+a.oauth.ClientID, `{"allowed_logout_urls":["http://app.example/bye"]}`); status != 200 {
		t.Fatal(body)
	}
	for _, at := range []string{
		"/v2/logout?federated&client_id=" + a.oauth.ClientID + "&returnTo=" + url.QueryEscape("http://app.example/bye"),
		"/oidc/logout?federated&client_id=" + a.oauth.ClientID + "&post_logout_redirect_uri=" + url.QueryEscape("http://app.example/bye") + "&state=s",
	} {
		b := w.newBrowser()
		if in, q := a.signIn(b, "acme", "pia"); in == nil {
			t.Fatal(q)
		}
		query, page, where := b.follow(w.url + at)
		if where.Path == "/oidc/logout" { // no hint: our own question comes first
			query, page, where = b.submit(w.url+"/u/logout", formOf(t, page))
		}
		if query != nil || !strings.HasPrefix(where.String(), idp.issuer+"/session/end") {
			t.Fatalf("%s: ended at %s with %v: %.300s", at, where, query, page)
		}
		if a.signedIn(b) {
			t.Errorf("%s: the session here outlives the departure", at)
		}
		form := formOf(t, page)
		form.Set("logout", "yes")
		query, page, where = b.submit(idp.issuer+"/session/end/confirm", form)
		if query == nil || where.Host != "app.example" || where.Path != "/bye" || strings.HasPrefix(at, "/oidc") != (query.Get("state") == "s") {
			t.Fatalf("%s: came back to %s: %.300s", at, where, page)
		}
		// There, too, nobody is signed in.
		_, page, where = b.follow(a.oauth.AuthCodeURL("the state") + "&connection=acme" + challenged)
		if !strings.HasPrefix(where.String(), idp.issuer+"/interaction/") || !strings.Contains(page, `name="login"`) {
			t.Errorf("%s: signed in again without a word, at %s", at, where)
		}
	}
}

// leaves goes on at our own host and stops at the first address of another.
func (b *browser) leaves(w *world, to string) string {
	b.t.Helper()
	for range 10 {
		res, err := b.client.Get(to)
		if err != nil {
			b.t.Fatal(err)
		}
		res.Body.Close()
		next, err := res.Location()
		if err != nil {
			b.t.Fatalf("%s: %d, and nowhere to go", to, res.StatusCode)
		}
		if to = next.String(); !strings.HasPrefix(to, w.url) {
			return to
		}
	}
	b.t.Fatal("too many redirects")
	return ""
}

// TestSingleLogoutWithSimpleSAMLphp: either side ends both sessions, and nobody
// else does.
func TestSingleLogoutWithSimpleSAMLphp(t *testing.T) {
	idp := idptest.StartSimpleSAML(t)
	w := newWorld(t, storetest.SQLite)
	res, err := w.client.Get(w.url + "/pem")
	if err != nil {
		t.Fatal(err)
	}
	pem, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	idp.Trust("urn:auth0:localhost:ssp", idptest.Provider{ACS: w.url + "/login/callback?connection=ssp", Logout: w.url + "/logout", CertPEM: string(pem)})
	options := fmt.Sprintf(`{"metadataUrl":%q,"signOutEndpoint":%q}`, idp.SAMLMetadata(), idp.LogoutEndpoint())
	if status, body := w.call("POST", "/api/v2/connections", `{"name":"ssp","strategy":"samlp","options":`+options+`}`); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	a := w.newApplication("ssp")
	if status, body := w.call("PATCH", "/api/v2/clients/"+a.oauth.ClientID, `{"allowed_logout_urls":["http://app.example/bye"]}`); status != 200 {
		t.Fatal(body)
	}
	signIn := func() (*browser, *idptest.Browser) {
		t.Helper()
		return a.throughIDP("ssp", w.newBrowser(), idptest.NewBrowser(t))
	}
	here := a.signedIn

	ours, theirs := signIn()
	other, _ := signIn() // the same person, elsewhere
	out := ours.leaves(w, w.url+"/v2/logout?federated&client_id="+a.oauth.ClientID+"&returnTo="+url.QueryEscape("http://app.example/bye"))
	if !strings.HasPrefix(out, idp.LogoutEndpoint()) || here(ours) {
		t.Fatalf("left for %s", out)
	}
	back := theirs.Visit(out, nil, "carol", w.url)
	if !strings.Contains(back.URL, "SAMLResponse=") {
		t.Fatalf("the provider sent %s", back.URL)
	}
	if to := ours.leaves(w, back.URL); to != "http://app.example/bye" {
		t.Errorf("came back to %s", to)
	}
	if !here(other) {
		t.Error("a session of another browser ended, too")
	}

	ours, theirs = signIn()
	asked := theirs.Visit(idp.LogoutEndpoint()+"?ReturnTo="+url.QueryEscape("http://app.example/done"), nil, "carol", w.url)
	message, err := url.Parse(asked.URL)
	if err != nil || message.Path != "/logout" || !message.Query().Has("SAMLRequest") {
		t.Fatalf("the provider sent %s", asked.URL)
	}
	for _, name := range []string{"Signature", "SAMLRequest", "RelayState"} {
		q := message.Query()
		if name == "Signature" {
			q.Del("Signature")
			q.Del("SigAlg")
		} else {
			q.Set(name, "tampered")
		}
		forged := *message
		forged.RawQuery = q.Encode()
		if query, page, _ := ours.follow(forged.String()); query != nil || page == "" || !here(ours) {
			t.Errorf("%s is another: %v, the session is there: %v", name, query, here(ours))
		}
	}
	answer := ours.leaves(w, asked.URL)
	if !strings.HasPrefix(answer, idp.LogoutEndpoint()) || !strings.Contains(answer, "SAMLResponse=") || here(ours) {
		t.Fatalf("answered with %s, the session is there: %v", answer, here(ours))
	}
	if done := theirs.Visit(answer, nil, "carol", "http://app.example"); done.URL != "http://app.example/done" {
		t.Errorf("the provider ended at %s", done.URL)
	}
	if !here(other) {
		t.Error("a session with another index ended, too")
	}
	status, body := w.call("GET", "/api/v2/logs?q="+url.QueryEscape("type:slo"), "")
	if status != 200 || !strings.Contains(body, "The identity provider ended the session.") {
		t.Errorf("on record: %d %.500s", status, body)
	}
}

// TestSignOutByWSFederation: leaving by way of the provider, and its wish that this
// browser forgets the person.
func TestSignOutByWSFederation(t *testing.T) {
	idp := idptest.StartSimpleSAML(t)
	w := newWorld(t, storetest.SQLite)
	idp.TrustRealm("urn:auth0:localhost", w.url+"/login/callback")
	options, err := json.Marshal(map[string]any{"fedMetadataXml": idp.WSFedMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := w.call("POST", "/api/v2/connections", `{"name":"fs","strategy":"adfs","options":`+string(options)+`}`); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	a := w.newApplication("fs", database)
	if status, body := w.call("PATCH", "/api/v2/clients/"+a.oauth.ClientID, `{"allowed_logout_urls":["http://app.example/bye"]}`); status != 200 {
		t.Fatal(body)
	}
	ours, theirs := a.throughIDP("fs", w.newBrowser(), idptest.NewBrowser(t))
	out := ours.leaves(w, w.url+"/v2/logout?federated&client_id="+a.oauth.ClientID+"&returnTo="+url.QueryEscape("http://app.example/bye"))
	if !strings.HasPrefix(out, idp.WSFedEndpoint()) || !strings.Contains(out, "wa=wsignout1.0") || a.signedIn(ours) {
		t.Fatalf("left for %s", out)
	}
	// The provider has us clean up, which leads back there, and sends the browser home.
	back := theirs.Visit(out, nil, "carol", w.url)
	if !strings.Contains(back.URL, "wa=wsignoutcleanup1.0") {
		t.Errorf("the provider sent %s", back.URL)
	}
	back = theirs.Visit(ours.leaves(w, back.URL), nil, "carol", w.url)
	if to := ours.leaves(w, back.URL); to != "http://app.example/bye" {
		t.Errorf("came back to %s by %s", to, back.URL)
	}

	ours, _ = a.throughIDP("fs", w.newBrowser(), theirs)
	other, _ := a.throughIDP("fs", w.newBrowser(), theirs)
	ours.follow(w.url + "/logout?wa=wsignoutcleanup1.0")
	if a.signedIn(ours) || !a.signedIn(other) {
		t.Errorf("after the clean-up: here %v, elsewhere %v", a.signedIn(ours), a.signedIn(other))
	}
}

// challenged are the parameters without which an application is refused.
const challenged = "&nonce=n&code_challenge=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&code_challenge_method=S256"

// throughIDP signs carol in: ours goes to the application and back, theirs to the provider.
func (a *application) throughIDP(connection string, ours *browser, theirs *idptest.Browser) (*browser, *idptest.Browser) {
	a.w.t.Helper()
	answer := theirs.Visit(ours.leaves(a.w, a.oauth.AuthCodeURL("the state")+"&connection="+connection+challenged), nil, "carol", a.w.url)
	if query, page, at := ours.submit(answer.URL, answer.Form); query.Get("code") == "" {
		a.w.t.Fatalf("not signed in: %v at %s: %.300s", query, at, page)
	}
	return ours, theirs
}

// signedIn reports whether the browser has a session.
func (a *application) signedIn(b *browser) bool {
	a.w.t.Helper()
	query, _, _ := b.follow(a.oauth.AuthCodeURL("the state") + "&prompt=none" + challenged)
	return query.Get("code") != ""
}
