package resourceserver

import (
	"context"
	"encoding/json"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
)

// ResourceServer as stored.
type ResourceServer struct {
	ID         string // 24 lower-case hex
	Identifier string // the audience
	System     bool   // the Management API: cannot be deleted
	// Doc: the other members of the wire form (name, scopes, signing_alg, token_lifetime, …).
	Doc                  json.RawMessage
	Version              int64
	CreatedAt, UpdatedAt int64 // microseconds

	// parsed makes Settings cheap. Copy with Clone.
	parsed parsed
}

// Failures.
var (
	ErrNotFound = errs.New(errs.NotFound, "inexistent_resource_server", "The resource server does not exist")
	ErrExists   = errs.New(errs.Conflict, "conflict", "A resource server with the same identifier already exists")
)

// Page as in connection.Page.
type Page struct {
	After  string
	Offset int
	Limit  int
}

// Store keeps resource servers, unique by identifier.
type Store interface {
	ResourceServer(ctx context.Context, id string) (*ResourceServer, error)
	ResourceServerByIdentifier(ctx context.Context, identifier string) (*ResourceServer, error)
	ResourceServers(ctx context.Context, identifiers []string, p Page) (list []*ResourceServer, total int, err error)
	CreateResourceServer(ctx context.Context, r *ResourceServer, e audit.Event) error
	// UpdateResourceServer also takes the scopes that the API defines no more from
	// the roles and users who had them.
	UpdateResourceServer(ctx context.Context, id string, fn func(*ResourceServer) error, e audit.Event) (*ResourceServer, error)
	// DeleteResourceServer also deletes the grants on it, and takes its scopes from
	// everybody.
	DeleteResourceServer(ctx context.Context, id string, e audit.Event) error
}
