package mgmt

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/factor"
	"mangrove/internal/grant"
	"mangrove/internal/guard"
	"mangrove/internal/key"
	"mangrove/internal/letter"
	"mangrove/internal/profile"
	"mangrove/internal/resourceserver"
	"mangrove/internal/role"
	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
	"mangrove/internal/tenant"
	"mangrove/internal/ticket"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

// The ids of a world.
const (
	machineID  = "machine0000000000000000000000000"
	usersID    = "con_Users00000000000"
	googleID   = "con_Google0000000000"
	smsID      = "con_Sms0000000000000"
	disabledID = "con_Disabled00000000"
	publicURL  = "https://id.example.test"
	audienceID = publicURL + "/api/v2/"
	password   = "correct horse battery staple"
)

// world is an API over a real store, with a client, a few connections, and a
// user of each kind.
type world struct {
	http.Handler
	api    *api
	store  *store.Store
	issuer *token.Issuer
	keys   *key.Ring
	clock  *clock
	ann    user.ID // of the database
	gus    user.ID // of google, synced on each login
	wakes  chan struct{}
	tokens map[string]string
}

// clock stands still until told.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type fixedKeys []key.Key

func (k fixedKeys) Keys(context.Context) ([]key.Key, error) { return k, nil }

var (
	testKey  = sync.OnceValue(func() key.Key { return newKey() })
	otherKey = sync.OnceValue(func() key.Key { return newKey() })
)

func newKey() key.Key {
	k, err := key.Generate("id.example.test", time.Now())
	if err != nil {
		panic(err)
	}
	return k
}

// anotherKey is the same key by another name: whoever rotates hundreds of times
// cannot wait for primes.
func anotherKey(string, time.Time) (key.Key, error) {
	k := testKey()
	k.ID = "kid-" + rand.Text()
	return k, nil
}

func newRing(tb testing.TB, k key.Key, now func() time.Time) *key.Ring {
	tb.Helper()
	r := key.NewRing(fixedKeys{k}, now)
	must(tb, r.Load(tb.Context()))
	return r
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// onEngines runs a test on each engine, in a world of its own.
func onEngines(t *testing.T, test func(t *testing.T, w *world)) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) { test(t, newWorldOn(t, engine)) })
	}
}

// newWorld is a world on the embedded engine.
func newWorld(tb testing.TB) *world {
	tb.Helper()
	return newWorldOn(tb, storetest.SQLite)
}

func newWorldOn(tb testing.TB, engine string) *world {
	tb.Helper()
	w := &world{clock: &clock{at: time.UnixMicro(at)}, wakes: make(chan struct{}, 100), tokens: map[string]string{}}
	w.store = storetest.Open(tb, engine)
	w.keys = newRing(tb, testKey(), w.clock.now)
	w.issuer = &token.Issuer{Keys: w.keys, URL: publicURL + "/", Now: w.clock.now}
	ctx := tb.Context()

	machine := client.Management(machineID, "s", at)
	must(tb, w.store.CreateClient(ctx, machine, audit.Event{Type: audit.APIOperation, At: at}))
	for _, c := range []connection.Connection{
		{ID: usersID, Name: "Users", Strategy: "auth0", Options: json.RawMessage(`{"passwordPolicy":"low"}`), EnabledClients: []string{machineID}},
		{ID: disabledID, Name: "Disabled", Strategy: "auth0", Options: json.RawMessage(`{}`)},
		{ID: googleID, Name: "google", Strategy: "google-oauth2", Options: json.RawMessage(`{}`), EnabledClients: []string{machineID}},
		{ID: smsID, Name: "sms", Strategy: "sms", Options: json.RawMessage(`{}`), EnabledClients: []string{machineID}},
	} {
		c.Realms, c.Extra, c.Version, c.CreatedAt, c.UpdatedAt = []string{c.Name}, json.RawMessage(`{}`), 1, at, at
		must(tb, w.store.CreateConnection(ctx, &c, audit.Event{Type: audit.APIOperation, At: at}))
	}

	now := w.clock.now
	hasClient := func(ctx context.Context, id string) (bool, error) {
		_, err := w.store.Client(ctx, id)
		return err == nil, nil
	}
	guards := &guard.Service{Store: w.store, Settings: w.store, Audit: w.store, Users: w.store, Connections: w.store, Now: now}
	users := &user.Service{Guard: guards, Users: w.store, Connections: w.store, Hashing: user.NewHashing(0, 0), Audit: w.store, Now: now}
	tickets := &ticket.Service{
		Store: w.store, Users: w.store, Connections: w.store, Clients: w.store, Redeemer: users, PublicURL: publicURL, Now: now,
	}
	w.api = newAPI(Deps{
		Users: users, UserStore: w.store,
		Connections: connection.NewService(w.store, hasClient, now), ConnectionStore: w.store, Migrations: w.store,
		Clients: client.NewService(w.store, now), ClientStore: w.store,
		Credentials:     &client.CredentialService{Store: w.store, Clients: w.store, Now: now},
		ConnectionKeys:  &connection.KeyService{Store: w.store, Connections: w.store, Now: now},
		Keys:            &key.Service{Store: w.store, Ring: w.keys, Host: "id.example.test", Now: now, Make: anotherKey},
		Grants:          &grant.Service{Store: w.store, HasClient: hasClient, Now: now, NewID: grant.NewID},
		ResourceServers: &resourceserver.Service{Store: w.store, Now: now, NewID: resourceserver.NewID},
		Roles:           &role.Service{Store: w.store, API: w.store.ResourceServerByIdentifier, Now: now, NewID: role.NewID},
		Tickets:         tickets,
		Factors: &factor.Service{
			Store: w.store, Users: w.store, Tenant: w.store, Letters: w.store, Audit: w.store, Now: now, PublicURL: publicURL,
			SMS: func(context.Context, string, string, string) error { return nil },
		},
		Guard:    guards,
		Letters:  &letter.Service{Store: w.store, Now: now},
		Tenant:   &tenant.Service{Store: w.store, Now: now},
		Consents: w.store,
		Logs:     w.store, Sessions: w.store, RefreshTokens: w.store,
		Jobs: w.store, WakeJobs: func() { w.wakes <- struct{}{} },
		Tokens: token.NewVerifier(w.keys, publicURL+"/", now), Now: now,
		PublicURL: publicURL, ImportLimit: 3 * pieceSize,
	})
	w.Handler = w.api.handler()

	ann, err := users.Create(ctx, user.CreateRequest{Connection: "Users", UserID: "ann", Password: password, Changes: []profile.Change{
		{Name: "email", Value: profile.Text("ann@example.com")},
		{Name: "name", Value: profile.Text("Ann")},
		{Name: "user_metadata", Value: profile.Value(`{"a":1}`)},
	}}, user.Actor{ClientID: machineID})
	must(tb, err)
	w.ann = ann.ID
	google, err := w.store.Connection(ctx, googleID)
	must(tb, err)
	gus, err := users.Federate(ctx, google, profile.Claims{Subject: "117", Attributes: []profile.Change{
		{Name: "email", Value: profile.Text("gus@example.com")},
		{Name: "email_verified", Value: profile.Bool(true)},
		{Name: "name", Value: profile.Text("Gus")},
	}, Raw: profile.Value(`{"sub":"117"}`)}, profile.Value(`{"access_token":"upstream-secret"}`), user.Actor{IP: "203.0.113.7"})
	must(tb, err)
	w.gus = gus.ID
	return w
}

// machine is a token of the client with the scopes, one space between them.
func (w *world) machine(tb testing.TB, scopes string) string {
	tb.Helper()
	if t := w.tokens[scopes]; t != "" {
		return t
	}
	t := w.sign(tb, token.Access{Subject: machineID + "@clients", Scopes: strings.Fields(scopes), GrantType: token.GrantClientCredentials})
	w.tokens[scopes] = t
	return t
}

// of is a user's own token.
func (w *world) of(tb testing.TB, id user.ID, scopes string) string {
	tb.Helper()
	return w.sign(tb, token.Access{Subject: string(id), Scopes: strings.Fields(scopes)})
}

func (w *world) sign(tb testing.TB, a token.Access) string {
	tb.Helper()
	if a.ClientID == "" {
		a.ClientID = machineID
	}
	if a.Audience == nil {
		a.Audience = []string{audienceID}
	}
	if a.Lifetime == 0 {
		a.Lifetime = time.Hour
	}
	t, err := w.issuer.AccessToken(tb.Context(), a)
	must(tb, err)
	return t
}

// call sends a request; headers are pairs of name and value.
func (w *world) call(tb testing.TB, method, path, bearer, body string, headers ...string) *httptest.ResponseRecorder {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), method, Prefix+path, strings.NewReader(body))
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return rec
}

// answers checks a status, texts that must be there, and texts that must not.
func answers(t *testing.T, rec *httptest.ResponseRecorder, status int, has, hasNot []string) {
	t.Helper()
	body := rec.Body.String()
	if rec.Code != status {
		t.Errorf("status %d, want %d: %s", rec.Code, status, body)
	}
	for _, s := range has {
		if !strings.Contains(body, s) {
			t.Errorf("lacks %s: %s", s, body)
		}
	}
	for _, s := range hasNot {
		if strings.Contains(body, s) {
			t.Errorf("has %s: %s", s, body)
		}
	}
	if rec.Code >= 400 {
		var p struct {
			StatusCode int
			Error      string
			Message    string
		}
		if err := json.Unmarshal([]byte(body), &p); err != nil || p.StatusCode != rec.Code || p.Error != http.StatusText(rec.Code) || p.Message == "" {
			t.Errorf("not an error of the family: %s", body)
		}
		if ct := rec.Header().Get("Content-Type"); ct != "application/json; charset=utf-8" {
			t.Errorf("content type %s", ct)
		}
	}
	if rec.Code != http.StatusNotFound && rec.Header().Get("Cache-Control") != "no-store" {
		t.Error("the answer may be cached")
	}
}

// stored is the user as it is in the store, for comparing before and after.
func (w *world) stored(tb testing.TB, id user.ID) string {
	tb.Helper()
	v, err := w.store.View(tb.Context(), id)
	must(tb, err)
	return etag(v.Version) + string(appendUser(nil, &v, v.Identities))
}
