package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"mangrove/internal/audit"
	"mangrove/internal/session"
)

const (
	endByHash  = `DELETE FROM sessions WHERE session_hash = ? AND connection_id = ? RETURNING session_id, user_id`
	endByName  = `DELETE FROM sessions WHERE upstream_name = ? AND upstream_name <> '' RETURNING session_id, user_id`
	endByIndex = `DELETE FROM sessions WHERE upstream_name = ? AND upstream_name <> '' AND upstream_index = ? AND upstream_index <> '' RETURNING session_id, user_id`
)

// EndByProvider ends sessions that their provider has ended, with an event for
// each, and has the clients told that want to know; ending none is no error.
func (s *Store) EndByProvider(ctx context.Context, w session.Whose, e audit.Event) (n int, err error) {
	name := foreignHash(w.ConnectionID, w.Name)
	err = s.write(ctx, func(t tx) error {
		n = 0
		switch {
		case w.Hash != "":
			return s.endByProvider(t, &n, e, endByHash, w.Hash, w.ConnectionID)
		case w.Name == "":
			return nil
		case len(w.Indexes) == 0:
			return s.endByProvider(t, &n, e, endByName, name)
		}
		for _, index := range w.Indexes {
			if err := s.endByProvider(t, &n, e, endByIndex, name, foreignHash(w.ConnectionID, index)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func (s *Store) endByProvider(t tx, n *int, e audit.Event, q string, a ...any) error {
	gone, err := s.endSome(t, session.IdPLogout, q, a...)
	if err != nil {
		return err
	}
	*n += len(gone)
	for _, was := range gone {
		e.UserID = was.userID
		if err := s.record(t, e); err != nil {
			return err
		}
	}
	return nil
}

// foreignHash is by what a session is found at its connection; empty: by nothing.
func foreignHash(connectionID, text string) string {
	if text == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(connectionID + "\x00" + text))
	return hex.EncodeToString(sum[:])
}

// sealForeign is the columns of v.Foreign.
func (s *Store) sealForeign(v *session.Session) (sealed, name, index string, err error) {
	if v.Foreign == (session.Foreign{}) {
		return "", "", "", nil
	}
	plain, err := json.Marshal(v.Foreign)
	if err != nil {
		return "", "", "", fmt.Errorf("session at the provider: %w", err)
	}
	sealed = base64.RawStdEncoding.EncodeToString(s.seal(plain, "sessions", v.Hash))
	return sealed, foreignHash(v.ConnectionID, v.Foreign.Name), foreignHash(v.ConnectionID, v.Foreign.Index), nil
}

func (s *Store) openForeign(text, hash string) (f session.Foreign, err error) {
	if text == "" {
		return f, nil
	}
	sealed, err := base64.RawStdEncoding.DecodeString(text)
	if err == nil {
		var plain []byte
		if plain, err = s.open(sealed, "sessions", hash); err == nil {
			err = json.Unmarshal(plain, &f)
		}
	}
	if err != nil {
		return session.Foreign{}, fmt.Errorf("session at the provider: %w", err)
	}
	return f, nil
}
