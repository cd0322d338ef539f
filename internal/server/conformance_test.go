package server_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth0/go-auth0/management"

	"mangrove/internal/config"
	"mangrove/internal/fakeidp"
	"mangrove/internal/server"
	"mangrove/internal/store/storetest"
)

// The profiles of the OpenID Foundation's certification, a subtest for each
// module of their test plans, named after it (security.md 1.1). What a module
// checks is checked here from the texts of the specifications, with no library
// of ours between.

// module is one of a plan.
type module struct {
	name string
	run  func(t *testing.T, p *party)
}

// runPlan runs the modules against one server; mode is the response_mode of
// their requests, empty: none is named.
func runPlan(t *testing.T, engine, mode string, plan []module) {
	t.Helper()
	runModules(t, newParty(t, engine, mode), plan)
}

func runModules(t *testing.T, p *party, plan []module) {
	t.Helper()
	for _, m := range plan {
		t.Run(m.name, func(t *testing.T) { m.run(t, p.in(t)) })
	}
}

// clock is the server's: that of the machine, until a test steps it forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) step(d time.Duration) { c.ahead.Add(int64(d)) }

// party is a relying party that believes nothing.
type party struct {
	*world
	clock      *clock
	mode       string
	id, secret string
	other      [2]string // id and secret of another client
	meta       metadataDoc
	keys       map[string]*rsa.PublicKey // by kid
	jwks       []any                     // the keys as published
	subject    string                    // of the person in the database
	home       *browser                  // of the modules that do not ask how the person signed in
}

const (
	atApp    = "https://app.example/callback"
	byeApp   = "https://app.example/bye"
	personal = "cora@example.test"
	elsewise = "upstream" // the connection whose people have every standard claim
)

// metadataDoc is the discovery document.
type metadataDoc map[string]any

func (m metadataDoc) text(name string) string { s, _ := m[name].(string); return s }

func (m metadataDoc) has(name, value string) bool {
	list, _ := m[name].([]any)
	return slices.Contains(list, any(value))
}

func newParty(t *testing.T, engine, mode string) *party {
	t.Helper()
	c := &clock{}
	w := newWorldIn(t, t.TempDir(), storetest.EmptyURL(t, engine), func(_ *config.Config, o *server.Options) { o.Now = c.now })
	p := &party{world: w, clock: c, mode: mode, home: w.newBrowser()}
	p.refresh()
	upstreamPeople(w)
	for i := range 2 {
		app := w.application(map[string]any{
			"callbacks": []string{atApp}, "allowed_logout_urls": []string{byeApp}, "token_endpoint_auth_method": "client_secret_basic",
			"grant_types": []string{"authorization_code", "refresh_token", "client_credentials"}, "jwt_configuration": map[string]any{"alg": "RS256"},
		})
		if i == 0 {
			p.id, p.secret = app[0], app[1]
		} else {
			p.other = app
		}
	}
	u := &management.User{
		Connection: ptr(database), Email: ptr(personal), Password: ptr(goodPassword), EmailVerified: ptr(true), Name: ptr("Cora Conform"),
	}
	if err := w.sdk.User.Create(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	p.subject = u.GetID()
	return p
}

// in is the party within a subtest.
func (p *party) in(t *testing.T) *party {
	q, w := *p, *p.world
	w.t, q.world = t, &w
	return &q
}

// refresh reads the discovery document and the keys anew.
func (p *party) refresh() {
	p.t.Helper()
	p.meta = metadataDoc(p.getJSON(p.url + "/.well-known/openid-configuration"))
	p.keys = map[string]*rsa.PublicKey{}
	p.jwks, _ = p.getJSON(p.meta.text("jwks_uri"))["keys"].([]any)
	for _, one := range p.jwks {
		k, _ := one.(map[string]any)
		n, _ := k["n"].(string)
		e, _ := k["e"].(string)
		kid, _ := k["kid"].(string)
		if _, doubled := p.keys[kid]; doubled || kid == "" {
			p.t.Errorf("two keys of the id %q", kid)
		}
		p.keys[kid] = &rsa.PublicKey{N: new(big.Int).SetBytes(p.base64(n)), E: int(new(big.Int).SetBytes(p.base64(e)).Int64())}
	}
	if len(p.keys) == 0 {
		p.t.Fatal("no keys")
	}
}

// upstreamPeople is a connection whose one person has every standard claim.
func upstreamPeople(w *world) {
	w.t.Helper()
	idp := fakeidp.New(fakeidp.Options{Clients: []fakeidp.Client{{ID: "mangrove", Secret: "s", RedirectURIs: []string{w.url + "/login/callback"}}}})
	s := httptest.NewServer(idp)
	w.t.Cleanup(s.Close)
	idp.SetIssuer(s.URL)
	idp.SetPerson("cora", map[string]any{
		"name": "Cora Conform", "given_name": "Cora", "family_name": "Conform", "middle_name": "C.", "nickname": "co", "preferred_username": "cora",
		"profile": "https://people.example/cora", "picture": "https://people.example/cora.png", "website": "https://cora.example", "gender": "female",
		"birthdate": "1990-02-03", "zoneinfo": "Europe/Lisbon", "locale": "pt-PT", "email": "cora@people.example", "email_verified": true,
		"phone_number": "+351210000000", "phone_verified": true,
		"address": map[string]any{"formatted": "Rua 1\nLisboa", "street_address": "Rua 1", "locality": "Lisboa", "country": "PT"},
	})
	idp.Next("cora")
	status, body := w.call("POST", "/api/v2/connections", fmt.Sprintf(
		`{"name":%q,"strategy":"oidc","options":{"type":"back_channel","issuer":%q,"discovery_url":%q,"client_id":"mangrove","client_secret":"s","scope":"openid profile"}}`,
		elsewise, s.URL, idp.DiscoveryURL()))
	if status != http.StatusCreated {
		w.t.Fatalf("the connection: %d %s", status, body)
	}
}

// application registers one with the database and, if it is there, the upstream connection.
func (w *world) application(settings map[string]any) (credentials [2]string) {
	w.t.Helper()
	settings["name"] = "A relying party"
	if settings["app_type"] == nil {
		settings["app_type"] = "regular_web"
	}
	b, err := json.Marshal(settings)
	if err != nil {
		w.t.Fatal(err)
	}
	status, body := w.call("POST", "/api/v2/clients", string(b))
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(body), &made); status != http.StatusCreated || err != nil {
		w.t.Fatalf("the application: %d %s", status, body)
	}
	list, err := w.sdk.Connection.List(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range list.Connections {
		enable := []management.ConnectionEnabledClient{{ClientID: &made.ID, Status: ptr(true)}}
		if err := w.sdk.Connection.UpdateEnabledClients(w.t.Context(), c.GetID(), enable); err != nil {
			w.t.Fatal(err)
		}
	}
	return [2]string{made.ID, made.Secret}
}

func (p *party) base64(text string) []byte {
	p.t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		p.t.Fatalf("%q is not base64url: %v", text, err)
	}
	return b
}

// send is a request of the party's own, without a browser.
func (p *party) send(method, u string, form url.Values, header ...string) (*http.Response, []byte) {
	p.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(p.t.Context(), method, u, body)
	if err != nil {
		p.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res, b
}

func (p *party) getJSON(u string) map[string]any {
	p.t.Helper()
	res, b := p.send("GET", u, nil)
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		p.t.Fatalf("%s: %d %s", u, res.StatusCode, res.Header.Get("Content-Type"))
	}
	return p.object(b)
}

func (p *party) object(b []byte) map[string]any {
	p.t.Helper()
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		p.t.Fatalf("%q is no object: %v", b, err)
	}
	return m
}

func random() string { return rand.Text() }

// request is an authorization request with a state and a nonce of its own. more
// are pairs; an empty value takes a parameter away.
func (p *party) request(more ...string) url.Values {
	v := url.Values{
		"client_id": {p.id}, "redirect_uri": {atApp}, "response_type": {"code"}, "scope": {"openid"}, "state": {random()}, "nonce": {random()},
	}
	if p.mode != "" {
		v.Set("response_mode", p.mode)
	}
	for i := 0; i < len(more); i += 2 {
		if v.Del(more[i]); more[i+1] != "" {
			v.Set(more[i], more[i+1])
		}
	}
	return v
}

// seen is a page that a person saw.
type seen struct {
	status int
	path   string
	text   string
	header http.Header
}

var headline = regexp.MustCompile(`<h1[^>]*>([^<]*)</h1>`)

// String names the page, for the reader of a failure.
func (s seen) String() string {
	title := ""
	if m := headline.FindStringSubmatch(s.text); m != nil {
		title = m[1]
	}
	return fmt.Sprintf("%d %s %q", s.status, s.path, title)
}

// answer is what came of an authorization request.
type answer struct {
	url.Values        // at the application; nil: it was not reached
	to         string // the address there
	pages      []seen // on the way
}

func (a answer) String() string {
	return fmt.Sprintf("%q %v by %v", a.to, map[string][]string(a.Values), a.pages)
}

// last is the page at which it ended, or that brought the answer.
func (a answer) last() seen {
	if len(a.pages) == 0 {
		return seen{}
	}
	return a.pages[len(a.pages)-1]
}

// asked reports whether the person had to do something on such a page.
func (a answer) asked(prefix string) bool {
	return slices.ContainsFunc(a.pages, func(s seen) bool { return strings.HasPrefix(s.path, prefix) })
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	buttonField = regexp.MustCompile(`<button type="submit">`)
)

// authorize takes a browser through an authorization request. The person types
// name and password where they are asked for, and agrees to everything.
func (p *party) authorize(b *browser, request url.Values) answer {
	p.t.Helper()
	return p.walk(b, "GET", p.meta.text("authorization_endpoint")+"?"+request.Encode(), nil, request.Get("state"))
}

func (p *party) walk(b *browser, method, u string, form url.Values, state string) (a answer) {
	p.t.Helper()
	for range 20 {
		var body io.Reader
		if form != nil {
			body = strings.NewReader(form.Encode())
		}
		r, err := http.NewRequestWithContext(p.t.Context(), method, u, body)
		if err != nil {
			p.t.Fatal(err)
		}
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", p.url)
		}
		res, err := b.client.Do(r)
		if err != nil {
			p.t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			p.t.Fatal(err)
		}
		if res.StatusCode >= 500 {
			p.t.Fatalf("%s: %d %s", u, res.StatusCode, text)
		}
		if to, err := res.Location(); err == nil {
			if strings.HasSuffix(to.Hostname(), "app.example") {
				if p.mode == "form_post" && to.Path == "/callback" {
					p.t.Errorf("an answer in the query: %s", to)
				}
				v := to.Query()
				if to.Fragment != "" {
					if v, err = url.ParseQuery(to.EscapedFragment()); err != nil {
						p.t.Fatal(err)
					}
				}
				return p.arrived(a, to, v, state)
			}
			method, u, form = "GET", to.String(), nil
			continue
		}
		page := seen{res.StatusCode, res.Request.URL.Path, string(text), res.Header}
		a.pages = append(a.pages, page)
		m := formAction.FindStringSubmatch(page.text)
		if res.StatusCode != http.StatusOK || m == nil {
			return a
		}
		action, err := res.Request.URL.Parse(html.UnescapeString(m[1]))
		if err != nil {
			p.t.Fatal(err)
		}
		if action.Hostname() == "app.example" {
			return p.arrived(a, action, p.posted(page), state)
		}
		switch page.path {
		case "/u/login/identifier":
			form = url.Values{"username": {personal}}
		case "/u/login/password", "/u/login":
			form = url.Values{"username": {personal}, "password": {goodPassword}}
		case "/u/consent":
			form = url.Values{"decision": {"accept"}}
		default:
			return a
		}
		method, u = "POST", action.String()
	}
	p.t.Fatal("the way has no end")
	return a
}

// arrived checks what every answer has to have.
func (p *party) arrived(a answer, to *url.URL, v url.Values, state string) answer {
	p.t.Helper()
	a.Values, a.to = v, to.String()
	if v.Get("state") != state {
		p.t.Errorf("state %q, want %q", v.Get("state"), state)
	}
	for name, list := range v {
		if len(list) != 1 {
			p.t.Errorf("%s came %d times", name, len(list))
		}
	}
	return a
}

// posted checks a page of form_post and returns what it posts (OAuth 2.0 Form
// Post Response Mode).
func (p *party) posted(s seen) url.Values {
	p.t.Helper()
	if p.mode != "form_post" {
		p.t.Errorf("an answer by form: %s", s.text)
	}
	nonce := regexp.MustCompile(`<script nonce="([^"]+)">`).FindStringSubmatch(s.text)
	csp := s.header.Get("Content-Security-Policy")
	switch {
	case !strings.Contains(s.text, `method="post"`):
		p.t.Errorf("the form is not posted: %s", s.text)
	case nonce == nil || !strings.Contains(csp, "'nonce-"+nonce[1]+"'") || !strings.Contains(s.text, "submit.call("):
		p.t.Errorf("the form does not submit itself: %q %s", csp, s.text)
	case !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "form-action"):
		p.t.Errorf("the page may do too much: %q", csp)
	case !buttonField.MatchString(s.text):
		p.t.Errorf("no button for who has no scripts: %s", s.text)
	case s.header.Get("Cache-Control") != "no-store" || s.header.Get("Referrer-Policy") != "no-referrer":
		p.t.Errorf("the page is kept: %v", s.header)
	}
	v := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(s.text, -1) {
		v.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return v
}

// tokens are the answer of the token endpoint.
type tokens struct {
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
	Type    string `json:"token_type"`
	Scope   string `json:"scope"`
	Expires int64  `json:"expires_in"`

	claims map[string]any // of the ID token
}

func (k tokens) subject() string { s, _ := k.claims["sub"].(string); return s }

func (k tokens) seconds(name string) int64 { n, _ := k.claims[name].(float64); return int64(n) }

// basic is client_secret_basic (RFC 6749 §2.3.1).
func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// token asks the token endpoint.
func (p *party) token(form url.Values, header ...string) (int, map[string]any) {
	p.t.Helper()
	res, b := p.send("POST", p.meta.text("token_endpoint"), form, header...)
	if h := res.Header; !strings.HasPrefix(h.Get("Content-Type"), "application/json") || h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" {
		p.t.Errorf("headers of the token endpoint: %v", h)
	}
	return res.StatusCode, p.object(b)
}

// redeem exchanges a code by client_secret_basic, or as the form says.
func (p *party) redeem(a answer, request url.Values, more ...string) tokens {
	p.t.Helper()
	if a.Get("code") == "" {
		p.t.Fatalf("no code: %v at %+v", a.Values, a.last())
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {a.Get("code")}, "redirect_uri": {request.Get("redirect_uri")}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	var header []string
	if !form.Has("client_id") {
		header = []string{"Authorization", basic(p.id, p.secret)}
	}
	status, m := p.token(form, header...)
	if status != http.StatusOK {
		p.t.Fatalf("the code: %d %v", status, m)
	}
	return p.checked(m, request.Get("nonce"))
}

// checked reads a successful answer of the token endpoint and verifies the ID token.
func (p *party) checked(m map[string]any, nonce string) (k tokens) {
	p.t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := json.Unmarshal(b, &k); err != nil {
		p.t.Fatal(err)
	}
	if k.Access == "" || !strings.EqualFold(k.Type, "Bearer") || k.Expires <= 0 || k.ID == "" {
		p.t.Fatalf("tokens %v", m)
	}
	for _, c := range k.Access + k.Refresh {
		if c < 0x20 || c > 0x7e {
			p.t.Errorf("a token has the character %q (RFC 6749 A.12)", c)
		}
	}
	k.claims = p.idToken(k.ID, nonce, k.Access)
	return k
}

// signed verifies a JWT and returns its header and claims.
func (p *party) signed(raw string) (header, claims map[string]any) {
	p.t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		p.t.Fatalf("%q is no JWT", raw)
	}
	header, claims = p.object(p.base64(parts[0])), p.object(p.base64(parts[1]))
	kid, _ := header["kid"].(string)
	if p.keys[kid] == nil {
		p.refresh() // as OpenID Connect Core §10.1.1 has it
	}
	public := p.keys[kid]
	if header["alg"] != "RS256" || public == nil {
		p.t.Fatalf("header %v", header)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], p.base64(parts[2])); err != nil {
		p.t.Fatal(err)
	}
	return header, claims
}

// idToken is OpenID Connect Core §3.1.3.7, and at_hash.
func (p *party) idToken(raw, nonce, access string) map[string]any {
	p.t.Helper()
	_, c := p.signed(raw)
	number := func(name string) time.Time {
		n, ok := c[name].(float64)
		if !ok {
			p.t.Errorf("%s is %v", name, c[name])
		}
		return time.Unix(int64(n), 0)
	}
	now := p.clock.now()
	sub, _ := c["sub"].(string)
	sum := sha256.Sum256([]byte(access))
	got, _ := c["nonce"].(string)
	switch {
	case c["iss"] != p.meta["issuer"]:
		p.t.Errorf("iss %v", c["iss"])
	case c["aud"] != p.id:
		p.t.Errorf("aud %v", c["aud"])
	case c["azp"] != nil && c["azp"] != p.id:
		p.t.Errorf("azp %v", c["azp"])
	case sub == "" || len(sub) > 255:
		p.t.Errorf("sub %q", sub)
	case !number("exp").After(now):
		p.t.Errorf("exp %v", number("exp"))
	case number("iat").Before(now.Add(-5*time.Minute)) || number("iat").After(now.Add(time.Second)):
		p.t.Errorf("iat %v, now %v", number("iat"), now)
	case got != nonce:
		p.t.Errorf("nonce %q, want %q", got, nonce)
	case c["at_hash"] != base64.RawURLEncoding.EncodeToString(sum[:16]):
		p.t.Errorf("at_hash %v", c["at_hash"])
	case c["auth_time"] != nil && number("auth_time").After(now.Add(time.Second)):
		p.t.Errorf("auth_time %v", number("auth_time"))
	}
	for name, v := range c {
		if v == nil {
			p.t.Errorf("%s is null", name)
		}
	}
	return c
}

// userinfo reads the claims of an access token.
func (p *party) userinfo(access string) map[string]any {
	p.t.Helper()
	res, b := p.send("GET", p.meta.text("userinfo_endpoint"), nil, "Authorization", "Bearer "+access)
	return p.told(res, b)
}

func (p *party) told(res *http.Response, b []byte) map[string]any {
	p.t.Helper()
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		p.t.Fatalf("userinfo: %d %v %s", res.StatusCode, res.Header, b)
	}
	return p.object(b)
}

// dead reports whether an access token is refused by name (RFC 6750 §3.1).
func (p *party) dead(access string) bool {
	p.t.Helper()
	res, _ := p.send("GET", p.meta.text("userinfo_endpoint"), nil, "Authorization", "Bearer "+access)
	return res.StatusCode == http.StatusUnauthorized && strings.Contains(res.Header.Get("WWW-Authenticate"), `error="invalid_token"`)
}

// flow is a whole sign-in: the request, the code, the tokens, /userinfo.
func (p *party) flow(b *browser, more ...string) (answer, tokens) {
	p.t.Helper()
	request := p.request(more...)
	a := p.authorize(b, request)
	k := p.redeem(a, request)
	if info := p.userinfo(k.Access); info["sub"] != k.claims["sub"] {
		p.t.Errorf("userinfo speaks of %v, the ID token of %v", info["sub"], k.claims["sub"])
	}
	return a, k
}

// refused is an authorization request that has to end in an error at the application.
func (p *party) refused(a answer, codes ...string) {
	p.t.Helper()
	if !slices.Contains(codes, a.Get("error")) || a.Has("code") {
		p.t.Errorf("%v at %+v, want %q", a.Values, a.last(), codes)
	}
}
