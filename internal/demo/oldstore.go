package demo

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// legacy is the connection to the old store, and realm the grant by which its people
// sign in here.
const (
	legacy = "legacy"
	realm  = "http://auth0.com/oauth/grant-type/password-realm"
)

// oldStore is a user table of somebody's own behind a webhook, as one is written that
// is never to be asked by anybody else.
type oldStore struct {
	secret string
	people map[string]document // by address
	srv    *http.Server
	url    string

	mu    sync.Mutex
	asked []string // the actions
}

func openOldStore(ctx context.Context, secret string, people map[string]document) (*oldStore, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &oldStore{secret: secret, people: people, url: "http://" + l.Addr().String() + "/"}
	s.srv = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.srv.Serve(l) }() // until it is closed
	return s, nil
}

// close takes the store out of the world. It may be called twice.
func (s *oldStore) close() { s.srv.Close() }

// count is how often it was asked.
func (s *oldStore) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// ServeHTTP answers login and get_user.
func (s *oldStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	var q struct {
		Action string
		Args   struct{ Identifier, Password string }
	}
	if err != nil || !s.signed(r.Header.Get("Mangrove-Signature"), body) || json.Unmarshal(body, &q) != nil {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, q.Action)
	s.mu.Unlock()
	who, known := s.people[q.Args.Identifier]
	w.Header().Set("Content-Type", "application/json")
	switch {
	case q.Action == "get_user" && !known:
		w.WriteHeader(http.StatusNoContent)
		return
	case q.Action == "login" && (!known || q.Args.Password != password):
		w.WriteHeader(http.StatusUnauthorized)
		who = document{"error": "wrong_credentials", "user_id": who.text("user_id")}
	}
	b, err := json.Marshal(who)
	if err != nil {
		panic(err) // our own literals
	}
	_, _ = w.Write(b)
}

// signed checks that the server, and nobody else, asks: t=<time>,v1=<HMAC of time.body>.
func (s *oldStore) signed(header string, body []byte) bool {
	at, sum, _ := strings.Cut(strings.TrimPrefix(header, "t="), ",v1=")
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write([]byte(at + "."))
	mac.Write(body)
	return hmac.Equal([]byte(sum), []byte(hex.EncodeToString(mac.Sum(nil))))
}

// migration: somebody of an old store becomes a user of ours by signing in.
func (c *cast) migration(ctx context.Context, p *play) error {
	gus := document{
		"user_id": "old|7", "email": "gus@example.com", "email_verified": true, "name": "Gus Vann", "given_name": "Gus", "family_name": "Vann",
		"nickname": "gusto", "picture": "https://example.com/gus.png", "app_metadata": document{"plan": "gold"},
	}
	store, err := openOldStore(ctx, "secret-of-the-old-store", map[string]document{gus.text("email"): gus})
	if err != nil {
		return err
	}
	defer store.close()
	made, err := p.api(ctx, "POST", "/api/v2/connections", object(
		"name", legacy, "strategy", "auth0", "enabled_clients", []string{p.app.id}, "options", object(
			"import_mode", true, "enabledDatabaseCustomization", true,
			"webhook", object("url", store.url, "secret", "${SECRET}", "actions", []string{"login", "get_user"}),
			"configuration", document{"SECRET": store.secret})))
	if err != nil {
		return err
	}
	if err := made.want(http.StatusCreated); err != nil {
		return err
	}

	p.say("Gus is in the old store alone. A wrong password first, then the right one:")
	wrong, err := p.byPassword(ctx, gus.text("email"), "not-"+password)
	if err != nil {
		return err
	}
	list, err := p.usersByEmail(ctx, gus.text("email"))
	if err != nil {
		return err
	}
	p.expect(wrong.status == http.StatusForbidden && len(list) == 0, "a wrong password is refused, and makes nobody: %s", wrong.document().text("error_description"))
	here, err := p.comesIn(ctx, gus)
	if err != nil {
		return err
	}
	p.showRoots(here)
	p.expectRoots(here, textsOf(gus), "the first login makes the user: the root attributes are those of the old store")
	p.expect(here.text("user_id") == "auth0|old|7" && here["email_verified"] == true && same(here["app_metadata"], gus["app_metadata"]),
		"so are the id, the proof of the address, the metadata")
	if err := p.whoSetIt(ctx, here, "custom_database"); err != nil {
		return err
	}
	return c.migrated(ctx, p, store, gus, here, made.document().text("id"))
}

// migrated: from then on the user is ours.
func (c *cast) migrated(ctx context.Context, p *play, store *oldStore, gus, here document, connectionID string) error {
	gus["name"] = "Augustus Vann"
	p.say("The name is changed in the old store, and here. Then Gus signs in again:")
	edited, err := p.api(ctx, "PATCH", userPath(here.text("user_id")), object("name", "Gus B. Vann"))
	if err != nil {
		return err
	}
	if err := edited.want(http.StatusOK); err != nil {
		return err
	}
	before := store.count()
	again, err := p.comesIn(ctx, gus)
	if err != nil {
		return err
	}
	p.expect(store.count() == before, "the old store is not asked: the password is here")
	want := textsOf(here)
	want["name"] = "Gus B. Vann"
	p.expectRoots(again, want, "the root attributes are as they were edited here: no login resets them")

	store.close()
	p.say("The old store is switched off.")
	last, err := p.comesIn(ctx, gus)
	if err != nil {
		return err
	}
	p.expect(last["logins_count"] == 3.0, "Gus still signs in, for the third time")
	state, err := p.api(ctx, "GET", "/api/v2/connections/"+connectionID+"/migration", nil)
	if err != nil {
		return err
	}
	p.expect(state.document()["migrated"] == 1.0, "and the migration says: %v has migrated", state.document()["migrated"])
	return nil
}

// comesIn signs somebody of the old store in, and returns the user.
func (p *play) comesIn(ctx context.Context, who document) (document, error) {
	a, err := p.byPassword(ctx, who.text("email"), password)
	if err != nil {
		return nil, err
	}
	if err := a.want(http.StatusOK); err != nil {
		return nil, err
	}
	claims, err := p.userinfo(ctx, a)
	if err != nil {
		return nil, err
	}
	return p.peek(ctx, claims.text("sub"))
}

func (p *play) byPassword(ctx context.Context, name, word string) (answer, error) {
	a, err := p.form(ctx, "/oauth/token", url.Values{
		"grant_type": {realm}, "realm": {legacy}, "username": {name}, "password": {word},
		"scope": {"openid profile email"}, "client_id": {p.app.id}, "client_secret": {p.app.secret},
	})
	p.brief("POST", "/oauth/token", a.status, p.style(dim, "name and password for tokens"))
	return a, err
}

// whoSetIt asks where the root attributes of a user came from.
func (p *play) whoSetIt(ctx context.Context, u document, origin string) error {
	path := "/api/v2/users?q=" + url.QueryEscape(fmt.Sprintf("user_id:%q", u.text("user_id"))) + "&include_provenance=true"
	a, err := p.quiet(ctx, "GET", path, nil)
	if err != nil {
		return err
	}
	p.brief("GET", "/api/v2/users?…&include_provenance=true", a.status, p.style(dim, "who set this name?"))
	var list []struct {
		Provenance map[string]struct{ Origin string }
	}
	if err := errors.Join(a.want(http.StatusOK), json.Unmarshal(a.body, &list)); err != nil {
		return err
	}
	if len(list) != 1 {
		return fmt.Errorf("%d users have the id %s", len(list), u.text("user_id"))
	}
	other := slices.DeleteFunc(slices.Clone(roots), func(name string) bool { return list[0].Provenance[name].Origin == origin })
	p.expect(len(other) == 0, "and the record says where each of them came from: %s", list[0].Provenance["name"].Origin)
	return nil
}
