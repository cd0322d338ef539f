package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

// renames is a change that gives a user a name.
func renames(id user.ID, name string) job.Change {
	return job.Change{UserID: id, Supplied: json.RawMessage(`{"user_id":"` + string(id) + `"}`), Apply: set(profile.Name, name)}
}

// readdresses is a change that gives a user an e-mail address.
func readdresses(id user.ID, email string) job.Change {
	c := renames(id, "")
	c.Apply = set(profile.Email, email)
	return c
}

func runUpdates(t *testing.T, open func(testing.TB) *store.Store) {
	// begin is a store with users a, b and c, and a leased job.
	begin := func(t *testing.T) (*store.Store, job.Lease) {
		s := open(t)
		create(t, s, ourUser("a", "a@example.com"), ourUser("b", "b@example.com"), ourUser("c", "c@example.com"))
		j := newJob("job_1")
		j.Type = job.UsersUpdate
		must(t, s.CreateJob(bg, j, audit.Event{}))
		return s, claim(t, s, "n", day)
	}
	apply := func(t *testing.T, s *store.Store, l job.Lease, cursor int64, rows ...job.Change) job.BatchResult {
		t.Helper()
		res, err := s.UpdateBatch(bg, l, rows, cursor, day)
		must(t, err)
		return res
	}
	problems := func(t *testing.T, s *store.Store) []string {
		t.Helper()
		list, err := s.RowErrors(bg, "job_1", 0, 100)
		must(t, err)
		var out []string
		for _, e := range list {
			out = append(out, fmt.Sprintf("%s %s", e.User, e.Errors[0].Code))
		}
		return out
	}
	read := func(t *testing.T, s *store.Store, id user.ID) *user.User {
		t.Helper()
		u, err := s.User(bg, id)
		must(t, err)
		return u
	}

	t.Run("changes, refusals, counts and cursor", func(t *testing.T) {
		s, l := begin(t)
		bad := renames("auth0|c", "x")
		bad.Apply = func(u *user.User) (user.Effect, error) {
			u.Profile.Set(profile.Name, profile.Text("half done"), src(day))
			return user.Effect{}, errs.New(errs.Invalid, "operation_not_supported", "No.")
		}
		same := renames("auth0|b", "x")
		same.Apply = func(*user.User) (user.Effect, error) { return user.Effect{Unchanged: true}, nil }
		before := job.Change{Supplied: json.RawMessage(`{"row":2}`), Problems: []job.Problem{{Code: "FORMAT", Message: "m"}}}
		res := apply(t, s, l, 77, renames("auth0|a", "Ann"), before, bad, same, renames("auth0|nobody", "x"))
		if res != (job.BatchResult{Updated: 2, Failed: 3}) {
			t.Errorf("result %+v", res)
		}
		j, err := s.Job(bg, "job_1")
		if err != nil || j.Cursor != 77 || j.Summary != (job.Summary{Updated: 2, Failed: 3, Total: 5}) {
			t.Errorf("job %+v, %v", j, err)
		}
		want := []string{`{"row":2} FORMAT`, `{"user_id":"auth0|c"} NOT_PASSED`, `{"user_id":"auth0|nobody"} USER_NOT_FOUND`}
		if got := problems(t, s); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("problems %q", got)
		}
		for id, want := range map[user.ID]struct {
			name    string
			version int64
		}{"auth0|a": {"Ann", 2}, "auth0|b": {"", 1}, "auth0|c": {"", 1}} {
			if u := read(t, s, id); u.Profile.Text(profile.Name) != want.name || u.Version != want.version {
				t.Errorf("%s: %q, version %d", id, u.Profile.Text(profile.Name), u.Version)
			}
		}
	})

	t.Run("one user in many rows", func(t *testing.T) {
		s, l := begin(t)
		refused := renames("auth0|a", "")
		refused.Apply = func(*user.User) (user.Effect, error) { return user.Effect{}, user.ErrConnectionUnsupported }
		more := renames("auth0|a", "")
		more.Apply = func(u *user.User) (user.Effect, error) {
			u.Profile.Set(profile.Name, profile.Text(u.Profile.Text(profile.Name)+"+"), src(day))
			return user.Effect{}, nil
		}
		if res := apply(t, s, l, 1, renames("auth0|a", "1"), more, refused, more); res != (job.BatchResult{Updated: 3, Failed: 1}) {
			t.Errorf("result %+v", res)
		}
		if u := read(t, s, "auth0|a"); u.Profile.Text(profile.Name) != "1++" || u.Version != 4 {
			t.Errorf("%q, version %d", u.Profile.Text(profile.Name), u.Version)
		}
		if res := apply(t, s, l, 2, more, refused); res != (job.BatchResult{Updated: 1, Failed: 1}) {
			t.Errorf("result %+v", res)
		}
		if u := read(t, s, "auth0|a"); u.Profile.Text(profile.Name) != "1+++" || u.Version != 5 {
			t.Errorf("%q, version %d", u.Profile.Text(profile.Name), u.Version)
		}
	})

	t.Run("sign-in names", func(t *testing.T) {
		s, l := begin(t)
		// b takes a's address: refused while a has it, and done once a has given it up.
		res := apply(t, s, l, 1,
			readdresses("auth0|b", "a@example.com"),
			readdresses("auth0|a", "new@example.com"),
			readdresses("auth0|b", "a@example.com"),
			readdresses("auth0|c", "new@example.com"))
		if res != (job.BatchResult{Updated: 2, Failed: 2}) {
			t.Errorf("result %+v", res)
		}
		if got := problems(t, s); fmt.Sprint(got) != `[{"user_id":"auth0|b"} DUPLICATED_USER {"user_id":"auth0|c"} DUPLICATED_USER]` {
			t.Errorf("problems %q", got)
		}
		for email, id := range map[string]user.ID{"new@example.com": "auth0|a", "a@example.com": "auth0|b", "c@example.com": "auth0|c"} {
			if u, err := s.UserByIdentifier(bg, ourConnection, user.ByEmail, email); err != nil || u.ID != id {
				t.Errorf("%s: %+v, %v", email, u, err)
			}
		}
		if _, err := s.UserByIdentifier(bg, ourConnection, user.ByEmail, "b@example.com"); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("the address that was given up: %v", err)
		}
	})

	t.Run("sessions end where the change says so", func(t *testing.T) {
		s, l := begin(t)
		for _, id := range []user.ID{"auth0|a", "auth0|b"} {
			must(t, s.CreateSession(bg, session.Session{
				Hash: "of " + string(id), ID: string(id), UserID: string(id), ConnectionID: ourConnection,
				AuthTime: day, CreatedAt: day, LastSeen: day, ExpiresAt: day + 100, IdleUntil: day + 100,
			}))
		}
		out := renames("auth0|a", "A")
		out.Apply = func(u *user.User) (user.Effect, error) {
			u.Password = user.Password{Hash: "$2a$10$new", SetAt: day}
			return user.Effect{EndSessions: true, Events: []audit.Event{event(u.ID)}}, nil
		}
		apply(t, s, l, 1, out, renames("auth0|b", "B"))
		if _, err := s.Session(bg, "of auth0|a", day); err == nil {
			t.Error("the session of a still stands")
		}
		if _, err := s.Session(bg, "of auth0|b", day); err != nil {
			t.Errorf("the session of b: %v", err)
		}
		if u := read(t, s, "auth0|a"); u.Password.Hash != "$2a$10$new" {
			t.Errorf("password %+v", u.Password)
		}
	})

	t.Run("a lost lease and a failure write nothing", func(t *testing.T) {
		s, l := begin(t)
		lost := l
		lost.Fence--
		if _, err := s.UpdateBatch(bg, lost, []job.Change{renames("auth0|a", "x")}, 5, day); !errors.Is(err, job.ErrLeaseLost) {
			t.Errorf("a lost lease: %v", err)
		}
		bug := renames("auth0|b", "x")
		bug.Apply = func(*user.User) (user.Effect, error) { return user.Effect{}, errors.New("a bug") }
		if _, err := s.UpdateBatch(bg, l, []job.Change{renames("auth0|a", "x"), bug}, 5, day); err == nil {
			t.Error("no error")
		}
		if u := read(t, s, "auth0|a"); u.Profile.Text(profile.Name) != "" || u.Version != 1 {
			t.Errorf("%q, version %d", u.Profile.Text(profile.Name), u.Version)
		}
		if j, err := s.Job(bg, "job_1"); err != nil || j.Cursor != 0 || j.Summary.Total != 0 {
			t.Errorf("job %+v, %v", j, err)
		}
	})

	t.Run("beside other writers", func(t *testing.T) {
		s, l := begin(t)
		more := renames("auth0|a", "")
		more.Apply = func(u *user.User) (user.Effect, error) {
			u.Profile.Set(profile.Name, profile.Text(u.Profile.Text(profile.Name)+"+"), src(day))
			return user.Effect{}, nil
		}
		const n = 12
		got := race(n, func(i int) error {
			if i%2 == 0 {
				_, err := s.UpdateUser(bg, "auth0|a", more.Apply)
				return err
			}
			_, err := s.UpdateBatch(bg, l, []job.Change{more, more, renames("auth0|b", "x")}, 1, day)
			return err
		})
		if got["ok"] != n {
			t.Errorf("outcomes %v", got)
		}
		if u := read(t, s, "auth0|a"); len(u.Profile.Text(profile.Name)) != n/2+n || u.Version != 1+n/2+n {
			t.Errorf("%q, version %d", u.Profile.Text(profile.Name), u.Version)
		}
	})
}
