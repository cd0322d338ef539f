package store

import (
	"context"
	"fmt"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/key"
)

const keyColumns = `key_id, alg, private, cert, state, created_at, since`

const (
	selectKeys = `SELECT ` + keyColumns + ` FROM signing_keys ORDER BY created_at, key_id`
	insertKey  = `INSERT INTO signing_keys (` + keyColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?)`
	updateKey  = `UPDATE signing_keys SET state = ?, since = ? WHERE key_id = ?`
	// lockKeys lets one change go after the other.
	lockKeys = `UPDATE signing_keys SET state = state`
)

// Keys lists the signing keys, oldest first.
func (s *Store) Keys(ctx context.Context) (keys []key.Key, err error) {
	err = s.read(ctx, func(r reader) error {
		keys, err = s.readKeys(r)
		return err
	})
	return keys, err
}

func (s *Store) readKeys(r reader) (keys []key.Key, err error) {
	err = r.query(selectKeys, nil, func(r row) error {
		var k key.Key
		var sealed []byte
		if err := r.Scan(&k.ID, &k.Alg, &sealed, &k.Cert, &k.State, &k.CreatedAt, &k.Since); err != nil {
			return err
		}
		if k.Private, err = s.open(sealed, "signing_keys", k.ID); err != nil {
			return fmt.Errorf("signing key %s: %w", k.ID, err)
		}
		keys = append(keys, k)
		return nil
	})
	return keys, err
}

// UpdateKeys runs fn on the locked keys, and saves states and new keys.
func (s *Store) UpdateKeys(ctx context.Context, fn func([]key.Key) ([]key.Key, error), e audit.Event) (keys []key.Key, err error) {
	err = s.write(ctx, func(t tx) error {
		if err := t.send(nil, lockKeys); err != nil {
			return err
		}
		old, err := s.readKeys(t)
		if err != nil {
			return err
		}
		if keys, err = fn(slices.Clone(old)); err != nil {
			return err
		}
		for i := range keys {
			k := &keys[i]
			at := slices.IndexFunc(old, func(o key.Key) bool { return o.ID == k.ID })
			switch {
			case at < 0:
				err = s.insertKey(t, k)
			case old[at].State != k.State:
				err = t.send(nil, updateKey, k.State, k.Since, k.ID)
			}
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

func (s *Store) insertKey(t tx, k *key.Key) error {
	return t.send(nil, insertKey, k.ID, k.Alg, s.seal(k.Private, "signing_keys", k.ID), k.Cert, k.State, k.CreatedAt, k.Since)
}
