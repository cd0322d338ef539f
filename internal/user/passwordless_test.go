package user_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

// byMail adds a connection that sends codes by mail.
func (h *house) byMail(options string) *connection.Connection {
	h.t.Helper()
	c := &connection.Connection{
		ID: "con_email00000000001", Name: "email", Strategy: "email", Options: json.RawMessage(options), Realms: []string{"email"},
		Extra: json.RawMessage(`{}`), EnabledClients: []string{"app"}, Version: 1,
	}
	if err := h.store.CreateConnection(h.t.Context(), c, audit.Event{Type: audit.APIOperation}); err != nil {
		h.t.Fatal(err)
	}
	return c
}

const local = "0123456789abcdef01234567"

func TestSignInPasswordless(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		ctx, c := t.Context(), h.byMail(`{}`)
		sink := &records{Store: h.store}
		h.Users = sink
		a := user.Actor{ClientID: "app", IP: "192.0.2.7", LoginEvent: audit.OTPExchangeOK}
		u, err := h.SignInPasswordless(ctx, c, "lea@x.example", local, a)
		if err != nil || u.ID != "email|"+local || u.Logins.Count != 1 || u.Logins.IP != "192.0.2.7" || !u.Profile.True("email_verified") {
			t.Fatalf("%+v %v", u, err)
		}
		if got := sink.types(); got != "ss scv sepotpft" {
			t.Errorf("records: %s", got)
		}
		made := h.read(u.ID)
		if src, _ := made.Profile.Get("email"); src.Source.Origin != profile.FromSignup || src.Source.Connection != c.ID {
			t.Errorf("source %+v", src.Source)
		}
		// The second time the profile stays as it is.
		sink.list = nil
		if u, err = h.SignInPasswordless(ctx, c, "lea@x.example", "another", a); err != nil || u.ID != made.ID || u.Logins.Count != 2 || u.Version != made.Version {
			t.Errorf("%+v %v", u, err)
		}
		if got := sink.types(); got != "scv sepotpft" {
			t.Errorf("records: %s", got)
		}
		// An address that nobody had proved is proved now.
		unproved, err := h.Create(ctx, user.CreateRequest{Connection: "email", Changes: changes("email", `"ben@x.example"`, "name", `"Ben"`)}, admin)
		if err != nil || unproved.Profile.True("email_verified") {
			t.Fatal(err)
		}
		if u, err = h.SignInPasswordless(ctx, c, "ben@x.example", "another", a); err != nil || u.ID != unproved.ID || !u.Profile.True("email_verified") || u.Profile.Text("name") != "Ben" {
			t.Errorf("%+v %v", u, err)
		}
		if got := h.read(u.ID); !got.Profile.True("email_verified") || got.Logins.Count != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// records keeps the types of what a use case recorded.
type records struct {
	*store.Store
	mu   sync.Mutex
	list []string
}

func (r *records) types() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.list, " ")
}

func (r *records) Federate(ctx context.Context, connectionID, subject string, login user.Logins,
	fn func(*user.User) (*user.User, user.Effect, error)) (*user.User, error) {
	return r.Store.Federate(ctx, connectionID, subject, login, func(u *user.User) (*user.User, user.Effect, error) {
		u, e, err := fn(u)
		if err == nil {
			r.keep(u, e)
		}
		return u, e, err
	})
}

func (r *records) keep(u *user.User, e user.Effect) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = nil // the last run of a function counts
	for _, x := range e.Events {
		if x.UserID != string(u.ID) {
			x.Type += "?"
		}
		r.list = append(r.list, x.Type)
	}
}

func TestPasswordlessRefusals(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		ctx, c := t.Context(), h.byMail(`{"disable_signup":true}`)
		if _, err := h.SignInPasswordless(ctx, c, "lea@x.example", local, admin); !errors.Is(err, user.ErrSignupDisabled) {
			t.Errorf("%v", err)
		}
		if _, err := h.store.User(ctx, "email|"+local); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("a user was made: %v", err)
		}
		u, err := h.Create(ctx, user.CreateRequest{Connection: "email", Changes: changes("email", `"lea@x.example"`, "blocked", "true")}, admin)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.SignInPasswordless(ctx, c, "lea@x.example", local, admin); !errors.Is(err, user.ErrBlocked) {
			t.Errorf("%v", err)
		}
		if got := h.read(u.ID); got.Logins.Count != 0 || got.Profile.True("email_verified") || got.Version != u.Version {
			t.Errorf("%+v", got)
		}
	})
}

// TestPasswordlessIDsAreGivenOnce: an id that was reserved for an address is not
// taken from the user who has it, and not given again after a user is gone.
func TestPasswordlessIDsAreGivenOnce(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		ctx, c := t.Context(), h.byMail(`{}`)
		u, err := h.SignInPasswordless(ctx, c, "old@x.example", local, admin)
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.store.UpdateUser(ctx, u.ID, func(u *user.User) (user.Effect, error) {
			u.Profile.Set("email", profile.Text("new@x.example"), profile.Source{Origin: profile.FromManagement})
			return user.Effect{}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		other, err := h.SignInPasswordless(ctx, c, "old@x.example", local, admin)
		if err != nil || other.ID == u.ID || len(other.Primary().UserID) != len(local) {
			t.Errorf("%+v %v", other, err)
		}
		if got, err := h.SignInPasswordless(ctx, c, "new@x.example", local, admin); err != nil || got.ID != u.ID {
			t.Errorf("%+v %v", got, err)
		}
	})
}

// A linked identity signs its owner in, and is what is verified.
func TestPasswordlessOfALinkedIdentity(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		ctx, c := t.Context(), h.byMail(`{}`)
		first := h.create("ann@example.com")
		second, err := h.Create(ctx, user.CreateRequest{Connection: "email", Changes: changes("email", `"lea@x.example"`)}, admin)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Link(ctx, first.ID, user.LinkRequest{Provider: "email", UserID: string(second.ID)}, admin); err != nil {
			t.Fatal(err)
		}
		u, err := h.SignInPasswordless(ctx, c, "lea@x.example", local, admin)
		if err != nil || u.ID != first.ID {
			t.Fatalf("%+v %v", u, err)
		}
		got := h.read(first.ID)
		if got.Profile.True("email_verified") || !got.Identities[1].ProfileData.True("email_verified") || got.Logins.Count != 1 {
			t.Errorf("%+v", got)
		}
	})
}
