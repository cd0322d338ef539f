package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/auth0/go-auth0/management"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-chi/chi/v5"
	"golang.org/x/oauth2"

	"mangrove/internal/config"
	"mangrove/internal/parttest"
	"mangrove/internal/server"
	"mangrove/internal/store/storetest"
)

const (
	managementID     = "the-management-client"
	managementSecret = "the-secret-of-the-management-client-is-long"
	database         = "Username-Password-Authentication"
	goodPassword     = "correct horse battery staple"
)

// world is a running server with TLS, as a client meets it.
type world struct {
	t      *testing.T
	url    string
	client *http.Client // trusts the local authority, follows no redirects
	sdk    *management.Management
	logs   *bytes.Buffer // written by the server alone; read after stop
	stop   func()
	routes chi.Routes // of the endpoints and pages; the Management API has its own
	// authority is the file of the certificate that others have to trust.
	authority string
}

// onBothEngines runs a test on each engine.
func onBothEngines(t *testing.T, test func(t *testing.T, w *world)) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) { test(t, newWorld(t, engine)) })
	}
}

func newWorld(t *testing.T, engine string) *world {
	t.Helper()
	return newWorldIn(t, t.TempDir(), storetest.EmptyURL(t, engine))
}

// newWorldIn uses a data directory and a database; an empty one is the default.
func newWorldIn(t *testing.T, dir, databaseURL string, tune ...func(*config.Config, *server.Options)) *world {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	w := &world{t: t, url: "https://localhost:" + port, logs: &bytes.Buffer{}}
	cfg := config.Config{
		Listen: l.Addr().String(), PublicURL: w.url, Data: dir, Database: databaseURL,
		TLSDev: true, ImportLimit: 1 << 30,
		OutboundAllow:     []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		BootstrapClientID: managementID, BootstrapClientSecret: managementSecret,
	}
	log := slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	options := server.Options{Log: log}
	for _, f := range tune {
		f(&cfg, &options)
	}
	s, err := server.New(t.Context(), cfg, options)
	if err != nil {
		t.Fatal(err)
	}
	w.routes = s.Routes()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	stopped := false
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	}
	t.Cleanup(w.stop)

	authority, _ := s.Authority()
	pem, err := os.ReadFile(authority.File)
	if err != nil {
		t.Fatal(err)
	}
	w.authority = authority.File
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	w.client = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       time.Minute,
	}
	t.Cleanup(w.client.CloseIdleConnections)
	w.sdk, err = management.New("localhost:"+port,
		management.WithClient(w.client), management.WithClientCredentials(w.ctx(), managementID, managementSecret))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// ctx makes libraries that take their HTTP client from the context use ours.
func (w *world) ctx() context.Context {
	return oidc.ClientContext(w.t.Context(), w.client)
}

// application is a client that people sign in to.
type application struct {
	w        *world
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier
	provider *oidc.Provider
}

// newApplication registers one and enables the connections for it.
func (w *world) newApplication(connections ...string) *application {
	w.t.Helper()
	c := &management.Client{
		Name: ptr("An application"), AppType: ptr("regular_web"),
		Callbacks:  &[]string{"http://app.example/callback"},
		GrantTypes: &[]string{"authorization_code", "http://auth0.com/oauth/grant-type/password-realm"},
	}
	if err := w.sdk.Client.Create(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
	for _, name := range connections {
		con, err := w.sdk.Connection.ReadByName(w.t.Context(), name)
		if err != nil {
			w.t.Fatal(err)
		}
		enable := []management.ConnectionEnabledClient{{ClientID: c.ClientID, Status: ptr(true)}}
		if err := w.sdk.Connection.UpdateEnabledClients(w.t.Context(), con.GetID(), enable); err != nil {
			w.t.Fatal(err)
		}
	}
	provider, err := oidc.NewProvider(w.ctx(), w.url+"/")
	if err != nil {
		w.t.Fatal(err)
	}
	return &application{
		w: w, provider: provider, verifier: provider.Verifier(&oidc.Config{ClientID: c.GetClientID()}),
		oauth: oauth2.Config{
			ClientID: c.GetClientID(), ClientSecret: c.GetClientSecret(), Endpoint: provider.Endpoint(),
			RedirectURL: "http://app.example/callback", Scopes: []string{"openid", "profile", "email"},
		},
	}
}

// browser keeps cookies and stops at the application's own address.
type browser struct {
	t      *testing.T
	client *http.Client
}

func (w *world) newBrowser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	c := *w.client
	c.Jar = jar
	return &browser{w.t, &c}
}

// follow goes from redirect to redirect until the application is reached, whose
// query it returns, or a page, whose text it returns.
func (b *browser) follow(u string) (query url.Values, page string, at *url.URL) {
	b.t.Helper()
	return b.answer(b.client.Get(u))
}

func (b *browser) submit(u string, form url.Values) (url.Values, string, *url.URL) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), "POST", u, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	origin, _ := url.Parse(u)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", origin.Scheme+"://"+origin.Host)
	return b.answer(b.client.Do(req))
}

func (b *browser) answer(res *http.Response, err error) (url.Values, string, *url.URL) {
	b.t.Helper()
	for range 20 {
		if err != nil {
			b.t.Fatal(err)
		}
		body, readErr := io.ReadAll(res.Body)
		res.Body.Close()
		if readErr != nil {
			b.t.Fatal(readErr)
		}
		if res.StatusCode < 300 || res.StatusCode > 399 {
			return nil, string(body), res.Request.URL
		}
		to, locErr := res.Location()
		if locErr != nil {
			b.t.Fatal(locErr)
		}
		if to.Host == "app.example" {
			return to.Query(), "", to
		}
		res, err = b.client.Get(to.String())
	}
	b.t.Fatal("too many redirects")
	return nil, "", nil
}

// signedIn is what an application knows after a login.
type signedIn struct {
	subject string
	claims  map[string]any // of the ID token
	info    map[string]any // of /userinfo
}

// signIn sends the browser through an upstream connection; a refusal comes as
// the query of the application's callback.
func (a *application) signIn(b *browser, connection, hint string) (*signedIn, url.Values) {
	a.w.t.Helper()
	verifier := oauth2.GenerateVerifier()
	query, page, at := b.follow(a.oauth.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("the nonce"),
		oauth2.SetAuthURLParam("connection", connection), oauth2.SetAuthURLParam("login_hint", hint)))
	if query == nil {
		a.w.t.Fatalf("ended at %s with a page: %.300s", at, page)
	}
	return a.exchange(query, verifier)
}

// exchange does what an application does at its callback.
func (a *application) exchange(query url.Values, verifier string) (*signedIn, url.Values) {
	t := a.w.t
	t.Helper()
	if query.Get("state") != "the state" {
		t.Fatalf("the state came back as %q", query.Get("state"))
	}
	if query.Get("code") == "" {
		return nil, query
	}
	tok, err := a.oauth.Exchange(a.w.ctx(), query.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := tok.Extra("id_token").(string)
	id, err := a.verifier.Verify(a.w.ctx(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if id.Nonce != "the nonce" {
		t.Fatalf("the nonce came back as %q", id.Nonce)
	}
	out := &signedIn{subject: id.Subject}
	if err := id.Claims(&out.claims); err != nil {
		t.Fatal(err)
	}
	info, err := a.provider.UserInfo(a.w.ctx(), oauth2.StaticTokenSource(tok))
	if err != nil {
		t.Fatal(err)
	}
	if info.Subject != id.Subject {
		t.Fatalf("userinfo speaks of %q, the ID token of %q", info.Subject, id.Subject)
	}
	if err := info.Claims(&out.info); err != nil {
		t.Fatal(err)
	}
	return out, nil
}

// upstream is the certified OpenID provider in a process of its own.
type upstream struct {
	t                      *testing.T
	issuer, clientID, pass string
}

const envProvider = "MANGROVE_TEST_OIDC_PROVIDER"

func startUpstream(t *testing.T, callback string) *upstream {
	t.Helper()
	dir := parttest.Need(t, "OpenID provider", envProvider)
	cmd := exec.Command("node", filepath.Join(dir, "server.mjs"))
	cmd.Env = append(os.Environ(), "REDIRECT_URIS="+callback)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // it ends when this closes
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var ready struct{ Issuer, ClientID, ClientSecret string }
		line := strings.NewReplacer("client_id", "ClientID", "client_secret", "ClientSecret").Replace(lines.Text())
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &ready) == nil {
			return &upstream{t, ready.Issuer, ready.ClientID, ready.ClientSecret}
		}
	}
	t.Fatal("the OpenID provider ended before it was ready")
	return nil
}

// set gives an account its claims.
func (u *upstream) set(sub string, claims map[string]any) {
	u.t.Helper()
	b, err := json.Marshal(map[string]any{sub: claims})
	if err != nil {
		u.t.Fatal(err)
	}
	res, err := http.Post(u.issuer+"/test/accounts", "application/json", bytes.NewReader(b))
	if err != nil {
		u.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		u.t.Fatalf("setting an account: %d", res.StatusCode)
	}
}

// connect makes a connection to it.
func (u *upstream) connect(w *world, name, sync string) {
	u.t.Helper()
	options := map[string]any{
		"type": "back_channel", "issuer": u.issuer, "discovery_url": u.issuer + "/.well-known/openid-configuration",
		"client_id": u.clientID, "client_secret": u.pass, "scope": "openid profile email",
	}
	if sync != "" {
		options["set_user_root_attributes"] = sync
	}
	b, err := json.Marshal(map[string]any{"name": name, "strategy": "oidc", "options": options})
	if err != nil {
		u.t.Fatal(err)
	}
	status, body := w.call("POST", "/api/v2/connections", string(b))
	if status != 201 {
		u.t.Fatalf("creating the connection: %d %s", status, body)
	}
}

// call is a Management API request with the management client's token.
func (w *world) call(method, path, body string) (int, string) {
	w.t.Helper()
	req, err := w.sdk.NewRequest(w.t.Context(), method, w.url+path, json.RawMessage(body))
	if body == "" {
		req, err = w.sdk.NewRequest(w.t.Context(), method, w.url+path, nil)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := w.sdk.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func ptr[T any](v T) *T { return &v }
