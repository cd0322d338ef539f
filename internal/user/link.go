package user

import (
	"context"
	"errors"
	"slices"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
)

// Failures of linking and unlinking (reference/users.md §3.7). The codes are ours.
var (
	ErrNotConfigured      = errs.New(errs.Invalid, "inexistent_connection", "The provider/connection is not configured.")
	ErrSameIdentity       = errs.New(errs.Invalid, "operation_not_supported", "Main identity and the new one are the same.")
	ErrNeedsConnection    = errs.New(errs.Invalid, "inexistent_user", "Linking to an inexistent identity requires a connection.")
	ErrInexistentIdentity = errs.New(errs.Invalid, "inexistent_user", "Linking to an inexistent identity is not allowed.")
	ErrUnlinkable         = errs.New(errs.Invalid, "operation_not_supported", "Unable to link with the secondary account.")
	ErrNoSecondary        = errs.New(errs.Invalid, "inexistent_user", "Provided secondary account not found.")
	ErrIdentityTaken      = errs.New(errs.Conflict, "conflict", "Specified identity already exists.")
	ErrMainIdentity       = errs.New(errs.Invalid, "operation_not_supported", "Main identity cannot be removed.")
	ErrNoIdentity         = errs.New(errs.Invalid, "inexistent_identity", "The user exists, but does not contain the given identity.")
)

// maxIdentities of one user: each of them is read and written with the user.
const maxIdentities = 100

// LinkRequest is POST /users/{id}/identities. It names the second user by
// Secondary, or else by Provider and UserID.
type LinkRequest struct {
	// Secondary is whom a verified ID token is about.
	Secondary ID
	Provider  string
	// UserID is the id at the provider, or the whole user_id.
	UserID string
	// ConnectionID narrows Provider to one connection; may be empty.
	ConnectionID string
}

// Link makes the identities of a second user identities of the first. The
// profile of the first, its metadata and its sessions stay; the second ends as a
// user, its metadata is dropped and its sessions are over. Each of its
// identities keeps its profile data, its tokens and its password, so that one
// signs in by it as before, now as the first user.
func (s *Service) Link(ctx context.Context, id ID, req LinkRequest, a Actor) (*User, error) {
	if _, err := s.Users.View(ctx, id); err != nil {
		return nil, err
	}
	second, err := s.second(ctx, id, req)
	if err != nil {
		return nil, err
	}
	c, err := s.Connections.Connection(ctx, second.Primary().ConnectionID)
	if errors.Is(err, connection.ErrNotFound) {
		return nil, ErrNotConfigured
	}
	if err != nil {
		return nil, err
	}
	now := s.Now()
	e := s.operation("Link a User Account", a, c, id, now)
	e.Details = secondaryDetails(second.ID)
	return s.Users.LinkUsers(ctx, id, second.ID, func(u, other *User) (Effect, error) {
		if other == nil {
			return Effect{}, ErrNoSecondary
		}
		return Effect{Events: []audit.Event{e}}, u.join(other, now.UnixMicro())
	})
}

// secondaryDetails names the other user of a link in its record.
func secondaryDetails(id ID) []byte {
	return append(appendText([]byte(`{"secondary":`), string(id)), '}')
}

// second finds the user to be linked.
func (s *Service) second(ctx context.Context, id ID, req LinkRequest) (*User, error) {
	if req.Secondary != "" {
		if req.Secondary == id {
			return nil, ErrSameIdentity
		}
		u, err := s.Users.User(ctx, req.Secondary)
		if isNotFound(err) {
			err = ErrNoSecondary
		}
		return u, err
	}
	list, err := s.configured(ctx, req)
	if err != nil {
		return nil, err
	}
	for _, userID := range readings(req.Provider, req.UserID) {
		u, err := s.Users.User(ctx, ID(req.Provider+"|"+userID))
		switch {
		case isNotFound(err), err == nil && req.ConnectionID != "" && u.Primary().ConnectionID != req.ConnectionID:
		case err != nil:
			return nil, err
		case u.ID == id:
			return nil, ErrSameIdentity
		default:
			return u, nil
		}
	}
	return nil, s.absent(ctx, req, list)
}

// readings are what the id of a request may mean at the provider: itself, or,
// where it is a whole user_id, what follows the provider.
func readings(provider, userID string) []string {
	if rest, ok := strings.CutPrefix(userID, provider+"|"); ok && rest != "" {
		return []string{userID, rest}
	}
	return []string{userID}
}

// configured are the connections that the request may mean.
func (s *Service) configured(ctx context.Context, req LinkRequest) ([]*connection.Connection, error) {
	if req.ConnectionID != "" {
		c, err := s.Connections.Connection(ctx, req.ConnectionID)
		if errors.Is(err, connection.ErrNotFound) || err == nil && c.Strategy != req.Provider {
			return nil, ErrNotConfigured
		}
		return []*connection.Connection{c}, err
	}
	const page = 100
	var all []*connection.Connection
	for after := ""; ; {
		list, _, err := s.Connections.Connections(ctx, connection.Filter{Strategies: []string{req.Provider}}, connection.Page{After: after, Limit: page})
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if len(list) < page {
			break
		}
		after = list[page-1].ID
	}
	if len(all) == 0 {
		return nil, ErrNotConfigured
	}
	return all, nil
}

// absent says why nobody can be linked whose primary identity this would be.
func (s *Service) absent(ctx context.Context, req LinkRequest, list []*connection.Connection) error {
	for _, c := range list {
		for _, userID := range readings(req.Provider, req.UserID) {
			subject, ok := connection.Subject(c.Strategy, c.Name, userID)
			if !ok {
				continue
			}
			switch has, err := s.Users.HasIdentity(ctx, c.ID, subject); {
			case err != nil:
				return err
			case has:
				return ErrIdentityTaken
			}
		}
	}
	if req.ConnectionID == "" {
		return ErrNeedsConnection
	}
	return ErrInexistentIdentity
}

// join takes over the identities of other. A block is not shaken off by linking:
// who is blocked cannot be linked.
func (u *User) join(other *User, at int64) error {
	if other.Profile.True(profile.Blocked) || len(u.Identities)+len(other.Identities) > maxIdentities {
		return ErrUnlinkable
	}
	ids := slices.Clone(other.Identities)
	ids[0].ProfileData, ids[0].Password = profile.Linked(other.Profile), other.Password
	u.Identities = slices.Concat(u.Identities, ids)
	u.UpdatedAt = at
	return nil
}

// Unlink makes a secondary identity a user of its own again: with the attributes
// of its profile data and their sources, its password and tokens, without
// metadata. Where its connection is gone there can be no such user, and the
// identity goes without one. Sessions that came by the identity end.
func (s *Service) Unlink(ctx context.Context, id ID, provider, userID string, a Actor) (*User, error) {
	known, err := s.Users.User(ctx, id)
	if err != nil {
		return nil, err
	}
	i, err := known.secondary(provider, userID)
	if err != nil {
		return nil, err
	}
	which := known.Identities[i]
	c, err := s.Connections.Connection(ctx, which.ConnectionID)
	if err != nil && !errors.Is(err, connection.ErrNotFound) {
		return nil, err
	}
	now := s.Now()
	e := s.operation("Unlink a User Identity", a, c, id, now)
	e.Details = secondaryDetails(which.userID())
	src := profile.Source{Origin: profile.FromManagement, Connection: which.ConnectionID, Actor: a.actor(), At: now.UnixMicro()}
	return s.Users.UnlinkUser(ctx, id, func(u *User) (*User, Effect, error) {
		i := u.identityIndex(which.ConnectionID, which.Subject)
		if i < 1 {
			return nil, Effect{}, ErrNoIdentity
		}
		effect := Effect{Events: []audit.Event{e}}
		if c == nil {
			u.part(i, src.At)
			return nil, effect, nil
		}
		return u.alone(i, c.Facts(), src, s.Defaults), effect, nil
	})
}

// secondary is the index of the identity that a path names.
func (u *User) secondary(provider, userID string) (int, error) {
	for _, reading := range readings(provider, userID) {
		for i := 1; i < len(u.Identities); i++ {
			if id := &u.Identities[i]; id.Provider == provider && id.UserID == reading {
				return i, nil
			}
		}
		if p := u.Primary(); p.Provider == provider && p.UserID == reading {
			return 0, ErrMainIdentity
		}
	}
	return 0, ErrNoIdentity
}

// part takes the identity away.
func (u *User) part(i int, at int64) Identity {
	id := u.Identities[i]
	u.Identities = slices.Delete(slices.Clone(u.Identities), i, i+1)
	u.UpdatedAt = at
	return id
}

// alone parts the user with the identity and makes it a user of its own. A block
// is not shaken off by unlinking: the new user has it too.
func (u *User) alone(i int, c profile.Connection, src profile.Source, d profile.Defaults) *User {
	id := u.part(i, src.At)
	p := profile.Alone(c, id.ProfileData, src, d)
	if block, _ := u.Profile.Get(profile.Blocked); string(block.Value) == "true" {
		p.Set(profile.Blocked, block.Value, block.Source)
	}
	out := &User{ID: id.userID(), Version: 1, Profile: p, Password: id.Password, CreatedAt: src.At, UpdatedAt: src.At}
	id.ProfileData, id.Password = profile.Profile{}, Password{}
	out.Identities = []Identity{id}
	return out
}

// userID is the id of the user whose primary identity this is, was, or would be.
func (id *Identity) userID() ID { return ID(id.Provider + "|" + id.UserID) }

// Settle makes what follows from the rest of the user agree with it. The store
// calls it before it saves a change: the primary identity shows its profile data
// once there is, or was, another one beside it.
func (u *User) Settle() {
	if p := u.Primary(); len(u.Identities) > 1 || len(p.ProfileData.All()) > 0 {
		p.ProfileData = profile.Linked(u.Profile)
	}
}

// profileAt is the profile of an identity: the user's own, for the primary.
func (u *User) profileAt(i int) profile.Profile {
	if i > 0 {
		return u.Identities[i].ProfileData
	}
	return u.Profile
}

// passwordAt is the password of an identity.
func (u *User) passwordAt(i int) *Password {
	if i > 0 {
		return &u.Identities[i].Password
	}
	return &u.Password
}

// identifiedBy is the index of the identity that has the identifier; -1: none.
func (u *User) identifiedBy(connectionID, kind, value string) int {
	for i := range u.Identities {
		if u.Identities[i].ConnectionID == connectionID && slices.Contains(u.SignInNames(i), Name{kind, value}) {
			return i
		}
	}
	return -1
}

// identityIndex is the index of an identity; -1: none.
func (u *User) identityIndex(connectionID, subject string) int {
	return slices.IndexFunc(u.Identities, func(id Identity) bool { return id.ConnectionID == connectionID && id.Subject == subject })
}
