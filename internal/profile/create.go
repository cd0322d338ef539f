package profile

import (
	"mangrove/internal/errs"
	"mangrove/internal/schema"
)

var errNotCreatable = errs.New(errs.Invalid, "operation_not_supported",
	"Connection does not support user creation through the API. It must either be a database or passwordless connection.")

// Create decides the profile of a new user of a connection of ours, for
// sign-up, Management API and import insert (src.Origin says which):
//
//   - A sign-up brings identifiers, names, a picture and a small user_metadata;
//     whatever else it sends is without effect. The other two bring everything.
//   - The connection says which identifiers there must and may be.
//   - E-mail and username are kept in lower case; email_verified and
//     phone_verified are there as soon as their address is, false unless given.
//   - name, nickname and picture are made up where they are missing, once.
//
// It returns a schema.Error or an *errs.Error.
func Create(c Connection, in []Change, src Source, d Defaults) (Profile, error) {
	if !c.Class.Own() {
		return Profile{}, errNotCreatable
	}
	p, err := given(c, in, src)
	if err != nil {
		return Profile{}, err
	}
	for _, pair := range proofs {
		if p.Has(pair.address) && !p.Has(pair.proof) {
			p.set(pair.proof, Bool(false), madeUp(src))
		}
	}
	host := gravatar
	if src.Origin == FromImport {
		host = gravatarImport
	}
	for _, name := range generated {
		if !p.Has(name) {
			p.set(name, d.value(name, p.Profile, host), madeUp(src))
		}
	}
	return p.Profile, nil
}

// Ask decides what a database elsewhere is asked to make of somebody new: what was
// given, in the spelling in which it came, under the rules of Create for what may and
// must come along. Nothing is made up; what the other store says afterwards is the
// profile. Errors as Create's.
func Ask(c Connection, in []Change, src Source) (Profile, error) {
	if c.Class != ExternalDatabase {
		return Profile{}, errNotCreatable
	}
	p, err := given(c, in, src)
	return p.Profile, err
}

// Granted is the profile of somebody whom a database elsewhere has just made, together
// with what was asked for and that store need not keep: metadata, of which its word
// counts where both have one, and blocked.
func Granted(made, asked Profile) Profile {
	next := draft{Profile: made}
	for _, name := range []string{UserMetadata, AppMetadata, Blocked} {
		a, ok := asked.Get(name)
		switch {
		case !ok:
		case name == Blocked:
			next.set(name, a.Value, a.Source)
		case made.Has(name):
			next.set(name, keepMetadata(name, Merge(a.Value, made.Value(name))), a.Source)
		default:
			next.set(name, a.Value, a.Source)
		}
	}
	return next.Profile
}

// given is what of a body a new user has, before anything is made up.
func given(c Connection, in []Change, src Source) (draft, error) {
	var p draft
	door := doorOf(src.Origin)
	if err := check(door, in); err != nil {
		return p, err
	}
	for _, ch := range in {
		v := stored(c, ch.Name, ch.Value)
		switch {
		case Form(door, ch.Name) == nil:
			continue
		case ch.Name == UserMetadata || ch.Name == AppMetadata:
			if door == AtSignup {
				if err := checkSignupMetadata(v); err != nil {
					return p, err
				}
			}
			v = keepMetadata(ch.Name, Merge(nil, v))
		}
		p.set(ch.Name, v, src)
	}
	if err := checkIdentifiers(c, p.Profile, door); err != nil {
		return p, err
	}
	for _, pair := range proofs {
		switch {
		case p.Has(pair.address):
		case p.True(pair.proof):
			return p, errNoAddress[pair.proof]
		default: // false says nothing that an absent address does not
			p.remove(pair.proof)
		}
	}
	return p, nil
}

// doorOf is the door of an origin; what is no sign-up and no import is held to
// the rules of the Management API.
func doorOf(o Origin) Door {
	switch o {
	case FromSignup:
		return AtSignup
	case FromImport:
		return AtImport
	default:
		return AtCreate
	}
}

// checkIdentifiers: only those that the connection has, all that it requires,
// and at least one, or nobody could sign in.
func checkIdentifiers(c Connection, p Profile, door Door) error {
	if p.Has(Username) {
		if !c.hasUsernames() {
			return errNoUsernames
		}
		if err := checkUsername(c, Form(door, Username), p.Value(Username)); err != nil {
			return err
		}
	}
	if p.Has(PhoneNumber) && !c.hasPhones() {
		return errNoPhones
	}
	for _, name := range []string{Email, PhoneNumber, Username} {
		if c.requires(name) && !p.Has(name) {
			return missing(c, name, door)
		}
	}
	if !signable(p) {
		return missing(c, Email, door)
	}
	return nil
}

// missing words the refusal; a sign-up has a text of its own (reference/users.md §7).
func missing(c Connection, name string, door Door) error {
	switch {
	case door == AtSignup && name == Username:
		return errs.New(errs.Invalid, "", "missing username for %s connection with requires_username enabled", c.Name)
	case door == AtSignup:
		return errs.New(errs.Invalid, "", "missing %s for %s connection", name, c.Name)
	default:
		return schema.Error{schema.Missing(name)}
	}
}
