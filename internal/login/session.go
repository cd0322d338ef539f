package login

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
	"mangrove/internal/web"
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
		settings, err := f.d.Tenant.Settings(ctx)
		if err != nil {
			return session.Session{}, err
		}
		_, idle := lifetimes(settings, s.Persistent)
		s.LastSeen, s.IdleUntil = now, min(now+idle, s.ExpiresAt)
		s.Device.LastIP, s.Device.LastUserAgent = web.ClientIP(r), web.UserAgent(r)
		if err := f.d.Sessions.TouchSession(ctx, s.Hash, s.LastSeen, s.IdleUntil, s.Device.LastIP, s.Device.LastUserAgent); err != nil {
			return session.Session{}, err
		}
	}
	return s, nil
}

// lifetimes of a session in microseconds, absolute and idle
// (reference/authentication.md §0.4).
func lifetimes(t *tenant.Settings, persistent bool) (absolute, idle int64) {
	const second = int64(time.Second / time.Microsecond)
	if persistent {
		return t.SessionLifetime * second, t.IdleSessionLifetime * second
	}
	return t.EphemeralSessionLifetime * second, t.IdleEphemeralLifetime * second
}

func ended(s session.Session, now int64) bool { return now >= s.ExpiresAt || now >= s.IdleUntil }

// NoteClient remembers that the client was answered with the session.
func (f *Flow) NoteClient(ctx context.Context, s session.Session, clientID string) error {
	if slices.Contains(s.Clients, clientID) {
		return nil
	}
	return f.d.Sessions.AddSessionClient(ctx, s.ID, clientID, f.now(), s.ExpiresAt)
}

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
func (f *Flow) begin(w http.ResponseWriter, r *http.Request, p *pass, u *user.User) (session.Session, error) {
	settings, err := f.d.Tenant.Settings(r.Context())
	if err != nil {
		return session.Session{}, err
	}
	secret, err := f.secret()
	if err != nil {
		return session.Session{}, err
	}
	id, err := f.secret()
	if err != nil {
		return session.Session{}, err
	}
	absolute, idle := lifetimes(settings, settings.PersistentSession)
	now := f.now()
	if until := p.prog.Foreign.Until; until != 0 {
		absolute = min(absolute, max(until-now, int64(time.Second/time.Microsecond)))
	}
	ip, agent := web.ClientIP(r), web.UserAgent(r)
	s := session.Session{
		Hash: hash(secret), ID: id, UserID: string(u.ID), ConnectionID: p.prog.ConnectionID,
		AuthTime: p.prog.AuthTime, Methods: p.prog.Methods, CreatedAt: now, LastSeen: now,
		ExpiresAt: now + absolute, IdleUntil: now + min(idle, absolute), Persistent: settings.PersistentSession,
		Foreign: p.prog.Foreign,
		Device:  session.Device{InitialIP: ip, InitialUserAgent: agent, LastIP: ip, LastUserAgent: agent},
	}
	if err := f.d.Sessions.CreateSession(r.Context(), s); err != nil {
		return session.Session{}, err
	}
	if err := f.forget(r.Context(), r); err != nil {
		return session.Session{}, err
	}
	life := time.Duration(absolute) * time.Microsecond
	if !s.Persistent {
		life = untilBrowserCloses
	}
	f.setCookie(w, SessionCookie, secret, life)
	return s, nil
}
