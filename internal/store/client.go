package store

import (
	"context"
	"fmt"

	"mangrove/internal/audit"
	"mangrove/internal/client"
)

const clientColumns = `client_id, secret, name, is_global, doc, version, created_at, updated_at`

const (
	selectClient = `SELECT ` + clientColumns + ` FROM clients WHERE client_id = ?`
	lockClient   = `UPDATE clients SET version = version + 1 WHERE client_id = ? RETURNING ` + clientColumns
	insertClient = `INSERT INTO clients (` + clientColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	updateClient = `UPDATE clients SET secret = ?, name = ?, is_global = ?, doc = ?, created_at = ?, updated_at = ? WHERE client_id = ?`
)

func (s *Store) scanClient(r row) (*client.Client, error) {
	var c client.Client
	var sealed []byte
	err := r.Scan(&c.ID, &sealed, &c.Name, &c.Global, (*[]byte)(&c.Doc), &c.Version, &c.CreatedAt, &c.UpdatedAt)
	if err != nil {
		return nil, err
	}
	secret, err := s.open(sealed, "clients", c.ID)
	if err != nil {
		return nil, fmt.Errorf("client %s: %w", c.ID, err)
	}
	c.Secret, c.Doc = string(secret), value(c.Doc)
	return &c, nil
}

func (s *Store) client(r reader, q, id string) (c *client.Client, err error) {
	err = r.query(q, args(id), func(r row) error {
		c, err = s.scanClient(r)
		return err
	})
	if err == nil && c == nil {
		err = client.ErrNotFound
	}
	return c, err
}

// Client finds by id.
func (s *Store) Client(ctx context.Context, id string) (*client.Client, error) {
	return s.cache.clients.get(id, func() (c *client.Client, err error) {
		err = s.read(ctx, func(r reader) error {
			c, err = s.client(r, selectClient, id)
			return err
		})
		return c, err
	})
}

// Clients is a page by id.
func (s *Store) Clients(ctx context.Context, f client.Filter, p client.Page) (out []*client.Client, total int, err error) {
	l := list{columns: clientColumns, table: "clients", key: "client_id"}
	if f.Global != nil {
		l.and("is_global = ?", *f.Global)
	}
	err = s.read(ctx, func(r reader) error {
		out = nil
		total, err = l.run(r, p.After, p.Offset, p.Limit, func(r row) error {
			c, err := s.scanClient(r)
			out = append(out, c)
			return err
		})
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return out, total, nil
}

// CreateClient inserts it.
func (s *Store) CreateClient(ctx context.Context, c *client.Client, e audit.Event) error {
	defer s.cache.clients.drop()
	return s.write(ctx, func(t tx) error {
		if err := s.insertClient(t, c); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

func (s *Store) insertClient(t tx, c *client.Client) error {
	if c.Version == 0 {
		c.Version = 1
	}
	err := t.send(nil, insertClient, c.ID, s.seal([]byte(c.Secret), "clients", c.ID), c.Name, c.Global, []byte(c.Doc),
		c.Version, c.CreatedAt, c.UpdatedAt)
	for i := range c.Credentials {
		if err != nil {
			return err
		}
		c.Credentials[i].ClientID = c.ID
		err = insertOneCredential(t, &c.Credentials[i])
	}
	return err
}

// UpdateClient runs fn on the locked client and saves the result.
func (s *Store) UpdateClient(ctx context.Context, id string, fn func(*client.Client) error, e audit.Event) (c *client.Client, err error) {
	defer s.cache.clients.drop()
	err = s.write(ctx, func(t tx) error {
		if c, err = s.client(t, lockClient, id); err != nil {
			return err
		}
		version, was := c.Version, c.Settings().Credentials
		c.Version--
		if err := fn(c); err != nil {
			return err
		}
		c.Version = version
		if c.ID != id {
			return fmt.Errorf("client %s: an update may not change the id", id)
		}
		if err := checkCredentials(t, c, was); err != nil {
			return err
		}
		err := t.send(nil, updateClient, s.seal([]byte(c.Secret), "clients", id), c.Name, c.Global, []byte(c.Doc),
			c.CreatedAt, c.UpdatedAt, id)
		if err != nil {
			return err
		}
		return s.record(t, e)
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// DeleteClient also deletes its grants and credentials and takes it out of every connection.
func (s *Store) DeleteClient(ctx context.Context, id string, e audit.Event) error {
	defer s.cache.grants.drop()
	defer s.cache.connections.drop()
	defer s.cache.clients.drop()
	return s.write(ctx, func(t tx) error {
		n, err := t.exec(`DELETE FROM clients WHERE client_id = ?`, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return client.ErrNotFound
		}
		for _, table := range []string{"client_grants", "connection_clients", "client_credentials"} {
			if err := t.send(nil, `DELETE FROM `+table+` WHERE client_id = ?`, id); err != nil {
				return err
			}
		}
		if err := withdraw(t, id); err != nil {
			return err
		}
		return s.record(t, e)
	})
}
