package action_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"testing"
	"time"

	"mangrove/internal/action"
	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/foreigndb"
	"mangrove/internal/outbound"
	"mangrove/internal/script"
)

// noon is the time of every test.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// runner reaches what is on this machine, and nothing else.
func runner() *action.Runner { return runnerWithin(loopback) }

func runnerWithin(allow []netip.Prefix) *action.Runner { return runnerOf(allow, 0) }

// runnerOf runs so many scripts at a time.
func runnerOf(allow []netip.Prefix, atOnce int) *action.Runner {
	web := outbound.New(allow)
	databases := foreigndb.New(outbound.Dialer(allow).DialContext)
	scripts := script.New(web, rand.Reader, atOnce)
	scripts.Databases = databases
	return action.New(action.Options{Scripts: scripts, Databases: databases, Web: web, Now: func() time.Time { return noon }})
}

// legacy is an external store with these options; configuration has its values in clear.
func legacy(tb testing.TB, options map[string]any, configuration map[string]string) *connection.Connection {
	tb.Helper()
	all := map[string]any{"enabledDatabaseCustomization": true}
	maps.Copy(all, options)
	sealed := map[string]any{}
	for key, value := range configuration {
		sealed[key] = map[string]string{"value": value, "mask": "m"}
	}
	all["configuration"] = sealed
	raw, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	return &connection.Connection{ID: "con_legacy", Name: "legacy", Strategy: "auth0", Options: raw}
}

// scripted has one script.
func scripted(tb testing.TB, a customdb.Action, source string) *connection.Connection {
	tb.Helper()
	return legacy(tb, map[string]any{"customScripts": map[string]string{string(a): source}}, nil)
}

// failure is what a run failed with; it must have.
func failure(tb testing.TB, err error) *customdb.Failure {
	tb.Helper()
	var f *customdb.Failure
	if !errors.As(err, &f) {
		tb.Fatalf("no failure: %v", err)
	}
	return f
}

var by = audit.Event{ClientID: "client_1"}

// newConnections is the service of connections over one in memory.
func newConnections() *connection.Service {
	s := connection.NewService(&oneConnection{}, func(context.Context, string) (bool, error) { return true, nil }, func() time.Time { return noon })
	s.Preparers = map[string]connection.Preparer{"auth0": action.Preparer{}}
	return s
}

type oneConnection struct {
	connection.Store
	c *connection.Connection
}

func (o *oneConnection) Connection(context.Context, string) (*connection.Connection, error) {
	return o.c, nil
}

func (o *oneConnection) HasUsers(context.Context, string) (bool, error) { return false, nil }

func (o *oneConnection) CreateConnection(_ context.Context, c *connection.Connection, _ audit.Event) error {
	o.c = c
	return nil
}

func (o *oneConnection) UpdateConnection(_ context.Context, _ string, fn func(*connection.Connection) error, _ audit.Event) (*connection.Connection, error) {
	next := o.c.Clone()
	if err := fn(next); err != nil {
		return nil, err
	}
	o.c = next
	return next, nil
}
