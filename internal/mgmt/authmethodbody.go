package mgmt

import (
	"encoding/json"

	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// The bodies (CreateUserAuthenticationMethodRequestContent and its like).
var (
	methodName      = schema.Property{Name: "name", Types: schema.String, NoControls: true, Max: 300, Description: "A human-readable label to identify the authentication method."}
	methodPreferred = schema.Property{
		Name: "preferred_authentication_method", Types: schema.String, Enum: []string{"voice", "sms"},
		Description: "Applies to phone authentication methods only. The preferred communication method.",
	}
	methodPhone = schema.Property{
		Name: "phone_number", Types: schema.String, Min: 2, Max: 30,
		Description: "Applies to phone authentication methods only. The destination phone number used to send verification codes via text and voice.",
	}
	methodEmail = schema.Property{
		Name: "email", Types: schema.String, Min: 1, Format: schema.FormatEmail,
		Description: "Applies to email authentication methods only. The email address used to send verification messages.",
	}
	methodSecret = schema.Property{Name: "totp_secret", Types: schema.String, Min: 1, Description: "Base32 encoded secret for TOTP generation."}

	newMethod = schema.Property{
		Types: schema.Object, Closed: true, Required: []string{"type"},
		Members: []schema.Property{
			{Name: "type", Types: schema.String, Enum: []string{"phone", "email", "totp", "webauthn-roaming", "passkey"}},
			methodName, methodSecret, methodPhone, methodEmail, methodPreferred,
			{Name: "key_id", Types: schema.String, Description: "Applies to webauthn/passkey authentication methods only. The id of the credential."},
			{Name: "public_key", Types: schema.String, Description: "Applies to webauthn/passkey authentication methods only. The public key, which is encoded as base64."},
			{Name: "aaguid", Types: schema.String, Description: "Applies to passkeys only. Authenticator Attestation Globally Unique Identifier"},
			{Name: "relying_party_identifier", Types: schema.String, Description: "Applies to webauthn authentication methods only. The relying party identifier."},
			{Name: "credential_device_type", Types: schema.String},
			{Name: "credential_backed_up", Types: schema.Boolean, Description: "Applies to passkeys only. Whether the credential was backed up."},
			{Name: "identity_user_id", Types: schema.String, Description: "Applies to passkeys only. The ID of the user identity linked with the authentication method."},
			{Name: "user_agent", Types: schema.String, Description: "Applies to passkeys only. The user-agent of the browser used to create the passkey."},
			{Name: "user_handle", Types: schema.String, Description: "Applies to passkeys only. The user handle of the user identity."},
			{Name: "transports", Types: schema.Array, Items: &schema.Property{Types: schema.String}, Description: "Applies to passkeys only. The transports used by clients to communicate with the authenticator."},
		},
	}
	setName    = schema.Property{Name: "name", Types: schema.String, Min: 1, Max: 20, NoControls: true, Description: "AA human-readable label to identify the authentication method."}
	setMethods = schema.Property{
		Types: schema.Array, Max: factor.MaxFactors,
		Items: &schema.Property{
			Types: schema.Object, Closed: true, Required: []string{"type"},
			Members: []schema.Property{
				{Name: "type", Types: schema.String, Enum: []string{"phone", "email", "totp"}},
				methodPreferred, setName, methodPhone, methodEmail, methodSecret,
			},
		},
	}
	changedMethod = schema.Property{Types: schema.Object, Closed: true, Members: []schema.Property{methodName, methodPreferred}}
)

// methodFrom is the factor of a body whose shape is right.
func methodFrom(body json.RawMessage) (factor.Factor, error) {
	d := strictjson.ParseDocument(body)
	f := factor.Factor{Kind: factor.Kind(d.Text("type")), Detail: factor.Detail{Name: d.Text("name")}}
	missing := func(name string) error {
		return errs.New(errs.Invalid, "invalid_body", "Payload validation error: 'Missing required property: %s'.", name)
	}
	switch f.Kind {
	case factor.TOTP:
		if !d.Has("totp_secret") {
			return f, missing("totp_secret")
		}
		if f.Detail.Secret = d.Text("totp_secret"); !factor.ValidSeed(f.Detail.Secret) {
			return f, errs.New(errs.Invalid, "invalid_body", "Payload validation error: 'totp_secret must be base32 of at least 16 characters'.")
		}
	case factor.Phone:
		if !d.Has("phone_number") {
			return f, missing("phone_number")
		}
		f.Detail.Address, f.Detail.Preferred = d.Text("phone_number"), d.Text("preferred_authentication_method")
		if !isPhone(f.Detail.Address) {
			return f, errs.New(errs.Invalid, "invalid_body", "Payload validation error: 'phone_number must be in E.164 format'.")
		}
	case factor.Email:
		if !d.Has("email") {
			return f, missing("email")
		}
		f.Detail.Address = d.Text("email")
	default:
		return f, errKeyMethod
	}
	return f, nil
}

// isPhone reports a number in E.164.
func isPhone(s string) bool {
	if len(s) < 3 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
