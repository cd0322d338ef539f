package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/config"
	"mangrove/internal/fakeidp"
	"mangrove/internal/outbound"
	"mangrove/internal/server"
	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/social/socialtest"
)

// patience is how long the server waits for a provider in these tests.
const patience = 3 * time.Second

// strain is what a provider does that is worse than silence.
type strain struct {
	name string
	do   func(w http.ResponseWriter, r *http.Request, polite http.Handler)
}

var strains = []strain{
	{"a byte a second", func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client has gone
		beat := time.NewTicker(time.Second)
		defer beat.Stop()
		for {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-beat.C:
			}
		}
	}},
	{"50 MB", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		block := []byte(strings.Repeat(" ", 1<<20))
		for range 50 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, "{}")
	}},
	{"50 redirects", func(w http.ResponseWriter, r *http.Request, polite http.Handler) {
		q := r.URL.Query()
		hop, _ := strconv.Atoi(q.Get("hop"))
		if hop == 50 {
			polite.ServeHTTP(w, r)
			return
		}
		q.Set("hop", strconv.Itoa(hop+1))
		http.Redirect(w, r, r.URL.Path+"?"+q.Encode(), http.StatusTemporaryRedirect)
	}},
	{"garbage", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		_, _ = io.WriteString(w, "\x00\xff<html>{{{ <!DOCTYPE a>")
	}},
}

// front stands before a provider and strains who asks for a path.
type front struct {
	URL string

	mu   sync.Mutex
	path string
	how  strain
}

func newFront(t *testing.T, provider http.Handler) *front {
	t.Helper()
	f := &front{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		path, how := f.path, f.how
		f.mu.Unlock()
		if path != "" && r.URL.Path == path {
			how.do(w, r, provider)
			return
		}
		provider.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	f.URL = s.URL
	return f
}

// before is a front of a provider at an address.
func before(t *testing.T, address string) *front {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return newFront(t, httputil.NewSingleHostReverseProxy(u))
}

func (f *front) strain(path string, how strain) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.path, f.how = path, how
}

// strained is a server with patience, whose clock is moved by hand.
func strained(t *testing.T) (w *world, now func() time.Time, pass func(time.Duration)) {
	t.Helper()
	var mu sync.Mutex
	var ahead time.Duration
	now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(ahead)
	}
	w = newWorldIn(t, t.TempDir(), storetest.EmptyURL(t, storetest.SQLite), func(_ *config.Config, o *server.Options) {
		o.Now, o.Providers = now, []outbound.Option{outbound.WithTimeout(patience)}
	})
	return w, now, func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		ahead += d
	}
}

// login is one in a browser of its own, up to the application.
func (w *world) login(a *application, connection string) url.Values {
	w.t.Helper()
	address, _ := a.begin(connection)
	query, page, at := w.newBrowser().follow(address)
	return orFatal(w.t, query, page, at)
}

// security.md 97: a provider that drips, floods, sends in circles or talks nonsense
// costs one login, and no profile; after it has recovered, people come in.
func TestStrainingProviders(t *testing.T) {
	t.Run("oidc", func(t *testing.T) {
		t.Parallel()
		w, now, pass := strained(t)
		idp := fakeidp.New(fakeidp.Options{Now: now, Clients: []fakeidp.Client{{ID: "mangrove", Secret: "s", RedirectURIs: []string{w.url + "/login/callback"}}}})
		f := newFront(t, idp)
		idp.SetIssuer(f.URL)
		idp.SetPerson("carol", map[string]any{"name": "Carol", "email": "carol@corp.example", "email_verified": true})
		idp.Next("carol")
		const discovery = "/.well-known/openid-configuration"
		f.strain(discovery, strains[len(strains)-1]) // what cannot be read now is asked for at logins
		w.laid("oidc", "corp", map[string]any{
			"type": "back_channel", "issuer": f.URL, "discovery_url": idp.DiscoveryURL(), "client_id": "mangrove", "client_secret": "s",
			"attribute_map": map[string]any{"mapping_mode": "use_map", "attributes": map[string]any{
				"name": "${context.tokenset.name}", "email": "${context.userinfo.email}", "email_verified": "${context.userinfo.email_verified}",
			}},
		}, nil)
		f.strain("", strain{})
		// After an hour everything that was published is asked for again.
		w.survives(f, "corp", "oidc|corp|carol", func() { pass(61 * time.Minute) }, discovery, "/token", "/jwks", "/userinfo")
	})
	for _, c := range []struct {
		name, id string
		paths    []string
	}{
		{"github", "", []string{"/token", "/profile", "/emails"}},
		{"oauth2", "", []string{"/token", "/profile"}}, // a script asks for the profile
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, now, _ := strained(t)
			d := socialtest.Start(t, c.name)
			d.Clock(now)
			d.Redirect(w.url + "/login/callback")
			f := before(t, d.URL)
			var options map[string]any
			if err := json.Unmarshal([]byte(strings.ReplaceAll(string(d.Options()), d.URL, f.URL)), &options); err != nil {
				t.Fatal(err)
			}
			w.laid(d.Strategy, "corp", options, nil)
			one, _ := socialtest.Golden(t, c.name)
			id := d.Strategy + "|" + one.Subject
			if d.Strategy == "oauth2" {
				id = "oauth2|corp|" + one.Subject
			}
			w.survives(f, "corp", id, func() {}, c.paths...)
		})
	}
	t.Run("metadata", func(t *testing.T) {
		t.Parallel()
		w, _, _ := strained(t)
		parts := samlParts(t)
		f := before(t, parts.URL)
		at := func(address string) string { return strings.Replace(address, parts.URL, f.URL, 1) }
		for _, c := range []struct{ strategy, option, address string }{
			{"samlp", "metadataUrl", at(parts.SAMLMetadata())}, {"adfs", "adfs_server", at(parts.WSFedMetadata())},
		} {
			w.unread(f, c.strategy, map[string]any{c.option: c.address})
		}
	})
}

// survives strains each path in each way between two logins that succeed.
func (w *world) survives(f *front, connection, id string, later func(), paths ...string) {
	w.t.Helper()
	a := w.newApplication(connection)
	if in := w.login(a, connection); !in.Has("code") {
		w.t.Fatalf("the first login: %v", in)
	}
	known, version := w.versionOf(id)
	for _, path := range paths {
		for _, how := range strains {
			records := len(w.failures())
			f.strain(path, how)
			later()
			told := w.login(a, connection)
			f.strain("", strain{})
			what := how.name + " at " + path
			if told.Get("error") != "access_denied" || told.Has("code") || strings.Contains(told.Get("error_description"), "127.0.0.1") {
				w.t.Errorf("%s: told %v", what, told)
			}
			if doc, now := w.versionOf(id); now != version || !reflect.DeepEqual(doc, known) {
				w.t.Errorf("%s: the profile is another one: %v", what, doc)
			}
			if n := len(w.failures()) - records; n != 1 {
				w.t.Errorf("%s: left %d records", what, n)
			}
		}
		later()
		if in := w.login(a, connection); !in.Has("code") {
			w.t.Errorf("after %s was well again: %v", path, in)
		}
		known, version = w.versionOf(id) // the record of logins
	}
	if n, _ := known["logins_count"].(float64); int(n) != 1+len(paths) {
		w.t.Errorf("%v logins are counted", known["logins_count"])
	}
}

// unread: metadata that cannot be read makes no connection, changes none, and keeps
// nobody out.
func (w *world) unread(f *front, strategy string, options map[string]any) {
	w.t.Helper()
	path := ""
	for _, address := range options {
		u, err := url.Parse(fmt.Sprint(address))
		if err != nil {
			w.t.Fatal(err)
		}
		path = u.Path
	}
	for i, how := range strains {
		what, name := strategy+", "+how.name, fmt.Sprint(strategy, i)
		known := w.laid(strategy, name, options, nil)
		a := w.newApplication(name)
		_, before := w.call("GET", "/api/v2/connections/"+known, "")
		f.strain(path, how)
		body, err := json.Marshal(map[string]any{"name": "another-" + name, "strategy": strategy, "options": options})
		if err != nil {
			w.t.Fatal(err)
		}
		if status, text := w.call("POST", "/api/v2/connections", string(body)); status != 400 || strings.Contains(text, "DOCTYPE") {
			w.t.Errorf("%s: made: %d %s", what, status, text)
		}
		body, err = json.Marshal(map[string]any{"options": options})
		if err != nil {
			w.t.Fatal(err)
		}
		// What cannot be reached leaves what is known; what answers nonsense is refused.
		if status, text := w.call("PATCH", "/api/v2/connections/"+known, string(body)); status != 200 && status != 400 {
			w.t.Errorf("%s: changed: %d %s", what, status, text)
		}
		if _, after := w.call("GET", "/api/v2/connections/"+known, ""); after != before {
			w.t.Errorf("%s: the connection is\n%s\nand was\n%s", what, after, before)
		}
		b := w.newBrowser()
		query, page, at := away("carol")(a, b, name).deliver(b)
		if in := orFatal(w.t, query, page, at); !in.Has("code") {
			w.t.Errorf("%s: %v", what, in)
		}
		f.strain("", strain{})
	}
}
