package login_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/fakeidp"
	"mangrove/internal/login"
	"mangrove/internal/oauth"
	"mangrove/internal/outbound"
	"mangrove/internal/page"
	"mangrove/internal/profile"
	"mangrove/internal/seal"
	"mangrove/internal/session"
	"mangrove/internal/store"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/oidc"
	"mangrove/internal/user"
)

const (
	appID    = "AppAppAppAppAppAppAppAppAppApp01"
	redirect = "https://app.example/cb"
	password = "correct horse battery 1"
)

// rig is the flow over a real store, with a provider beside it.
type rig struct {
	t     *testing.T
	store *store.Store
	users *user.Service
	idp   *fakeidp.IdP
	url   string // public URL of the flow
	tls   *http.Client

	mu     sync.Mutex
	clock  time.Time
	events []audit.Event
	// request changes what /authorize hands to Start.
	request func(*oauth.AuthorizeRequest)
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

func (r *rig) AppendEvents(ctx context.Context, e ...audit.Event) error {
	r.mu.Lock()
	r.events = append(r.events, e...)
	r.mu.Unlock()
	return r.store.AppendEvents(ctx, e...)
}

// refusals are the descriptions of the failed logins so far.
func (r *rig) refusals() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, e := range r.events {
		if e.Type == audit.LoginFailed && e.IP != "" && e.ClientID == appID {
			list = append(list, e.Description)
		}
	}
	return list
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, clock: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	box, err := seal.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	r.store, err = store.Open(t.Context(), store.Options{URL: filepath.Join(t.TempDir(), "m.db"), Box: box, Now: r.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.store.Close() })
	if err := r.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.users = &user.Service{
		Users: r.store, Connections: r.store, Hashing: user.NewHashing(0, 0), Audit: r, Now: r.now,
		Defaults: profile.Defaults{NeutralPicture: "https://id.example/p.png"},
	}
	pages, err := page.New(page.Config{PublicURL: "https://id.example"})
	if err != nil {
		t.Fatal(err)
	}
	router := chi.NewRouter()
	server := httptest.NewTLSServer(router)
	t.Cleanup(server.Close)
	r.url, r.tls = server.URL, server.Client()
	connector := oidc.New(outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}), r.now, rand.Reader)
	flow := login.New(login.Deps{
		PublicURL: r.url, Clients: r.store, Connections: r.store, Users: r.users, UserStore: r.store, Sessions: r.store,
		Connectors: map[string]upstream.Connector{"oidc": connector}, Page: pages, Audit: r, Now: r.now, Rand: rand.Reader,
		Respond: func(w http.ResponseWriter, q *http.Request, req oauth.AuthorizeRequest, s session.Session) error {
			http.Redirect(w, q, req.RedirectURI+"?"+url.Values{"user": {s.UserID}, "sid": {s.ID}, "connection": {s.ConnectionID}, "state": {req.State}}.Encode(), http.StatusFound)
			return nil
		},
		RespondError: func(w http.ResponseWriter, q *http.Request, req oauth.AuthorizeRequest, e *oauth.AuthorizeError) error {
			http.Redirect(w, q, req.RedirectURI+"?"+url.Values{"error": {e.Code}, "error_description": {e.Description}, "state": {req.State}}.Encode(), http.StatusFound)
			return nil
		},
	})
	flow.Mount(router)
	router.HandleFunc("/authorize", func(w http.ResponseWriter, q *http.Request) {
		req := oauth.AuthorizeRequest{
			ClientID: appID, ResponseType: "code", ResponseMode: "query", RedirectURI: redirect,
			Scope: []string{"openid"}, State: "app-state", Connection: q.URL.Query().Get("connection"),
		}
		if r.request != nil {
			r.request(&req)
		}
		if err := flow.Start(w, q, req); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	router.HandleFunc("/whoami", func(w http.ResponseWriter, q *http.Request) {
		s, err := flow.Session(q)
		if err != nil && !errors.Is(err, session.ErrNone) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, s.UserID)
	})
	router.HandleFunc("/end", func(w http.ResponseWriter, q *http.Request) {
		if err := flow.EndSession(w, q); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	r.provider()
	if err := r.store.CreateClient(t.Context(), &client.Client{ID: appID, Name: "Tide <Tables>", Doc: json.RawMessage(`{}`)}, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) provider() {
	r.idp = fakeidp.New(fakeidp.Options{
		Now: r.now, Clients: []fakeidp.Client{{ID: "mangrove", Secret: "s", RedirectURIs: []string{r.url + "/login/callback"}}},
	})
	server := httptest.NewServer(r.idp)
	r.t.Cleanup(server.Close)
	r.idp.SetIssuer(server.URL)
	r.idp.SetPerson("u-77", map[string]any{"name": "Pia", "email": "pia@x.example", "email_verified": true})
}

// connect adds a connection that the application may use.
func (r *rig) connect(id, name, strategy string, options map[string]any, extra string) {
	r.t.Helper()
	raw, err := json.Marshal(options)
	if err != nil {
		r.t.Fatal(err)
	}
	c := &connection.Connection{
		ID: id, Name: name, Strategy: strategy, Options: raw, Realms: []string{name},
		EnabledClients: []string{appID}, Extra: json.RawMessage(extra),
	}
	if err := r.store.CreateConnection(r.t.Context(), c, audit.Event{}); err != nil {
		r.t.Fatal(err)
	}
}

const databaseID, acmeID = "con_database00000001", "con_acme000000000001"

func (r *rig) database() {
	r.connect(databaseID, "db", "auth0", map[string]any{}, `{}`)
}

func (r *rig) acme(more map[string]any) {
	o := map[string]any{"type": "back_channel", "issuer": r.idp.Issuer(), "client_id": "mangrove", "client_secret": "s"}
	for k, v := range more {
		o[k] = v
	}
	r.connect(acmeID, "acme", "oidc", o, `{"display_name":"Acme & Sons"}`)
}

func (r *rig) person(email string) user.ID {
	r.t.Helper()
	u, err := r.users.Create(r.t.Context(), user.CreateRequest{
		Connection: "db", Password: password, Changes: []profile.Change{{Name: "email", Value: profile.Text(email)}},
	}, user.Actor{})
	if err != nil {
		r.t.Fatal(err)
	}
	return u.ID
}

func (r *rig) block(id user.ID) {
	r.t.Helper()
	if _, err := r.store.UpdateUser(r.t.Context(), id, func(u *user.User) (user.Effect, error) {
		u.Profile.Set(profile.Blocked, profile.Bool(true), profile.Source{Origin: profile.FromManagement})
		return user.Effect{}, nil
	}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) change(id string, fn func(*connection.Connection)) {
	r.t.Helper()
	if _, err := r.store.UpdateConnection(r.t.Context(), id, func(c *connection.Connection) error { fn(c); return nil }, audit.Event{}); err != nil {
		r.t.Fatal(err)
	}
}

// browser keeps cookies and follows redirects up to the application.
type browser struct {
	*http.Client
	r   *rig
	jar *cookiejar.Jar
}

func (r *rig) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &browser{r: r, jar: jar, Client: &http.Client{
		Jar: jar, Transport: r.tls.Transport,
		CheckRedirect: func(q *http.Request, _ []*http.Request) error {
			if q.URL.Host == "app.example" {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}}
}

// answer is where a browser ended: a page, or the application.
type answer struct {
	status int
	header http.Header
	body   string
	at     *url.URL   // of the page
	app    url.Values // what the application got; nil: nothing
}

func (b *browser) do(q *http.Request) answer {
	b.r.t.Helper()
	resp, err := b.Do(q)
	if err != nil {
		b.r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.r.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(body), at: resp.Request.URL}
	if to, err := resp.Location(); err == nil && strings.HasPrefix(to.String(), redirect) {
		a.app = to.Query()
	}
	return a
}

func (b *browser) get(to string) answer {
	b.r.t.Helper()
	if strings.HasPrefix(to, "/") {
		to = b.r.url + to
	}
	q, err := http.NewRequest(http.MethodGet, to, nil)
	if err != nil {
		b.r.t.Fatal(err)
	}
	return b.do(q)
}

func (b *browser) post(to string, form url.Values) answer {
	b.r.t.Helper()
	return b.postWith(to, "application/x-www-form-urlencoded", form.Encode(), nil)
}

func (b *browser) postWith(to, kind, body string, header map[string]string) answer {
	b.r.t.Helper()
	if strings.HasPrefix(to, "/") {
		to = b.r.url + to
	}
	q, err := http.NewRequest(http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		b.r.t.Fatal(err)
	}
	q.Header.Set("Content-Type", kind)
	for name, v := range header {
		q.Header.Set(name, v)
	}
	return b.do(q)
}

// stopAt makes the browser stop before it asks for a path.
func (b *browser) stopAt(path string) func() {
	before := b.CheckRedirect
	b.CheckRedirect = func(q *http.Request, via []*http.Request) error {
		if q.URL.Path == path {
			return http.ErrUseLastResponse
		}
		return before(q, via)
	}
	return func() { b.CheckRedirect = before }
}

// toCallback goes to the provider and stops before coming back: the address to
// which it was sent.
func (b *browser) toCallback(from string) string {
	b.r.t.Helper()
	defer b.stopAt("/login/callback")()
	a := b.get(from)
	to := a.header.Get("Location")
	if !strings.Contains(to, "/login/callback") {
		b.r.t.Fatalf("not sent back: %d %s %q", a.status, a.at, to)
	}
	return to
}

// signIn opens the page and posts the form.
func (b *browser) signIn(email, secret string) answer {
	b.r.t.Helper()
	p := b.get("/authorize")
	if p.status != 200 || p.at.Path != "/u/login" {
		b.r.t.Fatalf("no sign-in page: %d %s %v %s", p.status, p.at, p.app, p.body)
	}
	return b.post(action(b.r.t, p.body), url.Values{"username": {email}, "password": {secret}})
}

// action is where the page's form goes.
func action(t *testing.T, html string) string {
	t.Helper()
	list := attributes(t, html, "form", "action")
	if len(list) != 1 {
		t.Fatalf("forms: %v", list)
	}
	return list[0]
}

func links(t *testing.T, html string) []string { return attributes(t, html, "a", "href") }

func attributes(t *testing.T, html, element, attribute string) []string {
	t.Helper()
	var list []string
	walk(t, html, func(e xml.StartElement) {
		for _, a := range e.Attr {
			if e.Name.Local == element && a.Name.Local == attribute {
				list = append(list, a.Value)
			}
		}
	})
	return list
}

// fields are the inputs of a page.
func fields(t *testing.T, html string) url.Values {
	t.Helper()
	v := url.Values{}
	walk(t, html, func(e xml.StartElement) {
		if e.Name.Local != "input" {
			return
		}
		attr := map[string]string{}
		for _, a := range e.Attr {
			attr[a.Name.Local] = a.Value
		}
		v.Set(attr["name"], attr["value"])
	})
	return v
}

func walk(t *testing.T, html string, fn func(xml.StartElement)) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in %s", err, html)
		}
		if e, ok := token.(xml.StartElement); ok {
			fn(e)
		}
	}
}

func (b *browser) whoami() string { return b.get("/whoami").body }

func (b *browser) cookie(name string) string {
	u, _ := url.Parse(b.r.url)
	for _, c := range b.jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// wantPage: an error page of ours, and nothing for the application.
func (a answer) wantPage(t *testing.T, status int, text string) {
	t.Helper()
	if a.status != status || a.app != nil || !strings.Contains(a.body, text) {
		t.Errorf("got %d, application %v, page %s; want %d with %q", a.status, a.app, a.body, status, text)
	}
	if a.header.Get("Location") != "" {
		t.Errorf("leads to %s", a.header.Get("Location"))
	}
	if slices.ContainsFunc(a.header.Values("Set-Cookie"), func(c string) bool { return strings.HasPrefix(c, "auth0=") }) {
		t.Error("a session cookie was set")
	}
}

// wantError: the application is told, and nothing else.
func (a answer) wantError(t *testing.T, code, description string) {
	t.Helper()
	if a.app.Get("error") != code || !strings.Contains(a.app.Get("error_description"), description) || a.app.Has("user") {
		t.Errorf("got %d %s %v; want %s: %s", a.status, a.at, a.app, code, description)
	}
}

func (a answer) wantUser(t *testing.T, id string) {
	t.Helper()
	if a.app.Get("user") != id || a.app.Get("state") != "app-state" || a.app.Get("sid") == "" {
		t.Errorf("got %d %s %v %s; want user %s", a.status, a.at, a.app, a.body, id)
	}
}
