package guard_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/guard"
	"mangrove/internal/opt"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

const password = "Correct horse battery 1"

// post is a database of people behind a guard.
type post struct {
	*user.Service
	guard    *guard.Service
	store    *store.Store
	settings tenant.Settings
	own      *connection.Connection
	ann      *user.User
	at       time.Time
}

func (p *post) Settings(context.Context) (*tenant.Settings, error) { return &p.settings, nil }

func (p *post) Texts(context.Context, string, string) (map[string]map[string]string, error) {
	return nil, nil
}

func newPost(t testing.TB, engine string) *post {
	t.Helper()
	p := &post{store: storetest.Open(t, engine), at: time.UnixMicro(1_753_900_000_000_000)}
	p.settings.BruteForce = tenant.BruteForce{Enabled: true, Block: true, MaxAttempts: 10}
	p.own = &connection.Connection{
		ID: "con_1", Name: "Users", Strategy: "auth0", Options: json.RawMessage(`{}`), Extra: json.RawMessage(`{}`),
		EnabledClients: []string{"c"}, Realms: []string{"Users"}, Version: 1,
	}
	if err := p.store.CreateConnection(t.Context(), p.own, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return p.at }
	p.guard = &guard.Service{Store: p.store, Settings: p, Audit: p.store, Users: p.store, Connections: p.store, Now: now}
	p.Service = &user.Service{Guard: p.guard, Users: p.store, Connections: p.store, Hashing: user.NewHashing(0, 400), Audit: p.store, Now: now}
	var err error
	p.ann, err = p.Create(t.Context(), user.CreateRequest{Connection: "Users", UserID: "ann", Password: password, Changes: []profile.Change{
		{Name: "email", Value: profile.Text("ann@example.com")},
	}}, user.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *post) signIn(ctx context.Context, name, password string) error {
	_, err := p.Authenticate(ctx, p.own, name, password, user.Actor{IP: "203.0.113.4"})
	return err
}

func onEngines(t *testing.T, test func(t *testing.T, p *post)) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) { test(t, newPost(t, engine)) })
	}
}

// 200 guesses at the same instant: no more are answered than may be, whether
// nobody had guessed before or one guess was left (security.md 80).
func TestGuessesAtOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, p *post) {
		for _, row := range []struct {
			name   string
			before int
			want   int
		}{{"ann@example.com", 0, 10}, {"nobody@example.com", 9, 1}} {
			for range row.before {
				if err := p.signIn(t.Context(), row.name, "wrong"); !errors.Is(err, user.ErrWrongPassword) {
					t.Fatal(err)
				}
			}
			var wg sync.WaitGroup
			errs := make(chan error, 200)
			start := make(chan struct{})
			for range 200 {
				wg.Go(func() {
					<-start
					errs <- p.signIn(context.Background(), row.name, "wrong")
				})
			}
			close(start)
			wg.Wait()
			close(errs)
			answered := 0
			for err := range errs {
				switch {
				case errors.Is(err, user.ErrWrongPassword):
					answered++
				case !errors.Is(err, user.ErrAccountLocked):
					t.Errorf("%v", err)
				}
			}
			if answered != row.want {
				t.Errorf("%s: %d guesses were answered, want %d", row.name, answered, row.want)
			}
		}
		if err := p.signIn(t.Context(), "ann@example.com", password); !errors.Is(err, user.ErrAccountLocked) {
			t.Errorf("the right password, blocked: %v", err)
		}
	})
}

// Right passwords at once are all let in, and leave nothing behind.
func TestRightOnesAtOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, p *post) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := p.signIn(context.Background(), "ann@example.com", password); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if list, err := p.store.Blocks(t.Context(), string(p.ann.ID), 1, 0); err != nil || len(list) != 0 {
			t.Errorf("left: %v, %v", list, err)
		}
	})
}

// An attempt that found no turn is no guess.
func TestBusyIsNoGuess(t *testing.T) {
	p := newPost(t, storetest.SQLite)
	ctx, cancel := context.WithCancel(t.Context())
	_ = p.signIn(ctx, "ann@example.com", "wrong")
	p.Service.Hashing = user.NewHashing(1, 1)
	cancel()
	for range 20 {
		if err := p.signIn(ctx, "ann@example.com", "wrong"); errors.Is(err, user.ErrWrongPassword) {
			t.Fatal("a caller who is gone was answered")
		}
	}
	if err := p.signIn(t.Context(), "ann@example.com", password); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// What releases: an administrator by id or by name, another password.
func TestReleases(t *testing.T) {
	onEngines(t, func(t *testing.T, p *post) {
		ctx, who := t.Context(), "ann@example.com"
		for name, release := range map[string]func() error{
			"by id":           func() error { return p.guard.ReleaseUser(ctx, p.ann.ID, audit.Event{}) },
			"by name":         func() error { return p.guard.ReleaseIdentifier(ctx, " ANN@example.com", audit.Event{}) },
			"another measure": func() error { p.settings.BruteForce.MaxAttempts = 11; return nil },
			"month":           func() error { p.at = p.at.Add(guard.Memory); return nil },
		} {
			p.settings.BruteForce.MaxAttempts = 3
			for range 3 {
				_ = p.signIn(ctx, who, "wrong")
			}
			if err := p.signIn(ctx, who, password); !errors.Is(err, user.ErrAccountLocked) {
				t.Fatalf("%s: not blocked: %v", name, err)
			}
			for _, enabled := range []bool{false, true} {
				list, err := p.guard.UserBlocks(ctx, p.ann.ID, enabled)
				if err != nil || len(list) != 1 || list[0] != (guard.Listed{Identifier: who, Address: "203.0.113.4", Connection: "Users"}) {
					t.Errorf("%s: listed %+v, %v", name, list, err)
				}
			}
			if err := release(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := p.signIn(ctx, who, password); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := p.guard.UserBlocks(ctx, "auth0|nobody", false); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("of nobody: %v", err)
		}
	})
}

// elsewhere is an external store of one person, who has many names there.
type elsewhere struct{}

func (elsewhere) Run(_ context.Context, _ *connection.Connection, call customdb.Call) (customdb.Answer, error) {
	switch {
	case call.Action == customdb.Login && profile.TextOf(call.Arg(customdb.ArgPassword)) != password:
		return customdb.Answer{}, &customdb.Failure{Kind: customdb.Wrong}
	case call.Action == customdb.Login, call.Action == customdb.GetUser:
		return customdb.Answer{Value: json.RawMessage(`{"user_id":"7","email":"Kai@shop.example"}`)}, nil
	}
	return customdb.Answer{Value: profile.Bool(true)}, nil
}

// Of people of an external store, whom only that knows by name, blocks are listed and
// released all the same, and end with their password.
func TestBlocksElsewhere(t *testing.T) {
	onEngines(t, func(t *testing.T, p *post) {
		ctx := t.Context()
		p.External, p.settings.BruteForce.MaxAttempts = elsewhere{}, 3
		p.own = &connection.Connection{
			ID: "con_2", Name: "Shop", Strategy: "auth0", Extra: json.RawMessage(`{}`), EnabledClients: []string{"c"}, Realms: []string{"Shop"}, Version: 1,
			Options: json.RawMessage(`{"enabledDatabaseCustomization":true,"customScripts":{"login":"x","get_user":"x","change_password":"x"}}`),
		}
		if err := p.store.CreateConnection(ctx, p.own, audit.Event{}); err != nil {
			t.Fatal(err)
		}
		const id, who = "auth0|7", "kai@SHOP.example"
		if err := p.signIn(ctx, who, password); err != nil {
			t.Fatal(err)
		}
		for name, release := range map[string]func() error{
			"by id": func() error { return p.guard.ReleaseUser(ctx, id, audit.Event{}) },
			"by another password": func() error {
				_, err := p.Patch(ctx, id, user.PatchRequest{Password: opt.Of("a password of another kind 9")}, user.Actor{})
				return err
			},
		} {
			for range 3 {
				_ = p.signIn(ctx, who, "wrong")
			}
			if err := p.signIn(ctx, who, password); !errors.Is(err, user.ErrAccountLocked) {
				t.Fatalf("%s: not blocked: %v", name, err)
			}
			list, err := p.guard.UserBlocks(ctx, id, true)
			if err != nil || len(list) != 1 || list[0] != (guard.Listed{Identifier: "kai@shop.example", Address: "203.0.113.4", Connection: "Shop"}) {
				t.Errorf("%s: listed %+v, %v", name, list, err)
			}
			if err := release(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := p.signIn(ctx, who, password); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A name that is nobody's is blocked, listed and released as any other, and kept nowhere.
func TestBlocksOfNobody(t *testing.T) {
	p := newPost(t, storetest.SQLite)
	ctx := t.Context()
	for range 10 {
		_ = p.signIn(ctx, "Eve@example.com", "wrong")
	}
	list, err := p.guard.IdentifierBlocks(ctx, "eve@example.com", true)
	if err != nil || len(list) != 1 || list[0] != (guard.Listed{Identifier: "eve@example.com", Address: "203.0.113.4", Connection: "Users"}) {
		t.Fatalf("listed %+v, %v", list, err)
	}
	p.settings.BruteForce.Enabled = false
	for enabled, want := range map[bool]int{true: 0, false: 1} {
		if list, err := p.guard.IdentifierBlocks(ctx, "eve@example.com", enabled); err != nil || len(list) != want {
			t.Errorf("protection off, considered %v: %+v, %v", enabled, list, err)
		}
	}
	p.settings.BruteForce.Enabled = true
	if err := p.guard.ReleaseIdentifier(ctx, "eve@example.com", audit.Event{}); err != nil {
		t.Fatal(err)
	}
	if err := p.signIn(ctx, "eve@example.com", "wrong"); !errors.Is(err, user.ErrWrongPassword) {
		t.Errorf("released: %v", err)
	}
}

// A name that was guessed before its account existed, and again after, is blocked once.
func TestBlockIsListedOnce(t *testing.T) {
	p := newPost(t, storetest.SQLite)
	ctx := t.Context()
	guess := func() {
		for range 10 {
			_ = p.signIn(ctx, "eve@example.com", "wrong")
		}
	}
	guess()
	eve, err := p.Create(ctx, user.CreateRequest{Connection: "Users", UserID: "eve", Password: password, Changes: []profile.Change{
		{Name: "email", Value: profile.Text("eve@example.com")},
	}}, user.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	guess()
	if list, err := p.guard.UserBlocks(ctx, eve.ID, true); err != nil || len(list) != 1 {
		t.Fatalf("of the user: %+v, %v", list, err)
	}
	list, err := p.guard.IdentifierBlocks(ctx, "eve@example.com", true)
	if err != nil || len(list) != 1 || list[0] != (guard.Listed{Identifier: "eve@example.com", Address: "203.0.113.4", Connection: "Users"}) {
		t.Errorf("of the name: %+v, %v", list, err)
	}
}

func TestAddressBlocks(t *testing.T) {
	p := newPost(t, storetest.SQLite)
	ctx := t.Context()
	p.settings.SuspiciousIP = tenant.SuspiciousIP{Enabled: true, Block: true, Login: tenant.Stage{MaxAttempts: 2, Rate: 1000}, Signup: tenant.Stage{MaxAttempts: 2, Rate: 1000}}
	blocked := func(address string) bool {
		t.Helper()
		b, err := p.guard.AddressBlocked(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for i := range 2 {
		if blocked("203.0.113.4") {
			t.Errorf("blocked after %d", i)
		}
		_ = p.signIn(ctx, strings.Repeat("x", i+1)+"@example.com", "wrong")
	}
	if !blocked("203.0.113.4") || blocked("203.0.113.5") {
		t.Error("not the one that failed")
	}
	if err := p.signIn(ctx, "ann@example.com", password); !errors.Is(err, user.ErrAddressLocked) {
		t.Errorf("signing in: %v", err)
	}
	if err := p.guard.ReleaseAddress(ctx, "203.0.113.4", audit.Event{}); err != nil || blocked("203.0.113.4") {
		t.Errorf("released: %v", err)
	}
	if err := p.signIn(ctx, "ann@example.com", password); err != nil {
		t.Error(err)
	}
}

func BenchmarkSignIn(b *testing.B) {
	for _, guarded := range []bool{false, true} {
		b.Run(map[bool]string{false: "alone", true: "guarded"}[guarded], func(b *testing.B) {
			p := newPost(b, storetest.SQLite)
			if !guarded {
				p.Service.Guard = nil
			}
			p.settings.SuspiciousIP = tenant.SuspiciousIP{Enabled: true, Block: true, Login: tenant.Stage{MaxAttempts: 100, Rate: 864_000}}
			for b.Loop() {
				if err := p.signIn(b.Context(), "ann@example.com", password); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
