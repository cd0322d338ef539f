package profile

import "mangrove/internal/errs"

// Upsert decides what an import row does to a user who is there, and names what
// changed, sorted (reference/users.md §6.2):
//
//	email                                    is how the user was found, and stays
//	email_verified, the five                 are set
//	user_metadata, app_metadata              are replaced, not merged
//	username, phone_*, blocked, user_id      stay as they are, without an error
//
// What the row does not have stays; nothing is made up.
func Upsert(c Connection, p Profile, in []Change, src Source) (Profile, []string, error) {
	if !c.Class.Own() {
		return p, nil, errNotImportable
	}
	if err := CheckRow(in); err != nil {
		return p, nil, err
	}
	next := draft{Profile: p}
	for _, ch := range in {
		switch {
		case ch.Name == Email && !equal(stored(c, Email, ch.Value), p.Value(Email)):
			return p, nil, errOtherEmail
		case Form(AtUpsert, ch.Name) == nil:
			continue
		case ch.Name == EmailVerified && !p.Has(Email):
			return p, nil, errOtherEmail
		}
		v := ch.Value
		if ch.Name == UserMetadata || ch.Name == AppMetadata {
			v = keepMetadata(ch.Name, Merge(nil, v))
		}
		next.set(ch.Name, v, src)
	}
	return next.Profile, Diff(p, next.Profile), nil
}

var (
	errNotImportable = errs.New(errs.Invalid, "operation_not_supported", "Connection must be a database connection.")
	// errOtherEmail is a row that was matched with the wrong user.
	errOtherEmail = errs.New(errs.Conflict, "CONFLICT_EMAIL", "The user has another email.")
)
