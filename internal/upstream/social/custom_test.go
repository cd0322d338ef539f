package social_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/session"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/social"
	"mangrove/internal/upstream/social/socialtest"
)

func scripted(t *testing.T, further ...string) map[string]json.RawMessage {
	t.Helper()
	o := map[string]json.RawMessage{}
	for i := 0; i+1 < len(further); i += 2 {
		o[further[i]] = json.RawMessage(further[i+1])
	}
	return o
}

// withScript are options with a script of that name.
func withScript(t *testing.T, name, source string) map[string]json.RawMessage {
	t.Helper()
	b, err := json.Marshal(map[string]string{name: source})
	if err != nil {
		t.Fatal(err)
	}
	return scripted(t, "scripts", string(b))
}

func TestCustomAuthorizationRequest(t *testing.T) {
	const base = `"authorizationURL":"https://as.example/authorize?tenant=north","tokenURL":"https://as.example/token","client_id":"me"`
	rows := []struct {
		options string
		scopes  []string
		params  url.Values
		want    string // of the query, beside what every request has
	}{
		{``, nil, nil, `tenant=north`},
		{`"scope":"a b"`, nil, nil, `scope=a b&tenant=north`},
		{`"scope":"a,b"`, nil, nil, `scope=a,b&tenant=north`},
		{`"scope":["a","b"]`, nil, nil, `scope=a b&tenant=north`},
		{`"scope":"a"`, []string{"b", "c"}, nil, `scope=a,b,c&tenant=north`},
		{`"scope":"a"`, []string{"a"}, nil, `scope=a&tenant=north`},
		{`"scope":["a"],"useOauthSpecScope":true`, []string{"b", "c"}, nil, `scope=a b c&tenant=north`},
		{``, []string{"b", "c"}, nil, `scope=b,c&tenant=north`},
		{`"authParams":{"x":"1","state":"s","client_id":"you","scope":"all","redirect_uri":"https://evil.example/","response_type":"token","n":2}`, nil, nil, `tenant=north&x=1`},
		{`"authParams":{"x":"1"},"authParamsMap":{"audience":"resource","login_hint":"x","acr_values":"y","ui_locales":"state"}`, nil,
			url.Values{"audience": {"api"}, "login_hint": {"pia"}, "ui_locales": {"sv"}}, `resource=api&tenant=north&x=pia`},
		{`"authParams":{"x":"1"},"upstream_params":{"x":{"value":"2"},"z":{"value":"3"}}`, nil, nil, `tenant=north&x=2&z=3`},
	}
	for _, row := range rows {
		c := &connection.Connection{ID: "con_1", Name: "acme", Strategy: "oauth2", Options: json.RawMessage("{" + base + strings.TrimSuffix(","+row.options, ",") + "}")}
		away, err := connector().Depart(t.Context(), c, upstream.Start{State: "st", CallbackURL: socialtest.CallbackURL, Scopes: row.scopes, Params: row.params})
		if err != nil {
			t.Errorf("%s: %v", row.options, err)
			continue
		}
		to, err := url.Parse(away.URL)
		if err != nil {
			t.Fatal(err)
		}
		q := to.Query()
		for name, want := range map[string]string{"state": "st", "client_id": "me", "redirect_uri": socialtest.CallbackURL, "response_type": "code"} {
			if !slices.Equal(q[name], []string{want}) {
				t.Errorf("%s: %s is %q", row.options, name, q[name])
			}
			q.Del(name)
		}
		got, err := url.QueryUnescape(q.Encode())
		if err != nil || got != row.want || to.Host != "as.example" {
			t.Errorf("%s: %s, want %s", row.options, got, row.want)
		}
	}
	for _, options := range []string{`{}`, `{"client_id":"me"}`, `{"client_id":"me","authorizationURL":"javascript:alert(1)"}`, `{"client_id":"me","authorizationURL":7}`} {
		c := &connection.Connection{Strategy: "oauth2", Options: json.RawMessage(options)}
		if _, err := connector().Depart(t.Context(), c, upstream.Start{State: "st"}); !errors.Is(err, upstream.ErrConfig) {
			t.Errorf("%s: %v", options, err)
		}
	}
}

// What a script is given, and in which forms it may answer.
func TestProfileScripts(t *testing.T) {
	rows := []struct{ script, want string }{
		{`function (accessToken, ctx, cb) { cb(null, {user_id: 'u', seen: Object.keys(ctx).sort(), options: Object.keys(ctx.options).sort(), same: accessToken === ctx.access_token}) }`,
			`{"options":["authParams","authorizationURL","client_id","scope","tokenURL"],"same":true,"seen":["access_token","acr","expires_in","options","refresh_token","token_type"]}`},
		{`function (accessToken, cb) { cb(null, {user_id: 'u', acr: cb.acr}) }`, `{"acr":"urn:north:low"}`},
		{`async function (accessToken, ctx) { return {id: 'u', acr: ctx.acr} }`, `{"acr":"urn:north:low"}`},
		{`module.exports = function fetchUserProfile(accessToken, ctx, cb) { cb(null, {user_id: 'u', id: 7}) };`, `{"id":7}`},
		{`function (a, c, cb) { cb(null, {user_id: 'u', email: 'a@x.example', email_verified: 'true', phone_verified: true, last_login: 1, user_metadata: {a: 1}, created_at: 1, "__proto__x": 1, roles: ['r']}) }`,
			`{"email":"a@x.example"}`},
	}
	d := socialtest.Start(t, "oauth2")
	for _, row := range rows {
		r, err := d.Login(t.Context(), t, connector(), d.Connection(withScript(t, "fetchUserProfile", row.script)), upstream.Start{})
		if err != nil {
			t.Errorf("%s: %v", row.script, err)
			continue
		}
		got := map[string]json.RawMessage{}
		for _, ch := range r.Claims.Attributes {
			got[ch.Name] = ch.Value
		}
		b, err := json.Marshal(got)
		if err != nil || string(b) != row.want || r.Claims.Subject != "u" {
			t.Errorf("%s\n got %s of %q, %v\nwant %s", row.script, b, r.Claims.Subject, err, row.want)
		}
	}
}

// A script that fails refuses the login. Its own words stay out of the log: they
// may speak of a person.
func TestFailingScripts(t *testing.T) {
	rows := []struct {
		script string
		is     *errs.Error
		cause  string
	}{
		{`function (a, c, cb) { cb(new Error('Ada (ada@x.example) is not allowed')) }`, upstream.ErrRefused, "fetchUserProfile: threw Error at line 1"},
		{"function (a, c, cb) {\n\n  JSON.parse('ada@x.example')\n}", upstream.ErrRefused, "fetchUserProfile: threw SyntaxError at line 3"},
		{`function (a, c, cb) { cb('ada@x.example') }`, upstream.ErrRefused, "fetchUserProfile: threw a value that is no Error"},
		{`function (a, c, cb) { c.none.x }`, upstream.ErrRefused, "fetchUserProfile: threw TypeError at line 1: cannot read property 'x' of undefined"},
		{`function (a, c, cb) { const e = new Error('x'); e.name = 'Ada'; throw e }`, upstream.ErrRefused, "fetchUserProfile: threw an error of a class of its own at line 1"},
		{`function (a, c, cb) { throw new TypeError('Ada is odd') }`, upstream.ErrRefused, "fetchUserProfile: threw TypeError at line 1"},
		{`function (a, c, cb) { const e = new Error('Ada'); e.code = 'MODULE_NOT_FOUND'; throw e }`, upstream.ErrRefused, "fetchUserProfile: threw Error at line 1"},
		{`function (a, c, cb) { cb(null, {get user_id() { throw new Error('Ada') }}) }`, upstream.ErrRefused, "The result cannot be written as JSON"},
		{`async function (a, c) { await fetch('http://10.0.0.1/?ada') }`, upstream.ErrRefused, "threw TypeError: fetch failed: a request to an internal address, which --outbound-allow does not name"},
		{`function (a, c, cb) { request.get('http://10.0.0.1/?ada', cb) }`, upstream.ErrRefused, "a request to an internal address, which --outbound-allow does not name"},
		{`async function (a, c) { await axios.get('http://127.0.0.1:1/?ada') }`, upstream.ErrRefused, "a request to a server that cannot be reached"},
		{`function (a, c, cb) { const e = new Error('Ada'); e.code = {}; throw e }`, upstream.ErrRefused, "fetchUserProfile: threw Error at line 1"},
		{`function (a, c, cb) { require('left-pad') }`, upstream.ErrRefused, "Cannot find module 'left-pad'"},
		{`function (a, c, cb) { throw null }`, upstream.ErrRefused, "threw a value that is no Error"},
		{`function (a, c, cb) { }`, upstream.ErrRefused, "no answer: the script has nothing left to do"},
		{`function (a, c, cb) { cb(null, null) }`, upstream.ErrRefused, "the result is no object"},
		{`function (a, c, cb) { cb(null, ['u']) }`, upstream.ErrRefused, "the result is no object"},
		{`function (a, c, cb) { cb(null, {email: 'ada@x.example'}) }`, upstream.ErrRefused, "names nobody"},
		{`function (a, c, cb) { cb(null, {user_id: {}}) }`, upstream.ErrRefused, "names nobody"},
		{`function (a, c, cb) { cb(null, {user_id: true}) }`, upstream.ErrRefused, "names nobody"},
		{`function (a, c, cb) { cb(null, {user_id: 'u', x: 'x'.repeat(2e5)}) }`, upstream.ErrRefused, "too much: the result is larger"},
		{`function (a, c, cb) { const l = []; for (;;) l.push(new Uint8Array(1 << 20)) }`, upstream.ErrRefused, "too much: out of memory"},
		{`function (a, c, cb) { cb(null, }`, upstream.ErrConfig, "syntax: line 1"},
		{`'ada'`, upstream.ErrConfig, "no function"},
	}
	d := socialtest.Start(t, "oauth2")
	for _, row := range rows {
		r, err := d.Login(t.Context(), t, connector(), d.Connection(withScript(t, "fetchUserProfile", row.script)), upstream.Start{})
		if !errors.Is(err, row.is) || !strings.Contains(fmt.Sprint(errs.From(err).Cause), row.cause) || r.Claims.Subject != "" {
			t.Errorf("%s\n got %v", row.script, err)
		}
		if strings.Contains(strings.ToLower(err.Error()), "ada") {
			t.Errorf("%s tells of a person: %v", row.script, err)
		}
	}
}

func TestNobodySaysWho(t *testing.T) {
	d := socialtest.Start(t, "oauth2")
	_, err := d.Login(t.Context(), t, connector(), d.Connection(scripted(t, "scripts", "{}")), upstream.Start{})
	if !errors.Is(err, upstream.ErrConfig) || !strings.Contains(err.Error(), "nothing says who") {
		t.Error(err)
	}
	d = socialtest.Start(t, "oauth2.idtoken")
	c := d.Connection(nil)
	mustLogin(t, d, c)
	// A token that was made for somebody else.
	s := upstream.Start{State: "s", CallbackURL: socialtest.CallbackURL}
	away, err := connector().Depart(t.Context(), c, s)
	if err != nil {
		t.Fatal(err)
	}
	got := d.Visit(t, away.URL)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		// {"iss":"https://tokens.example","aud":"other","sub":"t-44","exp":9999999999}
		_, _ = w.Write([]byte(`{"access_token":"x","id_token":"e30.eyJpc3MiOiJodHRwczovL3Rva2Vucy5leGFtcGxlIiwiYXVkIjoib3RoZXIiLCJzdWIiOiJ0LTQ0IiwiZXhwIjo5OTk5OTk5OTk5fQ.x"}`))
	}))
	defer other.Close()
	_, err = connector().Callback(t.Context(), d.Connection(scripted(t, "tokenURL", `"`+other.URL+`"`)), s, away.Pending, got)
	if !errors.Is(err, upstream.ErrRefused) || !strings.Contains(err.Error(), "aud does not name this client") {
		t.Error(err)
	}
}

func TestCustomLogout(t *testing.T) {
	s := upstream.Start{State: "st", CallbackURL: "https://id.example/logout"}
	f := session.Foreign{Name: "u", IDToken: "hint"}
	rows := []struct {
		options map[string]json.RawMessage
		foreign session.Foreign
		want    string // empty: nowhere
		err     error
	}{
		{scripted(t, "logoutUrl", `"https://as.example/out?a=1"`), f, "https://as.example/out?a=1", nil},
		{scripted(t, "logoutUrl", `"https://as.example/out?a=1"`), session.Foreign{}, "", nil},
		{scripted(t), f, "", nil},
		{scripted(t, "logoutUrl", `"javascript:alert(1)"`), f, "", upstream.ErrConfig},
		{withScript(t, "getLogoutUrl", `function (query, cb) { cb(null, 'https://as.example/out?' + new URLSearchParams({back: query.returnTo, s: query.state, h: query.id_token_hint})) }`), f,
			"https://as.example/out?back=https%3A%2F%2Fid.example%2Flogout&h=hint&s=st", nil},
		{withScript(t, "getLogoutUrl", `(query, cb) => cb()`), f, "", nil},
		{withScript(t, "getLogoutUrl", `(query, cb) => cb(null, 'data:text/html,x')`), f, "", upstream.ErrConfig},
		{withScript(t, "getLogoutUrl", `(query, cb) => cb(new Error('no'))`), f, "", upstream.ErrRefused},
	}
	for i, row := range rows {
		b, err := json.Marshal(row.options)
		if err != nil {
			t.Fatal(err)
		}
		c := &connection.Connection{Strategy: "oauth2", Options: b}
		d, ok, err := connector().Leave(t.Context(), c, row.foreign, s)
		if d.URL != row.want || ok != (row.want != "") || !errors.Is(err, row.err) || row.err == nil && err != nil {
			t.Errorf("%d: %q, %v, %v", i, d.URL, ok, err)
		}
	}
	d := socialtest.Start(t, "oauth2")
	if r := mustLogin(t, d, d.Connection(nil)); r.Foreign.Name != "7f3c" {
		t.Errorf("foreign %+v", r.Foreign)
	}
}

// OAuth 1: what comes back has to be of the credentials that this browser left with.
func TestOAuth1Callback(t *testing.T) {
	d := socialtest.Start(t, "twitter.oauth1")
	k, c := connector(), d.Connection(nil)
	s := upstream.Start{State: "st/1", CallbackURL: socialtest.CallbackURL}
	away, err := k.Depart(t.Context(), c, s)
	if err != nil {
		t.Fatal(err)
	}
	if to, err := url.Parse(away.URL); err != nil || to.Query().Get("oauth_token") != away.Pending.Token || away.Pending.TokenSecret == "" {
		t.Errorf("%s, %+v", away.URL, away.Pending)
	}
	got := d.Visit(t, away.URL)
	if got.Get("state") != "st/1" {
		t.Errorf("state did not come back: %v", got)
	}
	with := func(name, v string) url.Values {
		q := url.Values{}
		for n := range got {
			q.Set(n, got.Get(n))
		}
		q.Set(name, v)
		return q
	}
	another, err := k.Depart(t.Context(), c, s)
	if err != nil {
		t.Fatal(err)
	}
	for what, try := range map[string]struct {
		got     url.Values
		pending upstream.Pending
	}{
		"another token":      {with("oauth_token", another.Pending.Token), away.Pending},
		"another trip":       {got, another.Pending},
		"no pending":         {with("oauth_token", ""), upstream.Pending{}},
		"no verifier":        {with("oauth_verifier", ""), away.Pending},
		"the person refused": {with("denied", away.Pending.Token), away.Pending},
	} {
		before := d.Asked("token")
		r, err := k.Callback(t.Context(), c, s, try.pending, try.got)
		refused(t, what, r, err)
		if d.Asked("token") != before {
			t.Errorf("%s: the token endpoint was asked", what)
		}
	}
	r, err := k.Callback(t.Context(), c, s, away.Pending, with("oauth_verifier", "guessed"))
	refused(t, "guessed verifier", r, err)
	r = mustLogin(t, d, c)
	if string(r.Tokens) != `{"access_token":"6253282-eWudHldSbI","access_token_secret":"2EEfA6BG3ly3sR3"}` {
		t.Errorf("tokens %s", r.Tokens)
	}
	for _, secret := range []string{"2EEfA6BG3ly3sR3", "6253282-eWudHldSbI"} {
		if strings.Contains(string(r.Claims.Raw), secret) {
			t.Errorf("raw has %s", secret)
		}
	}
}

func TestOAuth1Provider(t *testing.T) {
	answers := map[string]string{}
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(answers[r.URL.Path]))
	}))
	defer p.Close()
	c := &connection.Connection{Strategy: "oauth1", Options: json.RawMessage(`{"consumerKey":"k","consumerSecret":"s","requestTokenURL":"` + p.URL + `/r","accessTokenURL":"` + p.URL + `/a","userAuthorizationURL":"` + p.URL + `/u?x=1"}`)}
	for answer, cause := range map[string]string{
		`oauth_token=t&oauth_token_secret=ada`:        "did not confirm the callback",
		`oauth_token=t&oauth_callback_confirmed=true`: "holds no credentials",
		`{"error":"ada"}`:                             "holds no credentials",
		``:                                            "holds no credentials",
		`%zz`:                                         "holds no credentials",
	} {
		answers["/r"] = answer
		_, err := connector().Depart(t.Context(), c, upstream.Start{State: "s", CallbackURL: socialtest.CallbackURL})
		if !errors.Is(err, upstream.ErrRefused) || !strings.Contains(err.Error(), cause) || strings.Contains(err.Error(), "ada") {
			t.Errorf("%s: %v", answer, err)
		}
	}
	answers["/r"] = `oauth_token=t&oauth_token_secret=ts&oauth_callback_confirmed=true`
	away, err := connector().Depart(t.Context(), c, upstream.Start{State: "s", CallbackURL: socialtest.CallbackURL})
	if err != nil || away.URL != p.URL+"/u?oauth_token=t&x=1" || away.Pending != (upstream.Pending{Token: "t", TokenSecret: "ts"}) {
		t.Errorf("%+v, %v", away, err)
	}
	c.Options = json.RawMessage(`{"requestTokenURL":"` + p.URL + `/r","accessTokenURL":"` + p.URL + `/a","userAuthorizationURL":"` + p.URL + `"}`)
	if _, err := connector().Depart(t.Context(), c, upstream.Start{}); !errors.Is(err, upstream.ErrConfig) {
		t.Errorf("without a key: %v", err)
	}
}

// The example of RFC 5849 §3.4.1.1.
func TestSignatureBaseString(t *testing.T) {
	parse := func(s string) url.Values {
		v, err := url.ParseQuery(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	oauth := url.Values{
		"oauth_consumer_key": {"9djdj82h48djs9d2"}, "oauth_token": {"kkk9d7dh3k39sjv7"}, "oauth_signature_method": {"HMAC-SHA1"},
		"oauth_timestamp": {"137131201"}, "oauth_nonce": {"7d8f3e4a"}, "oauth_signature": {"bYT5CMsGcbgUdFHObYMEfcx6bsw="}, "realm": {"Example"},
	}
	got := socialtest.BaseString("post", "http://example.com/request", oauth, parse("b5=%3D%253D&a3=a&c%40=&a2=r%20b"), parse("c2&a3=2+q"))
	const want = `POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2` +
		`%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTwitterProtocol(t *testing.T) {
	for options, first := range map[string]bool{`{}`: false, `{"protocol":"oauth2"}`: false, `{"protocol":"oauth1"}`: true, `{"protocol":1}`: false} {
		if p := social.Find("twitter", profileDocument(t, options)); (p.OAuth1 != nil) != first {
			t.Errorf("%s: %v", options, p.OAuth1)
		}
	}
}

func profileDocument(t *testing.T, raw string) map[string]json.RawMessage {
	t.Helper()
	m := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(raw), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestUnreadableScript: the administrator is told, and not the first person to sign in.
func TestUnreadableScript(t *testing.T) {
	const broken = `{"scripts":{"fetchUserProfile":"function (token, ctx, cb) {\n  cb(null, ]\n}"}}`
	for _, row := range []struct{ strategy, stored, next, want string }{
		{"oauth2", `{}`, broken, "options.scripts.fetchUserProfile is no JavaScript: line 2: "},
		{"oauth1", `{}`, broken, "options.scripts.fetchUserProfile is no JavaScript: line 2: "},
		{"oauth2", `{}`, `{"scripts":{"getLogoutUrl":"x y"}}`, "options.scripts.getLogoutUrl is no JavaScript: line 1: "},
		{"oauth2", broken, broken, ""},
		{"oauth2", broken, `{"scripts":{"fetchUserProfile":"(t, ctx, cb) => cb(null, {})"}}`, ""},
	} {
		_, err := social.Preparers()[row.strategy].Prepare(t.Context(), "acme", strictjson.ParseDocument([]byte(row.stored)), strictjson.ParseDocument([]byte(row.next)))
		if got := errs.From(err); row.want == "" && err != nil || row.want != "" && (got.Code != "invalid_body" || !strings.HasPrefix(got.Text, row.want)) {
			t.Errorf("%s: %v, want %s", row.next, err, row.want)
		}
	}
}
