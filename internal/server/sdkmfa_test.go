package server_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/auth0/go-auth0/authentication"
	"github.com/auth0/go-auth0/authentication/mfa"
	"github.com/auth0/go-auth0/authentication/oauth"
	"github.com/pquerna/otp/totp"

	"mangrove/internal/store/storetest"
)

// mfaTokenOf is the mfa_token of a refusal.
func mfaTokenOf(t *testing.T, err error) string {
	t.Helper()
	var refusal *authentication.Error
	if !errors.As(err, &refusal) || refusal.GetMFAToken() == "" {
		t.Fatalf("no mfa_token in %v", err)
	}
	return refusal.GetMFAToken()
}

// The SDK keeps the authenticators of an account with a token for the audience
// /mfa/: the first one with the password alone, the next with a code of the first.
func TestSDKManagesAuthenticators(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	e, ctx := newEmbedded(t, w), t.Context()
	for _, name := range []string{"otp", "sms", "recovery-code"} {
		e.call("PUT", "/api/v2/guardian/factors/"+name, `{"enabled":true}`)
	}
	e.call("POST", "/api/v2/users", `{"connection":"`+database+`","email":"ida@example.com","email_verified":true,"password":"`+goodPassword+`"}`)
	ask := oauth.LoginWithPasswordRequest{
		Username: "ida@example.com", Password: goodPassword, Realm: database, Audience: w.url + "/mfa/", Scope: "openid enroll read:authenticators remove:authenticators",
	}
	early, err := e.sdk.OAuth.LoginWithPassword(ctx, ask, oauth.IDTokenValidationOptions{})
	e.check("without a factor", err)
	if early.ExpiresIn != 600 || early.Scope != ask.Scope {
		t.Errorf("%+v", early)
	}
	app, err := e.sdk.MFA.AddAuthenticator(ctx, early.AccessToken, mfa.AddAuthenticatorRequest{AuthenticatorTypes: []string{"otp"}})
	e.check("the first", err)
	code := func(at time.Time) string {
		c, err := totp.GenerateCode(app.Secret, at)
		e.check("code", err)
		return c
	}
	_, err = e.sdk.MFA.VerifyWithOTP(ctx, mfa.VerifyWithOTPRequest{MFAToken: early.AccessToken, OTP: code(time.Now())})
	e.check("its first code", err)

	// The token from before is worth nothing now.
	text := mfa.AddAuthenticatorRequest{AuthenticatorTypes: []string{"oob"}, OOBChannels: []string{"sms"}, PhoneNumber: "+15551239167"}
	_, err = e.sdk.MFA.AddAuthenticator(ctx, early.AccessToken, text)
	e.is(err, 403, "access_denied", "User is already enrolled.")
	list, err := e.sdk.MFA.ListAuthenticators(ctx, early.AccessToken)
	e.check("list", err)
	e.is(e.sdk.MFA.DeleteAuthenticator(ctx, early.AccessToken, url.PathEscape(list[0].ID)), 403, "access_denied", "Multifactor authentication required")

	_, err = e.sdk.OAuth.LoginWithPassword(ctx, ask, oauth.IDTokenValidationOptions{})
	e.is(err, 403, "mfa_required", "Multifactor authentication required")
	proven, err := e.sdk.MFA.VerifyWithOTP(ctx, mfa.VerifyWithOTPRequest{MFAToken: mfaTokenOf(t, err), OTP: code(time.Now().Add(30 * time.Second))})
	e.check("the second", err)
	phone, err := e.sdk.MFA.AddAuthenticator(ctx, proven.AccessToken, text)
	e.check("a phone", err)
	_, sent, _ := strings.Cut(<-e.texts, ": ")
	_, err = e.sdk.MFA.VerifyWithOOB(ctx, mfa.VerifyWithOOBRequest{MFAToken: proven.AccessToken, OOBCode: phone.OOBCode, BindingCode: sent})
	e.check("its first code", err)
	if list, err = e.sdk.MFA.ListAuthenticators(ctx, proven.AccessToken); err != nil || len(list) != 3 {
		t.Fatalf("%+v %v", list, err)
	}
	for _, a := range list {
		if a.AuthenticatorType != "recovery-code" {
			e.check(a.ID, e.sdk.MFA.DeleteAuthenticator(ctx, proven.AccessToken, url.PathEscape(a.ID)))
		}
	}
	if list, err = e.sdk.MFA.ListAuthenticators(ctx, proven.AccessToken); err != nil || len(list) != 0 {
		t.Errorf("left: %+v %v", list, err)
	}

	// It opens nothing else.
	for _, path := range []string{"/userinfo", "/api/v2/users", "/api/v2/clients"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+path, nil)
		e.check(path, err)
		req.Header.Set("Authorization", "Bearer "+proven.AccessToken)
		res, err := w.client.Do(req)
		e.check(path, err)
		if _ = res.Body.Close(); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}
