package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/config"
	"mangrove/internal/connection"
	"mangrove/internal/store"
)

// running is a served server of a test.
type running struct {
	*Server
	url   string
	stop  context.CancelFunc
	ended chan error
}

// start serves cfg on a free port of loopback. Where the test does not stop the
// server, its end does.
func start(t *testing.T, cfg config.Config) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	scheme := "http"
	if cfg.TLS() {
		scheme = "https"
	}
	if cfg.PublicURL == "" {
		cfg.PublicURL = scheme + "://" + l.Addr().String()
	}
	s, err := New(t.Context(), cfg, Options{})
	if err != nil {
		l.Close()
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &running{Server: s, url: scheme + "://" + l.Addr().String(), stop: stop, ended: make(chan error, 1)}
	go func() { r.ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if r.ended != nil {
			<-r.ended
		}
	})
	return r
}

// wait returns when the server has ended.
func (r *running) wait(t *testing.T) {
	t.Helper()
	if err := <-r.ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
	r.ended = nil
}

func get(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// managementToken asks for a token as an SDK would.
func (r *running) managementToken(t *testing.T, c Credentials) (status int, token string) {
	t.Helper()
	return r.tokenFor(t, c, r.cfg.ManagementAudience())
}

func (r *running) tokenFor(t *testing.T, c Credentials, audience string) (status int, token string) {
	t.Helper()
	res, err := http.PostForm(r.url+"/oauth/token", url.Values{
		"grant_type": {"client_credentials"}, "audience": {audience},
		"client_id": {c.ClientID}, "client_secret": {c.Secret},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body.Token
}

// A request that is under way when the end is asked for is finished, and
// nothing new is accepted.
func TestServeStartsAndStops(t *testing.T) {
	r := start(t, config.Config{Data: t.TempDir()})
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: -1}}
	defer client.CloseIdleConnections()
	if res, body := get(t, client, r.url+"/readyz"); res.StatusCode != http.StatusOK {
		t.Fatalf("readyz: %d %s", res.StatusCode, body)
	}
	client.CloseIdleConnections()

	// With Expect: 100-continue the server says when its handler reads the body:
	// from then on the request is under way.
	made, ok := r.Bootstrapped()
	if !ok {
		t.Fatal("the first start created no client")
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "audience": {r.cfg.ManagementAudience()},
		"client_id": {made.ClientID}, "client_secret": {made.Secret},
	}.Encode()
	body, feed := io.Pipe()
	underWay := make(chan struct{})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(underWay) }})
	req, err := http.NewRequestWithContext(ctx, "POST", r.url+"/oauth/token", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Expect", "100-continue")
	req.ContentLength = int64(len(form))
	type outcome struct {
		status int
		err    error
	}
	answered := make(chan outcome, 1)
	go func() {
		res, err := (&http.Client{Transport: &http.Transport{ExpectContinueTimeout: grace}}).Do(req)
		if err != nil {
			answered <- outcome{0, err}
			return
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		answered <- outcome{res.StatusCode, err}
	}()
	<-underWay

	r.stop()
	for { // until the listener is closed
		c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			break
		}
		c.Close()
	}
	select {
	case err := <-r.ended:
		t.Fatalf("ended before the request was finished: %v", err)
	default:
	}
	if _, err := io.WriteString(feed, form); err != nil {
		t.Fatal(err)
	}
	feed.Close()
	if got := <-answered; got.err != nil || got.status != http.StatusOK {
		t.Errorf("the request under way: %d, %v", got.status, got.err)
	}
	r.wait(t)
	if err := r.store.AppendEvents(t.Context(), audit.Event{Type: audit.LogoutOK}); err == nil {
		t.Error("the database is still open")
	}
}

func TestHealth(t *testing.T) {
	s, err := New(t.Context(), config.Config{Data: t.TempDir(), PublicURL: "http://localhost:8080"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	check := func(method, path string, want int) {
		t.Helper()
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != want || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
	check("GET", "/healthz", http.StatusOK)
	check("GET", "/readyz", http.StatusOK)
	check("POST", "/readyz", http.StatusMethodNotAllowed)
	s.stopping.Store(true)
	check("GET", "/readyz", http.StatusServiceUnavailable)
	s.stopping.Store(false)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check("GET", "/readyz", http.StatusServiceUnavailable)
	check("GET", "/healthz", http.StatusOK)
}

// The first start creates what is needed, and tells the secret; the next one
// creates nothing and tells nothing.
func TestFirstStart(t *testing.T) {
	cfg := config.Config{Data: filepath.Join(t.TempDir(), "data"), PublicURL: "https://id.example.test"}
	r := start(t, cfg)
	made, ok := r.Bootstrapped()
	if !ok || made.Given || len(made.ClientID) != 32 || len(made.Secret) != 64 {
		t.Errorf("bootstrapped: %v, id of %d, secret of %d characters", ok, len(made.ClientID), len(made.Secret))
	}
	status, token := r.managementToken(t, made)
	if status != http.StatusOK || token == "" {
		t.Errorf("token: %d", status)
	}
	if status, _ := r.managementToken(t, Credentials{made.ClientID, made.Secret + "x", false}); status != http.StatusUnauthorized {
		t.Errorf("a wrong secret gives %d", status)
	}
	c, err := r.store.ConnectionByName(t.Context(), connection.DefaultName)
	if err != nil || c.Strategy != "auth0" || !reflect.DeepEqual(c.EnabledClients, []string{made.ClientID}) {
		t.Errorf("connection %+v, %v", c, err)
	}
	for path, mode := range map[string]os.FileMode{cfg.Data: 0o700, cfg.KeysFile(): 0o600, cfg.DatabaseURL(): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	r.stop()
	r.wait(t)

	again := start(t, cfg)
	if _, ok := again.Bootstrapped(); ok {
		t.Error("the second start created something")
	}
	if status, _ := again.managementToken(t, made); status != http.StatusOK {
		t.Errorf("token after a restart: %d", status)
	}
}

func TestFirstStartWithGivenClient(t *testing.T) {
	given := Credentials{"automation-client", "a-secret-of-the-operator", true}
	r := start(t, config.Config{Data: t.TempDir(), BootstrapClientID: given.ClientID, BootstrapClientSecret: given.Secret})
	if made, _ := r.Bootstrapped(); made != given {
		t.Errorf("bootstrapped %+v", made)
	}
	if status, _ := r.managementToken(t, given); status != http.StatusOK {
		t.Errorf("token: %d", status)
	}
}

// A changed public URL takes the Management API along.
func TestPublicURLChanges(t *testing.T) {
	cfg := config.Config{Data: t.TempDir(), PublicURL: "http://localhost:8080"}
	first := start(t, cfg)
	made, _ := first.Bootstrapped()
	first.stop()
	first.wait(t)

	cfg.PublicURL = "https://id.example.test"
	second := start(t, cfg)
	status, token := second.managementToken(t, made)
	if status != http.StatusOK {
		t.Fatalf("token: %d", status)
	}
	req, err := http.NewRequest("GET", second.url+"/api/v2/users-by-email?email=nobody@example.test", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("Management API: %d", res.StatusCode)
	}
	if status, _ := second.tokenFor(t, made, "http://localhost:8080/api/v2/"); status == http.StatusOK {
		t.Error("the old audience still works")
	}
}

// A database whose key is lost is not opened with a new one, and no wrong key
// is left for the next start to find.
func TestLostKey(t *testing.T) {
	cfg := config.Config{Data: t.TempDir(), PublicURL: "http://localhost:8080"}
	s, err := New(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(cfg.KeysFile(), cfg.KeysFile()+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), cfg, Options{}); err == nil || !strings.Contains(err.Error(), "secrets.key") {
		t.Errorf("without the file: %v", err)
	}
	if exists(cfg.KeysFile()) {
		t.Error("a new key was made")
	}
	other := cfg
	other.SecretsKeys = [][]byte{make([]byte, 32)}
	if _, err := New(t.Context(), other, Options{}); !errors.Is(err, store.ErrOtherKey) {
		t.Errorf("with another key: %v", err)
	}
	if err := os.Rename(cfg.KeysFile()+".away", cfg.KeysFile()); err != nil {
		t.Fatal(err)
	}
	if s, err = New(t.Context(), cfg, Options{}); err != nil {
		t.Fatalf("with its own key: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TLS by the local authority works for whoever trusts it, over HTTP/2.
func TestServeDevTLS(t *testing.T) {
	r := start(t, config.Config{Data: t.TempDir(), TLSDev: true})
	ca, ok := r.Authority()
	if !ok {
		t.Fatal("no authority")
	}
	client := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool(t, ca.File)},
	}}
	defer client.CloseIdleConnections()
	res, body := get(t, client, r.url+"/.well-known/openid-configuration")
	if res.StatusCode != http.StatusOK || res.ProtoMajor != 2 || !strings.Contains(body, `"issuer":"`+r.url+`/"`) {
		t.Errorf("%s %d %.200s", res.Proto, res.StatusCode, body)
	}
	if res.Header.Get("Strict-Transport-Security") == "" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", res.Header)
	}
	if _, err := http.Get(r.url + "/healthz"); err == nil {
		t.Error("whoever does not trust the authority is served")
	}
}

func TestNotFound(t *testing.T) {
	r := start(t, config.Config{Data: t.TempDir()})
	res, body := get(t, http.DefaultClient, r.url+"/nothing/here")
	if res.StatusCode != http.StatusNotFound || !json.Valid([]byte(body)) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	req, err := http.NewRequest("GET", r.url+"/nothing/here", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	page, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	if page.StatusCode != http.StatusNotFound || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%d %s", page.StatusCode, page.Header.Get("Content-Type"))
	}
}

// The neutral picture that new users get is there, and nothing in it can run.
func TestNeutralPicture(t *testing.T) {
	r := start(t, config.Config{Data: t.TempDir(), NeutralPicture: true})
	res, body := get(t, http.DefaultClient, r.url+picturePath)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(body, "<svg") ||
		!strings.Contains(res.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%d %v %.40s", res.StatusCode, res.Header, body)
	}
}

func TestMigrate(t *testing.T) {
	cfg := config.Config{Data: filepath.Join(t.TempDir(), "data"), PublicURL: "http://localhost:8080"}
	first, err := Migrate(t.Context(), cfg, Options{})
	if err != nil || first.From != 0 || first.To < 1 || first.Engine != "SQLite" {
		t.Errorf("first: %+v, %v", first, err)
	}
	second, err := Migrate(t.Context(), cfg, Options{})
	if err != nil || second.From != first.To || second.To != first.To {
		t.Errorf("second: %+v, %v", second, err)
	}
	// A database that is migrated but empty is set up by the next start.
	r := start(t, config.Config{Data: cfg.Data})
	if _, ok := r.Bootstrapped(); !ok {
		t.Error("not set up")
	}
}
