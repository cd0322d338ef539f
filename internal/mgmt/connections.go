package mgmt

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/web"
)

// The scopes that decide more than whether a route may be called.
const (
	readOptions   = "read:connections_options"
	updateOptions = "update:connections_options"
)

// connectionRoutes are the routes of connections (reference/connections.md §1.3).
func (a *api) connectionRoutes() []route {
	return []route{
		{"GET", "/connections", oneOf("read:connections"), a.listConnections},
		{"POST", "/connections", oneOf("create:connections"), a.createConnection},
		{"GET", "/connections/{id}", oneOf("read:connections"), a.getConnection},
		{"PATCH", "/connections/{id}", oneOf("update:connections"), a.patchConnection},
		{"DELETE", "/connections/{id}", oneOf("delete:connections"), a.deleteConnection},
		{"DELETE", "/connections/{id}/users", oneOf("delete:users"), a.deleteConnectionUser},
		{"GET", "/connections/{id}/status", oneOf("read:connections"), a.connectionStatus},
		{"GET", "/connections/{id}/clients", oneOf("read:connections"), a.connectionClients},
		{"PATCH", "/connections/{id}/clients", oneOf("update:connections"), a.setConnectionClients},
		{"GET", "/clients/{id}/connections", oneOf("read:connections"), a.clientConnections},
		// Database connections may name actions: tools that read them read these, too.
		{"GET", "/actions/actions", oneOf("read:actions"), constant(`{"total":0,"page":0,"per_page":100,"actions":[]}`)},
	}
}

var strategyFilter = schema.Property{
	Name: "strategy", Description: "Provide strategies to only retrieve connections with such strategies", Enum: connection.FilterStrategies(),
}

// connectionFilter reads strategy and name.
func (q *query) connectionFilter() connection.Filter {
	f := connection.Filter{Strategies: q.list(strategyFilter)}
	for i, s := range f.Strategies {
		if s == "auth0-adldap" {
			f.Strategies[i] = "ad"
		}
	}
	return f
}

// listConnections is GET /connections.
func (a *api) listConnections(w http.ResponseWriter, r *http.Request, by *caller) error {
	q := queryOf(r)
	p := q.resourcePaging(MaxPage)
	filter := q.connectionFilter()
	filter.Name = q.text(schema.Property{Name: "name", Description: "Provide the name of the connection to retrieve"})
	f := q.fields(nil)
	if err := q.err(); err != nil {
		return err
	}
	return a.connectionList(r, by, filter, f).write(w, a, p)
}

func (a *api) connectionList(r *http.Request, by *caller, filter connection.Filter, f fields) listing[*connection.Connection] {
	return listing[*connection.Connection]{
		key:  "connections",
		name: listName("connections", filter.Name, strings.Join(filter.Strategies, ","), filter.ClientID),
		fetch: func(after string, offset, limit int) ([]*connection.Connection, int, error) {
			return a.Connections.List(r.Context(), filter, connection.Page{After: after, Offset: offset, Limit: limit})
		},
		id:   func(c *connection.Connection) string { return c.ID },
		show: func(c *connection.Connection) ([]byte, error) { return shownConnection(c, by, f) },
	}
}

// shownConnection is the wire form as the caller may see it.
func shownConnection(c *connection.Connection, by *caller, f fields) ([]byte, error) {
	b, err := connectionJSON(c, by.has(readOptions))
	if err != nil {
		return nil, err
	}
	return f.keeping(connectionAlways...).apply(b)
}

func writeConnection(w http.ResponseWriter, status int, c *connection.Connection, by *caller, f fields) error {
	b, err := shownConnection(c, by, f)
	if err != nil {
		return err
	}
	setETag(w, c.Version)
	web.WriteJSON(w, status, web.TypeJSON, json.RawMessage(b))
	return nil
}

// createConnection is POST /connections.
func (a *api) createConnection(w http.ResponseWriter, r *http.Request, by *caller) error {
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	c, err := a.Connections.Create(r.Context(), members, by.event(r))
	if err != nil {
		return err
	}
	return writeConnection(w, http.StatusCreated, c, by, fields{})
}

// getConnection is GET /connections/{id}.
func (a *api) getConnection(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	q := queryOf(r)
	f := q.fields(nil)
	if err := q.err(); err != nil {
		return err
	}
	c, err := a.Connections.Get(r.Context(), id)
	if err != nil {
		return err
	}
	return writeConnection(w, http.StatusOK, c, by, f)
}

// patchConnection is PATCH /connections/{id}. Options need a scope of their own.
func (a *api) patchConnection(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	options := slices.ContainsFunc(members, func(m strictjson.Member) bool { return m.Name == "options" })
	if options && !by.has(updateOptions) {
		return errScope([]string{updateOptions})
	}
	var c *connection.Connection
	err = conditional(w, r, a.connectionVersion(r, id), func(ifVersion int64) (err error) {
		c, err = a.Connections.Patch(r.Context(), id, ifVersion, members, by.event(r))
		return err
	})
	if err != nil {
		return err
	}
	return writeConnection(w, http.StatusOK, c, by, fields{})
}

// deleteConnection is DELETE /connections/{id}: 202 with the time of deletion,
// 204 for one that is not there (any more).
func (a *api) deleteConnection(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	var at time.Time
	err = conditional(w, r, a.connectionVersion(r, id), func(ifVersion int64) (err error) {
		at, err = a.Connections.Delete(r.Context(), id, ifVersion, by.event(r))
		return err
	})
	if errors.Is(err, connection.ErrNotFound) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusAccepted, web.TypeJSON, struct {
		DeletedAt string `json:"deleted_at"`
	}{iso(at.UnixMicro())})
	return nil
}

var errOffline = errs.New(errs.NotFound, "", "not connected to any node")

// connectionStatus is GET /connections/{id}/status: whether the directory of an ad
// connection answers. No other strategy has one.
func (a *api) connectionStatus(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	c, err := a.Connections.Get(r.Context(), id)
	if err != nil {
		return err
	}
	if a.DirectoryStatus == nil {
		return errOffline
	}
	if err := a.DirectoryStatus(r.Context(), c); err != nil {
		return errOffline.Because(err)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// clientConnections is GET /clients/{id}/connections, which needs a scope of
// each side.
func (a *api) clientConnections(w http.ResponseWriter, r *http.Request, by *caller) error {
	if need := oneOf("read:clients", "read:client_summary"); !by.hasAny(need) {
		return errScope(need)
	}
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	q := queryOf(r)
	p := q.resourcePaging(50)
	p.checkpoint = true // the only shape of this list
	filter := q.connectionFilter()
	filter.ClientID = id
	f := q.fields(nil)
	if err := q.err(); err != nil {
		return err
	}
	if _, err := a.Clients.Get(r.Context(), id); err != nil {
		return err
	}
	return a.connectionList(r, by, filter, f).write(w, a, p)
}
