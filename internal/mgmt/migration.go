package mgmt

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// migrationRoutes are about custom databases, and about moving in from one. All of
// them are ours.
func (a *api) migrationRoutes() []route {
	// Whoever may write scripts may run them: nobody else.
	try := oneOf("update:connections", updateOptions)
	return []route{
		{"GET", "/connections/{id}/migration", oneOf("read:connections"), a.migrationProgress},
		{"GET", "/connections/{id}/migration/people", oneOf("read:users"), a.migrationPeople},
		{"POST", "/connections/{id}/migration/pull", oneOf("create:users"), a.pullUsers},
		{"POST", "/connections/{id}/actions/{action}/try", try, allOf(try, a.tryAction)},
	}
}

var errNoAction = errs.New(errs.NotFound, "inexistent_action", "There is no such action.")

// customDatabase is the connection of the path, which has actions.
func (a *api) customDatabase(r *http.Request) (*connection.Connection, error) {
	id, err := web.Param(r, "id")
	if err != nil {
		return nil, err
	}
	c, err := a.Connections.Get(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if class := c.Class(); class != profile.ImportDatabase && class != profile.ExternalDatabase {
		return nil, user.ErrNoCustomDatabase
	}
	return c, nil
}

// migrationProgress is GET /connections/{id}/migration.
//
// What the old store said last may name a person, which is for whoever may read people.
func (a *api) migrationProgress(w http.ResponseWriter, r *http.Request, by *caller) error {
	c, err := a.customDatabase(r)
	if err != nil {
		return err
	}
	p, err := a.Migrations.Progress(r.Context(), c.ID)
	if err != nil {
		return err
	}
	if !by.has(readUsers) {
		p.LastError = ""
	}
	return shown(w, progressJSON(customdb.OptionsOf(c), p, c.Class() == profile.ImportDatabase))
}

// progressJSON is the wire form. An external store is asked for ever: it has no mode.
func progressJSON(options *customdb.Options, p customdb.Progress, migrates bool) json.RawMessage {
	var o, actions object
	if migrates {
		o.text("mode", string(options.Mode))
	}
	for _, action := range customdb.Actions {
		if carrier := options.Carrier(action); carrier != customdb.None {
			actions.text(string(action), string(carrier))
		}
	}
	o.raw("actions", actions.whole())
	for _, count := range []struct {
		name string
		n    int64
	}{
		{"migrated", p.Migrated}, {"seen", p.Migrated + p.Known + p.Differing}, {"known", p.Known}, {"failing", p.Failing}, {"differing", p.Differing},
		{"compared", p.Compared}, {"same", p.Same}, {"deleted", p.Deleted},
	} {
		o.raw(count.name, strconv.AppendInt(nil, count.n, 10))
	}
	o.raw("truncated", truth(p.Truncated))
	o.time("first_at", p.FirstAt)
	o.time("last_migration", p.LastMigration)
	if p.LastErrorAt != 0 {
		if p.LastError != "" {
			o.text("last_error", p.LastError)
		}
		o.time("last_error_at", p.LastErrorAt)
	}
	return o.end()
}

// whole is end of an object that may be empty.
func (o *object) whole() []byte {
	if len(o.b) == 0 {
		return []byte("{}")
	}
	return o.end()
}

// time adds a time in microseconds; zero: nothing.
func (o *object) time(name string, at int64) {
	if at != 0 {
		o.raw(name, stamp(at))
	}
}

var stateFilter = schema.Property{
	Name: "state", Description: "Only people in this state.",
	Enum: []string{string(customdb.Known), string(customdb.Failing), string(customdb.Differing)},
}

// migrationPeople is GET /connections/{id}/migration/people.
func (a *api) migrationPeople(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	state := q.text(stateFilter)
	p := q.paging()
	p.checkpoint = true // the only shape of this list
	if err := q.err(); err != nil {
		return err
	}
	c, err := a.customDatabase(r)
	if err != nil {
		return err
	}
	return listing[customdb.Straggler]{
		key:  "people",
		name: listName("migration", c.ID, state),
		fetch: func(after string, _, limit int) ([]customdb.Straggler, int, error) {
			list, err := a.Migrations.Stragglers(r.Context(), c.ID, customdb.State(state), after, limit)
			return list, 0, err
		},
		id: func(s customdb.Straggler) string { return s.Name },
		show: func(s customdb.Straggler) ([]byte, error) {
			var o object
			o.text("name", s.Name)
			o.text("state", string(s.State))
			if s.Reason != "" {
				o.text("reason", s.Reason)
			}
			o.time("at", s.At)
			return o.end(), nil
		},
	}.write(w, a, p)
}

var (
	pullBody = schema.Property{
		Types: schema.Object, Closed: true,
		Members: []schema.Property{
			{Name: "after", Types: schema.String, Description: "Cursor of the page, as next gave it"},
			{Name: "limit", Types: schema.Integer, Min: 1, Max: user.PullLimit, Description: "People of the page"},
			{
				Name: "identifiers", Types: schema.Array, Min: 1, Max: user.PullLimit, Description: "The people to pull, instead of a page",
				Items: &schema.Property{Types: schema.String, Min: 1, Max: user.PullNameLimit},
			},
			{Name: "without_password", Types: schema.Boolean, Description: "Take people whose password hash is not known, too"},
		},
	}
	errPullWhom = errs.New(errs.Invalid, "invalid_body", "identifiers excludes after and limit")
)

// pullUsers is POST /connections/{id}/migration/pull.
func (a *api) pullUsers(w http.ResponseWriter, r *http.Request, by *caller) error {
	body, err := readBody(r, pullBody)
	if err != nil {
		return err
	}
	d := strictjson.ParseDocument(body)
	if d.Has("identifiers") && (d.Has("after") || d.Has("limit")) {
		return errPullWhom
	}
	c, err := a.customDatabase(r)
	if err != nil {
		return err
	}
	limit, ok := d.Number("limit")
	if !ok {
		limit = user.PullLimit
	}
	res, err := a.Users.Pull(r.Context(), c, user.PullRequest{
		After: d.Text("after"), Limit: limit, Identifiers: d.Texts("identifiers"), WithoutPassword: d.Flag("without_password"),
	}, by.actor(r))
	if err != nil {
		return err
	}
	failures := make([]json.RawMessage, len(res.Failures))
	for i, f := range res.Failures {
		var o object
		o.text("name", f.Name)
		o.text("reason", f.Reason)
		failures[i] = o.end()
	}
	var o object
	o.raw("migrated", strconv.AppendInt(nil, int64(res.Migrated), 10))
	o.raw("present", strconv.AppendInt(nil, int64(res.Present), 10))
	o.raw("deleted", strconv.AppendInt(nil, int64(res.Deleted), 10))
	o.raw("failed", strconv.AppendInt(nil, int64(res.Failed), 10))
	o.raw("failures", array(failures))
	if res.Next != "" {
		o.text("next", res.Next)
	}
	return shown(w, o.end())
}

// tryBody is what a try may bring. What the options may be is checked as in a PATCH.
var tryBody = schema.Property{
	Types: schema.Object, Closed: true,
	Members: []schema.Property{
		{Name: "args", Types: schema.Object, Description: "The parameters of the action, by name"},
		{
			Name: "options", Types: schema.Object, Closed: true, Description: "Options in the place of those of the connection, for this run",
			Members: []schema.Property{
				{Name: "customScripts", Types: schema.Object | schema.Null}, {Name: "configuration", Types: schema.Object | schema.Null},
				{Name: "sql", Types: schema.Object | schema.Null}, {Name: "webhook", Types: schema.Object | schema.Null},
				{Name: "enable_script_context", Types: schema.Boolean},
			},
		},
	},
}

// tryAction is POST /connections/{id}/actions/{action}/try: it runs an action, with
// options that nobody has saved yet. Nothing is changed here; what the action does to
// the custom database is done.
func (a *api) tryAction(w http.ResponseWriter, r *http.Request, by *caller) error {
	name, err := web.Param(r, "action")
	if err != nil {
		return err
	}
	action := customdb.Action(name)
	if !slices.Contains(customdb.Actions, action) {
		return errNoAction
	}
	body, err := readBody(r, tryBody)
	if err != nil {
		return err
	}
	d := strictjson.ParseDocument(body)
	call, err := customdb.Given(action, d["args"])
	var wrong schema.Error
	if errors.As(err, &wrong) {
		return checkBody(wrong)
	}
	if err != nil {
		return err
	}
	c, err := a.customDatabase(r)
	if err != nil {
		return err
	}
	options := d.Object("options")
	if c, err = a.Connections.Tried(r.Context(), c, options); err != nil {
		return err
	}
	t, err := a.Users.TryAction(r.Context(), c, call, slices.Sorted(maps.Keys(options)), by.actor(r))
	if err != nil {
		return err
	}
	return shown(w, trialJSON(t))
}

// trialJSON is the wire form.
func trialJSON(t *user.Trial) json.RawMessage {
	var o object
	o.raw("ok", truth(t.Failure == nil))
	if f := t.Failure; f != nil {
		o.raw("error", failureJSON(f))
	}
	if t.Result != nil {
		o.raw("result", t.Result)
	}
	if t.Attributes != nil {
		o.raw("profile", t.Attributes)
	}
	if len(t.Dropped) > 0 {
		dropped := make([]json.RawMessage, len(t.Dropped))
		for i, d := range t.Dropped {
			var o object
			o.text("name", d.Name)
			o.text("why", d.Why)
			dropped[i] = o.end()
		}
		o.raw("dropped", array(dropped))
	}
	if t.Refusal != nil {
		o.text("refusal", errs.From(t.Refusal).Text)
	}
	console := make([]json.RawMessage, len(t.Console))
	for i, line := range t.Console {
		var o object
		o.text("level", line.Level)
		o.text("text", line.Text)
		console[i] = o.end()
	}
	o.raw("console", array(console))
	o.raw("milliseconds", strconv.AppendInt(nil, t.Took.Milliseconds(), 10))
	return o.end()
}

func failureJSON(f *customdb.Failure) []byte {
	var o object
	o.text("kind", string(f.Kind))
	for _, part := range []struct{ name, text string }{{"user_id", f.UserID}, {"code", f.Code}, {"message", f.Message}, {"detail", f.Detail}} {
		if part.text != "" {
			o.text(part.name, part.text)
		}
	}
	return o.end()
}
