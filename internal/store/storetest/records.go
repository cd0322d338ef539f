package storetest

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/session"
	"mangrove/internal/store"
)

func runRecords(t *testing.T, open func(testing.TB) *store.Store) {
	t.Run("the log", func(t *testing.T) {
		s := open(t)
		full := audit.Event{
			Type: audit.WrongPassword, At: day + 3, Description: "d", ClientID: "c", UserID: "auth0|b", Connection: "users",
			ConnectionID: ourConnection, IP: "203.0.113.9", UserAgent: "ua", Details: json.RawMessage(`{"a":1}`),
		}
		must(t, s.AppendEvents(bg,
			audit.Event{Type: audit.LoginOK, At: day, UserID: "auth0|a", Description: "0"},
			audit.Event{Type: audit.LoginFailed, At: day + 1, Description: "1"},
			audit.Event{Type: audit.LoginOK, At: day + 2, UserID: "auth0|a", Description: "2"},
			full,
			audit.Event{Type: audit.LoginFailed, At: day + 3, UserID: "auth0|a", Description: "4"},
		))
		all, err := s.Events(bg, audit.Span{Limit: 100})
		must(t, err)
		if len(all) != 5 || all[0].Details != nil {
			t.Fatalf("events: %+v", all)
		}
		full.ID = all[3].ID
		if got, err := s.Event(bg, full.ID); err != nil || !sameEvent(got, full) {
			t.Errorf("got %+v, %v", got, err)
		}
		if _, err := s.Event(bg, "none"); !errors.Is(err, audit.ErrNotFound) {
			t.Errorf("none: %v", err)
		}
		for i := range all {
			if at := day + int64(min(i, 3)); !audit.IsID(all[i].ID) || all[i].ID < audit.Mark(at) || all[i].ID > audit.Mark(at+1) {
				t.Errorf("event %d has id %s", i, all[i].ID)
			}
		}
		for _, row := range []struct {
			name  string
			span  audit.Span
			want  []int
			count int
		}{
			{"newest first", audit.Span{Newest: true, Limit: 2}, []int{4, 3}, 2},
			{"behind one", audit.Span{Above: all[1].ID, Limit: 2}, []int{2, 3}, 2},
			{"before one", audit.Span{Below: all[1].ID, Newest: true, Limit: 9}, []int{0}, 1},
			{"between times", audit.Span{Above: audit.Mark(day + 1), Below: audit.Mark(day + 3), Limit: 9}, []int{1, 2}, 2},
			{"of a user", audit.Span{UserID: "auth0|a", Limit: 9}, []int{0, 2, 4}, 3},
			{"of a user, newest first, bounded", audit.Span{UserID: "auth0|a", Newest: true, Below: all[4].ID, Limit: 1}, []int{2}, 1},
			{"of a type", audit.Span{Type: audit.LoginFailed, Limit: 9}, []int{1, 4}, 2},
			{"of a type, newest first", audit.Span{Type: audit.LoginFailed, Newest: true, Limit: 1}, []int{4}, 1},
			{"of nobody", audit.Span{UserID: "auth0|c", Limit: 9}, nil, 0},
			{"nothing asked for", audit.Span{}, nil, 0},
		} {
			got, err := s.Events(bg, row.span)
			must(t, err)
			n, err := s.CountEvents(bg, row.span)
			must(t, err)
			var at []int
			for _, e := range got {
				at = append(at, slices.IndexFunc(all, func(o audit.Event) bool { return o.ID == e.ID }))
			}
			if !slices.Equal(at, row.want) || n != row.count {
				t.Errorf("%s: %v, counted %d", row.name, at, n)
			}
		}
	})

	t.Run("one read of the log is bounded", func(t *testing.T) {
		s := open(t)
		events := make([]audit.Event, audit.Step+1)
		for i := range events {
			events[i] = audit.Event{Type: audit.LoginOK, At: day + int64(i)}
		}
		must(t, s.AppendEvents(bg, events...))
		span := audit.Span{Limit: 1 << 30}
		got, err := s.Events(bg, span)
		must(t, err)
		n, err := s.CountEvents(bg, span)
		if err != nil || len(got) != audit.Step || n != audit.Step {
			t.Errorf("%d events, counted %d, %v", len(got), n, err)
		}
	})

	t.Run("sessions of a user", func(t *testing.T) {
		s := open(t)
		make1 := func(id, userID string, created int64) session.Session {
			v := session.Session{
				Hash: "hash of " + id, ID: id, UserID: userID, ConnectionID: ourConnection,
				AuthTime: created, CreatedAt: created, LastSeen: created + 1, ExpiresAt: day + 100, IdleUntil: day + 50,
			}
			must(t, s.CreateSession(bg, v))
			return v
		}
		a, b, c := make1("a", "auth0|u", day), make1("b", "auth0|u", day+1), make1("c", "auth0|u", day+1)
		make1("d", "auth0|other", day+2)
		for _, row := range []struct {
			name   string
			behind session.Mark
			limit  int
			want   []session.Session
		}{
			{"all", session.Mark{}, 9, []session.Session{c, b, a}},
			{"a page", session.Mark{}, 2, []session.Session{c, b}},
			{"among equals", session.Mark{CreatedAt: c.CreatedAt, ID: c.ID}, 1, []session.Session{b}},
			{"the rest", session.Mark{CreatedAt: b.CreatedAt, ID: b.ID}, 9, []session.Session{a}},
			{"behind the last", session.Mark{CreatedAt: a.CreatedAt, ID: a.ID}, 9, nil},
		} {
			got, err := s.SessionsOf(bg, "auth0|u", row.behind, row.limit)
			if err != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("%s: %+v, %v", row.name, got, err)
			}
		}
		if got, err := s.SessionByID(bg, "a", day+49); err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("by id: %+v, %v", got, err)
		}
		for _, row := range []struct {
			id  string
			now int64
		}{{"a", day + 50}, {"nobody", day}, {"", day}} {
			if _, err := s.SessionByID(bg, row.id, row.now); !errors.Is(err, session.ErrNone) {
				t.Errorf("%q at %d: %v", row.id, row.now, err)
			}
		}

		edited := audit.Event{Type: audit.APIOperation, At: day, Description: "metadata"}
		a.Metadata = json.RawMessage(`{"a":"b"}`)
		if got, err := s.SetSessionMetadata(bg, "a", a.Metadata, day, edited); err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("metadata: %+v, %v", got, err)
		}
		if got, err := s.SessionByID(bg, "a", day); err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("with metadata: %+v, %v", got, err)
		}
		if got, err := s.SetSessionMetadata(bg, "a", nil, day, edited); err != nil || got.Metadata != nil {
			t.Errorf("without metadata: %+v, %v", got, err)
		}
		for _, row := range []struct {
			id  string
			now int64
		}{{"a", day + 50}, {"nobody", day}, {"", day}} {
			if _, err := s.SetSessionMetadata(bg, row.id, a.Metadata, row.now, edited); !errors.Is(err, session.ErrNone) {
				t.Errorf("metadata of %q at %d: %v", row.id, row.now, err)
			}
		}

		left := func(want ...string) {
			t.Helper()
			list, err := s.SessionsOf(bg, "auth0|u", session.Mark{}, 9)
			must(t, err)
			var ids []string
			for i := range list {
				ids = append(ids, list[i].ID)
			}
			if !slices.Equal(ids, want) {
				t.Errorf("left: %v, want %v", ids, want)
			}
		}
		logged := func(want ...string) {
			t.Helper()
			list, err := s.Events(bg, audit.Span{Limit: 99})
			must(t, err)
			var got []string
			for i := range list {
				got = append(got, list[i].Description+" of "+list[i].UserID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("logged: %q", got)
			}
		}
		e := func(description string) audit.Event {
			return audit.Event{Type: audit.APIOperation, At: day, Description: description, UserID: "auth0|u"}
		}
		must(t, s.EndSession(bg, "a", "auth0|other", e("wrong user")))
		must(t, s.EndSession(bg, "nobody", "", e("nobody")))
		must(t, s.EndSession(bg, "", "", e("nobody")))
		left("c", "b", "a")
		must(t, s.EndSession(bg, "a", "", audit.Event{Type: audit.APIOperation, At: day, Description: "one"}))
		must(t, s.EndSession(bg, "b", "auth0|u", e("mine")))
		left("c")
		must(t, s.EndSessions(bg, "auth0|u", e("all")))
		must(t, s.EndSessions(bg, "auth0|u", e("again")))
		left()
		logged("metadata of auth0|u", "metadata of auth0|u", "one of auth0|u", "mine of auth0|u", "all of auth0|u")
		if _, err := s.SessionByID(bg, "d", day); err != nil {
			t.Errorf("somebody else's: %v", err)
		}
	})
}

func sameEvent(a, b audit.Event) bool {
	same := string(a.Details) == string(b.Details)
	a.Details, b.Details = nil, nil
	aj, _ := json.Marshal(a)
	bj, _ := json.Marshal(b)
	return same && string(aj) == string(bj)
}
