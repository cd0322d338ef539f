package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestNumbered(t *testing.T) {
	for in, want := range map[string]string{
		"SELECT 1":                            "SELECT 1",
		"SELECT a FROM t WHERE b = ?":         "SELECT a FROM t WHERE b = $1",
		"INSERT INTO t VALUES (?, ?, ?::int)": "INSERT INTO t VALUES ($1, $2, $3::int)",
	} {
		for range 2 { // the second time from memory
			if got := numbered(in); got != want {
				t.Errorf("%q: %q, want %q", in, got, want)
			}
		}
	}
}

func TestTranslate(t *testing.T) {
	in := "CREATE TABLE t (a TEXT_C NOT NULL, b TEXT NOT NULL) CLUSTERED_ROOM;"
	for d, want := range map[*dialect]string{
		sqliteDialect:   "CREATE TABLE t (a TEXT NOT NULL, b TEXT NOT NULL) WITHOUT ROWID;",
		postgresDialect: `CREATE TABLE t (a TEXT COLLATE "C" NOT NULL, b TEXT NOT NULL) WITH (fillfactor = 85);`,
	} {
		if got := d.translate(in); got != want {
			t.Errorf("%s: %q", d.name, got)
		}
	}
}

func TestIn(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 2, 3: 4, 5: 8, 8: 8} {
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprint(i)
		}
		marks, args := in(values)
		if strings.Count(marks, "?") != want || len(args) != want || args[want-1] != values[n-1] {
			t.Errorf("%d: %s, %v", n, marks, args)
		}
	}
}

func TestClassifyPostgres(t *testing.T) {
	pg := func(code string) error { return fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code}) }
	for name, c := range map[string]struct {
		err  error
		want class
	}{
		"unique":         {pg("23505"), unique},
		"serialization":  {pg("40001"), retryOK},
		"deadlock":       {pg("40P01"), retryOK},
		"shutting down":  {pg("57P01"), down},
		"disk full":      {pg("53100"), down},
		"read-only":      {pg("25006"), down},
		"syntax":         {pg("42601"), other},
		"no code":        {pg(""), other},
		"of ours":        {errUnchanged, other},
		"something else": {errors.New("x"), other},
	} {
		if got := classifyPostgres(c.err); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestLogIDs(t *testing.T) {
	ids := newLogIDs()
	var list []string
	for at := range int64(100) {
		for range 3 {
			list = append(list, ids.next(1_753_900_000_000_000+at/10))
		}
	}
	if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
		t.Errorf("not in order: %q", list[:5])
	}
	if other := newLogIDs().next(1_753_900_000_000_000); slices.Contains(list, other) || len(other) != len(list[0]) {
		t.Errorf("another node made %q", other)
	}
}

func TestRandomText(t *testing.T) {
	a, b := randomText(16), randomText(16)
	if len(a) != 16 || a == b || strings.Trim(a+b, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
		t.Errorf("%q, %q", a, b)
	}
}
