package store

import (
	"context"
	"slices"

	"mangrove/internal/session"
	"mangrove/internal/user"
)

// DeleteUser removes the user and all that hangs on it.
func (s *Store) DeleteUser(ctx context.Context, id user.ID, ifVersion int64, e user.Effect) error {
	return s.write(ctx, func(t tx) error {
		if ifVersion != 0 {
			var now int64
			if found, err := one(t, holdUser, args(string(id)), &now); err != nil {
				return err
			} else if found && now != ifVersion {
				return user.ErrStale
			}
		}
		n, err := s.deleteUsers(t, []string{string(id)})
		if err != nil {
			return err
		}
		if n == 0 {
			return user.ErrNotFound
		}
		if err := s.buried(t, e.Graves); err != nil {
			return err
		}
		return s.record(t, e.Events...)
	})
}

// deleteUsers removes users by id and reports how many there were. Logs stay.
func (s *Store) deleteUsers(t tx, ids []string) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	list, values := in(ids)
	var gone []*userRow
	err := t.query(`DELETE FROM users WHERE user_id IN `+list+returningUser, values, func(r row) error {
		u := &userRow{}
		gone = append(gone, u)
		return r.Scan(u.dest()...)
	})
	if err != nil || len(gone) == 0 {
		return 0, err
	}
	var p postings
	for _, row := range gone {
		u, err := s.decode(row)
		if err != nil {
			return 0, err
		}
		p.remove(row.num, user.Terms(u))
		for i := range u.Identities {
			if err := t.send(nil, deleteIdentity, u.Identities[i].ConnectionID, u.Identities[i].Subject, row.id); err != nil {
				return 0, err
			}
			// Whoever comes with the same address later is somebody else.
			if err := t.send(nil, forgetCode, u.Identities[i].Subject, u.Identities[i].ConnectionID); err != nil {
				return 0, err
			}
		}
		if err := t.send(nil, `DELETE FROM user_activity WHERE num = ?`, row.num); err != nil {
			return 0, err
		}
	}
	if err := s.index(t, &p); err != nil {
		return 0, err
	}
	if err := leaveRoles(t, `user_id IN `+list, slices.Clone(values)); err != nil {
		return 0, err
	}
	if _, err := s.endAll(t, session.AccountDeleted, `DELETE FROM sessions WHERE user_id IN `+list+` RETURNING session_id, user_id`, slices.Clone(values)...); err != nil {
		return 0, err
	}
	if err := s.endAccess(t, ids...); err != nil {
		return 0, err
	}
	return len(gone), deleteBelongings(t, list, values)
}

// deleteBelongings deletes what dies with users; list and values name them.
func deleteBelongings(t tx, list string, values []any) error {
	for _, table := range []string{"user_identifiers", "user_permissions", "tickets", "consents", "password_history", "approvals", "letters"} {
		if err := t.send(nil, `DELETE FROM `+table+` WHERE user_id IN `+list, slices.Clone(values)...); err != nil {
			return err
		}
	}
	if err := t.send(nil, `DELETE FROM login_failures WHERE subject IN `+list, slices.Clone(values)...); err != nil {
		return err
	}
	for _, table := range factorTables {
		if err := t.send(nil, `DELETE FROM `+table+` WHERE user_id IN `+list, slices.Clone(values)...); err != nil {
			return err
		}
	}
	return nil
}
