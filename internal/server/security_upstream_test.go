package server_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"mangrove/internal/fakeidp"
	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/idptest"
	"mangrove/internal/upstream/ldaptest"
	"mangrove/internal/upstream/social/socialtest"
)

// road is a kind of connector, as somebody comes in by it.
type road struct {
	name string
	// lay makes the connection and returns its id.
	lay func(w *world, name string, more map[string]any) string
	// walk goes as far as to hand over what proves who somebody is; deliver does that.
	walk func(a *application, b *browser, connection string) trip
	// redirects: what proves it is an answer of a provider elsewhere.
	redirects bool
}

// trip is a login that lacks its last step.
type trip struct {
	verifier string
	answer   idptest.Answer // of a road that redirects
	deliver  func(b *browser) (url.Values, string, *url.URL)
}

func (a *application) begin(connection string) (address, verifier string) {
	verifier = oauth2.GenerateVerifier()
	return a.oauth.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("the nonce"), oauth2.SetAuthURLParam("connection", connection)), verifier
}

// hand gives the browser an answer to deliver.
func (b *browser) hand(answer idptest.Answer) (url.Values, string, *url.URL) {
	if answer.Form == nil {
		return b.follow(answer.URL)
	}
	return b.deliver(answer.URL, answer.Form)
}

// away is the walk of the roads that redirect.
func away(person string) func(a *application, b *browser, connection string) trip {
	return func(a *application, b *browser, connection string) trip {
		a.w.t.Helper()
		address, verifier := a.begin(connection)
		to, form := b.departs(a.w, address)
		answer := idptest.NewBrowser(a.w.t).Visit(to, form, person, a.w.url+"/login/callback")
		return trip{verifier, answer, func(b *browser) (url.Values, string, *url.URL) { return b.hand(answer) }}
	}
}

func (w *world) laid(strategy, name string, options, more map[string]any) string {
	w.t.Helper()
	all := map[string]any{}
	for _, m := range []map[string]any{options, more} {
		for k, v := range m {
			all[k] = v
		}
	}
	return fmt.Sprint(w.made("/api/v2/connections", map[string]any{"name": name, "strategy": strategy, "options": all})["id"])
}

// roads are one of each kind, with somebody called carol behind each.
func roads(t *testing.T) []road {
	t.Helper()
	idp := sync.OnceValue(func() *idptest.SAMLP { return samlParts(t) })
	directory := sync.OnceValue(func() *ldaptest.Directory {
		return ldaptest.Slapd(t, ldaptest.Person("carol", "Carol Ash", "carol@corp.example"))
	})
	list := []road{
		{name: "oidc", redirects: true, walk: away("carol"), lay: func(w *world, name string, more map[string]any) string {
			return newHouse(w.t, w).lay("oidc", name, nil, more)
		}},
		{name: "oidc by form", redirects: true, walk: away("carol"), lay: func(w *world, name string, more map[string]any) string {
			return newHouse(w.t, w).lay("oidc", name, map[string]any{"type": "front_channel"}, more)
		}},
		{name: "google-apps", redirects: true, walk: away("carol"), lay: func(w *world, name string, more map[string]any) string {
			h := newHouse(w.t, w)
			h.SetPerson("carol", map[string]any{"name": "Carol", "email": "carol@corp.example", "email_verified": true, "hd": "corp.example"})
			return w.laid("google-apps", name, map[string]any{
				"client_id": "mangrove", "client_secret": "s", "domain": "corp.example",
				"endpoints": map[string]any{"issuer": h.Issuer(), "authorize": h.Issuer() + "/authorize", "token": h.Issuer() + "/token", "jwks": h.Issuer() + "/jwks"},
			}, more)
		}},
		{name: "samlp", redirects: true, walk: away("carol"), lay: func(w *world, name string, more map[string]any) string {
			return w.laid("samlp", name, map[string]any{"metadataUrl": idp().SAMLMetadata()}, more)
		}},
		{name: "adfs", redirects: true, walk: away("carol"), lay: func(w *world, name string, more map[string]any) string {
			return w.laid("adfs", name, map[string]any{"adfs_server": idp().WSFedMetadata()}, more)
		}},
		{name: "ad", lay: func(w *world, name string, more map[string]any) string {
			return w.laid("ad", name, map[string]any{"ldap": directory().Options()}, more)
		}, walk: func(a *application, b *browser, connection string) trip {
			address, verifier := a.begin(connection)
			_, _, at := b.follow(address)
			_, _, at = b.submit(at.String(), url.Values{"username": {"carol"}})
			return trip{verifier: verifier, deliver: func(b *browser) (url.Values, string, *url.URL) {
				return b.submit(at.String(), url.Values{"username": {"carol"}, "password": {"carolpw"}})
			}}
		}},
		{name: "ip", lay: func(w *world, name string, more map[string]any) string {
			return w.laid("ip", name, map[string]any{"username": "carol", "range": "127.0.0.0/8"}, more)
		}, walk: func(a *application, _ *browser, connection string) trip {
			address, verifier := a.begin(connection)
			return trip{verifier: verifier, deliver: func(b *browser) (url.Values, string, *url.URL) { return b.follow(address) }}
		}},
	}
	for _, name := range []string{"github", "apple", "twitter.oauth1", "oauth2", "salesforce", "windowslive"} {
		list = append(list, road{name: name, redirects: true, walk: away("carol"), lay: func(w *world, conn string, more map[string]any) string {
			d := socialtest.Start(w.t, name)
			d.Redirect(w.url + "/login/callback")
			var options map[string]any
			if err := json.Unmarshal(d.Options(), &options); err != nil {
				w.t.Fatal(err)
			}
			return w.laid(d.Strategy, conn, options, more)
		}})
	}
	return list
}

// samlParts is a provider of SAML and WS-Federation that knows carol.
func samlParts(t *testing.T) *idptest.SAMLP {
	t.Helper()
	idp := idptest.StartSAMLP(t)
	const soap = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	idp.SetPerson("carol", map[string][]string{soap + "emailaddress": {"carol@corp.example"}, soap + "name": {"Carol"}})
	return idp
}

func (h *house) lay(strategy, name string, own, more map[string]any) string {
	h.w.t.Helper()
	h.SetPerson("carol", map[string]any{"name": "Carol", "email": "carol@corp.example", "email_verified": true})
	options := map[string]any{
		"type": "back_channel", "issuer": h.Issuer(), "discovery_url": h.DiscoveryURL(), "client_id": "mangrove", "client_secret": "s",
	}
	for k, v := range own {
		options[k] = v
	}
	return h.w.laid(strategy, name, options, more)
}

// failures are the records of refused logins, the newest first.
func (w *world) failures() []map[string]any {
	w.t.Helper()
	status, body := w.call("GET", "/api/v2/logs?per_page=100&sort=date:-1&q="+url.QueryEscape("type:f OR type:fp OR type:fu"), "")
	var list []map[string]any
	if err := json.Unmarshal([]byte(body), &list); status != 200 || err != nil {
		w.t.Fatalf("%d %s", status, body)
	}
	return list
}

// security.md 92, 93: what has changed since the browser left counts, on every road:
// nobody comes in by a connection that has gone, nobody is unblocked, and nobody is
// made again where nobody may be made.
func TestStateIsReadAgainOnEveryRoad(t *testing.T) {
	type scene struct {
		w          *world
		a          *application
		name       string // of the connection
		connection string // its id
		user       string
	}
	must := func(s scene, method, path, body string) {
		s.w.t.Helper()
		if status, text := s.w.call(method, path, body); status > 299 {
			s.w.t.Fatalf("%s %s: %d %s", method, path, status, text)
		}
	}
	disable := func(s scene) {
		must(s, "PATCH", "/api/v2/connections/"+s.connection+"/clients", `[{"client_id":"`+s.a.oauth.ClientID+`","status":false}]`)
	}
	forget := func(s scene) { must(s, "DELETE", "/api/v2/users/"+url.PathEscape(s.user), "") }
	changes := []struct {
		name string
		make func(s scene)
		// in: somebody comes in; told: what the application gets, empty for nothing at all.
		in   bool
		told string
	}{
		{"nothing", func(scene) {}, true, ""},
		{"user deleted", forget, true, ""},
		{"user deleted, none to be made", func(s scene) { s.w.setSync(s.name, "never_on_login"); forget(s) }, false, "access_denied"},
		{"user blocked", func(s scene) { must(s, "PATCH", "/api/v2/users/"+url.PathEscape(s.user), `{"blocked":true}`) }, false, "unauthorized"},
		{"connection disabled", disable, false, "invalid_request"},
		{"connection deleted", func(s scene) { must(s, "DELETE", "/api/v2/connections/"+s.connection, "") }, false, "invalid_request"},
		{"client deleted", func(s scene) { must(s, "DELETE", "/api/v2/clients/"+s.a.oauth.ClientID, "") }, false, ""},
	}
	for _, r := range roads(t) {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite)
			for i, change := range changes {
				s := scene{w: w, name: fmt.Sprint("carols", i)} // one that is deleted keeps its name for a while
				s.connection = r.lay(w, s.name, nil)
				s.a = w.newApplication(s.name)
				b := w.newBrowser()
				known := r.walk(s.a, b, s.name)
				query, page, at := known.deliver(b)
				in, refused := s.a.exchange(orFatal(t, query, page, at), known.verifier)
				if in == nil {
					t.Fatalf("%s: the first login: %v", change.name, refused)
				}
				s.user = in.subject
				must(s, "PATCH", "/api/v2/users/"+url.PathEscape(s.user), `{"app_metadata":{"plan":"gold"}}`)
				before := w.profileOf(s.user)
				records := len(w.failures())

				b = w.newBrowser()
				again := r.walk(s.a, b, s.name)
				change.make(s)
				query, page, at = again.deliver(b)
				written := len(w.failures()) - records
				switch {
				case change.in:
					in, refused := s.a.exchange(orFatal(t, query, page, at), again.verifier)
					if in == nil || in.subject != s.user {
						t.Errorf("%s: %v %v", change.name, in, refused)
					} else if plan := w.profileOf(s.user)["app_metadata"]; change.name != "nothing" && plan != nil {
						t.Errorf("%s: a login brought back %v", change.name, plan)
					}
				case query.Get("error") != change.told || query.Has("code"):
					t.Errorf("%s: told %v at %s", change.name, query, at)
				case change.told != "" && s.a.signedIn(b):
					t.Errorf("%s: the browser has a session", change.name)
				case written == 0 && change.told != "":
					t.Errorf("%s: left no record", change.name)
				}
				switch status, body := w.call("GET", "/api/v2/users/"+url.PathEscape(s.user), ""); change.name {
				case "user blocked":
					want(t, change.name, w.profileOf(s.user), map[string]any{"blocked": true, "app_metadata": before["app_metadata"], "name": before["name"]})
				case "user deleted, none to be made":
					if status != 404 {
						t.Errorf("%s: the user is there: %d %s", change.name, status, body)
					}
				}
				_, _ = w.call("DELETE", "/api/v2/users/"+url.PathEscape(s.user), "")
				_, _ = w.call("DELETE", "/api/v2/connections/"+s.connection, "")
			}
		})
	}
}

func orFatal(t *testing.T, query url.Values, page string, at *url.URL) url.Values {
	t.Helper()
	if query == nil {
		_, page, _ = strings.Cut(page, "<main")
		t.Fatalf("ended at %s with a page: %.600s", at, page)
	}
	return query
}

// security.md 102, 103 and RFC 9700 §4: an answer is good once, in the browser that
// asked, for the trip and the connection that it was given for; it leads nowhere but
// to the application.
func TestAnswersAreOfOneTrip(t *testing.T) {
	for _, r := range roads(t) {
		if !r.redirects {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite)
			r.lay(w, "carols", nil)
			newHouse(t, w).lay("oidc", "other", nil, nil)
			a := w.newApplication("carols", "other")
			// nobody comes in, and the browser stays with us or goes to the application.
			nobody := func(what string, b *browser, answer idptest.Answer) {
				t.Helper()
				if query, _, at := b.hand(answer); query.Has("code") || at.Host == "evil.example" {
					t.Errorf("%s: %v at %s", what, query, at)
				}
				if a.signedIn(b) {
					t.Errorf("%s: the browser has a session", what)
				}
			}
			walk := func() (*browser, trip) {
				t.Helper()
				b := w.newBrowser()
				return b, r.walk(a, b, "carols")
			}
			_, one := walk()
			thief := w.newBrowser()
			nobody("in a browser without a login", thief, one.answer)
			// Login CSRF: the attacker's own answer in the victim's browser, half-way itself.
			victim, theirs := walk()
			nobody("in a browser with another login", victim, one.answer)
			if state := stateIn(theirs.answer); state != "" {
				mixed := withState(one.answer, state)
				if r.name != "adfs" && !plainOAuth[r.name] { // they bind no answer to a request
					nobody("with the state of another trip", victim, mixed)
				}
			}
			otherBrowser := w.newBrowser()
			toOther := away("carol")(a, otherBrowser, "other")
			nobody("with the state of a trip to another provider", otherBrowser, withState(one.answer, stateIn(toOther.answer)))
			for _, state := range []string{"https://evil.example/", "//evil.example", "", "x." + strings.Repeat("A", 22), strings.Repeat("A", 43) + "." + strings.Repeat("A", 22)} {
				nobody(fmt.Sprintf("with the state %q", state), w.newBrowser(), withState(one.answer, state))
			}
			fresh, sent := walk()
			sent.answer.URL = strings.ReplaceAll(sent.answer.URL, "connection=carols", "connection=other")
			if !strings.Contains(sent.answer.URL, "connection=") {
				sent.answer.URL += map[bool]string{true: "&", false: "?"}[strings.Contains(sent.answer.URL, "?")] + "connection=other"
			}
			nobody("at the address of another connection", fresh, sent.answer)

			b, one := walk() // a provider gives tokens for a code once
			query, page, at := one.deliver(b)
			if in, refused := a.exchange(orFatal(t, query, page, at), one.verifier); in == nil {
				t.Fatalf("in its place: %v", refused)
			}
			records := len(w.failures())
			if query, _, _ := one.deliver(b); query.Has("code") {
				t.Error("again in the same browser")
			}
			nobody("again elsewhere", w.newBrowser(), one.answer)
			if len(w.failures()) <= records {
				t.Error("an answer that came again left no record")
			}
		})
	}
}

// plainOAuth are roads whose providers take no challenge and give no ID token that is
// checked for a nonce: who has a code can use it in a trip of their own.
var plainOAuth = map[string]bool{"github": true, "oauth2": true, "salesforce": true, "windowslive": true}

// stateIn and withState read and replace our state in an answer, whatever it is called.
func stateIn(answer idptest.Answer) string {
	for _, name := range []string{"state", "RelayState", "wctx"} {
		if v := answer.Values().Get(name); v != "" {
			return v
		}
	}
	return ""
}

func withState(answer idptest.Answer, state string) idptest.Answer {
	v := url.Values{}
	for name, values := range answer.Values() {
		v[name] = values
		if name == "state" || name == "RelayState" || name == "wctx" {
			v[name] = []string{state}
		}
	}
	if answer.Form != nil {
		return idptest.Answer{URL: answer.URL, Form: v}
	}
	at, _, _ := strings.Cut(answer.URL, "?")
	return idptest.Answer{URL: at + "?" + v.Encode()}
}

// RFC 9700 §4.4: an answer that says it is of another provider goes no further: the
// code is sent nowhere.
func TestMixedUpProviders(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	h := newHouse(t, w)
	h.lay("oidc", "carols", nil, nil)
	a := w.newApplication("carols")
	for _, mode := range []fakeidp.Mode{fakeidp.WrongIssParameter, fakeidp.NoIssParameter} {
		h.Rude(mode, fakeidp.Authorize)
		asked := h.Count(fakeidp.Token)
		in, refused := a.signIn(w.newBrowser(), "carols", "")
		if in != nil || refused.Get("error") != "access_denied" || h.Count(fakeidp.Token) != asked {
			t.Errorf("%d: %v %v, %d requests for tokens", mode, in, refused, h.Count(fakeidp.Token)-asked)
		}
	}
}
