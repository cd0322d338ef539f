package wsfed

import (
	"context"
	"encoding/json"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/outbound"
	"mangrove/internal/profile"
	"mangrove/internal/upstream"
)

const (
	callbackURL = "https://id.example/login/callback"
	ourRealm    = "urn:auth0:id"
)

// memory is a replay.Memory without a database.
type memory struct {
	mu   sync.Mutex
	seen map[string]int64
}

func (m *memory) Seen(_ context.Context, key string, until int64) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil {
		m.seen = map[string]int64{}
	}
	_, known := m.seen[key]
	m.seen[key] = until
	return !known, nil
}

// rig is a connector and a connection.
type rig struct {
	t         *testing.T
	connector *Connector
	memory    *memory
	strategy  string
	options   map[string]any
	mu        sync.Mutex
	clock     time.Time
}

func newRig(t *testing.T, options map[string]any) *rig {
	t.Helper()
	r := &rig{t: t, memory: &memory{}, strategy: "adfs", options: options, clock: time.Now().UTC().Truncate(time.Millisecond)}
	r.fresh()
	return r
}

// fresh is a process that has just started.
func (r *rig) fresh() {
	r.connector = New(outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}), r.memory, r.now)
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

func (r *rig) connection() *connection.Connection {
	r.t.Helper()
	raw, err := json.Marshal(r.options)
	if err != nil {
		r.t.Fatal(err)
	}
	return &connection.Connection{ID: "con_0123456789abcdef", Name: "corp", Strategy: r.strategy, Options: raw}
}

func start() upstream.Start { return upstream.Start{State: "st.ate", CallbackURL: callbackURL} }

func (r *rig) depart(s upstream.Start) (*url.URL, error) {
	r.t.Helper()
	d, err := r.connector.Depart(r.t.Context(), r.connection(), s)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(d.URL)
	if err != nil || d.Form != nil || d.Pending != (upstream.Pending{}) {
		r.t.Fatalf("%v %v", d, err)
	}
	return u, nil
}

func (r *rig) comeBack(got url.Values) (upstream.Result, error) {
	return r.connector.Callback(r.t.Context(), r.connection(), start(), upstream.Pending{}, got)
}

// result is the form with a wresult.
func result(wresult string) url.Values {
	return url.Values{"wa": {"wsignin1.0"}, "wctx": {"st.ate"}, "wresult": {wresult}}
}

func values(list []profile.Change) map[string]string {
	m := map[string]string{}
	for _, c := range list {
		m[c.Name] = string(c.Value)
	}
	return m
}
