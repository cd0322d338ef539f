package store

import (
	"context"
	"fmt"
	"slices"

	"mangrove/internal/user"
)

// DeleteUser removes the user and all that hangs on it.
func (s *Store) DeleteUser(ctx context.Context, id user.ID, e user.Effect) error {
	return s.write(ctx, func(t tx) error {
		n, err := s.deleteUsers(t, []string{string(id)})
		if err != nil {
			return err
		}
		if n == 0 {
			return user.ErrNotFound
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
	type pieces struct {
		id               string
		identities, keys []byte
	}
	var gone []pieces
	err := t.query(`DELETE FROM users WHERE user_id IN `+list+` RETURNING user_id, identities, identity_keys`, values, func(r row) error {
		var p pieces
		gone = append(gone, p)
		last := &gone[len(gone)-1]
		return r.Scan(&last.id, &last.identities, &last.keys)
	})
	if err != nil || len(gone) == 0 {
		return 0, err
	}
	for _, p := range gone {
		identities, err := user.DecodeIdentities(p.identities, p.keys)
		if err != nil {
			return 0, fmt.Errorf("user %s: %w", p.id, err)
		}
		for i := range identities {
			if err := t.send(nil, deleteIdentity, identities[i].ConnectionID, identities[i].Subject, p.id); err != nil {
				return 0, err
			}
		}
	}
	for _, table := range []string{"user_identifiers", "user_logins", "sessions", "opaque_tokens"} {
		if err := t.send(nil, `DELETE FROM `+table+` WHERE user_id IN `+list, slices.Clone(values)...); err != nil {
			return 0, err
		}
	}
	return len(gone), nil
}
