package login

import (
	"context"
	"errors"
	"net/http"
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/user"
)

// touchEvery is how often at most the use of a session is written down.
const touchEvery = int64(time.Minute / time.Microsecond)

func (f *Flow) now() int64 { return f.d.Now().UnixMicro() }

// Session is the session of the browser. session.ErrNone: there is none, it is
// over, or its user is gone or blocked.
func (f *Flow) Session(r *http.Request) (session.Session, error) {
	secret := cookieValue(r, SessionCookie)
	if secret == "" {
		return session.Session{}, session.ErrNone
	}
	ctx, now := r.Context(), f.now()
	s, err := f.d.Sessions.Session(ctx, hash(secret), now)
	if err != nil {
		return session.Session{}, err
	}
	if ended(s, now) {
		return session.Session{}, session.ErrNone
	}
	u, err := f.d.UserStore.User(ctx, user.ID(s.UserID))
	switch {
	case errs.KindOf(err) == errs.NotFound:
		return session.Session{}, session.ErrNone
	case err != nil:
		return session.Session{}, err
	case u.Profile.True(profile.Blocked):
		return session.Session{}, session.ErrNone
	}
	if now-s.LastSeen >= touchEvery {
		s.LastSeen, s.IdleUntil = now, min(now+session.IdleLifetime, s.ExpiresAt)
		if err := f.d.Sessions.TouchSession(ctx, s.Hash, s.LastSeen, s.IdleUntil); err != nil {
			return session.Session{}, err
		}
	}
	return s, nil
}

func ended(s session.Session, now int64) bool { return now >= s.ExpiresAt || now >= s.IdleUntil }

// EndSession ends the session on the server and takes the cookie away. Without
// a session only the cookie goes.
func (f *Flow) EndSession(w http.ResponseWriter, r *http.Request) error {
	if err := f.forget(r.Context(), r); err != nil {
		return err
	}
	f.setCookie(w, SessionCookie, "", 0)
	return nil
}

// forget deletes the session that the browser came with.
func (f *Flow) forget(ctx context.Context, r *http.Request) error {
	secret := cookieValue(r, SessionCookie)
	if secret == "" {
		return nil
	}
	if err := f.d.Sessions.DeleteSession(ctx, hash(secret)); err != nil && !errors.Is(err, session.ErrNone) {
		return err
	}
	return nil
}

// begin makes a new session with a new secret; the one that the browser came
// with ends, whosever it was, so that a planted cookie is worth nothing.
func (f *Flow) begin(w http.ResponseWriter, r *http.Request, u *user.User, connectionID string) (session.Session, error) {
	secret, err := f.secret()
	if err != nil {
		return session.Session{}, err
	}
	id, err := f.secret()
	if err != nil {
		return session.Session{}, err
	}
	now := f.now()
	s := session.Session{
		Hash: hash(secret), ID: id, UserID: string(u.ID), ConnectionID: connectionID,
		AuthTime: now, CreatedAt: now, LastSeen: now,
		ExpiresAt: now + session.Lifetime, IdleUntil: now + session.IdleLifetime,
	}
	if err := f.d.Sessions.CreateSession(r.Context(), s); err != nil {
		return session.Session{}, err
	}
	if err := f.forget(r.Context(), r); err != nil {
		return session.Session{}, err
	}
	f.setCookie(w, SessionCookie, secret, session.Lifetime*time.Microsecond)
	return s, nil
}
