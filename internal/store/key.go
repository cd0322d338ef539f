package store

import (
	"context"
	"fmt"

	"mangrove/internal/key"
)

const keyColumns = `key_id, alg, private, cert, state, created_at`

const (
	selectKeys = `SELECT ` + keyColumns + ` FROM signing_keys ORDER BY created_at, key_id`
	insertKey  = `INSERT INTO signing_keys (` + keyColumns + `) VALUES (?, ?, ?, ?, ?, ?)`
)

// Keys lists the signing keys, oldest first.
func (s *Store) Keys(ctx context.Context) (keys []key.Key, err error) {
	err = s.read(ctx, func(r reader) error {
		keys = nil
		return r.query(selectKeys, nil, func(r row) error {
			var k key.Key
			var sealed []byte
			if err := r.Scan(&k.ID, &k.Alg, &sealed, &k.Cert, &k.State, &k.CreatedAt); err != nil {
				return err
			}
			if k.Private, err = s.open(sealed, "signing_keys", k.ID); err != nil {
				return fmt.Errorf("signing key %s: %w", k.ID, err)
			}
			keys = append(keys, k)
			return nil
		})
	})
	return keys, err
}

func (s *Store) insertKey(t tx, k *key.Key) error {
	return t.send(nil, insertKey, k.ID, k.Alg, s.seal(k.Private, "signing_keys", k.ID), k.Cert, k.State, k.CreatedAt)
}
