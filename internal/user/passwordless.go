package user

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/profile"
)

// NewPasswordlessID makes the 24 hex digits of the id of a user of a passwordless
// connection. All of them are random: the answer to a start shows the id that
// somebody has, or would get, and must not tell by its age which of the two it is.
func NewPasswordlessID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// newLocalID is the id of a new user of a connection of ours.
func newLocalID(class profile.Class, now time.Time) string {
	if class == profile.PasswordlessEmail || class == profile.PasswordlessSMS {
		return NewPasswordlessID()
	}
	return NewLocalID(now)
}

// passwordlessIdentifier is the kind of identifier by which the users of a
// passwordless connection are known.
func passwordlessIdentifier(class profile.Class) string {
	if class == profile.PasswordlessSMS {
		return ByPhone
	}
	return ByEmail
}

// FindPasswordless finds the user with the recipient (an address or number as
// users have it) and the local id of the identity that has it; nil: nobody.
func (s *Service) FindPasswordless(ctx context.Context, c *connection.Connection, recipient string) (*User, string, error) {
	kind := passwordlessIdentifier(c.Class())
	u, err := s.Users.UserByIdentifier(ctx, c.ID, kind, recipient)
	switch {
	case isNotFound(err):
		return nil, "", nil
	case err != nil:
		return nil, "", err
	}
	i := u.identifiedBy(c.ID, kind, recipient)
	if i < 0 {
		return nil, "", nil
	}
	return u, u.Identities[i].Subject, nil
}

// passwordlessTries bounds how often a sign-in starts afresh because the user
// came, went or changed the address at the same moment.
const passwordlessTries = 8

// errElsewhere: the identity that was looked up is not the recipient's (any more).
var errElsewhere = errors.New("the identity belongs to another address")

// SignInPasswordless signs in whoever proved to read what is sent to the
// recipient, and makes the user at the first time, with the local id
// (reference/connections.md §6.3). The address is verified from then on. Errors:
// ErrBlocked, ErrSignupDisabled; then nothing was written.
//
// The user, the records and the login are written in one transaction. Of several
// first sign-ins at once one makes the user and the others find it.
func (s *Service) SignInPasswordless(ctx context.Context, c *connection.Connection, recipient, local string, a Actor) (*User, error) {
	now := s.Now()
	p := passwordlessLogin{
		c: c, kind: passwordlessIdentifier(c.Class()), recipient: recipient, defaults: s.Defaults,
		src: profile.Source{Connection: c.ID, Actor: a.actor(), At: now.UnixMicro()},
	}
	login := Logins{Last: now.UnixMicro(), IP: a.IP, Count: 1}
	if local == "" {
		local = NewPasswordlessID()
	}
	var err error
	for range passwordlessTries {
		var known *User
		known, p.subject, err = s.FindPasswordless(ctx, c, recipient)
		if err != nil {
			return nil, err
		}
		if known == nil {
			p.subject = local
		}
		var u *User
		u, err = s.Users.Federate(ctx, c.ID, p.subject, login, func(u *User) (*User, Effect, error) {
			var events []audit.Event
			unchanged := false
			switch {
			case u == nil && known != nil:
				return nil, Effect{}, errElsewhere // deleted in between; nobody gets that id again
			case u == nil:
				made, err := p.create()
				if err != nil {
					return nil, Effect{}, err
				}
				u = made
				events = append(events, s.event(audit.SignupOK, a, c, u.ID, now))
			default:
				changed, err := p.verify(u)
				if err != nil {
					return nil, Effect{}, err
				}
				unchanged = !changed
			}
			events = append(events, s.event(audit.CodeValidated, a, c, u.ID, now), s.event(a.success(), a, c, u.ID, now))
			return u, Effect{Events: events, Unchanged: unchanged}, nil
		})
		switch {
		case err == nil:
			return u, nil
		case errors.Is(err, errElsewhere), errors.Is(err, ErrExists), isNotFound(err):
			local = NewPasswordlessID()
		default:
			return nil, err
		}
	}
	return nil, err
}

// passwordlessLogin is one sign-in with everything it needs gathered.
type passwordlessLogin struct {
	c                        *connection.Connection
	kind, recipient, subject string
	src                      profile.Source
	defaults                 profile.Defaults
}

// create makes the user of a first sign-in.
func (p *passwordlessLogin) create() (*User, error) {
	if p.c.Signup().Disabled {
		return nil, ErrSignupDisabled
	}
	src := p.src
	src.Origin = profile.FromSignup
	attrs, err := profile.Create(p.c.Facts(), []profile.Change{{Name: p.kind, Value: profile.Text(p.recipient)}}, src, p.defaults)
	if err != nil {
		return nil, err
	}
	attrs, _ = profile.Verify(attrs, p.kind, p.recipient, src)
	u := &User{Version: 1, Profile: attrs, CreatedAt: src.At, UpdatedAt: src.At}
	u.SetPrimary(p.c, p.subject)
	return u, nil
}

// verify marks the address of a user who is there as proved and reports whether
// it was not.
func (p *passwordlessLogin) verify(u *User) (changed bool, err error) {
	i := u.identityIndex(p.c.ID, p.subject)
	if i < 0 || u.Identifiers(i)[p.kind] != p.recipient {
		return false, errElsewhere
	}
	if u.Profile.True(profile.Blocked) {
		return false, ErrBlocked
	}
	src := p.src
	src.Origin, src.Actor = profile.FromManagement, string(u.ID)
	attrs, changed := profile.Verify(*u.profileOf(i), p.kind, u.profileOf(i).Text(p.kind), src)
	if changed {
		*u.profileOf(i) = attrs
		u.UpdatedAt = src.At
	}
	return changed, nil
}
