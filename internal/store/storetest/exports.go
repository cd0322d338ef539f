package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

func runExports(t *testing.T, open func(testing.TB) *store.Store) {
	// pages reads everything that q asks for, page by page.
	pages := func(t *testing.T, s *store.Store, q job.ExportQuery) (got [][]string) {
		t.Helper()
		for {
			page, more, err := s.ExportUsers(bg, q)
			must(t, err)
			var list []string
			for _, e := range page {
				list = append(list, string(e.ID))
				q.After = e.ID
			}
			if got = append(got, list); !more {
				return got
			}
			if len(page) == 0 {
				t.Fatal("an empty page, and more behind it")
			}
		}
	}

	t.Run("pages of users", func(t *testing.T) {
		s := open(t)
		other := ourUser("z", "z@example.com")
		other.Identities[0].ConnectionID = otherConnection
		create(t, s, ourUser("c", "c@example.com"), ourUser("a", "a@example.com"), ourUser("B", ""), other, upstreamUser("7", "7@example.com"))
		const big = 1 << 20
		for _, c := range []struct {
			about string
			q     job.ExportQuery
			want  string
		}{
			{"one connection", job.ExportQuery{ConnectionID: ourConnection, Limit: 2, Bytes: big}, "[[auth0|B auth0|a] [auth0|c]]"},
			{"a page that just fits", job.ExportQuery{ConnectionID: ourConnection, Limit: 3, Bytes: big}, "[[auth0|B auth0|a auth0|c]]"},
			{"all", job.ExportQuery{Limit: 2, Bytes: big}, "[[auth0|B auth0|a] [auth0|c auth0|z] [google-oauth2|7]]"},
			{"all, whole", job.ExportQuery{Limit: 2, Bytes: big, Secrets: true}, "[[auth0|B auth0|a] [auth0|c auth0|z] [google-oauth2|7]]"},
			{"behind an id", job.ExportQuery{ConnectionID: ourConnection, After: "auth0|a", Limit: 9, Bytes: big}, "[[auth0|c]]"},
			{"large users", job.ExportQuery{Limit: 9, Bytes: 1}, "[[auth0|B] [auth0|a] [auth0|c] [auth0|z] [google-oauth2|7]]"},
			{"large users, whole", job.ExportQuery{ConnectionID: ourConnection, Limit: 9, Bytes: 1, Secrets: true}, "[[auth0|B] [auth0|a] [auth0|c]]"},
			{"nobody", job.ExportQuery{ConnectionID: "con_9999999999999999", Limit: 2, Bytes: big}, "[[]]"},
		} {
			if got := fmt.Sprint(pages(t, s, c.q)); got != c.want {
				t.Errorf("%s: %s, want %s", c.about, got, c.want)
			}
		}
	})

	t.Run("a row is what a read shows", func(t *testing.T) {
		s := open(t)
		u := ourUser("a", "a@example.com")
		u.Profile.Set(profile.UserMetadata, profile.Value(`{"n":1.50,"é":"\"x"}`), src(day))
		u.Password.SetAt, u.MFAFactors = day+1, profile.Value(`[{"totp":{"secret":"ABC"}}]`)
		create(t, s, u, ourUser("b", "b@example.com"))
		must(t, s.RecordLogin(bg, u.ID, user.Logins{Last: day + 9, IP: "203.0.113.7", Count: 1}, "", "", user.Effect{}))
		want, err := s.View(bg, u.ID)
		must(t, err)
		for _, secrets := range []bool{false, true} {
			page, _, err := s.ExportUsers(bg, job.ExportQuery{Limit: 9, Bytes: 1 << 20, Secrets: secrets})
			must(t, err)
			if len(page) != 2 || string(user.AppendWire(nil, &page[0].View, page[0].Identities)) != string(user.AppendWire(nil, &want, want.Identities)) {
				t.Errorf("secrets %v: %+v, want %+v", secrets, page, want)
			}
			hash, factors := "", ""
			if secrets {
				hash, factors = u.Password.Hash, string(u.MFAFactors)
			}
			if page[0].Hash != hash || string(page[0].Factors) != factors || len(page[1].Factors) != 0 {
				t.Errorf("secrets %v: %q %q", secrets, page[0].Hash, page[0].Factors)
			}
		}
	})

	t.Run("output", func(t *testing.T) {
		s := open(t)
		j := newJob("job_1")
		j.Type = job.UsersExport
		must(t, s.CreateJob(bg, j, audit.Event{}))
		if last, err := s.LastOutput(bg, j.ID); last != nil || err != nil {
			t.Errorf("before: %+v, %v", last, err)
		}
		old := claim(t, s, "a", day)
		first := job.Output{Seq: 0, After: "auth0|m", Users: 10, Bytes: 5, Data: []byte("first")}
		must(t, s.AppendOutput(bg, old, first, day+1))
		l := claim(t, s, "b", day+100)
		second := job.Output{Seq: 1, After: "auth0|z", Users: 12, Bytes: 9, Data: []byte("last")}
		if err := s.AppendOutput(bg, old, second, day+101); !errors.Is(err, job.ErrLeaseLost) {
			t.Errorf("a stale runner: %v", err)
		}
		last, err := s.LastOutput(bg, j.ID)
		if err != nil || last == nil || last.Seq != 0 || last.After != first.After || last.Users != 10 || last.Bytes != 5 || last.Data != nil {
			t.Errorf("after one: %+v, %v", last, err)
		}
		must(t, s.AppendOutput(bg, l, second, day+102))
		if last, err := s.LastOutput(bg, j.ID); err != nil || last.Seq != 1 || last.Users != 12 {
			t.Errorf("after two: %+v, %v", last, err)
		}
		for seq, want := range []string{"first", "last", ""} {
			piece, err := s.OutputPiece(bg, j.ID, int64(seq))
			if err != nil || string(piece) != want || (want == "") != (piece == nil) {
				t.Errorf("piece %d: %q, %v", seq, piece, err)
			}
		}
		must(t, s.Finish(bg, l, job.Completed, "", day+103))
		if got, err := s.Job(bg, j.ID); err != nil || got.Cursor != 12 || got.Status != job.Completed || got.Summary != (job.Summary{}) {
			t.Errorf("the job: %+v, %v", got, err)
		}
		if piece, err := s.OutputPiece(bg, j.ID, 0); err != nil || !slices.Equal(piece, first.Data) {
			t.Errorf("after the end: %q, %v", piece, err)
		}

		const hour = 3600 * 1_000_000
		must(t, s.Sweep(bg, day+23*hour))
		if piece, err := s.OutputPiece(bg, j.ID, 1); err != nil || piece == nil {
			t.Errorf("within a day: %q, %v", piece, err)
		}
		must(t, s.Sweep(bg, day+25*hour))
		if last, err := s.LastOutput(bg, j.ID); err != nil || last != nil {
			t.Errorf("after a day: %+v, %v", last, err)
		}
		if _, err := s.Job(bg, j.ID); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("the job after a day: %v", err)
		}
	})
}
