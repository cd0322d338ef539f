package store

import (
	"context"
	"fmt"

	"mangrove/internal/pushed"
)

const (
	insertPushed = `INSERT INTO pushed_requests (request_hash, client_id, params, expires_at) VALUES (?, ?, ?, ?)`
	takePushed   = `DELETE FROM pushed_requests WHERE request_hash = ? AND client_id = ? AND expires_at > ? RETURNING params, expires_at`
)

// PushRequest keeps a request until it expires.
func (s *Store) PushRequest(ctx context.Context, r pushed.Request) error {
	params := s.seal(r.Params, "pushed_requests", r.Hash)
	return s.writePlain(ctx, func(t tx) error { return t.send(nil, insertPushed, r.Hash, r.ClientID, params, r.ExpiresAt) })
}

// TakePushed gives the request to one caller.
func (s *Store) TakePushed(ctx context.Context, hash, clientID string, now int64) (pushed.Request, error) {
	r := pushed.Request{Hash: hash, ClientID: clientID}
	var sealed []byte
	err := s.write(ctx, func(t tx) error {
		found, err := one(t, takePushed, args(hash, clientID, now), &sealed, &r.ExpiresAt)
		if err == nil && !found {
			return pushed.ErrNone
		}
		return err
	})
	if err != nil {
		return pushed.Request{}, err
	}
	if r.Params, err = s.open(sealed, "pushed_requests", hash); err != nil {
		return pushed.Request{}, fmt.Errorf("pushed request: %w", err)
	}
	return r, nil
}
