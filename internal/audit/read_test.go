package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/query"
)

// memory is a log of events in the order of their ids.
type memory struct {
	events []Event
	most   int // of one read
}

func (m *memory) Event(context.Context, string) (Event, error) { return Event{}, ErrNotFound }

func (m *memory) Events(_ context.Context, s Span) ([]Event, error) {
	var out []Event
	for i := range m.events {
		e := m.events[i]
		if s.Newest {
			e = m.events[len(m.events)-1-i]
		}
		inside := e.ID > s.Above && (s.Below == "" || e.ID < s.Below)
		if inside && (s.UserID == "" || e.UserID == s.UserID) && (s.Type == "" || e.Type == s.Type) && len(out) < s.Limit {
			out = append(out, e)
		}
	}
	m.most = max(m.most, s.Limit)
	return out, nil
}

func (m *memory) CountEvents(ctx context.Context, s Span) (int, error) {
	list, err := m.Events(ctx, s)
	return len(list), err
}

// numberedLog is n events, one a second from the start of 2026; each tenth has the client rare.
func numberedLog(n int) *memory {
	const start = 1_767_225_600_000_000
	m := &memory{}
	for i := range n {
		at := start + int64(i)*1_000_000
		e := Event{ID: Mark(at) + "0000000000", At: at, Type: LoginOK, ClientID: "often", UserID: "auth0|a", Description: fmt.Sprint(i)}
		if i%10 == 0 {
			e.ClientID, e.Type, e.UserID = "rare", LoginFailed, "auth0|b"
		}
		m.events = append(m.events, e)
	}
	return m
}

func clauseOf(field, value string) *query.Clause {
	return &query.Clause{Field: field, Value: query.Pattern{Pieces: []string{value}}}
}

func descriptions(list []Event) string {
	var out []string
	for i := range list {
		out = append(out, list[i].Description)
	}
	return strings.Join(out, " ")
}

func TestList(t *testing.T) {
	rare, user, failed := clauseOf("client_id", "rare"), clauseOf("user_id", "auth0|b"), clauseOf("type", "f")
	for _, row := range []struct {
		name  string
		size  int
		n     query.Node
		p     Page
		want  string
		total int
		err   error
	}{
		{"newest first", 30, query.All{}, Page{Limit: 3, Descending: true, Total: true}, "29 28 27", 30, nil},
		{"oldest first", 30, query.All{}, Page{Limit: 3}, "0 1 2", 0, nil},
		{"second page", 30, query.All{}, Page{Offset: 28, Limit: 5, Descending: true}, "1 0", 0, nil},
		{"behind the end", 3, query.All{}, Page{Offset: 5, Limit: 5, Total: true}, "", 3, nil},
		{"the total ends at the window", 1500, query.All{}, Page{Limit: 1, Total: true}, "0", Window, nil},
		{"no items", 5, query.All{}, Page{Total: true}, "", 5, nil},
		{"of a user", 40, user, Page{Limit: 2, Descending: true, Total: true}, "30 20", 4, nil},
		{"a rare type", 40, failed, Page{Limit: 2, Total: true}, "0 10", 4, nil},
		{"a common type", 40, clauseOf("type", "s"), Page{Limit: 2, Total: true}, "1 2", 36, nil},
		{"both", 40, query.And{user, failed}, Page{Limit: 2, Total: true}, "0 10", 4, nil},
		{"both, otherwise", 40, query.And{failed, clauseOf("user_id", "auth0|a")}, Page{Limit: 2, Total: true}, "", 0, nil},
		{"two users", 40, query.And{user, clauseOf("user_id", "auth0|a")}, Page{Limit: 2, Total: true}, "", 0, nil},
		{"filtered", 40, rare, Page{Offset: 1, Limit: 2, Descending: true, Total: true}, "20 10", 4, nil},
		{"over several steps", 3000, rare, Page{Offset: 250, Limit: 2}, "2500 2510", 0, nil},
		{"not", 40, query.Not{Node: rare}, Page{Limit: 2, Total: true}, "1 2", 36, nil},
		{"either", 40, query.Or{rare, clauseOf("description", "7")}, Page{Limit: 3, Total: true}, "0 7 10", 5, nil},
		{"nothing there", 500, clauseOf("client_id", "nobody"), Page{Limit: 2, Total: true}, "", 0, nil},
		{"too far", 20_001, clauseOf("client_id", "nobody"), Page{Limit: 2}, "", 0, ErrBroad},
		{"far enough", 20_001, rare, Page{Limit: 1}, "0", 0, nil},
		{"narrowed", 20_001, query.And{clauseOf("client_id", "nobody"), clauseOf("date", "2026-01-01T00:01")}, Page{Limit: 2}, "", 0, nil},
		{"sorted", 40, rare, Page{SortBy: "description", Limit: 9, Total: true}, "0 10 20 30", 4, nil},
		{"sorted down", 12, query.All{}, Page{SortBy: "client_id", Descending: true, Limit: 3, Total: true}, "10 0 11", 12, nil},
		{"sorted up", 12, query.All{}, Page{SortBy: "client_id", Limit: 2, Total: true}, "11 9", 12, nil},
		{"too many to sort", 1001, query.All{}, Page{SortBy: "client_id", Limit: 2}, "", 0, ErrBroad},
		{"a day", 40, clauseOf("date", "2026-01-01T00:00:05"), Page{Limit: 9, Total: true}, "5", 1, nil},
		{"no such day", 40, clauseOf("date", "1969"), Page{Limit: 9, Total: true}, "", 0, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := NewSearch(row.n)
			if err != nil {
				t.Fatal(err)
			}
			m := numberedLog(row.size)
			list, total, err := List(t.Context(), m, s, row.p)
			if !errors.Is(err, row.err) {
				t.Fatalf("error %v, want %v", err, row.err)
			}
			if got := descriptions(list); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
			if row.err == nil && row.p.Total && total != row.total {
				t.Errorf("total %d, want %d", total, row.total)
			}
			if m.most > Step {
				t.Errorf("one read of %d events", m.most)
			}
		})
	}
}

// A search whose time is over ends between two events, and says so; the caller's
// own end is none of its time.
func TestListEnds(t *testing.T) {
	late, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	gone, leave := context.WithCancel(t.Context())
	for _, row := range []struct {
		name string
		ctx  context.Context
		at   int // the event at which the caller leaves
		asks int
		want error
	}{
		{"in time", t.Context(), -1, 40, nil},
		{"over", late, -1, 0, ErrSearchTimeout},
		{"the caller has gone", gone, 3, 4, context.Canceled},
	} {
		t.Run(row.name, func(t *testing.T) {
			asked := 0
			s := &Search{root: func(*Event) bool {
				if asked == row.at {
					leave()
				}
				asked++
				return true
			}}
			if _, _, err := List(row.ctx, numberedLog(40), s, Page{Limit: 50}); !errors.Is(err, row.want) || asked != row.asks {
				t.Errorf("%v after %d events", err, asked)
			}
		})
	}
	leave()
}

func TestSince(t *testing.T) {
	m := numberedLog(30)
	now := m.events[29].At
	got, err := Since(t.Context(), m, "", 100, now)
	if err != nil || len(got) != 19 {
		t.Errorf("%d events have settled, %v", len(got), err)
	}
	got, err = Since(t.Context(), m, m.events[16].ID, 100, now)
	if err != nil || descriptions(got) != "17 18" {
		t.Errorf("%s, %v", descriptions(got), err)
	}
}

func TestIDs(t *testing.T) {
	for s, want := range map[string]bool{
		Mark(1_767_225_600_000_000) + "0123456789": true, "0123456789abcdef01234567": true,
		"": false, "0123456789abcdef0123456": false, "0123456789ABCDEF01234567": false, "0123456789abcdef0123456g": false,
	} {
		if IsID(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
	if Mark(15) != "0000000000000f" || Mark(-1) != "00000000000000" {
		t.Error(Mark(15), Mark(-1))
	}
	times := []int64{0, 1, 15, 16, 1_767_225_600_000_000, 1_767_225_600_000_001}
	if !slices.IsSortedFunc(times, func(a, b int64) int { return strings.Compare(Mark(a), Mark(b)) }) {
		t.Error("marks do not order as time")
	}
}
