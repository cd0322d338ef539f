package op

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/session"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// webauthnGrant is the grant of a passkey (reference/authentication.md §3.4, §4.9).
const webauthnGrant = "urn:okta:params:oauth:grant-type:webauthn"

// Failures of the passkey endpoints and of their grant.
var (
	errNoPasskeys  = errs.New(errs.Forbidden, "access_denied", "Passkeys are not enabled for the connection.")
	errAuthSession = errs.New(errs.Forbidden, "invalid_grant", "Invalid or expired auth_session.")
	errPasskey     = errs.New(errs.Forbidden, "invalid_grant", "Invalid authn_response.")
	errUserProfile = errs.New(errs.Invalid, "invalid_request", "user_profile must be an object")
	errNoSignup    = errs.New(errs.Invalid, "invalid_request", "public signup is disabled")
	errSignup      = errs.New(errs.Invalid, "invalid_request", "Invalid sign up")
)

// passkeyAnswer begins a ceremony in an application.
type passkeyAnswer struct {
	Session string          `json:"auth_session"`
	Options json.RawMessage `json:"authn_params_public_key"`
}

// passkeyCeremony makes a question for authenticators: the secret by which it is
// known again, and the options of WebAuthn as JSON.
type passkeyCeremony func(ctx context.Context, q *clientRequest, conn *connection.Connection) (secret, options string, err error)

// passkeyEndpoint is POST /passkey/challenge and /passkey/register: begin makes
// the ceremony, failure is the type of the record of a refusal.
func (e *Endpoints) passkeyEndpoint(failure string, begin passkeyCeremony) web.Handler {
	return e.clientEndpoint(failure, http.StatusOK, func(ctx context.Context, q *clientRequest) (any, error) {
		conn, err := e.passkeyConnection(ctx, q.client, q.params["realm"])
		if conn != nil {
			q.event.Connection, q.event.ConnectionID = conn.Name, conn.ID
		}
		if err != nil {
			return nil, err
		}
		secret, options, err := begin(ctx, q, conn)
		return passkeyAnswer{secret, json.RawMessage(options)}, err
	})
}

// passkeyConnection is the database in which the client's users may have
// passkeys: that of the realm, or the tenant's default directory.
func (e *Endpoints) passkeyConnection(ctx context.Context, c caller, realm string) (*connection.Connection, error) {
	switch {
	case !c.Settings().Allows(webauthnGrant):
		return nil, errGrantType(webauthnGrant)
	case !c.Settings().IsFirstParty:
		return nil, errThirdParty
	}
	find := e.d.Connections.ConnectionByRealm
	if realm == "" {
		s, err := e.d.Tenant.Settings(ctx)
		if err != nil {
			return nil, err
		}
		if s.DefaultDirectory == "" {
			return nil, errMissing("realm")
		}
		realm, find = s.DefaultDirectory, e.d.Connections.ConnectionByName
	}
	conn, err := find(ctx, realm)
	if errors.Is(err, connection.ErrNotFound) {
		return nil, errRealm
	}
	if err != nil {
		return nil, err
	}
	return conn, e.passkeysOf(conn, c.ID)
}

// passkeysOf says why the client's users cannot sign in by passkey there.
func (e *Endpoints) passkeysOf(conn *connection.Connection, clientID string) error {
	switch {
	case !conn.Class().HasPasswords():
		return errRealm
	case !usable(conn, clientID):
		return errDisabled
	case e.d.Factors == nil || e.d.Factors.Keys == nil || !conn.PasskeysEnabled():
		return errNoPasskeys
	}
	return nil
}

// challengePasskey is POST /passkey/challenge. Whose passkey it will be is told by
// the answer: the challenge is the same for everybody.
func (e *Endpoints) challengePasskey(ctx context.Context, q *clientRequest, conn *connection.Connection) (secret, options string, err error) {
	return e.d.Factors.AppChallenge(ctx, factor.PasskeySession{ClientID: q.client.ID, ConnectionID: conn.ID})
}

// registerPasskey is POST /passkey/register. It creates nobody, and does not tell
// whether there is such a user: the grant does both.
func (e *Endpoints) registerPasskey(ctx context.Context, q *clientRequest, conn *connection.Connection) (secret, options string, err error) {
	body, err := signupProfile(q.params)
	if err != nil {
		return "", "", err
	}
	changes, err := passkeySignup(conn, body)
	if err != nil {
		return "", "", err
	}
	// The shape of the attributes is told before a passkey is made for them.
	made, err := profile.Create(conn.Facts(), changes, profile.Source{Origin: profile.FromSignup}, profile.Defaults{})
	if err != nil {
		return "", "", signupProblem(err, false)
	}
	kept, err := json.Marshal(body)
	if err != nil {
		return "", "", err
	}
	return e.d.Factors.AppSignUp(ctx, factor.PasskeySession{
		ClientID: q.client.ID, ConnectionID: conn.ID, New: kept, Name: factor.AccountOf(&user.User{Profile: made}),
	})
}

// signupProfile reads user_profile, and user_metadata, which may be in it or
// beside it. Members that sign-up does not know are passed over.
func signupProfile(p map[string]string) (map[string]json.RawMessage, error) {
	if p["user_profile"] == "" {
		return nil, errMissing("user_profile")
	}
	members, err := strictjson.Object([]byte(p["user_profile"]))
	if err != nil {
		return nil, errUserProfile
	}
	body := map[string]json.RawMessage{}
	for _, m := range members {
		if contains(signupMembers, m.Name) && !profile.IsNull(m.Value) {
			body[m.Name] = m.Value
		}
	}
	if v := p[profile.UserMetadata]; v != "" {
		if body[profile.UserMetadata], err = strictjson.Compact([]byte(v)); err != nil {
			return nil, err
		}
	}
	return body, nil
}

// passkeySignup is the rule of who may sign up by passkey, and with what.
func passkeySignup(conn *connection.Connection, body map[string]json.RawMessage) ([]profile.Change, error) {
	rules := conn.Signup()
	if rules.Disabled {
		return nil, errNoSignup
	}
	changes := signupChanges(body)
	err := signupIdentifiers(conn.Name, conn.Facts(), rules, changes)
	if err == nil {
		err = signupMetadata(body[profile.UserMetadata])
	}
	if err != nil {
		return nil, signupProblem(err, false)
	}
	return changes, nil
}

// signupProblem words a refused sign-up in the OAuth family; tells: that somebody
// is there is told, as the tenant wants.
func signupProblem(err error, tells bool) error {
	var bare bareError
	var violations schema.Error
	switch {
	case tells && errors.Is(err, user.ErrExists):
		return errs.New(errs.Invalid, "invalid_request", "%s", errUserExists.Text)
	case tells && errors.Is(err, user.ErrUsernameTaken):
		return errs.New(errs.Invalid, "invalid_request", "%s", errUsernameExists.Text)
	case errors.Is(err, user.ErrExists), errors.Is(err, user.ErrUsernameTaken):
		return errSignup
	case errors.Is(err, user.ErrSignupDisabled):
		return errNoSignup
	case errors.As(err, &bare):
		return errs.New(errs.Invalid, "invalid_request", "%s", string(bare))
	case errors.As(err, &violations):
		return errs.New(errs.Invalid, "invalid_request", "%s", clip(violations.Error()))
	}
	if f := errs.From(err); f.Kind == errs.Invalid {
		return errs.New(errs.Invalid, "invalid_request", "%s", f.Text)
	}
	return err
}

// passkey is the grant of an answer to a ceremony. A passkey has seen its owner,
// so that it is both factors.
func (e *Endpoints) passkey(ctx context.Context, t *clientRequest) (tokenResponse, error) {
	c, p := t.client, t.params
	for _, name := range []string{"auth_session", "authn_response"} {
		if p[name] == "" {
			return tokenResponse{}, errMissing(name)
		}
	}
	v, err := e.wishOf(ctx, t)
	if err != nil {
		return tokenResponse{}, err
	}
	if e.d.Factors == nil {
		return tokenResponse{}, errNoPasskeys
	}
	begun, err := e.d.Factors.TakeSession(ctx, p["auth_session"], c.ID)
	if errors.Is(err, factor.ErrNone) {
		return tokenResponse{}, errAuthSession
	}
	if err != nil {
		return tokenResponse{}, err
	}
	conn, err := e.d.Connections.Connection(ctx, begun.ConnectionID)
	if errors.Is(err, connection.ErrNotFound) {
		return tokenResponse{}, errAuthSession
	}
	if err != nil {
		return tokenResponse{}, err
	}
	t.event.Connection, t.event.ConnectionID = conn.Name, conn.ID
	if p["realm"] != "" && p["realm"] != conn.Name && !slices.Contains(conn.Realms, p["realm"]) {
		return tokenResponse{}, errRealm
	}
	if err := e.passkeysOf(conn, c.ID); err != nil {
		return tokenResponse{}, err
	}
	u, err := e.passkeyUser(ctx, t, conn, begun)
	if errors.Is(err, factor.ErrWrong) {
		return tokenResponse{}, errPasskey
	}
	if err != nil {
		return tokenResponse{}, err
	}
	if err := e.d.Factors.SignedIn(ctx, u, conn, t.shows()); err != nil {
		return tokenResponse{}, err
	}
	t.recorded = true // with the sign-in
	methods := []string{session.Key, session.MFA}
	if err := e.secondFactor(ctx, t, u, v, methods); err != nil {
		return tokenResponse{}, err
	}
	return e.issueUser(ctx, c, userTokens{user: u, api: v.api, scopes: v.scopes(), methods: methods, actor: t.actor})
}

// passkeyUser finds whose passkey answered, or creates somebody new with theirs.
func (e *Endpoints) passkeyUser(ctx context.Context, t *clientRequest, conn *connection.Connection, begun factor.PasskeySession) (*user.User, error) {
	origins := appOrigins(t.client.Client, e.d.Factors.Keys.RPID())
	answer := t.params["authn_response"]
	if begun.New != nil {
		return e.passkeySignUp(ctx, t, conn, begun, answer, origins)
	}
	u, err := e.d.Factors.CheckPasskey(ctx, begun.Session, answer, t.shows(), origins...)
	if err != nil {
		return nil, err
	}
	t.event.UserID = string(u.ID)
	switch {
	case !slices.ContainsFunc(u.Identities, func(id user.Identity) bool { return id.ConnectionID == conn.ID }):
		return nil, errPasskey
	case u.Profile.True(profile.Blocked):
		return nil, user.ErrBlocked
	}
	return u, nil
}

func (e *Endpoints) passkeySignUp(ctx context.Context, t *clientRequest, conn *connection.Connection, begun factor.PasskeySession, answer string, origins []string) (*user.User, error) {
	var body map[string]json.RawMessage
	if err := json.Unmarshal(begun.New, &body); err != nil {
		return nil, err
	}
	changes, err := passkeySignup(conn, body)
	if err != nil {
		return nil, err
	}
	save, err := e.d.Factors.NewPasskey(begun, answer, t.shows(), origins...)
	if err != nil {
		return nil, err
	}
	u, err := e.d.Users.Create(ctx, user.CreateRequest{Connection: conn.Name, Changes: changes, Signup: true, Save: save}, t.actor)
	switch {
	case err == nil:
		return u, nil
	case errors.Is(err, factor.ErrExists):
		return nil, errPasskey
	}
	s, failed := e.d.Tenant.Settings(ctx)
	if failed != nil {
		return nil, failed
	}
	event := e.event(audit.SignupFailed, t.actor)
	event.Connection, event.ConnectionID, event.Description = conn.Name, conn.ID, signupFailure(err)
	if failed := e.d.Audit.AppendEvents(context.WithoutCancel(ctx), event); failed != nil {
		return nil, failed
	}
	t.recorded = true
	return nil, signupProblem(err, s.SignupTellsUserExists)
}

// appOrigins are the origins from which a client's users answer for the relying
// party: Android applications by the fingerprints of their certificates
// (mobile.android.sha256_cert_fingerprints), pages of the client below its domain.
func appOrigins(c *client.Client, rpID string) []string {
	var list []string
	for _, fingerprint := range strictjson.ParseDocument(c.Doc).Object("mobile").Object("android").Texts("sha256_cert_fingerprints") {
		if sum, err := hex.DecodeString(strings.ReplaceAll(fingerprint, ":", "")); err == nil && len(sum) == 32 {
			list = append(list, "android:apk-key-hash:"+base64.RawURLEncoding.EncodeToString(sum))
		}
	}
	s := c.Settings()
	for _, o := range slices.Concat(s.WebOrigins, s.AllowedOrigins) {
		u, err := url.Parse(o)
		if err == nil && isOrigin(o) && !strings.Contains(o, "*") && u.Scheme == "https" && (u.Hostname() == rpID || strings.HasSuffix(u.Hostname(), "."+rpID)) {
			list = append(list, o)
		}
	}
	return list
}
