package mgmt

import (
	"encoding/json"
	"net/http"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/web"
)

// maxOffset is how far page/per_page reaches; checkpoint paging has no end
// (reference/authentication.md §6.4).
const maxOffset = 1000

var errPaging = errs.New(errs.Invalid, "invalid_paging", "Requesting page exceeds the allowed maximum of %d records.", maxOffset)

// resourcePaging reads the paging of connections, clients, grants and APIs.
func (q *query) resourcePaging(perPage int) paging {
	p := q.paging()
	if !q.values.Has("per_page") {
		p.perPage = perPage
	}
	if q.bad == nil && !p.checkpoint && p.page > 0 && p.offset()+p.perPage > maxOffset {
		q.bad = errPaging
	}
	return p
}

// listing is one call of a list: what it is named, and how its items are found
// and shown.
type listing[T any] struct {
	key  string // of the array in an envelope
	name string // binds cursors: the path and every filter
	// fetch is a page by id: behind after, or from offset.
	fetch func(after string, offset, limit int) (items []T, total int, err error)
	id    func(T) string
	show  func(T) ([]byte, error)
}

// write answers with the page.
func (l listing[T]) write(w http.ResponseWriter, a *api, p paging) error {
	var items []T
	var total int
	next := ""
	if p.checkpoint {
		after, err := a.after(l.name, p.from)
		if err != nil {
			return err
		}
		// One more than asked for tells whether there is a next page.
		if items, total, err = l.fetch(after, 0, p.take+1); err != nil {
			return err
		}
		if len(items) > p.take {
			items = items[:p.take]
			next = a.cursor(l.name, l.id(items[p.take-1]))
		}
	} else {
		var err error
		if items, total, err = l.fetch("", p.offset(), p.perPage); err != nil {
			return err
		}
	}
	shown := make([]json.RawMessage, len(items))
	for i, item := range items {
		b, err := l.show(item)
		if err != nil {
			return err
		}
		shown[i] = b
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(p.envelope(l.key, array(shown), total, next)))
	return nil
}

// listName binds a cursor to a path and its filters.
func listName(path string, filters ...string) string {
	return path + "\x00" + strings.Join(filters, "\x00")
}

// object writes JSON objects member by member, in the order of the recordings.
type object struct{ b []byte }

func (o *object) name(name string) {
	if len(o.b) == 0 {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(appendString(o.b, name), ':')
}

func (o *object) text(name, v string) {
	o.name(name)
	o.b = appendString(o.b, v)
}

func (o *object) raw(name string, v []byte) {
	o.name(name)
	o.b = append(o.b, v...)
}

func (o *object) texts(name string, list []string) {
	o.name(name)
	o.b = append(o.b, '[')
	for i, s := range list {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = appendString(o.b, s)
	}
	o.b = append(o.b, ']')
}

// members adds all members of a JSON object of ours.
func (o *object) members(doc []byte) {
	if len(doc) <= 2 {
		return
	}
	if len(o.b) == 0 {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, doc[1:len(doc)-1]...)
}

func (o *object) end() []byte { return append(o.b, '}') }

// keeping makes names part of every answer, whatever fields says.
func (f fields) keeping(names ...string) fields {
	if f.none() {
		return f
	}
	out := fields{exclude: f.exclude}
	if !f.exclude {
		out.names = append(append(out.names, names...), f.names...)
		return out
	}
	for _, n := range f.names {
		kept := false
		for _, k := range names {
			kept = kept || n == k
		}
		if !kept {
			out.names = append(out.names, n)
		}
	}
	return out
}
