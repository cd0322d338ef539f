package session

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/audit"
)

// sessions is a directory of one user's sessions.
type sessions []Session

func (l sessions) SessionsOf(_ context.Context, _ string, behind Mark, limit int) ([]Session, error) {
	list := slices.Clone(l)
	slices.SortFunc(list, func(a, b Session) int {
		return cmp.Or(cmp.Compare(b.CreatedAt, a.CreatedAt), strings.Compare(b.ID, a.ID))
	})
	if behind != (Mark{}) {
		at := slices.IndexFunc(list, func(s Session) bool { return s.ID == behind.ID })
		list = list[at+1:]
	}
	return list[:min(limit, len(list))], nil
}

func (l sessions) SessionByID(context.Context, string, int64) (Session, error) {
	return Session{}, ErrNone
}
func (l sessions) SetSessionMetadata(context.Context, string, json.RawMessage, int64, audit.Event) (Session, error) {
	return Session{}, ErrNone
}
func (l sessions) EndSession(context.Context, string, string, audit.Event) error { return nil }
func (l sessions) EndSessions(context.Context, string, audit.Event) error        { return nil }

func TestList(t *testing.T) {
	const now = 1000
	live := func(n, at int) Session {
		return Session{ID: fmt.Sprintf("s%04d", n), CreatedAt: int64(at), ExpiresAt: now + 1, IdleUntil: now + 1}
	}
	idle := live(4, 40)
	idle.IdleUntil = now
	over := live(5, 50)
	over.ExpiresAt = now
	few := sessions{live(1, 10), live(2, 20), live(3, 20), idle, over}
	many := sessions{live(9999, 1)}
	for i := range 2 * Step {
		s := live(i, 100)
		s.IdleUntil = now
		many = append(many, s)
	}
	for _, row := range []struct {
		name   string
		list   sessions
		behind Mark
		limit  int
		want   string
		more   bool
	}{
		{"newest first, the living", few, Mark{}, 9, "s0003 s0002 s0001", false},
		{"a page", few, Mark{}, 2, "s0003 s0002", true},
		{"a full page that is the last", few, Mark{}, 3, "s0003 s0002 s0001", false},
		{"the next page", few, Mark{20, "s0002"}, 2, "s0001", false},
		{"the next page among equals", few, Mark{20, "s0003"}, 1, "s0002", true},
		{"none", nil, Mark{}, 2, "", false},
		{"behind many that are over", many, Mark{}, 2, "s9999", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, more, err := List(t.Context(), row.list, "u", row.behind, row.limit, now)
			var ids []string
			for i := range got {
				ids = append(ids, got[i].ID)
			}
			if err != nil || strings.Join(ids, " ") != row.want || more != row.more {
				t.Errorf("%q, more %v, %v", ids, more, err)
			}
		})
	}
}

func TestMark(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "20,s": true, "20,a,b": true, "20,": true, "-5,x": true,
		"20": false, ",s": false, "x,s": false, "+20,s": false, "020,s": false, "99999999999999999999,s": false,
	} {
		m, ok := ParseMark(s)
		if ok != want || ok && m.String() != s {
			t.Errorf("%q: %v, %v", s, m, ok)
		}
	}
}
