package store

import (
	"context"
	"encoding/json"
	"fmt"

	"mangrove/internal/audit"
	"mangrove/internal/device"
	"mangrove/internal/token"
)

const (
	insertDevice = `INSERT INTO device_codes (device_hash, user_code_hash, client_id, user_id, session_id, state, doc, polled_at, expires_at, kept_until)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	deviceColumns = `device_hash, client_id, user_id, session_id, state, doc, polled_at, expires_at`
	// lockDevice locks a row without changing it.
	lockDevice       = `UPDATE device_codes SET state = state WHERE device_hash = ? RETURNING ` + deviceColumns
	selectDevice     = `SELECT ` + deviceColumns + ` FROM device_codes WHERE device_hash = ?`
	selectDeviceCode = `SELECT ` + deviceColumns + ` FROM device_codes WHERE user_code_hash = ?`
	updateDevice     = `UPDATE device_codes SET user_id = ?, session_id = ?, state = ?, doc = ?, polled_at = ? WHERE device_hash = ?`
	// What most polls change.
	touchDevice = `UPDATE device_codes SET polled_at = ? WHERE device_hash = ?`
	// A window that is over begins anew.
	countGuess = `INSERT INTO device_guesses (origin, tries, ends_at) VALUES (?, ?, ?) ON CONFLICT (origin) DO UPDATE SET
		tries = CASE WHEN device_guesses.ends_at <= ? THEN excluded.tries ELSE device_guesses.tries + excluded.tries END,
		ends_at = CASE WHEN device_guesses.ends_at <= ? THEN excluded.ends_at ELSE device_guesses.ends_at END RETURNING tries`
)

// storedDevice is what no query asks for.
type storedDevice struct {
	UserCode     string   `json:"user_code"`
	Scope        []string `json:"scope,omitzero"`
	Audience     string   `json:"audience,omitzero"`
	ConnectionID string   `json:"connection_id,omitzero"`
	AuthTime     int64    `json:"auth_time,omitzero"`
	Methods      []string `json:"methods,omitzero"`
}

func (s *Store) deviceDoc(c *device.Code) ([]byte, error) {
	doc, err := json.Marshal(storedDevice{c.UserCode, c.Scope, c.Audience, c.ConnectionID, c.AuthTime, c.Methods})
	return s.seal(doc, "device_codes", c.Hash), err
}

func (s *Store) readDevice(r reader, q, key string) (device.Code, error) {
	var c device.Code
	var sealed []byte
	found, err := one(r, q, args(key), &c.Hash, &c.ClientID, &c.UserID, &c.SessionID, (*string)(&c.State), &sealed, &c.PolledAt, &c.ExpiresAt)
	if err == nil && !found {
		err = device.ErrUnknown
	}
	if err != nil {
		return device.Code{}, err
	}
	doc, err := s.open(sealed, "device_codes", c.Hash)
	if err != nil {
		return device.Code{}, fmt.Errorf("device code: %w", err)
	}
	var d storedDevice
	if err := json.Unmarshal(doc, &d); err != nil {
		return device.Code{}, fmt.Errorf("stored device code: %w", err)
	}
	c.UserCode, c.Scope, c.Audience, c.ConnectionID, c.AuthTime, c.Methods = d.UserCode, d.Scope, d.Audience, d.ConnectionID, d.AuthTime, d.Methods
	return c, nil
}

// userCodeHash is under what a device's code is found.
func userCodeHash(userCode string) string { return token.HashOf(device.Normalize(userCode)) }

// SaveDevice keeps a new code.
func (s *Store) SaveDevice(ctx context.Context, c device.Code) error {
	doc, err := s.deviceDoc(&c)
	if err != nil {
		return err
	}
	return s.writePlain(ctx, func(t tx) error {
		return t.send(device.ErrTaken, insertDevice, c.Hash, userCodeHash(c.UserCode), c.ClientID, c.UserID, c.SessionID, string(c.State), doc,
			c.PolledAt, c.ExpiresAt, c.ExpiresAt+device.Stay.Microseconds())
	})
}

// ChangeDevice runs fn on the locked code and saves the result.
func (s *Store) ChangeDevice(ctx context.Context, hash string, fn func(*device.Code) ([]audit.Event, error)) error {
	return s.write(ctx, func(t tx) error {
		c, err := s.readDevice(t, lockDevice, hash)
		if err != nil {
			return err
		}
		state := c.State
		events, err := fn(&c)
		if err != nil {
			return err
		}
		if c.State == state {
			if err := t.send(nil, touchDevice, c.PolledAt, hash); err != nil {
				return err
			}
			return s.record(t, events...)
		}
		doc, err := s.deviceDoc(&c)
		if err != nil {
			return err
		}
		if err := t.send(nil, updateDevice, c.UserID, c.SessionID, string(c.State), doc, c.PolledAt, hash); err != nil {
			return err
		}
		return s.record(t, events...)
	})
}

// Device finds a code, whatever became of it.
func (s *Store) Device(ctx context.Context, hash string) (c device.Code, err error) {
	err = s.read(ctx, func(r reader) error {
		c, err = s.readDevice(r, selectDevice, hash)
		return err
	})
	return c, err
}

// DeviceByUserCode finds the code that a device shows.
func (s *Store) DeviceByUserCode(ctx context.Context, userCode string) (c device.Code, err error) {
	err = s.read(ctx, func(r reader) error {
		c, err = s.readDevice(r, selectDeviceCode, userCodeHash(userCode))
		return err
	})
	return c, err
}

// CountGuess adds to the guesses of an origin.
func (s *Store) CountGuess(ctx context.Context, origin string, n, now, until int64) (tries int64, err error) {
	err = s.writePlain(ctx, func(t tx) error {
		_, err := one(t, countGuess, args(origin, n, until, now, now), &tries)
		return err
	})
	return tries, err
}
