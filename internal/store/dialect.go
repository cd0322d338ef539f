package store

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
)

// dialect is all that differs between the engines in SQL text and error codes.
// Everything else in this package is written once, in the common ground:
// ON CONFLICT, RETURNING, partial indexes, TEXT, BIGINT, BOOLEAN, BYTEA.
type dialect struct {
	name  string
	goose goose.Dialect
	// words replaces the words of the migrations that the engines spell differently.
	words map[string]string
	// hasTable counts the tables of that name in the current schema.
	hasTable string
	// oneWriter: transactions run one after the other, so that a row which one
	// has read stays as it is without a lock.
	oneWriter bool
	// placeholders rewrites ? into the engine's own; nil leaves it.
	placeholders func(string) string
	// insertNew is the text for a bulk insert that skips conflicts.
	insertNew func(*bulk) string
	// combine is the text of tx.combine.
	combine func(*bulk) string
	// contains is a condition that a value holds a text.
	contains string
	// existing is the text that finds which of these keys are there.
	existing func(*bulk) string
	classify func(error) class
}

// class says what an engine's error means for the caller.
type class uint8

const (
	other   class = iota // a fault of ours
	unique               // a unique index is broken
	down                 // the engine cannot work now: disk full, connection lost, shutting down
	retryOK              // the transaction lost a race and may simply run again
)

var sqliteDialect = &dialect{
	name:  "SQLite",
	goose: goose.DialectSQLite3,
	words: map[string]string{
		"TEXT_C": "TEXT", // SQLite's default collation is by bytes
		// Rows of one b-tree instead of a table and an index. Not for rows that
		// may exceed about a kilobyte: they would spill into overflow pages.
		"CLUSTERED": "WITHOUT ROWID", "CLUSTERED_ROOM": "WITHOUT ROWID",
		"ROOM": "",
		// The key of the table itself, no index beside it.
		"ROWNUM": "INTEGER",
	},
	oneWriter: true,
	hasTable:  "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?",
	insertNew: func(b *bulk) string {
		return "INSERT INTO " + b.table + " (" + b.names() + ") VALUES (" + marks(len(b.cols)) + ") ON CONFLICT DO NOTHING"
	},
	combine: func(b *bulk) string {
		return "INSERT INTO " + b.table + " (" + b.names() + ") VALUES (" + marks(len(b.cols)) + ")" + combined(b)
	},
	contains: "instr(value, ?) > 0",
	classify: classifySQLite,
}

var postgresDialect = &dialect{
	name:  "PostgreSQL",
	goose: goose.DialectPostgres,
	words: map[string]string{
		"TEXT_C":    `TEXT COLLATE "C"`,
		"CLUSTERED": "",
		// Room on the page keeps an update of unindexed columns off the indexes (HOT).
		"CLUSTERED_ROOM": "WITH (fillfactor = 85)", "ROOM": "WITH (fillfactor = 85)",
		"ROWNUM": "BIGINT",
	},
	hasTable:     "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = ?",
	placeholders: numbered,
	insertNew: func(b *bulk) string {
		var arrays []string
		for _, c := range b.cols {
			arrays = append(arrays, "?::"+string(c.kind)+"[]")
		}
		// One array per column: the text is the same for any number of rows, and
		// the rows travel in one message.
		return "INSERT INTO " + b.table + " (" + b.names() + ") SELECT " + b.names() +
			" FROM unnest(" + strings.Join(arrays, ", ") + ") AS r (" + b.names() + ")" +
			" ON CONFLICT DO NOTHING RETURNING " + strings.Join(b.key, ", ")
	},
	existing: func(b *bulk) string {
		var arrays, same, found []string
		for _, k := range b.key {
			for _, c := range b.cols {
				if c.name == k {
					arrays = append(arrays, "?::"+string(c.kind)+"[]")
				}
			}
			same, found = append(same, "t."+k+" = r."+k), append(found, "t."+k)
		}
		return "SELECT DISTINCT " + strings.Join(found, ", ") + " FROM unnest(" + strings.Join(arrays, ", ") + ") AS r (" +
			strings.Join(b.key, ", ") + ") JOIN " + b.table + " t ON " + strings.Join(same, " AND ")
	},
	combine: func(b *bulk) string {
		var arrays []string
		for _, c := range b.cols {
			arrays = append(arrays, "?::"+string(c.kind)+"[]")
		}
		return "INSERT INTO " + b.table + " (" + b.names() + ") SELECT " + b.names() +
			" FROM unnest(" + strings.Join(arrays, ", ") + ") AS r (" + b.names() + ")" + combined(b)
	},
	contains: "strpos(value, ?) > 0",
	classify: classifyPostgres,
}

// kind is the type of a column, spelled as PostgreSQL does.
type kind string

const (
	text   kind = "text"
	number kind = "bigint"
	flag   kind = "boolean"
	blob   kind = "bytea"
)

type column struct {
	name string
	kind kind
}

// bulk describes a table for insertNew. Key names columns of kind text or
// number that are unique together; they identify the inserted rows.
type bulk struct {
	table string
	cols  []column
	key   []string

	once sync.Once
	list string
}

func (b *bulk) names() string {
	b.once.Do(func() {
		names := make([]string, len(b.cols))
		for i, c := range b.cols {
			names[i] = c.name
		}
		b.list = strings.Join(names, ", ")
	})
	return b.list
}

// insert is the text that inserts one row.
func (b *bulk) insert() string {
	return "INSERT INTO " + b.table + " (" + b.names() + ") VALUES (" + marks(len(b.cols)) + ")"
}

// combined is what an insert of bits does where the key is there.
func combined(b *bulk) string {
	return " ON CONFLICT (" + strings.Join(b.key, ", ") + ") DO UPDATE SET bits = " + b.table + ".bits | excluded.bits"
}

// marks is n placeholders.
func marks(n int) string {
	return strings.TrimSuffix(strings.Repeat("?, ", n), ", ")
}

// in makes the list of an IN and its arguments. The length is rounded up to a
// power of two by repeating the last value, so that few different texts arise.
func in[T string | int64](values []T) (string, []any) {
	n := 1
	for n < len(values) {
		n *= 2
	}
	list := make([]any, n)
	for i := range list {
		list[i] = values[min(i, len(values)-1)]
	}
	return "(" + marks(n) + ")", list
}

var numberedTexts sync.Map // string → string

// numbered rewrites ? to $1, $2, … once per text. No query holds a ? for
// anything else.
func numbered(q string) string {
	if v, ok := numberedTexts.Load(q); ok {
		return v.(string)
	}
	var b strings.Builder
	n := 0
	for _, part := range strings.SplitAfter(q, "?") {
		if head, ok := strings.CutSuffix(part, "?"); ok {
			n++
			b.WriteString(head + "$" + strconv.Itoa(n))
		} else {
			b.WriteString(part)
		}
	}
	out := b.String()
	numberedTexts.Store(q, out)
	return out
}

var word = regexp.MustCompile(`[A-Z_]+`)

// translate puts the engine's words into the text of a migration.
func (d *dialect) translate(text string) string {
	return word.ReplaceAllStringFunc(text, func(w string) string {
		if r, ok := d.words[w]; ok {
			return r
		}
		return w
	})
}

// failure turns an engine's error into what callers of the store get.
func (d *dialect) failure(err error) error {
	if err == nil {
		return nil
	}
	switch d.classify(err) {
	case down, retryOK:
		return errDown.Because(err)
	default:
		return err
	}
}

// Primary result codes of SQLite (sqlite3.h); the extended ones keep them in
// the low byte.
const (
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteNoMem      = 7
	sqliteReadOnly   = 8
	sqliteIOErr      = 10
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqliteConstraint = 19

	sqliteUnique     = 2067
	sqlitePrimaryKey = 1555
)

func classifySQLite(err error) class {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return other
	}
	if e.Code() == sqliteUnique || e.Code() == sqlitePrimaryKey {
		return unique
	}
	switch e.Code() & 0xff {
	case sqliteBusy, sqliteLocked, sqliteNoMem, sqliteReadOnly, sqliteIOErr, sqliteFull, sqliteCantOpen:
		return down
	}
	return other
}

func classifyPostgres(err error) class {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		var connect *pgconn.ConnectError
		switch {
		case errors.As(err, &connect), pgconn.Timeout(err), pgconn.SafeToRetry(err),
			errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
			isNetwork(err):
			return down
		}
		return other
	}
	switch e.Code {
	case "23505":
		return unique
	case "40001", "40P01": // serialization failure, deadlock
		return retryOK
	case "25006": // read-only: the leader moved
		return down
	}
	switch e.Code[:min(2, len(e.Code))] {
	case "08", "53", "57", "58": // connection, out of resources, operator intervention, I/O
		return down
	}
	return other
}
