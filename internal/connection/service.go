package connection

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// Service is the use cases. All fields are required.
//
// Each takes an audit.Event that says who asks (ClientID, UserID, IP,
// UserAgent); the service fills in the rest and hands it to the store.
type Service struct {
	Store Store
	// HasClient reports whether a client exists.
	HasClient func(ctx context.Context, id string) (bool, error)
	Now       func() time.Time
	// NewID makes ids of connections; production uses NewID of this package.
	NewID func() string
	// NewMask makes what is shown instead of a configuration value.
	NewMask func() string
	// Preparers by strategy; strategies without one need none.
	Preparers map[string]Preparer
}

// NewService has production's sources of ids.
func NewService(store Store, hasClient func(ctx context.Context, id string) (bool, error), now func() time.Time) *Service {
	return &Service{Store: store, HasClient: hasClient, Now: now, NewID: NewID, NewMask: NewMask}
}

// NewID is con_ and 16 random alphanumerics.
func NewID() string { return "con_" + rand.Text()[:16] }

// NewMask is 52 random alphanumerics, which are base64 too.
func NewMask() string { return rand.Text() + rand.Text() }

// Get finds one by id; ErrNotFound.
func (s *Service) Get(ctx context.Context, id string) (*Connection, error) {
	return s.Store.Connection(ctx, id)
}

// List is a page by id, and how many there are in all.
func (s *Service) List(ctx context.Context, f Filter, p Page) ([]*Connection, int, error) {
	return s.Store.Connections(ctx, f, p)
}

// Create makes a connection of the members of a body. Errors: schema.Error,
// *errs.Error (ErrExists, ErrDeleting, ErrRealm, and those of options).
func (s *Service) Create(ctx context.Context, members []strictjson.Member, by audit.Event) (*Connection, error) {
	body, err := checkBody(&createBody, members)
	if err != nil {
		return nil, err
	}
	c := &Connection{
		ID: s.NewID(), Name: body.Text("name"), Strategy: body.Text("strategy"),
		EnabledClients: unique(body.Texts("enabled_clients")),
		Version:        1, CreatedAt: s.Now().UnixMicro(),
	}
	c.UpdatedAt = c.CreatedAt
	options, err := newOptions(c.Strategy, body.Object("options"), s.NewMask)
	if err != nil {
		return nil, err
	}
	if options, err = s.prepare(ctx, c.Strategy, c.Name, nil, options); err != nil {
		return nil, err
	}
	c.Options = options.Encode()
	c.setRealms(body.Texts("realms"))
	if err := s.clientsExist(ctx, c.EnabledClients); err != nil {
		return nil, err
	}
	extra := strictjson.Document{
		"is_domain_connection": json.RawMessage("false"),
		"authentication":       json.RawMessage(`{"active":true}`),
		"connected_accounts":   json.RawMessage(`{"active":false}`),
	}
	if strategies[c.Strategy].ShowsButton() {
		extra["show_as_button"] = json.RawMessage("false")
	}
	if named[c.Strategy] {
		extra["display_name"] = body["name"]
	}
	if err := setExtra(extra, body); err != nil {
		return nil, err
	}
	c.Extra = extra.Encode()
	return c, s.Store.CreateConnection(ctx, c, s.event(by, "Create a connection", c.ID, c.Name))
}

// Patch edits a connection: options are replaced as a whole, but for what is
// carried over; members that were not sent stay as they are. ifVersion, when not
// zero, must be the connection's version. Errors as Create's, ErrNotFound, ErrStale.
func (s *Service) Patch(ctx context.Context, id string, ifVersion int64, members []strictjson.Member, by audit.Event) (*Connection, error) {
	body, err := checkBody(&patchBody, members)
	if err != nil {
		return nil, err
	}
	now, err := s.Store.Connection(ctx, id)
	if err != nil {
		return nil, err
	}
	clients := unique(body.Texts("enabled_clients"))
	if err := s.clientsExist(ctx, clients); err != nil {
		return nil, err
	}
	mayCustomize, err := s.mayCustomize(ctx, now, body)
	if err != nil {
		return nil, err
	}
	var options json.RawMessage
	edit := func(c *Connection) error {
		if ifVersion != 0 && ifVersion != c.Version {
			return ErrStale
		}
		if body.Has("options") {
			if c.Version != now.Version {
				return errMoved
			}
			c.Options = options
		}
		if body.Has("enabled_clients") {
			c.EnabledClients = slices.Clone(clients)
		}
		if _, ok := body["realms"]; ok {
			c.setRealms(body.Texts("realms"))
		}
		extra := strictjson.ParseDocument(c.Extra)
		if extra == nil {
			extra = strictjson.Document{}
		}
		// The contract: a PATCH without display_name puts the name in its place.
		if _, ok := body["display_name"]; !ok && extra.Has("display_name") {
			extra["display_name"] = profile.Text(c.Name)
		}
		if err := setExtra(extra, body); err != nil {
			return err
		}
		c.Extra = extra.Encode()
		c.UpdatedAt = s.Now().UnixMicro()
		return nil
	}
	for range patchTries {
		if options, err = s.replaceOptions(ctx, now, body, mayCustomize); err != nil {
			return nil, err
		}
		c, err := s.Store.UpdateConnection(ctx, id, edit, s.event(by, "Update a connection", now.ID, now.Name))
		if !errors.Is(err, errMoved) {
			return c, err
		}
		if now, err = s.Store.Connection(ctx, id); err != nil {
			return nil, err
		}
	}
	return nil, ErrStale
}

// patchTries bounds how often a PATCH starts afresh: its options were prepared for
// those that somebody else has replaced meanwhile.
const patchTries = 5

var errMoved = errors.New("the connection was changed while its options were prepared")

// replaceOptions are the options that a PATCH leaves, encoded; nil: it has none.
func (s *Service) replaceOptions(ctx context.Context, c *Connection, body strictjson.Document, mayCustomize bool) (json.RawMessage, error) {
	if !body.Has("options") {
		return nil, nil
	}
	stored, sent := strictjson.ParseDocument(c.Options), body.Object("options")
	options, err := replacedOptions(c.Strategy, stored, sent, s.NewMask)
	if err != nil {
		return nil, err
	}
	if customizationChanges(c.Strategy, stored, options) && !mayCustomize {
		return nil, errHasUsers
	}
	if options, err = s.prepare(ctx, c.Strategy, c.Name, stored, options); err != nil {
		return nil, err
	}
	return options.Encode(), nil
}

// mayCustomize looks, before the transaction, whether enabledDatabaseCustomization
// may change: only while the database has no users.
func (s *Service) mayCustomize(ctx context.Context, c *Connection, body strictjson.Document) (bool, error) {
	if !body.Has("options") || !customizationChanges(c.Strategy, strictjson.ParseDocument(c.Options), body.Object("options")) {
		return false, nil
	}
	users, err := s.Store.HasUsers(ctx, c.ID)
	return !users, err
}

// Delete hides the connection; its users are removed later. It returns the time
// of deletion; ErrNotFound when there is none; ErrStale when ifVersion is not
// zero and not the connection's version.
func (s *Service) Delete(ctx context.Context, id string, ifVersion int64, by audit.Event) (time.Time, error) {
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	at := s.Now()
	return at, s.Store.DeleteConnection(ctx, id, ifVersion, at.UnixMicro(), s.event(by, "Delete a connection", c.ID, c.Name))
}

// ClientChange switches a connection on or off for one client.
type ClientChange struct {
	ClientID string
	Enabled  bool
}

// SetClients applies the changes in order. Errors: ErrNotFound, and
// *errs.Error when a client that is to be enabled does not exist.
func (s *Service) SetClients(ctx context.Context, id string, changes []ClientChange, by audit.Event) error {
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return err
	}
	for _, ch := range changes {
		if !ch.Enabled {
			continue
		}
		switch ok, err := s.HasClient(ctx, ch.ClientID); {
		case err != nil:
			return err
		case !ok:
			return errNoClient
		}
	}
	edit := func(c *Connection) error {
		list := slices.Clone(c.EnabledClients)
		for _, ch := range changes {
			at := slices.Index(list, ch.ClientID)
			switch {
			case ch.Enabled && at < 0:
				list = append(list, ch.ClientID)
			case !ch.Enabled && at >= 0:
				list = slices.Delete(list, at, at+1)
			}
		}
		c.EnabledClients = list
		c.UpdatedAt = s.Now().UnixMicro()
		return nil
	}
	_, err = s.Store.UpdateConnection(ctx, id, edit, s.event(by, "Update enabled clients of a connection", c.ID, c.Name))
	return err
}

// errNoClient is what the sub-resource answers (PATCH /connections/{id}/clients).
var errNoClient = errs.New(errs.NotFound, "inexistent_client", "The client does not exist")

// clientsExist refuses a body that enables clients that do not exist.
func (s *Service) clientsExist(ctx context.Context, ids []string) error {
	for _, id := range ids {
		switch ok, err := s.HasClient(ctx, id); {
		case err != nil:
			return err
		case !ok:
			return errs.New(errs.Invalid, "invalid_body", "The client %s of enabled_clients does not exist", id)
		}
	}
	return nil
}

// named are the strategies whose new connections show their name as display_name,
// too, where none is sent.
var named = map[string]bool{"oidc": true, "okta": true, "waad": true}

func (s *Service) event(by audit.Event, description, id, name string) audit.Event {
	by.Type, by.At = audit.APIOperation, s.Now().UnixMicro()
	by.Description, by.ConnectionID, by.Connection = description, id, name
	return by
}

// setRealms: without realms of its own a connection has its name.
func (c *Connection) setRealms(realms []string) {
	c.Realms = unique(realms)
	if len(c.Realms) == 0 {
		c.Realms = []string{c.Name}
	}
}

// setExtra takes the remaining members of a body over.
func setExtra(extra, body strictjson.Document) error {
	for _, name := range []string{
		"display_name", "is_domain_connection", "show_as_button", "metadata", "authentication",
		"connected_accounts", "cross_app_access_requesting_app",
	} {
		if v, ok := body[name]; ok {
			extra[name] = v
		}
	}
	if extra.Object("cross_app_access_requesting_app").Flag("active") {
		return errCrossApp
	}
	if metadata := body.Object("metadata"); metadata != nil {
		for key, v := range metadata {
			if string(v) == "null" {
				delete(metadata, key)
			}
		}
		extra["metadata"] = metadata.Encode()
	}
	return nil
}

func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
