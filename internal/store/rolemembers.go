package store

import (
	"context"
	"maps"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/role"
)

// RoleMembers is a page of those who have the role.
func (s *Store) RoleMembers(ctx context.Context, id string, p role.Page) (list []role.Member, total int, err error) {
	err = s.read(ctx, func(r reader) error {
		list = nil
		var n int64
		found, err := one(r, `SELECT members FROM roles WHERE role_id = ?`, args(id), &n)
		if err != nil {
			return err
		}
		if !found {
			return role.ErrNotFound
		}
		total = int(n)
		return r.query(selectMembers, args(id, p.After, int64(p.Limit), int64(p.Offset)), func(r row) error {
			var m role.Member
			err := r.Scan(&m.UserID, &m.Attributes)
			list = append(list, m)
			return err
		})
	})
	if err != nil {
		return nil, 0, err
	}
	return list, total, nil
}

// rolesOfMany is how many users' roles one query counts.
const rolesOfMany = role.MaxPermissions / role.MaxRolesOfUser

// AddRoleMembers gives a role to users.
func (s *Store) AddRoleMembers(ctx context.Context, id string, users []string, events ...audit.Event) error {
	return s.write(ctx, func(t tx) error {
		if err := s.holdUsers(t, users); err != nil {
			return err
		}
		rows := make([][]any, len(users))
		for i, u := range users {
			rows[i] = []any{id, u}
		}
		added, err := insertMembers(t, rows)
		if err != nil {
			return err
		}
		if err := holdRole(t, id, len(added)); err != nil {
			return err
		}
		joined := make([]string, len(added))
		for i, r := range added {
			joined[i] = r[1].(string)
		}
		for some := range slices.Chunk(joined, rolesOfMany) {
			if err := checkRolesOf(t, some); err != nil {
				return err
			}
		}
		return s.record(t, events...)
	})
}

// UserRoles are all, by name.
func (s *Store) UserRoles(ctx context.Context, userID string) (list []*role.Role, err error) {
	err = s.read(ctx, func(r reader) error {
		if err := mustHaveUsers(r, []string{userID}); err != nil {
			return err
		}
		list, err = readRoles(r, selectRolesOf, userID)
		return err
	})
	return list, err
}

// AddUserRoles gives roles to a user.
func (s *Store) AddUserRoles(ctx context.Context, userID string, roles []string, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		if err := s.holdUsers(t, []string{userID}); err != nil {
			return err
		}
		rows := make([][]any, len(roles))
		for i, id := range roles {
			rows[i] = []any{id, userID}
		}
		added, err := insertMembers(t, rows)
		if err != nil {
			return err
		}
		more := make(map[string]int, len(roles))
		for _, id := range roles {
			more[id] = 0
		}
		for _, r := range added {
			more[r[0].(string)] = 1
		}
		for _, id := range slices.Sorted(maps.Keys(more)) {
			if err := holdRole(t, id, more[id]); err != nil {
				return err
			}
		}
		if err := checkRolesOf(t, []string{userID}); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

// RemoveUserRoles takes roles from a user.
func (s *Store) RemoveUserRoles(ctx context.Context, userID string, roles []string, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		if err := s.holdUsers(t, []string{userID}); err != nil {
			return err
		}
		list, values := in(roles)
		if err := leaveRoles(t, `user_id = ? AND role_id IN `+list, append(args(userID), values...)); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

// UserPermissions are what the user has directly, and the roles with theirs.
// Each list is read by a query of its own, so that each is short.
func (s *Store) UserPermissions(ctx context.Context, userID string) (direct []role.Permission, roles []role.Granted, err error) {
	err = s.read(ctx, func(r reader) error {
		roles = nil
		if err := mustHaveUsers(r, []string{userID}); err != nil {
			return err
		}
		if direct, err = readPermissions(r, selectUserPermissions, userID); err != nil {
			return err
		}
		list, err := readRoles(r, selectRolesOf, userID)
		if err != nil {
			return err
		}
		for _, v := range list {
			of, err := readPermissions(r, selectRolePermissions, v.ID)
			if err != nil {
				return err
			}
			roles = append(roles, role.Granted{Role: v, Permissions: of})
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return direct, roles, nil
}

// AddUserPermissions gives permissions to a user directly.
func (s *Store) AddUserPermissions(ctx context.Context, userID string, list []role.Permission, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		if err := s.holdUsers(t, []string{userID}); err != nil {
			return err
		}
		if err := s.addPermissions(t, userPermissionsTable, userID, list); err != nil {
			return err
		}
		now, err := readPermissions(t, selectUserPermissions, userID)
		if err != nil {
			return err
		}
		if len(now) > role.MaxPermissions {
			return role.ErrTooManyForUser
		}
		return s.record(t, e)
	})
}

// RemoveUserPermissions takes from a user what it has directly.
func (s *Store) RemoveUserPermissions(ctx context.Context, userID string, list []role.Permission, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		if err := s.holdUsers(t, []string{userID}); err != nil {
			return err
		}
		if err := removePermissions(t, `DELETE FROM user_permissions WHERE user_id = ?`, userID, list); err != nil {
			return err
		}
		return s.record(t, e)
	})
}
