package role

import (
	"context"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
)

// Role as stored.
type Role struct {
	ID                   string // rol_ and 16 alphanumerics; never used again
	Name                 string // unique
	Description          string // empty: none
	Version              int64
	CreatedAt, UpdatedAt int64 // microseconds
}

// Permission names a scope of an API.
type Permission struct {
	API  string `json:"resource_server_identifier"` // its identifier
	Name string `json:"permission_name"`
}

// Granted is a role with its permissions.
type Granted struct {
	Role        *Role
	Permissions []Permission
}

// Member is a user who has a role.
type Member struct {
	UserID     string
	Attributes []byte // a compact JSON object of the profile
}

// Page of members: behind After, or from Offset, by user id.
type Page struct {
	After  string
	Offset int
	Limit  int
}

// The limits of the hosted service (its entity limit policy). They keep every
// list short enough to be read whole, but for the members of a role.
const (
	MaxRoles           = 1000
	MaxRolesOfUser     = 50
	MaxPermissions     = 1000 // of one role, and of one user directly
	maxAssignmentsCall = 1000 // items of one body
)

// Failures (reference/authentication.md §6.4).
var (
	ErrNotFound = errs.New(errs.NotFound, "", "The role does not exist.")
	ErrExists   = errs.New(errs.Conflict, "conflict", "The role already exists.")

	ErrTooManyRoles           = errTooMany("tenant")
	ErrTooManyForUser         = errTooMany("user")
	ErrTooManyPermissionsHere = errTooMany("role")
)

func errTooMany(of string) *errs.Error {
	return errs.New(errs.Forbidden, "insufficient_entitlement", "You reached the limit of entities of this type for this %s.", of)
}

// mostNamed bounds how many names one error repeats.
const mostNamed = 20

// ErrUnknown refuses permissions that no API defines.
func ErrUnknown(list []Permission) error {
	names := make([]string, 0, mostNamed)
	for _, p := range list[:min(len(list), mostNamed)] {
		names = append(names, p.Name)
	}
	return errs.New(errs.Invalid, "invalid_body", "The following permission(s) do not exist: %s", strings.Join(names, ", "))
}

// Store keeps roles and what is assigned. Every method is one transaction, with
// its events in it. Assigning what is assigned and removing what is not change
// nothing and are no error. Lists of ids hold each once.
//
// Errors: ErrNotFound for a role, user.ErrNotFound for a user that is not there,
// and the limits; then nothing was written.
type Store interface {
	Role(ctx context.Context, id string) (*Role, error)
	// Roles are all, by name.
	Roles(ctx context.Context) ([]*Role, error)
	CreateRole(ctx context.Context, r *Role, e audit.Event) error // ErrExists, ErrTooManyRoles
	// UpdateRole runs fn on the locked role, perhaps more than once, and saves the result.
	UpdateRole(ctx context.Context, id string, fn func(*Role) error, e audit.Event) (*Role, error)
	// DeleteRole also takes it from everybody.
	DeleteRole(ctx context.Context, id string, e audit.Event) error

	// RolePermissions are all, in no order.
	RolePermissions(ctx context.Context, id string) ([]Permission, error)
	// AddRolePermissions gives ErrUnknown for what no API defines.
	AddRolePermissions(ctx context.Context, id string, list []Permission, e audit.Event) error
	RemoveRolePermissions(ctx context.Context, id string, list []Permission, e audit.Event) error

	RoleMembers(ctx context.Context, id string, p Page) (list []Member, total int, err error)
	AddRoleMembers(ctx context.Context, id string, users []string, events ...audit.Event) error

	// UserRoles are all, by name.
	UserRoles(ctx context.Context, userID string) ([]*Role, error)
	AddUserRoles(ctx context.Context, userID string, roles []string, e audit.Event) error
	RemoveUserRoles(ctx context.Context, userID string, roles []string, e audit.Event) error

	// UserPermissions are those that the user has directly, in no order, and the
	// roles, by name, with theirs.
	UserPermissions(ctx context.Context, userID string) (direct []Permission, roles []Granted, err error)
	AddUserPermissions(ctx context.Context, userID string, list []Permission, e audit.Event) error
	RemoveUserPermissions(ctx context.Context, userID string, list []Permission, e audit.Event) error
}
