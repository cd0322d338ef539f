package mgmt

import (
	"encoding/json"
	"net/http"

	"mangrove/internal/schema"
	"mangrove/internal/session"
	"mangrove/internal/web"
)

// markPage is a list by time that has no paging but a checkpoint.
type markPage[T any] struct {
	key  string // the member of the envelope
	name string // what cursors of this list are bound to
	// check refuses once the query is read; nil: nothing is to be checked.
	check func() error
	// fetch is up to take items behind the mark, newest first, and whether there
	// are others behind them.
	fetch func(behind session.Mark, take int) ([]T, bool, error)
	mark  func(T) session.Mark
	show  func(T) ([]byte, error)
}

// write answers with the page that q asks for.
func (l markPage[T]) write(w http.ResponseWriter, a *api, q *query) error {
	after, take, err := a.checkpoint(q, l.name)
	if err != nil {
		return err
	}
	behind, ok := session.ParseMark(after)
	if !ok {
		return errQuery
	}
	if l.check != nil {
		if err := l.check(); err != nil {
			return err
		}
	}
	items, more, err := l.fetch(behind, take)
	if err != nil {
		return err
	}
	shown := make([]json.RawMessage, len(items))
	for i, item := range items {
		if shown[i], err = l.show(item); err != nil {
			return err
		}
	}
	next := ""
	if more {
		next = a.cursor(l.name, l.mark(items[len(items)-1]).String())
	}
	p := paging{checkpoint: true}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, p.envelope(l.key, array(shown), 0, next))
	return nil
}

// checkpoint reads from and take for a list that has no other paging.
func (a *api) checkpoint(q *query, list string) (after string, take int, err error) {
	q.totals() // accepted; these lists have no total
	take = q.number("take", "Number of results per page. Defaults to 50.", 1, MaxPage, 50)
	from := q.text(schema.Property{Name: "from", Description: "An optional cursor from which to start the selection (exclusive)."})
	if err := q.err(); err != nil {
		return "", 0, err
	}
	after, err = a.after(list, from)
	return after, take, err
}
