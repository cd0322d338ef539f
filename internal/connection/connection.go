package connection

import (
	"context"
	"encoding/json"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
)

// Connection as stored. Values that come from the store are shared: do not
// change them, but for the copy that UpdateConnection hands to its fn.
type Connection struct {
	ID       string // con_ and 16 alphanumerics
	Name     string
	Strategy string
	// Options is a compact JSON object. The store seals it: it holds upstream secrets.
	Options json.RawMessage
	// EnabledClients are the ids of the clients that may use it, in order of enabling.
	EnabledClients []string
	// Realms are the names by which password-realm finds it; never empty.
	Realms []string
	// Extra holds the other members of the wire form that were set: display_name,
	// is_domain_connection, show_as_button, metadata, authentication,
	// connected_accounts, … as a compact JSON object.
	Extra                json.RawMessage
	Version              int64
	CreatedAt, UpdatedAt int64 // microseconds

	// parsed makes Facts and its neighbours cheap. Copy with Clone.
	parsed parsed
}

// Failures (reference/connections.md §1.4).
var (
	ErrNotFound = errs.New(errs.NotFound, "inexistent_connection", "The connection does not exist")
	ErrExists   = errs.New(errs.Conflict, "conflict", "A connection with the same name already exists")
	ErrDeleting = errs.New(errs.Conflict, "conflict", "A connection with the same name is being deleted, try again later")
	ErrStale    = errs.New(errs.Stale, "precondition_failed", "The connection was changed since it was read.")
	ErrRealm    = errs.New(errs.Conflict, "conflict", `There is already another connection with some realms from "realms" parameter`)
)

// Filter narrows a list. Zero members do not narrow.
type Filter struct {
	Name       string
	Strategies []string
	ClientID   string // enabled for this client
}

// Page asks for Limit items. After is the id of the last item seen (keyset, by
// id); Offset skips instead, for page/per_page.
type Page struct {
	After  string
	Offset int
	Limit  int
}

// Store keeps connections. Names and realms are unique; deleted connections
// keep their name until their users are gone.
type Store interface {
	Connection(ctx context.Context, id string) (*Connection, error)
	ConnectionByName(ctx context.Context, name string) (*Connection, error)
	// ConnectionByRealm finds by realm, which includes the name of a connection without realms of its own.
	ConnectionByRealm(ctx context.Context, realm string) (*Connection, error)
	// Connections lists by id; total counts all that the filter lets through.
	Connections(ctx context.Context, f Filter, p Page) (list []*Connection, total int, err error)
	CreateConnection(ctx context.Context, c *Connection, e audit.Event) error
	UpdateConnection(ctx context.Context, id string, fn func(*Connection) error, e audit.Event) (*Connection, error)
	// DeleteConnection hides the connection at once and queues the removal of its
	// users. ErrStale when ifVersion is not zero and not the connection's version.
	DeleteConnection(ctx context.Context, id string, ifVersion, at int64, e audit.Event) error
	// HasUsers reports whether any user has its primary identity there.
	HasUsers(ctx context.Context, id string) (bool, error)
}
