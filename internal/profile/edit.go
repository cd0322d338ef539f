package profile

import (
	"slices"

	"mangrove/internal/errs"
)

// EditOptions are the facts of a PATCH beside its attributes.
type EditOptions struct {
	Password  bool // the body also has a password
	Secondary bool // the body's connection names a secondary identity
}

// Edit decides a PATCH: the profile after it, and the names of attributes whose
// values changed, sorted. c is the connection of the identity that is edited
// (the primary's, unless o.Secondary), p its profile (the profile data of the
// identity, if o.Secondary). It refuses as a whole, with a schema.Error or an
// *errs.Error, and then p is what it was.
//
// Who may edit what (reference/users.md §1.7):
//
//	                      ours            external    social      enterprise
//	user_metadata,
//	app_metadata, blocked yes             yes         yes         yes
//	the five, by value    yes             unless synced at each login
//	the five, by null     yes             unless synced at each login
//	email                 not sms         by script   no          no
//	email_verified        not sms         by script   yes         no
//	phone_number          where it has    by script   no          no
//	phone_verified        where it has    no          no          no
//	username              where it has    by script   no          no
//	password              not passwordless by script  no          no
//	other names, by null  no              unless synced at each login
//	other names, by value never
//
// A synced attribute is refused even with the value that it has: presence in
// the body is the question. An identifier that the connection requires cannot
// be removed, and none of an external user: there is no script that could. Of such a
// user one identifier or the password is changed at a time, so that no script has to be
// taken back because the next one refuses. What null removed is not made up again.
func Edit(c Connection, p Profile, in []Change, o EditOptions, src Source) (Profile, []string, error) {
	if err := CheckPatch(in); err != nil {
		return p, nil, err
	}
	b := &patch{c, in, o}
	for _, rule := range editRules {
		if err := rule(b); err != nil {
			return p, nil, err
		}
	}
	next := draft{Profile: p}
	for _, ch := range in {
		v := stored(c, ch.Name, ch.Value)
		if ch.Name == UserMetadata || ch.Name == AppMetadata {
			v = keepMetadata(ch.Name, Merge(p.Value(ch.Name), v))
		}
		next.set(ch.Name, v, src)
	}
	for _, pair := range proofs {
		switch {
		case !next.Has(pair.address) && b.has(pair.proof) && next.True(pair.proof):
			return p, nil, errNoAddress[pair.proof]
		case !next.Has(pair.address):
			next.remove(pair.proof)
		case !b.has(pair.proof) && !equal(p.Value(pair.address), next.Value(pair.address)):
			next.set(pair.proof, Bool(false), src)
		}
	}
	if c.Class.Own() && !o.Secondary && signable(p) && !signable(next.Profile) {
		return p, nil, cannotRemove(c, lost(p))
	}
	return next.Profile, Diff(p, next.Profile), nil
}

// EndsSessions reports whether a change of these names, which made p, ends the
// user's sessions (reference/users.md §1.9): what the user signs in with
// changed, or an e-mail address is no longer verified.
func EndsSessions(p Profile, changed []string) bool {
	return slices.ContainsFunc(changed, func(name string) bool {
		switch name {
		case Email, PhoneNumber, Username:
			return true
		case EmailVerified:
			return !p.True(EmailVerified)
		}
		return false
	})
}

// patch is the body that a rule judges.
type patch struct {
	Connection
	in []Change
	o  EditOptions
}

func (b *patch) has(name string) bool {
	return slices.ContainsFunc(b.in, func(ch Change) bool { return ch.Name == name })
}

func (b *patch) removes(name string) bool {
	return slices.ContainsFunc(b.in, func(ch Change) bool { return ch.Name == name && IsNull(ch.Value) })
}

// names are the names in the body that pass, sorted: every refusal lists them so.
func (b *patch) names(pass func(string) bool) []string {
	var out []string
	for _, ch := range b.in {
		if pass(ch.Name) {
			out = append(out, ch.Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// editRules are asked in this order; the first that refuses gives the answer.
var editRules = []func(*patch) error{
	together, ofSecondary, synced, removable, editsEmail, verifiesEmail, editsPhone, editsUsername, editsPassword, enabled, required, elsewhere,
}

// together refuses what cannot be changed in one request.
func together(b *patch) error {
	pairs := [][2]string{
		{"password", Email}, {"password", EmailVerified},
		{Username, Email}, {Username, EmailVerified}, {Username, "password"},
	}
	if b.Class == ExternalDatabase {
		pairs = append(pairs, [][2]string{{PhoneNumber, Email}, {PhoneNumber, EmailVerified}, {PhoneNumber, Username}, {PhoneNumber, "password"}}...)
	}
	for _, pair := range pairs {
		if b.hasOrPassword(pair[0]) && b.hasOrPassword(pair[1]) {
			return errs.New(errs.Invalid, "invalid_body", "Cannot update %s and %s simultaneously", pair[0], pair[1])
		}
	}
	return nil
}

func (b *patch) hasOrPassword(name string) bool {
	if name == "password" {
		return b.o.Password
	}
	return b.has(name)
}

// ofSecondary: of a secondary identity only what it signs in with can be
// edited. Names and picture of the user come from the primary; metadata and
// blocked belong to no identity.
func ofSecondary(b *patch) error {
	if !b.o.Secondary {
		return nil
	}
	if names := b.names(func(n string) bool {
		switch n {
		case Email, EmailVerified, PhoneNumber, PhoneVerified, Username:
			return false
		}
		return true
	}); names != nil {
		return unsupported("The following user attributes cannot be updated: %s. The specified connection belongs to a secondary identity.", list(names))
	}
	return nil
}

// synced: the five of an upstream user belong to the identity provider as long
// as the connection overwrites them at each login.
func synced(b *patch) error {
	if !b.Class.Upstream() {
		return nil
	}
	if names := b.names(func(n string) bool { return IsRootAttribute(n) && b.SyncMode(n) == EachLogin }); names != nil {
		return unsupported("The following user attributes cannot be updated: %s. The connection (%s) must either be a database connection (using the Auth0 store), a passwordless connection (email or sms) or has disabled 'Sync user profile attributes at each login'. For more information, see https://auth0.com/docs/dashboard/guides/connections/configure-connection-sync", list(names), b.Name)
	}
	return nil
}

// removable: a name that is not in the table can be removed where the profile
// came from elsewhere and the next login would not bring the attribute back.
func removable(b *patch) error {
	names := b.names(func(n string) bool {
		return !Known(n) && (b.Class.Own() || b.SyncMode(n) == EachLogin && !b.denies(n))
	})
	switch {
	case names == nil:
		return nil
	case b.Class.Own():
		return unsupported("The following user attributes cannot be removed: %s. The connection (%s) must either be a custom database connection with import mode disabled, a social or enterprise connection.", list(names), b.Name)
	default:
		return unsupported("The following user attributes cannot be removed: %s. The connection (%s) should have disabled 'Sync user profile attributes at each login' (see <a href='https://auth0.com/docs/users/configure-connection-sync-with-auth0'>Configuring Connection Sync with Auth0</a>) or defined these attributes in 'options.non_persistent_attrs' array (see <a href='https://auth0.com/docs/security/denylist-user-attributes'>Add User Attributes to DenyList</a>).", list(names), b.Name)
	}
}

func editsEmail(b *patch) error {
	switch {
	case !b.has(Email), b.Class == Database, b.Class == ImportDatabase, b.Class == PasswordlessEmail:
		return nil
	case b.Class == ExternalDatabase && b.ScriptChangesEmail:
		return nil
	case b.Class == ExternalDatabase:
		return errNoEmailScript
	default:
		return unsupported("Cannot update email for non-database user.")
	}
}

// Refusals of what nobody changes in an external store. The first has the reference's
// text, the others follow it.
var (
	errNoEmailScript    = errs.New(errs.Invalid, "operation_not_supported", "change_email script does not exist")
	errNoUsernameScript = errs.New(errs.Invalid, "operation_not_supported", "change_username script does not exist")
	errNoPhoneScript    = errs.New(errs.Invalid, "operation_not_supported", "change_phone_number script does not exist")
)

// verifiesEmail: the script that changes the e-mail of an external user is also
// what carries its verification there; that of an address as it is, verify does, too.
func verifiesEmail(b *patch) error {
	switch {
	case !b.has(EmailVerified):
		return nil
	case b.Class == Enterprise:
		return unsupported("Email verification is not supported for enterprise users.")
	case b.Class == PasswordlessSMS:
		return unsupported("Email verification is not supported for passwordless sms users.")
	case b.Class == ExternalDatabase && !b.ScriptChangesEmail && !(b.ScriptVerifiesEmail && b.proves()):
		return errNoEmailScript
	}
	return nil
}

// proves: the e-mail counts as verified from now on.
func (b *patch) proves() bool {
	return !slices.ContainsFunc(b.in, func(ch Change) bool { return ch.Name == EmailVerified && string(ch.Value) != "true" })
}

func editsPhone(b *patch) error {
	switch {
	case !b.has(PhoneNumber) && !b.has(PhoneVerified):
		return nil
	case !b.hasPhones():
		return errNoPhones
	case b.Class != ExternalDatabase:
		return nil
	case b.has(PhoneVerified):
		return unsupported("Phone verification is not supported for users of a custom database with import mode disabled.")
	case !b.ScriptChangesPhone:
		return errNoPhoneScript
	}
	return nil
}

func editsUsername(b *patch) error {
	switch {
	case !b.has(Username):
		return nil
	case !b.hasUsernames():
		return errNoUsernames
	case b.Class == ExternalDatabase && !b.ScriptChangesUsername:
		return errNoUsernameScript
	case b.removes(Username):
		return nil
	}
	for _, ch := range b.in {
		if ch.Name == Username {
			return checkUsername(b.Connection, Form(AtPatch, Username), ch.Value)
		}
	}
	return nil
}

func editsPassword(b *patch) error {
	if b.o.Password && b.Class != Database && b.Class != ImportDatabase && b.Class != ExternalDatabase {
		return unsupported("Cannot update password for non-database user.")
	}
	return nil
}

func enabled(b *patch) error {
	if b.Disabled && (b.has(Email) || b.o.Password) {
		return unsupported("Cannot change email or password for users in a disabled connection.")
	}
	return nil
}

// required: an identifier that every user of the connection has stays.
func required(b *patch) error {
	if names := b.names(func(n string) bool { return b.requires(n) && b.removes(n) }); names != nil {
		return cannotRemove(b.Connection, names)
	}
	return nil
}

// elsewhere: what people sign in with in another store can be replaced there, not removed.
func elsewhere(b *patch) error {
	if b.Class != ExternalDatabase {
		return nil
	}
	if names := b.names(func(n string) bool { return isIdentifier(n) && b.removes(n) }); names != nil {
		return cannotRemove(b.Connection, names)
	}
	return nil
}

func isIdentifier(name string) bool { return name == Email || name == Username || name == PhoneNumber }

func cannotRemove(c Connection, names []string) error {
	return unsupported("The following user attributes cannot be removed: %s. Users of the connection (%s) sign in with them.", list(names), c.Name)
}

// lost are the identifiers that p has, sorted.
func lost(p Profile) []string {
	var names []string
	for _, n := range []string{Email, PhoneNumber, Username} {
		if p.Has(n) {
			names = append(names, n)
		}
	}
	return names
}

func unsupported(format string, args ...any) error {
	return errs.New(errs.Invalid, "operation_not_supported", format, args...)
}
