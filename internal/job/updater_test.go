package job_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// updater is a runner that can judge updates.
func (w *world) updater(s job.Store) *job.Runner {
	r := w.runner(s)
	r.Users = &user.Service{Users: w, Connections: w, Hashing: user.NewHashing(0, 0).Patient(), Audit: w, Now: w.clock.Now}
	return r
}

// updates publishes a bulk update; the connection is that of e-mail addresses.
func (w *world) updates(rows []string, connection string) *job.Job {
	w.t.Helper()
	return w.imports(lines(rows), 100, func(j *job.Job) {
		j.Type, j.ConnectionID, j.Connection, j.Params = job.UsersUpdate, connection, "", json.RawMessage(`{}`)
	})
}

// fill creates n users, u0@example.com and so on.
func (w *world) fill(n int) {
	w.t.Helper()
	var rows []string
	for i := range n {
		rows = append(rows, fmt.Sprintf(`{"email":"u%d@example.com","user_id":"u%d","user_metadata":{"n":%d}}`, i, i, i))
	}
	w.imports(lines(rows), 1<<20, nil)
	work(w.t, w.runner(w))
}

// named reads an attribute of a user of the database.
func (w *world) named(id, attribute string) string {
	w.t.Helper()
	u, err := w.User(bg, user.ID("auth0|"+id))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(u.Profile.Value(attribute))
}

func TestUpdates(t *testing.T) {
	w := newWorld(t)
	w.fill(5)
	for _, file := range []func([]string) string{lines, array} {
		j := w.imports(file([]string{
			`{"user_id":"auth0|u0","patch":{"given_name":"Ann","user_metadata":{"n":null,"lang":"en"}}}`,
			`{"email":"U1@Example.com","patch":{"blocked":true}}`,
			`{"user_id":"auth0|u0","patch":{"family_name":"Lee"}}`,
			`{"user_id":"auth0|nobody","patch":{"name":"A"}}`,
			`{"email":"nobody@example.com","patch":{"name":"A"}}`,
			`{"user_id":"auth0|u2","patch":{"email":"u3@example.com"}}`,
			`{"user_id":"auth0|u2","patch":{"password":"Correct horse battery 5"}}`,
			`{"user_id":"auth0|u3","patch":{"password":"short"}}`,
			`{"user_id":"auth0|u4","patch":{"nickname":"four","foo":1}}`,
			`{"user_id":"auth0|u4","patch":{"connection":"nowhere","name":"x"}}`,
		}), 100, func(j *job.Job) { j.Type, j.Params = job.UsersUpdate, json.RawMessage(`{}`) })
		work(t, w.updater(w))
		w.want(j, job.Completed, "", job.Summary{Updated: 4, Failed: 6, Total: 10})
		got := w.failures(j)
		for i, want := range []string{
			`{"user_id":"auth0|nobody","patch":{"name":"A"}} USER_NOT_FOUND  The user does not exist.`,
			`{"email":"nobody@example.com","patch":{"name":"A"}} USER_NOT_FOUND  The user does not exist.`,
			`{"user_id":"auth0|u2","patch":{"email":"u3@example.com"}} DUPLICATED_USER  The user already exists.`,
			`{"user_id":"auth0|u3","patch":{"password":"*****"}} NOT_PASSED patch.password Error in patch.password property - PasswordStrengthError: Password is too weak`,
			`{"user_id":"auth0|u4","patch":{"nickname":"four","foo":1}} OBJECT_ADDITIONAL_PROPERTIES patch Error in patch property - Additional properties not allowed: foo (consider`,
			`{"user_id":"auth0|u4","patch":{"connection":"nowhere","name":"x"}} CONNECTION_NOT_FOUND  Connection does not exist.`,
		} {
			if i >= len(got) || !strings.HasPrefix(got[i], want) {
				t.Fatalf("failures\n%s\nwant %s", strings.Join(got, "\n"), want)
			}
		}
		if w.named("u0", profile.GivenName) != `"Ann"` || w.named("u0", profile.FamilyName) != `"Lee"` || w.named("u0", profile.UserMetadata) != `{"lang":"en"}` {
			t.Errorf("u0: %s %s %s", w.named("u0", profile.GivenName), w.named("u0", profile.FamilyName), w.named("u0", profile.UserMetadata))
		}
		if w.named("u1", profile.Blocked) != "true" || w.named("u4", profile.Nickname) == `"four"` {
			t.Error("u1 or u4 is not as it should be")
		}
		if ok, _ := passwd.Verify(w.password("u2@example.com").Hash, "Correct horse battery 5"); !ok {
			t.Error("the new password does not match")
		}
		if w.password("u3@example.com").Hash != "" {
			t.Error("a refused password was set")
		}
		if piece, err := w.InputPiece(bg, j.ID, 0); piece != nil || err != nil {
			t.Errorf("the file is still there: %d bytes, %v", len(piece), err)
		}
	}
}

// An address names a user within the job's connection only, and only one.
func TestUpdatesByEmail(t *testing.T) {
	w := newWorld(t)
	w.fill(1)
	w.connect("con_0000000000000002", "social", "google-oauth2", `{}`)
	for i, email := range []string{"twin@example.com", "twin@example.com", "Solo@example.com"} {
		u := &user.User{ID: user.ID(fmt.Sprintf("google-oauth2|%d", i)), Version: 1, Identities: []user.Identity{{
			Provider: "google-oauth2", Connection: "social", ConnectionID: "con_0000000000000002", UserID: fmt.Sprint(i), Subject: fmt.Sprint(i), IsSocial: true,
		}}}
		u.Profile.Set(profile.Email, profile.Text(email), profile.Source{Origin: profile.FromUpstream})
		if err := w.CreateUser(bg, u, user.Effect{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, connection, email, want string }{
		{"no connection", "", "u0@example.com", `NOT_PASSED email Error in email property - A row that names its user by email needs the connection_id of the job`},
		{"another connection", "con_0000000000000002", "u0@example.com", `USER_NOT_FOUND  The user does not exist.`},
		{"two", "con_0000000000000002", "twin@example.com", `USER_AMBIGUOUS  There are several users with this email.`},
		{"one", "con_0000000000000002", "Solo@example.com", ""},
		{"another spelling upstream", "con_0000000000000002", "solo@example.com", `USER_NOT_FOUND  The user does not exist.`},
		{"another spelling of ours", database, "U0@EXAMPLE.com", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			row := fmt.Sprintf(`{"email":%q,"patch":{"app_metadata":{"seen":%q}}}`, c.email, c.name)
			j := w.updates([]string{row}, c.connection)
			work(t, w.updater(w))
			got := w.failures(j)
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || got[0] != row+" "+c.want) {
				t.Errorf("failures %q", got)
			}
		})
	}
}

func TestUpdatesThatCannotBegin(t *testing.T) {
	w := newWorld(t)
	row := []string{`{"user_id":"auth0|u0","patch":{"name":"A"}}`}
	gone := w.updates(row, "con_nobody")
	broken := w.updates([]string{`{"user_id":`}, "")
	text := w.imports(`user_id,name`, 100, func(j *job.Job) { j.Type, j.ConnectionID = job.UsersUpdate, "" })
	work(t, w.updater(w))
	w.want(gone, job.Failed, "The connection does not exist.", job.Summary{})
	w.want(broken, job.Completed, "", job.Summary{Failed: 1, Total: 1})
	if got, err := w.Job(bg, text.ID); err != nil || got.Status != job.Failed || got.Summary.Total != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	late := w.updates(row, "")
	work(t, w.runner(w))
	w.want(late, job.Failed, "Updates are not available here.", job.Summary{})
}

// What PATCH records is recorded, for each user.
func TestUpdateEvents(t *testing.T) {
	w := newWorld(t)
	w.fill(1)
	s := &eavesdropper{spy: &spy{Store: w}}
	w.updates([]string{
		`{"user_id":"auth0|u0","patch":{"name":"A"}}`,
		`{"user_id":"auth0|u0","patch":{"name":"A"}}`,
		`{"user_id":"auth0|u0","patch":{"password":"Correct horse battery 5"}}`,
	}, "")
	r := w.updater(s)
	r.BatchSize = 1
	work(t, r)
	want := []string{"sapi Update a User auth0|u0 client people", "sapi Update a User auth0|u0 client people", "scp  auth0|u0 client people"}
	if !slices.Equal(s.seen, want) {
		t.Errorf("events %q", s.seen)
	}
}

// eavesdropper notes the events of the changes, and whether they change anything.
type eavesdropper struct {
	*spy
	seen []string
}

func (s *eavesdropper) UpdateBatch(ctx context.Context, l job.Lease, rows []job.Change, cursor, now int64) (job.BatchResult, error) {
	for i := range rows {
		apply := rows[i].Apply
		rows[i].Apply = func(u *user.User) (user.Effect, error) {
			e, err := apply(u)
			if err == nil && !e.Unchanged {
				s.note(e.Events)
			}
			return e, err
		}
	}
	return s.spy.UpdateBatch(ctx, l, rows, cursor, now)
}

func (s *eavesdropper) note(list []audit.Event) {
	for _, e := range list {
		s.seen = append(s.seen, strings.Join([]string{e.Type, e.Description, e.UserID, e.ClientID, e.Connection}, " "))
	}
}

func (s *spy) UpdateBatch(ctx context.Context, l job.Lease, rows []job.Change, cursor, now int64) (job.BatchResult, error) {
	if err := s.on(s.hook, "batch"); err != nil {
		return job.BatchResult{}, err
	}
	res, err := s.Store.UpdateBatch(ctx, l, rows, cursor, now)
	if err == nil {
		err = s.on(s.after, "batch")
	}
	return res, err
}

// A runner dies at any step; another one goes on when the lease has ended. Every
// row is applied, none twice: that is what the version of a user counts.
func TestUpdatesAfterACrash(t *testing.T) {
	const users = 33
	dead := errs.New(errs.Unavailable, "", "killed")
	for step := range 5 {
		for _, committed := range []bool{false, true} {
			w := newWorld(t)
			w.fill(users)
			var rows []string
			for i := range users {
				rows = append(rows, fmt.Sprintf(`{"user_id":"auth0|u%d","patch":{"user_metadata":{"step":%d}}}`, i, i))
			}
			j := w.updates(rows, "")
			n, died := 0, false
			die := func(string) error {
				if n++; n > step {
					died = true
				}
				if died {
					return dead
				}
				return nil
			}
			s := &spy{Store: w, hook: die}
			if committed {
				s.after, s.hook = die, func(string) error {
					if died {
						return dead
					}
					return nil
				}
			}
			if _, err := w.updater(s).Work(bg); !errors.Is(err, dead) {
				t.Fatalf("step %d: %v", step, err)
			}
			w.clock.forward(time.Minute)
			work(t, w.updater(w))
			w.want(j, job.Completed, "", job.Summary{Updated: users, Total: users})
			for i := range users {
				u, err := w.User(bg, user.ID(fmt.Sprintf("auth0|u%d", i)))
				if err != nil || u.Version != 2 || string(u.Profile.Value(profile.UserMetadata)) != fmt.Sprintf(`{"n":%d,"step":%d}`, i, i) {
					t.Fatalf("step %d, committed %v: %+v, %v", step, committed, u, err)
				}
			}
		}
	}
}

// Stopping in the middle gives the job back.
func TestUpdatesStop(t *testing.T) {
	w := newWorld(t)
	w.fill(25)
	var rows []string
	for i := range 25 {
		rows = append(rows, fmt.Sprintf(`{"user_id":"auth0|u%d","patch":{"name":"N"}}`, i))
	}
	j := w.updates(rows, "")
	ctx, stop := context.WithCancel(bg)
	s := &spy{Store: w, hook: func(what string) error {
		if what == "batch" {
			stop()
		}
		return nil
	}}
	if found, err := w.updater(s).Work(ctx); !found || err != nil {
		t.Fatalf("found %v, %v", found, err)
	}
	if got, err := w.Job(bg, j.ID); err != nil || got.Summary.Total != 10 {
		t.Errorf("after the stop: %+v, %v", got, err)
	}
	work(t, w.updater(w))
	w.want(j, job.Completed, "", job.Summary{Updated: 25, Total: 25})
}
