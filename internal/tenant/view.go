package tenant

import (
	"encoding/json"
	"slices"

	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// View makes the settings of what is stored. It is total: a document or a member
// that cannot be read counts as not set.
func View(docs Documents) *Settings {
	s := &Settings{}
	s.tenant(effective(docs, Tenant))
	s.Branding = branding(effective(docs, Look))
	s.IdentifierFirst = effective(docs, Prompts).Flag("identifier_first")
	s.BruteForce = bruteForce(effective(docs, Brute))
	s.SuspiciousIP = suspiciousIP(effective(docs, Suspicious))
	on := strictjson.ParseDocument(docs[Factors])
	s.MFA = MFA{
		OTP: on.Flag("otp"), SMS: on.Flag("sms"), Email: on.Flag("email"), RecoveryCode: on.Flag("recovery-code"),
		WebAuthnRoaming: on.Flag("webauthn-roaming"), WebAuthnPlatform: on.Flag("webauthn-platform"),
		Always: slices.Contains(strictjson.ParseDocument(docs[Policies]).Texts("policies"), AllApplications),
	}
	return s
}

// effective is a document as it is shown.
func effective(docs Documents, name Name) strictjson.Document {
	return strictjson.ParseDocument(kinds[name].shown(docs[name]))
}

const (
	minute = int64(60)
	hour   = 60 * minute
)

// Defaults that a tenant's document does not show (reference/authentication.md §0.4).
const (
	defaultEphemeral     = 72 * hour
	defaultIdleEphemeral = 24 * hour
)

func (s *Settings) tenant(d strictjson.Document) {
	flags := d.Object("flags")
	s.FriendlyName, s.PictureURL = d.Text("friendly_name"), address(d.Text("picture_url"))
	s.SupportEmail, s.SupportURL = d.Text("support_email"), address(d.Text("support_url"))
	for _, l := range d.Texts("enabled_locales") {
		if slices.Contains(Languages, l) {
			s.EnabledLocales = append(s.EnabledLocales, l)
		}
	}
	if len(s.EnabledLocales) == 0 {
		s.EnabledLocales = []string{"en"}
	}
	s.AllowedLogoutURLs = d.Texts("allowed_logout_urls")
	s.DefaultAudience, s.DefaultDirectory = d.Text("default_audience"), d.Text("default_directory")
	s.DefaultRedirectionURI = address(d.Text("default_redirection_uri"))
	s.ErrorPageURL = address(d.Object("error_page").Text("url"))
	device := d.Object("device_flow")
	s.DeviceCharset, s.DeviceMask = "base20", "****-****"
	if device.Text("charset") == "digits" {
		s.DeviceCharset = "digits"
	}
	if m := device.Text("mask"); m != "" {
		s.DeviceMask = m
	}
	s.ACRValuesSupported = d.Texts("acr_values_supported")
	s.PersistentSession = d.Object("session_cookie").Text("mode") != "non-persistent"
	s.SessionLifetime = lifetime(d, "session_lifetime", 168*hour)
	s.IdleSessionLifetime = lifetime(d, "idle_session_lifetime", 72*hour)
	s.EphemeralSessionLifetime = lifetime(d, "ephemeral_session_lifetime", defaultEphemeral)
	s.IdleEphemeralLifetime = lifetime(d, "idle_ephemeral_session_lifetime", defaultIdleEphemeral)
	s.EndSessionInDiscovery = d.Object("oidc_logout").Flag("rp_logout_end_session_endpoint_discovery")
	s.LogoutPrompt = string(d.Object("sessions")["oidc_logout_prompt_enabled"]) != "false"
	s.PARSupported = d.Flag("pushed_authorization_requests_supported")
	s.IssParameter = d.Flag("authorization_response_iss_parameter_supported")
	s.MagicLinkWithoutSession = d.Object("universal_login").Object("passwordless").Flag("allow_magiclink_verify_without_session")
	s.SkipNonVerifiablePrompt = d.Flag("skip_non_verifiable_callback_uri_confirmation_prompt")
	s.CustomizeMFAInPostLogin = d.Flag("customize_mfa_in_postlogin_action")
	s.OrganizationNames = d.Flag("allow_organization_name_in_authentication_api")
	s.DynamicClientRegistration = flags.Flag("enable_dynamic_client_registration")
	s.RegistersPermissive = d.Text("dynamic_client_registration_security_mode") == "permissive"
	s.SignupTellsUserExists = flags.Flag("enable_public_signup_user_exists_error")
	s.RevokeWholeGrant = flags.Flag("revoke_refresh_token_grant")
	s.RemoveAlgFromJWKS = flags.Flag("remove_alg_from_jwks")
	s.PasswordlessAuthentication = flags.Flag("enforce_client_authentication_on_passwordless_start")
	s.ScopeDescriptions = flags.Flag("use_scope_descriptions_for_consent")
	s.LegacyProfile = flags.Flag("enable_legacy_profile")
	s.PublicClientsNeedS256 = flags.Flag(S256Flag)
	s.ResourceParameter = d.Text("resource_parameter_profile") == "compatibility"
}

// lifetime is a lifetime in seconds, given in minutes or in hours.
func lifetime(d strictjson.Document, name string, fallback int64) int64 {
	if n, ok := d.Number(name + "_in_minutes"); ok && n > 0 {
		return min(int64(n), maxMinutes) * minute
	}
	if n, ok := d.Number(name); ok && n > 0 {
		return min(int64(n), maxHours) * hour
	}
	return fallback
}

// address is an http or https URL, or nothing.
func address(s string) string {
	p := schema.Property{Types: str, Format: schema.FormatStrictURI}
	if len(p.Check("", quoted(s))) > 0 {
		return ""
	}
	return s
}

func branding(d strictjson.Document) Branding {
	colors := d.Object("colors")
	return Branding{
		PrimaryColor: color(colors.Text("primary")), PageBackground: color(colors.Text("page_background")),
		LogoURL: address(d.Text("logo_url")), FaviconURL: address(d.Text("favicon_url")), FontURL: address(d.Object("font").Text("url")),
	}
}

func color(s string) string {
	if !schema.IsColor(s) {
		return ""
	}
	return s
}

func bruteForce(d strictjson.Document) BruteForce {
	shields := d.Texts("shields")
	b := BruteForce{
		Enabled: d.Flag("enabled"), Block: slices.Contains(shields, "block"), Notify: slices.Contains(shields, "user_notification"),
		Allowlist: d.Texts("allowlist"), PerIdentifier: d.Text("mode") == "count_per_identifier", MaxAttempts: 10,
	}
	if n, ok := d.Number("max_attempts"); ok && n >= 1 && n <= 100 {
		b.MaxAttempts = int64(n)
	}
	return b
}

func suspiciousIP(d strictjson.Document) SuspiciousIP {
	shields, stages := d.Texts("shields"), d.Object("stage")
	return SuspiciousIP{
		Enabled: d.Flag("enabled"), Block: slices.Contains(shields, "block"), Notify: slices.Contains(shields, "admin_notification"),
		Allowlist: d.Texts("allowlist"),
		Login:     stage(stages.Object("pre-login"), Stage{MaxAttempts: 100, Rate: 864000}),
		Signup:    stage(stages.Object("pre-user-registration"), Stage{MaxAttempts: 50, Rate: 1200}),
	}
}

func stage(d strictjson.Document, s Stage) Stage {
	if n, ok := d.Number("max_attempts"); ok && n > 0 {
		s.MaxAttempts = int64(n)
	}
	if n, ok := d.Number("rate"); ok && n > 0 {
		s.Rate = int64(n)
	}
	return s
}

// ParseTexts reads the texts of a prompt: screen to key to text; nil: none.
func ParseTexts(doc json.RawMessage) map[string]map[string]string {
	screens := strictjson.ParseDocument(doc)
	if len(screens) == 0 {
		return nil
	}
	out := make(map[string]map[string]string, len(screens))
	for screen := range screens {
		texts := screens.Object(screen)
		out[screen] = make(map[string]string, len(texts))
		for key := range texts {
			out[screen][key] = texts.Text(key)
		}
	}
	return out
}
