package client

import (
	"net/url"
	"slices"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/strictjson"
)

// knownGrantTypes are the values of grant_types (reference/authentication.md §3.4).
var knownGrantTypes = []string{
	"authorization_code", "implicit", "refresh_token", "client_credentials", "password",
	"http://auth0.com/oauth/grant-type/password-realm",
	"http://auth0.com/oauth/grant-type/passwordless/otp",
	"http://auth0.com/oauth/grant-type/mfa-oob",
	"http://auth0.com/oauth/grant-type/mfa-otp",
	"http://auth0.com/oauth/grant-type/mfa-recovery-code",
	"http://auth0.com/oauth/legacy/grant-type/ro",
	"http://auth0.com/oauth/legacy/grant-type/ro/jwt-bearer",
	"http://auth0.com/oauth/legacy/grant-type/delegation/refresh_token",
	"http://auth0.com/oauth/legacy/grant-type/delegation/id_token",
	"http://auth0.com/oauth/legacy/grant-type/access_token",
	"urn:ietf:params:oauth:grant-type:device_code",
	"urn:ietf:params:oauth:grant-type:token-exchange",
	"urn:ietf:params:oauth:grant-type:jwt-bearer",
	"urn:openid:params:grant-type:ciba",
	"urn:okta:params:oauth:grant-type:webauthn",
	"urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token",
}

// checkRules are the rules between and within members that a schema cannot say.
func checkRules(doc strictjson.Document) error {
	s := parseSettings(doc.Encode())
	var unknown []string
	for _, g := range s.GrantTypes {
		if !slices.Contains(knownGrantTypes, g) {
			unknown = append(unknown, g)
		}
	}
	if len(unknown) > 0 {
		return invalid("Invalid grant types: %s", strings.Join(unknown, ", "))
	}
	for _, u := range s.Callbacks {
		if !Callable(u) {
			return badURL(u, "callback-url", "callbacks")
		}
	}
	for _, l := range []struct {
		name string
		urls []string
	}{{"allowed_logout_urls", s.AllowedLogoutURLs}, {"web_origins", s.WebOrigins}, {"allowed_origins", s.AllowedOrigins}} {
		for _, u := range l.urls {
			if !Callable(u) {
				return badURL(u, "url-with-placeholders", l.name)
			}
		}
	}
	if s.LogoURI != "" && !webURL(s.LogoURI, "http", "https") {
		return badURL(s.LogoURI, "absolute-uri-or-empty", "logo_uri")
	}
	if s.InitiateLoginURI != "" && !webURL(s.InitiateLoginURI, "https") {
		return badURL(s.InitiateLoginURI, "absolute-https-uri-with-placeholders-or-empty", "initiate_login_uri")
	}
	if len(s.Metadata) > 10 {
		return invalid("Payload validation error: 'Too many properties defined (%d), maximum 10' on property client_metadata.", len(s.Metadata))
	}
	return nil
}

// scripting are schemes that make a browser run or open what the address says,
// instead of asking somebody for it.
var scripting = []string{"javascript", "data", "vbscript", "blob", "file", "about", "view-source", "filesystem"}

// Callable reports whether an address may be registered: absolute, without
// fragment or user info, of a scheme that names a place. Custom schemes of
// native applications are fine; a * may stand in the left-most label of the host.
func Callable(s string) bool {
	for _, r := range s {
		if r <= ' ' || r == 0x7f || r == '\\' {
			return false
		}
	}
	// Placeholders and wildcards are no part of URL syntax.
	plain := strings.NewReplacer("*", "x", "{organization_name}", "x", "{organization_id}", "x", "{connection_name}", "x").Replace(s)
	u, err := url.Parse(plain)
	if err != nil || u.Scheme == "" || u.User != nil || u.Fragment != "" || strings.Contains(s, "#") {
		return false
	}
	if slices.Contains(scripting, u.Scheme) {
		return false
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		return u.Hostname() != ""
	}
	return u.Host != "" || u.Path != "" || u.Opaque != ""
}

// webURL reports an absolute URL of one of the schemes.
func webURL(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	return err == nil && Callable(s) && slices.Contains(schemes, u.Scheme)
}

func badURL(u, format, property string) error {
	if len(u) > 200 {
		u = u[:200]
	}
	return invalid("Payload validation error: 'Object didn't pass validation for format %s: %s' on property %s.", format, strings.ToValidUTF8(u, ""), property)
}

func invalid(format string, args ...any) error {
	return errs.New(errs.Invalid, "invalid_body", format, args...)
}
