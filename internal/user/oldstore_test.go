package user_test

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"sync"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// oldStore is a database elsewhere, which counts what it is asked. It is a stand-in for
// what others write, as fakeidp is: what becomes of its answers is under test.
type oldStore struct {
	mu     sync.Mutex
	people map[string]*oldPerson // by identifier
	fails  map[customdb.Action]error
	calls  []string
	block  chan struct{} // not nil: login waits for it
}

type oldPerson struct {
	password string
	profile  string // JSON
}

func (o *oldStore) Run(ctx context.Context, _ *connection.Connection, call customdb.Call) (customdb.Answer, error) {
	o.mu.Lock()
	o.calls = append(o.calls, string(call.Action))
	err, block := o.fails[call.Action], o.block
	identifier := cmp.Or(profile.TextOf(call.Arg(customdb.ArgIdentifier)), profile.TextOf(call.Arg(customdb.ArgEmail)))
	p := o.people[strings.ToLower(identifier)]
	o.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return customdb.Answer{}, ctx.Err()
		}
	}
	if err != nil {
		return customdb.Answer{}, err
	}
	switch call.Action {
	case customdb.Login:
		if p == nil {
			return customdb.Answer{}, &customdb.Failure{Kind: customdb.Wrong}
		}
		if p.password != profile.TextOf(call.Arg(customdb.ArgPassword)) {
			return customdb.Answer{}, &customdb.Failure{Kind: customdb.Wrong, UserID: "legacy|1"}
		}
		return customdb.Answer{Value: json.RawMessage(p.profile)}, nil
	case customdb.GetUser:
		if p == nil {
			return customdb.Answer{Value: profile.Null}, nil
		}
		return customdb.Answer{Value: json.RawMessage(p.profile)}, nil
	}
	return customdb.Answer{Value: json.RawMessage("true")}, nil
}

// asked are the actions since the last look.
func (o *oldStore) asked() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := strings.Join(o.calls, " ")
	o.calls = nil
	return list
}

// custom makes a custom database of the house, with that old store behind it.
func (h *house) custom(name string, options string, old *oldStore) *connection.Connection {
	h.t.Helper()
	c := &connection.Connection{
		ID: "con_" + name + strings.Repeat("x", 16-len(name)), Name: name, Strategy: "auth0", Realms: []string{name},
		Options: json.RawMessage(options), Extra: json.RawMessage(`{}`), EnabledClients: []string{"app"}, Version: 1,
	}
	if err := h.store.CreateConnection(h.t.Context(), c, audit.Event{Type: audit.APIOperation}); err != nil {
		h.t.Fatal(err)
	}
	h.External, h.Migrations, h.GraveKey, h.Shadow = old, h.store, []byte("a key of the test"), user.NewShadow(8)
	return c
}

const (
	everyAction = `"customScripts":{"login":"x","get_user":"x","create":"x","verify":"x","change_password":"x","change_email":"x","delete":"x"}`
	importing   = `{"enabledDatabaseCustomization":true,"import_mode":true,` + everyAction + `}`
	external    = `{"enabledDatabaseCustomization":true,` + everyAction + `}`
	kai         = `{"user_id":"legacy|42","email":"Kai@Shop.example","email_verified":true,"name":"Kai Aho","given_name":"Kai","family_name":"Aho","nickname":"kai","picture":"https://cdn.shop.example/42.png","user_metadata":{"lang":"fi"},"app_metadata":{"plan":"full"},"mfa_factors":[{"phone":{"value":"+358401234567"}}]}`
)

func shop() *oldStore {
	return &oldStore{people: map[string]*oldPerson{"kai@shop.example": {"old secret", kai}}, fails: map[customdb.Action]error{}}
}

// options replaces the options of a connection.
func (h *house) options(c *connection.Connection, options string) *connection.Connection {
	h.t.Helper()
	c, err := h.store.UpdateConnection(h.t.Context(), c.ID, func(c *connection.Connection) error {
		c.Options = json.RawMessage(options)
		return nil
	}, audit.Event{Type: audit.APIOperation})
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}
