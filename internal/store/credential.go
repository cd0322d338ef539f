package store

import (
	"context"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/client"
)

const credentialColumns = `client_id, credential_id, kid, name, alg, public, created_at, updated_at, expires_at`

const (
	selectCredential  = `SELECT ` + credentialColumns + ` FROM client_credentials WHERE client_id = ? AND credential_id = ?`
	selectCredentials = `SELECT ` + credentialColumns + ` FROM client_credentials WHERE client_id = ? ORDER BY created_at, credential_id`
	countCredentials  = `SELECT COUNT(*) FROM client_credentials WHERE client_id = ?`
	insertCredential  = `INSERT INTO client_credentials (` + credentialColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	// lockCredential holds the row: expires_at is what may be changed.
	lockCredential   = `UPDATE client_credentials SET updated_at = updated_at WHERE client_id = ? AND credential_id = ? RETURNING ` + credentialColumns
	updateCredential = `UPDATE client_credentials SET name = ?, updated_at = ?, expires_at = ? WHERE client_id = ? AND credential_id = ?`
	deleteCredential = `DELETE FROM client_credentials WHERE client_id = ? AND credential_id = ?`

	// Of any number of calls one inserts the row.
	insertAssertion = `INSERT INTO client_assertions (assertion_hash, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING`
)

func scanCredential(r row) (*client.Credential, error) {
	var c client.Credential
	err := r.Scan(&c.ClientID, &c.ID, &c.KID, &c.Name, &c.Alg, &c.Public, &c.CreatedAt, &c.UpdatedAt, &c.ExpiresAt)
	c.Public = slices.Clone(c.Public)
	return &c, err
}

func readCredential(r reader, q, clientID, id string) (c *client.Credential, err error) {
	err = r.query(q, args(clientID, id), func(r row) error {
		c, err = scanCredential(r)
		return err
	})
	if err == nil && c == nil {
		err = client.ErrNoCredential
	}
	return c, err
}

// Credential finds one of a client.
func (s *Store) Credential(ctx context.Context, clientID, id string) (c *client.Credential, err error) {
	err = s.read(ctx, func(r reader) error {
		c, err = readCredential(r, selectCredential, clientID, id)
		return err
	})
	return c, err
}

// Credentials are all of a client, oldest first: as they are now, so that one
// that was revoked is worth nothing at once.
func (s *Store) Credentials(ctx context.Context, clientID string) (list []*client.Credential, err error) {
	err = s.read(ctx, func(r reader) error {
		list = nil
		return r.query(selectCredentials, args(clientID), func(r row) error {
			c, err := scanCredential(r)
			list = append(list, c)
			return err
		})
	})
	return list, err
}

// CreateCredential inserts one of a client that is there.
func (s *Store) CreateCredential(ctx context.Context, c *client.Credential, e audit.Event) error {
	defer s.cache.clients.drop()
	return s.write(ctx, func(t tx) error {
		// The client is locked, so that two calls do not both find room.
		if _, err := s.client(t, lockClient, c.ClientID); err != nil {
			return err
		}
		var n int64
		if _, err := one(t, countCredentials, args(c.ClientID), &n); err != nil {
			return err
		}
		if n >= client.MaxCredentials {
			return client.ErrCredentialsFull
		}
		if err := insertOneCredential(t, c); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

func insertOneCredential(t tx, c *client.Credential) error {
	return t.send(client.ErrCredentialExists, insertCredential, c.ClientID, c.ID, c.KID, c.Name, c.Alg, c.Public, c.CreatedAt, c.UpdatedAt, c.ExpiresAt)
}

// UpdateCredential runs fn on the locked credential and saves its name and end.
func (s *Store) UpdateCredential(ctx context.Context, clientID, id string, fn func(*client.Credential) error, e audit.Event) (c *client.Credential, err error) {
	err = s.write(ctx, func(t tx) error {
		if c, err = readCredential(t, lockCredential, clientID, id); err != nil {
			return err
		}
		if err := fn(c); err != nil {
			return err
		}
		if err := t.send(nil, updateCredential, c.Name, c.UpdatedAt, c.ExpiresAt, clientID, id); err != nil {
			return err
		}
		return s.record(t, e)
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// DeleteCredential also takes it out of what the client authenticates with.
func (s *Store) DeleteCredential(ctx context.Context, clientID, id string, e audit.Event) error {
	defer s.cache.clients.drop()
	return s.write(ctx, func(t tx) error {
		c, err := s.client(t, lockClient, clientID)
		if err != nil {
			return err
		}
		n, err := t.exec(deleteCredential, clientID, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return client.ErrNoCredential
		}
		if err := t.send(nil, `UPDATE clients SET doc = ? WHERE client_id = ?`, []byte(client.WithoutCredential(c.Doc, id)), clientID); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

// checkCredentials refuses a client that names credentials it has not got. was
// are those it named before.
func checkCredentials(t tx, c *client.Client, was []string) error {
	named := c.Settings().Credentials
	if len(named) == 0 || slices.Equal(named, was) {
		return nil
	}
	var have []string
	err := t.query(`SELECT credential_id FROM client_credentials WHERE client_id = ?`, args(c.ID), func(r row) error {
		var id string
		err := r.Scan(&id)
		have = append(have, id)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range named {
		if !slices.Contains(have, id) {
			return client.ErrUnknownCredential
		}
	}
	return nil
}

// UseAssertion remembers the hash and reports whether it is new.
func (s *Store) UseAssertion(ctx context.Context, hash string, until int64) (fresh bool, err error) {
	err = s.writePlain(ctx, func(t tx) error {
		n, err := t.exec(insertAssertion, hash, until)
		fresh = n == 1
		return err
	})
	return fresh && err == nil, err
}
