package store

import (
	"context"
	"fmt"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
)

const connectionKeyColumns = `state, key_id, alg, private, cert, current_since, current_until, created_at`

const (
	selectConnectionKeys = `SELECT ` + connectionKeyColumns + ` FROM connection_keys WHERE connection_id = ? ORDER BY created_at, key_id`
	insertConnectionKey  = `INSERT INTO connection_keys (connection_id, ` + connectionKeyColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	deleteConnectionKeys = `DELETE FROM connection_keys WHERE connection_id = ?`
	// lockConnectionKeys lets one change of the keys go after the other; the connection
	// stays in its version.
	lockConnectionKeys = `UPDATE connections SET deleted_at = 0 WHERE connection_id = ? AND deleted_at = 0 RETURNING connection_id`
)

// ConnectionKeys lists by the time of making.
func (s *Store) ConnectionKeys(ctx context.Context, connectionID string) (keys []connection.Key, err error) {
	err = s.read(ctx, func(r reader) error {
		keys, err = s.readConnectionKeys(r, connectionID)
		return err
	})
	return keys, err
}

func (s *Store) readConnectionKeys(r reader, connectionID string) (keys []connection.Key, err error) {
	err = r.query(selectConnectionKeys, args(connectionID), func(r row) error {
		var k connection.Key
		var sealed []byte
		if err := r.Scan(&k.State, &k.ID, &k.Alg, &sealed, &k.Cert, &k.CurrentSince, &k.CurrentUntil, &k.CreatedAt); err != nil {
			return err
		}
		if k.Private, err = s.open(sealed, "connection_keys", k.ID); err != nil {
			return fmt.Errorf("connection key %s: %w", k.ID, err)
		}
		keys = append(keys, k)
		return nil
	})
	return keys, err
}

// UpdateConnectionKeys runs fn on the keys and keeps those it returns.
func (s *Store) UpdateConnectionKeys(ctx context.Context, connectionID string, fn func([]connection.Key) ([]connection.Key, error), e audit.Event) (keys []connection.Key, err error) {
	err = s.write(ctx, func(t tx) error {
		var id string
		switch found, err := one(t, lockConnectionKeys, args(connectionID), &id); {
		case err != nil:
			return err
		case !found:
			return connection.ErrNotFound
		}
		old, err := s.readConnectionKeys(t, connectionID)
		if err != nil {
			return err
		}
		if keys, err = fn(slices.Clone(old)); err != nil {
			return err
		}
		if sameKeys(old, keys) {
			return nil
		}
		if err := t.send(nil, deleteConnectionKeys, connectionID); err != nil {
			return err
		}
		for i := range keys {
			k := &keys[i]
			err := t.send(nil, insertConnectionKey, connectionID, k.State, k.ID, k.Alg, s.seal(k.Private, "connection_keys", k.ID), k.Cert,
				k.CurrentSince, k.CurrentUntil, k.CreatedAt)
			if err != nil {
				return err
			}
		}
		return s.record(t, e)
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// sameKeys reports whether nothing was changed; then nothing is to be recorded either.
func sameKeys(a, b []connection.Key) bool {
	return slices.EqualFunc(a, b, func(x, y connection.Key) bool { return x.ID == y.ID && x.State == y.State })
}
