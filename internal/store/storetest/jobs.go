package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/grant"
	"mangrove/internal/job"
	"mangrove/internal/key"
	"mangrove/internal/profile"
	"mangrove/internal/resourceserver"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

func newJob(id string) *job.Job {
	return &job.Job{
		ID: id, Type: job.UsersImport, Status: job.Pending, ConnectionID: ourConnection, Connection: "users",
		Params: json.RawMessage(`{"upsert":true}`), CreatedAt: day, UpdatedAt: day, ActorClientID: "c",
	}
}

func claim(t testing.TB, s *store.Store, owner string, now int64) job.Lease {
	t.Helper()
	j, l, err := s.Claim(bg, owner, now, now+100)
	if err != nil || j == nil {
		t.Fatalf("claim: %v, %v", j, err)
	}
	return *l
}

func runJobs(t *testing.T, open func(testing.TB) *store.Store) {
	t.Run("input", func(t *testing.T) {
		s := open(t)
		j := newJob("job_1")
		j.Status = job.Receiving
		must(t, s.CreateJob(bg, j, event("")))
		must(t, s.AppendInput(bg, j.ID, 0, []byte("first")))
		must(t, s.AppendInput(bg, j.ID, 1, []byte("last")))
		for seq, want := range []string{"first", "last"} {
			if got, err := s.InputPiece(bg, j.ID, int64(seq)); err != nil || string(got) != want {
				t.Errorf("piece %d: %q, %v", seq, got, err)
			}
		}
		if got, err := s.InputPiece(bg, j.ID, 2); err != nil || got != nil {
			t.Errorf("beyond: %q, %v", got, err)
		}
		if j, _, err := s.Claim(bg, "n", day, day+1); j != nil || err != nil {
			t.Errorf("claimed while receiving: %v, %v", j, err)
		}
		j.InputBytes, j.Connection = 9, "renamed"
		must(t, s.Publish(bg, j, 0, event("")))
		got, err := s.Job(bg, j.ID)
		if err != nil || got.Status != job.Pending || got.InputBytes != 9 || got.Connection != "renamed" || string(got.Params) != `{"upsert":true}` || got.ActorClientID != "c" || got.CreatedAt != day {
			t.Errorf("published: %+v, %v", got, err)
		}
		if err := s.AppendInput(bg, j.ID, 2, []byte("late")); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("a piece after the end: %v", err)
		}
		l := claim(t, s, "n", day)
		must(t, s.Finish(bg, l, job.Failed, "why", day+5, event("")))
		got, err = s.Job(bg, j.ID)
		if err != nil || got.Status != job.Failed || got.StatusDetails != "why" {
			t.Errorf("finished: %+v, %v", got, err)
		}
		if piece, err := s.InputPiece(bg, j.ID, 0); err != nil || piece != nil {
			t.Errorf("input of a finished job: %q, %v", piece, err)
		}
	})

	t.Run("by type", func(t *testing.T) {
		s := open(t)
		for id, kind := range map[string]string{"job_1": job.UsersImport, "job_2": job.VerificationEmail, "job_3": job.UsersExport} {
			j := newJob(id)
			j.Type = kind
			must(t, s.CreateJob(bg, j, event("")))
		}
		for _, c := range []struct {
			types []string
			want  string
		}{
			{[]string{job.VerificationEmail}, "job_2"}, {[]string{job.VerificationEmail}, ""},
			{[]string{job.UsersExport, job.UsersUpdate, job.UsersImport, job.ConnectionDelete}, "job_1"}, {nil, "job_3"}, {nil, ""},
		} {
			j, _, err := s.Claim(bg, "n", day, day+100, c.types...)
			if got := j; err != nil || (got == nil) != (c.want == "") || got != nil && got.ID != c.want {
				t.Errorf("of %v: %+v, %v, want %s", c.types, got, err, c.want)
			}
		}
	})

	t.Run("drop", func(t *testing.T) {
		s := open(t)
		j := newJob("job_1")
		j.Status = job.Receiving
		must(t, s.CreateJob(bg, j, audit.Event{}))
		must(t, s.AppendInput(bg, j.ID, 0, []byte("x")))
		must(t, s.DropJob(bg, j.ID))
		if _, err := s.Job(bg, j.ID); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("dropped: %v", err)
		}
		if piece, err := s.InputPiece(bg, j.ID, 0); err != nil || piece != nil {
			t.Errorf("its input: %q, %v", piece, err)
		}
	})

	t.Run("one lease per job", func(t *testing.T) {
		s := open(t)
		const jobs, runners = 5, 20
		for _, id := range numbered("job_%d", jobs) {
			must(t, s.CreateJob(bg, newJob(id), audit.Event{}))
		}
		var mu sync.Mutex
		taken := map[string]int{}
		got := race(runners, func(i int) error {
			j, l, err := s.Claim(bg, fmt.Sprint("node", i), day, day+100)
			if err != nil || j == nil {
				return err
			}
			if l.JobID != j.ID || l.Fence != 1 || j.Status != job.Processing {
				return fmt.Errorf("lease %+v of %+v", l, j)
			}
			mu.Lock()
			defer mu.Unlock()
			taken[j.ID]++
			return nil
		})
		if got["ok"] != runners || len(taken) != jobs {
			t.Errorf("outcomes %v, taken %v", got, taken)
		}
	})

	t.Run("a lost lease writes nothing", func(t *testing.T) {
		s := open(t)
		must(t, s.CreateJob(bg, newJob("job_1"), audit.Event{}))
		old := claim(t, s, "a", day)
		if j, _, err := s.Claim(bg, "b", day+99, day+200); j != nil || err != nil {
			t.Errorf("claimed under a lease: %v, %v", j, err)
		}
		must(t, s.Extend(bg, old, day+150))
		if j, _, _ := s.Claim(bg, "b", day+149, day+200); j != nil {
			t.Error("claimed under an extended lease")
		}
		now := claim(t, s, "b", day+150)
		if now.Fence != 2 {
			t.Errorf("fence %d", now.Fence)
		}
		rows := []job.Row{{New: ourUser("u", "u@example.com")}}
		_, e1 := s.ImportBatch(bg, old, newJob("job_1"), rows, nil, 10, day)
		for i, err := range []error{e1, s.Extend(bg, old, day+300), s.Finish(bg, old, job.Completed, "", day), s.Release(bg, old)} {
			if !errors.Is(err, job.ErrLeaseLost) {
				t.Errorf("case %d: %v", i, err)
			}
		}
		j, err := s.Job(bg, "job_1")
		if err != nil || j.Cursor != 0 || j.Status != job.Processing {
			t.Errorf("the job: %+v, %v", j, err)
		}
		if _, err := s.View(bg, "auth0|u"); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("a row of a stale runner: %v", err)
		}
		must(t, s.Release(bg, now))
		if again := claim(t, s, "c", day+151); again.Fence != 3 {
			t.Errorf("fence %d", again.Fence)
		}
	})

	t.Run("the sweep", func(t *testing.T) {
		s := open(t)
		const hour = 3600 * 1_000_000
		for id, status := range map[string]string{"job_done": job.Completed, "job_failed": job.Failed, "job_work": job.Processing, "job_up": job.Receiving} {
			j := newJob(id)
			j.Status = status
			must(t, s.CreateJob(bg, j, audit.Event{}))
		}
		must(t, s.Sweep(bg, day+23*hour))
		for id, want := range map[string]error{"job_done": nil, "job_failed": nil, "job_work": nil, "job_up": job.ErrNotFound} {
			if _, err := s.Job(bg, id); !errors.Is(err, want) {
				t.Errorf("%s: %v", id, err)
			}
		}
		must(t, s.Sweep(bg, day+25*hour))
		for id, want := range map[string]error{"job_done": job.ErrNotFound, "job_failed": job.ErrNotFound, "job_work": nil} {
			if _, err := s.Job(bg, id); !errors.Is(err, want) {
				t.Errorf("%s: %v", id, err)
			}
		}
	})
}

func runImport(t *testing.T, open func(testing.TB) *store.Store) {
	row := func(u *user.User) job.Row {
		return job.Row{New: u, Supplied: json.RawMessage(fmt.Sprintf(`{"user_id":%q}`, u.Identities[0].UserID))}
	}
	named := func(u *user.User, name string) *user.User {
		u.Profile.Set(profile.Username, profile.Text(name), src(day))
		return u
	}
	upsert := func(u *user.User, fn func(*user.User) (user.Effect, error)) job.Row {
		r := row(u)
		r.Upsert = fn
		return r
	}
	setName := func(u *user.User) (user.Effect, error) {
		return user.Effect{Unchanged: !u.Profile.Set(profile.Name, profile.Text("upserted"), src(day))}, nil
	}
	start := func(t testing.TB, s *store.Store) job.Lease {
		must(t, s.CreateConnection(bg, conn(ourConnection, "users", "auth0"), event("")))
		must(t, s.CreateJob(bg, newJob("job_1"), audit.Event{}))
		return claim(t, s, "n", day)
	}

	t.Run("outcomes of rows", func(t *testing.T) {
		s := open(t)
		create(t, s, named(ourUser("old", "old@example.com"), "oldname"), ourUser("up", "up@example.com"), ourUser("no", "no@example.com"))
		l := start(t, s)
		earlier := []job.RowError{{User: json.RawMessage(`{}`), Errors: []job.Problem{{Code: "FORMAT", Message: "bad", Path: "email"}}}}
		res, err := s.ImportBatch(bg, l, newJob("job_1"), []job.Row{
			row(ourUser("n1", "n1@example.com")),
			row(ourUser("x1", "OLD@example.com")),
			row(named(ourUser("x2", "x2@example.com"), "OldName")),
			row(ourUser("old", "x3@example.com")),
			row(ourUser("x4", "n1@example.com")),
			row(ourUser("n1", "x5@example.com")),
			row(ourUser("n2", "x2@example.com")), // free again: the row that had it failed
			upsert(ourUser("x6", "up@example.com"), setName),
			upsert(ourUser("x7", "UP@example.com"), setName),
			upsert(ourUser("x8", "no@example.com"), func(*user.User) (user.Effect, error) {
				return user.Effect{}, errs.New(errs.Invalid, "SOME_CODE", "refused")
			}),
			upsert(ourUser("n3", "n3@example.com"), setName),
			upsert(named(ourUser("x9", "x9@example.com"), "oldname"), setName),
		}, earlier, 1000, day+7)
		must(t, err)
		if res != (job.BatchResult{Inserted: 3, Updated: 1, Failed: 9}) {
			t.Errorf("result %+v", res)
		}
		j, err := s.Job(bg, "job_1")
		must(t, err)
		if j.Cursor != 1000 || j.Summary != (job.Summary{Failed: 9, Updated: 1, Inserted: 3, Total: 13}) {
			t.Errorf("job %+v", j)
		}
		list, err := s.RowErrors(bg, "job_1", 0, 100)
		must(t, err)
		const exists, already = "The user already exist and upsert parameter is false", "A user with this %s was already provided."
		want := []struct{ user, code, message string }{
			{`{}`, "FORMAT", "bad"},
			{`{"user_id":"x1"}`, "DUPLICATED_USER", exists},
			{`{"user_id":"x2"}`, "DUPLICATED_USER", exists},
			{`{"user_id":"old"}`, "DUPLICATED_USER", exists},
			{`{"user_id":"x4"}`, "DUPLICATED_USER", fmt.Sprintf(already, "email")},
			{`{"user_id":"n1"}`, "DUPLICATED_USER", fmt.Sprintf(already, "user_id")},
			{`{"user_id":"x7"}`, "DUPLICATED_USER", fmt.Sprintf(already, "email")},
			{`{"user_id":"x8"}`, "SOME_CODE", "refused"},
			{`{"user_id":"x9"}`, "DUPLICATED_USER", "A user with this username already exists."},
		}
		if len(list) != len(want) {
			t.Fatalf("%d errors: %+v", len(list), list)
		}
		for i, w := range want {
			if e := list[i]; string(e.User) != w.user || e.Errors[0].Code != w.code || e.Errors[0].Message != w.message {
				t.Errorf("error %d: %s %+v, want %+v", i, e.User, e.Errors, w)
			}
		}
		if page, err := s.RowErrors(bg, "job_1", 2, 1); err != nil || len(page) != 1 || string(page[0].User) != `{"user_id":"x2"}` {
			t.Errorf("a page: %+v, %v", page, err)
		}
		up, err := s.User(bg, "auth0|up")
		must(t, err)
		no, err := s.User(bg, "auth0|no")
		must(t, err)
		old, err := s.User(bg, "auth0|old")
		must(t, err)
		if up.Profile.Text(profile.Name) != "upserted" || up.Version != 2 || no.Version != 1 || old.Version != 1 {
			t.Errorf("up %d %s, no %d, old %d", up.Version, up.Profile.Text(profile.Name), no.Version, old.Version)
		}
		for _, id := range []user.ID{"auth0|x1", "auth0|x2", "auth0|x4", "auth0|x6", "auth0|x9"} {
			if _, err := s.View(bg, id); !errors.Is(err, user.ErrNotFound) {
				t.Errorf("%s is there: %v", id, err)
			}
		}
		if u, err := s.UserByIdentifier(bg, ourConnection, user.ByEmail, "x2@example.com"); err != nil || u.ID != "auth0|n2" {
			t.Errorf("x2@example.com: %v, %v", u, err)
		}
	})

	t.Run("the same e-mail in two batches of one file", func(t *testing.T) {
		s := open(t)
		l := start(t, s)
		_, err := s.ImportBatch(bg, l, newJob("job_1"), []job.Row{row(ourUser("a", "a@example.com"))}, nil, 10, day)
		must(t, err)
		res, err := s.ImportBatch(bg, l, newJob("job_1"), []job.Row{upsert(ourUser("b", "a@example.com"), setName)}, nil, 20, day)
		must(t, err)
		list, err := s.RowErrors(bg, "job_1", 0, 10)
		must(t, err)
		if res.Failed != 1 || len(list) != 1 || list[0].Errors[0].Message != "A user with this email was already provided." {
			t.Errorf("%+v, %+v", res, list)
		}
	})

	t.Run("a failure in the middle leaves nothing", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("up", "up@example.com"))
		l := start(t, s)
		boom := errors.New("boom")
		_, err := s.ImportBatch(bg, l, newJob("job_1"), []job.Row{
			row(ourUser("a", "a@example.com")),
			upsert(ourUser("b", "up@example.com"), func(*user.User) (user.Effect, error) { return user.Effect{}, boom }),
		}, []job.RowError{{User: json.RawMessage(`{}`)}}, 10, day)
		if !errors.Is(err, boom) {
			t.Errorf("got %v", err)
		}
		j, err := s.Job(bg, "job_1")
		must(t, err)
		list, err := s.RowErrors(bg, "job_1", 0, 10)
		must(t, err)
		_, gone := s.View(bg, "auth0|a")
		if j.Cursor != 0 || j.Summary != (job.Summary{}) || len(list) != 0 || !errors.Is(gone, user.ErrNotFound) {
			t.Errorf("job %+v, errors %v, row %v", j, list, gone)
		}
	})

	t.Run("a thousand rows, with sign-ups in the way", func(t *testing.T) {
		s := open(t)
		l := start(t, s)
		const n = 1000
		rows := make([]job.Row, n)
		for i, id := range numbered("bulk%04d", n) {
			rows[i] = row(named(ourUser(id, id+"@example.com"), id))
		}
		var res job.BatchResult
		got := race(11, func(i int) error {
			if i == 10 {
				var err error
				res, err = s.ImportBatch(bg, l, newJob("job_1"), rows, nil, 10, day)
				return err
			}
			err := s.CreateUser(bg, ourUser(fmt.Sprintf("sign%d", i), fmt.Sprintf("bulk%04d@example.com", i)), user.Effect{})
			if errors.Is(err, user.ErrExists) {
				return nil
			}
			return err
		})
		if got["ok"] != 11 || res.Inserted+res.Failed != n || res.Inserted < n-10 {
			t.Errorf("outcomes %v, %+v", got, res)
		}
		for i := range 10 {
			u, err := s.UserByIdentifier(bg, ourConnection, user.ByEmail, fmt.Sprintf("bulk%04d@example.com", i))
			if err != nil {
				t.Errorf("e-mail %d has nobody: %v", i, err)
			} else if u.Profile.Text(profile.Email) != fmt.Sprintf("bulk%04d@example.com", i) {
				t.Errorf("e-mail %d leads to %s", i, u.ID)
			}
		}
	})
}

func runSeed(t *testing.T, open func(testing.TB) *store.Store) {
	seed := func() (store.Seed, error) {
		return store.Seed{
			Connection:     *conn(ourConnection, "users", "auth0", "c"),
			ResourceServer: resourceserver.ResourceServer{ID: "r", Identifier: "api", System: true},
			Clients:        []client.Client{{ID: "c", Secret: "s", Name: "C"}, {ID: "g", Name: "All", Global: true}},
			Grants:         []grant.Grant{{ID: "cgr", ClientID: "c", Audience: "api", Scope: []string{"read:users"}}},
			Keys:           []key.Key{{ID: "kid", Alg: "RS256", Private: []byte("private"), Cert: []byte("cert"), State: key.Current, CreatedAt: day}},
		}, nil
	}
	t.Run("once", func(t *testing.T) {
		s := open(t)
		boom := errors.New("boom")
		if created, err := s.Bootstrap(bg, func() (store.Seed, error) { return store.Seed{}, boom }); created || !errors.Is(err, boom) {
			t.Errorf("a seed that fails: %v, %v", created, err)
		}
		var mu sync.Mutex
		made := 0
		got := race(10, func(int) error {
			created, err := s.Bootstrap(bg, seed)
			if created {
				mu.Lock()
				defer mu.Unlock()
				made++
			}
			return err
		})
		if got["ok"] != 10 || made != 1 {
			t.Errorf("outcomes %v, made %d times", got, made)
		}
		keys, err := s.Keys(bg)
		if err != nil || len(keys) != 1 || string(keys[0].Private) != "private" || string(keys[0].Cert) != "cert" || keys[0].State != key.Current || keys[0].CreatedAt != day {
			t.Errorf("keys %+v, %v", keys, err)
		}
		_, e1 := s.Connection(bg, ourConnection)
		_, e2 := s.ResourceServerByIdentifier(bg, "api")
		_, e3 := s.Client(bg, "g")
		_, e4 := s.GrantFor(bg, "c", "api")
		for i, err := range []error{e1, e2, e3, e4} {
			if err != nil {
				t.Errorf("case %d: %v", i, err)
			}
		}
	})
	t.Run("events", func(t *testing.T) {
		s := open(t)
		must(t, s.AppendEvents(bg))
		must(t, s.AppendEvents(bg, event("auth0|u"), event("auth0|u"), audit.Event{}))
		if err := s.Ping(bg); err != nil {
			t.Errorf("ping: %v", err)
		}
	})
}
