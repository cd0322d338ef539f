package store

import (
	"context"
	"strings"

	"mangrove/internal/audit"
)

const logColumns = `SELECT log_id, type, at, description, client_id, user_id, connection, connection_id, ip, user_agent, details FROM logs `

// The ways into the log. Each walks along one index in the order of ids.
var (
	logsAnywhere = `log_id > ? AND log_id < ?`
	logsOfUser   = `user_id = ? AND user_id <> '' AND ` + logsAnywhere
	logsOfType   = `type = ? AND ` + rareTypes() + ` AND ` + logsAnywhere
)

const selectLog = logColumns + `WHERE log_id = ?`

// rareTypes is the condition of the index logs_by_rare_type, which has to stand
// in a query for the index to be used.
func rareTypes() string { return `type NOT IN ('` + strings.Join(audit.Common, `', '`) + `')` }

// aboveAll is behind every id.
const aboveAll = "~"

// spanOf is the condition of a span and its arguments.
func spanOf(s audit.Span) (where string, a []any) {
	where = logsAnywhere
	switch {
	case s.UserID != "":
		where, a = logsOfUser, args(s.UserID)
	case s.Type != "":
		where, a = logsOfType, args(s.Type)
	}
	below := s.Below
	if below == "" {
		below = aboveAll
	}
	return where, append(a, s.Above, below)
}

// logQuery is the text and the arguments that read a span.
func logQuery(s audit.Span) (string, []any) {
	where, a := spanOf(s)
	order := "ASC"
	if s.Newest {
		order = "DESC"
	}
	return logColumns + `WHERE ` + where + ` ORDER BY log_id ` + order + ` LIMIT ?`, append(a, int64(min(s.Limit, audit.Step)))
}

func scanLog(r row) (e audit.Event, err error) {
	err = r.Scan(&e.ID, &e.Type, &e.At, &e.Description, &e.ClientID, &e.UserID,
		&e.Connection, &e.ConnectionID, &e.IP, &e.UserAgent, (*[]byte)(&e.Details))
	e.Details = value(e.Details)
	return e, err
}

func (s *Store) events(ctx context.Context, q string, a []any) (list []audit.Event, err error) {
	err = s.read(ctx, func(r reader) error {
		list = nil
		return r.query(q, a, func(r row) error {
			e, err := scanLog(r)
			list = append(list, e)
			return err
		})
	})
	return list, err
}

// Event finds one.
func (s *Store) Event(ctx context.Context, id string) (audit.Event, error) {
	list, err := s.events(ctx, selectLog, args(id))
	if err != nil {
		return audit.Event{}, err
	}
	if len(list) == 0 {
		return audit.Event{}, audit.ErrNotFound
	}
	return list[0], nil
}

// Events is the beginning of a span, at most audit.Step events of it.
func (s *Store) Events(ctx context.Context, span audit.Span) ([]audit.Event, error) {
	if span.Limit <= 0 {
		return nil, nil
	}
	q, a := logQuery(span)
	return s.events(ctx, q, a)
}

// CountEvents counts a span, at most to its limit and to audit.Step.
func (s *Store) CountEvents(ctx context.Context, span audit.Span) (int, error) {
	where, a := spanOf(span)
	var n int64
	err := s.read(ctx, func(r reader) error {
		_, err := one(r, `SELECT COUNT(*) FROM (SELECT 1 FROM logs WHERE `+where+` LIMIT ?) AS span`,
			append(a, int64(max(0, min(span.Limit, audit.Step)))), &n)
		return err
	})
	return int(n), err
}
