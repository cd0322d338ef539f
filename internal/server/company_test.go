package server_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"mangrove/internal/browsertest"
	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/idptest"
	"mangrove/internal/upstream/ldaptest"
	"mangrove/internal/upstream/social/socialtest"
)

// company is an application in a real browser whose people come from elsewhere.
type company struct {
	*journey
	shots string // a directory for pictures of what people see; empty: none
}

// newCompany opens the smallest window that pages have to fit into.
func newCompany(t *testing.T) *company {
	t.Helper()
	w := newWorld(t, storetest.SQLite)
	b := browsertest.Open(t, browsertest.Options{Width: 320, Height: 640})
	j := &journey{t: t, w: w, b: b, origin: serveSite(t, "", nil)}
	return &company{journey: j, shots: os.Getenv("MANGROVE_PAGE_SHOTS")}
}

// made makes the application that has the connections.
func (c *company) made(connections ...string) {
	c.t.Helper()
	c.app = c.w.newApplication(connections...)
	c.app.oauth.RedirectURL = c.origin + "/callback"
	c.call("PATCH", "/api/v2/clients/"+c.app.oauth.ClientID, `{"callbacks":["`+c.app.oauth.RedirectURL+`"],"allowed_logout_urls":["`+c.origin+`/"]}`)
}

// connect makes a connection.
func (c *company) connect(body map[string]any) (id string) {
	c.t.Helper()
	id, _ = c.w.made("/api/v2/connections", body)["id"].(string)
	return id
}

// seen checks that the page fits the window, and keeps a picture of it.
func (c *company) seen(name string) {
	c.t.Helper()
	var wide int
	if c.b.Eval("document.documentElement.scrollWidth", &wide); wide > 320 {
		c.t.Errorf("%s is %d px wide", name, wide)
	}
	for _, v := range c.b.Axe() {
		c.t.Errorf("%s: %s (%s) at %v: %s", name, v.Rule, v.Help, v.Where, v.Why)
	}
	if c.shots != "" {
		c.b.Shot(filepath.Join(c.shots, name+".png"))
	}
}

// tabTo presses Tab until the control has the focus.
func (c *company) tabTo(selector string) {
	c.t.Helper()
	quoted, err := json.Marshal(selector)
	if err != nil {
		c.t.Fatal(err)
	}
	for range 12 {
		var there bool
		if c.b.Eval("document.activeElement.matches("+string(quoted)+")", &there); there {
			return
		}
		c.b.Press("Tab")
	}
	c.t.Fatalf("%s cannot be reached by the keyboard", selector)
}

// types enters text where the focus is, once that is the field.
func (c *company) types(field, text string) {
	c.t.Helper()
	c.tabTo(field)
	for _, key := range text {
		c.b.Press(string(key))
	}
}

// refused waits until the application is told why nobody signed in.
func (c *company) refused() url.Values {
	c.t.Helper()
	at, err := url.Parse(c.b.WaitURL(c.app.oauth.RedirectURL + "?"))
	if err != nil {
		c.t.Fatal(err)
	}
	return at.Query()
}

// quiet ends the server and looks at what was said on the way.
func (c *company) quiet(secrets ...string) {
	c.t.Helper()
	if list := c.b.Complaints(); len(list) > 0 {
		c.t.Errorf("the console says %q", list)
	}
	c.w.stop()
	for _, secret := range secrets {
		if strings.Contains(c.w.logs.String(), secret) {
			c.t.Errorf("the log has %q", secret)
		}
	}
}

// atSimpleSAML answers the form of SimpleSAMLphp.
func (c *company) atSimpleSAML(idp *idptest.SimpleSAML) {
	c.t.Helper()
	c.b.WaitURL(idp.URL + "/module.php/core/loginuserpass.php")
	c.b.Fill(`input[name="username"]`, "carol")
	c.b.Fill(`input[name="password"]`, "carolpw")
	c.b.Press("Enter")
}

// The people of a company: their addresses lead to their provider, by a signed form,
// or to their directory; signing out there is signing out.
func TestCompany(t *testing.T) {
	c := newCompany(t)
	b, idp := c.b, idptest.StartSimpleSAML(t)
	res, err := c.w.client.Get(c.w.url + "/pem")
	if err != nil {
		t.Fatal(err)
	}
	certificate := bodyOf(t, res)
	idp.SetPerson("carol", statement(map[string]any{"name": "Carol Lind", "email": "carol@corp.example"}))
	idp.Trust("urn:auth0:localhost:corp", idptest.Provider{
		ACS: c.w.url + "/login/callback?connection=corp", Logout: c.w.url + "/logout", CertPEM: certificate, Signed: true,
	})
	options := map[string]any{
		"metadataUrl": idp.SAMLMetadata(), "signOutEndpoint": idp.LogoutEndpoint(), "domain_aliases": []string{"corp.example"},
		"signSAMLRequest": true, "protocolBinding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
	}
	corp := c.connect(map[string]any{"name": "corp", "strategy": "samlp", "display_name": "Corp", "options": options})
	d := ldaptest.Slapd(t, ldaptest.Person("ann", "Ann Ash", "ann@staff.example"))
	c.connect(map[string]any{"name": "staff", "strategy": "ad", "display_name": "Staff", "options": map[string]any{"ldap": d.Options(), "domain_aliases": []string{"staff.example"}}})
	c.made("corp", "staff", database)

	// To the provider by the address, with nothing but a keyboard, and back.
	verifier := c.begin()
	c.seen("identifier")
	c.types(`input[name="username"]`, "carol@corp.example")
	b.Press("Enter")
	c.atSimpleSAML(idp)
	in := c.end(verifier)
	if in.subject != "samlp|corp|carol" || in.claims["name"] != "Carol Lind" {
		t.Errorf("signed in: %+v", in)
	}
	for _, cookie := range b.Cookies() {
		if cookie.Domain == "localhost" && (cookie.SameSite != "None" || !cookie.Secure || !cookie.HTTPOnly) {
			t.Errorf("cookie %+v", cookie)
		}
	}

	// By redirect, which is the binding that this provider knows its own session by:
	// who signed out here alone is not asked there.
	c.signOut()
	options["protocolBinding"] = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	patch, err := json.Marshal(map[string]any{"options": options})
	if err != nil {
		t.Fatal(err)
	}
	c.call("PATCH", "/api/v2/connections/"+corp, string(patch))
	verifier = c.begin()
	b.Fill(`input[name="username"]`, "carol@corp.example")
	b.Press("Enter")
	if again := c.end(verifier); again.subject != in.subject {
		t.Errorf("signed in as %s", again.subject)
	}

	// Who signed out of both is.
	b.Goto(c.w.url + "/v2/logout?federated&" + url.Values{"client_id": {c.app.oauth.ClientID}, "returnTo": {c.origin + "/"}}.Encode())
	b.WaitURL(c.origin + "/")
	verifier = c.begin()
	b.Fill(`input[name="username"]`, "carol@corp.example")
	b.Press("Enter")
	c.atSimpleSAML(idp)
	c.end(verifier)
	c.signOut()

	// To the directory by the address.
	verifier = c.begin()
	c.types(`input[name="username"]`, "ann@staff.example")
	b.Press("Enter")
	b.WaitURL(c.w.url + "/u/login/password")
	c.seen("directory")
	c.types(`input[name="password"]`, "wrong")
	b.Press("Enter")
	b.Wait(`[role="alert"]`)
	c.seen("directory-wrong")
	c.types(`input[name="password"]`, "annpw")
	b.Press("Enter")
	if in = c.end(verifier); in.subject != "ad|staff|ann" || in.claims["name"] != "Ann Ash" {
		t.Errorf("signed in: %+v", in)
	}
	c.signOut()
	d.Stop()
	c.begin()
	b.Fill(`input[name="username"]`, "ann@staff.example")
	b.Follow(submit)
	b.Fill(`input[name="password"]`, "annpw")
	b.Follow(submit)
	c.seen("directory-gone")
	c.quiet("carolpw", "annpw", "@corp.example", "@staff.example", "SAMLResponse", "Carol Lind", "Ann Ash")
}

// Buttons of providers with images, errors of providers, and answers that come by
// POST from another site.
func TestButtons(t *testing.T) {
	c := newCompany(t)
	b := c.b
	icon := imageServer(t)
	social := func(name string) *socialtest.Double {
		d := socialtest.Start(t, name)
		d.Redirect(c.w.url + "/login/callback")
		var options map[string]any
		if err := json.Unmarshal(d.Options(), &options); err != nil {
			t.Fatal(err)
		}
		options["icon_url"] = icon
		c.connect(map[string]any{"name": name, "strategy": name, "options": options})
		return d
	}
	social("github")
	apple := social("apple")
	provider := startUpstream(t, c.w.url+"/login/callback")
	provider.connect(c.w, "tides", "")
	tides, err := c.w.sdk.Connection.ReadByName(t.Context(), "tides")
	if err != nil {
		t.Fatal(err)
	}
	c.call("PATCH", "/api/v2/connections/"+tides.GetID(), `{"show_as_button":true,"display_name":"Tide Club"}`)
	c.made("github", "apple", "tides", database)

	// A link with an image, by the keyboard.
	verifier := c.begin()
	b.Wait(`a.button img`)
	var loaded int
	b.Eval(`Promise.all([...document.images].map((i) => i.decode())).then(() => [...document.images].filter((i) => i.naturalWidth > 0).length)`, &loaded)
	if loaded != 2 {
		t.Errorf("%d images", loaded)
	}
	c.seen("buttons")
	for _, label := range []string{"Continue with Apple", "Continue with GitHub", "Continue with Tide Club"} {
		if b.Count(`a.button:has-text("`+label+`")`) != 1 {
			t.Errorf("no button says %s", label)
		}
	}
	c.tabTo(`a[href*="connection=github"]`)
	b.Press("Enter")
	if in := c.end(verifier); in.subject != "github|9918273" {
		t.Errorf("signed in as %s", in.subject)
	}
	c.signOut()

	// form_post: the browser that began has its cookies with it.
	verifier = c.begin()
	b.Follow(`a[href*="connection=apple"]`)
	if at := b.URL(); !strings.HasPrefix(at, apple.URL) {
		t.Fatalf("at %s", at)
	}
	b.Eval(`(document.forms[0].submit(), true)`, nil)
	if in := c.end(verifier); !strings.HasPrefix(in.subject, "apple|001822.") || in.claims["given_name"] != "Ola" {
		t.Errorf("signed in: %+v", in)
	}
	c.signOut()

	// The provider, or the person there, says no.
	c.begin()
	b.Follow(`a[href*="connection=tides"]`)
	b.Fill(`input[name="login"]`, "deny")
	b.Press("Enter")
	if q := c.refused(); q.Get("error") != "access_denied" || q.Get("error_description") != "The account said no, or is not known." || q.Get("state") != "the state" {
		t.Errorf("refused: %v", q)
	}
	// Coming back to an answer that was used is told on a page.
	b.Goto(c.w.url + "/login/callback?code=x&state=used")
	c.seen("expired")
	c.quiet("mira@kask.example", "q7x@privaterelay.appleid.com", "Mira Kask", "Ola")
}

// A provider begins: its form arrives from another site, at a browser without any
// cookie of ours.
func TestProviderBegins(t *testing.T) {
	c, idp := newCompany(t), idptest.StartSAMLP(t)
	idp.SetPerson("carol", statement(map[string]any{"name": "Carol Lind"}))
	id := c.connect(map[string]any{"name": "corp", "strategy": "samlp", "options": map[string]any{"metadataUrl": idp.SAMLMetadata()}})
	c.made("corp")
	entity, acs := c.w.samlIdentity("corp")
	arrive := func() {
		t.Helper()
		c.b.Goto(idp.Begin(entity, acs, ""))
		c.b.Fill(`input[name="username"]`, "carol")
		c.b.Fill(`input[name="password"]`, "carolpw")
		c.b.Press("Enter")
	}
	arrive()
	c.b.WaitURL(acs)
	c.b.Wait("main h1")
	c.seen("not-enabled")
	patch, err := json.Marshal(map[string]any{"options": map[string]any{
		"metadataUrl": idp.SAMLMetadata(),
		"idpinitiated": map[string]any{
			"enabled": true, "client_id": c.app.oauth.ClientID, "client_protocol": "oauth2",
			"client_authorizequery": "response_type=code&scope=openid&redirect_uri=" + url.QueryEscape(c.app.oauth.RedirectURL),
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.call("PATCH", "/api/v2/connections/"+id, string(patch))
	arrive()
	if q := c.refused(); q.Get("code") == "" {
		t.Errorf("the application got %v", q)
	}
	// The session that came of it is one: the application asks for nothing further.
	verifier := oauth2.GenerateVerifier()
	c.b.Goto(c.app.oauth.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("the nonce"), oauth2.SetAuthURLParam("prompt", "none")))
	if in := c.end(verifier); in.subject != "samlp|corp|carol" {
		t.Errorf("signed in as %s", in.subject)
	}
	c.quiet("carolpw", "Carol Lind", "SAMLResponse")
}

// imageServer is another site, with an image of one dot; it returns its address.
func imageServer(t *testing.T) string {
	t.Helper()
	dot, err := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(dot)
	}))
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of a browser that looks twice at the certificate
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL + "/icon.png"
}
