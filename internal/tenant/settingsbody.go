package tenant

import (
	"regexp"

	"mangrove/internal/schema"
)

// Short spellings for the tables of bodies.
const (
	str     = schema.String
	boolean = schema.Boolean
	integer = schema.Integer
	number  = schema.Number
	obj     = schema.Object
	arr     = schema.Array
	orNull  = schema.Null
)

// Bounds of ours where the contract has none: a lifetime of ten years, in hours
// and in minutes, and a text that fits into a header line.
const (
	maxHours   = 87600
	maxMinutes = maxHours * 60
	maxText    = 2048
)

// settingsBody is UpdateTenantSettingsRequestContent, and the flag of ours.
var settingsBody = schema.Property{Types: obj, Closed: true, Min: 1, Members: []schema.Property{
	{Name: "change_password", Types: obj | orNull, Closed: true, Description: "Change Password page customization.", Members: []schema.Property{
		{Name: "enabled", Types: boolean, Description: "Whether to use the custom change password HTML (true) or the default Auth0 page (false). Default is to use the Auth0 page."},
		{Name: "html", Types: str, Description: "Custom change password HTML (<a href='https://github.com/Shopify/liquid/wiki/Liquid-for-Designers'>Liquid syntax</a> supported)."},
	}},
	{Name: "device_flow", Types: obj | orNull, Closed: true, Description: "Device Flow configuration.", Members: []schema.Property{
		{Name: "charset", Types: str, Enum: []string{"base20", "digits"}, Description: "Character set used to generate a User Code. Can be `base20` or `digits`."},
		{Name: "mask", Types: str, Max: 20, Description: "Mask used to format a generated User Code into a friendly, readable format."},
	}},
	{Name: "guardian_mfa_page", Types: obj | orNull, Closed: true, Description: "Guardian page customization.", Members: []schema.Property{
		{Name: "enabled", Types: boolean, Description: "Whether to use the custom Guardian HTML (true) or the default Auth0 page (false, default)"},
		{Name: "html", Types: str, Description: "Custom Guardian HTML (<a href='https://github.com/Shopify/liquid/wiki/Liquid-for-Designers'>Liquid syntax</a> is supported)."},
	}},
	{Name: "default_audience", Types: str, Max: maxText, Description: "Default audience for API Authorization."},
	{Name: "default_directory", Types: str, Max: maxText, Description: "Name of connection used for password grants at the `/token` endpoint. The following connection types are supported: LDAP, AD, Database Connections, Passwordless, Windows Azure Active Directory, ADFS."},
	{Name: "error_page", Types: obj | orNull, Closed: true, Description: "Error page customization.", Members: []schema.Property{
		{Name: "html", Types: str, Description: "Custom Error HTML (<a href='https://github.com/Shopify/liquid/wiki/Liquid-for-Designers'>Liquid syntax</a> is supported)."},
		{Name: "show_log_link", Types: boolean, Description: "Whether to show the link to log as part of the default error page (true, default) or not to show the link (false)."},
		{Name: "url", Types: str, Format: schema.FormatURIOrEmpty, Description: "URL to redirect to when an error occurs instead of showing the default error page."},
	}},
	{Name: "default_token_quota", Types: obj | orNull, Closed: true, Min: 1, Description: "Token Quota configuration, to configure quotas for token issuance for clients and organizations. Applied to all clients and organizations unless overridden in individual client or organization settings.", Members: []schema.Property{
		{Name: "clients", Types: obj, Required: []string{"client_credentials"}, Members: []schema.Property{
			{Name: "client_credentials", Types: obj, Closed: true, Min: 1, Description: "The token quota configuration", Members: []schema.Property{
				{Name: "enforce", Types: boolean, Description: "If enabled, the quota will be enforced and requests in excess of the quota will fail. If disabled, the quota will not be enforced, but notifications for requests exceeding the quota will be available in logs."},
				{Name: "per_day", Types: integer, Min: 1, Max: 2147483647, Description: "Maximum number of issued tokens per day"},
				{Name: "per_hour", Types: integer, Min: 1, Max: 2147483647, Description: "Maximum number of issued tokens per hour"},
			}},
		}},
		{Name: "organizations", Types: obj, Required: []string{"client_credentials"}, Members: []schema.Property{
			{Name: "client_credentials", Types: obj, Closed: true, Min: 1, Description: "The token quota configuration", Members: []schema.Property{
				{Name: "enforce", Types: boolean, Description: "If enabled, the quota will be enforced and requests in excess of the quota will fail. If disabled, the quota will not be enforced, but notifications for requests exceeding the quota will be available in logs."},
				{Name: "per_day", Types: integer, Min: 1, Max: 2147483647, Description: "Maximum number of issued tokens per day"},
				{Name: "per_hour", Types: integer, Min: 1, Max: 2147483647, Description: "Maximum number of issued tokens per hour"},
			}},
		}},
	}},
	{Name: "flags", Types: obj, Closed: true, Description: "Flags used to change the behavior of this tenant.", Members: []schema.Property{
		{Name: "change_pwd_flow_v1", Types: boolean, Description: "Whether to use the older v1 change password flow (true, not recommended except for backward compatibility) or the newer safer flow (false, recommended)."},
		{Name: "enable_apis_section", Types: boolean, Description: "Whether the APIs section is enabled (true) or disabled (false)."},
		{Name: "disable_impersonation", Types: boolean, Description: "Whether the impersonation functionality has been disabled (true) or not (false). Read-only."},
		{Name: "enable_client_connections", Types: boolean, Description: "Whether all current connections should be enabled when a new client (application) is created (true, default) or not (false)."},
		{Name: "enable_pipeline2", Types: boolean, Description: "Whether advanced API Authorization scenarios are enabled (true) or disabled (false)."},
		{Name: "allow_legacy_delegation_grant_types", Types: boolean, Description: "If enabled, clients are able to add legacy delegation grants."},
		{Name: "allow_legacy_ro_grant_types", Types: boolean, Description: "If enabled, clients are able to add legacy RO grants."},
		{Name: "allow_legacy_tokeninfo_endpoint", Types: boolean, Description: "Whether the legacy `/tokeninfo` endpoint is enabled for your account (true) or unavailable (false)."},
		{Name: "enable_legacy_profile", Types: boolean, Description: "Whether ID tokens and the userinfo endpoint includes a complete user profile (true) or only OpenID Connect claims (false)."},
		{Name: "enable_idtoken_api2", Types: boolean, Description: "Whether ID tokens can be used to authorize some types of requests to API v2 (true) not not (false)."},
		{Name: "enable_public_signup_user_exists_error", Types: boolean, Description: "Whether the public sign up process shows a user_exists error (true) or a generic error (false) if the user already exists."},
		{Name: "enable_sso", Types: boolean, Description: "Whether users are prompted to confirm log in before SSO redirection (false) or are not prompted (true)."},
		{Name: "allow_changing_enable_sso", Types: boolean, Description: "Whether the `enable_sso` setting can be changed (true) or not (false)."},
		{Name: "disable_clickjack_protection_headers", Types: boolean, Description: "Whether classic Universal Login prompts include additional security headers to prevent clickjacking (true) or no safeguard (false)."},
		{Name: "no_disclose_enterprise_connections", Types: boolean, Description: "Do not Publish Enterprise Connections Information with IdP domains on the lock configuration file."},
		{Name: "enforce_client_authentication_on_passwordless_start", Types: boolean, Description: "Enforce client authentication for passwordless start."},
		{Name: "enable_adfs_waad_email_verification", Types: boolean, Description: "Enables the email verification flow during login for Azure AD and ADFS connections"},
		{Name: "revoke_refresh_token_grant", Types: boolean, Description: "Delete underlying grant when a Refresh Token is revoked via the Authentication API."},
		{Name: "dashboard_log_streams_next", Types: boolean, Description: "Enables beta access to log streaming changes"},
		{Name: "dashboard_insights_view", Types: boolean, Description: "Enables new insights activity page view"},
		{Name: "disable_fields_map_fix", Types: boolean, Description: "Disables SAML fields map fix for bad mappings with repeated attributes"},
		{Name: "mfa_show_factor_list_on_enrollment", Types: boolean, Description: "Used to allow users to pick what factor to enroll of the available MFA factors."},
		{Name: "remove_alg_from_jwks", Types: boolean, Description: "Removes alg property from jwks .well-known endpoint"},
		{Name: "improved_signup_bot_detection_in_classic", Types: boolean, Description: "Improves bot detection during signup in classic universal login"},
		{Name: "genai_trial", Types: boolean, Description: "This tenant signed up for the Auth4GenAI trail"},
		{Name: "enable_dynamic_client_registration", Types: boolean, Description: `Whether third-party developers can <a href="https://auth0.com/docs/api-auth/dynamic-client-registration">dynamically register</a> applications for your APIs (true) or not (false). This flag enables dynamic client registration.`},
		{Name: "disable_management_api_sms_obfuscation", Types: boolean, Description: "If true, SMS phone numbers will not be obfuscated in Management API GET calls."},
		{Name: "trust_azure_adfs_email_verified_connection_property", Types: boolean, Description: "Changes email_verified behavior for Azure AD/ADFS connections when enabled. Sets email_verified to false otherwise."},
		{Name: "custom_domains_provisioning", Types: boolean, Description: "If true, custom domains feature will be enabled for tenant."},
		// Not in the contract's body, but in its answers, which are sent back.
		{Name: "universal_login", Types: boolean},
		{Name: "new_universal_login_experience_enabled", Types: boolean},
		{Name: "use_scope_descriptions_for_consent", Types: boolean, Description: "Whether the consent page shows the descriptions of scopes (true) or their names (false)."},
		{Name: S256Flag, Types: boolean, Description: "Whether public clients have to use PKCE with S256 (true) or may go without (false)."},
	}},
	{Name: "friendly_name", Types: str, Max: maxText, Description: "Friendly name for this tenant."},
	{Name: "picture_url", Types: str, Format: schema.FormatURIOrEmpty, Description: "URL of logo to be shown for this tenant (recommended size: 150x150)"},
	{Name: "support_email", Types: str, Format: schema.FormatEmailOrEmpty, Description: "End-user support email."},
	{Name: "support_url", Types: str, Format: schema.FormatURIOrEmpty, Description: "End-user support url."},
	{Name: "allowed_logout_urls", Types: arr, Description: "URLs that are valid to redirect to after logout from Auth0.", Items: &schema.Property{Types: str, Max: maxText}},
	{Name: "session_lifetime", Types: integer, Min: 1, Max: maxHours, Description: "Number of hours a session will stay valid."},
	{Name: "session_lifetime_in_minutes", Types: integer, Min: 1, Max: maxMinutes, Description: "Number of minutes a session will stay valid. Cannot be specified together with `session_lifetime`."},
	{Name: "idle_session_lifetime", Types: integer, Min: 1, Max: maxHours, Description: "Number of hours for which a session can be inactive before the user must log in again."},
	{Name: "idle_session_lifetime_in_minutes", Types: integer, Min: 1, Max: maxMinutes, Description: "Number of minutes a session can be inactive before the user must log in again. Cannot be specified together with `idle_session_lifetime`."},
	{Name: "ephemeral_session_lifetime", Types: integer, Min: 1, Max: maxHours, Description: "Number of hours an ephemeral (non-persistent) session will stay valid."},
	{Name: "idle_ephemeral_session_lifetime", Types: integer, Min: 1, Max: maxHours, Description: "Number of hours for which an ephemeral (non-persistent) session can be inactive before the user must log in again."},
	{Name: "ephemeral_session_lifetime_in_minutes", Types: integer, Min: 1, Max: maxMinutes, Description: "Number of minutes an ephemeral (non-persistent) session will stay valid. Cannot be specified together with `ephemeral_session_lifetime`."},
	{Name: "idle_ephemeral_session_lifetime_in_minutes", Types: integer, Min: 1, Max: maxMinutes, Description: "Number of minutes an ephemeral (non-persistent) session can be inactive before the user must log in again. Cannot be specified together with `idle_ephemeral_session_lifetime`."},
	{Name: "sandbox_version", Types: str, Max: 8, Description: "Selected sandbox version for the extensibility environment"},
	{Name: "legacy_sandbox_version", Types: str, Max: 8, Description: "Selected legacy sandbox version for the extensibility environment"},
	{Name: "default_redirection_uri", Types: str, Format: schema.FormatHTTPSOrEmpty, Description: "The default absolute redirection uri, must be https"},
	{Name: "enabled_locales", Types: arr, Min: 1, Description: "Supported locales for the user interface", Items: &schema.Property{Types: str, Enum: Languages}},
	{Name: "security_headers", Types: obj | orNull, Closed: true, Description: "Security headers configuration for tenant responses.", Members: []schema.Property{
		{Name: "content_security_policy", Types: obj | orNull, Closed: true, Description: "Content Security Policy configuration with multi-policy support.", Members: []schema.Property{
			{Name: "enabled", Types: boolean, Description: "Whether CSP is enabled."},
			{Name: "policies", Types: arr, Description: "Array of CSP policies (enforcing and/or reporting).", Items: &schema.Property{Types: obj, Closed: true, Description: "A single CSP policy with mode, directives, flags, and optional reporting.", Members: []schema.Property{
				{Name: "mode", Types: str, Enum: []string{"enforcing", "reporting"}, Description: "Policy mode: enforcing or reporting."},
				{Name: "directives", Types: obj, Max: 30, Description: "CSP directives map. Keys are directive names, values are arrays of directive values."},
				{Name: "flags", Types: arr, Description: "CSP flags (bare directives without values).", Items: &schema.Property{Types: str, Enum: []string{"upgrade-insecure-requests", "block-all-mixed-content"}}},
				{Name: "reporting", Types: obj | orNull, Closed: true, Description: "Per-policy reporting configuration.", Members: []schema.Property{
					{Name: "report_uri", Types: str, Max: maxText, Description: "HTTPS endpoint for CSP violation reports."},
					{Name: "report_to_group", Types: str, Max: maxText, Description: "Report-To group name for modern reporting."},
				}},
			}}},
			{Name: "reporting_infrastructure", Types: obj | orNull, Closed: true, Description: "Global reporting infrastructure configuration.", Members: []schema.Property{
				{Name: "report_to", Types: obj | orNull, Closed: true, Description: "Report-To header configuration.", Members: []schema.Property{
					{Name: "group", Types: str, Max: maxText, Description: "Reporting group identifier."},
					{Name: "max_age", Types: integer, Description: "Maximum age in seconds for the Report-To header."},
					{Name: "endpoints", Types: arr, Description: "Array of reporting endpoints.", Items: &schema.Property{Types: obj, Closed: true, Description: "A single reporting endpoint.", Members: []schema.Property{
						{Name: "url", Types: str, Max: maxText, Description: "HTTPS URL for the reporting endpoint."},
					}}},
				}},
				{Name: "reporting_endpoints", Types: obj, Description: "Reporting-Endpoints header configuration (key-value pairs)."},
			}},
		}},
		{Name: "x_xss_protection", Types: obj | orNull, Closed: true, Description: "X-XSS-Protection header configuration (deprecated header, use CSP instead).", Members: []schema.Property{
			{Name: "enabled", Types: boolean, Description: "Whether X-XSS-Protection header is enabled."},
			{Name: "mode", Types: str, Enum: []string{"block"}, Description: "X-XSS-Protection mode: block."},
			{Name: "report_uri", Types: str, Max: maxText, Description: "HTTPS endpoint for X-XSS-Protection violation reports."},
		}},
	}},
	{Name: "session_cookie", Types: obj | orNull, Closed: true, Required: []string{"mode"}, Description: "Session cookie configuration", Members: []schema.Property{
		{Name: "mode", Types: str, Enum: []string{"persistent", "non-persistent"}, Description: "Behavior of the session cookie"},
	}},
	{Name: "sessions", Types: obj | orNull, Closed: true, Description: "Sessions related settings for tenant", Members: []schema.Property{
		{Name: "oidc_logout_prompt_enabled", Types: boolean, Description: "Whether to bypass prompting logic (false) when performing OIDC Logout"},
	}},
	{Name: "oidc_logout", Types: obj, Closed: true, Description: "Settings related to OIDC RP-initiated Logout", Members: []schema.Property{
		{Name: "rp_logout_end_session_endpoint_discovery", Types: boolean, Description: "Enable the end_session_endpoint URL in the .well-known discovery configuration"},
	}},
	{Name: "customize_mfa_in_postlogin_action", Types: boolean | orNull, Description: "Whether to enable flexible factors for MFA in the PostLogin action"},
	{Name: "allow_organization_name_in_authentication_api", Types: boolean | orNull, Description: "Whether to accept an organization name instead of an ID on auth endpoints"},
	{Name: "acr_values_supported", Types: arr | orNull, Description: "Supported ACR values", Items: &schema.Property{Types: str, Format: schema.FormatACR}},
	{Name: "universal_login", Types: obj | orNull, Closed: true, Description: "Configuration of the login experience.", Members: []schema.Property{
		{Name: "passwordless", Types: obj | orNull, Closed: true, Members: []schema.Property{
			{Name: "allow_magiclink_verify_without_session", Types: boolean, Description: "Whether a magic link may be followed in another browser (true) or only in the one that asked for it (false)."},
		}},
	}},
	{Name: "mtls", Types: obj | orNull, Closed: true, Description: "mTLS configuration.", Members: []schema.Property{
		{Name: "enable_endpoint_aliases", Types: boolean, Description: "If true, enables mTLS endpoint aliases"},
	}},
	{Name: "pushed_authorization_requests_supported", Types: boolean | orNull, Description: "Enables the use of Pushed Authorization Requests"},
	{Name: "authorization_response_iss_parameter_supported", Types: boolean | orNull, Description: "Supports iss parameter in authorization responses"},
	{Name: "skip_non_verifiable_callback_uri_confirmation_prompt", Types: boolean | orNull, Description: "Controls whether a confirmation prompt is shown during login flows when the redirect URI uses non-verifiable callback URIs (for example, a custom URI schema such as `myapp://`, or `localhost`). If set to true, a confirmation prompt will not be shown. We recommend that this is set to false for improved protection from malicious apps. See https://auth0.com/docs/secure/security-guidance/measures-against-app-impersonation for more information."},
	{Name: "resource_parameter_profile", Types: str, Enum: []string{"audience", "compatibility"}, Description: "Profile that determines how the identity of the protected resource (i.e., API) can be specified in the OAuth endpoints when access is being requested. When set to audience (default), the audience parameter is used to specify the resource server. When set to compatibility, the audience parameter is still checked first, but if it not provided, then the resource parameter can be used to specify the resource server."},
	{Name: "client_id_metadata_document_supported", Types: boolean, Description: "Whether the authorization server supports retrieving client metadata from a client_id URL."},
	{Name: "enable_ai_guide", Types: boolean, Description: "Whether Auth0 Guide (AI-powered assistance) is enabled for this tenant."},
	{Name: "phone_consolidated_experience", Types: boolean, Description: "Whether Phone Consolidated Experience is enabled for this tenant."},
	{Name: "include_session_metadata_in_tenant_logs", Types: boolean, Description: "Whether session metadata is included in specific tenant logs (slo, oidc_backchannel_logout_failed, oidc_backchannel_logout_succeeded)."},
	{Name: "dynamic_client_registration_security_mode", Types: str, Enum: []string{"strict", "permissive"}, Description: "Sets the `third_party_security_mode` assigned to clients created via Dynamic Client Registration. `strict` applies enhanced security controls. `permissive` preserves <a href=\"https://auth0.com/docs/get-started/applications/third-party-applications/permissive-mode#dynamic-client-registration-in-permissive-mode\">pre-existing behavior</a> and is only available to tenants with prior third-party client usage."},
	{Name: "country_codes", Types: obj | orNull, Closed: true, Description: "Phone country code configuration for identifier input.", Members: []schema.Property{
		{Name: "list", Types: arr, Description: "Array of ISO 3166-1 alpha-2 country codes.", Items: &schema.Property{Types: str, Min: 2, Max: 2, Pattern: regexp.MustCompile(`^[A-Z]{2}$`)}},
		{Name: "mode", Types: str, Enum: []string{"allow", "deny"}, Description: "Whether the list is an allowlist or denylist."},
	}},
}}
