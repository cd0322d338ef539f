package profile

import (
	"regexp"

	"mangrove/internal/schema"
)

// Door is a way in which a body of attributes comes in.
type Door uint8

// The doors. Each is a set of one, so that a row of the table can name several.
const (
	AtCreate Door = 1 << iota // POST /users
	AtPatch                   // PATCH /users/{id}
	AtSignup                  // public sign-up
	AtImport                  // a row that makes a user
	AtUpsert                  // a row that meets a user who is there
	AtLogin                   // claims of an upstream login
)

// attribute is a row of the table.
type attribute struct {
	schema.Property
	// doors may bring the attribute.
	doors Door
	// created words the description of POST /users where it differs from PATCH's.
	created string
	// nullable: null in a PATCH removes it.
	nullable bool
}

// What several rows share.
const (
	everywhere  = AtCreate | AtPatch | AtSignup | AtImport | AtUpsert | AtLogin
	identifying = AtCreate | AtPatch | AtSignup | AtImport | AtLogin
	trusted     = AtCreate | AtPatch | AtImport | AtLogin
)

var (
	e164         = regexp.MustCompile(`^\+[0-9]{1,15}$`)
	usernameForm = regexp.MustCompile("^[a-zA-Z0-9_+\\-.!#\\$\\^`~@']*$")
)

// attributes is the table of reference/users.md §1.2: what an attribute looks
// like, who may bring it, and whether PATCH may take it away. Lengths are in
// characters and are the contract's. A name that is not here came from an
// identity provider; a PATCH may at most remove it.
var attributes = []attribute{
	{
		Property: schema.Property{
			Name: Email, Types: schema.String, Format: schema.FormatEmail,
			Description: "Email address of this user.",
		},
		doors: identifying, created: "The user's email.", nullable: true,
	},
	{
		Property: schema.Property{
			Name: EmailVerified, Types: schema.Boolean,
			Description: "Whether this email address is verified (true) or unverified (false). If set to false the user will not receive a verification email unless `verify_email` is set to true.",
		},
		doors:   trusted | AtUpsert,
		created: "Whether this email address is verified (true) or unverified (false). User will receive a verification email after creation if `email_verified` is false or not specified",
	},
	{
		Property: schema.Property{
			Name: Username, Types: schema.String, Min: 1, Max: 128, Pattern: usernameForm,
			Description: "The user's username. Only valid if the connection requires a username.",
		},
		doors: identifying, nullable: true,
	},
	{
		Property: schema.Property{
			Name: PhoneNumber, Types: schema.String, Pattern: e164,
			Description: "The user's phone number (following the E.164 recommendation).",
		},
		doors: identifying, nullable: true,
	},
	{
		Property: schema.Property{
			Name: PhoneVerified, Types: schema.Boolean,
			Description: "Whether this phone number has been verified (true) or not (false).",
		},
		doors: trusted,
	},
	{
		Property: schema.Property{
			Name: Name, Types: schema.String, Min: 1, Max: 300, NoControls: true,
			Description: "Name of this user.",
		},
		doors: everywhere, created: "The user's full name.", nullable: true,
	},
	{
		Property: schema.Property{
			Name: GivenName, Types: schema.String, Min: 1, Max: 150, NoControls: true,
			Description: "Given name/first name/forename of this user.",
		},
		doors: everywhere, created: "The user's given name(s).", nullable: true,
	},
	{
		Property: schema.Property{
			Name: FamilyName, Types: schema.String, Min: 1, Max: 150, NoControls: true,
			Description: "Family name/last name/surname of this user.",
		},
		doors: everywhere, created: "The user's family name(s).", nullable: true,
	},
	{
		Property: schema.Property{
			Name: Nickname, Types: schema.String, Min: 1, Max: 300, NoControls: true,
			Description: "Preferred nickname or alias of this user.",
		},
		doors: everywhere, created: "The user's nickname.", nullable: true,
	},
	{
		Property: schema.Property{
			Name: Picture, Types: schema.String, Format: schema.FormatStrictURI, NoControls: true,
			Description: "URL to picture, photo, or avatar of this user.",
		},
		doors: everywhere, created: "A URI pointing to the user's picture.", nullable: true,
	},
	{
		Property: schema.Property{
			Name: Blocked, Types: schema.Boolean,
			Description: "Whether this user was blocked by an administrator (true) or not (false).",
		},
		doors: AtCreate | AtPatch | AtImport,
	},
	{
		Property: schema.Property{
			Name: UserMetadata, Types: schema.Object,
			Description: "User metadata to which this user has read/write access.",
		},
		doors:   AtCreate | AtPatch | AtSignup | AtImport | AtUpsert,
		created: "Data related to the user that does not affect the application's core functionality.",
	},
	{
		Property: schema.Property{
			Name: AppMetadata, Types: schema.Object,
			Description: "User metadata to which this user has read-only access.",
		},
		doors:   AtCreate | AtPatch | AtImport | AtUpsert,
		created: "Data related to the user that does affect the application's core functionality.",
	},
}

// upstreamForms loosen two rows at a login: identifiers of ours have a form
// because people sign in with them here, an upstream's are only shown.
var upstreamForms = map[string]schema.Property{
	Username:    {Types: schema.String, Min: 1, Max: 300, NoControls: true},
	PhoneNumber: {Types: schema.String, Min: 1, Max: 128, NoControls: true},
}

// surface are the members of a body that are no attributes: the surface acts on
// them, the table only says what they look like.
var surface = []attribute{
	{
		Property: schema.Property{
			Name: "connection", Types: schema.String, Min: 1,
			Description: "Name of the connection to target for this user update.",
		},
		doors: AtCreate | AtPatch, created: "Name of the connection this user should be created in.",
	},
	{
		Property: schema.Property{
			Name: "password", Types: schema.String, Min: 1,
			Description: "New password for this user. Only valid for database connections.",
		},
		doors: AtCreate | AtPatch | AtSignup, created: "Initial password for this user. Only valid for auth0 connection strategy.", nullable: true,
	},
	{
		Property: schema.Property{
			Name: "verify_email", Types: schema.Boolean,
			Description: "Whether this user will receive a verification email after creation (true) or no email (false). Overrides behavior of `email_verified` parameter.",
		},
		doors:   AtCreate | AtPatch,
		created: "Whether the user will receive a verification email after creation (true) or no email (false). Overrides behavior of `email_verified` parameter.",
	},
	{
		Property: schema.Property{
			Name: "verify_phone_number", Types: schema.Boolean,
			Description: "Whether this user will receive a text after changing the phone number (true) or no text (false). Only valid when changing phone number for SMS connections.",
		},
		doors: AtPatch,
	},
	{
		// The contract has forgotten it, SDKs still send it (reference/users.md §1.2).
		Property: schema.Property{Name: "verify_password", Types: schema.Boolean},
		doors:    AtPatch,
	},
	{
		Property: schema.Property{
			Name: "client_id", Types: schema.String, Min: 1,
			Description: "Auth0 client ID. Only valid when updating email address.",
		},
		doors: AtPatch,
	},
	{
		Property: schema.Property{
			Name: "user_id", Types: schema.String, Max: 255, Pattern: regexp.MustCompile(`^\S*$`), NoControls: true,
			Description: "The external user's id provided by the identity provider.",
		},
		doors: AtCreate | AtImport,
	},
}

// reserved are names at the first level that are the server's own, or secrets:
// no body and no claim reaches them, not even with null.
var reserved = map[string]bool{
	"user_id": true, "_id": true, "identities": true, "__tenant": true,
	"created_at": true, "updated_at": true, "last_login": true, "last_ip": true, "logins_count": true,
	"last_password_reset": true, "multifactor": true, "multifactor_last_modified": true,
	"blocked_for": true, "guardian_authenticators": true, "roles": true, "permissions": true,
	"password": true, "password_hash": true, "custom_password_hash": true, "mfa_factors": true,
	"verify_email": true, "verify_phone_number": true, "verify_password": true,
}

// local are the attributes that belong to the house, not to an identity: no
// login touches them, and a secondary identity has none.
func local(name string) bool {
	return name == UserMetadata || name == AppMetadata || name == Blocked
}

// form is what the value of one attribute has to look like at one door, and the
// attribute's bit in sets of them.
type form struct {
	schema.Property
	bit uint32
}

// forms are the forms by door, and allForms those of all doors.
var (
	forms = [AtLogin + 1]map[string]*form{
		AtCreate: formsAt(AtCreate), AtPatch: formsAt(AtPatch), AtSignup: formsAt(AtSignup),
		AtImport: formsAt(AtImport), AtUpsert: formsAt(AtUpsert), AtLogin: formsAt(AtLogin),
	}
	allForms = formsAt(everywhere)
)

func formsAt(d Door) map[string]*form {
	m := map[string]*form{}
	for i, a := range attributes {
		if a.doors&d == 0 {
			continue
		}
		f := a.form(d)
		if loose, ok := upstreamForms[a.Name]; ok && d == AtLogin {
			f = loose
		}
		m[a.Name] = &form{f, 1 << i}
	}
	return m
}

func (a attribute) form(d Door) schema.Property {
	f := a.Property
	if d == AtPatch && a.nullable {
		f.Types |= schema.Null
	}
	if d == AtCreate && a.created != "" {
		f.Description = a.created
	}
	return f
}

// Known reports whether the table has the attribute.
func Known(name string) bool { return allForms[name] != nil }

// Form is what the value of an attribute has to look like at a door; nil when
// the door does not take it.
func Form(d Door, name string) *schema.Property {
	if f := forms[d][name]; f != nil {
		return &f.Property
	}
	return nil
}

// Surface is what a member of a body that is no attribute has to look like at a
// door (connection, password, verify_email, verify_phone_number, client_id,
// user_id); nil when the door has no such member.
func Surface(d Door, name string) *schema.Property {
	for _, a := range surface {
		if a.Name == name && a.doors&d != 0 {
			f := a.form(d)
			return &f
		}
	}
	return nil
}
