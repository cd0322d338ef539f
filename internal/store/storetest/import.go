package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

// importing makes a database with the connection, a job with that id, and its lease.
func importing(t testing.TB, s *store.Store, id string) job.Lease {
	t.Helper()
	if _, err := s.Connection(bg, ourConnection); err != nil {
		must(t, s.CreateConnection(bg, conn(ourConnection, "users", "auth0"), event("")))
	}
	must(t, s.CreateJob(bg, newJob(id), audit.Event{}))
	return claim(t, s, "n", day)
}

// outcomes are all lines of a job's outcomes.
func outcomes(t testing.TB, s *store.Store, id string) (lines []string) {
	t.Helper()
	for at := int64(0); ; {
		b, begin, err := s.Outcomes(bg, id, at)
		must(t, err)
		if b == nil {
			return lines
		}
		if begin <= at {
			t.Fatalf("a batch that begins at %d behind %d", begin, at)
		}
		lines, at = append(lines, strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")...), begin
	}
}

func withName(u *user.User, name string) *user.User {
	if name != "" {
		u.Profile.Set(profile.Username, profile.Text(name), src(day))
	}
	return u
}

// upsertOf is what a row with these values does to a user.
func upsertOf(name, username string) func(*user.User) (user.Effect, error) {
	return func(u *user.User) (user.Effect, error) {
		if name == "refused" {
			return user.Effect{}, errs.New(errs.Invalid, "SOME_CODE", "refused")
		}
		changed := u.Profile.Set(profile.Name, profile.Text(name), src(day))
		if username != "" {
			changed = u.Profile.Set(profile.Username, profile.Text(username), src(day)) || changed
		}
		return user.Effect{Unchanged: !changed}, nil
	}
}

func runImportReports(t *testing.T, open func(testing.TB) *store.Store) {
	t.Run("outcomes in the order of the file", func(t *testing.T) {
		s := open(t)
		l := importing(t, s, "job_1")
		up := withName(ourUser("up", "up@example.com"), "")
		up.Profile.Set(profile.Name, profile.Text("Up"), src(day))
		create(t, s, up, ourUser("no", "no@example.com"))
		row := func(n int64, u *user.User, fn func(*user.User) (user.Effect, error)) job.Row {
			return job.Row{Number: n, New: u, Supplied: json.RawMessage(`{}`), Upsert: fn}
		}
		before, err := s.User(bg, "auth0|up")
		must(t, err)
		bad := []job.RowError{{Number: 2, User: json.RawMessage(`{"n":2}`), Errors: []job.Problem{{Code: "FORMAT", Message: "<bad>", Path: "email"}}}}
		res, err := s.ImportBatch(bg, l, newJob("job_1"), []job.Row{
			row(1, ourUser("x", "no@example.com"), nil),
			row(3, ourUser("n", "n@example.com"), nil),
			row(4, ourUser("y", "up@example.com"), upsertOf("Up", "")),
		}, bad, 10, day)
		must(t, err)
		if res != (job.BatchResult{Inserted: 1, Updated: 1, Failed: 2}) {
			t.Errorf("%+v", res)
		}
		_, err = s.ImportBatch(bg, l, newJob("job_1"), []job.Row{row(5, ourUser("z", "no@example.com"), upsertOf("No", ""))}, nil, 20, day)
		must(t, err)
		const exists = `"errors":[{"code":"DUPLICATED_USER","message":"The user already exist and upsert parameter is false"}]}`
		want := []string{
			`{"row":1,"outcome":"failed",` + exists,
			`{"row":2,"outcome":"failed","errors":[{"code":"FORMAT","message":"<bad>","path":"email"}]}`,
			`{"row":3,"outcome":"inserted","user_id":"auth0|n"}`,
			`{"row":4,"outcome":"unchanged","user_id":"auth0|up"}`,
			`{"row":5,"outcome":"updated","user_id":"auth0|no"}`,
		}
		if got := outcomes(t, s, "job_1"); !slices.Equal(got, want) {
			t.Errorf("outcomes\n%s", strings.Join(got, "\n"))
		}
		list, err := s.RowErrors(bg, "job_1", 0, 10)
		must(t, err)
		if len(list) != 2 || string(list[1].User) != `{"n":2}` {
			t.Errorf("errors %+v", list)
		}
		after, err := s.User(bg, "auth0|up")
		must(t, err)
		if after.Version != before.Version || after.UpdatedAt != before.UpdatedAt {
			t.Errorf("an unchanged user: version %d, was %d", after.Version, before.Version)
		}
		must(t, s.Finish(bg, l, job.Completed, "", day, event("")))
		if got := outcomes(t, s, "job_1"); len(got) != 5 {
			t.Errorf("%d outcomes of a finished job", len(got))
		}
		must(t, s.Sweep(bg, day+25*3600*1_000_000))
		if got := outcomes(t, s, "job_1"); len(got) != 0 {
			t.Errorf("%d outcomes of a job that is gone", len(got))
		}
	})

	t.Run("an unchanged user counts as written by the file", func(t *testing.T) {
		s := open(t)
		l := importing(t, s, "job_1")
		u := ourUser("u", "u@example.com")
		u.Profile.Set(profile.Name, profile.Text("U"), src(day))
		create(t, s, u)
		for i, want := range []job.BatchResult{{Updated: 1}, {Failed: 1}} {
			rows := []job.Row{{Number: int64(i + 1), New: ourUser("v", "u@example.com"), Supplied: json.RawMessage(`{}`), Upsert: upsertOf("U", "")}}
			if res, err := s.ImportBatch(bg, l, newJob("job_1"), rows, nil, int64(10*(i+1)), day); err != nil || res != want {
				t.Errorf("batch %d: %+v, %v", i, res, err)
			}
		}
	})

	t.Run("a name that an update gives back is free for the rows behind", func(t *testing.T) {
		s := open(t)
		l := importing(t, s, "job_1")
		create(t, s, withName(ourUser("u", "u@example.com"), "old"))
		res, err := s.ImportBatch(bg, l, newJob("job_1"), []job.Row{
			{Number: 1, New: withName(ourUser("x", "u@example.com"), "new"), Upsert: upsertOf("U", "new")},
			{Number: 2, New: withName(ourUser("y", "y@example.com"), "old"), Upsert: upsertOf("Y", "old")},
		}, nil, 10, day)
		if err != nil || res != (job.BatchResult{Inserted: 1, Updated: 1}) {
			t.Errorf("%+v, %v", res, err)
		}
	})

	t.Run("sessions end when the update says so", func(t *testing.T) {
		s := open(t)
		l := importing(t, s, "job_1")
		create(t, s, ourUser("u", "u@example.com"))
		must(t, s.CreateSession(bg, session.Session{Hash: "h", UserID: "auth0|u", ExpiresAt: day * 2, IdleUntil: day * 2}))
		end := func(u *user.User) (user.Effect, error) {
			u.Password.Hash = "new"
			return user.Effect{EndSessions: true}, nil
		}
		rows := []job.Row{{Number: 1, New: ourUser("x", "u@example.com"), Upsert: end}}
		if _, err := s.CheckBatch(bg, l, newJob("job_1"), rows, nil, 10, day); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Session(bg, "h", day); err != nil {
			t.Errorf("the session after a dry run: %v", err)
		}
		l = importing(t, s, "job_2")
		if _, err := s.ImportBatch(bg, l, newJob("job_2"), rows, nil, 10, day); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Session(bg, "h", day); !errors.Is(err, session.ErrNone) {
			t.Errorf("the session: %v", err)
		}
	})

	t.Run("a hash that takes another's place is new at the moment of the update", func(t *testing.T) {
		s := open(t)
		l := importing(t, s, "job_1")
		u := ourUser("u", "u@example.com")
		u.Password = user.Password{Hash: "old", SetAt: day - 5}
		create(t, s, u)
		replace := func(u *user.User) (user.Effect, error) {
			u.Password = user.Password{Hash: "new", SetAt: day, Imported: true}
			return user.Effect{}, nil
		}
		rows := []job.Row{{Number: 1, New: ourUser("x", "u@example.com"), Upsert: replace}}
		if _, err := s.ImportBatch(bg, l, newJob("job_1"), rows, nil, 10, day); err != nil {
			t.Fatal(err)
		}
		got, err := s.User(bg, "auth0|u")
		must(t, err)
		view, err := s.View(bg, "auth0|u")
		must(t, err)
		if got.Password != (user.Password{Hash: "new", SetAt: day, Imported: true}) || view.LastPasswordReset != day {
			t.Errorf("%+v, shown %d", got.Password, view.LastPasswordReset)
		}
	})

	t.Run("a connection that is gone gets no users", func(t *testing.T) {
		s := open(t)
		l := importing(t, s, "job_1")
		must(t, s.DeleteConnection(bg, ourConnection, 0, day, event("")))
		rows := []job.Row{{Number: 1, New: ourUser("u", "u@example.com")}}
		_, e1 := s.ImportBatch(bg, l, newJob("job_1"), rows, nil, 10, day)
		_, e2 := s.CheckBatch(bg, l, newJob("job_1"), rows, nil, 10, day)
		_, gone := s.View(bg, "auth0|u")
		if !errors.Is(e1, job.ErrNoConnection) || !errors.Is(e2, job.ErrNoConnection) || !errors.Is(gone, user.ErrNotFound) {
			t.Errorf("%v, %v, %v", e1, e2, gone)
		}
	})

	t.Run("a dry run says what the import then does", func(t *testing.T) { rehearse(t, open(t), open(t)) })
}

// rehearse runs the same made-up rows through a dry run over one database and
// an import into another with the same users. The reports are equal, but for
// the ids of users that a dry run does not make, and the first database is as
// it was.
func rehearse(t *testing.T, dry, real *store.Store) {
	const batches, size, people = 12, 20, 30
	seed := uint32(1)
	pick := func(n int) int { // a generator of our own: the same rows each time
		seed = seed*1_664_525 + 1_013_904_223
		return int(seed>>16) % n
	}
	name := func(prefix string, n int) string { return fmt.Sprintf("%s%d", prefix, n) }
	var before []string
	leases := map[*store.Store]job.Lease{}
	for _, s := range []*store.Store{dry, real} {
		leases[s] = importing(t, s, "job_1")
		for i := range people / 2 {
			u := withName(ourUser(name("id", i), name("e", i)+"@example.com"), name("n", i))
			u.Profile.Set(profile.Name, profile.Text(name("v", i%3)), src(day))
			create(t, s, u)
		}
	}
	for i := range people {
		if v, err := dry.View(bg, user.ID("auth0|"+name("id", i))); err == nil {
			before = append(before, fmt.Sprint(v.Version, string(v.Attributes)))
		}
	}
	for b := range batches {
		rows := make([]job.Row, size)
		for i := range rows {
			username := ""
			if pick(2) == 0 {
				username = name("n", pick(people))
			}
			rows[i] = job.Row{
				Number: int64(b*size + i + 1), Supplied: json.RawMessage(fmt.Sprintf(`{"row":%d}`, b*size+i+1)),
				New: withName(ourUser(name("id", pick(2*people)), name("e", pick(2*people))+"@example.com"), username),
			}
			if pick(4) > 0 {
				value := name("v", pick(3))
				if pick(10) == 0 {
					value = "refused"
				}
				rows[i].Upsert = upsertOf(value, username)
			}
		}
		cursor := int64((b + 1) * 100)
		want, err := real.ImportBatch(bg, leases[real], newJob("job_1"), rows, nil, cursor, day)
		must(t, err)
		got, err := dry.CheckBatch(bg, leases[dry], newJob("job_1"), rows, nil, cursor, day)
		must(t, err)
		if got != want {
			t.Errorf("batch %d: %+v, the import %+v", b, got, want)
		}
	}
	var after []string
	for i := range people {
		if v, err := dry.View(bg, user.ID("auth0|"+name("id", i))); err == nil {
			after = append(after, fmt.Sprint(v.Version, string(v.Attributes)))
		}
	}
	if !slices.Equal(before, after) {
		t.Errorf("the dry run changed users\n%s\n%s", before, after)
	}
	seen := map[string]int{}
	got, want := outcomes(t, dry, "job_1"), outcomes(t, real, "job_1")
	for i := range want {
		var o job.Outcome
		must(t, json.Unmarshal([]byte(want[i]), &o))
		seen[o.Outcome]++
		if o.Outcome == job.RowInserted {
			o.UserID = ""
			b, err := json.Marshal(o)
			must(t, err)
			want[i] = string(b)
		}
		if got[i] != want[i] {
			t.Errorf("row %d: %s, the import %s", i+1, got[i], want[i])
		}
	}
	if len(seen) != 4 || len(got) != batches*size {
		t.Errorf("%d rows, outcomes %v: the rows do not try everything", len(got), seen)
	}
	a, err := dry.Job(bg, "job_1")
	must(t, err)
	b, err := real.Job(bg, "job_1")
	must(t, err)
	if a.Summary != b.Summary || a.Cursor != b.Cursor {
		t.Errorf("job %+v, the import's %+v", a, b)
	}
	must(t, dry.Finish(bg, leases[dry], job.Completed, "", day, event("")))
}

func runJobControl(t *testing.T, open func(testing.TB) *store.Store) {
	receiving := func(t testing.TB, s *store.Store, id string) *job.Job {
		j := newJob(id)
		j.Status = job.Receiving
		must(t, s.CreateJob(bg, j, audit.Event{}))
		return j
	}
	t.Run("publishing with a limit", func(t *testing.T) {
		s := open(t)
		jobs := map[int]*job.Job{}
		for i, id := range numbered("job_%d", 50) {
			jobs[i] = receiving(t, s, id)
		}
		other := newJob("job_export")
		other.Type = job.UsersExport
		must(t, s.CreateJob(bg, other, audit.Event{})) // of another type: does not count
		got := race(50, func(i int) error { return s.Publish(bg, jobs[i], 2, event("")) })
		const text = "There are 2 active import users jobs, please wait until some of them are finished and try again"
		if got["ok"] != 2 || got[text] != 48 {
			t.Errorf("outcomes %v", got)
		}
		for range 3 { // the export, and the two
			l := claim(t, s, "n", day)
			must(t, s.Finish(bg, l, job.Completed, "", day))
		}
		must(t, s.Publish(bg, receiving(t, s, "job_later"), 2, event("")))
		must(t, s.Publish(bg, receiving(t, s, "job_free"), 0, event("")))
	})

	t.Run("cancel", func(t *testing.T) {
		s := open(t)
		if _, err := s.Cancel(bg, "job_none", day, event("")); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("no job: %v", err)
		}
		j := receiving(t, s, "job_1")
		if _, err := s.Cancel(bg, "job_1", day, event("")); !errors.Is(err, job.ErrFinished) {
			t.Errorf("receiving: %v", err)
		}
		must(t, s.AppendInput(bg, j.ID, 0, []byte("x")))
		must(t, s.Publish(bg, j, 0, event("")))
		for range 2 {
			got, err := s.Cancel(bg, "job_1", day+3, event(""))
			if err != nil || got.Status != job.Failed || got.StatusDetails != job.CanceledDetails || got.CanceledAt != day+3 {
				t.Errorf("pending: %+v, %v", got, err)
			}
		}
		if piece, err := s.InputPiece(bg, "job_1", 0); piece != nil || err != nil {
			t.Errorf("its input: %q, %v", piece, err)
		}
		if j, _, err := s.Claim(bg, "n", day+100, day+200); j != nil || err != nil {
			t.Errorf("claimed: %v, %v", j, err)
		}

		must(t, s.CreateJob(bg, newJob("job_2"), audit.Event{}))
		l := claim(t, s, "n", day+7)
		for at := range int64(2) {
			got, err := s.Cancel(bg, "job_2", day+10+at, event(""))
			if err != nil || got.Status != job.Processing || got.CanceledAt != day+10 || got.StartedAt != day+7 {
				t.Errorf("processing: %+v, %v", got, err)
			}
		}
		must(t, s.Finish(bg, l, job.Failed, job.CanceledDetails, day+20))
		if got, err := s.Cancel(bg, "job_2", day+30, event("")); err != nil || got.Status != job.Failed {
			t.Errorf("canceled: %+v, %v", got, err)
		}

		for _, status := range []string{job.Completed, job.Failed} {
			must(t, s.CreateJob(bg, newJob("job_"+status), audit.Event{}))
			l := claim(t, s, "n", day)
			must(t, s.Finish(bg, l, status, "", day))
			if _, err := s.Cancel(bg, "job_"+status, day, event("")); !errors.Is(err, job.ErrFinished) {
				t.Errorf("%s: %v", status, err)
			}
		}
	})

	t.Run("begun once", func(t *testing.T) {
		s := open(t)
		must(t, s.CreateJob(bg, newJob("job_1"), audit.Event{}))
		claim(t, s, "a", day)
		claim(t, s, "b", day+100)
		if j, err := s.Job(bg, "job_1"); err != nil || j.StartedAt != day {
			t.Errorf("%+v, %v", j, err)
		}
	})
}
