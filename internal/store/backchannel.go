package store

import (
	"context"
	"errors"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/user"
)

const (
	signOut       = `DELETE FROM sessions WHERE session_hash = ? RETURNING session_id, user_id`
	leaveSessions = endSessions + ` RETURNING session_id, user_id`
)

// SignOut ends the session that its person leaves, with its event, and has the
// clients told that want to know; ending none is no error.
func (s *Store) SignOut(ctx context.Context, hash string, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		n, err := s.endAll(t, session.RPLogout, signOut, hash)
		if err != nil || n == 0 {
			return err
		}
		return s.record(t, e)
	})
}

// ended is a session that is gone.
type ended struct{ id, userID string }

// endAll deletes sessions by a statement that returns session_id and user_id, and
// makes the jobs that tell their clients.
func (s *Store) endAll(t tx, initiator, q string, a ...any) (int, error) {
	gone, err := s.endSome(t, initiator, q, a...)
	return len(gone), err
}

// endSome is endAll that says which they were.
func (s *Store) endSome(t tx, initiator, q string, a ...any) (gone []ended, err error) {
	err = t.query(q, a, func(r row) error {
		var e ended
		err := r.Scan(&e.id, &e.userID)
		gone = append(gone, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, e := range gone {
		if err := s.tellClients(t, initiator, e.id, e.userID); err != nil {
			return nil, err
		}
	}
	return gone, nil
}

// endedBy is why a change of the user ended the sessions.
func endedBy(u *user.User) string {
	if u.Profile.True(profile.Blocked) {
		return session.Deactivated
	}
	return session.PasswordChanged
}

// tellClients makes the jobs that tell the clients of a session.
func (s *Store) tellClients(t tx, initiator, sessionID, userID string) error {
	clients, err := clientsOf(t, sessionID)
	if err != nil {
		return err
	}
	for _, id := range clients {
		tells, err := s.tells(t, id, initiator)
		if err != nil {
			return err
		}
		if !tells {
			continue
		}
		if err := t.send(nil, insertJob, jobRow(job.ForLogout(id, userID, sessionID, s.micros()))...); err != nil {
			return err
		}
	}
	return nil
}

// tells reports whether the client wants to know of a session that ended so.
func (s *Store) tells(t tx, clientID, initiator string) (bool, error) {
	c, err := s.client(t, selectClient, clientID)
	if errors.Is(err, client.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return c.Settings().Backchannel.Tells(initiator), nil
}
