package store

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/resourceserver"
	"mangrove/internal/role"
)

func readPermissions(r reader, q, id string) (list []role.Permission, err error) {
	err = r.query(q, args(id), func(r row) error {
		var p role.Permission
		err := r.Scan(&p.API, &p.Name)
		list = append(list, p)
		return err
	})
	return list, err
}

// RolePermissions are all, in no order.
func (s *Store) RolePermissions(ctx context.Context, id string) (list []role.Permission, err error) {
	err = s.read(ctx, func(r reader) error {
		if _, err := readRole(r, selectRole, id); err != nil {
			return err
		}
		list, err = readPermissions(r, selectRolePermissions, id)
		return err
	})
	return list, err
}

// AddRolePermissions gives permissions to a role.
func (s *Store) AddRolePermissions(ctx context.Context, id string, list []role.Permission, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		if err := holdRole(t, id, 0); err != nil {
			return err
		}
		if err := s.addPermissions(t, rolePermissionsTable, id, list); err != nil {
			return err
		}
		now, err := readPermissions(t, selectRolePermissions, id)
		if err != nil {
			return err
		}
		if len(now) > role.MaxPermissions {
			return role.ErrTooManyPermissionsHere
		}
		return s.record(t, e)
	})
}

// RemoveRolePermissions takes permissions from a role.
func (s *Store) RemoveRolePermissions(ctx context.Context, id string, list []role.Permission, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		if err := holdRole(t, id, 0); err != nil {
			return err
		}
		if err := removePermissions(t, `DELETE FROM role_permissions WHERE role_id = ?`, id, list); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

// byAPI groups names by the API's identifier, and gives the identifiers in order.
func byAPI(list []role.Permission) (apis []string, names map[string][]string) {
	names = map[string][]string{}
	for _, p := range list {
		names[p.API] = append(names[p.API], p.Name)
	}
	return slices.Sorted(maps.Keys(names)), names
}

// addPermissions assigns permissions in a table whose rows begin with id.
func (s *Store) addPermissions(t tx, b *bulk, id string, list []role.Permission) error {
	var rows [][]any
	var unknown []role.Permission
	apis, names := byAPI(list)
	for _, api := range apis {
		rs, err := s.holdAPI(t, api)
		if err != nil {
			return err
		}
		undefined := names[api]
		if rs != nil {
			undefined = without(names[api], rs.Settings().ScopeValues())
		}
		for _, name := range undefined {
			unknown = append(unknown, role.Permission{API: api, Name: name})
		}
		if len(unknown) > 0 {
			continue
		}
		ids, err := permissionIDs(t, rs.ID, names[api])
		if err != nil {
			return err
		}
		for _, p := range ids {
			rows = append(rows, []any{id, p})
		}
	}
	if len(unknown) > 0 {
		return role.ErrUnknown(unknown)
	}
	_, err := t.insertNew(b, rows)
	return err
}

// without is what is in list and not in known.
func without(list, known []string) (rest []string) {
	has := make(map[string]bool, len(known))
	for _, k := range known {
		has[k] = true
	}
	for _, v := range list {
		if !has[v] {
			rest = append(rest, v)
		}
	}
	return rest
}

// holdAPI reads the API of that identifier as it stays until the transaction
// ends; nil when there is none.
func (s *Store) holdAPI(t tx, identifier string) (rs *resourceserver.ResourceServer, err error) {
	q := `UPDATE resource_servers SET version = version WHERE identifier = ? RETURNING ` + resourceServerColumns
	if s.eng.dialect().oneWriter {
		q = selectResourceServerByIdentifier
	}
	err = t.query(q, args(identifier), func(r row) error {
		rs, err = scanResourceServer(r)
		return err
	})
	return rs, err
}

// permissionIDs finds the ids of scopes that the API defines, and makes those of
// scopes that nobody had so far.
func permissionIDs(t tx, apiID string, names []string) (ids []string, err error) {
	rows := make([][]any, len(names))
	for i, name := range names {
		rows[i] = []any{"per_" + rand.Text()[:16], apiID, name}
	}
	if _, err := t.insertNew(permissionsTable, rows); err != nil {
		return nil, err
	}
	list, values := in(names)
	q := `SELECT permission_id FROM permissions WHERE resource_server_id = ? AND name IN ` + list
	err = t.query(q, append(args(apiID), values...), func(r row) error {
		var id string
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// removePermissions runs the delete on those of the list.
func removePermissions(t tx, remove, id string, list []role.Permission) error {
	apis, names := byAPI(list)
	for _, api := range apis {
		marks, values := in(names[api])
		err := t.send(nil, remove+` AND permission_id IN (SELECT p.permission_id FROM permissions p
			JOIN resource_servers s ON s.resource_server_id = p.resource_server_id WHERE s.identifier = ? AND p.name IN `+marks+`)`,
			append(args(id, api), values...)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// withdrawScopes takes from everybody the scopes that the API defines no more.
// The API is locked.
func withdrawScopes(t tx, rs *resourceserver.ResourceServer) error {
	given := map[string]string{} // name to id
	err := t.query(`SELECT name, permission_id FROM permissions WHERE resource_server_id = ?`, args(rs.ID), func(r row) error {
		var name, id string
		err := r.Scan(&name, &id)
		given[name] = id
		return err
	})
	if err != nil || len(given) == 0 {
		return err
	}
	for _, name := range without(slices.Sorted(maps.Keys(given)), rs.Settings().ScopeValues()) {
		if err := t.send(nil, `DELETE FROM permissions WHERE permission_id = ?`, given[name]); err != nil {
			return err
		}
		if err := t.send(nil, `INSERT INTO withdrawn (id) VALUES (?)`, given[name]); err != nil {
			return err
		}
	}
	return nil
}
