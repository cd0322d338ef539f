package user_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

func (h *house) externalIn(mode string, old *oldStore) *connection.Connection {
	options := external
	if mode != "" {
		options = strings.Replace(external, "{", `{"set_user_root_attributes":"`+mode+`",`, 1)
	}
	return h.custom("store", options, old)
}

// The table of outcomes of an external store: its profile is synced as that of any
// upstream, each time it is asked.
func TestExternalStoreSyncs(t *testing.T) {
	const moved = `{"user_id":"legacy|42","email":"kai.aho@shop.example","email_verified":true,"name":"Kai Uusi","given_name":"Kai","nickname":"kai","picture":"https://cdn.shop.example/42.png","city":"Oulu"}`
	for _, row := range []struct {
		mode              string
		name, family, new string // after the change in the store
		email             string
		editable          bool
	}{
		{"", `"Kai Uusi"`, "", `"Oulu"`, `"kai.aho@shop.example"`, false},
		{"on_each_login", `"Kai Uusi"`, "", `"Oulu"`, `"kai.aho@shop.example"`, false},
		{"on_first_login", `"Edited"`, `"Aho"`, "", `"Kai@Shop.example"`, true},
	} {
		t.Run("mode "+row.mode, func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, h *house) {
				old := shop()
				c := h.externalIn(row.mode, old)
				u, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin)
				if err != nil {
					t.Fatal(err)
				}
				if a, _ := u.Profile.Get("name"); a.Source.Origin != profile.FromScript || string(u.Profile.Value("email")) != `"Kai@Shop.example"` {
					t.Errorf("first login: %+v, %s", a, u.Profile.Value("email"))
				}
				if u.Password.Hash != "" {
					t.Error("a password was kept")
				}
				_, err = h.Patch(t.Context(), u.ID, user.PatchRequest{Changes: changes("name", `"Edited"`)}, admin)
				if (err == nil) != row.editable {
					t.Errorf("PATCH name: %v", err)
				}
				first := h.read(u.ID).Version
				if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); err != nil || h.read(u.ID).Version != first {
					t.Errorf("a login without news: version %d, had %d, %v", h.read(u.ID).Version, first, err)
				}
				old.people["kai@shop.example"].profile = moved
				if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); err != nil {
					t.Fatal(err)
				}
				after := h.read(u.ID)
				for name, want := range map[string]string{"name": row.name, "family_name": row.family, "city": row.new, "email": row.email, "user_metadata": `{"lang":"fi"}`} {
					if got := string(after.Profile.Value(name)); got != want {
						t.Errorf("%s is %s, want %s", name, got, want)
					}
				}
				if got := old.asked(); got != "login login login" {
					t.Errorf("asked %q", got)
				}
			})
		})
	}
}

// never_on_login: nobody is made; who is there signs in, and stays as they are.
func TestExternalStoreNeverCreates(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		old := shop()
		c := h.externalIn("never_on_login", old)
		if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); errs.From(err).Code != "access_denied" || count(t, h) != 0 {
			t.Errorf("somebody new: %v, %d users", err, count(t, h))
		}
		c = h.options(c, strings.Replace(external, "{", `{"set_user_root_attributes":"on_first_login",`, 1))
		if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); err != nil {
			t.Fatal(err)
		}
		c = h.options(c, strings.Replace(external, "{", `{"set_user_root_attributes":"never_on_login",`, 1))
		old.people["kai@shop.example"].profile = strings.Replace(kai, "Kai Aho", "Somebody", 1)
		if u, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); err != nil || u.Profile.Text("name") != "Kai Aho" {
			t.Errorf("somebody known: %v", err)
		}
	})
}

// Two people of an external store may have one e-mail address, one after the other or at
// once: the store knows who is who.
func TestExternalNamesAreNotOurs(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		old := shop()
		old.people["kim"] = &oldPerson{"another secret", strings.Replace(kai, "legacy|42", "legacy|43", 1)}
		c := h.externalIn("", old)
		for who, secret := range map[string]string{"kai@shop.example": "old secret", "kim": "another secret"} {
			if _, err := h.Authenticate(t.Context(), c, who, secret, admin); err != nil {
				t.Errorf("%s: %v", who, err)
			}
		}
		if n := count(t, h); n != 2 {
			t.Errorf("%d users", n)
		}
	})
}

func TestExternalRefusals(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		old := shop()
		c := h.externalIn("", old)
		for _, row := range []struct {
			name, answer string
			fails        error
			want         error
			event        string
			userID       string
			description  string
		}{
			{"nobody", "null", nil, user.ErrWrongPassword, audit.UnknownUser, "", "Wrong email or password."},
			{"nobody, by its class", kai, &customdb.Failure{Kind: customdb.Wrong, Message: "no user kai"}, user.ErrWrongPassword, audit.UnknownUser, "", "no user kai"},
			{"a wrong password", kai, &customdb.Failure{Kind: customdb.Wrong, UserID: "legacy|42", Message: "try again"}, user.ErrWrongPassword, audit.WrongPassword, "auth0|legacy|42", "try again"},
			{"an error", kai, &customdb.Failure{Kind: customdb.Failed, Message: "connection refused by the host"}, user.ErrStoreDown, audit.LoginFailed, "", "connection refused by the host"},
			{"refused without a text", kai, &customdb.Failure{Kind: customdb.Unauthorized}, errs.New(errs.Forbidden, "unauthorized", "Unauthorized"), audit.LoginFailed, "", "Unauthorized"},
			{"a code that creation has", kai, &customdb.Failure{Kind: customdb.Invalid, Code: "user_exists", Message: "twice"}, errs.New(errs.Invalid, "user_exists", "twice"), audit.LoginFailed, "", "twice"},
			{"no id", `{}`, nil, user.ErrStoreDown, audit.LoginFailed, "", "the profile has no user_id"},
			{"blocked", strings.Replace(kai, `"email_verified":true`, `"blocked":true`, 1), nil, user.ErrBlocked, audit.LoginFailed, "auth0|legacy|42", user.ErrBlocked.Text},
		} {
			old.mu.Lock()
			old.fails[customdb.Login], old.people["kai@shop.example"].profile = row.fails, row.answer
			old.mu.Unlock()
			before := eventsOf(t, h)
			if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); !errors.Is(err, row.want) {
				t.Errorf("%s: %v", row.name, err)
			}
			events := eventsOf(t, h)
			if len(events) != len(before)+1 {
				t.Errorf("%s: %d records", row.name, len(events)-len(before))
				continue
			}
			e := added(before, events)
			if e.Type != row.event || e.UserID != row.userID || e.Description != row.description {
				t.Errorf("%s: recorded %s %q %q", row.name, e.Type, e.UserID, e.Description)
			}
			if row.fails != nil && !json.Valid(e.Details) {
				t.Errorf("%s: details %s", row.name, e.Details)
			}
		}
	})
}

// added is a record of the second list that the first does not have.
func added(before, after []audit.Event) audit.Event {
	for _, e := range after {
		if !slices.ContainsFunc(before, func(old audit.Event) bool { return old.ID == e.ID }) {
			return e
		}
	}
	return audit.Event{}
}

// Shadow mode asks both, and changes nothing.
func TestShadow(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		old := shop()
		c := h.custom("legacy", importing, old)
		if _, err := h.Authenticate(t.Context(), c, "kai@shop.example", "old secret", admin); err != nil {
			t.Fatal(err)
		}
		c = h.options(c, `{"enabledDatabaseCustomization":true,"import_mode":true,"migration":{"mode":"shadow"},`+everyAction+`}`)
		old.people["kim@shop.example"] = &oldPerson{"old secret", `{"user_id":"legacy|43","email":"kim@shop.example"}`}
		for i, row := range []struct {
			who, password, here string // here: what the old store says of Kai
			fails               error
			want                error
			compared, same      int64
			state               customdb.State
			reason              string
		}{
			{"kai@shop.example", "old secret", kai, nil, nil, 1, 1, "", ""},
			{"kai@shop.example", "old secret", strings.Replace(kai, "Kai Aho", "Kai Uusi", 1), nil, nil, 1, 0, customdb.Differing, "these attributes differ: name"},
			{"kai@shop.example", "old secret", `{"user_id":"legacy|42","email":"kai@shop.example"}`, nil, nil, 1, 1, "", ""},
			{"kai@shop.example", "old secret", strings.Replace(kai, "legacy|42", "legacy|99", 1), nil, nil, 1, 0, customdb.Differing, "the old store has another user_id"},
			{"kai@shop.example", "old secret", kai, &customdb.Failure{Kind: customdb.Wrong, UserID: "legacy|42"}, nil, 1, 0, customdb.Differing, "the old store refuses the password that is right here"},
			{"kai@shop.example", "a guess", kai, nil, user.ErrWrongPassword, 0, 0, "", ""},
			{"kim@shop.example", "old secret", kai, nil, user.ErrWrongPassword, 1, 0, customdb.Differing, "the old store knows the person, who is not here"},
			{"kai@shop.example", "old secret", kai, &customdb.Failure{Kind: customdb.Failed, Message: "table locked"}, nil, 0, 0, customdb.Failing, "table locked"},
		} {
			name := fmt.Sprintf("row %d", i)
			old.mu.Lock()
			old.people["kai@shop.example"].profile, old.fails[customdb.Login] = row.here, row.fails
			old.mu.Unlock()
			before, err := h.store.Progress(t.Context(), c.ID)
			if err != nil {
				t.Fatal(err)
			}
			users := count(t, h)
			if _, err := h.Authenticate(t.Context(), c, row.who, row.password, admin); !errors.Is(err, row.want) {
				t.Errorf("%s: %v", name, err)
			}
			h.Shadow.Finish(t.Context())
			after, err := h.store.Progress(t.Context(), c.ID)
			if err != nil || after.Compared-before.Compared != row.compared || after.Same-before.Same != row.same || after.Migrated != before.Migrated {
				t.Errorf("%s: %+v, was %+v, %v", name, after, before, err)
			}
			list, err := h.store.Stragglers(t.Context(), c.ID, "", "", 10)
			if err != nil || row.state == "" && len(list) != 0 || row.state != "" && (len(list) != 1 || list[0].State != row.state || list[0].Reason != row.reason || list[0].Name != row.who) {
				t.Errorf("%s: %+v, %v", name, list, err)
			}
			if count(t, h) != users {
				t.Errorf("%s: somebody was made", name)
			}
			if err := h.store.Note(t.Context(), customdb.Note{ConnectionID: c.ID, Name: row.who, At: 1}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
