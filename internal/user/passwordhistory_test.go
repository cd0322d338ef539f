package user_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/opt"
	"mangrove/internal/passwd"
	"mangrove/internal/user"
)

// remembers gives the house's database a password history.
func (h *house) remembers(options string) {
	h.t.Helper()
	c, err := h.Connections.UpdateConnection(h.t.Context(), h.own.ID, func(c *connection.Connection) error {
		c.Options = json.RawMessage(options)
		return nil
	}, audit.Event{Type: audit.APIOperation})
	if err != nil {
		h.t.Fatal(err)
	}
	h.own = c
}

func (h *house) setPassword(id user.ID, password string) error {
	_, err := h.Patch(h.t.Context(), id, user.PatchRequest{Password: opt.Of(password)}, admin)
	return err
}

// The last three passwords, the present one among them, by either form of the
// options (reference/authentication.md §5.3).
func TestPasswordHistory(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		for i, options := range []string{
			`{"passwordPolicy":"low","password_history":{"enable":true,"size":3}}`,
			`{"password_options":{"complexity":{"min_length":6},"history":{"active":true,"size":3}}}`,
		} {
			h.remembers(options)
			u := h.create(fmt.Sprintf("a%d@example.com", i))
			first := password
			for _, row := range []struct {
				password string
				refused  string
			}{
				{first, "a few seconds ago"},
				{"second password", ""},
				{first, "a day ago"},
				{"third password", ""},
				{"third password", "a few seconds ago"},
				{first, "2 days ago"},
				{"fourth password", ""},
				{first, ""}, // the fourth back
				{"third password", "2 days ago"},
			} {
				if row.refused == "" {
					h.now = h.now.Add(24 * time.Hour)
				}
				err := h.setPassword(u.ID, row.password)
				var weak *passwd.Weak
				if row.refused == "" {
					if err != nil {
						t.Fatalf("%s: %v", row.password, err)
					}
					continue
				}
				want := "You may not reuse any of the last 3 passwords. This password was used " + row.refused + "."
				if !errors.As(err, &weak) || weak.Name != "PasswordHistoryError" || weak.Description != want {
					t.Fatalf("%s: %v, want %s", row.password, err, want)
				}
			}
			if _, err := h.Authenticate(t.Context(), h.own, u.Profile.Text("email"), first, user.Actor{}); err != nil {
				t.Errorf("the password that stands: %v", err)
			}
		}
	})
}

// Switched off, nothing is remembered and nothing refused.
func TestNoPasswordHistory(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.remembers(`{"passwordPolicy":"low"}`)
		u := h.create("a@example.com")
		for _, p := range []string{"second password", password, password} {
			if err := h.setPassword(u.ID, p); err != nil {
				t.Errorf("%s: %v", p, err)
			}
		}
		if list, err := h.Users.OldPasswords(t.Context(), u.ID, h.own.ID, 24); err != nil || len(list) != 0 {
			t.Errorf("remembered: %v, %v", list, err)
		}
	})
}

// One password in every spelling, at every door (security.md 27, 127).
func TestSpellingsOfAPassword(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		u := h.create("a@example.com")
		if err := h.setPassword(u.ID, "correct cafe\u0301 battery 1"); err != nil {
			t.Fatal(err)
		}
		for typed, right := range map[string]bool{
			"correct caf\u00e9 battery 1": true, "correct cafe\u0301 battery 1": true, "\uff43orrect caf\u00e9 battery 1": true, "correct cafe battery 1": false,
		} {
			_, err := h.Authenticate(t.Context(), h.own, "a@example.com", typed, user.Actor{})
			if right && err != nil || !right && !errors.Is(err, user.ErrWrongPassword) {
				t.Errorf("%q: %v", typed, err)
			}
		}
	})
}

// Names by which somebody signs in, and those by which nobody can.
func TestSignInNames(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.remembers(`{"passwordPolicy":"low","attributes":{"email":{"identifier":{"active":true}},
			"phone_number":{"identifier":{"active":true}},"username":{"identifier":{"active":true}}}}`)
		_, err := h.Create(t.Context(), user.CreateRequest{Connection: h.own.Name, Password: password, Changes: changes(
			"email", `"a@example.com"`, "phone_number", `"+4790000000"`, "username", `"Kelvin"`,
		)}, admin)
		if err != nil {
			t.Fatal(err)
		}
		for typed, text := range map[string]string{
			" A@example.com": "", "+47 900 00 000": "", "\u212aELVIN": "",
			"b@example.com": "Wrong email or password.", "+4790000001": "Wrong phone number or password.", "kelvi": "Wrong email or password.",
			"": "Wrong email or password.",
		} {
			_, err := h.Authenticate(t.Context(), h.own, typed, password, user.Actor{})
			if text == "" && err != nil || text != "" && errs.From(err).Text != text {
				t.Errorf("%q: %v", typed, err)
			}
		}
		h.remembers(`{"passwordPolicy":"low","attributes":{"email":{"identifier":{"active":true}},"username":{"profile_required":false}}}`)
		if _, err := h.Authenticate(t.Context(), h.own, "kelvin", password, user.Actor{}); !errors.Is(err, user.ErrWrongPassword) {
			t.Errorf("by a name that is no identifier: %v", err)
		}
	})
}

// A username may look like an address, but not like another's (security.md 27).
func TestUsernameOfAnother(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.remembers(`{"passwordPolicy":"low","attributes":{"email":{"identifier":{"active":true}},
			"username":{"identifier":{"active":true},"validation":{"max_length":60,"allowed_types":{"email":true}}}}}`)
		add := func(email, username string) error {
			_, err := h.Create(t.Context(), user.CreateRequest{Connection: h.own.Name, Password: password, Changes: changes(
				"email", `"`+email+`"`, "username", `"`+username+`"`,
			)}, admin)
			return err
		}
		if err := add("ann@example.com", "ann@example.com"); err != nil {
			t.Fatal(err)
		}
		if err := add("eve@example.com", "Ann@Example.com"); !errors.Is(err, user.ErrExists) && !errors.Is(err, user.ErrUsernameTaken) {
			t.Errorf("another's address as a username: %v", err)
		}
		if err := add("eve@example.com", "bob@example.com"); err != nil {
			t.Fatal(err)
		}
		if err := add("bob@example.com", "bob"); !errors.Is(err, user.ErrExists) {
			t.Errorf("another's username as an address: %v", err)
		}
		u, err := h.Authenticate(t.Context(), h.own, "bob@example.com", password, user.Actor{})
		if err != nil || u.Profile.Text("email") != "eve@example.com" {
			t.Errorf("by that username: %v", err)
		}
	})
}
