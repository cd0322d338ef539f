package store

import (
	"context"
	"fmt"

	"mangrove/internal/audit"
	"mangrove/internal/resourceserver"
)

const resourceServerColumns = `resource_server_id, identifier, is_system, doc, version, created_at, updated_at`

const (
	selectResourceServer             = `SELECT ` + resourceServerColumns + ` FROM resource_servers WHERE resource_server_id = ?`
	selectResourceServerByIdentifier = `SELECT ` + resourceServerColumns + ` FROM resource_servers WHERE identifier = ?`
	lockResourceServer               = `UPDATE resource_servers SET version = version + 1 WHERE resource_server_id = ? RETURNING ` + resourceServerColumns
	insertResourceServer             = `INSERT INTO resource_servers (` + resourceServerColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?)`
	updateResourceServer             = `UPDATE resource_servers SET identifier = ?, is_system = ?, doc = ?, created_at = ?, updated_at = ? WHERE resource_server_id = ?`
)

func scanResourceServer(r row) (*resourceserver.ResourceServer, error) {
	var rs resourceserver.ResourceServer
	err := r.Scan(&rs.ID, &rs.Identifier, &rs.System, (*[]byte)(&rs.Doc), &rs.Version, &rs.CreatedAt, &rs.UpdatedAt)
	rs.Doc = value(rs.Doc)
	return &rs, err
}

func readResourceServer(r reader, q, key string) (rs *resourceserver.ResourceServer, err error) {
	err = r.query(q, args(key), func(r row) error {
		rs, err = scanResourceServer(r)
		return err
	})
	if err == nil && rs == nil {
		err = resourceserver.ErrNotFound
	}
	return rs, err
}

func (s *Store) cachedResourceServer(ctx context.Context, kind, key, q string) (*resourceserver.ResourceServer, error) {
	return s.cache.resourceServers.get(kind+key, func() (rs *resourceserver.ResourceServer, err error) {
		err = s.read(ctx, func(r reader) error {
			rs, err = readResourceServer(r, q, key)
			return err
		})
		return rs, err
	})
}

// ResourceServer finds by id.
func (s *Store) ResourceServer(ctx context.Context, id string) (*resourceserver.ResourceServer, error) {
	return s.cachedResourceServer(ctx, "id:", id, selectResourceServer)
}

// ResourceServerByIdentifier finds by audience.
func (s *Store) ResourceServerByIdentifier(ctx context.Context, identifier string) (*resourceserver.ResourceServer, error) {
	return s.cachedResourceServer(ctx, "identifier:", identifier, selectResourceServerByIdentifier)
}

// ResourceServers is a page by id, narrowed to identifiers when there are any.
func (s *Store) ResourceServers(ctx context.Context, identifiers []string, p resourceserver.Page) (out []*resourceserver.ResourceServer, total int, err error) {
	l := list{columns: resourceServerColumns, table: "resource_servers", key: "resource_server_id"}
	if len(identifiers) > 0 {
		marks, values := in(identifiers)
		l.and("identifier IN "+marks, values...)
	}
	err = s.read(ctx, func(r reader) error {
		out = nil
		total, err = l.run(r, p.After, p.Offset, p.Limit, func(r row) error {
			rs, err := scanResourceServer(r)
			out = append(out, rs)
			return err
		})
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return out, total, nil
}

// CreateResourceServer inserts it.
func (s *Store) CreateResourceServer(ctx context.Context, rs *resourceserver.ResourceServer, e audit.Event) error {
	defer s.cache.resourceServers.drop()
	return s.write(ctx, func(t tx) error {
		if err := insertOneResourceServer(t, rs); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

func insertOneResourceServer(t tx, rs *resourceserver.ResourceServer) error {
	if rs.Version == 0 {
		rs.Version = 1
	}
	return t.send(resourceserver.ErrExists, insertResourceServer, rs.ID, rs.Identifier, rs.System, []byte(rs.Doc),
		rs.Version, rs.CreatedAt, rs.UpdatedAt)
}

// UpdateResourceServer runs fn on the locked resource server and saves the
// result. A scope that is defined no more is taken from everybody who had it.
func (s *Store) UpdateResourceServer(ctx context.Context, id string, fn func(*resourceserver.ResourceServer) error, e audit.Event) (rs *resourceserver.ResourceServer, err error) {
	defer s.cache.resourceServers.drop()
	err = s.write(ctx, func(t tx) error {
		if rs, err = readResourceServer(t, lockResourceServer, id); err != nil {
			return err
		}
		version := rs.Version
		rs.Version--
		if err := fn(rs); err != nil {
			return err
		}
		rs.Version = version
		if rs.ID != id {
			return fmt.Errorf("resource server %s: an update may not change the id", id)
		}
		err := t.send(resourceserver.ErrExists, updateResourceServer, rs.Identifier, rs.System, []byte(rs.Doc), rs.CreatedAt, rs.UpdatedAt, id)
		if err != nil {
			return err
		}
		if err := withdrawScopes(t, rs); err != nil {
			return err
		}
		return s.record(t, e)
	})
	if err != nil {
		return nil, err
	}
	return rs, nil
}

// DeleteResourceServer also deletes the grants on it and takes its scopes from
// everybody who had them.
func (s *Store) DeleteResourceServer(ctx context.Context, id string, e audit.Event) error {
	defer s.cache.grants.drop()
	defer s.cache.resourceServers.drop()
	return s.write(ctx, func(t tx) error {
		var identifier string
		found, err := one(t, `DELETE FROM resource_servers WHERE resource_server_id = ? RETURNING identifier`, args(id), &identifier)
		if err != nil {
			return err
		}
		if !found {
			return resourceserver.ErrNotFound
		}
		if err := t.send(nil, `DELETE FROM client_grants WHERE audience = ?`, identifier); err != nil {
			return err
		}
		if err := withdrawScopes(t, &resourceserver.ResourceServer{ID: id}); err != nil {
			return err
		}
		if err := withdraw(t, id); err != nil {
			return err
		}
		return s.record(t, e)
	})
}
