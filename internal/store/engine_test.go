package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/job"
	"mangrove/internal/key"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
	"mangrove/internal/user"
)

var bg = context.Background()

func testUser(id, email string) *user.User {
	u := &user.User{
		ID:         user.ID("auth0|" + id),
		Identities: []user.Identity{{Provider: "auth0", Connection: "users", ConnectionID: "con_1", UserID: id, Subject: id}},
		CreatedAt:  1, UpdatedAt: 1,
	}
	u.Profile.Set(profile.Email, profile.Text(email), profile.Source{Origin: profile.FromManagement, At: 1})
	return u
}

func open(t testing.TB, o store.Options) (*store.Store, error) {
	t.Helper()
	if o.Box == nil {
		o.Box = storetest.Box()
	}
	s, err := store.Open(bg, o)
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

func TestMigrateTwiceAndNewer(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			s := storetest.OpenURL(t, storetest.EmptyURL(t, engine), nil)
			have, want, err := s.Version(bg)
			if have != 0 || want == 0 || err != nil {
				t.Fatalf("an empty database: %d, %d, %v", have, want, err)
			}
			for range 2 {
				if err := s.Migrate(bg); err != nil {
					t.Fatal(err)
				}
			}
			if have, want, err := s.Version(bg); have != want || err != nil {
				t.Errorf("after migration: %d, %d, %v", have, want, err)
			}
			if err := s.Exec(bg, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, ?)", int64(99999), true); err != nil {
				t.Fatal(err)
			}
			if err := s.Migrate(bg); !errors.Is(err, store.ErrNewer) {
				t.Errorf("a newer database: %v", err)
			}
		})
	}
}

func TestNodesStartTogether(t *testing.T) {
	u := storetest.EmptyURL(t, storetest.Postgres)
	var wg sync.WaitGroup
	var mu sync.Mutex
	created := 0
	for range 4 {
		s := storetest.OpenURL(t, u, nil)
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := s.Migrate(bg); err != nil {
				t.Errorf("migrate: %v", err)
				return
			}
			ok, err := s.Bootstrap(bg, func() (store.Seed, error) {
				return store.Seed{Keys: []key.Key{{ID: "kid", Private: []byte("k")}}}, nil
			})
			if err != nil {
				t.Errorf("bootstrap: %v", err)
			}
			if ok {
				mu.Lock()
				defer mu.Unlock()
				created++
			}
		}()
	}
	wg.Wait()
	if created != 1 {
		t.Errorf("seeded %d times", created)
	}
}

func TestLogsOfTwoNodesOrderByTime(t *testing.T) {
	u := storetest.URL(t, storetest.Postgres)
	a, b := storetest.OpenURL(t, u, nil), storetest.OpenURL(t, u, nil)
	for at := range int64(40) {
		s := a
		if at%2 == 0 {
			s = b
		}
		if err := s.AppendEvents(bg, audit.Event{Type: "t", At: 1_000_000 + at}, audit.Event{Type: "t", At: 1_000_000 + at}); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := pgx.Connect(bg, u)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(bg) }()
	var n int
	var sorted bool
	err = conn.QueryRow(bg, `SELECT COUNT(*), BOOL_AND(ok) FROM (SELECT at >= LAG(at, 1, 0::bigint) OVER (ORDER BY log_id) AS ok FROM logs) x`).Scan(&n, &sorted)
	if err != nil || n != 80 || !sorted {
		t.Errorf("%d records, sorted %v, %v", n, sorted, err)
	}
}

func TestLostConnectionIsUnavailable(t *testing.T) {
	u := storetest.URL(t, storetest.Postgres)
	s := storetest.OpenURL(t, u, nil)
	if err := s.CreateUser(bg, testUser("u", "u@example.com"), user.Effect{}); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(bg, u)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(bg) }()
	for range 5 {
		_, err := conn.Exec(bg, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := s.View(bg, "auth0|u"); err != nil && errs.KindOf(err) != errs.Unavailable {
				t.Errorf("reading: %v", err)
			}
			if err := s.AppendEvents(bg, audit.Event{Type: "t"}); err != nil && errs.KindOf(err) != errs.Unavailable {
				t.Errorf("writing: %v", err)
			}
		}
		if _, err := s.View(bg, "auth0|u"); err != nil {
			t.Errorf("after a while: %v", err)
		}
	}
}

// Somebody signs up between the look and the COPY of an import.
func TestImportMeetsNewRow(t *testing.T) {
	u := storetest.URL(t, storetest.Postgres)
	s := storetest.OpenURL(t, u, nil)
	c := &connection.Connection{ID: "con_1", Name: "users", Strategy: "auth0", Options: []byte(`{}`), Extra: []byte(`{}`), Version: 1}
	if err := s.CreateConnection(bg, c, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateJob(bg, &job.Job{ID: "job_1", Type: job.UsersImport, Status: job.Pending, ConnectionID: c.ID}, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	_, l, err := s.Claim(bg, "n", 1, 100)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(bg, u)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(bg) }()
	other, err := conn.Begin(bg)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`INSERT INTO user_identifiers (scope, kind, value, user_id) VALUES ('con_1', 'email', 'r007@example.com', 'auth0|first')`,
		`INSERT INTO users SELECT 7, 'auth0|first', 1, '{}', '{}', '[]', '[]', 'con_1', 'r007@example.com', '', 0, false, '', '', 1, 1`,
	} {
		if _, err := other.Exec(bg, q); err != nil {
			t.Fatal(err)
		}
	}
	rows := make([]job.Row, 100)
	for i := range rows {
		id := fmt.Sprintf("r%03d", i)
		rows[i].New = testUser(id, id+"@example.com")
	}
	var res job.BatchResult
	done := make(chan error, 1)
	go func() {
		var err error
		res, err = s.ImportBatch(bg, *l, &job.Job{ID: "job_1", ConnectionID: c.ID}, rows, nil, 1, 1)
		done <- err
	}()
	for waiting := 0; waiting == 0 && len(done) == 0; { // until the import waits for the sign-up
		if err := other.QueryRow(bg, "SELECT COUNT(*) FROM pg_locks WHERE NOT granted").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Commit(bg); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || res != (job.BatchResult{Inserted: 99, Failed: 1}) {
		t.Errorf("%+v, %v", res, err)
	}
	if list, err := s.RowErrors(bg, "job_1", 0, 10); err != nil || len(list) != 1 || list[0].Errors[0].Code != "DUPLICATED_USER" {
		t.Errorf("errors %+v, %v", list, err)
	}
}
