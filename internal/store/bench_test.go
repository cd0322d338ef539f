//go:build unix

package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
	"mangrove/internal/user"
)

// benchUser has a profile of about 1.3 KB.
func benchUser(id string) *user.User {
	u := testUser(id, id+"@example.com")
	src := profile.Source{Origin: profile.FromManagement, Actor: "client", At: 1}
	for name, v := range map[string]string{
		profile.Name: "Ada Lovelace", profile.GivenName: "Ada", profile.FamilyName: "Lovelace", profile.Nickname: id,
		profile.Picture: "https://example.com/pictures/" + id + ".png",
	} {
		u.Profile.Set(name, profile.Text(v), src)
	}
	u.Profile.Set(profile.UserMetadata, profile.Value(`{"text":"`+strings.Repeat("abcdefgh ", 50)+`","n":[1,2,3,4]}`), src)
	u.Profile.Set(profile.AppMetadata, profile.Value(`{"text":"`+strings.Repeat("ijklmnop ", 50)+`","plan":"gold"}`), src)
	u.Password.Hash = "$2a$10$abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcde"
	return u
}

// cpu adds the processor time per operation of this process (for PostgreSQL
// that is the client's share).
func cpu(b *testing.B, perOp int) func() {
	used := func() int64 {
		var r syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
		return r.Utime.Nano() + r.Stime.Nano()
	}
	before := used()
	return func() {
		n := float64(b.N * perOp)
		b.ReportMetric(float64(used()-before)/1000/n, "cpu-µs/op")
		b.ReportMetric(n/b.Elapsed().Seconds(), "ops/s")
	}
}

const benchUsers = 10_000

func createConnection(b *testing.B, s *store.Store) {
	b.Helper()
	c := &connection.Connection{ID: "con_1", Name: "users", Strategy: "auth0", Options: json.RawMessage(`{}`), Extra: json.RawMessage(`{}`), Version: 1}
	if err := s.CreateConnection(bg, c, audit.Event{}); err != nil {
		b.Fatal(err)
	}
}

// filled is a store with users u00000, u00001, ….
func filled(b *testing.B, engine string) *store.Store {
	b.Helper()
	s := storetest.Open(b, engine)
	createConnection(b, s)
	j := &job.Job{ID: "job_fill", Type: job.UsersImport, Status: job.Pending, ConnectionID: "con_1"}
	if err := s.CreateJob(bg, j, audit.Event{}); err != nil {
		b.Fatal(err)
	}
	_, l, err := s.Claim(bg, "b", 1, 1<<60)
	if err != nil {
		b.Fatal(err)
	}
	for at := 0; at < benchUsers; at += 1000 {
		if _, err := s.ImportBatch(bg, *l, j, benchRows("u%05d", at, 1000), nil, int64(at), 1); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func benchRows(format string, from, n int) []job.Row {
	rows := make([]job.Row, n)
	for i := range rows {
		rows[i].New = benchUser(fmt.Sprintf(format, from+i))
	}
	return rows
}

// scattered visits ids in an order that no cache likes.
func scattered(i int64) user.ID {
	return user.ID(fmt.Sprintf("auth0|u%05d", (i*7919)%benchUsers))
}

func each(b *testing.B, run func(b *testing.B, engine string)) {
	for _, engine := range storetest.Engines(b) {
		b.Run(engine, func(b *testing.B) { run(b, engine) })
	}
}

// parallel runs fn b.N times from that many goroutines.
func parallel(b *testing.B, callers int, fn func(i int64) error) {
	b.SetParallelism(max(1, callers/2)) // times GOMAXPROCS, two here
	var n atomic.Int64
	done := cpu(b, 1)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := fn(n.Add(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	done()
}

func BenchmarkView(b *testing.B) {
	each(b, func(b *testing.B, engine string) {
		s := filled(b, engine)
		parallel(b, 2, func(i int64) error {
			_, err := s.View(bg, scattered(i))
			return err
		})
	})
}

func patch(i int64) func(u *user.User) (user.Effect, error) {
	return func(u *user.User) (user.Effect, error) {
		u.Profile.Set(profile.Name, profile.Text(fmt.Sprint("Name ", i)), profile.Source{Origin: profile.FromManagement, Actor: "client", At: i})
		u.UpdatedAt = i
		return user.Effect{Events: []audit.Event{{
			Type: audit.APIOperation, At: i, Description: "Update a user", ClientID: "client", UserID: string(u.ID), IP: "192.0.2.1", UserAgent: "bench",
		}}}, nil
	}
}

// The ceiling is a bare update of one row through the same writer.
func BenchmarkUpdate(b *testing.B) {
	each(b, func(b *testing.B, engine string) {
		s := filled(b, engine)
		for _, callers := range []int{1, 8, 32, 128} {
			var serial atomic.Int64
			run := func(b *testing.B, fn func(i int64) error) {
				if callers > 1 {
					parallel(b, callers, fn)
					return
				}
				done := cpu(b, 1)
				b.ResetTimer()
				for range b.N {
					if err := fn(serial.Add(1)); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				done()
			}
			b.Run(fmt.Sprintf("ceiling/%d", callers), func(b *testing.B) {
				run(b, func(i int64) error {
					return s.Exec(bg, "UPDATE users SET updated_at = ? WHERE user_id = ?", i, string(scattered(i)))
				})
			})
			b.Run(fmt.Sprintf("user/%d", callers), func(b *testing.B) {
				run(b, func(i int64) error {
					_, err := s.UpdateUser(bg, scattered(i), patch(i))
					return err
				})
			})
			b.Run(fmt.Sprintf("login/%d", callers), func(b *testing.B) {
				run(b, func(i int64) error {
					return s.RecordLogin(bg, scattered(i), user.Logins{Last: i, IP: "192.0.2.1", Count: 1}, "", "", user.Effect{})
				})
			})
		}
	})
}

func BenchmarkCreateUser(b *testing.B) {
	each(b, func(b *testing.B, engine string) {
		for _, callers := range []int{8, 32} {
			b.Run(fmt.Sprint(callers), func(b *testing.B) {
				s := storetest.Open(b, engine)
				parallel(b, callers, func(i int64) error {
					u := benchUser(fmt.Sprintf("n%08x", uint32(i*2654435761)))
					return s.CreateUser(bg, u, user.Effect{Events: []audit.Event{{Type: audit.APIOperation, At: i}}})
				})
			})
		}
	})
}

// Rows of a thousand; raw is the same rows into the same tables with the same
// indexes, without looking for clashes.
func BenchmarkImport(b *testing.B) {
	each(b, func(b *testing.B, engine string) {
		const n = 1000
		b.Run("batch", func(b *testing.B) {
			s := storetest.Open(b, engine)
			createConnection(b, s)
			j := &job.Job{ID: "job_1", Type: job.UsersImport, Status: job.Pending, ConnectionID: "con_1"}
			if err := s.CreateJob(bg, j, audit.Event{}); err != nil {
				b.Fatal(err)
			}
			_, l, err := s.Claim(bg, "b", 1, 1<<60)
			if err != nil {
				b.Fatal(err)
			}
			done := cpu(b, n)
			b.ResetTimer()
			for i := range b.N {
				b.StopTimer()
				rows := benchRows("r%08d", i*n, n)
				b.StartTimer()
				res, err := s.ImportBatch(bg, *l, j, rows, nil, int64(i), 1)
				if err != nil || res.Inserted != n {
					b.Fatal(res, err)
				}
			}
			b.StopTimer()
			done()
		})
		b.Run("raw", func(b *testing.B) {
			s := storetest.Open(b, engine)
			done := cpu(b, n)
			b.ResetTimer()
			for i := range b.N {
				b.StopTimer()
				tables := rawRows(i*n, n)
				b.StartTimer()
				if err := s.InsertRaw(bg, tables); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			done()
		})
	})
}

func rawRows(from, n int) map[string][][]any {
	m := make(map[string][][]any)
	terms := make(map[int64][]user.Term)
	for i, r := range benchRows("r%08d", from, n) {
		u, num := r.New, int64(102_400+from/n*1024+i) // a batch starts its own rows of the index
		m["users"] = append(m["users"], []any{num, string(u.ID), int64(1), user.EncodeAttributes(u.Profile), user.EncodeSources(u.Profile),
			user.EncodeIdentities(u.Identities), user.EncodeIdentityKeys(u.Identities), "con_1", u.Profile.Text("email"),
			u.Password.Hash, int64(0), false, []byte{}, "", int64(1), int64(1)})
		m["identities"] = append(m["identities"], []any{"con_1", u.Identities[0].Subject, string(u.ID), []byte{}, int64(0), []byte{}})
		m["user_identifiers"] = append(m["user_identifiers"], []any{"con_1", "email", u.Profile.Text("email"), string(u.ID)})
		m["user_activity"] = append(m["user_activity"], []any{num, int64(1), int64(0), "", int64(0)})
		terms[num] = user.Terms(u)
	}
	m["user_postings"] = store.PostingRows(terms)
	return m
}

// The same rows by COPY, the fastest way into PostgreSQL.
func BenchmarkCopy(b *testing.B) {
	const n = 1000
	u := storetest.URL(b, storetest.Postgres)
	conn, err := pgx.Connect(bg, u)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(bg) }()
	done := cpu(b, n)
	b.ResetTimer()
	for i := range b.N {
		b.StopTimer()
		tables := rawRows(i*n, n)
		b.StartTimer()
		err := pgx.BeginFunc(bg, conn, func(t pgx.Tx) error {
			for table, rows := range tables {
				if _, err := t.CopyFrom(bg, pgx.Identifier{table}, store.Columns(table), pgx.CopyFromRows(rows)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	done()
}

// A login record between the batches of an import.
func BenchmarkLoginDuringImport(b *testing.B) {
	each(b, func(b *testing.B, engine string) {
		s := filled(b, engine)
		j := &job.Job{ID: "job_2", Type: job.UsersImport, Status: job.Pending, ConnectionID: "con_1"}
		if err := s.CreateJob(bg, j, audit.Event{}); err != nil {
			b.Fatal(err)
		}
		_, l, err := s.Claim(bg, "b", 1, 1<<60)
		if err != nil {
			b.Fatal(err)
		}
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.ImportBatch(bg, *l, j, benchRows("x%08d", i*1000, 1000), nil, int64(i), 1); err != nil {
					b.Error(err)
					return
				}
			}
		}()
		b.ResetTimer()
		for i := range b.N {
			if err := s.RecordLogin(bg, scattered(int64(i)), user.Logins{Last: 1, Count: 1}, "", "", user.Effect{}); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		close(stop)
		<-stopped
	})
}
