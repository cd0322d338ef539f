package user

import (
	"context"
	"errors"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
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

// Create makes a user of a connection of ours, or of an external store. Errors:
// *errs.Error, schema.Error, *passwd.Weak, and those of ask and tell.
//
// Everything that can be refused is refused before the password is hashed, and
// the hash is made before the write, which must not wait for it. In import mode the old
// store is asked whether it knows somebody by an identifier, who then exists.
//
// What a custom database has against it is recorded here, but of a sign-up, which
// whoever takes it records (Told).
func (s *Service) Create(ctx context.Context, req CreateRequest, a Actor) (*User, error) {
	c, err := s.Connections.ConnectionByName(ctx, req.Connection)
	if err != nil {
		return nil, noConnection(err)
	}
	u, err := s.create(ctx, c, req, a)
	var there *customdb.Failure
	if !req.Signup && errors.As(err, &there) && ctx.Err() == nil {
		e := told(refused(s.event(audit.SignupFailed, a, c, "", s.Now()), err), err)
		return nil, errors.Join(err, s.Audit.AppendEvents(ctx, e))
	}
	return u, err
}

func (s *Service) create(ctx context.Context, c *connection.Connection, req CreateRequest, a Actor) (u *User, err error) {
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
	if facts.Class == profile.ExternalDatabase {
		return s.createElsewhere(ctx, c, facts, req, src, a)
	}
	p, err := profile.Create(facts, req.Changes, src, s.Defaults)
	if err != nil {
		return nil, err
	}
	if facts.Disabled {
		return nil, ErrConnectionDisabled
	}
	save := req.Save
	if save == nil {
		save = s.Users.CreateUser
		if err := checkFirst(c, facts, req.Password, p); err != nil {
			return nil, err
		}
	}
	if err := s.free(ctx, c, p, identifiers, ""); err != nil {
		return nil, err
	}
	u = &User{Version: 1, Profile: p, CreatedAt: now.UnixMicro(), UpdatedAt: now.UnixMicro()}
	if req.Save == nil && req.Password != "" {
		if u.Password, err = s.hashed(ctx, req.Password); err != nil {
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

// identifiers of a profile, in the order in which they are asked about.
var identifiers = []string{profile.Email, profile.Username, profile.PhoneNumber}

// checkFirst checks the password of a new user; empty: there is none.
func checkFirst(c *connection.Connection, facts profile.Connection, password string, p profile.Profile) error {
	switch facts.Class {
	case profile.PasswordlessEmail, profile.PasswordlessSMS:
		if password != "" {
			return ErrPasswordNotAllowed
		}
		return nil
	}
	if password == "" {
		if c.PasswordOptional() {
			return nil
		}
		return missingPassword
	}
	return checkPassword(c, password, p)
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
