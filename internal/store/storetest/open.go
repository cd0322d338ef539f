package storetest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"mangrove/internal/seal"
	"mangrove/internal/store"
)

// The engines.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// EnvPostgres is the URL of a superuser of a PostgreSQL server for tests.
const EnvPostgres = "MANGROVE_TEST_POSTGRES"

// Engines names the engines to test. Run a subtest for each and call Open in
// it: without a PostgreSQL server that subtest is skipped, or fails where parts
// are required.
func Engines(testing.TB) []string { return []string{SQLite, Postgres} }

// Box is the box that test databases are sealed with.
func Box() *seal.Box {
	b, err := seal.New(bytes.Repeat([]byte{42}, seal.KeySize))
	if err != nil {
		panic(err) // the key has the right length
	}
	return b
}

// Open gives a fresh migrated database; it is gone when the test ends.
func Open(t testing.TB, engine string) *store.Store {
	t.Helper()
	return OpenURL(t, URL(t, engine), nil)
}

// OpenURL opens a database that URL made; change, if not nil, adjusts the options.
func OpenURL(t testing.TB, u string, change func(*store.Options)) *store.Store {
	t.Helper()
	o := store.Options{URL: u, Box: Box()}
	if change != nil {
		change(&o)
	}
	s, err := store.Open(context.Background(), o)
	if err != nil {
		t.Fatalf("opening the store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return s
}

// URL makes a fresh migrated database and says where it is.
func URL(t testing.TB, engine string) string {
	t.Helper()
	switch engine {
	case SQLite:
		return sqliteURL(t)
	case Postgres:
		return postgresURL(t, true)
	}
	t.Fatalf("no engine %q", engine)
	return ""
}

// EmptyURL makes a database without a schema.
func EmptyURL(t testing.TB, engine string) string {
	t.Helper()
	if engine == Postgres {
		return postgresURL(t, false)
	}
	return filepath.Join(t.TempDir(), "mangrove.db")
}

// sqliteTemplate is a migrated file, made once per process.
var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "mangrove-storetest")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "template.db")
	if err := migrate(context.Background(), path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func migrate(ctx context.Context, u string) error {
	s, err := store.Open(ctx, store.Options{URL: u, Box: Box()})
	if err != nil {
		return err
	}
	if err := s.Migrate(ctx); err != nil {
		_ = s.Close()
		return err
	}
	return s.Close()
}

func sqliteURL(t testing.TB) string {
	t.Helper()
	data, err := sqliteTemplate()
	if err != nil {
		t.Fatalf("the SQLite template: %v", err)
	}
	path := filepath.Join(t.TempDir(), "mangrove.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
