package server_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auth0/go-auth0/authentication"
	authdb "github.com/auth0/go-auth0/authentication/database"
	"github.com/auth0/go-auth0/authentication/mfa"
	"github.com/auth0/go-auth0/authentication/oauth"
	"github.com/auth0/go-auth0/authentication/passwordless"
	"github.com/auth0/go-auth0/management"
	"github.com/pquerna/otp/totp"
	"golang.org/x/oauth2"

	"mangrove/internal/audit"
	"mangrove/internal/config"
	"mangrove/internal/mail/mailtest"
	"mangrove/internal/server"
	"mangrove/internal/store/storetest"
)

// The official Go SDK for the Authentication API, given nothing but domain and
// client credentials, makes every call that it has and that this server answers.

// refusedAs reports how an answer of the SDK differs from the refusal.
func refusedAs(err error, status int, code, text string) error {
	var e *authentication.Error
	switch {
	case !errors.As(err, &e):
		return fmt.Errorf("%w is no refusal of the server", err)
	case e.Status() != status || e.Err != code || e.Message != text:
		return fmt.Errorf("refused with %d %s %q, not with %d %s %q", e.Status(), e.Err, e.Message, status, code, text)
	}
	return nil
}

// embedded is an application with sign-in forms of its own: the SDK for it, and
// what the person behind it gets by mail and SMS.
type embedded struct {
	t      *testing.T
	w      *world
	sdk    *authentication.Authentication
	client management.Client
	box    *mailtest.Server
	texts  chan string
}

const embeddedOrigin = "https://app.example"

func newEmbedded(t *testing.T, w *world) *embedded {
	t.Helper()
	e := &embedded{t: t, w: w, box: mailtest.Start(t), texts: make(chan string, 8)}
	gateway := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m struct{ Body string }
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		e.texts <- m.Body
	}))
	t.Cleanup(gateway.Close)
	e.call("POST", "/api/v2/emails/provider", fmt.Sprintf(
		`{"name":"smtp","default_from_address":"tides@example.com","credentials":{"smtp_host":%q,"smtp_port":%d}}`, e.box.Host, e.box.Port))
	e.call("POST", "/api/v2/connections", `{"name":"email","strategy":"email"}`)
	e.call("POST", "/api/v2/connections", `{"name":"sms","strategy":"sms","options":{"provider":"sms_gateway","gateway_url":"`+gateway.URL+`","template":"Code: @@code@@","syntax":"md_with_macros"}}`)
	e.client = management.Client{
		Name: ptr("Embedded"), AppType: ptr("regular_web"), CrossOriginAuth: ptr(true), OIDCConformant: ptr(true),
		Callbacks: &[]string{"http://app.example/callback"}, WebOrigins: &[]string{embeddedOrigin},
		GrantTypes: &[]string{
			"authorization_code", "refresh_token", "client_credentials", "password", "http://auth0.com/oauth/grant-type/password-realm",
			"http://auth0.com/oauth/grant-type/passwordless/otp", "http://auth0.com/oauth/grant-type/mfa-otp",
			"http://auth0.com/oauth/grant-type/mfa-oob", "http://auth0.com/oauth/grant-type/mfa-recovery-code",
		},
	}
	e.check("client", w.sdk.Client.Create(t.Context(), &e.client))
	for _, name := range []string{database, "email", "sms"} {
		con, err := w.sdk.Connection.ReadByName(t.Context(), name)
		e.check(name, err)
		e.check(name, w.sdk.Connection.UpdateEnabledClients(t.Context(), con.GetID(), []management.ConnectionEnabledClient{{ClientID: e.client.ClientID, Status: ptr(true)}}))
	}
	e.check("tenant", w.sdk.Tenant.Update(t.Context(), &management.Tenant{DefaultDirectory: ptr(database), PushedAuthorizationRequestsSupported: ptr(true)}))
	var err error
	e.sdk, err = authentication.New(t.Context(), strings.TrimPrefix(w.url, "https://"), authentication.WithClient(w.client),
		authentication.WithClientID(e.client.GetClientID()), authentication.WithClientSecret(e.client.GetClientSecret()), authentication.WithNoRetries())
	e.check("sdk", err)
	return e
}

func (e *embedded) check(what string, err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatalf("%s: %v", what, err)
	}
}

// is checks a refusal.
func (e *embedded) is(err error, status int, code, text string) {
	e.t.Helper()
	if err := refusedAs(err, status, code, text); err != nil {
		e.t.Error(err)
	}
}

func (e *embedded) call(method, path, body string) {
	e.t.Helper()
	if status, answer := e.w.call(method, path, body); status > 299 {
		e.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
}

var sixDigits = regexp.MustCompile(`\b[0-9]{6}\b`)

// mailed is the code in the next mail to the address.
func (e *embedded) mailed(to string) string {
	e.t.Helper()
	m := e.box.Mail(to)
	code := sixDigits.FindString(m.Text)
	if code == "" {
		e.t.Fatalf("no code in %+v", m)
	}
	return code
}

// events are the log records of a type, newest first, as GET /logs shows them.
func (e *embedded) events(query string) []*management.Log {
	e.t.Helper()
	list, err := e.w.sdk.Log.List(e.t.Context(), management.Parameter("q", query), management.PerPage(100))
	e.check(query, err)
	return list
}

// logged checks that acts of the application left records of these types, each
// with everything that is known of the act.
func (e *embedded) logged(userID, connection string, types ...string) {
	e.t.Helper()
	for _, kind := range types {
		list := e.events("type:" + kind + ` AND client_id:"` + e.client.GetClientID() + `"`)
		if !slices.ContainsFunc(list, func(l *management.Log) bool {
			return l.GetUserID() == userID && l.GetConnection() == connection && l.GetClientName() == "Embedded" && l.GetIP() == "127.0.0.1" && !l.GetDate().IsZero()
		}) {
			e.t.Errorf("no record %s of %q by %q, only %v", kind, userID, connection, list)
		}
	}
}

func TestSDKAuthentication(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			var ahead atomic.Int64
			w := newWorldIn(t, t.TempDir(), storetest.EmptyURL(t, engine), func(_ *config.Config, o *server.Options) {
				o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			})
			e := newEmbedded(t, w)
			ida := e.database()
			e.passwords(ida)
			e.machines()
			e.codes(ida)
			e.passwordless()
			e.mfa(ida)
			ahead.Store(int64(audit.Settled) * int64(time.Microsecond) * 2)
			e.everything(ida)
		})
	}
}

// database signs ida up and returns her id.
func (e *embedded) database() (ida string) {
	t, ctx := e.t, e.t.Context()
	t.Helper()
	person := map[string]any{"size": "m"}
	signup := authdb.SignupRequest{Connection: database, Email: "Ida@Example.com", Password: goodPassword, GivenName: "Ida", UserMetadata: &person}

	up, err := e.sdk.Database.Signup(ctx, signup)
	e.check("sign-up", err)
	if len(up.ID) != 24 || up.Email != "ida@example.com" || up.EmailVerified || up.GivenName != "Ida" || (*up.UserMetadata)["size"] != "m" {
		t.Errorf("sign-up: %+v", up)
	}
	ida = "auth0|" + up.ID
	_, err = e.sdk.Database.Signup(ctx, signup)
	e.is(err, 400, "invalid_signup", "Invalid sign up")
	_, err = e.sdk.Database.Signup(ctx, authdb.SignupRequest{Connection: database, Email: "joe@example.com", Password: "short"})
	e.is(err, 400, "invalid_password", `{"rules":[{"message":"At least %d characters in length","format":[15],"code":"lengthAtLeast","verified":false}],"verified":false}`)
	for _, address := range []string{"ida@example.com", "nobody@example.com"} {
		text, err := e.sdk.Database.ChangePassword(ctx, authdb.ChangePasswordRequest{Connection: database, Email: address})
		e.check("change password", err)
		if text != "We've just sent you an email to reset your password." {
			t.Errorf("change password: %q", text)
		}
	}
	e.logged(ida, database, "ss", "scpr")
	e.logged("", database, "fs")
	return ida
}

// passwords are the two password grants, and what is done with their tokens.
func (e *embedded) passwords(ida string) {
	t, ctx := e.t, e.t.Context()
	t.Helper()
	login := oauth.LoginWithPasswordRequest{Username: "ida@example.com", Password: goodPassword, Realm: database, Scope: "openid profile email offline_access"}
	in, err := e.sdk.OAuth.LoginWithPassword(ctx, login, oauth.IDTokenValidationOptions{})
	e.check("password-realm", err)
	if in.AccessToken == "" || in.IDToken == "" || in.RefreshToken == "" || in.TokenType != "Bearer" || in.ExpiresIn != 86400 || in.Scope != login.Scope {
		t.Errorf("password-realm: %+v", in)
	}
	info, err := e.sdk.UserInfo(ctx, in.AccessToken)
	e.check("userinfo", err)
	if info.Sub != ida || info.Email != "ida@example.com" || info.EmailVerified || info.GivenName != "Ida" || info.UpdatedAt.IsZero() || len(info.AdditionalClaims) > 0 {
		t.Errorf("userinfo: %+v", info)
	}
	_, err = e.sdk.UserInfo(ctx, "nonsense")
	e.is(err, 401, "invalid_token", "The access token is missing, expired, or not for this endpoint.")
	again, err := e.sdk.OAuth.RefreshToken(ctx, oauth.RefreshTokenRequest{RefreshToken: in.RefreshToken, Scope: "openid email"}, oauth.IDTokenValidationOptions{})
	e.check("refresh", err)
	if again.AccessToken == "" || again.IDToken == "" || again.Scope != "openid email" {
		t.Errorf("refresh: %+v", again)
	}
	e.check("revoke", e.sdk.OAuth.RevokeRefreshToken(ctx, oauth.RevokeRefreshTokenRequest{Token: in.RefreshToken}))
	e.check("revoke nothing", e.sdk.OAuth.RevokeRefreshToken(ctx, oauth.RevokeRefreshTokenRequest{Token: "nonsense"}))
	_, err = e.sdk.OAuth.RefreshToken(ctx, oauth.RefreshTokenRequest{RefreshToken: in.RefreshToken}, oauth.IDTokenValidationOptions{})
	e.is(err, 403, "invalid_grant", "Unknown or invalid refresh token.")
	byDirectory := url.Values{"username": {"ida@example.com"}, "password": {goodPassword}}
	everything, err := e.sdk.OAuth.LoginWithGrant(ctx, "password", e.authenticated(byDirectory), oauth.IDTokenValidationOptions{})
	e.check("password", err)
	if everything.Scope != "openid profile email address phone" || everything.RefreshToken != "" {
		t.Errorf("password without scope: %+v", everything)
	}
	login.Password = "wrong"
	_, err = e.sdk.OAuth.LoginWithPassword(ctx, login, oauth.IDTokenValidationOptions{})
	e.is(err, 403, "invalid_grant", "Wrong email or password.")
	login.Username = "nobody@example.com"
	_, err = e.sdk.OAuth.LoginWithPassword(ctx, login, oauth.IDTokenValidationOptions{})
	e.is(err, 403, "invalid_grant", "Wrong email or password.")
	e.logged(ida, database, "sepft", "fp")
	e.logged("", database, "fu")
	e.logged(ida, "", "sertft", "srrt")
}

func (e *embedded) machines() {
	t, ctx, w := e.t, e.t.Context(), e.w
	t.Helper()
	_, err := e.sdk.OAuth.LoginWithClientCredentials(ctx, oauth.LoginWithClientCredentialsRequest{Audience: w.url + "/api/v2/"}, oauth.IDTokenValidationOptions{})
	e.is(err, 403, "access_denied", `Client is not authorized to access "`+w.url+`/api/v2/". You might probably want to create a "client-grant" associated to this API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants`)
	e.check("grant", w.sdk.ClientGrant.Create(ctx, &management.ClientGrant{ClientID: e.client.ClientID, Audience: ptr(w.url + "/api/v2/"), Scope: &[]string{"read:users"}}))
	machine, err := e.sdk.OAuth.LoginWithClientCredentials(ctx, oauth.LoginWithClientCredentialsRequest{Audience: w.url + "/api/v2/"}, oauth.IDTokenValidationOptions{})
	e.check("client credentials", err)
	if machine.Scope != "read:users" || machine.IDToken != "" || machine.ExpiresIn != 86400 {
		t.Errorf("client credentials: %+v", machine)
	}
	e.logged("", "", "seccft", "feccft")
	if l := e.events(`type:seccft AND client_id:"` + e.client.GetClientID() + `"`)[0]; l.GetAudience() != w.url+"/api/v2/" || l.GetScope() != "read:users" || l.Details != nil {
		t.Errorf("record of client credentials: %v", l)
	}
}

// authenticated adds the client's credentials.
func (e *embedded) authenticated(v url.Values) url.Values {
	v.Set("client_id", e.client.GetClientID())
	v.Set("client_secret", e.client.GetClientSecret())
	return v
}

// codes signs a browser in by a form of the application (cross-origin), and has
// it bring codes for requests that were pushed.
func (e *embedded) codes(ida string) {
	t, ctx := e.t, e.t.Context()
	t.Helper()
	b := e.w.newBrowser()
	body := `{"client_id":"` + e.client.GetClientID() + `","username":"ida@example.com","password":"` + goodPassword + `","realm":"` + database + `","credential_type":"http://auth0.com/oauth/grant-type/password-realm"}`
	req, err := http.NewRequestWithContext(ctx, "POST", e.w.url+"/co/authenticate", strings.NewReader(body))
	e.check("cross-origin", err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", embeddedOrigin)
	res, err := b.client.Do(req)
	e.check("cross-origin", err)
	var ticket struct {
		Ticket string `json:"login_ticket"`
	}
	err = errors.Join(json.NewDecoder(res.Body).Decode(&ticket), res.Body.Close())
	if err != nil || res.StatusCode != 200 || ticket.Ticket == "" {
		t.Fatalf("cross-origin: %d %v", res.StatusCode, err)
	}
	config := oauth2.Config{
		ClientID: e.client.GetClientID(), RedirectURL: "http://app.example/callback", Scopes: []string{"openid", "profile"},
		Endpoint: oauth2.Endpoint{AuthURL: e.w.url + "/authorize"},
	}
	got, page, at := b.follow(config.AuthCodeURL("the state", oauth2.SetAuthURLParam("login_ticket", ticket.Ticket), oauth2.SetAuthURLParam("realm", database)))
	if got.Get("code") == "" || got.Get("state") != "the state" {
		t.Fatalf("at %s with %v and %.300s", at, got, page)
	}
	plain := oauth.LoginWithAuthCodeRequest{Code: got.Get("code"), RedirectURI: config.RedirectURL}
	in, err := e.sdk.OAuth.LoginWithAuthCode(ctx, plain, oauth.IDTokenValidationOptions{})
	e.check("code", err)
	if in.IDToken == "" {
		t.Errorf("code: %+v", in)
	}
	_, err = e.sdk.OAuth.LoginWithAuthCode(ctx, plain, oauth.IDTokenValidationOptions{})
	e.is(err, 403, "invalid_grant", "Invalid authorization code")

	push := func() string {
		t.Helper()
		verifier := oauth2.GenerateVerifier()
		pushed, err := e.sdk.OAuth.PushedAuthorization(ctx, oauth.PushedAuthorizationRequest{
			ResponseType: "code", RedirectURI: config.RedirectURL, Scope: "openid", Nonce: "the nonce",
			CodeChallenge: oauth2.S256ChallengeFromVerifier(verifier), ExtraParameters: map[string]string{"code_challenge_method": "S256", "max_age": "600"},
		})
		e.check("push", err)
		if !strings.HasPrefix(pushed.RequestURI, "urn:ietf:params:oauth:request_uri:") || pushed.ExpiresIn != 30 {
			t.Errorf("push: %+v", pushed)
		}
		got, page, at = b.follow(e.w.url + "/authorize?" + url.Values{"client_id": {e.client.GetClientID()}, "request_uri": {pushed.RequestURI}}.Encode())
		if got.Get("code") == "" {
			t.Fatalf("at %s with %v and %.300s", at, got, page)
		}
		return verifier
	}
	verifier := push()
	pkce := oauth.LoginWithAuthCodeWithPKCERequest{Code: got.Get("code"), CodeVerifier: verifier, RedirectURI: config.RedirectURL}
	_, err = e.sdk.OAuth.LoginWithAuthCodeWithPKCE(ctx, pkce, oauth.IDTokenValidationOptions{Nonce: "the nonce", MaxAge: 600 * time.Second})
	e.check("code with PKCE", err)
	push()
	pkce.Code, pkce.CodeVerifier = got.Get("code"), oauth2.GenerateVerifier()
	_, err = e.sdk.OAuth.LoginWithAuthCodeWithPKCE(ctx, pkce, oauth.IDTokenValidationOptions{})
	e.is(err, 403, "invalid_grant", "Failed to verify code verifier")
	_, err = e.sdk.OAuth.PushedAuthorization(ctx, oauth.PushedAuthorizationRequest{ResponseType: "code", RedirectURI: "https://evil.example/"})
	e.is(err, 400, "invalid_request", "The provided redirect_uri is not in the list of allowed callback URLs.")
	e.logged(ida, database, "scoa")
	e.logged(ida, "", "seacft")
	e.logged("", "", "fpar")
}

func (e *embedded) passwordless() {
	t, ctx := e.t, e.t.Context()
	t.Helper()
	sent, err := e.sdk.Passwordless.SendEmail(ctx, passwordless.SendEmailRequest{Email: "kim@example.com", Send: "code"})
	e.check("mail", err)
	if len(sent.ID) != 24 || sent.Email != "kim@example.com" {
		t.Errorf("mail: %+v", sent)
	}
	code := e.mailed("kim@example.com")
	wrong := passwordless.LoginWithEmailRequest{Email: "kim@example.com", Code: next(code), Scope: "openid email"}
	_, err = e.sdk.Passwordless.LoginWithEmail(ctx, wrong, oauth.IDTokenValidationOptions{})
	e.is(err, 403, "invalid_grant", "Wrong email or verification code.")
	right := wrong
	right.Code = code
	in, err := e.sdk.Passwordless.LoginWithEmail(ctx, right, oauth.IDTokenValidationOptions{})
	e.check("mailed code", err)
	info, err := e.sdk.UserInfo(ctx, in.AccessToken)
	e.check("userinfo", err)
	if !strings.HasPrefix(info.Sub, "email|") || info.Email != "kim@example.com" || !info.EmailVerified {
		t.Errorf("userinfo: %+v", info)
	}
	_, err = e.sdk.Passwordless.LoginWithEmail(ctx, right, oauth.IDTokenValidationOptions{})
	e.is(err, 403, "invalid_grant", "Wrong email or verification code.")
	e.logged(info.Sub, "email", "sepotpft")
	e.logged("", "email", "cs")

	texted, err := e.sdk.Passwordless.SendSMS(ctx, passwordless.SendSMSRequest{PhoneNumber: "+4790000001"})
	e.check("SMS", err)
	if len(texted.ID) != 24 || texted.PhoneNumber != "+4790000001" {
		t.Errorf("SMS: %+v", texted)
	}
	code = sixDigits.FindString(<-e.texts)
	_, err = e.sdk.Passwordless.LoginWithSMS(ctx, passwordless.LoginWithSMSRequest{PhoneNumber: "+4790000001", Code: next(code)}, oauth.IDTokenValidationOptions{})
	e.is(err, 403, "invalid_grant", "Wrong phone number or verification code.")
	in, err = e.sdk.Passwordless.LoginWithSMS(ctx, passwordless.LoginWithSMSRequest{PhoneNumber: "+4790000001", Code: code, Scope: "openid phone"}, oauth.IDTokenValidationOptions{})
	e.check("texted code", err)
	info, err = e.sdk.UserInfo(ctx, in.AccessToken)
	e.check("userinfo", err)
	if !strings.HasPrefix(info.Sub, "sms|") || info.PhoneNumber != "+4790000001" || !info.PhoneNumberVerified {
		t.Errorf("userinfo: %+v", info)
	}
	e.logged(info.Sub, "sms", "sepotpft")
	_, err = e.sdk.Passwordless.SendSMS(ctx, passwordless.SendSMSRequest{PhoneNumber: "12"})
	e.is(err, 400, "bad.phone_number", `String does not match pattern: ^\+[0-9]{1,15}$`)
}

// next is another code than that.
func next(code string) string {
	b := []byte(code)
	b[0] = '0' + (b[0]-'0'+1)%10
	return string(b)
}

func (e *embedded) mfa(ida string) {
	t, ctx := e.t, e.t.Context()
	t.Helper()
	for _, name := range []string{"otp", "email", "recovery-code"} {
		e.call("PUT", "/api/v2/guardian/factors/"+name, `{"enabled":true}`)
	}
	e.call("PUT", "/api/v2/guardian/policies", `["all-applications"]`)
	begin := func() string {
		t.Helper()
		_, err := e.sdk.OAuth.LoginWithPassword(ctx, oauth.LoginWithPasswordRequest{
			Username: "ida@example.com", Password: goodPassword, Realm: database, Scope: "openid",
		}, oauth.IDTokenValidationOptions{})
		e.is(err, 403, "mfa_required", "Multifactor authentication required")
		var refusal *authentication.Error
		if !errors.As(err, &refusal) || refusal.GetMFAToken() == "" {
			t.Fatalf("no mfa_token in %v", err)
		}
		return refusal.GetMFAToken()
	}
	token := begin()
	list, err := e.sdk.MFA.ListAuthenticators(ctx, token)
	if err != nil || len(list) > 0 {
		t.Errorf("authenticators before the first: %v %v", list, err)
	}
	_, err = e.sdk.MFA.Challenge(ctx, mfa.ChallengeRequest{MFAToken: token, ChallengeType: "otp oob"})
	e.is(err, 403, "association_required", "User is not enrolled. You can use /mfa/associate endpoint to enroll the first authenticator.")
	app, err := e.sdk.MFA.AddAuthenticator(ctx, token, mfa.AddAuthenticatorRequest{AuthenticatorTypes: []string{"otp"}})
	e.check("associate", err)
	if app.AuthenticatorType != "otp" || app.Secret == "" || !strings.HasPrefix(app.BarcodeURI, "otpauth://totp/") || len(app.RecoveryCodes) != 1 || len(app.RecoveryCodes[0]) != 24 {
		t.Fatalf("associate: %+v", app)
	}
	code, err := totp.GenerateCode(app.Secret, time.Now())
	e.check("code", err)
	_, err = e.sdk.MFA.VerifyWithOTP(ctx, mfa.VerifyWithOTPRequest{MFAToken: token, OTP: next(code)})
	e.is(err, 403, "invalid_grant", "Invalid otp_code.")
	in, err := e.sdk.MFA.VerifyWithOTP(ctx, mfa.VerifyWithOTPRequest{MFAToken: token, OTP: code})
	e.check("otp", err)
	if in.IDToken == "" || in.Scope != "openid" {
		t.Errorf("otp: %+v", in)
	}

	token = begin()
	list, err = e.sdk.MFA.ListAuthenticators(ctx, token)
	e.check("authenticators", err)
	if !slices.ContainsFunc(list, func(a mfa.ListAuthenticatorsResponse) bool {
		return strings.HasPrefix(a.ID, "totp|dev_") && a.AuthenticatorType == "otp" && a.Active
	}) || !slices.ContainsFunc(list, func(a mfa.ListAuthenticatorsResponse) bool {
		return strings.HasPrefix(a.ID, "recovery-code|dev_") && a.AuthenticatorType == "recovery-code" && a.Active
	}) {
		t.Errorf("authenticators: %+v", list)
	}
	_, err = e.sdk.MFA.AddAuthenticator(ctx, token, mfa.AddAuthenticatorRequest{AuthenticatorTypes: []string{"otp"}})
	e.is(err, 403, "access_denied", "User is already enrolled.")
	asked, err := e.sdk.MFA.Challenge(ctx, mfa.ChallengeRequest{MFAToken: token, ChallengeType: "otp oob"})
	if err != nil || asked.ChallengeType != "otp" || asked.OOBCode != "" {
		t.Errorf("challenge: %+v %v", asked, err)
	}
	_, err = e.sdk.MFA.VerifyWithRecoveryCode(ctx, mfa.VerifyWithRecoveryCodeRequest{MFAToken: token, RecoveryCode: "ABCDEFGHJKLMNPQRSTUVWXYZ"})
	e.is(err, 403, "invalid_grant", "MFA Authorization rejected.")
	recovered, err := e.sdk.MFA.VerifyWithRecoveryCode(ctx, mfa.VerifyWithRecoveryCodeRequest{MFAToken: token, RecoveryCode: app.RecoveryCodes[0]})
	e.check("recovery", err)
	if recovered.AccessToken == "" || len(recovered.RecoveryCode) != 24 || recovered.RecoveryCode == app.RecoveryCodes[0] {
		t.Errorf("recovery: %+v", recovered)
	}

	// A mailed code, once the application is lost.
	e.call("DELETE", "/api/v2/users/"+url.PathEscape(ida)+"/authentication-methods", "")
	e.call("POST", "/api/v2/users/"+url.PathEscape(ida)+"/authentication-methods", `{"type":"email","name":"mail","email":"ida@example.com"}`)
	token = begin()
	asked, err = e.sdk.MFA.Challenge(ctx, mfa.ChallengeRequest{MFAToken: token, ChallengeType: "oob"})
	e.check("challenge", err)
	if asked.ChallengeType != "oob" || asked.OOBCode == "" || asked.BindingMethod != "prompt" {
		t.Errorf("challenge: %+v", asked)
	}
	for code = ""; code == ""; { // the mails of the sign-up come first
		code = sixDigits.FindString(e.box.Mail("ida@example.com").Text)
	}
	_, err = e.sdk.MFA.VerifyWithOOB(ctx, mfa.VerifyWithOOBRequest{MFAToken: token, OOBCode: asked.OOBCode, BindingCode: next(code)})
	e.is(err, 403, "invalid_grant", "Invalid binding_code.")
	_, err = e.sdk.MFA.VerifyWithOOB(ctx, mfa.VerifyWithOOBRequest{MFAToken: token, OOBCode: asked.OOBCode, BindingCode: code})
	e.check("mailed code", err)
	_, err = e.sdk.MFA.VerifyWithOTP(ctx, mfa.VerifyWithOTPRequest{MFAToken: "nonsense", OTP: "123456"})
	e.is(err, 401, "invalid_grant", "Malformed mfa_token")
	e.logged(ida, database, "mfar", "gd_enrollment_complete", "gd_auth_succeed", "gd_auth_failed", "gd_recovery_succeed", "gd_recovery_failed", "gd_send_email")
	e.logged(ida, "", "seotpft", "feotpft", "seoobft", "feoobft", "sercft", "fercft")
}

// everything reads the log by user and by checkpoint, and compares.
func (e *embedded) everything(ida string) {
	t := e.t
	t.Helper()
	var own []*management.Log
	_, body := e.w.call("GET", "/api/v2/users/"+url.PathEscape(ida)+"/logs?per_page=100", "")
	e.check(body, json.Unmarshal([]byte(body), &own))
	if len(own) == 0 || slices.ContainsFunc(own, func(l *management.Log) bool { return l.GetUserID() != ida }) {
		t.Errorf("logs of a user: %v", own)
	}
	seen := map[string]bool{}
	link := e.w.url + "/api/v2/logs?take=100"
	for {
		req, err := e.w.sdk.NewRequest(t.Context(), "GET", link, nil)
		e.check("checkpoint", err)
		res, err := e.w.sdk.Do(req)
		e.check("checkpoint", err)
		b, err := io.ReadAll(res.Body)
		e.check("checkpoint", errors.Join(err, res.Body.Close()))
		var page []*management.Log
		e.check(string(b), json.Unmarshal(b, &page))
		if len(page) == 0 {
			break
		}
		for _, l := range page {
			seen[l.GetLogID()] = true
		}
		to, rel, _ := strings.Cut(res.Header.Get("Link"), ">")
		if rel != `; rel="next"` {
			t.Fatalf("Link: %s", res.Header.Get("Link"))
		}
		link = strings.TrimPrefix(to, "<")
	}
	for _, l := range own {
		if !seen[l.GetLogID()] {
			t.Errorf("the checkpoint passes over %v", l)
		}
	}
}
