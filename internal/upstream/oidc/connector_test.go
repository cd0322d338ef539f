package oidc

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/fakeidp"
	"mangrove/internal/outbound"
	"mangrove/internal/profile"
	"mangrove/internal/upstream"
)

const callbackURL = "https://id.example/login/callback"

// rig is a provider, a connector and a connection between them.
type rig struct {
	t         *testing.T
	idp       *fakeidp.IdP
	connector *Connector
	options   map[string]any
	mu        sync.Mutex
	clock     time.Time
}

func newRig(t *testing.T, o fakeidp.Options) *rig {
	t.Helper()
	r := &rig{t: t, clock: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	o.Now = r.now
	o.Clients = []fakeidp.Client{{ID: "mangrove", Secret: "s3cr:et%", RedirectURIs: []string{callbackURL}}}
	r.idp = fakeidp.New(o)
	server := httptest.NewServer(r.idp)
	t.Cleanup(server.Close)
	r.idp.SetIssuer(server.URL)
	r.idp.SetPerson("u-77", map[string]any{
		"email": "p@x.example", "email_verified": true, "name": "Pia Lind",
		"preferred_username": "pia", "groups": []string{"a"}, "dept": "R&D",
	})
	r.options = map[string]any{
		"type": "back_channel", "issuer": r.idp.Issuer(), "client_id": "mangrove", "client_secret": "s3cr:et%",
	}
	r.fresh()
	return r
}

// fresh forgets what the connector has cached.
func (r *rig) fresh() {
	r.connector = New(outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}), r.now, rand.Reader)
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clock
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock = r.clock.Add(d)
}

func (r *rig) connection() *connection.Connection {
	r.t.Helper()
	raw, err := json.Marshal(r.options)
	if err != nil {
		r.t.Fatal(err)
	}
	return &connection.Connection{ID: "con_0123456789abcdef", Name: "acme", Strategy: "oidc", Options: raw}
}

// trip is a browser's way to the provider and back.
type trip struct {
	c       *connection.Connection
	start   upstream.Start
	pending upstream.Pending
	sent    url.Values // what went to the provider
	got     url.Values // what came back
}

func (r *rig) leave(s upstream.Start) (trip, error) {
	r.t.Helper()
	if s.State == "" {
		s.State = "state-1"
	}
	s.Nonce, s.CallbackURL = "nonce-1", callbackURL
	tr := trip{c: r.connection(), start: s}
	to, pending, err := r.connector.AuthorizeURL(r.t.Context(), tr.c, s)
	if err != nil {
		return tr, err
	}
	tr.pending = pending
	u, err := url.Parse(to)
	if err != nil {
		r.t.Fatal(err)
	}
	tr.sent = u.Query()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(to)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if resp.StatusCode == http.StatusFound {
		back, err := resp.Location()
		if err != nil {
			r.t.Fatal(err)
		}
		tr.got = back.Query()
	} else {
		tr.got = fields(r.t, string(body))
	}
	return tr, nil
}

// fields are the inputs of the form that the provider's page would post.
func fields(t *testing.T, html string) url.Values {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	v := url.Values{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return v
		}
		if err != nil {
			t.Fatalf("%v in %s", err, html)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "input" {
			attr := map[string]string{}
			for _, a := range e.Attr {
				attr[a.Name.Local] = a.Value
			}
			v.Set(attr["name"], attr["value"])
		}
	}
}

func (r *rig) comeBack(tr trip) (upstream.Result, error) {
	return r.connector.Callback(r.t.Context(), tr.c, tr.start, tr.pending, tr.got)
}

func (r *rig) login() (upstream.Result, error) {
	r.t.Helper()
	tr, err := r.leave(upstream.Start{})
	if err != nil {
		return upstream.Result{}, err
	}
	return r.comeBack(tr)
}

func (r *rig) mustLogin() upstream.Result {
	r.t.Helper()
	result, err := r.login()
	if err != nil {
		r.t.Fatal(err)
	}
	return result
}

func values(list []profile.Change) map[string]string {
	m := map[string]string{}
	for _, c := range list {
		m[c.Name] = string(c.Value)
	}
	return m
}

func TestPoliteLogin(t *testing.T) {
	for _, alg := range []string{"ES256", "RS256", "PS256"} {
		for _, kind := range []string{"back_channel", "front_channel"} {
			t.Run(alg+" "+kind, func(t *testing.T) {
				r := newRig(t, fakeidp.Options{Alg: alg})
				r.options["type"] = kind
				result := r.mustLogin()
				if result.Claims.Subject != "u-77" {
					t.Errorf("subject %q", result.Claims.Subject)
				}
				got := values(result.Claims.Attributes)
				want := map[string]string{
					"email": `"p@x.example"`, "email_verified": "true", "name": `"Pia Lind"`,
					"preferred_username": `"pia"`, "dept": `"R&D"`,
				}
				if len(got) != len(want) {
					t.Errorf("attributes %v", got)
				}
				for name, v := range want {
					if got[name] != v {
						t.Errorf("%s: %s, want %s", name, got[name], v)
					}
				}
				var raw map[string]any
				if err := json.Unmarshal(result.Claims.Raw, &raw); err != nil || raw["sub"] != "u-77" || raw["groups"] == nil {
					t.Errorf("raw %s: %v", result.Claims.Raw, err)
				}
				checkTokens(t, result.Tokens, kind == "back_channel")
				if n := r.idp.Count(fakeidp.Userinfo); n != 0 {
					t.Errorf("userinfo was asked %d times without need", n)
				}
			})
		}
	}
}

func checkTokens(t *testing.T, tokens profile.Value, wanted bool) {
	t.Helper()
	if !wanted {
		if tokens != nil {
			t.Errorf("tokens %s", tokens)
		}
		return
	}
	var m map[string]any
	if err := json.Unmarshal(tokens, &m); err != nil {
		t.Fatal(err)
	}
	if m["access_token"] == "" || m["refresh_token"] == "" || m["expires_in"] != 3600.0 || len(m) != 3 {
		t.Errorf("tokens %v", m)
	}
}

// Each way of being rude is refused; the polite twin before and after it is not.
func TestRudeProvider(t *testing.T) {
	rows := []struct {
		name        string
		mode        fakeidp.Mode
		at          []string
		back, front bool // in which flow it shows
		leaving     bool // it shows before the browser leaves
	}{
		{"wrong nonce", fakeidp.WrongNonce, nil, true, true, false},
		{"no nonce", fakeidp.NoNonce, nil, true, true, false},
		{"wrong issuer", fakeidp.WrongIssuer, nil, true, true, false},
		{"wrong audience", fakeidp.WrongAudience, nil, true, true, false},
		{"two audiences, no azp", fakeidp.ManyAudiences, nil, true, true, false},
		{"azp of another", fakeidp.WrongParty, nil, true, true, false},
		{"expired", fakeidp.Expired, nil, true, true, false},
		{"not yet valid", fakeidp.NotYet, nil, true, true, false},
		{"issued in the future", fakeidp.FutureIssue, nil, true, true, false},
		{"issued yesterday", fakeidp.StaleIssue, nil, true, true, false},
		{"no iat", fakeidp.NoIssue, nil, true, true, false},
		{"alg none", fakeidp.Unsigned, nil, true, true, false},
		{"HS256 with the public key", fakeidp.HMAC, nil, true, true, false},
		{"unknown key", fakeidp.OtherKey, nil, true, true, false},
		{"other key, same kid", fakeidp.ForgedKey, nil, true, true, false},
		{"key in the header", fakeidp.HeaderKey, nil, true, true, false},
		{"no sub", fakeidp.NoSubject, nil, true, true, false},
		{"empty sub", fakeidp.EmptySubject, nil, true, true, false},
		{"sub a number", fakeidp.NumberSubject, nil, true, true, false},
		{"two sub", fakeidp.DoubledClaim, nil, true, true, false},
		{"no id token", fakeidp.NoIDToken, nil, true, false, false},
		{"iss parameter of another", fakeidp.WrongIssParameter, nil, true, true, false},
		{"no iss parameter though announced", fakeidp.NoIssParameter, nil, true, true, false},
		{"discovery of another issuer", fakeidp.WrongDiscoveryIssuer, nil, true, true, true},
		{"huge discovery", fakeidp.Huge, []string{fakeidp.Discovery}, true, true, true},
		{"huge keys", fakeidp.Huge, []string{fakeidp.JWKS}, true, true, false},
		{"huge token answer", fakeidp.Huge, []string{fakeidp.Token}, true, false, false},
		{"discovery loops", fakeidp.RedirectLoop, []string{fakeidp.Discovery}, true, true, true},
		{"keys loop", fakeidp.RedirectLoop, []string{fakeidp.JWKS}, true, true, false},
		{"token endpoint loops", fakeidp.RedirectLoop, []string{fakeidp.Token}, true, false, false},
		{"token endpoint sends the secret on", fakeidp.RedirectAway, []string{fakeidp.Token}, true, false, false},
		{"discovery fails", fakeidp.ServerFailure, []string{fakeidp.Discovery}, true, true, true},
		{"keys fail", fakeidp.ServerFailure, []string{fakeidp.JWKS}, true, true, false},
		{"token endpoint fails", fakeidp.ServerFailure, []string{fakeidp.Token}, true, false, false},
		{"discovery is garbage", fakeidp.Garbage, []string{fakeidp.Discovery}, true, true, true},
		{"keys are garbage", fakeidp.Garbage, []string{fakeidp.JWKS}, true, true, false},
		{"token answer is garbage", fakeidp.Garbage, []string{fakeidp.Token}, true, false, false},
	}
	for _, row := range rows {
		for _, kind := range []string{"back_channel", "front_channel"} {
			if kind == "back_channel" && !row.back || kind == "front_channel" && !row.front {
				continue
			}
			t.Run(row.name+" "+kind, func(t *testing.T) {
				r := newRig(t, fakeidp.Options{})
				r.options["type"] = kind
				r.mustLogin()
				r.fresh()
				r.idp.Rude(row.mode, row.at...)
				tr, err := r.leave(upstream.Start{})
				var result upstream.Result
				if err == nil {
					if row.leaving {
						t.Fatal("the browser was sent there")
					}
					result, err = r.comeBack(tr)
				}
				checkRefusal(t, r, result, err)
				r.idp.Rude(fakeidp.Polite)
				r.fresh()
				r.mustLogin()
			})
		}
	}
}

func checkRefusal(t *testing.T, r *rig, result upstream.Result, err error) {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != "access_denied" || e.Cause == nil {
		t.Fatalf("got %v", err)
	}
	if result.Claims.Subject != "" || result.Tokens != nil {
		t.Errorf("a refused login gave %v", result)
	}
	for _, secret := range []string{"p@x.example", "Pia", "u-77", "s3cr", r.idp.Issuer()} {
		if strings.Contains(e.Text, secret) || strings.Contains(e.Cause.Error(), secret) && secret != r.idp.Issuer() {
			t.Errorf("the refusal tells %q: %v", secret, err)
		}
	}
}

func TestUserinfoOfSomebodyElse(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	r.options["attribute_map"] = map[string]any{
		"mapping_mode": "use_map", "userinfo_scope": "phone email",
		"attributes": map[string]any{"name": "${context.userinfo.name}", "dept": "${context.userinfo.dept}"},
	}
	for _, mode := range []fakeidp.Mode{fakeidp.OtherSubject, fakeidp.Garbage, fakeidp.Huge, fakeidp.ServerFailure, fakeidp.RedirectLoop} {
		r.idp.Rude(mode, fakeidp.Userinfo)
		result, err := r.login()
		checkRefusal(t, r, result, err)
	}
	r.idp.Rude(fakeidp.Polite)
	tr, err := r.leave(upstream.Start{})
	if err != nil {
		t.Fatal(err)
	}
	if got := tr.sent.Get("scope"); got != "openid profile email phone" {
		t.Errorf("scope %q", got)
	}
	result, err := r.comeBack(tr)
	if err != nil {
		t.Fatal(err)
	}
	if got := values(result.Claims.Attributes); len(got) != 2 || got["name"] != `"Pia Lind"` || got["dept"] != `"R&D"` {
		t.Errorf("attributes %v", got)
	}
}

// A provider that says nothing is given up with the caller.
func TestSilentProvider(t *testing.T) {
	for _, endpoint := range []string{fakeidp.Discovery, fakeidp.JWKS, fakeidp.Token} {
		seen := make(chan string, 16)
		r := newRig(t, fakeidp.Options{Seen: func(e string) { seen <- e }})
		r.idp.Rude(fakeidp.Silent, endpoint)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			tr := trip{c: r.connection(), start: upstream.Start{State: "s", Nonce: "nonce-1", CallbackURL: callbackURL}}
			to, pending, err := r.connector.AuthorizeURL(ctx, tr.c, tr.start)
			if err != nil {
				done <- err
				return
			}
			browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			resp, err := browser.Get(to)
			if err != nil {
				done <- err
				return
			}
			_ = resp.Body.Close()
			back, err := resp.Location()
			if err != nil {
				done <- err
				return
			}
			_, err = r.connector.Callback(ctx, tr.c, tr.start, pending, back.Query())
			done <- err
		}()
		for e := range seen {
			if e == endpoint {
				break
			}
		}
		cancel()
		if err := <-done; !errors.Is(err, errUnreachable.Because(nil)) {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestCodeGoesNowhereWithoutTheRightIssuer(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	tr, err := r.leave(upstream.Start{})
	if err != nil {
		t.Fatal(err)
	}
	iss := tr.got.Get("iss")
	for _, wrong := range []string{"", "https://someone-else.example", iss + "/"} {
		tr.got.Set("iss", wrong)
		if _, err := r.comeBack(tr); err == nil {
			t.Errorf("iss %q was accepted", wrong)
		}
	}
	if n := r.idp.Count(fakeidp.Token); n != 0 {
		t.Fatalf("%d token requests", n)
	}
	tr.got.Set("iss", iss)
	if _, err := r.comeBack(tr); err != nil {
		t.Error(err)
	}
	if _, err := r.comeBack(tr); err == nil {
		t.Error("a code was redeemed twice")
	}
}

func TestPKCE(t *testing.T) {
	rows := []struct {
		setting   string
		supported []string
		want      string
	}{
		{"", nil, "S256"},
		{"auto", nil, "S256"},
		{"auto", []string{"plain", "S256"}, "S256"},
		{"auto", []string{"plain"}, "plain"},
		{"auto", []string{"S512"}, ""},
		{"S256", []string{"plain"}, "S256"},
		{"plain", nil, "plain"},
		{"disabled", []string{"S256"}, ""},
	}
	for _, row := range rows {
		r := newRig(t, fakeidp.Options{PKCEMethods: row.supported})
		if row.setting != "" {
			r.options["connection_settings"] = map[string]any{"pkce": row.setting}
		}
		tr, err := r.leave(upstream.Start{})
		if err != nil {
			t.Fatal(err)
		}
		if got := tr.sent.Get("code_challenge_method"); got != row.want || (tr.sent.Get("code_challenge") == "") != (row.want == "") {
			t.Errorf("%v: method %q", row, got)
		}
		if (tr.pending.Verifier == "") != (row.want == "") || row.want == "S256" && tr.sent.Get("code_challenge") == tr.pending.Verifier {
			t.Errorf("%v: verifier %q", row, tr.pending.Verifier)
		}
		if _, err := r.comeBack(tr); err != nil {
			t.Errorf("%v: %v", row, err)
		}
	}
}

func TestClientAuthentication(t *testing.T) {
	rows := []struct {
		method    string
		supported []string
		leaves    bool
	}{
		{"", []string{"client_secret_post"}, true},
		{"", []string{"client_secret_basic"}, true},
		{"", nil, true},
		{"client_secret_post", []string{"client_secret_post", "client_secret_basic"}, true},
		{"client_secret_basic", []string{"client_secret_basic"}, true},
		{"private_key_jwt", nil, false},
	}
	for _, row := range rows {
		r := newRig(t, fakeidp.Options{AuthMethods: row.supported})
		if row.method != "" {
			r.options["token_endpoint_auth_method"] = row.method
		}
		_, err := r.login()
		if (err == nil) != row.leaves {
			t.Errorf("%v: %v", row, err)
		}
		if want := map[bool]int{true: 1, false: 0}[row.leaves]; r.idp.Count(fakeidp.Token) != want {
			t.Errorf("%v: %d token requests", row, r.idp.Count(fakeidp.Token))
		}
	}
}

func TestFlowWithoutType(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	delete(r.options, "type")
	tr, err := r.leave(upstream.Start{})
	if err != nil || tr.sent.Get("response_type") != "code" {
		t.Errorf("with a secret: %v %v", tr.sent, err)
	}
	delete(r.options, "client_secret")
	tr, err = r.leave(upstream.Start{})
	if err != nil || tr.sent.Get("response_type") != "id_token" || tr.sent.Get("response_mode") != "form_post" {
		t.Errorf("without: %v %v", tr.sent, err)
	}
}

func TestAuthorizationRequest(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	r.options["scope"] = "openid email"
	r.options["upstream_params"] = map[string]any{
		"screen_name":  map[string]any{"alias": "login_hint"},
		"hd":           map[string]any{"value": "x.example"},
		"acr_values":   map[string]any{"alias": "acr_values"},
		"state":        map[string]any{"value": "fixed"},
		"redirect_uri": map[string]any{"value": "https://evil.example"},
		"nonce":        map[string]any{"alias": "login_hint"},
		"scope":        map[string]any{"value": "everything"},
		"client_id":    map[string]any{"alias": "client_id"},
	}
	tr, err := r.leave(upstream.Start{
		State: "st", LoginHint: "pia@x.example",
		Params: url.Values{"login_hint": {"pia@x.example"}, "prompt": {"select_account"}, "client_id": {"our-client"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"client_id": "mangrove", "redirect_uri": callbackURL, "scope": "openid email", "state": "st", "nonce": "nonce-1",
		"response_type": "code", "login_hint": "pia@x.example", "screen_name": "pia@x.example", "hd": "x.example",
		"prompt": "select_account", "code_challenge_method": "S256", "code_challenge": tr.sent.Get("code_challenge"),
	}
	for name, v := range want {
		if got := tr.sent[name]; !slices.Equal(got, []string{v}) {
			t.Errorf("%s: %q, want %q", name, got, v)
		}
	}
	if len(tr.sent) != len(want) {
		t.Errorf("sent %v", tr.sent)
	}
	tr, err = r.leave(upstream.Start{Params: url.Values{"prompt": {"consent"}}})
	if err != nil || tr.sent.Has("prompt") || tr.sent.Has("screen_name") || tr.sent.Has("login_hint") {
		t.Errorf("sent %v, %v", tr.sent, err)
	}
}

func TestKeyRotation(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	r.mustLogin()
	r.idp.RotateKey()
	if _, err := r.login(); err == nil {
		t.Error("the set was asked again within the minute")
	}
	r.pass(refetchAfter)
	r.mustLogin()
	if n := r.idp.Count(fakeidp.JWKS); n != 2 {
		t.Errorf("%d requests for keys", n)
	}
}

func TestUnknownKeyAThousandTimes(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	r.options["type"] = "front_channel"
	r.mustLogin()
	r.idp.Rude(fakeidp.OtherKey)
	tr, err := r.leave(upstream.Start{})
	if err != nil {
		t.Fatal(err)
	}
	r.pass(refetchAfter)
	for range 1000 {
		if _, err := r.comeBack(tr); err == nil {
			t.Fatal("accepted")
		}
	}
	if n := r.idp.Count(fakeidp.JWKS); n != 2 {
		t.Errorf("%d requests for keys", n)
	}
}

func TestWithdrawnKeyIsForgotten(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	r.options["type"] = "front_channel"
	tr, err := r.leave(upstream.Start{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.comeBack(tr); err != nil {
		t.Fatal(err)
	}
	r.idp.RotateKey()
	r.pass(keysTTL - time.Minute) // the token itself lives an hour
	if _, err := r.comeBack(tr); err != nil {
		t.Errorf("before: %v", err)
	}
	r.pass(time.Minute)
	if _, err := r.comeBack(tr); err == nil {
		t.Error("after: accepted")
	}
}

func TestDiscoveryOnceForAll(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, _, err := r.connector.AuthorizeURL(t.Context(), r.connection(), upstream.Start{State: "s", Nonce: "n", CallbackURL: callbackURL}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := r.idp.Count(fakeidp.Discovery); n != 1 {
		t.Errorf("%d requests for the document", n)
	}
	r.pass(discoveryTTL)
	r.mustLogin()
	if n := r.idp.Count(fakeidp.Discovery); n != 2 {
		t.Errorf("%d requests after an hour", n)
	}
}

func TestAlgorithmsOfTheConnection(t *testing.T) {
	r := newRig(t, fakeidp.Options{Alg: "RS256"})
	for _, row := range []struct {
		algs []string
		ok   bool
	}{{[]string{"RS256"}, true}, {[]string{"ES256", "RS256"}, true}, {[]string{"ES256"}, false}, {[]string{"none", "HS256"}, false}} {
		r.options["id_token_signed_response_algs"] = row.algs
		if _, err := r.login(); (err == nil) != row.ok {
			t.Errorf("%v: %v", row.algs, err)
		}
	}
}

func TestTokenWithoutKeyID(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	r.idp.Rude(fakeidp.NoKeyID)
	r.mustLogin()
}

// An address inside is not asked, whatever the options say.
func TestInternalAddressesAreNotAsked(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	r.connector = New(outbound.New(nil), r.now, rand.Reader)
	if _, err := r.leave(upstream.Start{}); !errors.Is(err, outbound.ErrInternalAddress) || !errors.Is(err, errUnreachable.Because(nil)) {
		t.Errorf("got %v", err)
	}
	if n := r.idp.Count(fakeidp.Discovery); n != 0 {
		t.Errorf("%d requests", n)
	}
}
