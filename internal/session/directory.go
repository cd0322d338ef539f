package session

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"mangrove/internal/audit"
)

// Live reports whether the session has not ended by now.
func (s *Session) Live(now int64) bool { return now < s.ExpiresAt && now < s.IdleUntil }

// Mark is a place in the list of a user's sessions: behind the session of that
// id, which began at that moment. The zero Mark is the beginning of the list.
type Mark struct {
	CreatedAt int64
	ID        string
}

// String is the mark as a text, empty for the beginning.
func (m Mark) String() string {
	if m == (Mark{}) {
		return ""
	}
	return strconv.FormatInt(m.CreatedAt, 10) + "," + m.ID
}

// ParseMark reads what String wrote.
func ParseMark(s string) (m Mark, ok bool) {
	if s == "" {
		return Mark{}, true
	}
	at, id, ok := strings.Cut(s, ",")
	n, err := strconv.ParseInt(at, 10, 64)
	m = Mark{n, id}
	return m, ok && err == nil && m.String() == s
}

// Step is the most sessions that one read of the store goes through.
const Step = 1000

// Directory is the sessions as an administrator sees them.
type Directory interface {
	// SessionsOf is the page of up to limit (at most Step) sessions of the user
	// behind the mark, newest first, those that are over included.
	SessionsOf(ctx context.Context, userID string, behind Mark, limit int) ([]Session, error)
	// SessionByID finds a session that has not ended by now; ErrNone.
	SessionByID(ctx context.Context, id string, now int64) (Session, error)
	// SetSessionMetadata replaces the metadata of a session that has not ended by
	// now; nil removes it. It records e with the user in it. ErrNone.
	SetSessionMetadata(ctx context.Context, id string, metadata json.RawMessage, now int64, e audit.Event) (Session, error)
	// EndSession ends the session of that id, of that user if userID is not
	// empty, and records e with the user in it; ending none is no error and no event.
	EndSession(ctx context.Context, id, userID string, e audit.Event) error
	// EndSessions ends all sessions of the user; ending none is no event.
	EndSessions(ctx context.Context, userID string, e audit.Event) error
}

// List is up to limit live sessions of the user behind the mark, newest first;
// more reports that there are others behind them.
func List(ctx context.Context, d Directory, userID string, behind Mark, limit int, now int64) (live []Session, more bool, err error) {
	for {
		step, err := d.SessionsOf(ctx, userID, behind, Step)
		if err != nil {
			return nil, false, err
		}
		for i := range step {
			if !step[i].Live(now) {
				continue
			}
			if len(live) == limit {
				return live, true, nil
			}
			live = append(live, step[i])
		}
		if len(step) < Step {
			return live, false, nil
		}
		last := step[len(step)-1]
		behind = Mark{last.CreatedAt, last.ID}
	}
}
