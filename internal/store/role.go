package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/role"
	"mangrove/internal/user"
)

// Who assigns locks first the users, then the roles, then the APIs, each by id:
// so nobody waits for somebody who waits for him, and what is assigned cannot
// vanish in between.

const roleColumns = `role_id, name, description, version, created_at, updated_at`

const (
	selectRole = `SELECT ` + roleColumns + ` FROM roles WHERE role_id = ?`
	selectAll  = `SELECT ` + roleColumns + ` FROM roles ORDER BY name LIMIT ?`
	lockRole   = `UPDATE roles SET version = version + 1 WHERE role_id = ? RETURNING ` + roleColumns
	insertRole = `INSERT INTO roles (` + roleColumns + `, members) VALUES (?, ?, ?, ?, ?, ?, 0)`
	updateRole = `UPDATE roles SET name = ?, description = ?, created_at = ?, updated_at = ? WHERE role_id = ?`
	// countMembers also holds the role, even when it adds nothing.
	countMembers = `UPDATE roles SET members = members + ? WHERE role_id = ?`

	selectRolesOf = `SELECT r.role_id, r.name, r.description, r.version, r.created_at, r.updated_at
		FROM role_members m JOIN roles r ON r.role_id = m.role_id WHERE m.user_id = ? ORDER BY r.name`
	selectMembers = `SELECT m.user_id, u.attributes FROM role_members m JOIN users u ON u.user_id = m.user_id
		WHERE m.role_id = ? AND m.user_id > ? ORDER BY m.user_id LIMIT ? OFFSET ?`

	selectRolePermissions = `SELECT s.identifier, p.name FROM role_permissions a
		JOIN permissions p ON p.permission_id = a.permission_id
		JOIN resource_servers s ON s.resource_server_id = p.resource_server_id WHERE a.role_id = ?`
	selectUserPermissions = `SELECT s.identifier, p.name FROM user_permissions a
		JOIN permissions p ON p.permission_id = a.permission_id
		JOIN resource_servers s ON s.resource_server_id = p.resource_server_id WHERE a.user_id = ?`
)

var (
	roleMembersTable = &bulk{
		table: "role_members", cols: []column{{"role_id", text}, {"user_id", text}}, key: []string{"role_id", "user_id"},
	}
	permissionsTable = &bulk{
		table: "permissions", cols: []column{{"permission_id", text}, {"resource_server_id", text}, {"name", text}},
		key: []string{"resource_server_id", "name"},
	}
	rolePermissionsTable = &bulk{
		table: "role_permissions", cols: []column{{"role_id", text}, {"permission_id", text}}, key: []string{"role_id", "permission_id"},
	}
	userPermissionsTable = &bulk{
		table: "user_permissions", cols: []column{{"user_id", text}, {"permission_id", text}}, key: []string{"user_id", "permission_id"},
	}
)

func scanRole(r row) (*role.Role, error) {
	var v role.Role
	err := r.Scan(&v.ID, &v.Name, &v.Description, &v.Version, &v.CreatedAt, &v.UpdatedAt)
	return &v, err
}

func readRoles(r reader, q string, a ...any) (list []*role.Role, err error) {
	err = r.query(q, a, func(r row) error {
		v, err := scanRole(r)
		list = append(list, v)
		return err
	})
	return list, err
}

func readRole(r reader, q, id string) (*role.Role, error) {
	list, err := readRoles(r, q, id)
	if err == nil && len(list) == 0 {
		err = role.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// Role finds by id.
func (s *Store) Role(ctx context.Context, id string) (v *role.Role, err error) {
	err = s.read(ctx, func(r reader) error {
		v, err = readRole(r, selectRole, id)
		return err
	})
	return v, err
}

// Roles are all, by name.
func (s *Store) Roles(ctx context.Context) (list []*role.Role, err error) {
	err = s.read(ctx, func(r reader) error {
		list, err = readRoles(r, selectAll, int64(role.MaxRoles))
		return err
	})
	return list, err
}

// CreateRole inserts it.
func (s *Store) CreateRole(ctx context.Context, v *role.Role, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		var n int64
		if _, err := one(t, `SELECT COUNT(*) FROM roles`, nil, &n); err != nil {
			return err
		}
		if n >= role.MaxRoles {
			return role.ErrTooManyRoles
		}
		if err := t.send(role.ErrExists, insertRole, v.ID, v.Name, v.Description, v.Version, v.CreatedAt, v.UpdatedAt); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

// UpdateRole runs fn on the locked role and saves the result.
func (s *Store) UpdateRole(ctx context.Context, id string, fn func(*role.Role) error, e audit.Event) (v *role.Role, err error) {
	err = s.write(ctx, func(t tx) error {
		if v, err = readRole(t, lockRole, id); err != nil {
			return err
		}
		version := v.Version
		v.Version--
		if err := fn(v); err != nil {
			return err
		}
		v.Version = version
		if v.ID != id {
			return fmt.Errorf("role %s: an update may not change the id", id)
		}
		if err := t.send(role.ErrExists, updateRole, v.Name, v.Description, v.CreatedAt, v.UpdatedAt, id); err != nil {
			return err
		}
		return s.record(t, e)
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// DeleteRole removes the role; the sweep removes what was assigned of it.
func (s *Store) DeleteRole(ctx context.Context, id string, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		n, err := t.exec(`DELETE FROM roles WHERE role_id = ?`, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return role.ErrNotFound
		}
		if err := t.send(nil, `INSERT INTO withdrawn (id) VALUES (?)`, id); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

// holdUsers makes sure that the users, sorted, are there, and that they stay
// until the transaction ends. Their version stays too: what is assigned is no
// part of the profile.
func (s *Store) holdUsers(t tx, ids []string) error {
	if !s.eng.dialect().oneWriter {
		for _, id := range ids {
			if err := t.send(nil, `UPDATE users SET version = version WHERE user_id = ?`, id); err != nil {
				return err
			}
		}
	}
	return mustHaveUsers(t, ids)
}

func mustHaveUsers(r reader, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	list, values := in(ids)
	var n int64
	if _, err := one(r, `SELECT COUNT(*) FROM users WHERE user_id IN `+list, values, &n); err != nil {
		return err
	}
	if int(n) < len(ids) {
		return user.ErrNotFound
	}
	return nil
}

// holdRole makes sure that the role is there and stays until the transaction
// ends, and counts its new members.
func holdRole(t tx, id string, more int) error {
	n, err := t.exec(countMembers, int64(more), id)
	if err == nil && n == 0 {
		err = role.ErrNotFound
	}
	return err
}

// insertMembers returns the rows that were new.
func insertMembers(t tx, rows [][]any) (added [][]any, err error) {
	isNew, err := t.insertNew(roleMembersTable, rows)
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		if isNew[i] {
			added = append(added, r)
		}
	}
	return added, nil
}

// checkRolesOf refuses when one of the users has more roles than one may have.
func checkRolesOf(t tx, users []string) error {
	list, values := in(users)
	most := int64(0)
	err := t.query(`SELECT COUNT(*) FROM role_members m JOIN roles r ON r.role_id = m.role_id
		WHERE m.user_id IN `+list+` GROUP BY m.user_id`, values, func(r row) error {
		var n int64
		err := r.Scan(&n)
		most = max(most, n)
		return err
	})
	if err == nil && most > role.MaxRolesOfUser {
		err = role.ErrTooManyForUser
	}
	return err
}

// leaveRoles ends memberships; the condition is about role_members.
func leaveRoles(t tx, condition string, values []any) error {
	left := map[string]int64{}
	err := t.query(`DELETE FROM role_members WHERE `+condition+` RETURNING role_id`, values, func(r row) error {
		var id string
		err := r.Scan(&id)
		left[id]++
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(left)) {
		if err := t.send(nil, countMembers, -left[id], id); err != nil {
			return err
		}
	}
	return nil
}

// assignments are where roles and permissions are assigned, by each of them.
var assignments = []struct{ table, key, other string }{
	{"role_members", "role_id", "user_id"},
	{"role_permissions", "role_id", "permission_id"},
	{"role_permissions", "permission_id", "role_id"},
	{"user_permissions", "permission_id", "user_id"},
	{"consents", "client_id", "consent_id"},
	{"consents", "resource_server_id", "consent_id"},
	{"refresh_tokens", "client_id", "token_hash"},
	{"approvals", "client_id", "request_hash"},
}

// sweepWithdrawn removes what was assigned of roles and permissions that are gone.
func (s *Store) sweepWithdrawn(ctx context.Context) error {
	for {
		ids, err := s.texts(ctx, `SELECT id FROM withdrawn ORDER BY id LIMIT 20`)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			for _, a := range assignments {
				q := `DELETE FROM ` + a.table + ` WHERE ` + a.key + ` = ? AND ` + a.other + ` IN
					(SELECT x.` + a.other + ` FROM ` + a.table + ` x WHERE x.` + a.key + ` = ? ORDER BY x.` + a.other + ` LIMIT ?)`
				if err := s.deleteAll(ctx, q, id, id, int64(sweepLimit)); err != nil {
					return err
				}
			}
			if err := s.writeBulk(ctx, func(t tx) error { return t.send(nil, `DELETE FROM withdrawn WHERE id = ?`, id) }); err != nil {
				return err
			}
		}
	}
}
