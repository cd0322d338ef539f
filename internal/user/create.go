package user

import (
	"context"
	"errors"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
)

// Failures of creation (reference/users.md §3.3).
var (
	ErrNoConnection       = errs.New(errs.Invalid, "inexistent_connection", "Connection does not exist.")
	ErrConnectionDisabled = errs.New(errs.Invalid, "connection_disabled", "Connection is disabled.")
	ErrSignupDisabled     = errs.New(errs.Invalid, "invalid_signup", "Public signup is disabled")
	ErrPasswordNotAllowed = errs.New(errs.Invalid, "invalid_body", "Cannot set password for a user of a passwordless connection.")
)

// missingPassword is the violation for a database user without a password.
var missingPassword = schema.Error{{Code: "OBJECT_REQUIRED", Message: "Missing required property: password"}}

// Create makes a user of a connection of ours. Errors: *errs.Error,
// schema.Error, *passwd.Weak.
//
// Everything that can be refused is refused before the password is hashed, and
// the hash is made before the write, which must not wait for it.
func (s *Service) Create(ctx context.Context, req CreateRequest, a Actor) (*User, error) {
	c, err := s.Connections.ConnectionByName(ctx, req.Connection)
	if err != nil {
		if errors.Is(err, connection.ErrNotFound) {
			return nil, ErrNoConnection
		}
		return nil, err
	}
	facts := c.Facts()
	now := s.Now()
	src := profile.Source{Origin: profile.FromManagement, Connection: c.ID, Actor: a.actor(), At: now.UnixMicro()}
	if req.Signup {
		src.Origin = profile.FromSignup
		if err := s.guard().AdmitSignup(ctx, c, a); err != nil {
			return nil, err
		}
		if c.Signup().Disabled {
			return nil, ErrSignupDisabled
		}
	}
	p, err := profile.Create(facts, req.Changes, src, s.Defaults)
	if err != nil {
		return nil, err
	}
	if facts.Disabled {
		return nil, ErrConnectionDisabled
	}
	u := &User{Version: 1, Profile: p, CreatedAt: now.UnixMicro(), UpdatedAt: now.UnixMicro()}
	save := req.Save
	if save == nil {
		save = s.Users.CreateUser
		if u.Password, err = s.firstPassword(ctx, c, facts, req.Password, p); err != nil {
			return nil, err
		}
	}
	local := req.UserID
	if local == "" {
		local = newLocalID(facts.Class, now)
	}
	u.SetPrimary(c, local)
	e, application, language := s.operation("Create a User", a, c, u.ID, now), "", ""
	if req.Signup {
		e, application, language = s.event(audit.SignupOK, a, c, u.ID, now), a.ClientID, a.Language
	}
	err = save(ctx, u, Effect{
		Events: []audit.Event{e}, Verification: s.verification(true, req.VerifyEmail, facts.Class, application, language, u, 0),
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

// SetPrimary gives a user of a connection of ours its id and first identity.
func (u *User) SetPrimary(c *connection.Connection, local string) {
	u.ID = ID(c.Strategy + "|" + local)
	u.Identities = []Identity{{
		Provider: c.Strategy, Connection: c.Name, ConnectionID: c.ID,
		UserID: local, Subject: local, IsSocial: c.Class() == profile.Social,
	}}
}

// firstPassword checks and hashes the password of a new user.
func (s *Service) firstPassword(ctx context.Context, c *connection.Connection, facts profile.Connection, password string, p profile.Profile) (Password, error) {
	switch facts.Class {
	case profile.PasswordlessEmail, profile.PasswordlessSMS:
		if password != "" {
			return Password{}, ErrPasswordNotAllowed
		}
		return Password{}, nil
	}
	if password == "" {
		if c.PasswordOptional() {
			return Password{}, nil
		}
		return Password{}, missingPassword
	}
	if err := checkPassword(c, password, p); err != nil {
		return Password{}, err
	}
	return s.hashed(ctx, password)
}

// checkPassword applies the connection's policy, as far as it needs no hash.
func checkPassword(c *connection.Connection, password string, p profile.Profile) error {
	return c.PasswordPolicy().Check(password, personalWords(p, c.PersonalFields()))
}

func (s *Service) hashed(ctx context.Context, password string) (Password, error) {
	h, err := s.Hashing.Hash(ctx, password)
	return Password{Hash: h}, err
}

// personalWords are what a password must not contain when the policy says so:
// the named members of the profile, of an e-mail its local part
// (reference/authentication.md §5.3).
func personalWords(p profile.Profile, fields []string) []string {
	var words []string
	for _, f := range fields {
		w := p.Text(f)
		if key, ok := strings.CutPrefix(f, profile.UserMetadata+"."); ok {
			w = profile.TextOf(profile.Member(p.Value(profile.UserMetadata), key))
		}
		if f == profile.Email {
			w, _, _ = strings.Cut(w, "@")
		}
		if w != "" {
			words = append(words, w)
		}
	}
	return words
}

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }
