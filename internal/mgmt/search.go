package mgmt

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"mangrove/internal/errs"
	lang "mangrove/internal/query"
	"mangrove/internal/schema"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

func (a *api) searchRoutes() []route {
	return []route{
		{"GET", "/users", oneOf(readUsers, readTokens), a.searchUsers},
	}
}

// Refusals of GET /users (reference/users.md §3.2).
var (
	errEngine1 = errs.New(errs.Invalid, "invalid_query_string", "You are not allowed to use search_engine=v1.")
	errEngine2 = errs.New(errs.Invalid, "invalid_query_string", "You are not allowed to use search_engine=v2. Use search_engine=v3 instead.")
	errWindow  = errs.New(errs.Invalid, "invalid_paging", "You can only page through the first 1000 records. "+
		"See https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation")
	errSortedCheckpoint = errs.New(errs.Invalid, "invalid_query_string", "Query validation error: 'Paging with from and take follows the order of creation and cannot be combined with sort' on property sort.")
)

// pageWindow is how far page and per_page reach, whatever there is.
const pageWindow = 1000

var sortPattern = regexp.MustCompile(`^(([a-zA-Z0-9_\.]+))\:(1|-1)$`)

// searchUsers is GET /users. from and take, which the reference does not have
// here, page through everything.
func (a *api) searchUsers(w http.ResponseWriter, r *http.Request, by *caller) error {
	q := queryOf(r)
	p := q.paging()
	f := q.fields(nil)
	provenance := q.provenance()
	find := user.Search{Offset: p.offset(), Limit: p.perPage, Total: p.totals}
	q.searchOrder(&find)
	text, err := q.searchText()
	if err != nil {
		return err
	}
	if find.Plan, err = searchPlan(text); err != nil {
		return err
	}
	list := Prefix + "/users?" + text
	switch {
	case p.checkpoint && find.SortBy != "":
		return errSortedCheckpoint
	case p.checkpoint:
		after, err := a.after(list, p.from)
		if err != nil {
			return err
		}
		if after != "" {
			// The cursor is authenticated: what it holds is what was put in.
			if find.After, err = strconv.ParseInt(after, 10, 64); err != nil {
				return err
			}
		}
		find.Offset, find.Limit, find.Total = 0, p.take, false
	case find.Offset+find.Limit > pageWindow:
		return errWindow
	}
	found, err := a.UserStore.Search(r.Context(), find)
	if err != nil {
		return err
	}
	items := []byte{'['}
	for i := range found.Users {
		one, err := a.listed(r, by, &found.Users[i], f, provenance)
		if err != nil {
			return err
		}
		if i > 0 {
			items = append(items, ',')
		}
		items = append(items, one...)
	}
	items = append(items, ']')
	next := ""
	if p.checkpoint && found.Next != 0 {
		next = a.cursor(list, strconv.FormatInt(found.Next, 10))
	}
	body := p.envelope("users", items, found.Total, next)
	if p.totals && !p.checkpoint {
		body = usersWithTotal(p, len(found.Users), items, found.Total)
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(body))
	return nil
}

// usersWithTotal has a length, and its members in the recorded order.
func usersWithTotal(p paging, length int, items []byte, total int) []byte {
	b := append(make([]byte, 0, len(items)+80), `{"start":`...)
	b = strconv.AppendInt(b, int64(p.offset()), 10)
	b = strconv.AppendInt(append(b, `,"limit":`...), int64(p.perPage), 10)
	b = strconv.AppendInt(append(b, `,"length":`...), int64(length), 10)
	b = append(append(b, `,"users":`...), items...)
	b = strconv.AppendInt(append(b, `,"total":`...), int64(total), 10)
	return append(b, '}')
}

// searchText is q, after the parameters that go with it.
func (q *query) searchText() (string, error) {
	text := q.text(schema.Property{Name: "q", Description: "Query in Lucene query string syntax."})
	engine := q.text(schema.Property{Name: "search_engine", Description: "The version of the search engine", Enum: []string{"v1", "v2", "v3"}})
	q.flag("primary_order", "Whether to append a primary order to the sort", true)
	q.text(schema.Property{Name: "connection", Description: "Connection filter. Only applies when using search_engine=v1."})
	switch {
	case q.err() != nil:
		return "", q.err()
	case engine == "v1":
		return "", errEngine1
	case engine == "v2":
		return "", errEngine2
	}
	return text, nil
}

// searchOrder reads sort: one field that is sortable, and 1 or -1.
func (q *query) searchOrder(find *user.Search) {
	const about = "Field to sort by. Use field:order where order is 1 for ascending and -1 for descending. Example: created_at:1"
	s := q.text(schema.Property{Name: "sort", Description: about, Pattern: sortPattern})
	if s == "" || q.err() != nil {
		return
	}
	field, direction, _ := strings.Cut(s, ":")
	if !user.SortField(field) {
		q.refuse("sort", about, schema.PatternMismatch, "Sorting by "+shorten(field)+" is not supported")
		return
	}
	find.SortBy, find.Descending = field, direction == "-1"
}

// searchPlan parses q. Its errors name the place (reference/users.md §5.3).
func searchPlan(text string) (user.Plan, error) {
	n, err := lang.Parse(text)
	if err != nil {
		return nil, searchError(err)
	}
	p, err := user.SearchPlan(n)
	if err != nil {
		return nil, searchError(err)
	}
	return p, nil
}

func searchError(err error) error {
	var e *lang.Error
	if !errors.As(err, &e) {
		return err
	}
	return errs.New(errs.Invalid, "invalid_query_string", "The search query string has an error: %s at position %d", e.Text, e.At)
}

// listed is one user of a list, as the caller may see it.
func (a *api) listed(r *http.Request, by *caller, v *user.View, f fields, provenance bool) ([]byte, error) {
	identities := v.Identities
	var sources []byte
	eid, err := a.byEID(r.Context(), v.Identities)
	if err != nil {
		return nil, err
	}
	if provenance || eid || by.has(readTokens) {
		u, err := a.UserStore.User(r.Context(), v.ID)
		switch {
		case errors.Is(err, user.ErrNotFound): // deleted since the list was read
		case err != nil:
			return nil, err
		default:
			if eid || by.has(readTokens) {
				identities = fullIdentities(u, by.has(readTokens))
			}
			if provenance {
				sources = user.AppendProvenance(nil, u.Profile)
			}
		}
	}
	b, err := f.apply(appendUser(make([]byte, 0, userSize(v)), v, identities))
	if err != nil || sources == nil {
		return b, err
	}
	return withMember(b, "provenance", sources), nil
}

// withMember adds a member at the end of an object.
func withMember(object []byte, name string, value []byte) []byte {
	b := object[:len(object)-1]
	if len(b) > 1 {
		b = append(b, ',')
	}
	b = append(append(append(b, '"'), name...), `":`...)
	return append(append(b, value...), '}')
}

// provenance reads include_provenance, which is ours: where each attribute came from.
func (q *query) provenance() bool {
	return q.flag("include_provenance", "Whether each user shows where its attributes came from.", false)
}
