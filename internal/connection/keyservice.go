package connection

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"mangrove/internal/audit"
)

// KeyService is the use cases of connection keys. All fields but Make are
// required; each change takes an audit.Event that says who asks.
type KeyService struct {
	Store       KeyStore
	Connections Store
	Now         func() time.Time
	// Make makes a key, which takes a while; nil: GenerateKey.
	Make func(alg, connectionName string, now time.Time) (Key, error)
}

// List is the keys, current before previous before next. A connection that is set
// to private_key_jwt always has some: they are made when they are first needed.
// Errors: ErrNotFound, and a refusal for strategies without keys.
func (s *KeyService) List(ctx context.Context, id string, by audit.Event) ([]Key, error) {
	c, err := s.Connections.Connection(ctx, id)
	if err != nil {
		return nil, err
	}
	if !hasKeys(c.Strategy) {
		return nil, errKeyStrategy
	}
	return s.of(ctx, c, by)
}

// Create makes the first two keys, also before the connection is set to use them.
// alg empty: as the connection is set, or RS256. A conflict when there are some.
func (s *KeyService) Create(ctx context.Context, id, alg string, by audit.Event) ([]Key, error) {
	c, err := s.Connections.Connection(ctx, id)
	if err != nil {
		return nil, err
	}
	if !hasKeys(c.Strategy) {
		return nil, errKeyStrategy
	}
	return s.make(ctx, c, alg, errKeysExist, by)
}

// Rotate makes the next key the current one, forgets the previous, and returns
// the new next key. alg empty: as the connection is set, or RS256.
func (s *KeyService) Rotate(ctx context.Context, id, alg string, by audit.Event) (Key, error) {
	c, err := s.Connections.Connection(ctx, id)
	switch {
	case err != nil:
		return Key{}, err
	case !hasKeys(c.Strategy):
		return Key{}, errNoRotation
	case !c.PrivateKeyJWT():
		return Key{}, errNoKeyJWT
	}
	if _, err := s.of(ctx, c, by); err != nil { // there is something to rotate
		return Key{}, err
	}
	now := s.Now()
	next, err := s.generate(c, alg, now)
	if err != nil {
		return Key{}, err
	}
	_, err = s.Store.UpdateConnectionKeys(ctx, c.ID, func(keys []Key) ([]Key, error) {
		return rotateKeys(keys, next, now.UnixMicro()), nil
	}, s.event(by, c, "Rotate connection keys"))
	if err != nil {
		return Key{}, err
	}
	return next, nil
}

// Signing is the key that signs now. ErrNoKeys when the connection does not use any.
func (s *KeyService) Signing(ctx context.Context, c *Connection) (Key, error) {
	if !c.PrivateKeyJWT() {
		return Key{}, ErrNoKeys
	}
	keys, err := s.of(ctx, c, audit.Event{})
	if err != nil {
		return Key{}, err
	}
	i := slices.IndexFunc(keys, func(k Key) bool { return k.State == KeyCurrent })
	if i < 0 {
		return Key{}, ErrNoKeys
	}
	return keys[i], nil
}

// Published is the keys of a connection by its name, for the provider to fetch.
// ErrNoKeys when there is no such connection, or none with keys.
func (s *KeyService) Published(ctx context.Context, name string) ([]Key, error) {
	c, err := s.Connections.ConnectionByName(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return nil, ErrNoKeys
	}
	if err != nil {
		return nil, err
	}
	if !hasKeys(c.Strategy) {
		return nil, ErrNoKeys
	}
	keys, err := s.of(ctx, c, audit.Event{})
	if err == nil && len(keys) == 0 {
		err = ErrNoKeys
	}
	return keys, err
}

// of reads the keys, and makes them where the connection needs some.
func (s *KeyService) of(ctx context.Context, c *Connection, by audit.Event) ([]Key, error) {
	keys, err := s.Store.ConnectionKeys(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 && c.PrivateKeyJWT() {
		return s.make(ctx, c, "", nil, by)
	}
	return inOrder(keys), nil
}

// make stores a current and a next key. exist is the answer when somebody else
// has been faster; nil: their keys are as good.
func (s *KeyService) make(ctx context.Context, c *Connection, alg string, exist error, by audit.Event) ([]Key, error) {
	if exist != nil { // making keys is work: not for a request that is refused anyhow
		if keys, err := s.Store.ConnectionKeys(ctx, c.ID); err != nil || len(keys) > 0 {
			return nil, cmp.Or(err, exist)
		}
	}
	now := s.Now()
	var fresh []Key
	for range 2 {
		k, err := s.generate(c, alg, now)
		if err != nil {
			return nil, err
		}
		fresh = append(fresh, k)
	}
	fresh[0].State, fresh[0].CurrentSince = KeyCurrent, now.UnixMicro()
	keys, err := s.Store.UpdateConnectionKeys(ctx, c.ID, func(keys []Key) ([]Key, error) {
		if len(keys) > 0 {
			return keys, exist
		}
		return fresh, nil
	}, s.event(by, c, "Create connection keys"))
	return inOrder(keys), err
}

func (s *KeyService) generate(c *Connection, alg string, now time.Time) (Key, error) {
	alg = cmp.Or(alg, c.OIDC().TokenEndpointAuthSigningAlg)
	if !slices.Contains(KeyAlgs(), alg) {
		alg = "RS256"
	}
	if s.Make != nil {
		return s.Make(alg, c.Name, now)
	}
	return GenerateKey(alg, c.Name, now)
}

func (s *KeyService) event(by audit.Event, c *Connection, description string) audit.Event {
	by = by.Operation(s.Now().UnixMicro(), description)
	by.ConnectionID, by.Connection = c.ID, c.Name
	return by
}

// rotateKeys moves each key one state on; a key that was previous goes.
func rotateKeys(keys []Key, next Key, now int64) []Key {
	var out []Key
	for _, k := range keys {
		switch k.State {
		case KeyCurrent:
			k.State, k.CurrentUntil = KeyPrevious, now
		case KeyNext:
			k.State, k.CurrentSince = KeyCurrent, now
		default:
			continue
		}
		out = append(out, k)
	}
	return append(out, next)
}

// inOrder puts current before previous before next, as the live service does.
func inOrder(keys []Key) []Key {
	rank := func(k Key) int { return slices.Index([]string{KeyCurrent, KeyPrevious, KeyNext}, k.State) }
	slices.SortStableFunc(keys, func(a, b Key) int { return rank(a) - rank(b) })
	return keys
}
