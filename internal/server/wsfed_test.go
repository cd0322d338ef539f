package server_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/auth0/go-auth0/management"
	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/idptest"
)

// away goes from redirect to redirect of the server's own, to the first address
// that is somebody else's.
func (b *browser) away(w *world, u string) string {
	b.t.Helper()
	for range 10 {
		if !strings.HasPrefix(u, w.url) {
			return u
		}
		res, err := b.client.Get(u)
		if err != nil {
			b.t.Fatal(err)
		}
		res.Body.Close()
		to, err := res.Location()
		if err != nil {
			b.t.Fatalf("%s: %d leads nowhere", u, res.StatusCode)
		}
		u = to.String()
	}
	b.t.Fatal("too many redirects")
	return ""
}

// deliver posts a provider's form, as its page does.
func (b *browser) deliver(to string, form url.Values) (url.Values, string, *url.URL) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), "POST", to, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "https://adfs.example")
	return b.answer(b.client.Do(req))
}

// connect makes a connection with the strategy and options.
func (w *world) connect(strategy, name string, options map[string]any) {
	w.t.Helper()
	b, err := json.Marshal(map[string]any{"name": name, "strategy": strategy, "options": options})
	if err != nil {
		w.t.Fatal(err)
	}
	if status, body := w.call("POST", "/api/v2/connections", string(b)); status != 201 {
		w.t.Fatalf("creating the connection: %d %s", status, body)
	}
}

// federated signs carol in at a WS-Federation provider; nil with what the
// application was told when it was refused. alter may change what the provider sent.
func (a *application) federated(connection string, alter func(url.Values)) (*signedIn, url.Values) {
	a.w.t.Helper()
	b, verifier := a.w.newBrowser(), oauth2.GenerateVerifier()
	to := b.away(a.w, a.oauth.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("the nonce"), oauth2.SetAuthURLParam("connection", connection)))
	answer := idptest.NewBrowser(a.w.t).Visit(to, nil, "carol", a.w.url+"/login/callback")
	if alter != nil {
		alter(answer.Form)
	}
	query, page, at := b.deliver(answer.URL, answer.Form)
	if query == nil {
		a.w.t.Fatalf("ended at %s with a page: %.300s", at, page)
	}
	return a.exchange(query, verifier)
}

// A token is taken once, also by an instance that has just started; the metadata is
// shown as it was read.
func TestWSFederationConnection(t *testing.T) {
	idp := idptest.StartSAMLP(t)
	w := newWorld(t, storetest.Engines(t)[0])
	w.connect("adfs", "corp", map[string]any{"adfs_server": idp.WSFedMetadata()})
	con, err := w.sdk.Connection.ReadByName(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	_, body := w.call("GET", "/api/v2/connections/"+con.GetID(), "")
	var doc struct {
		Options struct {
			Endpoint    string   `json:"signInEndpoint"`
			Thumbprints []string `json:"thumbprints"`
		} `json:"options"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil || doc.Options.Endpoint != idp.WSFedEndpoint() || len(doc.Options.Thumbprints) != 1 || len(doc.Options.Thumbprints[0]) != 40 {
		t.Errorf("%s %v", body, err)
	}
	for bad, text := range map[string]string{
		`{"adfs_server":"http://adfs.example"}`: "adfs_server must be a host name or an https address",
		`{"fedMetadataXml":"<a/>"}`:             "fedMetadataXml cannot be used: not the metadata of a WS-Federation identity provider",
	} {
		status, body := w.call("POST", "/api/v2/connections", `{"name":"bad","strategy":"adfs","options":`+bad+`}`)
		if status != 400 || !strings.Contains(body, text) || !strings.Contains(body, `"errorCode":"invalid_body"`) {
			t.Errorf("%s: %d %s", bad, status, body)
		}
	}
	idp.SetPerson("carol", map[string][]string{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name": {"Carol"}})
	a := w.newApplication("corp")
	var token string
	if in, refused := a.federated("corp", func(form url.Values) { token = form.Get("wresult") }); in == nil {
		t.Fatal(refused)
	}
	in, refused := a.federated("corp", func(form url.Values) { form.Set("wresult", token) })
	if in != nil || refused.Get("error") != "access_denied" {
		t.Errorf("the same token in another trip: %v %v", in, refused)
	}
	// What was tampered with on the way is refused, and changes nothing.
	before := w.profileOf("adfs|corp|carol")
	in, refused = a.federated("corp", func(form url.Values) {
		form.Set("wresult", strings.Replace(form.Get("wresult"), "Carol", "Carla", 1))
	})
	if in != nil || refused.Get("error") != "access_denied" || refused.Get("error_description") != "The identity provider's answer was not accepted." {
		t.Errorf("tampered with: %v %v", in, refused)
	}
	want(t, "after the refusal", w.profileOf("adfs|corp|carol"), before)
}

// A waad connection that is set to WS-Federation goes there, with the object id as the
// person's id.
func TestEntraByWSFederation(t *testing.T) {
	idp := idptest.StartSAMLP(t)
	w := newWorld(t, storetest.Engines(t)[0])
	w.connect("waad", "entra", map[string]any{
		"client_id": "app-1", "client_secret": "s", "tenant_domain": "corp.example",
		"identity_api": "azure-active-directory-v1.0", "waad_protocol": "ws-federation",
		"adfs_server": idp.WSFedMetadata(), "entityId": "urn:corp:app-1", // the library makes urn:spn:… of spn:…
	})
	idp.SetPerson("carol", map[string][]string{
		"http://schemas.microsoft.com/identity/claims/objectidentifier":   {"0b5a0f5e"},
		"http://schemas.microsoft.com/identity/claims/tenantid":           {"t-1"},
		"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname": {"Carol"},
		"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn":       {"carol@corp.example"},
	})
	in, refused := w.newApplication("entra").federated("entra", nil)
	if in == nil || in.subject != "waad|entra|0b5a0f5e" {
		t.Fatal(in, refused)
	}
	want(t, "the profile", w.profileOf(in.subject), map[string]any{
		"oid": "0b5a0f5e", "tenantid": "t-1", "given_name": "Carol", "upn": "carol@corp.example", "email": "carol@corp.example", "email_verified": false,
	})
}

// A sign-out of both ends the provider's session, which tells everybody who has one on
// its way, and leads back to the application.
func TestWSFederationSignOut(t *testing.T) {
	idp := idptest.StartSimpleSAML(t)
	w := newWorld(t, storetest.Engines(t)[0])
	home := w.url + "/login/callback"
	idp.TrustRealm("urn:auth0:localhost", home)
	w.connect("adfs", "corp", map[string]any{"fedMetadataXml": idp.WSFedMetadata()})
	a := w.newApplication("corp")
	client, err := w.sdk.Client.Read(t.Context(), a.oauth.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	patch := &management.Client{AllowedLogoutURLs: &[]string{"http://app.example/bye"}}
	if err := w.sdk.Client.Update(t.Context(), client.GetClientID(), patch); err != nil {
		t.Fatal(err)
	}
	b, person := w.newBrowser(), idptest.NewBrowser(t)
	verifier := oauth2.GenerateVerifier()
	to := b.away(w, a.oauth.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("the nonce"), oauth2.SetAuthURLParam("connection", "corp")))
	answer := person.Visit(to, nil, "carol", home)
	query, _, _ := b.deliver(answer.URL, answer.Form)
	if in, refused := a.exchange(query, verifier); in == nil {
		t.Fatal(refused)
	}
	out := w.url + "/v2/logout?" + url.Values{"federated": {""}, "client_id": {a.oauth.ClientID}, "returnTo": {"http://app.example/bye"}}.Encode()
	to = b.away(w, out)
	if u, err := url.Parse(to); err != nil || u.Query().Get("wa") != "wsignout1.0" || u.Query().Get("wreply") != w.url+"/logout" {
		t.Fatalf("left to %s", to)
	}
	cleanup := person.Visit(to, nil, "nobody", home)
	if cleanup.Values().Get("wa") != "wsignoutcleanup1.0" {
		t.Fatalf("got %v", cleanup)
	}
	back := person.Visit(b.away(w, cleanup.URL), nil, "nobody", w.url+"/logout")
	if query, page, at := b.follow(back.URL); query == nil || at.Path != "/bye" {
		t.Errorf("ended at %s: %.300s", at, page)
	}
}
