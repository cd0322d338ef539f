package profile

import "mangrove/internal/errs"

// UpsertOptions widen what an import row may change. They are ours; the zero
// UpsertOptions is the reference.
type UpsertOptions struct {
	// Merge: metadata objects are merged as by a PATCH (see Merge), not replaced.
	Merge bool
	// All: identifiers and blocked are set, too; all but the e-mail, which is how
	// the user was found.
	All bool
}

// Upsert decides what an import row does to a user who is there, and names what
// changed, sorted (reference/users.md §6.2):
//
//	                            reference   o.All
//	email                       is how the user was found, and stays
//	email_verified, the five    set         set
//	user_metadata, app_metadata replaced    replaced, or with o.Merge merged
//	username, phone_*, blocked  stay        set; a new number is unverified unless given
//	user_id                     stays, without an error
//
// What the row does not have stays; nothing is made up.
func Upsert(c Connection, p Profile, in []Change, o UpsertOptions, src Source) (Profile, []string, error) {
	if !c.Class.Own() {
		return p, nil, errNotImportable
	}
	if err := CheckRow(in); err != nil {
		return p, nil, err
	}
	next := draft{Profile: p}
	proven := false // the row says whether the phone number is
	for _, ch := range in {
		v := stored(c, ch.Name, ch.Value)
		switch {
		case ch.Name == Email && !equal(v, p.Value(Email)):
			return p, nil, errOtherEmail
		case ch.Name == Email, !o.All && Form(AtUpsert, ch.Name) == nil:
			continue
		case ch.Name == EmailVerified && !p.Has(Email):
			return p, nil, errOtherEmail
		case ch.Name == Username && !c.hasUsernames():
			return p, nil, errNoUsernames
		case ch.Name == PhoneNumber && !c.hasPhones():
			return p, nil, errNoPhones
		case ch.Name == Username:
			if err := checkUsername(c, Form(AtImport, Username), v); err != nil {
				return p, nil, err
			}
		case ch.Name == PhoneVerified:
			proven = true
		case ch.Name == UserMetadata || ch.Name == AppMetadata:
			var old Value
			if o.Merge {
				old = p.Value(ch.Name)
			}
			v = keepMetadata(ch.Name, Merge(old, v))
		}
		next.set(ch.Name, v, src)
	}
	if !o.All {
		return next.Profile, Diff(p, next.Profile), nil
	}
	switch {
	case !next.Has(PhoneNumber) && next.True(PhoneVerified):
		return p, nil, errNoAddress[PhoneVerified]
	case !next.Has(PhoneNumber):
		next.remove(PhoneVerified)
	case !proven && !equal(p.Value(PhoneNumber), next.Value(PhoneNumber)):
		next.set(PhoneVerified, Bool(false), src)
	}
	return next.Profile, Diff(p, next.Profile), nil
}

var (
	errNotImportable = errs.New(errs.Invalid, "operation_not_supported", "Connection must be a database connection.")
	// errOtherEmail is a row that was matched with the wrong user.
	errOtherEmail = errs.New(errs.Conflict, "CONFLICT_EMAIL", "The user has another email.")
)
