package user

import (
	"context"
	"strings"

	"golang.org/x/text/unicode/norm"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
)

// Name is an identifier of one kind, folded.
type Name struct{ Kind, Value string }

// Fold is the one spelling in which identifiers are stored, compared and counted:
// without blanks around, in lower case and in Unicode's compatible normal form; of
// a phone number without what people write between its digits.
func Fold(kind, value string) string {
	value = strings.TrimSpace(norm.NFKC.String(value))
	if kind == ByPhone {
		return strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "").Replace(value)
	}
	// Some letters are in another form once they are small.
	return norm.NFKC.String(strings.ToLower(value))
}

// Names are what a typed text can mean to a connection with these kinds of
// identifiers, in their order (reference/connections.md §2.1, precedence): an
// address has an @ and a phone number is one, a username may be anything.
func Names(kinds []string, typed string) []Name {
	var names []Name
	for _, kind := range kinds {
		n := Name{kind, Fold(kind, typed)}
		switch {
		case n.Value == "":
		case kind == ByEmail && !strings.Contains(n.Value, "@"):
		case kind == ByPhone && !isPhone(n.Value):
		default:
			names = append(names, n)
		}
	}
	return names
}

// SignInNames are what must be unique among the users of one connection of ours:
// the identity's identifiers, e-mail address first. A username that looks like an
// address or a number is one, too, so that nobody can be called by another's
// (security.md 27). An external store keeps its own names: who has one there may change
// without a word to us.
func (u *User) SignInNames(identity int) []Name {
	if u.Identities[identity].External {
		return nil
	}
	m := u.Identifiers(identity)
	names := make([]Name, 0, 3)
	for _, kind := range []string{ByEmail, ByPhone, ByUsername} {
		if v, ok := m[kind]; ok {
			names = append(names, Name{kind, v})
		}
	}
	username := m[ByUsername]
	switch {
	case strings.Contains(username, "@") && m[ByEmail] != username:
		names = append(names, Name{ByEmail, username})
	case isPhone(username) && m[ByPhone] != username:
		names = append(names, Name{ByPhone, username})
	}
	return names
}

// Called is the name under which a typed text is counted and noted, whoever it means:
// the first of its Names, or the text as a username.
func Called(kinds []string, typed string) string {
	if names := Names(kinds, typed); len(names) > 0 {
		return names[0].Value
	}
	return Fold(ByUsername, typed)
}

// isPhone reports whether s is a number in the form of E.164.
func isPhone(s string) bool {
	return len(s) >= 3 && len(s) <= 16 && s[0] == '+' && s[1] != '0' && strings.Trim(s[1:], "0123456789") == ""
}

// Wrong pairs of an identifier and a password, by the kind of the identifier
// (reference/authentication.md §3.7). All of them are ErrWrongPassword.
var (
	errWrongPhone    = errs.New(errs.Forbidden, "invalid_grant", "Wrong phone number or password.").Because(ErrWrongPassword)
	errWrongUsername = errs.New(errs.Forbidden, "invalid_grant", "Wrong username or password.").Because(ErrWrongPassword)
)

// wrongPassword words the failure. It depends on the connection and on what was
// typed alone, never on who is there.
func wrongPassword(kinds []string, names []Name) error {
	has := func(kind string) bool {
		for _, k := range kinds {
			if k == kind {
				return true
			}
		}
		return false
	}
	switch {
	case len(names) > 0 && names[0].Kind == ByPhone:
		return errWrongPhone
	case has(ByEmail) || len(kinds) == 0:
		return ErrWrongPassword
	case has(ByUsername):
		return errWrongUsername
	}
	return errWrongPhone
}

// Identified is the user whom one of the names means, and which of the user's
// identities. ErrNotFound: nobody.
func (s *Service) Identified(ctx context.Context, c *connection.Connection, names []Name) (*User, int, error) {
	for _, n := range names {
		u, err := s.Users.UserByIdentifier(ctx, c.ID, n.Kind, n.Value)
		if err == nil {
			if i := u.identifiedBy(c.ID, n.Kind, n.Value); i >= 0 {
				return u, i, nil
			}
			continue
		}
		if !isNotFound(err) {
			return nil, 0, err
		}
	}
	return nil, 0, ErrNotFound
}
