package store

import "strings"

// list builds the two queries of a page: the page itself, ordered by key, and
// the count of all that the conditions let through.
type list struct {
	columns, table, key string
	where               []string
	args                []any
}

// and narrows; the condition holds as many ? as there are values.
func (l *list) and(condition string, values ...any) {
	l.where = append(l.where, condition)
	l.args = append(l.args, values...)
}

func (l *list) conditions(extra ...string) string {
	all := append(append([]string{}, l.where...), extra...)
	if len(all) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(all, " AND ")
}

// run counts and reads the page after the key, or from the offset.
func (l *list) run(r reader, after string, offset, limit int, each func(row) error) (total int, err error) {
	var n int64
	if _, err := one(r, "SELECT COUNT(*) FROM "+l.table+l.conditions(), l.args, &n); err != nil {
		return 0, err
	}
	if limit <= 0 {
		return int(n), nil
	}
	a := append([]any{}, l.args...)
	where := l.conditions()
	if after != "" {
		where = l.conditions(l.key + " > ?")
		a = append(a, after)
	}
	q := "SELECT " + l.columns + " FROM " + l.table + where + " ORDER BY " + l.key + " LIMIT ? OFFSET ?"
	return int(n), r.query(q, append(a, int64(limit), int64(max(offset, 0))), each)
}
