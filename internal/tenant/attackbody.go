package tenant

import (
	"mangrove/internal/schema"
)

// bruteForceBody is the body of PATCH /attack-protection/brute-force-protection.
var bruteForceBody = schema.Property{Types: obj, Closed: true, Members: []schema.Property{
	{Name: "enabled", Types: boolean, Description: "Whether or not brute force attack protections are active."},
	{Name: "shields", Types: arr, Description: "Action to take when a brute force protection threshold is violated. Possible values: <code>block</code>, <code>user_notification</code>.", Items: &schema.Property{Types: str, Enum: []string{"block", "user_notification"}}},
	{Name: "allowlist", Types: arr, Description: "List of trusted IP addresses that will not have attack protection enforced against them.", Items: &schema.Property{Types: str}},
	{Name: "mode", Types: str, Enum: []string{"count_per_identifier_and_ip", "count_per_identifier"}, Description: "Account Lockout: Determines whether or not IP address is used when counting failed attempts. Possible values: <code>count_per_identifier_and_ip</code>, <code>count_per_identifier</code>."},
	{Name: "max_attempts", Types: integer, Min: 1, Max: 100, Description: "Maximum number of unsuccessful attempts."},
}}

// suspiciousIPBody is the body of PATCH /attack-protection/suspicious-ip-throttling.
var suspiciousIPBody = schema.Property{Types: obj, Closed: true, Members: []schema.Property{
	{Name: "enabled", Types: boolean, Description: "Whether or not suspicious IP throttling attack protections are active."},
	{Name: "shields", Types: arr, Description: "Action to take when a suspicious IP throttling threshold is violated. Possible values: <code>block</code>, <code>admin_notification</code>.", Items: &schema.Property{Types: str, Enum: []string{"block", "admin_notification"}}},
	{Name: "allowlist", Types: arr, Description: "List of trusted IP addresses that will not have attack protection enforced against them.", Items: &schema.Property{Types: str}},
	{Name: "stage", Types: obj, Closed: true, Description: "Holds per-stage configuration options (max_attempts and rate).", Members: []schema.Property{
		{Name: "pre-login", Types: obj, Closed: true, Description: "Configuration options that apply before every login attempt.", Members: []schema.Property{
			{Name: "max_attempts", Types: integer, Min: 1, Max: 2500, Description: "Total number of attempts allowed per day."},
			{Name: "rate", Types: integer, Min: 34560, Max: 86400000, Description: "Interval of time, given in milliseconds, at which new attempts are granted."},
		}},
		{Name: "pre-user-registration", Types: obj, Closed: true, Description: "Configuration options that apply before every user registration attempt.", Members: []schema.Property{
			{Name: "max_attempts", Types: integer, Min: 1, Max: 72000, Description: "Total number of attempts allowed."},
			{Name: "rate", Types: integer, Min: 1200, Max: 86400000, Description: "Interval of time, given in milliseconds, at which new attempts are granted."},
		}},
		// Not in the contract's body, but in its answers, which are sent back.
		{Name: "pre-custom-token-exchange", Types: obj, Closed: true, Members: []schema.Property{
			{Name: "max_attempts", Types: integer, Min: 1, Max: 72000},
			{Name: "rate", Types: integer, Min: 1200, Max: 86400000},
		}},
	}},
}}

// breachedBody is the body of PATCH /attack-protection/breached-password-detection.
var breachedBody = schema.Property{Types: obj, Closed: true, Members: []schema.Property{
	{Name: "enabled", Types: boolean, Description: "Whether or not breached password detection is active."},
	{Name: "shields", Types: arr, Description: "Action to take when a breached password is detected during a login. Possible values: <code>block</code>, <code>user_notification</code>, <code>admin_notification</code>.", Items: &schema.Property{Types: str, Enum: []string{"block", "user_notification", "admin_notification"}}},
	{Name: "admin_notification_frequency", Types: arr, Description: `When "admin_notification" is enabled, determines how often email notifications are sent. Possible values: <code>immediately</code>, <code>daily</code>, <code>weekly</code>, <code>monthly</code>.`, Items: &schema.Property{Types: str, Enum: []string{"immediately", "daily", "weekly", "monthly"}}},
	{Name: "method", Types: str, Enum: []string{"standard", "enhanced"}, Description: `The subscription level for breached password detection methods. Use "enhanced" to enable Credential Guard. Possible values: <code>standard</code>, <code>enhanced</code>.`},
	{Name: "stage", Types: obj, Closed: true, Members: []schema.Property{
		{Name: "pre-user-registration", Types: obj, Closed: true, Members: []schema.Property{
			{Name: "shields", Types: arr, Description: "Action to take when a breached password is detected during a signup. Possible values: <code>block</code>, <code>admin_notification</code>.", Items: &schema.Property{Types: str, Enum: []string{"block", "admin_notification"}}},
		}},
		{Name: "pre-change-password", Types: obj, Closed: true, Members: []schema.Property{
			{Name: "shields", Types: arr, Description: "Action to take when a breached password is detected during a password reset. Possible values: <code>block</code>, <code>admin_notification</code>.", Items: &schema.Property{Types: str, Enum: []string{"block", "admin_notification"}}},
		}},
	}},
}}

// botBody is the body of PATCH /attack-protection/bot-detection.
var botBody = schema.Property{Types: obj, Closed: true, Members: []schema.Property{
	{Name: "bot_detection_level", Types: str, Enum: []string{"low", "medium", "high"}, Description: "The level of bot detection sensitivity"},
	{Name: "challenge_password_policy", Types: str, Enum: []string{"never", "when_risky", "always"}, Description: "The policy that defines how often to show CAPTCHA"},
	{Name: "challenge_passwordless_policy", Types: str, Enum: []string{"never", "when_risky", "always"}, Description: "The policy that defines how often to show CAPTCHA"},
	{Name: "challenge_password_reset_policy", Types: str, Enum: []string{"never", "when_risky", "always"}, Description: "The policy that defines how often to show CAPTCHA"},
	{Name: "allowlist", Types: arr, Description: "List of IP addresses or CIDR blocks to allowlist", Items: &schema.Property{Types: str}},
	{Name: "monitoring_mode_enabled", Types: boolean, Description: "Whether monitoring mode is enabled (logs but does not block)"},
}}

// captchaBody is the body of PATCH /attack-protection/captcha.
var captchaBody = schema.Property{Types: obj, Closed: true, Members: []schema.Property{
	{Name: "active_provider_id", Types: str, Max: 36, Enum: []string{"arkose", "auth_challenge", "friendly_captcha", "hcaptcha", "recaptcha_v2", "recaptcha_enterprise", "simple_captcha"}, Description: "The id of the active provider for the CAPTCHA."},
	{Name: "arkose", Types: obj, Closed: true, Required: []string{"site_key", "secret"}, Members: []schema.Property{
		{Name: "site_key", Types: str, Max: 100, Description: "The site key for the Arkose captcha provider."},
		{Name: "secret", Types: str, Max: 100, Description: "The secret key for the Arkose captcha provider."},
		{Name: "client_subdomain", Types: str, Max: 100, Description: "The subdomain used for client requests to the Arkose captcha provider."},
		{Name: "verify_subdomain", Types: str, Max: 100, Description: "The subdomain used for server-side verification requests to the Arkose captcha provider."},
		{Name: "fail_open", Types: boolean, Description: "Whether the captcha should fail open."},
	}},
	{Name: "auth_challenge", Types: obj, Closed: true, Required: []string{"fail_open"}, Members: []schema.Property{
		{Name: "fail_open", Types: boolean, Description: "Whether the auth challenge should fail open."},
	}},
	{Name: "hcaptcha", Types: obj, Closed: true, Required: []string{"site_key", "secret"}, Members: []schema.Property{
		{Name: "site_key", Types: str, Max: 100, Description: "The site key for the hCaptcha provider."},
		{Name: "secret", Types: str, Max: 100, Description: "The secret key for the hCaptcha provider."},
	}},
	{Name: "friendly_captcha", Types: obj, Closed: true, Required: []string{"site_key", "secret"}, Members: []schema.Property{
		{Name: "site_key", Types: str, Max: 100, Description: "The site key for the Friendly Captcha provider."},
		{Name: "secret", Types: str, Max: 100, Description: "The secret key for the Friendly Captcha provider."},
	}},
	{Name: "recaptcha_enterprise", Types: obj, Closed: true, Required: []string{"site_key", "api_key", "project_id"}, Members: []schema.Property{
		{Name: "site_key", Types: str, Max: 100, Description: "The site key for the reCAPTCHA Enterprise provider."},
		{Name: "api_key", Types: str, Max: 100, Description: "The API key for the reCAPTCHA Enterprise provider."},
		{Name: "project_id", Types: str, Max: 100, Description: "The project ID for the reCAPTCHA Enterprise provider."},
	}},
	{Name: "recaptcha_v2", Types: obj, Closed: true, Required: []string{"site_key", "secret"}, Members: []schema.Property{
		{Name: "site_key", Types: str, Max: 100, Description: "The site key for the reCAPTCHA v2 provider."},
		{Name: "secret", Types: str, Max: 100, Description: "The secret key for the reCAPTCHA v2 provider."},
	}},
	{Name: "simple_captcha", Types: obj},
}}

// phoneBody is the body of PATCH /attack-protection/phone-provider-protection.
var phoneBody = schema.Property{Types: obj, Closed: true, Required: []string{"type"}, Members: []schema.Property{
	{Name: "type", Types: str, Enum: []string{"exponential", "none"}, Description: "The type of backoff strategy to use."},
}}
