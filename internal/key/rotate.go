package key

import (
	"context"
	"slices"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
)

// Afterlife is how long a key is published after its last signature: no token
// lives longer (reference/authentication.md §7.1, §7.2: 30 days).
const Afterlife = 31 * 24 * time.Hour

// Failures of rotation and revocation.
var (
	ErrNoSuchKey = errs.New(errs.NotFound, "inexistent_signing_key", "No signing key found for the given kid")
	errCurrent   = errs.New(errs.Invalid, "invalid_uri", "The current signing key cannot be revoked: rotate first.")
)

// Keeper is a Store whose keys can be changed.
type Keeper interface {
	Store
	// UpdateKeys runs fn on all keys, of which nobody else changes any meanwhile,
	// and saves the states of those it returns, and those that are new. fn may run twice.
	UpdateKeys(ctx context.Context, fn func([]Key) ([]Key, error), e audit.Event) ([]Key, error)
}

// Service is the use cases. All fields are required; each change takes an
// audit.Event that says who asks.
type Service struct {
	Store Keeper
	Ring  *Ring
	Host  string // in the certificates
	Now   func() time.Time
	// Make makes a key, which takes a while; nil: Generate.
	Make func(host string, now time.Time) (Key, error)
}

func (s *Service) generate(now time.Time) (Key, error) {
	if s.Make != nil {
		return s.Make(s.Host, now)
	}
	return Generate(s.Host, now)
}

// List is all keys, the one that signs first.
func (s *Service) List(ctx context.Context) ([]Key, error) {
	keys, err := s.Store.Keys(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(keys, func(a, b Key) int { return rank(a.State) - rank(b.State) })
	return keys, nil
}

// Get finds one; ErrNoSuchKey.
func (s *Service) Get(ctx context.Context, id string) (Key, error) {
	keys, err := s.Store.Keys(ctx)
	if err != nil {
		return Key{}, err
	}
	return find(keys, id)
}

func find(keys []Key, id string) (Key, error) {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == id })
	if i < 0 {
		return Key{}, ErrNoSuchKey
	}
	return keys[i], nil
}

// Rotate makes the next key the current one, and another the next, which it
// returns. What the old one signed stays valid.
func (s *Service) Rotate(ctx context.Context, by audit.Event) (Key, error) {
	now := s.Now()
	// Both are made outside of the transaction; without a key in waiting both are needed.
	var fresh [2]Key
	for i := range fresh {
		k, err := s.generate(now)
		if err != nil {
			return Key{}, err
		}
		fresh[i] = k
	}
	var next Key
	_, err := s.Store.UpdateKeys(ctx, func(keys []Key) ([]Key, error) {
		out := rotate(keys, fresh, now.UnixMicro())
		next = out[slices.IndexFunc(out, func(k Key) bool { return k.State == Next })]
		return out, nil
	}, s.event(by, "Rotate the signing key"))
	if err != nil {
		return Key{}, err
	}
	return next, s.Ring.Load(ctx)
}

// Prepare makes the next key if there is none, so that who keeps a copy of the
// published keys knows each before it signs. It asks first: of a store that has
// one nothing is written.
func (s *Service) Prepare(ctx context.Context) error {
	has := func(keys []Key) bool {
		return slices.ContainsFunc(keys, func(k Key) bool { return k.State == Next })
	}
	if keys, err := s.Store.Keys(ctx); err != nil || has(keys) {
		return err
	}
	now := s.Now()
	next, err := s.generate(now)
	if err != nil {
		return err
	}
	next.State, next.Since = Next, now.UnixMicro()
	if _, err = s.Store.UpdateKeys(ctx, func(keys []Key) ([]Key, error) {
		if has(keys) {
			return keys, nil
		}
		return append(slices.Clone(keys), next), nil
	}, audit.Event{}); err != nil {
		return err
	}
	return s.Ring.Load(ctx)
}

// Revoke ends a key: nothing that it signed is valid any more. ErrNoSuchKey; the
// current key is refused.
func (s *Service) Revoke(ctx context.Context, id string, by audit.Event) (Key, error) {
	now := s.Now().UnixMicro()
	keys, err := s.Store.UpdateKeys(ctx, func(keys []Key) ([]Key, error) { return revoke(keys, id, now) }, s.event(by, "Revoke a signing key"))
	if err != nil {
		return Key{}, err
	}
	k, err := find(keys, id)
	if err != nil {
		return Key{}, err
	}
	return k, s.Ring.Load(ctx)
}

func (s *Service) event(by audit.Event, description string) audit.Event {
	return by.Operation(s.Now().UnixMicro(), description)
}

// rotate moves each key one state on. There is exactly one current and one next
// key afterwards, whatever there was.
func rotate(keys []Key, fresh [2]Key, now int64) []Key {
	out := slices.Clone(keys)
	promoted := false
	for i := range out {
		switch k := &out[i]; {
		case k.State == Next && !promoted:
			k.State, k.Since, promoted = Current, now, true
		case k.State == Current || k.State == Next:
			k.State, k.Since = Previous, now
		}
	}
	next := fresh[0]
	if !promoted {
		current := fresh[0]
		current.State, current.Since = Current, now
		out, next = append(out, current), fresh[1]
	}
	next.State, next.Since = Next, now
	return append(out, next)
}

// revoke ends one key.
func revoke(keys []Key, id string, now int64) ([]Key, error) {
	out := slices.Clone(keys)
	for i := range out {
		k := &out[i]
		switch {
		case k.ID != id:
		case k.State == Current:
			return nil, errCurrent
		case k.State == Revoked:
			return out, nil
		default:
			k.State, k.Since = Revoked, now
			return out, nil
		}
	}
	return nil, ErrNoSuchKey
}

// verifies reports whether what the key signed may still be valid.
func verifies(k Key, now time.Time) bool {
	switch k.State {
	case Current, Next:
		return true
	case Previous:
		return k.Since == 0 || now.UnixMicro() < k.Since+Afterlife.Microseconds()
	}
	return false
}
