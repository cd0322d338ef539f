package mgmt

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

var errLogPaging = errs.New(errs.Invalid, "invalid_paging",
	"You can only page through the first %d records. See https://auth0.com/docs/logs/retrieve-log-events-using-mgmt-api#limitations", audit.Window)

// sortOfLogs is what sort has to look like (reference/users.md §3.9).
var sortOfLogs = schema.Property{
	Name:        "sort",
	Description: "Field to use for sorting appended with :1 for ascending and :-1 for descending. e.g. date:-1",
	Pattern:     regexp.MustCompile(`^(date|connection|client_id|client_name|ip|user_id|user_name|description|user_agent|type|details|strategy|strategy_type):(1|-1)$`),
}

// logPage reads page, per_page, sort and include_totals. Without sort the newest
// come first.
func (q *query) logPage(least int) (audit.Page, paging) {
	p := paging{
		page:    q.number("page", "Page index of the results to return. First page is 0.", 0, maxPageNumber, 0),
		perPage: q.number("per_page", "Number of results per page.", least, MaxPage, 50),
		totals:  q.totals(),
	}
	out := audit.Page{Offset: p.offset(), Limit: p.perPage, Total: p.totals, Descending: true}
	if s := q.text(sortOfLogs); s != "" && q.bad == nil {
		field, direction, _ := strings.Cut(s, ":")
		if !audit.Sortable(field) {
			q.refuse("sort", sortOfLogs.Description, schema.NotPassed, "Logs cannot be sorted by "+field)
		}
		out.SortBy, out.Descending = field, direction == "-1"
	}
	if q.bad == nil && p.offset()+p.perPage > audit.Window {
		q.bad = errLogPaging
	}
	return out, p
}

// search reads q, and search where there is no q.
func (q *query) search() *audit.Search {
	name := "q"
	if !q.values.Has(name) {
		name = "search"
	}
	text := q.text(schema.Property{Name: name})
	if text == "" || q.bad != nil {
		return new(audit.Search)
	}
	s, err := audit.ParseSearch(text)
	if err != nil {
		q.bad = &errs.Error{Kind: errs.Invalid, Code: "invalid_query_string", Text: "The search query string has an error: " + err.Error()}
	}
	return s
}

// listLogs is GET /logs, by page or, with from or take, from a checkpoint on.
func (a *api) listLogs(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	if q.values.Has("from") || q.values.Has("take") {
		return a.logsSince(w, r, q)
	}
	page, p := q.logPage(0)
	f := q.fields(nil)
	search := q.search()
	if err := q.err(); err != nil {
		return err
	}
	return a.writeLogs(w, r, search, page, p, f)
}

// userLogs is GET /users/{id}/logs. Somebody who is gone has left a log too.
func (a *api) userLogs(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	q := queryOf(r)
	page, p := q.logPage(1)
	if err := q.err(); err != nil {
		return err
	}
	return a.writeLogs(w, r, audit.OfUser(string(id)), page, p, fields{})
}

func (a *api) writeLogs(w http.ResponseWriter, r *http.Request, search *audit.Search, page audit.Page, p paging, f fields) error {
	events, total, err := audit.List(r.Context(), a.Logs, search, page)
	if err != nil {
		return err
	}
	shown, err := a.showLogs(r, events, f)
	if err != nil {
		return err
	}
	if !p.totals {
		web.WriteJSON(w, http.StatusOK, web.TypeJSON, shown)
		return nil
	}
	b := append(make([]byte, 0, len(shown)+80), `{"start":`...)
	b = strconv.AppendInt(b, int64(p.offset()), 10)
	b = strconv.AppendInt(append(b, `,"limit":`...), int64(p.perPage), 10)
	b = strconv.AppendInt(append(b, `,"length":`...), int64(len(events)), 10)
	b = strconv.AppendInt(append(b, `,"total":`...), int64(total), 10)
	b = append(append(append(b, `,"logs":`...), shown...), '}')
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, b)
	return nil
}

// logsSince is GET /logs with from or take: what comes behind that event, oldest
// first, as a bare array with the next page in the Link header. All other
// parameters are ignored, as the contract says.
func (a *api) logsSince(w http.ResponseWriter, r *http.Request, q *query) error {
	from := q.text(schema.Property{Name: "from"})
	take := q.number("take", "Number of entries to retrieve when using the from parameter. Default 50, max 100", 1, MaxPage, 50)
	if from != "" && !audit.IsID(from) {
		q.refuse("from", "Log Event Id from which to start selection from.", schema.PatternMismatch, "Invalid value "+string(profile.Text(shorten(from))))
	}
	if err := q.err(); err != nil {
		return err
	}
	events, err := audit.Since(r.Context(), a.Logs, from, take, a.Now().UnixMicro())
	if err != nil {
		return err
	}
	shown, err := a.showLogs(r, events, fields{})
	if err != nil {
		return err
	}
	if len(events) > 0 {
		next := a.PublicURL + Prefix + "/logs?from=" + events[len(events)-1].ID + "&take=" + strconv.Itoa(take)
		w.Header()["Link"] = []string{"<" + next + `>; rel="next"`}
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, shown)
	return nil
}

// getLog is GET /logs/{id}.
func (a *api) getLog(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	e, err := a.Logs.Event(r.Context(), id)
	if err != nil {
		return err
	}
	shown, err := a.showLogs(r, []audit.Event{e}, fields{})
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(shown[1:len(shown)-1]))
	return nil
}

func (a *api) showLogs(r *http.Request, events []audit.Event, f fields) ([]byte, error) {
	names, err := a.userNames(r, events)
	if err != nil {
		return nil, err
	}
	shown := make([]json.RawMessage, len(events))
	for i := range events {
		around, err := a.surroundings(r, &events[i])
		if err != nil {
			return nil, err
		}
		around.userName = names[events[i].UserID]
		if shown[i], err = f.apply(logJSON(&events[i], around)); err != nil {
			return nil, err
		}
	}
	return array(shown), nil
}

// userNames are the names of the users of the events, by user_id. Whoever was
// deleted has none any more: the log keeps no names.
func (a *api) userNames(r *http.Request, events []audit.Event) (map[string]string, error) {
	names := map[string]string{}
	var ids []user.ID
	for i := range events {
		id := events[i].UserID
		if _, known := names[id]; id != "" && !known {
			names[id] = ""
			ids = append(ids, user.ID(id))
		}
	}
	views, err := a.UserStore.Views(r.Context(), ids)
	if err != nil {
		return nil, err
	}
	for i := range views {
		names[string(views[i].ID)] = logName(views[i].Attributes)
	}
	return names, nil
}

// logName is what a log calls somebody with these attributes: what they sign in
// with, else their name.
func logName(attributes []byte) string {
	var m map[string]json.RawMessage
	if json.Unmarshal(attributes, &m) != nil {
		return ""
	}
	for _, name := range []string{profile.Username, profile.Email, profile.PhoneNumber, profile.Name} {
		if text, ok := schema.Text(m[name]); ok && text != "" {
			return text
		}
	}
	return ""
}

// surroundings is what a record shows of the client, the connection and the user as
// they are now; zero when they are gone.
type surroundings struct {
	clientName, connection, userName string
	strategy                         connection.Strategy
}

func (a *api) surroundings(r *http.Request, e *audit.Event) (out surroundings, err error) {
	if e.ClientID != "" {
		c, err := a.ClientStore.Client(r.Context(), e.ClientID)
		switch {
		case err == nil:
			out.clientName = c.Name
		case !errors.Is(err, client.ErrNotFound):
			return out, err
		}
	}
	if e.ConnectionID != "" {
		c, err := a.ConnectionStore.Connection(r.Context(), e.ConnectionID)
		switch {
		case err == nil:
			out.connection = c.Name
			out.strategy, _ = connection.StrategyOf(c.Strategy)
		case !errors.Is(err, connection.ErrNotFound):
			return out, err
		}
	}
	return out, nil
}

// logJSON is the wire form of a record (reference/authentication.md §7.7): every
// member is always there.
func logJSON(e *audit.Event, around surroundings) []byte {
	null := []byte("null")
	details, audience, scope := []byte(e.Details), null, null
	if e.Type == audit.ClientGrantOK {
		details, audience, scope = null, detail(e.Details, "audience"), detail(e.Details, "scope")
	}
	switch {
	case len(details) > 0:
	case strings.HasPrefix(e.Type, "f") && e.Description != "": // failures say why in both places
		var why, o object
		why.text("message", e.Description)
		o.raw("error", why.end())
		details = o.end()
	default:
		details = null
	}
	name := e.Connection
	if name == "" {
		name = around.connection
	}
	var o object
	o.text("_id", e.ID)
	o.text("log_id", e.ID)
	o.text("date", iso(e.At))
	o.text("type", e.Type)
	o.text("description", e.Description)
	o.text("connection", name)
	o.text("connection_id", e.ConnectionID)
	o.raw("organization_id", null)
	o.raw("organization_name", null)
	o.text("client_id", e.ClientID)
	o.text("client_name", around.clientName)
	o.text("ip", e.IP)
	o.raw("hostname", null)
	o.raw("details", details)
	o.text("user_id", e.UserID)
	o.text("user_name", around.userName)
	o.text("user_agent", e.UserAgent)
	o.raw("audience", audience)
	o.raw("scope", scope)
	o.text("strategy", around.strategy.Name)
	o.text("strategy_type", strategyType(around.strategy.Group))
	o.raw("isMobile", strconv.AppendBool(nil, mobile(e.UserAgent)))
	o.raw("location_info", null)
	return o.end()
}

// detail is a member of the details that we keep; null when it is not there.
func detail(object []byte, name string) []byte {
	var m map[string]json.RawMessage
	if json.Unmarshal(object, &m) != nil || m[name] == nil {
		return []byte("null")
	}
	return m[name]
}

// strategyType is how a log names the group of a strategy.
func strategyType(g connection.Group) string {
	switch g {
	case connection.DatabaseGroup:
		return "database"
	case connection.PasswordlessGroup:
		return "passwordless"
	case connection.SocialGroup:
		return "social"
	case connection.EnterpriseGroup:
		return "enterprise"
	}
	return ""
}

// mobile reports whether a user agent says that it is a phone or a tablet;
// browsers agree on the syllable.
func mobile(userAgent string) bool { return strings.Contains(userAgent, "Mobi") }
