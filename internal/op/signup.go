package op

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"unicode/utf8"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Failures of public sign-up (reference/authentication.md §4.1, users.md §7).
var (
	errSignupDisabled   = bareError("public signup is disabled")
	errNoSuchConnection = errs.New(errs.Invalid, "invalid_request", "the connection was not found")
	errBadBody          = errs.New(errs.Invalid, "bad_request", "The request body cannot be read.")
)

// signupMembers are the members of the profile that a stranger may give, in the
// order in which they are checked. All others are ignored.
var signupMembers = []string{
	profile.Email, profile.Username, profile.PhoneNumber, profile.GivenName, profile.FamilyName,
	profile.Name, profile.Nickname, profile.Picture, profile.UserMetadata,
}

// signup is POST /dbconnections/signup.
func (e *Endpoints) signup(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	ctx := r.Context()
	body, err := signupBody(r)
	if err != nil {
		return err
	}
	text := func(name string) string { return profile.TextOf(body[name]) }
	a := actorOf(r, text("client_id"))
	a.Language = requestLanguage(r)
	u, err := e.register(ctx, w, r, body, a)
	if err != nil {
		t, failed := e.d.Tenant.Settings(ctx)
		if failed != nil {
			return failed
		}
		event := e.event(audit.SignupFailed, a)
		event.Connection = clip(text("connection"))
		if c, err := e.d.Connections.ConnectionByName(ctx, text("connection")); err == nil {
			event.ConnectionID = c.ID
		}
		event.Description = signupFailure(err)
		e.recordRefusal(ctx, user.Told(event, err))
		return signupRefusal(err, t.SignupTellsUserExists)
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, signupAnswer(u, body))
	return nil
}

// Who is there is told where the tenant wants that (flags.enable_public_signup_user_exists_error).
var (
	errUserExists     = errs.New(errs.Invalid, "user_exists", "The user already exists.")
	errUsernameExists = errs.New(errs.Invalid, "username_exists", "The username already exists.")
)

// signupRefusal words what sign-up words in its own way.
func signupRefusal(err error, tells bool) error {
	var violations schema.Error
	switch {
	case tells && errors.Is(err, user.ErrExists):
		return errUserExists
	case tells && errors.Is(err, user.ErrUsernameTaken):
		return errUsernameExists
	case errors.As(err, &violations) && violations[0].Path == profile.Email && violations[0].Code == schema.InvalidFormat:
		return bareError("invalid email address")
	}
	return err
}

// register checks what is particular to sign-up and leaves the rest to the use case.
func (e *Endpoints) register(ctx context.Context, w http.ResponseWriter, r *http.Request, body map[string]json.RawMessage, a user.Actor) (*user.User, error) {
	for _, name := range []string{"client_id", "connection", "password"} {
		if v, ok := body[name]; !ok || profile.IsNull(v) {
			return nil, errMissing(name)
		} else if v[0] != '"' {
			return nil, errs.New(errs.Invalid, "invalid_request", "Parameter has the wrong type: %s", name)
		}
	}
	c, err := e.d.Clients.Client(ctx, profile.TextOf(body["client_id"]))
	if errors.Is(err, client.ErrNotFound) || err == nil && c.Global {
		return nil, errNoClient
	}
	if err != nil {
		return nil, err
	}
	allowOrigin(w, r, c)
	conn, err := e.d.Connections.ConnectionByName(ctx, profile.TextOf(body["connection"]))
	if errors.Is(err, connection.ErrNotFound) || err == nil && !conn.Class().HasPasswords() {
		return nil, errNoSuchConnection
	}
	if err != nil {
		return nil, err
	}
	if !usable(conn, c.ID) {
		return nil, errDisabled
	}
	rules := conn.Signup()
	if rules.Disabled {
		return nil, errSignupDisabled
	}
	changes := signupChanges(body)
	if err := signupIdentifiers(conn.Name, conn.Facts(), rules, changes); err != nil {
		return nil, err
	}
	if err := signupMetadata(body[profile.UserMetadata]); err != nil {
		return nil, err
	}
	return e.d.Users.Create(ctx, user.CreateRequest{
		Connection: conn.Name,
		Changes:    changes,
		Password:   profile.TextOf(body["password"]),
		Signup:     true,
	}, a)
}

// signupBody reads a form or a JSON object.
func signupBody(r *http.Request) (map[string]json.RawMessage, error) {
	body := map[string]json.RawMessage{}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		members, err := web.ReadJSON(r)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			body[m.Name] = m.Value
		}
		return body, nil
	}
	p, err := web.Params(r)
	if err != nil {
		return nil, err
	}
	for name, v := range p {
		if !utf8.ValidString(v) {
			return nil, errBadBody
		}
		body[name] = profile.Text(v)
	}
	// A form has no objects: the metadata come as the text of one.
	if v, ok := p[profile.UserMetadata]; ok {
		if body[profile.UserMetadata], err = strictjson.Compact([]byte(v)); err != nil {
			return nil, err
		}
	}
	return body, nil
}

// signupChanges are the attributes that were given; null is the same as nothing.
func signupChanges(body map[string]json.RawMessage) []profile.Change {
	var changes []profile.Change
	for _, name := range signupMembers {
		if v, ok := body[name]; ok && !profile.IsNull(v) {
			changes = append(changes, profile.Change{Name: name, Value: v})
		}
	}
	return changes
}

// signupIdentifiers holds a sign-up to the identifiers that it must and may have.
func signupIdentifiers(connectionName string, facts profile.Connection, rules connection.Signup, changes []profile.Change) error {
	given := map[string]bool{}
	for _, c := range changes {
		given[c.Name] = string(c.Value) != `""`
	}
	for _, id := range []struct{ name, missing string }{
		{profile.Username, "missing username for " + connectionName + " connection with requires_username enabled"},
		{profile.Email, "missing email"},
		{profile.PhoneNumber, "missing phone_number"},
	} {
		required, inactive := rules.Identifier(facts, id.name)
		if required && !given[id.name] {
			return bareError(id.missing)
		}
		if inactive && given[id.name] {
			return bareError(id.name + " is not allowed at sign up")
		}
	}
	return nil
}

// Bounds of user_metadata at sign-up (reference/authentication.md §4.1).
const (
	maxMetadata      = 10
	maxMetadataName  = 100
	maxMetadataValue = 500
)

// signupMetadata is the narrower rule that metadata of strangers have: a few
// short texts. Code and description both carry the text.
func signupMetadata(v json.RawMessage) error {
	if v == nil || profile.IsNull(v) {
		return nil
	}
	bad := func(text string) error { return errs.New(errs.Invalid, text, "%s", text) }
	members, err := strictjson.Object(v)
	if err != nil {
		return bad("invalid user_metadata type (expected object)")
	}
	if len(members) > maxMetadata {
		return bad("invalid user_metadata (at most 10 properties are allowed)")
	}
	for _, m := range members {
		field := clip(m.Name)
		switch {
		case utf8.RuneCountInString(m.Name) > maxMetadataName:
			return bad("invalid user_metadata." + field + " name (at most 100 characters are allowed)")
		case m.Value[0] != '"':
			return bad("invalid user_metadata." + field + " type (only strings are allowed)")
		case utf8.RuneCountInString(profile.TextOf(m.Value)) > maxMetadataValue:
			return bad("invalid user_metadata." + field + " value (at most 500 characters are allowed)")
		}
	}
	return nil
}

// signupAnswer is the body of a success, in the recorded order: _id has no
// prefix, and only what was given is told (reference/users.md §7).
func signupAnswer(u *user.User, given map[string]json.RawMessage) json.RawMessage {
	b := append([]byte(`{"_id":`), profile.Text(u.Primary().UserID)...)
	member := func(name string) bool {
		v := u.Profile.Value(name)
		if g, ok := given[name]; !ok || profile.IsNull(g) || v == nil {
			return false
		}
		b = append(append(append(append(b, ',', '"'), name...), '"', ':'), v...)
		return true
	}
	email := member(profile.Email)
	member(profile.Username)
	if email {
		b = append(append(b, `,"email_verified":`...), profile.Bool(u.Profile.True(profile.EmailVerified))...)
	}
	if member(profile.PhoneNumber) {
		b = append(append(b, `,"phone_verified":`...), profile.Bool(u.Profile.True(profile.PhoneVerified))...)
	}
	for _, name := range signupMembers[3:] {
		member(name)
	}
	return append(b, '}')
}

// signupFailure words the record of a refused sign-up. It is the tenant's own
// log, so it tells what the public answer hides.
func signupFailure(err error) string {
	switch {
	case errors.Is(err, user.ErrExists):
		return user.ErrExists.Text
	case errors.Is(err, user.ErrUsernameTaken):
		return user.ErrUsernameTaken.Text
	}
	_, body := legacyOf(err)
	switch b := body.(type) {
	case legacyBody:
		if b.Message != "" {
			return b.Message
		}
		if text, ok := b.Description.(string); ok {
			return clip(text)
		}
		return b.Code
	case oauthBody:
		return b.Description
	}
	var bare bareError
	errors.As(err, &bare)
	return string(bare)
}
