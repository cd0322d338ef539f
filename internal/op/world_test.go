package op

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/grant"
	"mangrove/internal/guard"
	"mangrove/internal/key"
	"mangrove/internal/oauth"
	"mangrove/internal/passwordless"
	"mangrove/internal/profile"
	"mangrove/internal/resourceserver"
	"mangrove/internal/session"
	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
	"mangrove/internal/tenant"
	"mangrove/internal/ticket"
	"mangrove/internal/user"
)

const (
	publicURL = "https://id.example.test"
	apiID     = "https://api.example.test/"
	rbacID    = "https://rbac.example.test/"
	secret    = "secret-of-the-client"
	secretPW  = "Correct horse battery 1"

	webApp   = "webapp00000000000000000000000000" // confidential, first party
	spaApp   = "spaapp00000000000000000000000000" // public
	machine  = "machine0000000000000000000000000" // client_credentials
	thirdApp = "third000000000000000000000000000" // third party
	lameApp  = "lame0000000000000000000000000000" // no grants at all
	allApps  = "global00000000000000000000000000"
)

// events keeps what was recorded, beside the store.
type events struct {
	audit.Sink
	mu   sync.Mutex
	list []audit.Event
}

func (e *events) AppendEvents(ctx context.Context, list ...audit.Event) error {
	e.mu.Lock()
	e.list = append(e.list, list...)
	e.mu.Unlock()
	return e.Sink.AppendEvents(ctx, list...)
}

func (e *events) types() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var s []string
	for _, x := range e.list {
		s = append(s, x.Type)
	}
	return strings.Join(s, " ")
}

// world is the endpoints over a real store. login holds what StartLogin was given.
type world struct {
	*Endpoints
	mux     *chi.Mux
	store   *store.Store
	events  *events
	outbox  *outbox
	tickets *ticket.Service
	at      time.Time
	ann     *user.User
	session session.Session // of the browser; no UserID: none
	login   *oauth.AuthorizeRequest
	// interact is what Interact was given.
	interact *oauth.AuthorizeRequest
	tune     func(*tenant.Settings) // changes the tenant's settings; nil: as stored
	message  string                 // origin and answer of the last web_message
	formed   string                 // action and answer of the last form_post
	told     bool                   // somebody is signed out
	factor   bool                   // a second factor is due
	pressed  []Parameter            // fields of the last confirmation page
	met      []string               // clients that were answered with the session
	page     string                 // title of the last error page
	codes    *passwordless.Service
	mailbox  *mailbox // what codes sent
}

// tuned settings are the stored ones with the world's changes.
type tuned struct {
	tenant.Reader
	w *world
}

func (t tuned) Settings(ctx context.Context) (*tenant.Settings, error) {
	stored, err := t.Reader.Settings(ctx)
	if err != nil {
		return nil, err
	}
	s := *stored
	s.AllowedLogoutURLs, s.PublicClientsNeedS256 = []string{"https://tenant.example.test/"}, true
	if t.w.tune != nil {
		t.w.tune(&s)
	}
	return &s, nil
}

var signingKey = sync.OnceValue(func() key.Key {
	k, err := key.Generate("id.example.test", time.Now())
	if err != nil {
		panic(err)
	}
	return k
})

type oneKey struct{ key.Key }

func (k oneKey) Keys(context.Context) ([]key.Key, error) { return []key.Key{k.Key}, nil }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	return newWorldOn(tb, storetest.SQLite)
}

func newWorldOn(tb testing.TB, engine string) *world {
	tb.Helper()
	ctx := tb.Context()
	w := &world{store: storetest.Open(tb, engine), at: time.Now().Truncate(time.Second)}
	now := func() time.Time { return w.at }
	w.events = &events{Sink: w.store}
	ring := key.NewRing(oneKey{signingKey()}, now)
	must(tb, ring.Load(ctx))
	at := w.at.UnixMicro()
	by := audit.Event{Type: audit.APIOperation, At: at}

	for id, members := range map[string]string{
		webApp: `"grant_types":["authorization_code","client_credentials","password","http://auth0.com/oauth/grant-type/password-realm"],"is_first_party":true,"is_token_endpoint_ip_header_trusted":true,
			"callbacks":["https://app.example.test/cb","https://app.example.test/cb2?a=b","com.example.app://cb"],"allowed_logout_urls":["https://app.example.test/bye"],"allowed_origins":["https://other.example.test"]`,
		spaApp:   `"grant_types":["authorization_code","client_credentials"],"is_first_party":true,"token_endpoint_auth_method":"none","callbacks":["https://spa.example.test"]`,
		machine:  `"grant_types":["client_credentials"],"is_first_party":true`,
		thirdApp: `"grant_types":["authorization_code","http://auth0.com/oauth/grant-type/password-realm"],"is_first_party":false,"callbacks":["https://third.example.test/cb"]`,
		lameApp:  `"grant_types":[],"is_first_party":true,"callbacks":["https://lame.example.test/cb"]`,
		allApps:  `"grant_types":["authorization_code","client_credentials"],"is_first_party":true,"callbacks":["https://app.example.test/cb"]`,
	} {
		c := &client.Client{ID: id, Secret: secret, Name: id, Global: id == allApps, Doc: json.RawMessage("{" + members + "}"), Version: 1, CreatedAt: at, UpdatedAt: at}
		must(tb, w.store.CreateClient(ctx, c, by))
	}
	must(tb, w.store.CreateResourceServer(ctx, resourceserver.ManagementAPI(publicURL, at), by))
	for identifier, members := range map[string]string{
		apiID:            `"skip_consent_for_verifiable_first_party_clients":true,"token_lifetime":600,"scopes":[{"value":"read:a"},{"value":"write:a"}]`,
		rbacID:           `"skip_consent_for_verifiable_first_party_clients":true,"enforce_policies":true,"token_dialect":"access_token_authz","scopes":[{"value":"read:a"}]`,
		"urn:rfc9068":    `"skip_consent_for_verifiable_first_party_clients":true,"token_dialect":"rfc9068_profile","scopes":[{"value":"read:a"}]`,
		"urn:hs256":      `"signing_alg":"HS256","scopes":[{"value":"read:a"}]`,
		"urn:deny":       `"subject_type_authorization":{"user":{"policy":"deny_all"},"client":{"policy":"deny_all"}}`,
		"urn:user-grant": `"skip_consent_for_verifiable_first_party_clients":true,"scopes":[{"value":"read:a"},{"value":"write:a"}],"subject_type_authorization":{"user":{"policy":"require_client_grant"}}`,
	} {
		rs := &resourceserver.ResourceServer{ID: resourceserver.NewID(), Identifier: identifier, Doc: json.RawMessage("{" + members + "}"), Version: 1, CreatedAt: at, UpdatedAt: at}
		must(tb, w.store.CreateResourceServer(ctx, rs, by))
	}
	for _, g := range []grant.Grant{
		{ClientID: machine, Audience: publicURL + "/api/v2/", Scope: []string{"read:users", "update:users"}},
		{ClientID: machine, Audience: apiID, Scope: []string{"read:a"}},
		{ClientID: machine, Audience: rbacID, Scope: []string{"read:a"}},
		{ClientID: machine, Audience: "urn:rfc9068", Scope: []string{"read:a"}},
		{ClientID: machine, Audience: "urn:hs256", Scope: []string{"read:a"}},
		{ClientID: machine, Audience: "urn:deny", Scope: []string{}},
		{ClientID: machine, Audience: "urn:user-grant", Scope: []string{}, Extra: json.RawMessage(`{"allow_all_scopes":true}`)},
		{ClientID: spaApp, Audience: apiID, Scope: []string{"read:a"}},
		{ClientID: webApp, Audience: apiID, Scope: []string{"read:a"}, Extra: json.RawMessage(`{"subject_type":"user"}`)},
		{ClientID: webApp, Audience: "urn:user-grant", Scope: []string{"read:a"}, Extra: json.RawMessage(`{"subject_type":"user"}`)},
	} {
		g.ID, g.Version = grant.NewID(), 1
		if g.Extra == nil {
			g.Extra = json.RawMessage(`{}`)
		}
		must(tb, w.store.CreateGrant(ctx, &g, by))
	}
	for i, c := range []connection.Connection{
		{Name: "Users", Strategy: "auth0", Options: json.RawMessage(`{"passwordPolicy":"good"}`), EnabledClients: []string{webApp, spaApp, thirdApp}, Realms: []string{"Users", "people"}},
		{Name: "Closed", Strategy: "auth0", Options: json.RawMessage(`{"disable_signup":true}`), EnabledClients: []string{webApp}},
		{Name: "Named", Strategy: "auth0", Options: json.RawMessage(`{"requires_username":true}`), EnabledClients: []string{webApp}},
		{Name: "Elsewhere", Strategy: "auth0", Options: json.RawMessage(`{}`)},
		{Name: "google", Strategy: "google-oauth2", Options: json.RawMessage(`{}`), EnabledClients: []string{webApp}},
	} {
		c.ID, c.Extra, c.Version, c.CreatedAt, c.UpdatedAt = "con_000000000000000"+string(rune('0'+i)), json.RawMessage(`{}`), 1, at, at
		if c.Realms == nil {
			c.Realms = []string{c.Name}
		}
		must(tb, w.store.CreateConnection(ctx, &c, by))
	}
	guards := &guard.Service{Store: w.store, Settings: tuned{w.store, w}, Audit: w.events, Users: w.store, Connections: w.store, Now: now}
	users := &user.Service{Guard: guards, Users: w.store, Connections: w.store, Hashing: user.NewHashing(0, 0), Audit: w.events, Now: now, MailsReady: func() bool { return true }}
	w.outbox = &outbox{Store: w.store}
	w.tickets = &ticket.Service{
		Store: w.outbox, Users: w.store, Connections: w.store, Clients: w.store, Redeemer: users, Unblocker: guards, Throttle: guards,
		PublicURL: publicURL, Now: now,
	}
	guards.Mail = w.tickets.SendUnblock
	w.mailbox = &mailbox{storetest.Mailbox{Store: w.store}}
	w.codes = &passwordless.Service{
		Store: w.mailbox, Users: users, Identities: w.store, Texts: w.mailbox, Key: []byte("key of the hashes"), PublicURL: publicURL, Now: now,
		Wait: func(context.Context, time.Duration) {},
	}
	w.Endpoints = New(Deps{
		PublicURL: publicURL, Clients: w.store, Grants: w.store, ResourceServers: w.store, Connections: w.store,
		Users: users, UserStore: w.store, Tokens: w.store, Keys: ring, Audit: w.events, Now: now, Tenant: tuned{w.store, w},
		ConnectionKeys: &connection.KeyService{Store: w.store, Connections: w.store, Now: now},
		Resets:         w.tickets, Refresh: w.store, Devices: w.store, Approvals: w.store, Throttle: guards, Registrar: client.NewService(w.store, now), Permissions: w.store, Credentials: w.store, Passwordless: w.codes,
		Consents: w.store, Pushed: w.store,
	})
	w.StartLogin = func(rw http.ResponseWriter, _ *http.Request, req oauth.AuthorizeRequest) error {
		w.login = &req
		rw.Header().Set("Location", "/u/login?state=x")
		rw.WriteHeader(http.StatusFound)
		return nil
	}
	w.Interact = func(rw http.ResponseWriter, _ *http.Request, req oauth.AuthorizeRequest, _ session.Session) error {
		w.interact = &req
		rw.Header().Set("Location", "/u/consent?state=x")
		rw.WriteHeader(http.StatusFound)
		return nil
	}
	w.Message = func(_ http.ResponseWriter, _ *http.Request, origin string, answer []Parameter) error {
		w.message = origin + " " + encode(answer)
		return nil
	}
	w.FormPost = func(_ http.ResponseWriter, _ *http.Request, action string, answer []Parameter) error {
		w.formed = action + " " + encode(answer)
		return nil
	}
	w.ConfirmLogout = func(_ http.ResponseWriter, _ *http.Request, fields []Parameter) error {
		w.pressed = append([]Parameter{}, fields...)
		return nil
	}
	w.SignedOutPage = func(http.ResponseWriter, *http.Request) error {
		w.told = true
		return nil
	}
	w.MFADue = func(context.Context, *user.User, *client.Client, oauth.AuthorizeRequest, session.Session) (bool, error) {
		return w.factor, nil
	}
	w.SignedOut = func(ctx context.Context, _ session.Session, e audit.Event) error {
		return w.events.AppendEvents(ctx, e)
	}
	w.SessionClient = func(_ context.Context, _ session.Session, clientID string) error {
		w.met = append(w.met, clientID)
		return nil
	}
	w.Session = func(*http.Request) (session.Session, error) {
		if w.session.UserID == "" {
			return session.Session{}, session.ErrNone
		}
		return w.session, nil
	}
	w.EndSession = func(http.ResponseWriter, *http.Request) error {
		w.session = session.Session{}
		return nil
	}
	w.ErrorPage = func(rw http.ResponseWriter, _ *http.Request, status int, title, text string) {
		w.page = title
		http.Error(rw, title+": "+text, status)
	}
	w.mux = chi.NewMux()
	w.Mount(w.mux)

	var err error
	w.ann, err = users.Create(ctx, user.CreateRequest{Connection: "Users", UserID: "ann", Password: secretPW, Changes: []profile.Change{
		{Name: "email", Value: profile.Text("ann@example.com")},
		{Name: "name", Value: profile.Text("Ann")},
		{Name: "nickname", Value: profile.Text("an")},
	}}, user.Actor{ClientID: machine})
	must(tb, err)
	return w
}

// signIn gives the browser a session of ann's.
func (w *world) signIn() {
	w.session = session.Session{Hash: "h", ID: "sid-1", UserID: string(w.ann.ID), ConnectionID: "con_0000000000000000", AuthTime: w.at.UnixMicro()}
}

// block blocks ann.
func (w *world) block(tb testing.TB) {
	tb.Helper()
	_, err := w.store.UpdateUser(tb.Context(), w.ann.ID, func(u *user.User) (user.Effect, error) {
		u.Profile.Set(profile.Blocked, profile.Bool(true), profile.Source{Origin: profile.FromManagement})
		return user.Effect{}, nil
	})
	must(tb, err)
}

// setTenant replaces the tenant's settings.
func (w *world) setTenant(tb testing.TB, doc string) {
	tb.Helper()
	_, err := w.store.UpdateTenantDocument(tb.Context(), tenant.Tenant, func(json.RawMessage) (json.RawMessage, error) {
		return json.RawMessage(doc), nil
	}, audit.Event{})
	must(tb, err)
}

// setClient replaces members of a client.
func (w *world) setClient(tb testing.TB, id, name, value string) {
	tb.Helper()
	_, err := w.store.UpdateClient(tb.Context(), id, func(c *client.Client) error {
		var m map[string]json.RawMessage
		if err := json.Unmarshal(c.Doc, &m); err != nil {
			return err
		}
		m[name] = json.RawMessage(value)
		b, err := json.Marshal(m)
		c.Doc = b
		return err
	}, audit.Event{Type: audit.APIOperation, At: w.at.UnixMicro()})
	must(tb, err)
}

// send sends a request; headers are pairs of name and value.
func (w *world) send(tb testing.TB, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), method, publicURL+target, strings.NewReader(body))
	if body != "" {
		kind := "application/x-www-form-urlencoded"
		if body[0] == '{' {
			kind = "application/json"
		}
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	return rec
}

// post sends a token request.
func (w *world) post(tb testing.TB, body string, headers ...string) *httptest.ResponseRecorder {
	tb.Helper()
	return w.send(tb, "POST", "/oauth/token", body, headers...)
}

// form writes pairs of name and value.
func form(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(pairs[i]) + "=" + url.QueryEscape(pairs[i+1]))
	}
	return b.String()
}

// answer of the token endpoint, or of userinfo.
func answer(tb testing.TB, rec *httptest.ResponseRecorder) map[string]any {
	tb.Helper()
	var m map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &m); err != nil {
		tb.Fatalf("%d %q: %v", rec.Code, rec.Body, err)
	}
	return m
}

// code gets an authorization code from the browser's session.
func (w *world) code(tb testing.TB, pairs ...string) string {
	tb.Helper()
	rec := w.send(tb, "GET", "/authorize?"+form(pairs...), "")
	u, err := url.Parse(rec.Header().Get("Location"))
	if err != nil || u.Query().Get("code") == "" {
		tb.Fatalf("no code: %d %s %s", rec.Code, rec.Header().Get("Location"), rec.Body)
	}
	return u.Query().Get("code")
}
