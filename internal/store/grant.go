package store

import (
	"context"
	"encoding/json"
	"fmt"

	"mangrove/internal/audit"
	"mangrove/internal/grant"
)

const grantColumns = `grant_id, client_id, audience, scope, extra, version`

const (
	selectGrant    = `SELECT ` + grantColumns + ` FROM client_grants WHERE grant_id = ?`
	selectGrantFor = `SELECT ` + grantColumns + ` FROM client_grants WHERE client_id = ? AND audience = ?`
	lockGrant      = `UPDATE client_grants SET version = version + 1 WHERE grant_id = ? RETURNING ` + grantColumns
	insertGrant    = `INSERT INTO client_grants (` + grantColumns + `) VALUES (?, ?, ?, ?, ?, ?)`
	updateGrant    = `UPDATE client_grants SET client_id = ?, audience = ?, scope = ?, extra = ? WHERE grant_id = ?`
)

func scanGrant(r row) (*grant.Grant, error) {
	var g grant.Grant
	var scope []byte
	if err := r.Scan(&g.ID, &g.ClientID, &g.Audience, &scope, (*[]byte)(&g.Extra), &g.Version); err != nil {
		return nil, err
	}
	g.Extra = value(g.Extra)
	if err := json.Unmarshal(scope, &g.Scope); err != nil {
		return nil, fmt.Errorf("grant %s: %w", g.ID, err)
	}
	return &g, nil
}

func readGrant(r reader, q string, a ...any) (g *grant.Grant, err error) {
	err = r.query(q, a, func(r row) error {
		g, err = scanGrant(r)
		return err
	})
	if err == nil && g == nil {
		err = grant.ErrNotFound
	}
	return g, err
}

func (s *Store) cachedGrant(ctx context.Context, key, q string, a ...any) (*grant.Grant, error) {
	return s.cache.grants.get(key, func() (g *grant.Grant, err error) {
		err = s.read(ctx, func(r reader) error {
			g, err = readGrant(r, q, a...)
			return err
		})
		return g, err
	})
}

// Grant finds by id.
func (s *Store) Grant(ctx context.Context, id string) (*grant.Grant, error) {
	return s.cachedGrant(ctx, "id:"+id, selectGrant, id)
}

// GrantFor finds the grant of a client for an audience.
func (s *Store) GrantFor(ctx context.Context, clientID, audience string) (*grant.Grant, error) {
	return s.cachedGrant(ctx, "for:"+clientID+"\x00"+audience, selectGrantFor, clientID, audience)
}

// Grants is a page by id.
func (s *Store) Grants(ctx context.Context, f grant.Filter, p grant.Page) (out []*grant.Grant, total int, err error) {
	l := list{columns: grantColumns, table: "client_grants", key: "grant_id"}
	if f.ClientID != "" {
		l.and("client_id = ?", f.ClientID)
	}
	if f.Audience != "" {
		l.and("audience = ?", f.Audience)
	}
	err = s.read(ctx, func(r reader) error {
		out = nil
		total, err = l.run(r, p.After, p.Offset, p.Limit, func(r row) error {
			g, err := scanGrant(r)
			out = append(out, g)
			return err
		})
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return out, total, nil
}

func encodeScope(scope []string) ([]byte, error) {
	if scope == nil {
		scope = []string{}
	}
	return json.Marshal(scope)
}

// CreateGrant inserts it.
func (s *Store) CreateGrant(ctx context.Context, g *grant.Grant, e audit.Event) error {
	defer s.cache.grants.drop()
	return s.write(ctx, func(t tx) error {
		if err := insertOneGrant(t, g); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

func insertOneGrant(t tx, g *grant.Grant) error {
	if g.Version == 0 {
		g.Version = 1
	}
	scope, err := encodeScope(g.Scope)
	if err != nil {
		return err
	}
	return t.send(grant.ErrExists, insertGrant, g.ID, g.ClientID, g.Audience, scope, []byte(g.Extra), g.Version)
}

// UpdateGrant runs fn on the locked grant and saves the result.
func (s *Store) UpdateGrant(ctx context.Context, id string, fn func(*grant.Grant) error, e audit.Event) (g *grant.Grant, err error) {
	defer s.cache.grants.drop()
	err = s.write(ctx, func(t tx) error {
		if g, err = readGrant(t, lockGrant, id); err != nil {
			return err
		}
		version := g.Version
		g.Version--
		if err := fn(g); err != nil {
			return err
		}
		g.Version = version
		if g.ID != id {
			return fmt.Errorf("grant %s: an update may not change the id", id)
		}
		scope, err := encodeScope(g.Scope)
		if err != nil {
			return err
		}
		if err := t.send(grant.ErrExists, updateGrant, g.ClientID, g.Audience, scope, []byte(g.Extra), id); err != nil {
			return err
		}
		return s.record(t, e)
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// DeleteGrant removes it.
func (s *Store) DeleteGrant(ctx context.Context, id string, e audit.Event) error {
	defer s.cache.grants.drop()
	return s.write(ctx, func(t tx) error {
		n, err := t.exec(`DELETE FROM client_grants WHERE grant_id = ?`, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return grant.ErrNotFound
		}
		return s.record(t, e)
	})
}
