package user_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// The hash of a linked identity is renewed by its login as that of a primary
// is, and a login by the one touches nothing of the other.
func TestRehashOfALinkedIdentity(t *testing.T) {
	old, err := passwd.ParseCustom([]byte(`{"algorithm":"md5","hash":{"value":"7fc56270e7a70fa81a5935b72eacbe29","encoding":"hex"}}`)) // of A
	if err != nil {
		t.Fatal(err)
	}
	onBothEngines(t, func(t *testing.T, h *house) {
		first := h.create("a@example.com")
		second := h.create("b@example.com")
		_, err := h.store.UpdateUser(t.Context(), second.ID, func(u *user.User) (user.Effect, error) {
			u.Password = user.Password{Hash: old, SetAt: 7, Imported: true}
			return user.Effect{}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Link(t.Context(), first.ID, user.LinkRequest{Provider: "auth0", UserID: string(second.ID)}, admin); err != nil {
			t.Fatal(err)
		}
		before := h.read(first.ID)
		for n := range int64(2) {
			u, err := h.Authenticate(t.Context(), h.own, "B@example.com", "A", user.Actor{IP: "192.0.2.7"})
			if err != nil || u.ID != first.ID || u.Logins.Count != n+1 {
				t.Fatalf("%v, %v", u, err)
			}
		}
		after := h.read(first.ID)
		if after.Password != before.Password {
			t.Error("the login by the linked identity changed the password of the first")
		}
		if p := after.Identities[1].Password; p.Hash == old || p.Imported || p.SetAt != 7 {
			t.Errorf("after the login it is %+v", p)
		}
		if _, err := h.Authenticate(t.Context(), h.own, "a@example.com", "A", user.Actor{}); !errors.Is(err, user.ErrWrongPassword) {
			t.Errorf("the other's password: %v", err)
		}
	})
}

// listener hears what the use cases want recorded.
type listener struct {
	user.Store
	events []audit.Event
}

func (l *listener) LinkUsers(ctx context.Context, id, other user.ID, fn func(u, other *user.User) (user.Effect, error)) (*user.User, error) {
	return l.Store.LinkUsers(ctx, id, other, func(u, other *user.User) (user.Effect, error) {
		e, err := fn(u, other)
		l.events = append(l.events, e.Events...)
		return e, err
	})
}

func (l *listener) UnlinkUser(ctx context.Context, id user.ID, fn func(*user.User) (*user.User, user.Effect, error)) (*user.User, error) {
	return l.Store.UnlinkUser(ctx, id, func(u *user.User) (*user.User, user.Effect, error) {
		alone, e, err := fn(u)
		l.events = append(l.events, e.Events...)
		return alone, e, err
	})
}

// A link and an unlink have a record each, which names both users.
func TestLinkIsRecorded(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		first, second := h.create("a@example.com"), h.create("b@example.com")
		log := &listener{Store: h.Users}
		h.Users = log
		if _, err := h.Link(t.Context(), first.ID, user.LinkRequest{Secondary: second.ID}, admin); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Unlink(t.Context(), first.ID, "auth0", string(second.ID), admin); err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{"Link a User Account": true, "Unlink a User Identity": true}
		for _, e := range log.events {
			if !want[e.Description] {
				continue
			}
			delete(want, e.Description)
			var details map[string]string
			if err := json.Unmarshal(e.Details, &details); err != nil || details["secondary"] != string(second.ID) ||
				e.UserID != string(first.ID) || e.Type != audit.APIOperation || e.ConnectionID != h.own.ID || e.ClientID != admin.ClientID {
				t.Errorf("record %+v", e)
			}
		}
		if len(want) != 0 {
			t.Errorf("no record of %v", want)
		}
	})
}

// A link keeps the first user's e-mail; an edit of it at the same time is kept, too.
func TestLinkBesideEdits(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		first, second := h.create("a@example.com"), h.create("b@example.com")
		done := make(chan error, 20)
		for i := range cap(done) {
			go func() {
				if i == 7 {
					_, err := h.Link(t.Context(), first.ID, user.LinkRequest{Secondary: second.ID}, admin)
					done <- err
					return
				}
				metadata := `{"k` + string(rune('a'+i)) + `":1}`
				_, err := h.Patch(t.Context(), first.ID, user.PatchRequest{Changes: changes("user_metadata", metadata)}, admin)
				done <- err
			}()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		u := h.read(first.ID)
		var metadata map[string]int
		if err := json.Unmarshal(u.Profile.Value(profile.UserMetadata), &metadata); err != nil || len(metadata) != cap(done)-1 || len(u.Identities) != 2 {
			t.Errorf("%d keys, %d identities, %v", len(metadata), len(u.Identities), err)
		}
	})
}
