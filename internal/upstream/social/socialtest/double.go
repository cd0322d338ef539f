package socialtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	jsonv2 "github.com/go-json-experiment/json"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/script"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/social"
)

// What a connection has where options.json says nothing else.
const (
	ClientID     = "c1ient0fmangrv"
	ClientSecret = "s3cr:et%"
	CallbackURL  = "https://id.example/login/callback"
)

// insists is what a provider insists on. Of parameters and headers the value has
// to be exactly this; "*" is any but none; "" is: must not be there.
type insists struct {
	// Protocol is empty for OAuth 2.0.
	Protocol string `json:"protocol"`
	// IDs are members that name the person beside those of the mapping.
	IDs []string `json:"ids"`
	// Authorize is the query of the authorization request.
	Authorize map[string]string `json:"authorize"`
	// Token and the others are the requests that follow.
	Token     request            `json:"token"`
	Endpoints map[string]request `json:"endpoints"`
}

type request struct {
	Method string `json:"method"` // empty: POST for the token, GET for others
	// Auth is post, basic or jwt for the token; header, oauth, query or none for others.
	Auth   string            `json:"auth"`
	Params map[string]string `json:"params"` // query or form
	Header map[string]string `json:"header"`
	Body   string            `json:"body"`
}

// Double answers like a provider. It is safe for use by several goroutines.
type Double struct {
	Case, Strategy string
	URL            string

	server  *httptest.Server
	insists insists
	options strictjson.Document
	key     *ecdsa.PrivateKey // signs ID tokens, and is Apple's app_secret
	closed  chan struct{}

	mu         sync.Mutex
	set        int
	callback   string
	rude       map[string]Mode
	trips      map[string]trip       // by code
	sent       map[string]url.Values // by state: what the browser brings back
	complaints []string
	asked      map[string]int
	now        func() time.Time
	// OAuth 1: by token, and what has been used.
	temporaries map[string]temporary
	nonces      map[string]bool
	seen        func(endpoint string)
	forms       map[string]url.Values // what was sent last, by endpoint
	idToken     []byte
	forge       func(token string) string
}

// trip is what has to fit when a code is redeemed.
type trip struct{ redirectURI, challenge, nonce string }

// Start runs the double of a case until the test ends. It answers with set 1.
func Start(t testing.TB, name string) *Double {
	t.Helper()
	d := &Double{
		Case: name, Strategy: StrategyOf(name), set: 1, callback: CallbackURL, closed: make(chan struct{}),
		rude: map[string]Mode{}, trips: map[string]trip{}, sent: map[string]url.Values{}, asked: map[string]int{}, forms: map[string]url.Values{}, now: time.Now,
		temporaries: map[string]temporary{}, nonces: map[string]bool{},
	}
	b, ok := read(name, "provider.json")
	if !ok {
		t.Fatalf("%s has no provider.json", name)
	}
	if err := jsonv2.Unmarshal(b, &d.insists, jsonv2.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("%s/provider.json: %v", name, err)
	}
	var err error
	if d.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	d.server = httptest.NewServer(http.HandlerFunc(d.serve))
	d.URL = d.server.URL
	t.Cleanup(func() { close(d.closed); d.server.Close() })
	d.options = d.makeOptions(t)
	return d
}

func (d *Double) makeOptions(t testing.TB) strictjson.Document {
	o := strictjson.Document{"client_id": profile.Text(ClientID), "client_secret": profile.Text(ClientSecret)}
	endpoints := map[string]string{}
	for _, name := range slices.Concat([]string{"authorize", "token", "jwks", "logout"}, slices.Collect(maps.Keys(d.insists.Endpoints))) {
		endpoints[name] = d.URL + "/" + name
	}
	raw, err := jsonv2.Marshal(endpoints, jsonv2.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	o["endpoints"] = json.RawMessage(raw)
	if b, ok := read(d.Case, "options.json"); ok {
		members, err := strictjson.Object([]byte(strings.ReplaceAll(string(b), "{{origin}}", d.URL)))
		if err != nil {
			t.Fatalf("%s/options.json: %v", d.Case, err)
		}
		maps.Copy(o, strictjson.NewDocument(members))
	}
	if d.insists.Token.Auth == "jwt" {
		der, err := x509.MarshalPKCS8PrivateKey(d.key)
		if err != nil {
			t.Fatal(err)
		}
		o["app_secret"] = profile.Text(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
		delete(o, "client_secret")
	}
	return o
}

// Options are those of a connection to the double.
func (d *Double) Options() json.RawMessage { return d.options.Encode() }

// Connection is a connection to the double with further options.
func (d *Double) Connection(further map[string]json.RawMessage) *connection.Connection {
	o := maps.Clone(d.options)
	maps.Copy(o, further)
	return &connection.Connection{
		ID: "con_0123456789abcdef", Name: "acme", Strategy: d.Strategy, Options: o.Encode(), EnabledClients: []string{"app"},
	}
}

// Use answers with the set from now on.
func (d *Double) Use(set int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.set = set
}

// Redirect is the one address to which the double sends browsers back; at first
// it is CallbackURL.
func (d *Double) Redirect(to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.callback = to
}

// Clock replaces the clock by which ID tokens are dated.
func (d *Double) Clock(now func() time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = now
}

// Seen is called at the beginning of each request, with the endpoint.
func (d *Double) Seen(f func(endpoint string)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = f
}

// SayIDToken makes the claims of all further ID tokens; forge, when not nil, changes
// the token after it was signed.
func (d *Double) SayIDToken(claims []byte, forge func(token string) string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.idToken, d.forge = claims, forge
}

// Sent is what came to the endpoint last: the form of token, the query of others.
func (d *Double) Sent(endpoint string) url.Values {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.forms[endpoint]
}

// Complaints are what was wrong with requests so far.
func (d *Double) Complaints() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.complaints)
}

// Asked is how often the endpoint was called.
func (d *Double) Asked(endpoint string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[endpoint]
}

// Visit is a browser that is sent to the double, where somebody consents: what it
// brings back to the callback.
func (d *Double) Visit(t testing.TB, address string) url.Values {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := *d.server.Client()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound && resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: the authorization request was answered with %d: %v", d.Case, resp.StatusCode, d.Complaints())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sent[r.URL.Query().Get("state")]
}

// Login is a whole trip through the connector.
func (d *Double) Login(ctx context.Context, t testing.TB, k upstream.Redirect, c *connection.Connection, s upstream.Start) (upstream.Result, error) {
	t.Helper()
	s.CallbackURL = d.callback
	if s.State == "" {
		s.State = "state-1"
	}
	if s.Nonce == "" {
		s.Nonce = "nonce-1"
	}
	away, err := k.Depart(ctx, c, s)
	if err != nil {
		return upstream.Result{}, err
	}
	return k.Callback(ctx, c, s, away.Pending, d.Visit(t, away.URL))
}

func (d *Double) serve(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	d.mu.Lock()
	d.asked[name]++
	mode, seen := d.rude[name], d.seen
	d.mu.Unlock()
	if seen != nil {
		seen(name)
	}
	if d.misbehave(w, r, name, mode) {
		return
	}
	if d.insists.Protocol == "oauth1" && d.serveOAuth1(w, r, name) {
		return
	}
	switch name {
	case "authorize":
		d.authorize(w, r)
	case "token":
		d.token(w, r, mode)
	case "jwks":
		w.Header().Set("Content-Type", "application/json")
		_ = jsonv2.MarshalWrite(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &d.key.PublicKey, KeyID: "key-1", Algorithm: "ES256", Use: "sig"}}})
	default:
		d.question(w, r, name, mode)
	}
}

func (d *Double) note(endpoint string, sent url.Values) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forms[endpoint] = sent
}

// complain answers with an error of the provider.
func (d *Double) complain(w http.ResponseWriter, status int, format string, args ...any) {
	d.mu.Lock()
	d.complaints = append(d.complaints, fmt.Sprintf(format, args...))
	d.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"error":"invalid_request","error_description":"the double has complaints"}`)
}

// differs says which value is not what the provider insists on.
func differs(want map[string]string, got func(string) string, what string) string {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if v := got(name); v != want[name] && (want[name] != "*" || v == "") {
			return fmt.Sprintf("%s %s is %q, not %q", what, name, v, want[name])
		}
	}
	return ""
}

func (d *Double) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	d.mu.Lock()
	callback, set, mode := d.callback, d.set, d.rude["user"]
	d.mu.Unlock()
	want := map[string]string{"response_type": "code", "client_id": d.options.Text("client_id"), "redirect_uri": callback, "state": "*"}
	maps.Copy(want, d.insists.Authorize)
	if wrong := differs(want, q.Get, "authorize:"); wrong != "" {
		d.complain(w, http.StatusBadRequest, "%s", wrong)
		return
	}
	code := rand.Text()
	back := url.Values{"code": {code}, "state": {q.Get("state")}}
	if b, ok := d.fixture(set, "user.json", trip{}); ok {
		back.Set("user", string(d.bend(b, mode)))
	}
	d.mu.Lock()
	d.trips[code] = trip{q.Get("redirect_uri"), q.Get("code_challenge"), q.Get("nonce")}
	d.sent[q.Get("state")] = back
	d.mu.Unlock()
	if q.Get("response_mode") == "form_post" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<form method="post" action="%s">`, html.EscapeString(callback))
		for name := range back {
			_, _ = fmt.Fprintf(w, `<input type="hidden" name="%s" value="%s">`, name, html.EscapeString(back.Get(name)))
		}
		_, _ = io.WriteString(w, `</form>`)
		return
	}
	http.Redirect(w, r, callback+"?"+back.Encode(), http.StatusFound)
}

func (d *Double) token(w http.ResponseWriter, r *http.Request, mode Mode) {
	rule := d.insists.Token
	if rule.Method == "" {
		rule.Method = http.MethodPost
	}
	if r.Method != rule.Method {
		d.complain(w, http.StatusMethodNotAllowed, "token: method %s", r.Method)
		return
	}
	if err := r.ParseForm(); err != nil {
		d.complain(w, http.StatusBadRequest, "token: %v", err)
		return
	}
	form := r.PostForm
	if rule.Method == http.MethodGet {
		form = r.URL.Query()
	} else if r.URL.RawQuery != "" {
		d.complain(w, http.StatusBadRequest, "token: a query beside the form")
		return
	}
	d.note("token", form)
	if wrong := d.clientAuth(r, form, rule.Auth); wrong != "" {
		d.complain(w, http.StatusUnauthorized, "token: %s", wrong)
		return
	}
	want := map[string]string{"grant_type": "authorization_code"}
	maps.Copy(want, rule.Params)
	if wrong := differs(want, form.Get, "token:"); wrong != "" {
		d.complain(w, http.StatusBadRequest, "%s", wrong)
		return
	}
	if wrong := differs(rule.Header, r.Header.Get, "token: header"); wrong != "" {
		d.complain(w, http.StatusBadRequest, "%s", wrong)
		return
	}
	d.mu.Lock()
	tr, ok := d.trips[form.Get("code")]
	delete(d.trips, form.Get("code"))
	set := d.set
	d.mu.Unlock()
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	switch {
	case !ok:
		d.complain(w, http.StatusBadRequest, "token: unknown code")
	case form.Get("redirect_uri") != tr.redirectURI:
		d.complain(w, http.StatusBadRequest, "token: redirect_uri")
	case tr.challenge != "" && base64.RawURLEncoding.EncodeToString(sum[:]) != tr.challenge, tr.challenge == "" && form.Has("code_verifier"):
		d.complain(w, http.StatusBadRequest, "token: code_verifier")
	default:
		d.answer(w, set, "token", tr, mode)
	}
}

// clientAuth says what is wrong with how the client proves who it is.
func (d *Double) clientAuth(r *http.Request, form url.Values, way string) string {
	id, secret := d.options.Text("client_id"), d.options.Text("client_secret")
	user, password, basic := r.BasicAuth()
	switch way {
	case "basic":
		user, _ = url.QueryUnescape(user)
		password, _ = url.QueryUnescape(password)
		if !basic || user != id || password != secret || form.Has("client_secret") {
			return "not by Basic, or wrong"
		}
	case "post":
		if basic || form.Get("client_id") != id || form.Get("client_secret") != secret {
			return "not in the form, or wrong"
		}
	case "jwt":
		if basic || form.Get("client_id") != id {
			return "client_id"
		}
		return d.appleSecret(form.Get("client_secret"))
	default:
		return "provider.json says nothing of auth"
	}
	return ""
}

func (d *Double) appleSecret(secret string) string {
	jws, err := jose.ParseSignedCompact(secret, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return "the secret is no ES256 token"
	}
	payload, err := jws.Verify(&d.key.PublicKey)
	if err != nil || jws.Signatures[0].Header.KeyID != d.options.Text("kid") {
		return "the secret is not signed by the key"
	}
	var c struct {
		Issuer, Subject, Audience string
		IssuedAt, Expires         int64
	}
	m := strictjson.ParseDocument(payload)
	c.Issuer, c.Subject, c.Audience = m.Text("iss"), m.Text("sub"), m.Text("aud")
	if jsonv2.Unmarshal(m["iat"], &c.IssuedAt) != nil || jsonv2.Unmarshal(m["exp"], &c.Expires) != nil {
		return "the secret has no times"
	}
	const sixMonths = 15777000
	if c.Issuer != d.options.Text("team_id") || c.Subject != d.options.Text("client_id") || c.Audience != "https://appleid.apple.com" {
		return "the secret is of somebody else"
	}
	if now := d.clock().Unix(); c.Expires <= now || c.Expires-c.IssuedAt > sixMonths {
		return "the secret has expired, or lives too long"
	}
	return ""
}

func (d *Double) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now()
}

// question is a request with an access token.
func (d *Double) question(w http.ResponseWriter, r *http.Request, name string, mode Mode) {
	rule, ok := d.insists.Endpoints[name]
	if !ok {
		d.complain(w, http.StatusNotFound, "there is no endpoint %s", name)
		return
	}
	if rule.Method == "" {
		rule.Method = http.MethodGet
	}
	d.mu.Lock()
	set := d.set
	d.mu.Unlock()
	access := d.accessToken(set)
	header, q := r.Header.Get("Authorization"), r.URL.Query()
	d.note(name, q)
	shown := map[string]bool{
		"header": header == "Bearer "+access && !q.Has("access_token"),
		"oauth":  header == "OAuth "+access && !q.Has("access_token"),
		"query":  header == "" && q.Get("access_token") == access,
		"none":   header == "" && !q.Has("access_token"),
	}
	if !shown[rule.Auth] {
		d.complain(w, http.StatusUnauthorized, "%s: the access token is not shown by %s", name, rule.Auth)
		return
	}
	if r.Method != rule.Method {
		d.complain(w, http.StatusMethodNotAllowed, "%s: method %s", name, r.Method)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil || string(body) != rule.Body {
		d.complain(w, http.StatusBadRequest, "%s: body %q", name, body)
		return
	}
	if wrong := differs(rule.Params, q.Get, name+":"); wrong != "" {
		d.complain(w, http.StatusBadRequest, "%s", wrong)
		return
	}
	if wrong := differs(rule.Header, r.Header.Get, name+": header"); wrong != "" {
		d.complain(w, http.StatusBadRequest, "%s", wrong)
		return
	}
	d.answer(w, set, name, trip{}, mode)
}

// answer sends a fixture.
func (d *Double) answer(w http.ResponseWriter, set int, name string, tr trip, mode Mode) {
	if b, ok := d.fixture(set, name+".txt", tr); ok {
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		_, _ = w.Write([]byte(strings.TrimSpace(string(b))))
		return
	}
	b, ok := d.fixture(set, name+".json", tr)
	if !ok {
		d.complain(w, http.StatusNotFound, "%s/%d has no %s.json", d.Case, set, name)
		return
	}
	if name == "token" {
		if claims, ok := d.fixture(set, "id_token.json", tr); ok {
			d.mu.Lock()
			said, forge := d.idToken, d.forge
			d.mu.Unlock()
			if said != nil {
				claims = said
			}
			id, err := d.sign(d.bend(claims, mode))
			if err != nil {
				d.complain(w, http.StatusInternalServerError, "id_token: %v", err)
				return
			}
			if forge != nil {
				id = forge(id)
			}
			at := strings.LastIndexByte(string(b), '}')
			b = fmt.Appendf(nil, `%s,"id_token":"%s"}`, b[:at], id)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(d.bend(b, mode))
}

// sign makes an ID token of its claims.
func (d *Double) sign(claims []byte) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: d.key, KeyID: "key-1"}}, nil)
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// fixture is a file of a set with its placeholders filled.
func (d *Double) fixture(set int, file string, tr trip) ([]byte, bool) {
	b, ok := read(d.Case, strconv.Itoa(set)+"/"+file)
	if !ok {
		return nil, false
	}
	now := d.clock().Unix()
	filled := strings.NewReplacer(
		"{{origin}}", d.URL, "{{client_id}}", d.options.Text("client_id"), "{{nonce}}", tr.nonce,
		`"{{iat}}"`, strconv.FormatInt(now, 10), `"{{exp}}"`, strconv.FormatInt(now+3600, 10),
	).Replace(string(b))
	return []byte(strings.TrimSpace(filled)), true
}

var accessTokenIn = regexp.MustCompile(`"access_token"\s*:\s*"([^"]+)"`)

// accessToken is the one of the set's token answer.
func (d *Double) accessToken(set int) string {
	if b, ok := d.fixture(set, "token.txt", trip{}); ok {
		v, _ := url.ParseQuery(string(b))
		return v.Get("access_token")
	}
	b, _ := d.fixture(set, "token.json", trip{})
	if m := accessTokenIn.FindSubmatch(b); m != nil {
		return string(m[1])
	}
	return ""
}

// Connector is a social connector that asks by the client.
func Connector(client *http.Client) *social.Connector { return ConnectorAt(client, time.Now) }

// ConnectorAt is Connector with a clock.
func ConnectorAt(client *http.Client, now func() time.Time) *social.Connector {
	return social.New(client, script.New(client, rand.Reader, 0), now, rand.Reader)
}
