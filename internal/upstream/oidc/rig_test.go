package oidc

import (
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/fakeidp"
	"mangrove/internal/outbound"
	"mangrove/internal/upstream"
)

const callbackURL = "https://id.example/login/callback"

// rig is a provider, a connector and a connection between them.
type rig struct {
	t         *testing.T
	idp       *fakeidp.IdP
	connector *Connector
	// speaks is what logs in; nil: connector.
	speaks   func(*Connector) upstream.Redirect
	strategy string
	keys     Signer // nil: none
	options  map[string]any
	mu       sync.Mutex
	clock    time.Time
}

func newRig(t *testing.T, o fakeidp.Options) *rig {
	t.Helper()
	r := &rig{t: t, strategy: "oidc", clock: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	o.Now = r.now
	o.Clients = append(o.Clients, fakeidp.Client{ID: "mangrove", Secret: "s3cr:et%", RedirectURIs: []string{callbackURL}})
	r.idp = fakeidp.New(o)
	server := httptest.NewServer(r.idp)
	t.Cleanup(server.Close)
	r.idp.SetIssuer(server.URL)
	r.idp.SetPerson("u-77", map[string]any{
		"email": "p@x.example", "email_verified": true, "name": "Pia Lind",
		"preferred_username": "pia", "groups": []string{"a"}, "dept": "R&D",
	})
	r.options = map[string]any{
		"type": "back_channel", "issuer": r.idp.Issuer(), "client_id": "mangrove", "client_secret": "s3cr:et%",
	}
	r.fresh()
	return r
}

// fresh forgets what the connector has cached.
func (r *rig) fresh() {
	r.connector = New(outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}), r.now, rand.Reader)
	r.connector.Keys = r.keys
}

// redirect is what logs in.
func (r *rig) redirect() upstream.Redirect {
	if r.speaks == nil {
		return r.connector
	}
	return r.speaks(r.connector)
}

func plainOptions() fakeidp.Options { return fakeidp.Options{} }

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

func (r *rig) connection() *connection.Connection {
	r.t.Helper()
	raw, err := json.Marshal(r.options)
	if err != nil {
		r.t.Fatal(err)
	}
	return &connection.Connection{ID: "con_0123456789abcdef", Name: "acme", Strategy: r.strategy, Options: raw}
}

// trip is a browser's way to the provider and back.
type trip struct {
	c       *connection.Connection
	start   upstream.Start
	pending upstream.Pending
	sent    url.Values // what went to the provider
	got     url.Values // what came back
}

func (r *rig) leave(s upstream.Start) (trip, error) {
	r.t.Helper()
	if s.State == "" {
		s.State = "state-1"
	}
	s.Nonce, s.CallbackURL = "nonce-1", callbackURL
	tr := trip{c: r.connection(), start: s}
	away, err := r.redirect().Depart(r.t.Context(), tr.c, s)
	if err != nil {
		return tr, err
	}
	tr.pending = away.Pending
	u, err := url.Parse(away.URL)
	if err != nil {
		r.t.Fatal(err)
	}
	tr.sent = u.Query()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(away.URL)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if resp.StatusCode == http.StatusFound {
		back, err := resp.Location()
		if err != nil {
			r.t.Fatal(err)
		}
		tr.got = back.Query()
	} else {
		tr.got = fields(r.t, string(body))
	}
	return tr, nil
}

// fields are the inputs of the form that the provider's page would post.
func fields(t *testing.T, html string) url.Values {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	v := url.Values{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return v
		}
		if err != nil {
			t.Fatalf("%v in %s", err, html)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "input" {
			attr := map[string]string{}
			for _, a := range e.Attr {
				attr[a.Name.Local] = a.Value
			}
			v.Set(attr["name"], attr["value"])
		}
	}
}

func (r *rig) comeBack(tr trip) (upstream.Result, error) {
	return r.redirect().Callback(r.t.Context(), tr.c, tr.start, tr.pending, tr.got)
}

func (r *rig) login() (upstream.Result, error) {
	r.t.Helper()
	tr, err := r.leave(upstream.Start{})
	if err != nil {
		return upstream.Result{}, err
	}
	return r.comeBack(tr)
}

func (r *rig) mustLogin() upstream.Result {
	r.t.Helper()
	result, err := r.login()
	if err != nil {
		r.t.Fatal(err)
	}
	return result
}
