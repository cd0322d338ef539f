package grant

import (
	"context"
	"encoding/json"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
)

// Grant as stored.
type Grant struct {
	ID       string // cgr_ and 16 alphanumerics
	ClientID string
	Audience string
	Scope    []string
	// Extra: the other members that were set, a compact JSON object.
	Extra   json.RawMessage
	Version int64
}

// Failures.
var (
	ErrNotFound = errs.New(errs.NotFound, "inexistent_client_grant", "The grant does not exist.")
	ErrExists   = errs.New(errs.Conflict, "conflict", "A resource with those attributes already exists.")
)

// Filter narrows a list; empty members do not.
type Filter struct{ ClientID, Audience string }

// Page as in connection.Page.
type Page struct {
	After  string
	Offset int
	Limit  int
}

// Store keeps client grants, unique by (client, audience).
type Store interface {
	Grant(ctx context.Context, id string) (*Grant, error)
	GrantFor(ctx context.Context, clientID, audience string) (*Grant, error)
	Grants(ctx context.Context, f Filter, p Page) (list []*Grant, total int, err error)
	CreateGrant(ctx context.Context, g *Grant, e audit.Event) error
	UpdateGrant(ctx context.Context, id string, fn func(*Grant) error, e audit.Event) (*Grant, error)
	DeleteGrant(ctx context.Context, id string, e audit.Event) error
}
