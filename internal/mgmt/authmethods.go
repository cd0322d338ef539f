package mgmt

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// The authentication methods of a user are second factors, recovery codes and
// passkeys, enrolled here or brought by an import (reference/users.md §3.13).

var (
	errNoMethod       = factor.ErrNone
	errImportedMethod = errs.New(errs.Invalid, "invalid_body", "An imported authentication method cannot be changed, only deleted.")
	errKeyMethod      = errs.New(errs.Invalid, "invalid_body", "A key can be enrolled by its owner alone.")
)

// methodJSON is the wire form.
func methodJSON(f *factor.Factor) []byte {
	var o object
	o.text("id", f.ID())
	o.text("type", string(f.Kind))
	o.raw("confirmed", truth(f.Confirmed))
	if f.Detail.Name != "" {
		o.text("name", f.Detail.Name)
	}
	switch f.Kind {
	case factor.Phone:
		var sms object
		sms.text("type", "sms")
		sms.text("id", "sms|"+f.Device)
		o.raw("authentication_methods", array([]json.RawMessage{sms.end()}))
		preferred := f.Detail.Preferred
		if preferred == "" {
			preferred = "sms"
		}
		o.text("preferred_authentication_method", preferred)
		o.text("phone_number", f.Shown())
	case factor.Email:
		o.text("email", f.Shown())
	}
	if c := f.Detail.Credential; c != nil {
		keyJSON(&o, f.Kind, c)
	}
	o.text("created_at", iso(f.CreatedAt))
	o.text("enrolled_at", iso(f.CreatedAt))
	if f.LastAuth != 0 {
		o.text("last_auth_at", iso(f.LastAuth))
	}
	return o.end()
}

// keyJSON adds the members of a WebAuthn credential.
func keyJSON(o *object, k factor.Kind, c *factor.Credential) {
	o.text("key_id", base64.RawURLEncoding.EncodeToString(c.ID))
	o.text("public_key", base64.StdEncoding.EncodeToString(c.PublicKey))
	o.text("relying_party_identifier", c.RPID)
	if k != factor.Passkey {
		return
	}
	device := "single_device"
	if c.BackupEligible {
		device = "multi_device"
	}
	o.text("credential_device_type", device)
	o.raw("credential_backed_up", truth(c.BackedUp))
	o.text("user_agent", c.UserAgent)
	o.text("user_handle", c.UserHandle)
	o.texts("transports", c.Transports)
}

// methods are the user in the path and its authentication methods.
func (a *api) methods(r *http.Request) (*user.User, []factor.Factor, error) {
	id, err := userID(r)
	if err != nil {
		return nil, nil, err
	}
	u, err := a.UserStore.User(r.Context(), id)
	if err != nil {
		return nil, nil, err
	}
	all, err := a.Factors.All(r.Context(), u)
	return u, slices.DeleteFunc(all, func(f factor.Factor) bool { return !f.Confirmed }), err
}

// method is the one in the path.
func (a *api) method(r *http.Request) (*user.User, factor.Factor, error) {
	name, err := web.Param(r, "method")
	if err != nil {
		return nil, factor.Factor{}, err
	}
	u, all, err := a.methods(r)
	if err != nil {
		return nil, factor.Factor{}, err
	}
	for _, f := range all {
		if f.ID() == name {
			return u, f, nil
		}
	}
	return nil, factor.Factor{}, errNoMethod
}

// listMethods is GET /users/{id}/authentication-methods.
func (a *api) listMethods(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	p := paging{
		page:    q.number("page", "Page index of the results to return. First page is 0. Default is 0.", 0, maxPageNumber, 0),
		perPage: q.number("per_page", "Number of results per page. Default is 50.", 0, MaxPage, 50),
		totals:  q.totals(),
	}
	if err := q.err(); err != nil {
		return err
	}
	_, all, err := a.methods(r)
	if err != nil {
		return err
	}
	page := all[min(p.offset(), len(all)):min(p.offset()+p.perPage, len(all))]
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, p.envelope("authenticators", methodList(page), len(all), ""))
	return nil
}

func methodList(fs []factor.Factor) []byte {
	out := make([]json.RawMessage, len(fs))
	for i := range fs {
		out[i] = methodJSON(&fs[i])
	}
	return array(out)
}

// getMethod is GET /users/{id}/authentication-methods/{method}.
func (a *api) getMethod(w http.ResponseWriter, r *http.Request, _ *caller) error {
	_, f, err := a.method(r)
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(methodJSON(&f)))
	return nil
}

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

// madeJSON is the wire form of a method that was just made: with what was sent.
func madeJSON(f *factor.Factor) []byte {
	var o object
	o.text("id", f.ID())
	o.text("type", string(f.Kind))
	if f.Detail.Name != "" {
		o.text("name", f.Detail.Name)
	}
	switch f.Kind {
	case factor.TOTP:
		o.text("totp_secret", f.Detail.Secret)
	case factor.Phone:
		o.text("phone_number", f.Detail.Address)
		var sms object
		sms.text("type", "sms")
		sms.text("id", "sms|"+f.Device)
		o.raw("authentication_methods", array([]json.RawMessage{sms.end()}))
		if f.Detail.Preferred != "" {
			o.text("preferred_authentication_method", f.Detail.Preferred)
		}
	case factor.Email:
		o.text("email", f.Detail.Address)
	}
	o.text("created_at", iso(f.CreatedAt))
	return o.end()
}

// createMethod is POST /users/{id}/authentication-methods.
func (a *api) createMethod(w http.ResponseWriter, r *http.Request, by *caller) error {
	u, _, err := a.methods(r)
	if err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	body := strictjson.Join(members)
	if err := checkBody(newMethod.Check("", body)); err != nil {
		return err
	}
	f, err := methodFrom(body)
	if err != nil {
		return err
	}
	made, err := a.Factors.Add(r.Context(), u, []factor.Factor{f}, a.onUser(r, by, u.ID, "Creates an authentication method for a given user"))
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusCreated, web.TypeJSON, json.RawMessage(madeJSON(&made[0])))
	return nil
}

// setMethodsOf is PUT /users/{id}/authentication-methods: the body takes the place
// of all phones, addresses and authenticator applications.
func (a *api) setMethodsOf(w http.ResponseWriter, r *http.Request, by *caller) error {
	u, _, err := a.methods(r)
	if err != nil {
		return err
	}
	body, err := readArray(r)
	if err != nil {
		return err
	}
	if err := checkBody(setMethods.Check("", body)); err != nil {
		return err
	}
	var list []factor.Factor
	for _, item := range schema.Elements(body) {
		f, err := methodFrom(item)
		if err != nil {
			return err
		}
		list = append(list, f)
	}
	made, err := a.Factors.Replace(r.Context(), u, list, a.onUser(r, by, u.ID, "Update all authentication methods by replacing them with the given ones"))
	if err != nil {
		return err
	}
	out := make([]json.RawMessage, len(made))
	for i := range made {
		out[i] = madeJSON(&made[i])
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(array(out)))
	return nil
}

// changeMethod is PATCH /users/{id}/authentication-methods/{method}.
func (a *api) changeMethod(w http.ResponseWriter, r *http.Request, by *caller) error {
	u, f, err := a.method(r)
	if err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	if err := checkBody(changedMethod.Check("", strictjson.Join(members))); err != nil {
		return err
	}
	if f.Imported {
		return errImportedMethod
	}
	d := f.Detail
	for _, m := range members {
		switch m.Name {
		case "name":
			d.Name = profile.TextOf(m.Value)
		case "preferred_authentication_method":
			d.Preferred = profile.TextOf(m.Value)
		}
	}
	if f, err = a.Factors.Rename(r.Context(), f, d, a.onUser(r, by, u.ID, "Update an authentication method")); err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(methodJSON(&f)))
	return nil
}

// deleteMethod is DELETE /users/{id}/authentication-methods/{method}.
func (a *api) deleteMethod(w http.ResponseWriter, r *http.Request, by *caller) error {
	u, f, err := a.method(r)
	if err != nil {
		return err
	}
	if err := a.Factors.Unenroll(r.Context(), u, []factor.Factor{f}, a.unenrolled(r, by, u.ID, "Delete an authentication method by ID")...); err != nil {
		return err
	}
	return none(w)
}

// unenrolled are the records of factors that go on an administrator's word.
func (a *api) unenrolled(r *http.Request, by *caller, id user.ID, description string) []audit.Event {
	gone := a.onUser(r, by, id, description)
	gone.Type = audit.Unenrolled
	return []audit.Event{gone, a.onUser(r, by, id, description)}
}

// removeMethods removes the methods that match; none is no event.
func (a *api) removeMethods(r *http.Request, by *caller, description string, match func(*factor.Factor) bool) error {
	u, all, err := a.methods(r)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(f factor.Factor) bool { return !match(&f) })
	if len(all) == 0 {
		return nil
	}
	return a.Factors.Unenroll(r.Context(), u, all, a.unenrolled(r, by, u.ID, description)...)
}

// deleteMethods is DELETE /users/{id}/authentication-methods. Of a user who is
// not there, everything is gone already: the contract has no 404.
func (a *api) deleteMethods(w http.ResponseWriter, r *http.Request, by *caller) error {
	err := a.removeMethods(r, by, "Delete all authentication methods for the given user", func(*factor.Factor) bool { return true })
	if err != nil && !errors.Is(err, user.ErrNotFound) {
		return err
	}
	return none(w)
}

// deleteAuthenticators is DELETE /users/{id}/authenticators; as deleteMethods, but
// passkeys, which are no second factors, stay.
func (a *api) deleteAuthenticators(w http.ResponseWriter, r *http.Request, by *caller) error {
	err := a.removeMethods(r, by, "Delete All Authenticators", func(f *factor.Factor) bool { return f.Kind != factor.Passkey })
	if err != nil && !errors.Is(err, user.ErrNotFound) {
		return err
	}
	return none(w)
}

const googleAuthenticator = "google-authenticator"

var factorProvider = schema.Property{
	Name: "provider", Types: schema.String, Enum: []string{"duo", googleAuthenticator},
	Description: "The multi-factor provider. Supported values 'duo' or 'google-authenticator'",
}

// deleteProvider is DELETE /users/{id}/multifactor/{provider}. Nobody has duo.
func (a *api) deleteProvider(w http.ResponseWriter, r *http.Request, by *caller) error {
	provider, err := web.Param(r, "provider")
	if err != nil {
		return err
	}
	if vs := factorProvider.Check("provider", profile.Text(provider)); len(vs) > 0 {
		return pathError(vs[0])
	}
	err = a.removeMethods(r, by, "Delete a User's Multi-factor Provider", func(f *factor.Factor) bool {
		return provider == googleAuthenticator && f.Kind == factor.TOTP
	})
	if err != nil {
		return err
	}
	return none(w)
}

// forgetBrowsers is POST /users/{id}/multifactor/actions/invalidate-remember-browser.
func (a *api) forgetBrowsers(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	if err := a.Factors.Forget(r.Context(), string(id), a.onUser(r, by, id, "Invalidate All Remembered Browsers for Multi-factor Authentication")); err != nil {
		return err
	}
	return none(w)
}
