package mgmt

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/web"
)

// maxClients of one page of GET /connections/{id}/clients.
const maxClients = 1000

// connectionClients is GET /connections/{id}/clients, by client id.
func (a *api) connectionClients(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	q := queryOf(r)
	take := q.number("take", "Number of results per page. Defaults to 50.", 1, maxClients, 50)
	from := q.text(schema.Property{Name: "from", Max: 1000, Description: "Optional Id from which to start selection."})
	if err := q.err(); err != nil {
		return err
	}
	name := listName("connections/" + id + "/clients")
	after, err := a.after(name, from)
	if err != nil {
		return err
	}
	c, err := a.Connections.Get(r.Context(), id)
	if err != nil {
		return err
	}
	ids := slices.Sorted(slices.Values(c.EnabledClients))
	start, _ := slices.BinarySearch(ids, after)
	if start < len(ids) && ids[start] == after {
		start++
	}
	ids = ids[start:]
	next := ""
	if len(ids) > take {
		ids = ids[:take]
		next = a.cursor(name, ids[take-1])
	}
	items := make([]json.RawMessage, len(ids))
	for i, clientID := range ids {
		var o object
		o.text("client_id", clientID)
		items[i] = o.end()
	}
	p := paging{checkpoint: true}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(p.envelope("clients", array(items), 0, next)))
	return nil
}

// clientChanges is the body of PATCH /connections/{id}/clients
// (UpdateEnabledClientConnectionsRequestContent).
var clientChanges = schema.Property{
	Types: schema.Array, Min: 1, Max: 50,
	Items: &schema.Property{
		Types: schema.Object, Closed: true, Required: []string{"client_id", "status"},
		Members: []schema.Property{
			{
				Name: "client_id", Types: schema.String, Min: 1, Max: 128,
				Description: "The client_id of the client whose status will be changed. Note that the limit per PATCH request is 50 clients.",
			},
			{Name: "status", Types: schema.Boolean, Description: "Whether the connection is enabled or not for this client_id"},
		},
	},
}

// setConnectionClients is PATCH /connections/{id}/clients.
func (a *api) setConnectionClients(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	body, err := readArray(r)
	if err != nil {
		return err
	}
	if err := checkBody(clientChanges.Check("", body)); err != nil {
		return err
	}
	var changes []connection.ClientChange
	for _, item := range schema.Elements(body) {
		var ch connection.ClientChange
		for m := range schema.Members(item) {
			switch m.Name() {
			case "client_id":
				ch.ClientID, _ = schema.Text(m.Value)
			case "status":
				ch.Enabled = string(m.Value) == "true"
			}
		}
		changes = append(changes, ch)
	}
	if err := a.Connections.SetClients(r.Context(), id, changes, by.event(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readArray reads a JSON body that need not be an object. What it is, is the
// schema's to check.
func readArray(r *http.Request) (json.RawMessage, error) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, given := params["charset"]
	if err != nil || media != web.TypeJSONPlain || given && !strings.EqualFold(charset, "utf-8") {
		return nil, web.ErrUnsupported
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, web.ErrUnsupported
	}
	if r.ContentLength > web.MaxBody {
		return nil, web.ErrTooLarge
	}
	data, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, web.MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, web.ErrTooLarge
	case err != nil:
		return nil, web.ErrCutOff.Because(err)
	}
	return strictjson.Compact(data)
}
