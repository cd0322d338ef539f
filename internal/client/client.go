package client

import (
	"context"
	"encoding/json"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
)

// Client as stored. Values that come from the store are shared: do not change them.
type Client struct {
	ID     string // 32 alphanumerics
	Secret string // 64 URL-safe characters; the store seals it; empty for public clients
	Name   string
	Global bool // the "All Applications" client
	// Doc is a compact JSON object of all other members of the wire form, as set
	// or defaulted (grant_types, callbacks, app_type, jwt_configuration, …).
	Doc                  json.RawMessage
	Version              int64
	CreatedAt, UpdatedAt int64 // microseconds
	// Credentials are made together with a new client; a client that was read has none here.
	Credentials []Credential

	// parsed makes Settings cheap. Copy with Clone.
	parsed parsed
}

// ErrNotFound is in reference/authentication.md §6.4.
var ErrNotFound = errs.New(errs.NotFound, "inexistent_client", "The client does not exist")

// Filter narrows a list; nil does not narrow.
type Filter struct{ Global *bool }

// Page as in connection.Page: keyset by id, or offset.
type Page struct {
	After  string
	Offset int
	Limit  int
}

// Store keeps clients.
type Store interface {
	Client(ctx context.Context, id string) (*Client, error)
	Clients(ctx context.Context, f Filter, p Page) (list []*Client, total int, err error)
	CreateClient(ctx context.Context, c *Client, e audit.Event) error
	UpdateClient(ctx context.Context, id string, fn func(*Client) error, e audit.Event) (*Client, error)
	// DeleteClient also deletes its grants and takes it out of every connection.
	DeleteClient(ctx context.Context, id string, e audit.Event) error
}
