package role

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"mangrove/internal/audit"
	"mangrove/internal/resourceserver"
	"mangrove/internal/strictjson"
)

// Service is the use cases. All fields are required.
//
// Those that change something take an audit.Event that says who asks (ClientID,
// UserID, IP, UserAgent); the service fills in the rest and hands it to the
// store. Bodies come by members; errors of all: schema.Error for a body, and the
// store's.
type Service struct {
	Store Store
	// API finds an API by its identifier; resourceserver.ErrNotFound.
	API   func(ctx context.Context, identifier string) (*resourceserver.ResourceServer, error)
	Now   func() time.Time
	NewID func() string
}

// NewID is rol_ and 16 random alphanumerics.
func NewID() string { return "rol_" + rand.Text()[:16] }

// Described is a permission as it is shown. The texts are empty where the API has none.
type Described struct {
	Held
	Description, APIName string
}

// Get finds one by id; ErrNotFound.
func (s *Service) Get(ctx context.Context, id string) (*Role, error) { return s.Store.Role(ctx, id) }

// List is a page by name of the roles whose name has filter in it, in whatever
// case, and how many these are.
func (s *Service) List(ctx context.Context, filter string, offset, limit int) ([]*Role, int, error) {
	all, err := s.Store.Roles(ctx)
	if err != nil {
		return nil, 0, err
	}
	var found []*Role
	for _, r := range all {
		if matches(r.Name, filter) {
			found = append(found, r)
		}
	}
	return cut(found, offset, limit), len(found), nil
}

// matches reports whether filter is in name, in whatever case.
func matches(name, filter string) bool {
	return strings.Contains(strings.ToLower(name), strings.ToLower(filter))
}

// Create makes a role; ErrExists.
func (s *Service) Create(ctx context.Context, members []strictjson.Member, by audit.Event) (*Role, error) {
	b, err := read(&createBody, members)
	if err != nil {
		return nil, err
	}
	now := s.Now().UnixMicro()
	r := &Role{ID: s.NewID(), Name: b.Name.Or(""), Description: b.Description.Or(""), Version: 1, CreatedAt: now, UpdatedAt: now}
	return r, s.Store.CreateRole(ctx, r, s.event(by, "Create a role", detail{RoleID: r.ID}))
}

// Patch edits a role; ErrExists, ErrNotFound.
func (s *Service) Patch(ctx context.Context, id string, members []strictjson.Member, by audit.Event) (*Role, error) {
	b, err := read(&patchBody, members)
	if err != nil {
		return nil, err
	}
	edit := func(r *Role) error {
		r.Name, r.Description = b.Name.Or(r.Name), b.Description.Or(r.Description)
		r.UpdatedAt = s.Now().UnixMicro()
		return nil
	}
	return s.Store.UpdateRole(ctx, id, edit, s.event(by, "Update a role", detail{RoleID: id}))
}

// Delete removes a role, from all who have it too; ErrNotFound.
func (s *Service) Delete(ctx context.Context, id string, by audit.Event) error {
	return s.Store.DeleteRole(ctx, id, s.event(by, "Delete a role", detail{RoleID: id}))
}

// RolePermissions is a page of a role's permissions by API and name, without
// sources, and how many there are.
func (s *Service) RolePermissions(ctx context.Context, id string, offset, limit int) ([]Described, int, error) {
	list, err := s.Store.RolePermissions(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	list = distinct(list, compare)
	held := make([]Held, 0, limit)
	for _, p := range cut(list, offset, limit) {
		held = append(held, Held{Permission: p})
	}
	out, err := s.describe(ctx, held)
	return out, len(list), err
}

// AddRolePermissions gives permissions to a role; ErrUnknown.
func (s *Service) AddRolePermissions(ctx context.Context, id string, members []strictjson.Member, by audit.Event) error {
	b, err := read(&rolePermissionsBody, members)
	if err != nil {
		return err
	}
	list := distinct(b.Permissions, compare)
	e := s.event(by, "Associate permissions with a role", detail{RoleID: id, Permissions: list})
	return s.Store.AddRolePermissions(ctx, id, list, e)
}

// RemoveRolePermissions takes permissions from a role.
func (s *Service) RemoveRolePermissions(ctx context.Context, id string, members []strictjson.Member, by audit.Event) error {
	b, err := read(&rolePermissionsBody, members)
	if err != nil {
		return err
	}
	list := distinct(b.Permissions, compare)
	e := s.event(by, "Remove permissions from a role", detail{RoleID: id, Permissions: list})
	return s.Store.RemoveRolePermissions(ctx, id, list, e)
}

// Members is a page by user id of those who have the role, and how many they are.
func (s *Service) Members(ctx context.Context, id string, p Page) ([]Member, int, error) {
	return s.Store.RoleMembers(ctx, id, p)
}

// AddMembers gives a role to users: all of them or none. There is a record for each.
func (s *Service) AddMembers(ctx context.Context, id string, members []strictjson.Member, by audit.Event) error {
	b, err := read(&addUsersBody, members)
	if err != nil {
		return err
	}
	users := distinct(b.Users, cmp.Compare)
	events := make([]audit.Event, len(users))
	for i, u := range users {
		events[i] = s.event(by, "Assign users to a role", detail{RoleID: id})
		events[i].UserID = u
	}
	return s.Store.AddRoleMembers(ctx, id, users, events...)
}

// UserRoles is a page by name of a user's roles, and how many there are.
func (s *Service) UserRoles(ctx context.Context, userID string, offset, limit int) ([]*Role, int, error) {
	list, err := s.Store.UserRoles(ctx, userID)
	return cut(list, offset, limit), len(list), err
}

// AddUserRoles gives roles to a user: all of them or none.
func (s *Service) AddUserRoles(ctx context.Context, userID string, members []strictjson.Member, by audit.Event) error {
	b, err := read(&addRolesBody, members)
	if err != nil {
		return err
	}
	roles := distinct(b.Roles, cmp.Compare)
	e := s.event(by, "Assign roles to a user", detail{Roles: roles})
	e.UserID = userID
	return s.Store.AddUserRoles(ctx, userID, roles, e)
}

// RemoveUserRoles takes roles from a user.
func (s *Service) RemoveUserRoles(ctx context.Context, userID string, members []strictjson.Member, by audit.Event) error {
	b, err := read(&removeRolesBody, members)
	if err != nil {
		return err
	}
	roles := distinct(b.Roles, cmp.Compare)
	e := s.event(by, "Removes roles from a user", detail{Roles: roles})
	e.UserID = userID
	return s.Store.RemoveUserRoles(ctx, userID, roles, e)
}

// UserPermissions is a page by API and name of what a user may do, directly or
// by a role, and how much that is.
func (s *Service) UserPermissions(ctx context.Context, userID string, offset, limit int) ([]Described, int, error) {
	direct, roles, err := s.Store.UserPermissions(ctx, userID)
	if err != nil {
		return nil, 0, err
	}
	held := Effective(direct, roles)
	out, err := s.describe(ctx, cut(held, offset, limit))
	return out, len(held), err
}

// AddUserPermissions gives permissions to a user directly; ErrUnknown.
func (s *Service) AddUserPermissions(ctx context.Context, userID string, members []strictjson.Member, by audit.Event) error {
	b, err := read(&addPermissionsBody, members)
	if err != nil {
		return err
	}
	list := distinct(b.Permissions, compare)
	e := s.event(by, "Assign Permissions to a User", detail{Permissions: list})
	e.UserID = userID
	return s.Store.AddUserPermissions(ctx, userID, list, e)
}

// RemoveUserPermissions takes from a user what it has directly; what comes by
// roles stays.
func (s *Service) RemoveUserPermissions(ctx context.Context, userID string, members []strictjson.Member, by audit.Event) error {
	b, err := read(&removePermissionsBody, members)
	if err != nil {
		return err
	}
	list := distinct(b.Permissions, compare)
	e := s.event(by, "Remove Permissions from a User", detail{Permissions: list})
	e.UserID = userID
	return s.Store.RemoveUserPermissions(ctx, userID, list, e)
}

// describe adds what the APIs say. An API that was deleted a moment ago says nothing.
func (s *Service) describe(ctx context.Context, list []Held) ([]Described, error) {
	out := make([]Described, len(list))
	for i, h := range list {
		out[i].Held = h
		rs, err := s.API(ctx, h.API)
		if errors.Is(err, resourceserver.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		settings := rs.Settings()
		out[i].APIName = settings.Name
		for _, sc := range settings.Scopes {
			if sc.Value == h.Name {
				out[i].Description = sc.Description
				break
			}
		}
	}
	return out, nil
}

// detail is what a record tells besides the user.
type detail struct {
	RoleID      string       `json:"role_id,omitzero"`
	Roles       []string     `json:"roles,omitempty"`
	Permissions []Permission `json:"permissions,omitempty"`
}

func (s *Service) event(by audit.Event, description string, d detail) audit.Event {
	b, err := jsonv2.Marshal(d)
	if err != nil {
		panic(err) // texts that came as valid JSON
	}
	by.Type, by.At, by.Description, by.Details = audit.APIOperation, s.Now().UnixMicro(), description, b
	return by
}
