package profile

// Class is the kind of a connection as far as profiles are concerned.
type Class uint8

// The classes. Mangrove is the identity provider of the first four.
const (
	Database          Class = iota + 1 // regular database
	ImportDatabase                     // custom database in import mode
	PasswordlessEmail                  // one-time codes by e-mail
	PasswordlessSMS                    // one-time codes by SMS
	ExternalDatabase                   // custom database with an external store
	Social                             // social, including custom oauth2 and oauth1
	Enterprise                         // enterprise, and legal identity over an enterprise strategy
)

// Own reports whether Mangrove is the identity provider: such profiles are
// always editable and never synced.
func (c Class) Own() bool { return c >= Database && c <= PasswordlessSMS }

// Upstream reports whether the profile comes from elsewhere at login.
func (c Class) Upstream() bool { return c >= ExternalDatabase }

// HasPasswords reports whether users of the class have a password that we keep
// or, for an external store, that its scripts keep.
func (c Class) HasPasswords() bool {
	return c == Database || c == ImportDatabase || c == ExternalDatabase
}

// StoresLowerCase reports whether e-mails are lower-cased (reference/users.md §1.2).
func (c Class) StoresLowerCase() bool { return c.Own() }

// Sync is a value of options.set_user_root_attributes.
type Sync string

// The sync modes. The empty Sync means EachLogin.
const (
	EachLogin  Sync = "on_each_login"
	FirstLogin Sync = "on_first_login"
	NeverLogin Sync = "never_on_login"
)

// Connection is what the engine needs to know of a connection.
type Connection struct {
	ID, Name string
	Class    Class
	// Sync is the effective mode of an upstream connection; empty means EachLogin.
	Sync Sync
	// SyncOf refines Sync for single attributes. Nil: none.
	SyncOf map[string]Sync
	// NonPersistent are the names that a login never stores, as the provider
	// spells them (options.non_persistent_attrs).
	NonPersistent []string
	// Disabled: enabled for no client. E-mail and password of its users cannot be changed.
	Disabled bool

	Username UsernameRule
	// EmailRequired, PhoneRequired: the identifier must be there at creation.
	EmailRequired, PhoneRequired bool
	// PhoneAllowed: the connection has phone numbers (flexible identifiers, or sms).
	PhoneAllowed bool
	// ScriptChangesEmail, ScriptChangesUsername, ScriptChangesPhone: an external database
	// that has the action for it (change_email, …), whoever carries it.
	ScriptChangesEmail, ScriptChangesUsername, ScriptChangesPhone bool
	// ScriptVerifiesEmail: it has verify, which says that an address is proved.
	ScriptVerifiesEmail bool
}

// UsernameRule says whether users of a database have usernames and of what form.
type UsernameRule struct {
	Allowed, Required bool
	Min, Max          int  // characters; zero means the default 1 and 15
	EmailShaped       bool // may look like an e-mail address
	PhoneShaped       bool // may look like a phone number
}

// SyncMode is the mode in force for one attribute.
func (c Connection) SyncMode(name string) Sync {
	if m, ok := c.SyncOf[name]; ok && m != "" {
		return m
	}
	if c.Sync == "" {
		return EachLogin
	}
	return c.Sync
}

// Change is one member of a body, row or claim set, in the order it came.
type Change struct {
	Name  string
	Value Value // Null removes
}
