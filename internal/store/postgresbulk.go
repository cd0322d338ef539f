package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// copyFrom is how many rows are worth the round trips of a COPY.
const copyFrom = 64

// errCareful makes a transaction run again without COPY: somebody inserted one
// of its rows between the look and the COPY.
var errCareful = errors.New("a bulk insert met a new row")

// insertNew looks which keys are there and copies the other rows, twice as
// fast as inserting them with a conflict clause. A transaction that meets a row
// which came in between starts afresh, with the conflict clause.
func (t *postgresTx) insertNew(b *bulk, rows [][]any) ([]bool, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	k := keysOf(b, rows)
	if t.careful || len(rows) < copyFrom {
		out := make([]bool, len(rows))
		arrays := make([]any, len(b.cols))
		for i, c := range b.cols {
			arrays[i] = transpose(c.kind, rows, i)
		}
		return out, t.query(postgresDialect.insertNew(b), arrays, func(r row) error { return k.mark(r, out, true) })
	}
	out := make([]bool, len(rows))
	for _, i := range k.first {
		out[i] = true
	}
	arrays := make([]any, len(k.at))
	for i, at := range k.at {
		arrays[i] = transpose(b.cols[at].kind, rows, at)
	}
	if err := t.query(postgresDialect.existing(b), arrays, func(r row) error { return k.mark(r, out, false) }); err != nil {
		return nil, err
	}
	fresh := make([][]any, 0, len(rows))
	for i, r := range rows {
		if out[i] {
			fresh = append(fresh, nonNil(slices.Clone(r)))
		}
	}
	columns := strings.Split(b.names(), ", ")
	_, err := t.conn.CopyFrom(t.ctx, pgx.Identifier{b.table}, columns, pgx.CopyFromRows(fresh))
	if err != nil && classifyPostgres(err) == unique {
		return nil, errCareful
	}
	return out, err
}

func (t *postgresTx) combine(b *bulk, rows [][]any) error {
	arrays := make([]any, len(b.cols))
	for i, c := range b.cols {
		arrays[i] = transpose(c.kind, rows, i)
	}
	return t.send(nil, postgresDialect.combine(b), arrays...)
}

// keys finds rows by their key. Of several rows with one key the first counts.
type keys struct {
	b     *bulk
	at    []int // columns of the key
	first map[string]int
}

func keysOf(b *bulk, rows [][]any) keys {
	k := keys{b: b, first: make(map[string]int, len(rows))}
	for _, name := range b.key {
		k.at = append(k.at, slices.IndexFunc(b.cols, func(c column) bool { return c.name == name }))
	}
	parts := make([]any, len(k.at))
	for i, r := range rows {
		for p, at := range k.at {
			parts[p] = r[at]
		}
		key := joined(parts)
		if _, ok := k.first[key]; !ok {
			k.first[key] = i
		}
	}
	return k
}

// joined is unambiguous: no text of ours holds a NUL.
func joined(parts []any) string {
	var b strings.Builder
	for _, p := range parts {
		if s, ok := p.(string); ok {
			b.WriteString(s)
		} else {
			fmt.Fprint(&b, p)
		}
		b.WriteByte(0)
	}
	return b.String()
}

// mark notes a row that the engine named by its key.
func (k keys) mark(r row, out []bool, v bool) error {
	texts, numbers := make([]string, len(k.at)), make([]int64, len(k.at))
	dest, parts := make([]any, len(k.at)), make([]any, len(k.at))
	for i, at := range k.at {
		if k.b.cols[at].kind == text {
			dest[i] = &texts[i]
		} else {
			dest[i] = &numbers[i]
		}
	}
	if err := r.Scan(dest...); err != nil {
		return err
	}
	for i, at := range k.at {
		if k.b.cols[at].kind == text {
			parts[i] = texts[i]
		} else {
			parts[i] = numbers[i]
		}
	}
	i, ok := k.first[joined(parts)]
	if !ok {
		return fmt.Errorf("%s gave back a key that was not sent", k.b.table)
	}
	out[i] = v
	return nil
}

// transpose is one column of rows as the array type that the driver sends.
func transpose(k kind, rows [][]any, at int) any {
	switch k {
	case number:
		out := make([]int64, len(rows))
		for i, r := range rows {
			out[i] = r[at].(int64)
		}
		return out
	case flag:
		out := make([]bool, len(rows))
		for i, r := range rows {
			out[i] = r[at].(bool)
		}
		return out
	case blob:
		out := make([][]byte, len(rows))
		for i, r := range rows {
			if out[i], _ = r[at].([]byte); out[i] == nil {
				out[i] = []byte{}
			}
		}
		return out
	default:
		out := make([]string, len(rows))
		for i, r := range rows {
			out[i] = r[at].(string)
		}
		return out
	}
}
