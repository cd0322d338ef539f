package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"mangrove/internal/audit"
)

var logsTable = &bulk{
	table: "logs",
	cols: []column{
		{"log_id", text}, {"type", text}, {"at", number}, {"description", text}, {"client_id", text}, {"user_id", text},
		{"connection", text}, {"connection_id", text}, {"ip", text}, {"user_agent", text}, {"details", blob},
	},
	key: []string{"log_id"},
}

var insertLog = logsTable.insert()

// logIDs makes ids that order by time: 14 hex digits of microseconds, then ten
// of a counter that starts at random, so that two nodes do not meet and the
// events of one node keep their order within a microsecond.
type logIDs struct{ n atomic.Uint64 }

func newLogIDs() *logIDs {
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // never fails: crypto/rand ends the program instead
	l := &logIDs{}
	l.n.Store(binary.BigEndian.Uint64(seed[:]) >> 25) // the lower half of the counter's range
	return l
}

func (l *logIDs) next(at int64) string {
	const digits = "0123456789abcdef"
	var b [24]byte
	t, n := uint64(max(at, 0)), l.n.Add(1)
	for i := 13; i >= 0; i-- {
		b[i] = digits[t&15]
		t >>= 4
	}
	for i := 23; i >= 14; i-- {
		b[i] = digits[n&15]
		n >>= 4
	}
	return string(b[:])
}

func (s *Store) logRow(e *audit.Event) []any {
	at := e.At
	if at == 0 {
		at = s.micros()
	}
	id := e.ID
	if id == "" {
		id = s.ids.next(at)
	}
	return []any{id, e.Type, at, e.Description, e.ClientID, e.UserID,
		e.Connection, e.ConnectionID, e.IP, e.UserAgent, []byte(e.Details)}
}

// record writes events within a transaction. An event without a type is none:
// callers that have nothing to tell hand in the zero Event.
func (s *Store) record(t tx, events ...audit.Event) error {
	for i := range events {
		if events[i].Type == "" {
			continue
		}
		if err := t.send(nil, insertLog, s.logRow(&events[i])...); err != nil {
			return fmt.Errorf("log: %w", err)
		}
	}
	return nil
}

// AppendEvents writes events that belong to no other change.
func (s *Store) AppendEvents(ctx context.Context, events ...audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	return s.writePlain(ctx, func(t tx) error { return s.record(t, events...) })
}
