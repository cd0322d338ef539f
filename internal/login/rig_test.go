package login_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/consent"
	"mangrove/internal/factor"
	"mangrove/internal/fakeidp"
	"mangrove/internal/login"
	"mangrove/internal/oauth"
	"mangrove/internal/outbound"
	"mangrove/internal/page"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
	"mangrove/internal/tenant"
	"mangrove/internal/ticket"
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
	// tickets make links to this flow.
	tickets *ticket.Service
	// mail is what one-time codes sent.
	mail *mailbox
	idp  *fakeidp.IdP
	url  string // public URL of the flow
	tls  *http.Client

	mu     sync.Mutex
	clock  time.Time
	events []audit.Event
	// tenant changes the settings; by default identifier and password are on one page.
	tenant func(*tenant.Settings)
	// validate reads the request of /usernamepassword/login.
	validate func(url.Values) (oauth.AuthorizeRequest, error)
	// factors keeps second factors; post is what it sent.
	factors *factor.Service
	post    *factorPost
	// question is what the person has to be asked.
	question consent.Question
	// request changes what /authorize hands to Start.
	request func(*oauth.AuthorizeRequest)
	// during happens while the asserter judges an answer that nobody asked for.
	during func()
}

func (r *rig) Settings(ctx context.Context) (*tenant.Settings, error) {
	s, err := r.store.Settings(ctx)
	if err != nil {
		return nil, err
	}
	changed := *s
	changed.IdentifierFirst = false
	if r.tenant != nil {
		r.tenant(&changed)
	}
	return &changed, nil
}

func (r *rig) Texts(context.Context, string, string) (map[string]map[string]string, error) {
	return nil, nil
}

func identifierFirst(s *tenant.Settings) { s.IdentifierFirst = true }

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
	r.store = storetest.OpenURL(t, storetest.URL(t, storetest.SQLite), func(o *store.Options) { o.Now = r.now })
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
	r.tickets = &ticket.Service{Store: r.store, Users: r.store, Connections: r.store, Clients: r.store, Redeemer: r.users, PublicURL: r.url, Now: r.now}
	r.mail = &mailbox{storetest.Mailbox{Store: r.store}}
	flow := login.New(login.Deps{
		Passwordless: r.passwordless(),
		Factors:      r.factored(),
		Validate: func(q *http.Request, v url.Values) (oauth.AuthorizeRequest, error) {
			if r.validate != nil {
				return r.validate(v)
			}
			return validate(q, v)
		},
		PublicURL: r.url, Clients: r.store, Connections: r.store, Users: r.users, UserStore: r.store, Sessions: r.store,
		Tickets: r.tickets, Tenant: r, Devices: r.store, Approvals: r.store, Consents: r.store,
		Question: r.asked, SignOut: r.signOut,
		Connectors: map[string]upstream.Connector{"oidc": connector, "samlp": asserter{r}, "ip": office{}, "custom": steward{}, "pingfederate": speaker{}}, Page: pages, Audit: r, Now: r.now, Rand: rand.Reader,
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
	router.HandleFunc("/leave", r.leave(flow))
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
