package store

import (
	"context"
	"crypto/rand"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"mangrove/internal/customdb"
	"mangrove/internal/schema"
)

var _ customdb.MigrationStore = (*Store)(nil)

// Names are spread over stripes, each with its own counters and its own room, so that
// people who move in at once do not wait for each other's commit.
const (
	stripes    = 10
	stripeRoom = 1000 // people who are kept by name, and whoever comes in the moment in which it is full
)

// What is kept of a name and of a text, in bytes. A longer name is nobody's: no
// database knows people by one.
const (
	notedName = 255
	notedText = 500
)

const (
	forgetNoted = `DELETE FROM custom_database_people WHERE connection_id = ? AND name = ? RETURNING state`
	// Whoever notes the same person in the same moment is as right.
	insertNoted = `INSERT INTO custom_database_people (connection_id, name, state, reason, noted_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	notedPeople = `SELECT known + failing + differing FROM custom_database_progress WHERE connection_id = ? AND stripe = ?`
	addProgress = `INSERT INTO custom_database_progress AS p (connection_id, stripe, migrated, known, failing, differing, compared, same, deleted, untold,
		first_at, last_migration, last_error, last_error_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (connection_id, stripe) DO UPDATE SET migrated = p.migrated + excluded.migrated, known = p.known + excluded.known,
		failing = p.failing + excluded.failing, differing = p.differing + excluded.differing, compared = p.compared + excluded.compared,
		same = p.same + excluded.same, deleted = p.deleted + excluded.deleted, untold = p.untold + excluded.untold,
		first_at = CASE WHEN p.first_at = 0 OR excluded.first_at <> 0 AND excluded.first_at < p.first_at THEN excluded.first_at ELSE p.first_at END,
		last_migration = CASE WHEN excluded.last_migration > p.last_migration THEN excluded.last_migration ELSE p.last_migration END,
		last_error = CASE WHEN excluded.last_error_at > 0 AND excluded.last_error_at >= p.last_error_at THEN excluded.last_error ELSE p.last_error END,
		last_error_at = CASE WHEN excluded.last_error_at > p.last_error_at THEN excluded.last_error_at ELSE p.last_error_at END`
	selectProgress = `SELECT migrated, known, failing, differing, compared, same, deleted, untold, first_at, last_migration, last_error, last_error_at
		FROM custom_database_progress WHERE connection_id = ?`
	selectPeople = `SELECT name, state, reason, noted_at FROM custom_database_people WHERE connection_id = ? AND name > ? ORDER BY name LIMIT ?`
	selectOfThem = `SELECT name, state, reason, noted_at FROM custom_database_people WHERE connection_id = ? AND state = ? AND name > ? ORDER BY name LIMIT ?`

	insertGrave  = `INSERT INTO custom_database_graves (connection_id, grave, made_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`
	selectGraves = `SELECT grave FROM custom_database_graves WHERE connection_id = ? AND grave IN `

	strangeProgress = `SELECT DISTINCT p.connection_id FROM custom_database_progress p WHERE NOT EXISTS
		(SELECT 1 FROM connections c WHERE c.connection_id = p.connection_id AND c.deleted_at = 0) LIMIT 20`
	dropNoted = `DELETE FROM custom_database_people WHERE connection_id = ? AND name IN
		(SELECT n.name FROM custom_database_people n WHERE n.connection_id = ? ORDER BY n.name LIMIT ?)`
	dropGraves = `DELETE FROM custom_database_graves WHERE connection_id = ? AND grave IN
		(SELECT g.grave FROM custom_database_graves g WHERE g.connection_id = ? ORDER BY g.grave LIMIT ?)`
	dropProgress = `DELETE FROM custom_database_progress WHERE connection_id = ?`
)

// tally is what a note adds to the counters of a stripe.
type tally struct {
	migrated, known, failing, differing, compared, same, deleted, untold int64
	firstAt, lastMigration                                               int64
	lastError                                                            string
	lastErrorAt                                                          int64
}

// people counts somebody who enters (1) or leaves (-1) a state.
func (c *tally) people(state customdb.State, n int64) {
	switch state {
	case customdb.Known:
		c.known += n
	case customdb.Failing:
		c.failing += n
	case customdb.Differing:
		c.differing += n
	}
}

// tallies are those of the stripes that a note touches.
type tallies map[int64]*tally

func (m tallies) of(name string) *tally {
	i := stripe(name)
	if m[i] == nil {
		m[i] = &tally{}
	}
	return m[i]
}

func stripe(name string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return int64(h.Sum32() % stripes)
}

// save adds to the counters, in one order for everybody.
func (m tallies) save(t tx, connectionID string) error {
	for _, i := range slices.Sorted(maps.Keys(m)) {
		c := m[i]
		if *c == (tally{}) {
			continue
		}
		err := t.send(nil, addProgress, connectionID, i, c.migrated, c.known, c.failing, c.differing, c.compared, c.same, c.deleted, c.untold,
			c.firstAt, c.lastMigration, c.lastError, c.lastErrorAt)
		if err != nil {
			return err
		}
	}
	return nil
}

// Note keeps what was learnt.
func (s *Store) Note(ctx context.Context, n customdb.Note) error {
	return s.write(ctx, func(t tx) error { return noted(t, &n) })
}

// noted keeps what a request has learnt of a migration: the person's row, and the
// counters by as much as the rows and the events have changed.
func noted(t tx, n *customdb.Note) error {
	if n == nil {
		return nil
	}
	// A deletion of the same identity has made this change wait, and is seen.
	if found, err := lies(t, n.ConnectionID, n.Graves); err != nil {
		return err
	} else if found {
		return customdb.ErrBuried
	}
	counts, name := tallies{}, notable(n.Name)
	names := []string{name}
	for _, alias := range n.Aliases {
		names = append(names, notable(alias))
	}
	slices.Sort(names) // in one order for everybody
	for _, gone := range slices.Compact(names) {
		if gone == "" {
			continue
		}
		var state string
		found, err := one(t, forgetNoted, args(n.ConnectionID, gone), &state)
		if err != nil {
			return err
		}
		if found {
			counts.of(gone).people(customdb.State(state), -1)
		}
	}
	c := counts.of(name)
	if n.State != "" {
		if err := enter(t, n, name, c); err != nil {
			return err
		}
	}
	if n.Migrated {
		c.migrated, c.lastMigration = 1, n.At
	}
	if n.Compared {
		c.compared = 1
		if n.State == "" {
			c.same = 1
		}
	}
	if n.Reason != "" && (n.State == "" || n.State == customdb.Failing) {
		c.lastError, c.lastErrorAt = bounded(n.Reason), n.At
	}
	if *c != (tally{}) {
		c.firstAt = n.At
	}
	return counts.save(t, n.ConnectionID)
}

// enter keeps the person's state, where there is room.
func enter(t tx, n *customdb.Note, name string, c *tally) error {
	var people int64
	if _, err := one(t, notedPeople, args(n.ConnectionID, stripe(name)), &people); err != nil {
		return err
	}
	people += c.known + c.failing + c.differing // who has just left
	if name == "" || people >= stripeRoom {
		c.untold = 1
		return nil
	}
	added, err := t.exec(insertNoted, n.ConnectionID, name, string(n.State), bounded(n.Reason), n.At)
	if err != nil {
		return err
	}
	c.people(n.State, added)
	return nil
}

// notable is a name as it is kept; empty: it cannot be.
func notable(name string) string {
	if len(name) > notedName || !utf8.ValidString(name) || !schema.Clean(name) {
		return ""
	}
	return name
}

// bounded is a text as it is kept: it is that of a stranger.
func bounded(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if len(text) <= notedText {
		return text
	}
	end := notedText
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// buried keeps the graves of a user who is deleted, by connection. Who has been buried
// before is counted once.
func (s *Store) buried(t tx, graves map[string][]string) error {
	for _, connectionID := range slices.Sorted(maps.Keys(graves)) {
		list := slices.Sorted(slices.Values(graves[connectionID]))
		var added int64
		for _, grave := range slices.Compact(list) {
			n, err := t.exec(insertGrave, connectionID, grave, s.micros())
			if err != nil {
				return err
			}
			added += n
		}
		if added == 0 {
			continue
		}
		counts := tallies{}
		counts.of(list[0]).deleted = 1
		if err := counts.save(t, connectionID); err != nil {
			return err
		}
	}
	return nil
}

// Progress is the sum of what the connection's notes have counted.
func (s *Store) Progress(ctx context.Context, connectionID string) (p customdb.Progress, err error) {
	err = s.read(ctx, func(r reader) error {
		p = customdb.Progress{}
		return r.query(selectProgress, args(connectionID), func(r row) error {
			var c tally
			err := r.Scan(&c.migrated, &c.known, &c.failing, &c.differing, &c.compared, &c.same, &c.deleted, &c.untold,
				&c.firstAt, &c.lastMigration, &c.lastError, &c.lastErrorAt)
			if err == nil {
				c.sum(&p)
			}
			return err
		})
	})
	return p, err
}

// sum adds the counters of a stripe to those of the connection.
func (c *tally) sum(p *customdb.Progress) {
	p.Migrated += c.migrated
	p.Known += c.known
	p.Failing += c.failing
	p.Differing += c.differing
	p.Compared += c.compared
	p.Same += c.same
	p.Deleted += c.deleted
	p.Truncated = p.Truncated || c.untold > 0
	if c.firstAt != 0 && (p.FirstAt == 0 || c.firstAt < p.FirstAt) {
		p.FirstAt = c.firstAt
	}
	p.LastMigration = max(p.LastMigration, c.lastMigration)
	if c.lastErrorAt > p.LastErrorAt {
		p.LastError, p.LastErrorAt = c.lastError, c.lastErrorAt
	}
}

// Stragglers are people in a state, by name.
func (s *Store) Stragglers(ctx context.Context, connectionID string, state customdb.State, after string, limit int) (list []customdb.Straggler, err error) {
	q, values := selectPeople, args(connectionID, after, int64(limit))
	if state != "" {
		q, values = selectOfThem, args(connectionID, string(state), after, int64(limit))
	}
	err = s.read(ctx, func(r reader) error {
		list = nil
		return r.query(q, values, func(r row) error {
			var p customdb.Straggler
			var state string
			err := r.Scan(&p.Name, &state, &p.Reason, &p.At)
			p.State = customdb.State(state)
			list = append(list, p)
			return err
		})
	})
	return list, err
}

// Buried reports whether one of the graves is there.
func (s *Store) Buried(ctx context.Context, connectionID string, graves []string) (buried bool, err error) {
	err = s.read(ctx, func(r reader) error {
		buried, err = lies(r, connectionID, graves)
		return err
	})
	return buried, err
}

// lies reports whether one of the graves is there.
func lies(r reader, connectionID string, graves []string) (bool, error) {
	if len(graves) == 0 {
		return false, nil
	}
	marks, values := in(graves)
	var grave string
	return one(r, selectGraves+marks+` LIMIT 1`, append(args(connectionID), values...), &grave)
}

// graveKey names the row of meta that holds the key of graves, sealed.
const graveKey = "graves"

// GraveKey is the key of customdb.Grave, 32 bytes, the same on every node: made once,
// and kept, since graves outlive the keys that seal.
func (s *Store) GraveKey(ctx context.Context) (graves []byte, err error) {
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // never fails: crypto/rand ends the program instead
	var sealed []byte
	err = s.write(ctx, func(t tx) error {
		if err := t.send(nil, insertMeta, graveKey, s.seal(fresh, "meta", graveKey)); err != nil {
			return err
		}
		_, err := one(t, selectMeta, args(graveKey), &sealed)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.open(sealed, "meta", graveKey)
}

// sweepMigrations removes what is kept of the migrations of connections that are gone;
// the counters last, since it is by them that the rest is found.
func (s *Store) sweepMigrations(ctx context.Context) error {
	gone, err := s.texts(ctx, strangeProgress)
	if err != nil {
		return err
	}
	for _, id := range gone {
		for _, q := range []string{dropNoted, dropGraves} {
			if err := s.deleteAll(ctx, q, id, id, int64(sweepLimit)); err != nil {
				return err
			}
		}
		if err := s.writeBulk(ctx, func(t tx) error { return t.send(nil, dropProgress, id) }); err != nil {
			return err
		}
	}
	return nil
}
