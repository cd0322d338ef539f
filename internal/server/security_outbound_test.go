package server_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mangrove/internal/config"
	"mangrove/internal/fakeidp"
	"mangrove/internal/server"
	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/social/socialtest"
)

// inside is a service that nobody from outside may reach. It counts connections.
type inside struct {
	hosts []string // with ports; some are of no service of ours
	met   atomic.Int64
}

const insideSays = "answer-of-the-inside"

// Accept is counted before anything is read: a dial is one too many.
type counted struct {
	net.Listener
	met *atomic.Int64
}

func (c counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.met.Add(1)
	}
	return conn, err
}

func newInside(t *testing.T, addresses ...string) *inside {
	t.Helper()
	in := &inside{}
	for _, address := range addresses {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			t.Logf("%s is not there: %v", address, err)
			continue
		}
		s := &httptest.Server{Listener: counted{l, &in.met}, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"issuer":"`+insideSays+`","access_token":"`+insideSays+`","token_type":"Bearer","sub":"`+insideSays+`","id":"`+insideSays+`","name":"`+insideSays+`"}`)
		})}}
		s.Start()
		t.Cleanup(s.Close)
		in.hosts = append(in.hosts, l.Addr().String())
		if address == "127.0.0.1" {
			_, port, _ := net.SplitHostPort(l.Addr().String())
			in.hosts = append(in.hosts, "localhost:"+port, "[::ffff:127.0.0.1]:"+port)
		}
	}
	in.hosts = append(in.hosts, "169.254.169.254")
	return in
}

func (in *inside) untouched(t *testing.T, what string) {
	t.Helper()
	if n := in.met.Swap(0); n > 0 {
		t.Errorf("%s: the inside was reached %d times", what, n)
	}
}

// unreachable checks what a person or an application is told.
func unreachable(t *testing.T, what string, query url.Values, page string) {
	t.Helper()
	told := query.Get("error_description") + page
	if query.Has("code") || strings.Contains(told, insideSays) || strings.Contains(told, "169.254") || strings.Contains(told, "internal address") {
		t.Errorf("%s: told %v %.300s", what, query, page)
	}
	if query != nil && query.Get("error") != "access_denied" {
		t.Errorf("%s: told %v", what, query)
	}
}

// guarded is a server that may reach the networks and no other.
func guarded(t *testing.T, allow ...netip.Prefix) *world {
	t.Helper()
	return newWorldIn(t, t.TempDir(), storetest.EmptyURL(t, storetest.SQLite), func(c *config.Config, _ *server.Options) { c.OutboundAllow = allow })
}

// pretend answers a login for a provider that nobody has asked: the browser comes
// back with whatever it likes. nonce is what the provider would have put into a token.
func (a *application) pretend(connection string, say func(asked url.Values) url.Values) (url.Values, string, *url.URL) {
	a.w.t.Helper()
	b := a.w.newBrowser()
	address, _ := a.begin(connection)
	res, err := b.client.Get(address)
	if err != nil {
		a.w.t.Fatal(err)
	}
	to, err := res.Location()
	if err != nil || to.Host == "app.example" { // it failed before it left
		return b.answer(res, nil)
	}
	res.Body.Close()
	got := say(to.Query())
	got.Set("state", to.Query().Get("state"))
	return b.submit(a.w.url+"/login/callback", got)
}

func withCode(url.Values) url.Values { return url.Values{"code": {"x"}} }

// security.md 95, 98: whatever a connection has us ask is refused where it leads
// inside, when it is written and when somebody signs in.
func TestNothingLeadsInside(t *testing.T) {
	w := guarded(t)
	in := newInside(t, "127.0.0.1", "::1")
	cases := socialtest.Cases(t)
	for i, host := range in.hosts {
		at := "http://" + host
		what := func(kind string) string { return kind + " at " + host }
		name := func(kind string) string { return fmt.Sprintf("%s-%d", strings.NewReplacer(".", "-").Replace(kind), i) }

		// OpenID Connect: the document, the tokens, the keys.
		w.laid("oidc", name("discovery"), map[string]any{"type": "back_channel", "client_id": "c", "client_secret": "s", "discovery_url": at + "/.well-known/openid-configuration"}, nil)
		w.laid("waad", name("waad"), map[string]any{"client_id": "c", "client_secret": "s", "tenant_domain": "corp.example", "endpoints": map[string]any{"authority": at}}, nil)
		byHand := map[string]any{
			"client_id": "c", "client_secret": "s", "issuer": at, "authorization_endpoint": "http://public.example/a", "token_endpoint": at + "/token", "jwks_uri": at + "/jwks",
		}
		w.laid("oidc", name("tokens"), byHand, map[string]any{"type": "back_channel"})
		w.laid("oidc", name("keys"), byHand, map[string]any{"type": "front_channel"})
		a := w.newApplication(name("discovery"), name("waad"), name("tokens"), name("keys"))
		token := func(asked url.Values) url.Values {
			payload, err := json.Marshal(map[string]any{"iss": at, "aud": "c", "sub": "s", "nonce": asked.Get("nonce"), "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()})
			if err != nil {
				t.Fatal(err)
			}
			enc := base64.RawURLEncoding.EncodeToString
			return url.Values{"id_token": {enc([]byte(`{"alg":"RS256","kid":"k"}`)) + "." + enc(payload) + "." + enc([]byte("signature"))}}
		}
		for kind, say := range map[string]func(url.Values) url.Values{"discovery": withCode, "waad": withCode, "tokens": withCode, "keys": token} {
			query, page, _ := a.pretend(name(kind), say)
			unreachable(t, what(kind), query, page)
			if query.Get("error_description") != "The identity provider is unreachable." {
				t.Errorf("%s: told %v", what(kind), query)
			}
			in.untouched(t, what(kind))
		}

		// Metadata.
		for strategy, options := range map[string]map[string]any{
			"samlp": {"metadataUrl": at + "/metadata"}, "pingfederate": {"metadataUrl": at + "/metadata"}, "adfs": {"adfs_server": "https://" + host + "/metadata.xml"},
		} {
			body, err := json.Marshal(map[string]any{"name": name(strategy), "strategy": strategy, "options": options})
			if err != nil {
				t.Fatal(err)
			}
			if status, text := w.call("POST", "/api/v2/connections", string(body)); status != 400 || !strings.Contains(text, "server cannot be reached") || strings.Contains(text, insideSays) {
				t.Errorf("%s: %d %s", what(strategy), status, text)
			}
			in.untouched(t, what(strategy))
		}

		// Directories: each of their servers.
		id := w.laid("ad", name("ad"), map[string]any{"ldap": map[string]any{"urls": []string{"ldaps://" + host, "ldap://" + host}, "base": "dc=x", "timeout": 1}}, nil)
		d := w.newApplication(name("ad"))
		_, query, page := d.signInByDirectory(name("ad"), "ann", "annpw")
		unreachable(t, what("ad"), query, page)
		if status, body := d.grant(name("ad"), "ann", "annpw"); status == 200 || strings.Contains(body, "internal") {
			t.Errorf("%s: %d %s", what("ad"), status, body)
		}
		if status, body := w.call("GET", "/api/v2/connections/"+id+"/status", ""); status != 404 {
			t.Errorf("%s: %d %s", what("ad"), status, body)
		}
		in.untouched(t, what("ad"))

		// Social providers: the tokens of each, and what comes before.
		if i > 1 && host != "169.254.169.254" {
			continue // the way to a dial is the same
		}
		for _, c := range cases {
			var options map[string]any
			if err := json.Unmarshal(socialtest.Start(t, c).Options(), &options); err != nil {
				t.Fatal(err)
			}
			lead(options, at, func(string) bool { return true })
			w.laid(socialtest.StrategyOf(c), name(c), options, nil)
			query, page, _ := w.newApplication(name(c)).pretend(name(c), withCode)
			unreachable(t, what(c), query, page)
			in.untouched(t, what(c))
		}
	}
	if n := len(w.failures()); n < 50 {
		t.Errorf("only %d records", n)
	}
	w.stop()
	if strings.Contains(w.logs.String(), insideSays) {
		t.Error("the process log holds an answer")
	}
}

// lead makes the endpoints of a social connection's options lead elsewhere, but for
// where browsers go.
func lead(options map[string]any, to string, which func(endpoint string) bool) {
	endpoints, _ := options["endpoints"].(map[string]any)
	for name := range endpoints {
		if name != "authorize" && name != "logout" && which(name) {
			endpoints[name] = to + "/" + name
		}
	}
	for option, name := range map[string]string{"tokenURL": "token", "requestTokenURL": "request", "accessTokenURL": "token"} {
		if options[option] != nil && which(name) {
			options[option] = to + "/" + name
		}
	}
}

// security.md 95: a provider that may be asked leads inside, by what it says or by a
// redirect, at each step behind the first.
func TestNothingLeadsInsideLater(t *testing.T) {
	w := guarded(t, netip.MustParsePrefix("127.0.0.1/32"))
	in := newInside(t, "127.0.0.3", "::1")
	redirects := http.NewServeMux()
	redirector := httptest.NewServer(redirects)
	t.Cleanup(redirector.Close)
	ways := map[string]string{}
	for i, host := range in.hosts {
		way := fmt.Sprint("/to-", i)
		redirects.Handle(way+"/", http.RedirectHandler("http://"+host+"/x", http.StatusFound))
		ways["to "+host] = "http://" + host
		ways["by a redirect to "+host] = redirector.URL + way
	}
	n := 0
	for how, to := range ways {
		n++
		// OpenID Connect: what the document names.
		for _, endpoint := range []string{"token_endpoint", "jwks_uri", "userinfo_endpoint"} {
			idp := fakeidp.New(fakeidp.Options{
				Clients:  []fakeidp.Client{{ID: "mangrove", Secret: "s", RedirectURIs: []string{w.url + "/login/callback"}}},
				Describe: func(doc map[string]any) { doc[endpoint] = to + "/" + endpoint },
			})
			server := httptest.NewServer(idp)
			t.Cleanup(server.Close)
			idp.SetIssuer(server.URL)
			name := fmt.Sprintf("%s-%d", strings.ReplaceAll(endpoint, "_", "-"), n)
			(&house{idp, w}).lay("oidc", name, map[string]any{"attribute_map": map[string]any{"mapping_mode": "use_map", "userinfo_scope": "openid profile", "attributes": map[string]any{"name": "${context.userinfo.name}"}}}, nil)
			in, refused := w.newApplication(name).signIn(w.newBrowser(), name, "")
			if in != nil || refused.Get("error") != "access_denied" {
				t.Errorf("%s %s: %v %v", endpoint, how, in, refused)
			}
			unreachable(t, endpoint+" "+how, refused, "")
		}
		in.untouched(t, "OpenID Connect "+how)
		for _, strategy := range []string{"samlp", "adfs"} {
			options := map[string]any{"samlp": map[string]any{"metadataUrl": to + "/m"}, "adfs": map[string]any{"adfs_server": to + "/m"}}[strategy]
			body, err := json.Marshal(map[string]any{"name": fmt.Sprint("m-", n), "strategy": strategy, "options": options})
			if err != nil {
				t.Fatal(err)
			}
			if status, text := w.call("POST", "/api/v2/connections", string(body)); status != 400 || strings.Contains(text, insideSays) {
				t.Errorf("%s %s: %d %s", strategy, how, status, text)
			}
		}
		in.untouched(t, "metadata "+how)
		// Social providers: what is asked after the tokens. One way to each is enough for
		// all of them: they ask by one client.
		cases := []string{"github", "yahoo", "oauth1", "oauth2.plain", "apple"}
		if n == 1 {
			cases = socialtest.Cases(t)
		}
		for _, c := range cases {
			d := socialtest.Start(t, c)
			d.Redirect(w.url + "/login/callback")
			var options map[string]any
			if err := json.Unmarshal(d.Options(), &options); err != nil {
				t.Fatal(err)
			}
			lead(options, to, func(endpoint string) bool { return endpoint != "token" && endpoint != "request" })
			name := fmt.Sprintf("%s-%d", strings.ReplaceAll(c, ".", "-"), n)
			w.laid(d.Strategy, name, options, nil)
			in, refused := w.newApplication(name).signInAt(t, d, name)
			if in != nil && strings.Contains(fmt.Sprint(in.claims), insideSays) {
				t.Errorf("%s %s: %v", c, how, in)
			}
			if in == nil {
				unreachable(t, c+" "+how, refused, "")
			}
		}
		in.untouched(t, "social "+how)

		// Scripts, by each of their modules; what they are told is no answer.
		d := socialtest.Start(t, "oauth2")
		d.Redirect(w.url + "/login/callback")
		var options map[string]any
		if err := json.Unmarshal(d.Options(), &options); err != nil {
			t.Fatal(err)
		}
		options["scripts"] = map[string]any{"fetchUserProfile": `async function (token, ctx, cb) {
			const said = [], at = '` + to + `/x';
			const note = (v) => said.push(String(v && v.message || JSON.stringify(v)));
			try { note(await (await fetch(at)).text()) } catch (e) { note(e) }
			try { note((await require('axios').get(at)).data) } catch (e) { note(e) }
			await new Promise((done) => require('request').get({ url: at }, (e, r, body) => { note(e || body); done() }));
			cb(null, { user_id: 'u', asked: said.length, told: said.join('; ') });
		}`}
		name := fmt.Sprint("script-", n)
		w.laid("oauth2", name, options, nil)
		got, refused := w.newApplication(name).signInAt(t, d, name)
		if got == nil {
			t.Fatalf("script %s: %v", how, refused)
		}
		if p := w.profileOf(got.subject); p["asked"] != 3.0 || strings.Contains(fmt.Sprint(p), insideSays) || strings.Count(fmt.Sprint(p["told"]), "failed") < 1 {
			t.Errorf("script %s: %v", how, p)
		}
		in.untouched(t, "script "+how)
	}
	if !slices.ContainsFunc(w.failures(), func(e map[string]any) bool {
		return strings.Contains(fmt.Sprint(e["description"]), "unreachable")
	}) {
		t.Error("no record says that the provider was unreachable")
	}
}
