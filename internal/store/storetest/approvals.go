package storetest

import (
	"errors"
	"reflect"
	"testing"

	"mangrove/internal/approval"
	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/letter"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

func runApprovals(t *testing.T, open func(testing.TB) *store.Store) {
	pending := approval.Request{
		Hash: "r", LinkHash: "l", ClientID: "c", UserID: "auth0|one", Scope: []string{"openid", "read:a"}, Audience: "api", Message: "AB-12",
		State: approval.Pending, ExpiresAt: day + 100,
	}
	save := func(t *testing.T, s *store.Store, r approval.Request) {
		t.Helper()
		must(t, s.SaveApproval(bg, r, []letter.Letter{{Template: letter.AsyncApproval, To: "a@example.com"}}, event("auth0|one")))
	}

	t.Run("comes back as it went", func(t *testing.T) {
		s := open(t)
		save(t, s, pending)
		for _, find := range []func() (approval.Request, error){
			func() (approval.Request, error) { return s.Approval(bg, "r") },
			func() (approval.Request, error) { return s.ApprovalByLink(bg, "l") },
		} {
			if got, err := find(); err != nil || !reflect.DeepEqual(got, pending) {
				t.Errorf("%+v, %v", got, err)
			}
		}
		for _, err := range []error{second(s.Approval(bg, "l")), second(s.ApprovalByLink(bg, "r")),
			s.ChangeApproval(bg, "x", func(*approval.Request) ([]audit.Event, error) { return nil, nil })} {
			if !errors.Is(err, approval.ErrNone) {
				t.Error(err)
			}
		}
		if q, err := s.ClaimLetter(bg, 1<<60, 1<<61); err != nil || q == nil || q.Template != letter.AsyncApproval {
			t.Errorf("the letter: %+v, %v", q, err)
		}
		if types := logTypesOf(t, s, "auth0|one"); len(types) != 1 {
			t.Errorf("recorded %q", types)
		}
	})

	t.Run("changes", func(t *testing.T) {
		s := open(t)
		save(t, s, pending)
		failure := errors.New("no")
		if err := s.ChangeApproval(bg, "r", func(r *approval.Request) ([]audit.Event, error) {
			r.State = approval.Denied
			return []audit.Event{event("auth0|one")}, failure
		}); !errors.Is(err, failure) {
			t.Error(err)
		}
		must(t, s.ChangeApproval(bg, "r", func(r *approval.Request) ([]audit.Event, error) {
			r.PolledAt = day + 1
			return nil, nil
		}))
		want := pending
		want.State, want.Scope, want.SessionID, want.ConnectionID, want.AuthTime, want.Methods, want.PolledAt =
			approval.Approved, []string{"openid"}, "sid", "con", day, []string{"pwd"}, day+1
		must(t, s.ChangeApproval(bg, "r", func(r *approval.Request) ([]audit.Event, error) {
			if r.State != approval.Pending || r.PolledAt != day+1 {
				t.Errorf("before: %+v", r)
			}
			*r = want
			return []audit.Event{event("auth0|one")}, nil
		}))
		if got, err := s.Approval(bg, "r"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
		if types := logTypesOf(t, s, "auth0|one"); len(types) != 2 {
			t.Errorf("recorded %q", types)
		}
	})

	t.Run("one of twenty at once gets the tokens", func(t *testing.T) {
		s := open(t)
		approved := pending
		approved.State = approval.Approved
		save(t, s, approved)
		got := race(20, func(int) error {
			var verdict error
			err := s.ChangeApproval(bg, "r", func(r *approval.Request) ([]audit.Event, error) {
				verdict = r.Poll("c", day)
				return nil, nil
			})
			return errors.Join(err, verdict)
		})
		if got["ok"] != 1 || got[approval.ErrUnknown.Error()] != 19 {
			t.Errorf("outcomes: %v", got)
		}
	})

	t.Run("ends", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("one", ""))
		save(t, s, pending)
		other := pending
		other.Hash, other.LinkHash, other.UserID = "r2", "l2", "auth0|two"
		save(t, s, other)
		approved := pending
		approved.Hash, approved.LinkHash, approved.State, approved.SessionID = "r3", "l3", approval.Approved, "sid"
		save(t, s, approved)
		must(t, s.RevokeAccess(bg, "auth0|one", true, event("auth0|one")))
		if _, err := s.Approval(bg, "r3"); !errors.Is(err, approval.ErrNone) {
			t.Errorf("of a session that ended: %v", err)
		}
		must(t, second(s.Approval(bg, "r")))
		must(t, s.DeleteUser(bg, "auth0|one", 0, user.Effect{}))
		if _, err := s.Approval(bg, "r"); !errors.Is(err, approval.ErrNone) {
			t.Errorf("of a user who is gone: %v", err)
		}
		gone := other
		gone.Hash, gone.LinkHash, gone.ClientID = "r4", "l4", "c1"
		save(t, s, gone)
		must(t, s.CreateClient(bg, &client.Client{ID: "c1", Doc: []byte(`{}`)}, event("")))
		must(t, s.DeleteClient(bg, "c1", event("")))
		must(t, s.Sweep(bg, day))
		if _, err := s.Approval(bg, "r4"); !errors.Is(err, approval.ErrNone) {
			t.Errorf("of a client that is gone: %v", err)
		}
		must(t, second(s.Approval(bg, "r2")))
		stay := approval.Stay.Microseconds()
		must(t, s.Sweep(bg, other.ExpiresAt+stay-1))
		must(t, second(s.Approval(bg, "r2")))
		must(t, s.Sweep(bg, other.ExpiresAt+stay))
		if _, err := s.Approval(bg, "r2"); !errors.Is(err, approval.ErrNone) {
			t.Errorf("after the sweep: %v", err)
		}
	})
}
