package store

import (
	"context"
	"errors"

	"mangrove/internal/profile"
	"mangrove/internal/user"
)

var usersTable = &bulk{
	table: "users",
	cols: []column{
		{"num", number}, {"user_id", text}, {"version", number}, {"attributes", blob}, {"sources", blob}, {"identities", blob}, {"identity_keys", blob},
		{"connection_id", text}, {"email", text}, {"password_hash", text}, {"password_set_at", number}, {"password_imported", flag},
		{"mfa_factors", blob}, {"import_job", text}, {"created_at", number}, {"updated_at", number},
	},
	key: []string{"user_id"},
}

var activityTable = &bulk{
	table: "user_activity",
	cols:  []column{{"num", number}, {"updated_at", number}, {"last_login", number}, {"last_ip", text}, {"logins_count", number}},
	key:   []string{"num"},
}

var identitiesTable = &bulk{
	table: "identities",
	cols: []column{
		{"connection_id", text}, {"subject", text}, {"user_id", text}, {"claims", blob}, {"claims_at", number}, {"tokens", blob},
	},
	key: []string{"connection_id", "subject"},
}

var identifiersTable = &bulk{
	table: "user_identifiers",
	cols:  []column{{"scope", text}, {"kind", text}, {"value", text}, {"user_id", text}},
	key:   []string{"scope", "kind", "value"},
}

var (
	insertUser       = usersTable.insert()
	insertIdentity   = identitiesTable.insert()
	insertIdentifier = identifiersTable.insert()
	insertActivity   = activityTable.insert()
)

// newUserRow is the arguments that insert u.
func (s *Store) newUserRow(u *user.User, num int64, importJob string) []any {
	id := string(u.ID)
	return []any{
		num, id, u.Version, user.EncodeAttributes(u.Profile), user.EncodeSources(u.Profile),
		user.EncodeIdentities(u.Identities), user.EncodeIdentityKeys(u.Identities),
		u.Primary().ConnectionID, u.Profile.Text(profile.Email), u.Password.Hash, u.Password.SetAt, u.Password.Imported,
		s.seal(u.MFAFactors, "users.mfa", id), importJob, u.CreatedAt, u.UpdatedAt,
	}
}

func activityRow(u *user.User, num int64) []any {
	return []any{num, max(u.UpdatedAt, u.Logins.Last), u.Logins.Last, u.Logins.IP, u.Logins.Count}
}

func (s *Store) identityRow(u *user.User, id *user.Identity) []any {
	return []any{
		id.ConnectionID, id.Subject, string(u.ID), []byte(id.Claims), id.ClaimsAt,
		s.seal(id.Tokens, "identities", identityPlace(id.ConnectionID, id.Subject)),
	}
}

// identifier is a row of user_identifiers, without its user.
type identifier struct{ scope, kind, value string }

// identifiersOf lists what must be unique, e-mail first: of two clashes the
// first is reported.
func identifiersOf(u *user.User) []identifier {
	list := make([]identifier, 0, 3)
	for i := range u.Identities {
		id := &u.Identities[i]
		if !ours(id.Provider) {
			continue
		}
		for _, n := range u.SignInNames(i) {
			list = append(list, identifier{id.ConnectionID, n.Kind, n.Value})
		}
	}
	return list
}

func (i identifier) taken() error {
	if i.kind == user.ByUsername {
		return user.ErrUsernameTaken
	}
	return user.ErrExists
}

// CreateUser inserts the user and what hangs on it.
func (s *Store) CreateUser(ctx context.Context, u *user.User, e user.Effect) error {
	return s.createUser(ctx, u, e, func(tx) error { return nil })
}

// createUser is CreateUser, with more in the same transaction.
func (s *Store) createUser(ctx context.Context, u *user.User, e user.Effect, more func(tx) error) error {
	num, err := s.take(ctx, 1)
	if err != nil {
		return s.failure(err)
	}
	insert, err := s.prepareCreate(u, num[0], user.ErrExists)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t tx) error {
		if err := insert(t); err != nil {
			return err
		}
		if err := more(t); err != nil {
			return err
		}
		return s.beside(t, e)
	})
}

// prepareCreate encodes u outside the transaction and returns what inserts it.
// identityTaken is the error for an identity that exists.
func (s *Store) prepareCreate(u *user.User, num int64, identityTaken error) (func(tx) error, error) {
	if len(u.Identities) == 0 {
		return nil, errors.New("a user without an identity")
	}
	if u.Version == 0 {
		u.Version = 1
	}
	userRow, activity, terms := s.newUserRow(u, num, ""), activityRow(u, num), user.Terms(u)
	names := identifiersOf(u)
	identities := make([][]any, len(u.Identities))
	for i := range u.Identities {
		identities[i] = s.identityRow(u, &u.Identities[i])
	}
	id := string(u.ID)
	return func(t tx) error {
		// The identity says who it is: a clash of names with oneself is none.
		for _, row := range identities {
			if err := t.send(identityTaken, insertIdentity, row...); err != nil {
				return err
			}
		}
		for _, n := range names {
			if err := t.send(n.taken(), insertIdentifier, n.scope, n.kind, n.value, id); err != nil {
				return err
			}
		}
		if err := t.send(user.ErrExists, insertUser, userRow...); err != nil {
			return err
		}
		if err := t.send(nil, insertActivity, activity...); err != nil {
			return err
		}
		return s.indexNew(t, num, terms)
	}, nil
}
