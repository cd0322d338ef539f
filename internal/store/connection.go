package store

import (
	"context"
	"fmt"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/job"
)

const connectionColumns = `connection_id, name, strategy, options, extra, version, created_at, updated_at`

const (
	selectConnection       = `SELECT ` + connectionColumns + ` FROM connections WHERE connection_id = ? AND deleted_at = 0`
	selectConnectionByName = `SELECT ` + connectionColumns + ` FROM connections WHERE name = ? AND deleted_at = 0`
	// A connection without realms of its own answers to its name.
	selectConnectionByRealm = `SELECT ` + connectionColumns + ` FROM connections WHERE deleted_at = 0 AND (
		connection_id = (SELECT connection_id FROM connection_realms WHERE realm = ?)
		OR (name = ? AND NOT EXISTS (SELECT 1 FROM connection_realms r WHERE r.connection_id = connections.connection_id)))
		ORDER BY name LIMIT 1`
	lockConnection = `UPDATE connections SET version = version + 1 WHERE connection_id = ? AND deleted_at = 0 RETURNING ` + connectionColumns

	insertConnection = `INSERT INTO connections (` + connectionColumns + `, deleted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING`
	updateConnection = `UPDATE connections SET name = ?, strategy = ?, options = ?, extra = ?, created_at = ?, updated_at = ? WHERE connection_id = ?`
	hideConnection   = `UPDATE connections SET deleted_at = ?, version = version + 1 WHERE connection_id = ? AND deleted_at = 0 RETURNING name, version`

	insertRealm        = `INSERT INTO connection_realms (realm, connection_id, ordinal) VALUES (?, ?, ?)`
	insertEnabled      = `INSERT INTO connection_clients (connection_id, client_id, ordinal) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`
	deleteRealms       = `DELETE FROM connection_realms WHERE connection_id = ?`
	deleteEnabled      = `DELETE FROM connection_clients WHERE connection_id = ?`
	selectRealms       = `SELECT connection_id, realm FROM connection_realms WHERE connection_id IN `
	selectEnabled      = `SELECT connection_id, client_id FROM connection_clients WHERE connection_id IN `
	dropConnection     = `DELETE FROM connections WHERE connection_id = ? AND deleted_at <> 0`
	connectionHasUsers = `SELECT user_id FROM users WHERE connection_id = ? LIMIT 1`
)

func (s *Store) scanConnection(r row) (*connection.Connection, error) {
	var c connection.Connection
	var sealed []byte
	err := r.Scan(&c.ID, &c.Name, &c.Strategy, &sealed, (*[]byte)(&c.Extra), &c.Version, &c.CreatedAt, &c.UpdatedAt)
	if err != nil {
		return nil, err
	}
	if c.Options, err = s.open(sealed, "connections", c.ID); err != nil {
		return nil, fmt.Errorf("connection %s: %w", c.ID, err)
	}
	c.Extra = value(c.Extra)
	return &c, nil
}

// complete adds realms and clients to connections.
func (s *Store) complete(r reader, list []*connection.Connection) error {
	if len(list) == 0 {
		return nil
	}
	byID := make(map[string]*connection.Connection, len(list))
	ids := make([]string, len(list))
	for i, c := range list {
		byID[c.ID], ids[i] = c, c.ID
	}
	marks, values := in(ids)
	var id, item string
	err := r.query(selectRealms+marks+` ORDER BY connection_id, ordinal`, values, func(r row) error {
		if err := r.Scan(&id, &item); err != nil {
			return err
		}
		byID[id].Realms = append(byID[id].Realms, item)
		return nil
	})
	if err != nil {
		return err
	}
	return r.query(selectEnabled+marks+` ORDER BY connection_id, ordinal`, slices.Clone(values), func(r row) error {
		if err := r.Scan(&id, &item); err != nil {
			return err
		}
		byID[id].EnabledClients = append(byID[id].EnabledClients, item)
		return nil
	})
}

func (s *Store) connection(r reader, q string, a ...any) (*connection.Connection, error) {
	var list []*connection.Connection
	err := r.query(q, a, func(r row) error {
		c, err := s.scanConnection(r)
		list = append(list, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, connection.ErrNotFound
	}
	return list[0], s.complete(r, list[:1])
}

func (s *Store) cachedConnection(ctx context.Context, kind, key, q string, a ...any) (*connection.Connection, error) {
	return s.cache.connections.get(kind+key, func() (c *connection.Connection, err error) {
		err = s.read(ctx, func(r reader) error {
			c, err = s.connection(r, q, a...)
			return err
		})
		return c, err
	})
}

// Connection finds by id.
func (s *Store) Connection(ctx context.Context, id string) (*connection.Connection, error) {
	return s.cachedConnection(ctx, "id:", id, selectConnection, id)
}

// ConnectionByName finds by name.
func (s *Store) ConnectionByName(ctx context.Context, name string) (*connection.Connection, error) {
	return s.cachedConnection(ctx, "name:", name, selectConnectionByName, name)
}

// ConnectionByRealm finds by realm.
func (s *Store) ConnectionByRealm(ctx context.Context, realm string) (*connection.Connection, error) {
	return s.cachedConnection(ctx, "realm:", realm, selectConnectionByRealm, realm, realm)
}

// Connections is a page by id.
func (s *Store) Connections(ctx context.Context, f connection.Filter, p connection.Page) (out []*connection.Connection, total int, err error) {
	l := list{columns: connectionColumns, table: "connections", key: "connection_id"}
	l.and("deleted_at = 0")
	if f.Name != "" {
		l.and("name = ?", f.Name)
	}
	if len(f.Strategies) > 0 {
		marks, values := in(f.Strategies)
		l.and("strategy IN "+marks, values...)
	}
	if f.ClientID != "" {
		l.and("connection_id IN (SELECT c.connection_id FROM connection_clients c WHERE c.client_id = ?)", f.ClientID)
	}
	err = s.read(ctx, func(r reader) error {
		out = nil
		total, err = l.run(r, p.After, p.Offset, p.Limit, func(r row) error {
			c, err := s.scanConnection(r)
			out = append(out, c)
			return err
		})
		if err != nil {
			return err
		}
		return s.complete(r, out)
	})
	if err != nil {
		return nil, 0, err
	}
	return out, total, nil
}

// CreateConnection inserts it with its realms and clients.
func (s *Store) CreateConnection(ctx context.Context, c *connection.Connection, e audit.Event) error {
	defer s.cache.connections.drop()
	return s.write(ctx, func(t tx) error {
		if err := s.insertConnection(t, c); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

func (s *Store) insertConnection(t tx, c *connection.Connection) error {
	if c.Version == 0 {
		c.Version = 1
	}
	n, err := t.exec(insertConnection, c.ID, c.Name, c.Strategy, s.seal(c.Options, "connections", c.ID), []byte(c.Extra),
		c.Version, c.CreatedAt, c.UpdatedAt)
	if err != nil {
		return err
	}
	if n == 0 {
		return nameTaken(t, c.Name)
	}
	return s.saveLists(t, c)
}

// nameTaken says whether the holder of the name is alive.
func nameTaken(t tx, name string) error {
	var deletedAt int64
	if _, err := one(t, `SELECT deleted_at FROM connections WHERE name = ?`, args(name), &deletedAt); err != nil {
		return err
	}
	if deletedAt != 0 {
		return connection.ErrDeleting
	}
	return connection.ErrExists
}

// saveLists writes realms and clients of a connection that has none stored.
func (s *Store) saveLists(t tx, c *connection.Connection) error {
	for i, realm := range c.Realms {
		if slices.Index(c.Realms, realm) != i {
			continue
		}
		if err := t.send(connection.ErrRealm, insertRealm, realm, c.ID, int64(i)); err != nil {
			return err
		}
	}
	for i, id := range c.EnabledClients {
		if err := t.send(nil, insertEnabled, c.ID, id, int64(i)); err != nil {
			return err
		}
	}
	return nil
}

// UpdateConnection runs fn on the locked connection and saves the result.
func (s *Store) UpdateConnection(ctx context.Context, id string, fn func(*connection.Connection) error, e audit.Event) (c *connection.Connection, err error) {
	defer s.cache.connections.drop()
	err = s.write(ctx, func(t tx) error {
		if c, err = s.connection(t, lockConnection, id); err != nil {
			return err
		}
		name, version := c.Name, c.Version
		realms, clients := slices.Clone(c.Realms), slices.Clone(c.EnabledClients)
		c.Version--
		if err := fn(c); err != nil {
			return err
		}
		c.Version = version
		if c.ID != id {
			return fmt.Errorf("connection %s: an update may not change the id", id)
		}
		if c.Name != name {
			var holder string
			if found, err := one(t, `SELECT connection_id FROM connections WHERE name = ?`, args(c.Name), &holder); err != nil {
				return err
			} else if found {
				return nameTaken(t, c.Name)
			}
		}
		err := t.send(connection.ErrExists, updateConnection, c.Name, c.Strategy, s.seal(c.Options, "connections", id), []byte(c.Extra),
			c.CreatedAt, c.UpdatedAt, id)
		if err != nil {
			return err
		}
		if !slices.Equal(realms, c.Realms) || !slices.Equal(clients, c.EnabledClients) {
			for _, q := range []string{deleteRealms, deleteEnabled} {
				if err := t.send(nil, q, id); err != nil {
					return err
				}
			}
			if err := s.saveLists(t, c); err != nil {
				return err
			}
		}
		return s.record(t, e)
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// DeleteConnection hides it and queues the removal of its users. Its realms are
// free at once, its name when the last user is gone: at once where there is none.
func (s *Store) DeleteConnection(ctx context.Context, id string, ifVersion, at int64, e audit.Event) error {
	defer s.cache.connections.drop()
	j := &job.Job{
		ID: "job_" + randomText(16), Type: job.ConnectionDelete, Status: job.Pending, ConnectionID: id,
		CreatedAt: at, UpdatedAt: at, ActorClientID: e.ClientID,
	}
	return s.write(ctx, func(t tx) error {
		var version int64
		found, err := one(t, hideConnection, args(max(at, 1), id), &j.Connection, &version)
		if err != nil {
			return err
		}
		if !found {
			return connection.ErrNotFound
		}
		if ifVersion != 0 && version != ifVersion+1 {
			return connection.ErrStale
		}
		for _, q := range []string{deleteRealms, deleteEnabled, deleteConnectionKeys} {
			if err := t.send(nil, q, id); err != nil {
				return err
			}
		}
		var userID string
		users, err := one(t, connectionHasUsers, args(id), &userID)
		if err != nil {
			return err
		}
		if users {
			err = t.send(nil, insertJob, jobRow(j)...)
		} else {
			err = t.send(nil, dropConnection, id)
		}
		if err != nil {
			return err
		}
		return s.record(t, e)
	})
}

// HasUsers reports whether any user has its primary identity there.
func (s *Store) HasUsers(ctx context.Context, id string) (has bool, err error) {
	err = s.read(ctx, func(r reader) error {
		var userID string
		has, err = one(r, connectionHasUsers, args(id), &userID)
		return err
	})
	return has, err
}
