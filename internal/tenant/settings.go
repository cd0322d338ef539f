package tenant

import "context"

// Settings is the typed view of all documents. It is shared: do not change it.
// Durations in seconds.
type Settings struct {
	FriendlyName, PictureURL   string
	SupportEmail, SupportURL   string
	EnabledLocales             []string // never empty; the first is the default
	AllowedLogoutURLs          []string
	DefaultAudience            string
	DefaultDirectory           string // name of a connection
	DefaultRedirectionURI      string
	ErrorPageURL               string // absolute; empty: our own page
	DeviceCharset, DeviceMask  string // base20 or digits; ****-****
	ACRValuesSupported         []string
	PersistentSession          bool // session_cookie.mode is not "non-persistent"
	SessionLifetime            int64
	IdleSessionLifetime        int64
	EphemeralSessionLifetime   int64 // of non-persistent sessions
	IdleEphemeralLifetime      int64
	EndSessionInDiscovery      bool // oidc_logout.rp_logout_end_session_endpoint_discovery
	LogoutPrompt               bool // sessions.oidc_logout_prompt_enabled
	PARSupported               bool // pushed_authorization_requests_supported
	IssParameter               bool // authorization_response_iss_parameter_supported
	MagicLinkWithoutSession    bool // universal_login.passwordless.allow_magiclink_verify_without_session
	SkipNonVerifiablePrompt    bool // skip_non_verifiable_callback_uri_confirmation_prompt
	CustomizeMFAInPostLogin    bool
	OrganizationNames          bool // allow_organization_name_in_authentication_api
	DynamicClientRegistration  bool // flags.enable_dynamic_client_registration
	RegistersPermissive        bool // dynamic_client_registration_security_mode is "permissive"
	SignupTellsUserExists      bool // flags.enable_public_signup_user_exists_error
	RevokeWholeGrant           bool // flags.revoke_refresh_token_grant
	RemoveAlgFromJWKS          bool // flags.remove_alg_from_jwks
	PasswordlessAuthentication bool // flags.enforce_client_authentication_on_passwordless_start
	ScopeDescriptions          bool // flags.use_scope_descriptions_for_consent
	LegacyProfile              bool // flags.enable_legacy_profile
	// PublicClientsNeedS256 is ours (security.md 1.7): public clients have to use PKCE with S256.
	PublicClientsNeedS256 bool
	// ResourceParameter: resource is taken where audience is absent
	// (resource_parameter_profile is "compatibility").
	ResourceParameter bool

	IdentifierFirst bool // prompts
	Branding        Branding
	BruteForce      BruteForce
	SuspiciousIP    SuspiciousIP
	MFA             MFA
}

// Branding is what GET /branding shows. Empty members: the defaults of page.
type Branding struct {
	PrimaryColor, PageBackground string // #rgb or #rrggbb
	LogoURL, FaviconURL, FontURL string
}

// BruteForce is attack-protection/brute-force-protection.
type BruteForce struct {
	Enabled       bool
	Block, Notify bool     // shields: block, user_notification
	Allowlist     []string // addresses and CIDRs
	PerIdentifier bool     // mode count_per_identifier: whatever the address
	MaxAttempts   int64
}

// SuspiciousIP is attack-protection/suspicious-ip-throttling.
type SuspiciousIP struct {
	Enabled       bool
	Block, Notify bool // shields: block, admin_notification
	Allowlist     []string
	Login, Signup Stage
}

// Stage is a token bucket.
type Stage struct {
	MaxAttempts int64
	Rate        int64 // milliseconds until one attempt comes back
}

// MFA is guardian/factors and guardian/policies.
type MFA struct {
	OTP, SMS, Email, RecoveryCode, WebAuthnRoaming, WebAuthnPlatform bool
	// Always: the policy all-applications.
	Always bool
}

// Reader is what other packages need. Reading is cheap: it is cached, and no
// older than two seconds where other nodes write.
type Reader interface {
	Settings(ctx context.Context) (*Settings, error)
	// Texts are the texts of GET /prompts/{prompt}/custom-text/{language}: screen to
	// key to text; nil: none.
	Texts(ctx context.Context, prompt, language string) (map[string]map[string]string, error)
}
