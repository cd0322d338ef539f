package storetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"mangrove/internal/parttest"
	"mangrove/internal/store"
)

// postgresServer is the URL of the test server.
func postgresServer(t testing.TB) string {
	t.Helper()
	return parttest.Need(t, "PostgreSQL", EnvPostgres)
}

// cluster is this process's share of the test server. Cloning a database takes
// seconds on a slow disk, so one that a test has left is emptied and used again.
// Its names carry the process's mark, and its connection too: a later process
// drops what a process left behind whose connection is gone.
type cluster struct {
	mu       sync.Mutex
	admin    *pgx.Conn
	server   string
	mark     string
	template string
	free     []string
	made     int
}

const prefix = "mangrove_test_"

var postgres = sync.OnceValues(func() (*cluster, error) {
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	c := &cluster{server: os.Getenv(EnvPostgres), mark: prefix + hex.EncodeToString(random[:])}
	cfg, err := pgx.ParseConfig(c.server)
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["application_name"] = c.mark
	ctx := context.Background()
	if c.admin, err = pgx.ConnectConfig(ctx, cfg); err != nil {
		return nil, err
	}
	// One process at a time tidies up and makes the template.
	if _, err := c.admin.Exec(ctx, "SELECT pg_advisory_lock(719462)"); err != nil {
		return nil, err
	}
	if err := c.tidy(ctx); err != nil {
		return nil, err
	}
	if err := c.makeTemplate(ctx); err != nil {
		return nil, err
	}
	_, err = c.admin.Exec(ctx, "SELECT pg_advisory_unlock(719462)")
	return c, err
})

// tidy drops the databases of processes that are gone.
func (c *cluster) tidy(ctx context.Context) error {
	rows, err := c.admin.Query(ctx, `SELECT datname FROM pg_database d WHERE starts_with(datname, $1) AND NOT EXISTS
		(SELECT 1 FROM pg_stat_activity a WHERE a.application_name <> '' AND starts_with(d.datname, a.application_name))`, prefix)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := c.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			return err
		}
	}
	return nil
}

// makeTemplate makes a migrated database to be cloned, if there is none. Its
// name tells which migrations it holds, so that processes share it.
func (c *cluster) makeTemplate(ctx context.Context) error {
	h := sha256.New()
	files := store.Migrations()
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		if err == nil {
			_, err = fmt.Fprintf(h, "%s\x00%s\x00", path, text)
		}
		return err
	})
	if err != nil {
		return err
	}
	c.template = "mangrove_template_" + hex.EncodeToString(h.Sum(nil)[:8])
	var n int
	if err := c.admin.QueryRow(ctx, "SELECT COUNT(*) FROM pg_database WHERE datname = $1", c.template).Scan(&n); err != nil || n > 0 {
		return err
	}
	building := c.template + "_building"
	for _, q := range []string{"DROP DATABASE IF EXISTS " + building + " WITH (FORCE)", "CREATE DATABASE " + building} {
		if _, err := c.admin.Exec(ctx, q); err != nil {
			return err
		}
	}
	u, err := c.url(building)
	if err != nil {
		return err
	}
	if err := migrate(ctx, u); err != nil {
		return err
	}
	_, err = c.admin.Exec(ctx, "ALTER DATABASE "+building+" RENAME TO "+c.template)
	return err
}

func (c *cluster) url(name string) (string, error) {
	u, err := url.Parse(c.server)
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		return "", fmt.Errorf("%s must be a postgres:// URL", EnvPostgres)
	}
	u.Path = "/" + name
	return u.String(), nil
}

// get is a database that nobody else uses.
func (c *cluster) get(migrated bool) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.free); migrated && n > 0 {
		name := c.free[n-1]
		c.free = c.free[:n-1]
		return name, nil
	}
	c.made++
	name := fmt.Sprintf("%s_%d", c.mark, c.made)
	q := "CREATE DATABASE " + name
	if migrated {
		q += " TEMPLATE " + c.template
	}
	_, err := c.admin.Exec(context.Background(), q)
	return name, err
}

// put empties a database for the next test, or drops it.
func (c *cluster) put(name string, reuse bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx := context.Background()
	if !reuse {
		_, err := c.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		return err
	}
	u, err := c.url(name)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, u)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	rows, err := conn.Query(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_name <> 'goose_db_version'")
	if err != nil {
		return err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	var b pgx.Batch
	for _, table := range tables {
		q := "DELETE FROM " + table
		switch table {
		case "meta":
			q += " WHERE name <> 'sealed_with'"
		case "counters": // numbers are never given out twice
			continue
		}
		b.Queue(q)
	}
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	c.free = append(c.free, name)
	return nil
}

func postgresURL(t testing.TB, migrated bool) string {
	t.Helper()
	postgresServer(t)
	c, err := postgres()
	if err != nil {
		t.Fatalf("the PostgreSQL server for tests: %v", err)
	}
	name, err := c.get(migrated)
	if err != nil {
		t.Fatalf("making a PostgreSQL database: %v", err)
	}
	_, bench := t.(*testing.B) // benchmarks leave too much behind
	t.Cleanup(func() {
		if err := c.put(name, migrated && !bench && !t.Failed()); err != nil {
			t.Errorf("giving back a PostgreSQL database: %v", err)
		}
	})
	u, err := c.url(name)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
