package connection

import (
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"mangrove/internal/oauth"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// Facts is what the profile engine needs to know. Cheap: called on every
// request. Its slices are shared; they must not be changed.
func (c *Connection) Facts() profile.Connection { return c.view().facts }

// Class is the kind of the connection as far as profiles are concerned.
func (c *Connection) Class() profile.Class { return c.view().facts.Class }

// PasswordPolicy is the strength policy of its users, from the classic options
// or from password_options (reference/authentication.md §5.1).
func (c *Connection) PasswordPolicy() passwd.Policy { return c.view().policy }

// PersonalFields are the profile members whose values a password must not
// contain, when PasswordPolicy().Personal; dotted below user_metadata.
func (c *Connection) PersonalFields() []string { return c.view().personal }

// Signup is what public sign-up and hosted pages have to know.
func (c *Connection) Signup() Signup { return c.view().signup }

// IconURL is options.icon_url, for buttons. Empty: none.
func (c *Connection) IconURL() string { return c.view().icon }

// DomainAliases are the e-mail domains whose people sign in here.
func (c *Connection) DomainAliases() []string { return c.view().aliases }

// Active reports authentication.active: the connection may be used to sign in.
func (c *Connection) Active() bool { return c.view().active }

// DomainConnection is is_domain_connection: third-party clients may use it.
func (c *Connection) DomainConnection() bool { return c.view().domain }

// DisplayName is display_name, or what people call the provider (title.go), or the name.
func (c *Connection) DisplayName() string { return c.view().display }

// EnabledFor reports whether the client may use the connection. Clients that
// registered themselves may use those of the domain: nobody lists them one by one.
func (c *Connection) EnabledFor(clientID string) bool {
	if oauth.SelfRegistered(clientID) && c.DomainConnection() {
		return true
	}
	for _, id := range c.EnabledClients {
		if id == clientID {
			return true
		}
	}
	return false
}

// Signup holds the rules of sign-up beside those of the profile engine.
type Signup struct {
	// Disabled: no new users by sign-up (options.disable_signup, or passwords
	// are blocked at sign-up).
	Disabled bool
	// Required at sign-up though not in every profile (attributes.*.signup.status).
	EmailRequired, UsernameRequired, PhoneRequired bool
	// Refused at sign-up (signup.status inactive).
	EmailInactive, UsernameInactive, PhoneInactive bool
	// NoResetLink: login pages offer no "forgot password".
	NoResetLink bool
}

// Identifier says whether somebody who signs up must give that identifier (email,
// phone_number, username), and whether they must not. f is of the same connection.
func (s Signup) Identifier(f profile.Connection, name string) (required, inactive bool) {
	switch name {
	case profile.Email:
		return f.EmailRequired || s.EmailRequired, s.EmailInactive
	case profile.PhoneNumber:
		return f.PhoneRequired || s.PhoneRequired, s.PhoneInactive
	case profile.Username:
		return f.Username.Required || s.UsernameRequired, s.UsernameInactive
	}
	return false, false
}

// parsed caches what Options and Extra mean. It remembers the bytes it was made
// of: whoever replaces them, in a copy of the Connection, gets a new reading. It
// is no atomic.Pointer, so that values may be copied before they are shared; a
// shared one is copied with Clone.
type parsed struct{ at unsafe.Pointer }

func (p *parsed) load() *view { return (*view)(atomic.LoadPointer(&p.at)) }

func (p *parsed) store(v *view) { atomic.StorePointer(&p.at, unsafe.Pointer(v)) }

type view struct {
	id, name, strategy string
	options, extra     json.RawMessage
	clients            int

	facts    profile.Connection
	policy   passwd.Policy
	personal []string
	signup   Signup
	guarded  bool
	oidc     OIDCOptions
	upstream UpstreamOptions
	legal    LegalIdentity
	shown    json.RawMessage
	document strictjson.Document
	memos    sync.Map // reflect.Type to what Memo made

	icon, display  string
	aliases        []string
	active, domain bool
	hidden         bool
}

func (c *Connection) view() *view {
	if v := c.parsed.load(); v != nil && v.of(c) {
		return v
	}
	v := newView(c)
	c.parsed.store(v)
	return v
}

func (v *view) of(c *Connection) bool {
	return sameBytes(v.options, c.Options) && sameBytes(v.extra, c.Extra) && v.clients == len(c.EnabledClients) &&
		v.id == c.ID && v.name == c.Name && v.strategy == c.Strategy
}

// sameBytes compares where the bytes are, not what: stored options are replaced
// and never written over.
func sameBytes(a, b json.RawMessage) bool {
	return len(a) == len(b) && unsafe.SliceData(a) == unsafe.SliceData(b)
}

// Clone is a copy of its own, for whoever has to change it.
func (c *Connection) Clone() *Connection {
	return &Connection{
		ID: c.ID, Name: c.Name, Strategy: c.Strategy,
		Options:        append(json.RawMessage(nil), c.Options...),
		EnabledClients: append([]string(nil), c.EnabledClients...),
		Realms:         append([]string(nil), c.Realms...),
		Extra:          append(json.RawMessage(nil), c.Extra...),
		Version:        c.Version, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
}

func newView(c *Connection) *view {
	o, extra := strictjson.ParseDocument(c.Options), strictjson.ParseDocument(c.Extra)
	v := &view{
		id: c.ID, name: c.Name, strategy: c.Strategy, options: c.Options, extra: c.Extra, clients: len(c.EnabledClients),
		facts:    factsOf(c, o),
		icon:     o.Text("icon_url"),
		aliases:  o.Texts("domain_aliases"),
		display:  orText(extra.Text("display_name"), title(c.Strategy, c.Name)),
		domain:   extra.Flag("is_domain_connection"),
		active:   true,
		shown:    shownOptions(c.Options, o),
		hidden:   extra.Has("show_as_button") && !extra.Flag("show_as_button"),
		document: o,
	}
	v.facts.Disabled = v.facts.Disabled && !v.domain
	if a := extra.Object("authentication"); a.Has("active") {
		v.active = a.Flag("active")
	}
	v.guarded = !o.Has("brute_force_protection") || o.Flag("brute_force_protection")
	if strategies[c.Strategy].Group == DatabaseGroup {
		v.policy, v.personal = policyOf(o), personalFields(o)
	}
	v.signup = signupOf(c.Strategy, o)
	v.upstream = parseUpstream(o)
	if v.facts.Class.Upstream() {
		v.legal = parseLegal(o)
		v.facts.NonPersistent = denied(o, v.legal)
		v.upstream.NonPersistent = v.facts.NonPersistent
	}
	if c.Strategy == "oidc" || hosted(c.Strategy) {
		v.oidc = parseOIDC(c.Strategy, o)
	} else {
		v.oidc = parseOIDC(c.Strategy, nil)
	}
	return v
}

func classOf(strategy string, o strictjson.Document) profile.Class {
	switch strategies[strategy].Group {
	case DatabaseGroup:
		switch {
		case !o.Flag("enabledDatabaseCustomization"):
			return profile.Database
		case o.Flag("import_mode"):
			return profile.ImportDatabase
		default:
			return profile.ExternalDatabase
		}
	case PasswordlessGroup:
		if strategy == "sms" {
			return profile.PasswordlessSMS
		}
		return profile.PasswordlessEmail
	case SocialGroup:
		return profile.Social
	}
	// A strategy that nobody knows is upstream: nothing of it may be edited.
	return profile.Enterprise
}

func factsOf(c *Connection, o strictjson.Document) profile.Connection {
	f := profile.Connection{
		ID: c.ID, Name: c.Name,
		Class:         classOf(c.Strategy, o),
		NonPersistent: o.Texts("non_persistent_attrs"),
		Disabled:      len(c.EnabledClients) == 0,
	}
	if f.Class.Upstream() {
		switch mode := profile.Sync(o.Text("set_user_root_attributes")); mode {
		case profile.EachLogin, profile.FirstLogin, profile.NeverLogin:
			f.Sync = mode
		}
	}
	switch f.Class {
	case profile.PasswordlessEmail:
		f.EmailRequired = true
	case profile.PasswordlessSMS:
		f.PhoneRequired, f.PhoneAllowed = true, true
	case profile.Database, profile.ImportDatabase, profile.ExternalDatabase:
		identifiers(&f, o)
		if f.Class == profile.ExternalDatabase {
			f.ScriptChangesEmail, f.ScriptChangesUsername, f.ScriptChangesPhone =
				answers(o, "change_email"), answers(o, "change_username"), answers(o, "change_phone_number")
			f.ScriptVerifiesEmail = answers(o, "verify")
		}
	}
	return f
}

// answers reports whether a custom database has an action, by a script, a statement or
// its webhook. customdb says which of them; this package cannot ask it.
func answers(o strictjson.Document, action string) bool {
	sql, webhook := o.Object("sql"), o.Object("webhook")
	return o.Object("customScripts").Text(action) != "" || sql.Text("url") != "" && sql.Text(action) != "" ||
		webhook.Text("url") != "" && slices.Contains(webhook.Texts("actions"), action)
}

// identifiers reads which sign-in names the users of a database have: from the
// flexible attributes where they are set, else from the classic switches.
func identifiers(f *profile.Connection, o strictjson.Document) {
	if !o.Has("attributes") {
		f.EmailRequired = true
		f.Username.Allowed = o.Flag("requires_username")
		f.Username.Required = f.Username.Allowed
		bounds := o.Object("validation").Object("username")
		f.Username.Min, _ = bounds.Number("min")
		f.Username.Max, _ = bounds.Number("max")
		return
	}
	attrs := o.Object("attributes")
	f.EmailRequired = attrs.Object("email").Flag("profile_required")
	f.PhoneAllowed = attrs.Has("phone_number")
	f.PhoneRequired = attrs.Object("phone_number").Flag("profile_required")
	username := attrs.Object("username")
	f.Username.Allowed = attrs.Has("username")
	f.Username.Required = username.Flag("profile_required")
	rules := username.Object("validation")
	f.Username.Min, _ = rules.Number("min_length")
	f.Username.Max, _ = rules.Number("max_length")
	types := rules.Object("allowed_types")
	f.Username.EmailShaped = types.Flag("email")
	f.Username.PhoneShaped = types.Flag("phone_number")
}

func signupOf(strategy string, o strictjson.Document) Signup {
	password := o.Object("authentication_methods").Object("password")
	s := Signup{
		Disabled:    o.Flag("disable_signup"),
		NoResetLink: o.Flag("disable_self_service_change_password"),
	}
	if strategy != "auth0" {
		return s
	}
	if password.Text("signup_behavior") == "block" {
		s.Disabled = true
	}
	if !o.Has("attributes") {
		s.EmailRequired = true
		s.UsernameRequired = o.Flag("requires_username")
		return s
	}
	attrs := o.Object("attributes")
	status := func(name string) (required, inactive bool) {
		switch attrs.Object(name).Object("signup").Text("status") {
		case "required":
			return true, false
		case "inactive":
			return false, true
		}
		return false, false
	}
	s.EmailRequired, s.EmailInactive = status("email")
	s.UsernameRequired, s.UsernameInactive = status("username")
	s.PhoneRequired, s.PhoneInactive = status("phone_number")
	return s
}
