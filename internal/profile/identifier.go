package profile

import (
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/schema"
)

// proofs pairs each address with the attribute that says whether its owner
// proved to have it. A proof never outlives its address: it is there exactly
// when the address is, and falls back to false when the address changes.
var proofs = []struct{ address, proof string }{
	{Email, EmailVerified},
	{PhoneNumber, PhoneVerified},
}

// stored is the value as the connection keeps it: e-mail addresses and
// usernames of ours in lower case, so that one person has one spelling.
func stored(c Connection, name string, v Value) Value {
	if (name == Email || name == Username) && c.Class.StoresLowerCase() {
		return lower(v)
	}
	return v
}

// hasUsernames, hasPhones and hasEmails say which identifiers a user of the
// connection may have.
func (c Connection) hasUsernames() bool {
	return c.Class.HasPasswords() && c.Username.Allowed
}

func (c Connection) hasPhones() bool {
	return c.Class == PasswordlessSMS || c.Class.HasPasswords() && c.PhoneAllowed
}

// requires reports whether every user of the connection has the identifier.
func (c Connection) requires(name string) bool {
	switch name {
	case Email:
		return c.Class == PasswordlessEmail || c.EmailRequired
	case PhoneNumber:
		return c.Class == PasswordlessSMS || c.PhoneRequired
	case Username:
		return c.hasUsernames() && c.Username.Required
	}
	return false
}

// Refusals about identifiers. The reference has the first text; the others,
// for which it has none, follow it.
var (
	errNoUsernames = errs.New(errs.Invalid, "invalid_body", "Cannot set username for connection without requires_username.")
	errNoPhones    = errs.New(errs.Invalid, "operation_not_supported", "Cannot set phone_number for connection without phone numbers.")
	errNoAddress   = map[string]*errs.Error{
		EmailVerified: errs.New(errs.Invalid, "invalid_body", "Cannot set email_verified for a user without email."),
		PhoneVerified: errs.New(errs.Invalid, "invalid_body", "Cannot set phone_verified for a user without phone_number."),
	}
)

// bounds of a username in characters, with the defaults of the reference.
func (r UsernameRule) bounds() (low, high int) {
	low, high = r.Min, r.Max
	if low == 0 {
		low = 1
	}
	if high == 0 {
		high = 15
	}
	return low, high
}

// checkUsername applies the connection's rule. A username that looks like an
// e-mail address or phone number could be another user's.
func checkUsername(c Connection, form *schema.Property, v Value) error {
	low, high := c.Username.bounds()
	p := schema.Property{Types: schema.String, Min: low, Max: high, Description: form.Description}
	wrong := schema.Error(p.Check(Username, v))
	s := TextOf(v)
	if !c.Username.EmailShaped && schema.IsEmail(s) || !c.Username.PhoneShaped && e164.MatchString(s) {
		wrong = append(wrong, schema.Violation{
			Code: schema.InvalidFormat, Path: Username, Description: form.Description,
			Message: "Object didn't pass validation for format username: " + s,
		})
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

// mistakable reports a username that is an e-mail address or a phone number to whoever
// looks for one: among the names of a connection it counts as both.
func mistakable(username string) bool {
	return strings.Contains(username, "@") || e164.MatchString(username)
}

// signable reports whether the profile has anything to sign in with.
func signable(p Profile) bool {
	return p.Has(Email) || p.Has(Username) || p.Has(PhoneNumber)
}
