package store

import (
	"context"
	"encoding/json"
	"fmt"

	"mangrove/internal/audit"
	"mangrove/internal/tenant"
)

const (
	selectTenantDocument = `SELECT doc FROM tenant_documents WHERE name = ?`
	// lockTenantDocument makes the row if need be: there is something to lock also
	// where nothing was set.
	lockTenantDocument = `INSERT INTO tenant_documents (name, doc, version, updated_at) VALUES (?, ?, 1, ?)
		ON CONFLICT (name) DO UPDATE SET version = tenant_documents.version + 1 RETURNING doc`
	keepTenantDocument = `INSERT INTO tenant_documents (name, doc, version, updated_at) VALUES (?, ?, 1, ?)
		ON CONFLICT (name) DO UPDATE SET doc = excluded.doc, updated_at = excluded.updated_at`
	deleteTenantDocument = `DELETE FROM tenant_documents WHERE name = ?`
)

// openDocument unseals a document; nothing was set: nil.
func (s *Store) openDocument(sealed []byte, name tenant.Name) (json.RawMessage, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	doc, err := s.open(sealed, "tenant_documents", string(name))
	if err != nil {
		return nil, fmt.Errorf("tenant document %s: %w", name, err)
	}
	return doc, nil
}

// TenantDocument reads one, as it is now.
func (s *Store) TenantDocument(ctx context.Context, name tenant.Name) (doc json.RawMessage, err error) {
	err = s.read(ctx, func(r reader) error {
		var sealed []byte
		if _, err := one(r, selectTenantDocument, args(string(name)), &sealed); err != nil {
			return err
		}
		doc, err = s.openDocument(sealed, name)
		return err
	})
	return doc, err
}

// UpdateTenantDocument runs fn on the locked document and keeps the result.
func (s *Store) UpdateTenantDocument(ctx context.Context, name tenant.Name, fn func(json.RawMessage) (json.RawMessage, error), e audit.Event) (doc json.RawMessage, err error) {
	defer s.cache.settings.drop()
	defer s.cache.texts.drop()
	err = s.write(ctx, func(t tx) error {
		var sealed []byte
		if _, err := one(t, lockTenantDocument, args(string(name), []byte{}, s.micros()), &sealed); err != nil {
			return err
		}
		old, err := s.openDocument(sealed, name)
		if err != nil {
			return err
		}
		if doc, err = fn(old); err != nil {
			return err
		}
		if doc == nil {
			err = t.send(nil, deleteTenantDocument, string(name))
		} else {
			err = s.keepDocument(t, name, doc)
		}
		if err != nil {
			return err
		}
		return s.record(t, e)
	})
	if err != nil {
		return nil, err
	}
	return doc, nil
}

func (s *Store) keepDocument(t tx, name tenant.Name, doc json.RawMessage) error {
	return t.send(nil, keepTenantDocument, string(name), s.seal(doc, "tenant_documents", string(name)), s.micros())
}

// Settings is the view of all documents.
func (s *Store) Settings(ctx context.Context) (*tenant.Settings, error) {
	return s.cache.settings.get("", func() (*tenant.Settings, error) {
		var names []string
		for _, n := range tenant.Viewed() {
			names = append(names, string(n))
		}
		marks, values := in(names)
		var docs tenant.Documents
		err := s.read(ctx, func(r reader) error {
			docs = tenant.Documents{}
			return r.query(`SELECT name, doc FROM tenant_documents WHERE name IN `+marks, values, func(r row) error {
				var name string
				var sealed []byte
				if err := r.Scan(&name, &sealed); err != nil {
					return err
				}
				doc, err := s.openDocument(sealed, tenant.Name(name))
				docs[tenant.Name(name)] = doc
				return err
			})
		})
		if err != nil {
			return nil, err
		}
		return tenant.View(docs), nil
	})
}

// texts are the texts of a prompt in a language.
type texts map[string]map[string]string

// Texts are the texts of a prompt in a language; nil: none.
func (s *Store) Texts(ctx context.Context, prompt, language string) (map[string]map[string]string, error) {
	if !tenant.HasTexts(prompt, language) {
		return nil, nil
	}
	name := tenant.TextsOf(prompt, language)
	v, err := s.cache.texts.get(string(name), func() (*texts, error) {
		doc, err := s.TenantDocument(ctx, name)
		v := texts(tenant.ParseTexts(doc))
		return &v, err
	})
	if err != nil {
		return nil, err
	}
	return *v, nil
}
