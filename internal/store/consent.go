package store

import (
	"context"
	"encoding/json"
	"fmt"

	"mangrove/internal/audit"
	"mangrove/internal/consent"
)

const (
	consentColumns = `consent_id, user_id, client_id, resource_server_id, audience, scope, created_at`
	selectConsent  = `SELECT ` + consentColumns + ` FROM consents WHERE user_id = ? AND client_id = ? AND resource_server_id = ?`
	// insertConsent locks the row, new or old, and tells what it allows already.
	insertConsent = `INSERT INTO consents (consent_id, user_id, client_id, resource_server_id, audience, scope, version, created_at)
		VALUES (?, ?, ?, ?, ?, ?, 1, ?)
		ON CONFLICT (user_id, client_id, resource_server_id) DO UPDATE SET version = consents.version + 1
		RETURNING consent_id, scope`
	updateConsent = `UPDATE consents SET scope = ?, audience = ? WHERE consent_id = ?`
	dropConsent   = `DELETE FROM consents WHERE consent_id = ? RETURNING user_id, client_id`
	dropConsents  = `DELETE FROM consents WHERE user_id = ? RETURNING user_id, client_id`
)

func scanConsent(r row) (c consent.Consent, err error) {
	var scope []byte
	if err := r.Scan(&c.ID, &c.UserID, &c.ClientID, &c.API, &c.Audience, &scope, &c.CreatedAt); err != nil {
		return consent.Consent{}, err
	}
	if err := json.Unmarshal(scope, &c.Scope); err != nil {
		return consent.Consent{}, fmt.Errorf("consent %s: %w", c.ID, err)
	}
	return c, nil
}

func readConsents(r reader, q string, a ...any) (list []consent.Consent, err error) {
	err = r.query(q, a, func(r row) error {
		c, err := scanConsent(r)
		list = append(list, c)
		return err
	})
	return list, err
}

// Consent finds what the user allowed the client for the API.
func (s *Store) Consent(ctx context.Context, userID, clientID, api string) (c consent.Consent, err error) {
	err = s.read(ctx, func(r reader) error {
		list, err := readConsents(r, selectConsent, userID, clientID, api)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return consent.ErrNotFound
		}
		c = list[0]
		return nil
	})
	if err != nil {
		return consent.Consent{}, err
	}
	return c, nil
}

// Consents is a page by id.
func (s *Store) Consents(ctx context.Context, f consent.Filter, p consent.Page) (out []consent.Consent, total int, err error) {
	l := list{columns: consentColumns, table: "consents", key: "consent_id"}
	for _, c := range []struct{ column, value string }{{"user_id", f.UserID}, {"client_id", f.ClientID}, {"audience", f.Audience}} {
		if c.value != "" {
			l.and(c.column+" = ?", c.value)
		}
	}
	err = s.read(ctx, func(r reader) error {
		var n int64
		count := "SELECT COUNT(*) FROM (SELECT consent_id FROM consents" + l.conditions() + " LIMIT ?) counted"
		if _, err := one(r, count, append(append([]any{}, l.args...), int64(consent.MaxCount)), &n); err != nil {
			return err
		}
		total, out = int(n), nil
		if p.Limit <= 0 {
			return nil
		}
		q := "SELECT " + l.columns + " FROM " + l.table + l.conditions() + " ORDER BY " + l.key + " LIMIT ? OFFSET ?"
		out, err = readConsents(r, q, append(append([]any{}, l.args...), int64(p.Limit), int64(max(p.Offset, 0)))...)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return out, total, nil
}

// SaveConsent adds c's scopes to what is there already.
func (s *Store) SaveConsent(ctx context.Context, c consent.Consent, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		scope, err := encodeScope(c.Scope)
		if err != nil {
			return err
		}
		var id string
		var there []byte
		if _, err := one(t, insertConsent, args(c.ID, c.UserID, c.ClientID, c.API, c.Audience, scope, c.CreatedAt), &id, &there); err != nil {
			return err
		}
		if id != c.ID {
			var older []string
			if err := json.Unmarshal(there, &older); err != nil {
				return fmt.Errorf("consent %s: %w", id, err)
			}
			if scope, err = encodeScope(consent.Add(older, c.Scope)); err != nil {
				return err
			}
			if err := t.send(nil, updateConsent, scope, c.Audience, id); err != nil {
				return err
			}
		}
		return s.record(t, e)
	})
}

// RevokeConsent deletes it.
func (s *Store) RevokeConsent(ctx context.Context, id string, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		n, err := s.revoke(t, dropConsent, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return consent.ErrNotFound
		}
		return s.record(t, e)
	})
}

// RevokeConsents deletes all of a user's.
func (s *Store) RevokeConsents(ctx context.Context, userID string, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		if _, err := s.revoke(t, dropConsents, userID); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

// revoke deletes consents and what the clients still have by them.
func (s *Store) revoke(t tx, q, key string) (int, error) {
	var gone []consent.Consent
	err := t.query(q, args(key), func(r row) error {
		var c consent.Consent
		err := r.Scan(&c.UserID, &c.ClientID)
		gone = append(gone, c)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, c := range gone {
		if err := t.send(nil, dropRefreshOf, c.UserID, c.ClientID); err != nil {
			return 0, err
		}
	}
	return len(gone), nil
}

// withdraw lets a sweep remove what hangs on a client or an API that is gone.
// Until then it is found by nobody: ids are never given twice.
func withdraw(t tx, id string) error {
	return t.send(nil, `INSERT INTO withdrawn (id) VALUES (?) ON CONFLICT (id) DO NOTHING`, id)
}
