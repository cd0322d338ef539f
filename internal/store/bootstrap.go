package store

import (
	"context"
	"encoding/json"
	"errors"

	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/grant"
	"mangrove/internal/key"
	"mangrove/internal/resourceserver"
	"mangrove/internal/tenant"
)

// Seed is what a fresh database starts with. A Connection or ResourceServer
// without an id is left out.
type Seed struct {
	Connection     connection.Connection
	ResourceServer resourceserver.ResourceServer
	Clients        []client.Client
	Grants         []grant.Grant
	Keys           []key.Key
	Settings       json.RawMessage // tenant settings; nil: none
}

// Names in the table meta.
const (
	metaSeeded = "seeded"
	metaKey    = "sealed_with" // a known text, sealed: tells whether the key fits
)

const (
	selectMeta = `SELECT value FROM meta WHERE name = ?`
	insertMeta = `INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING`
)

// Bootstrap writes the seed into a database that has none, once, also when
// several nodes start together. make is called outside the transaction, since
// it may make keys, and only where the database looks empty; its result is
// dropped when another node was faster.
func (s *Store) Bootstrap(ctx context.Context, make func() (Seed, error)) (created bool, err error) {
	var seeded bool
	err = s.read(ctx, func(r reader) error {
		var v []byte
		seeded, err = one(r, selectMeta, args(metaSeeded), &v)
		return err
	})
	if err != nil || seeded {
		return false, err
	}
	seed, err := make()
	if err != nil {
		return false, err
	}
	defer s.cache.drop()
	err = s.write(ctx, func(t tx) error {
		created = false
		n, err := t.exec(insertMeta, metaSeeded, []byte{1})
		if err != nil {
			return err
		}
		if n == 0 {
			return errUnchanged
		}
		created = true
		return s.plant(t, &seed)
	})
	if errors.Is(err, errUnchanged) {
		return false, nil
	}
	return created && err == nil, err
}

func (s *Store) plant(t tx, seed *Seed) error {
	if seed.Connection.ID != "" {
		if err := s.insertConnection(t, &seed.Connection); err != nil {
			return err
		}
	}
	if seed.ResourceServer.ID != "" {
		if err := insertOneResourceServer(t, &seed.ResourceServer); err != nil {
			return err
		}
	}
	for i := range seed.Clients {
		if err := s.insertClient(t, &seed.Clients[i]); err != nil {
			return err
		}
	}
	for i := range seed.Grants {
		if err := insertOneGrant(t, &seed.Grants[i]); err != nil {
			return err
		}
	}
	for i := range seed.Keys {
		if err := s.insertKey(t, &seed.Keys[i]); err != nil {
			return err
		}
	}
	if seed.Settings != nil {
		return s.keepDocument(t, tenant.Tenant, seed.Settings)
	}
	return nil
}

// ErrOtherKey is a database that was sealed with a key that is not at hand.
var ErrOtherKey = errors.New("the database was sealed with another key; give the key it was made with")

const keyText = "mangrove"

// checkKey compares the key with the one that the database was first opened with.
func (s *Store) checkKey(ctx context.Context) error {
	var sealed []byte
	var found bool
	read := func(r reader) (err error) {
		found, err = one(r, selectMeta, args(metaKey), &sealed)
		return err
	}
	if err := s.read(ctx, read); err != nil {
		return err
	}
	if !found {
		err := s.write(ctx, func(t tx) error {
			if err := t.send(nil, insertMeta, metaKey, s.seal([]byte(keyText), "meta", metaKey)); err != nil {
				return err
			}
			return read(t) // another node may have been faster, with another key
		})
		if err != nil {
			return err
		}
	}
	if plain, err := s.open(sealed, "meta", metaKey); err != nil || string(plain) != keyText {
		return ErrOtherKey
	}
	return nil
}
