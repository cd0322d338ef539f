package store

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/factor"
	"mangrove/internal/grant"
	"mangrove/internal/job"
	"mangrove/internal/key"
	"mangrove/internal/passwordless"
	"mangrove/internal/resourceserver"
	"mangrove/internal/role"
	"mangrove/internal/seal"
	"mangrove/internal/session"
	"mangrove/internal/ticket"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

// Store is every store of the nouns over one database. It is safe for use by
// many goroutines.
type Store struct {
	eng engine
	box *seal.Box
	now func() time.Time
	log *slog.Logger

	ids     *logIDs
	cache   caches
	numbers numbers
	// terms is nil where other processes write, too.
	terms *termCache
	// searching bounds how many wide searches run, so that they leave readers to others.
	searching chan struct{}
	// queued is told of letters; nil: nobody is.
	queued func()

	closing sync.Once
	closed  error
}

// What the nouns ask for.
var (
	_ user.Store           = (*Store)(nil)
	_ connection.Store     = (*Store)(nil)
	_ client.Store         = (*Store)(nil)
	_ grant.Store          = (*Store)(nil)
	_ resourceserver.Store = (*Store)(nil)
	_ key.Store            = (*Store)(nil)
	_ token.Store          = (*Store)(nil)
	_ session.Store        = (*Store)(nil)
	_ job.Store            = (*Store)(nil)
	_ role.Store           = (*Store)(nil)
	_ ticket.Store         = (*Store)(nil)
	_ audit.Sink           = (*Store)(nil)
	_ audit.Reader         = (*Store)(nil)
	_ session.Directory    = (*Store)(nil)
	_ factor.Store         = (*Store)(nil)
	_ passwordless.Store   = (*Store)(nil)
)

// Options of Open. URL and Box are required.
type Options struct {
	// URL is the path of an SQLite file, or a postgres:// URL.
	URL string
	Box *seal.Box
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Log gets failures that no caller sees; nil: discarded.
	Log *slog.Logger
	// Readers is the number of reading connections to an SQLite file; zero: 3 or 4.
	Readers int
}

// Open opens the database and makes sure that it answers. It does not migrate.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Box == nil {
		return nil, errors.New("the store needs a key to seal with")
	}
	s := &Store{box: o.Box, now: o.Now, log: o.Log, ids: newLogIDs()}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.cache.init(s.now)
	if strings.HasPrefix(o.URL, "postgres://") || strings.HasPrefix(o.URL, "postgresql://") {
		e, err := openPostgres(ctx, o.URL)
		if err != nil {
			return nil, err
		}
		s.eng, s.searching = e, make(chan struct{}, 8)
		return s, nil
	}
	e, err := openSQLite(strings.TrimPrefix(o.URL, "sqlite://"), o.Readers, s.log)
	if err != nil {
		return nil, err
	}
	s.eng, s.terms, s.searching = e, newTermCache(), make(chan struct{}, max(1, e.count-1))
	return s, nil
}

// Engine is the name of the engine: SQLite or PostgreSQL.
func (s *Store) Engine() string { return s.eng.dialect().name }

// Ping reports whether the database can be used now.
func (s *Store) Ping(ctx context.Context) error { return s.failure(s.eng.ping(ctx)) }

// Close finishes what was accepted and closes the database. A second call only waits for the first.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closed = s.eng.close() })
	return s.closed
}

func (s *Store) failure(err error) error { return s.eng.dialect().failure(err) }

func (s *Store) read(ctx context.Context, fn func(reader) error) error {
	return s.failure(s.eng.read(ctx, fn))
}

func (s *Store) write(ctx context.Context, fn func(tx) error) error {
	return s.failure(s.eng.write(ctx, fn))
}

func (s *Store) writePlain(ctx context.Context, fn func(tx) error) error {
	return s.failure(s.eng.writePlain(ctx, fn))
}

func (s *Store) writeLoose(ctx context.Context, fn func(tx) error) error {
	return s.failure(s.eng.writeLoose(ctx, fn))
}

func (s *Store) writeBulk(ctx context.Context, fn func(tx) error) error {
	return s.failure(s.eng.writeBulk(ctx, fn))
}

// seal and open bind a value to its place.
func (s *Store) seal(plain []byte, table, id string) []byte { return s.box.Seal(plain, table+"/"+id) }

func (s *Store) open(sealed []byte, table, id string) ([]byte, error) {
	return s.box.Open(sealed, table+"/"+id)
}

func (s *Store) micros() int64 { return s.now().UnixMicro() }
