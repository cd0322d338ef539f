package tenant

import (
	"encoding/json"
	"strconv"

	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// S256Flag is the flag of ours among the tenant's flags (security.md 1.7).
const S256Flag = "require_s256_for_public_clients"

// Fresh are the tenant settings that a new installation starts with, beside the
// defaults: the stricter of what security.md 1.7 leaves to a switch.
func Fresh() json.RawMessage {
	return strictjson.Document{"flags": strictjson.Document{S256Flag: json.RawMessage("true")}.Encode()}.Encode()
}

// kind is a document that is patched member by member.
type kind struct {
	body     *schema.Property
	defaults strictjson.Document
	event    string // what its record says
	// check refuses what the schema cannot say; nil: nothing.
	check func(body strictjson.Document) error
	// settle drops from a changed document what a body took the place of; nil: nothing.
	settle func(doc, body strictjson.Document)
	// hidden are paths of members that are never shown.
	hidden [][]string
}

// kinds and what each shows where nothing was set (reference/authentication.md
// §5.4, §7.4, §7.6).
var kinds = map[Name]*kind{
	Tenant: {
		body: &settingsBody, event: "Update tenant settings", check: checkSettings, settle: settleSettings,
		defaults: raw(`{
			"change_password": {"enabled": false},
			"enabled_locales": ["en"],
			"flags": {"allow_changing_enable_sso": false, "disable_impersonation": true, "enable_sso": true, "universal_login": true,
				"revoke_refresh_token_grant": false, "disable_clickjack_protection_headers": false},
			"guardian_mfa_page": {"enabled": false},
			"idle_session_lifetime": 72,
			"session_lifetime": 168,
			"sandbox_version": "22",
			"sandbox_versions_available": ["22", "18"],
			"oidc_logout": {"rp_logout_end_session_endpoint_discovery": true},
			"resource_parameter_profile": "audience"
		}`),
	},
	Look: {body: &brandingBody, event: "Update branding settings", check: checkLook},
	Prompts: {
		body: &promptsBody, event: "Update prompt settings", check: checkPrompts,
		defaults: raw(`{"universal_login_experience": "new", "identifier_first": true, "webauthn_platform_first_factor": false}`),
	},
	Brute: {
		body: &bruteForceBody, event: "Update brute-force settings", check: checkAllowlist(&bruteForceBody),
		defaults: raw(`{"enabled": true, "shields": ["block", "user_notification"], "mode": "count_per_identifier_and_ip", "allowlist": [], "max_attempts": 10}`),
	},
	Suspicious: {
		body: &suspiciousIPBody, event: "Update suspicious IP throttling settings", check: checkAllowlist(&suspiciousIPBody),
		defaults: raw(`{"enabled": true, "shields": ["admin_notification", "block"], "allowlist": [], "stage": {
			"pre-login": {"max_attempts": 100, "rate": 864000},
			"pre-user-registration": {"max_attempts": 50, "rate": 1200},
			"pre-custom-token-exchange": {"max_attempts": 10, "rate": 600000}
		}}`),
	},
	Breached: {
		body: &breachedBody, event: "Update breached password detection settings", check: checkBreached,
		defaults: raw(`{"enabled": false, "shields": [], "admin_notification_frequency": [], "method": "standard",
			"stage": {"pre-user-registration": {"shields": []}, "pre-change-password": {"shields": []}}}`),
	},
	Bots: {
		body: &botBody, event: "Update bot detection settings", check: checkBots,
		defaults: raw(`{"bot_detection_level": "medium", "challenge_password_policy": "never", "challenge_passwordless_policy": "never",
			"challenge_password_reset_policy": "never", "allowlist": [], "monitoring_mode_enabled": false}`),
	},
	Captcha: {
		body: &captchaBody, event: "Update captcha settings",
		defaults: raw(`{"active_provider_id": "auth_challenge", "simple_captcha": {}, "auth_challenge": {"fail_open": false},
			"recaptcha_v2": {"site_key": ""}, "recaptcha_enterprise": {"site_key": "", "project_id": ""}, "hcaptcha": {"site_key": ""},
			"friendly_captcha": {"site_key": ""}, "arkose": {"site_key": "", "fail_open": false, "client_subdomain": "client-api", "verify_subdomain": "verify-api"}}`),
		hidden: [][]string{
			{"arkose", "secret"}, {"hcaptcha", "secret"}, {"friendly_captcha", "secret"},
			{"recaptcha_enterprise", "api_key"}, {"recaptcha_v2", "secret"},
		},
	},
	Phones: {
		body: &phoneBody, event: "Update phone provider protection settings", check: checkPhones,
		defaults: raw(`{"type": "none"}`),
	},
}

// shown is the document as it goes to the wire: what was set over the defaults.
func (k *kind) shown(set json.RawMessage) json.RawMessage {
	doc := strictjson.ParseDocument(set)
	out := merge(k.defaults, doc)
	for _, t := range twins {
		// A lifetime in minutes takes the place of the default in hours.
		if doc.Has(t.minutes) {
			delete(out, t.hours)
		}
	}
	return without(out, k.hidden...).Encode()
}

func invalid(format string, args ...any) error {
	return errs.New(errs.Invalid, "invalid_body", format, args...)
}

// unsupported refuses a setting that would promise a protection that nothing here gives.
func unsupported(format string, args ...any) error {
	return errs.New(errs.Invalid, "operation_not_supported", format, args...)
}

// twins are the lifetimes that can be given in hours or in minutes.
var twins = []struct{ hours, minutes string }{
	{"session_lifetime", "session_lifetime_in_minutes"},
	{"idle_session_lifetime", "idle_session_lifetime_in_minutes"},
	{"ephemeral_session_lifetime", "ephemeral_session_lifetime_in_minutes"},
	{"idle_ephemeral_session_lifetime", "idle_ephemeral_session_lifetime_in_minutes"},
}

func checkSettings(body strictjson.Document) error {
	for _, t := range twins {
		if body.Has(t.hours) && body.Has(t.minutes) {
			return invalid("%s cannot be specified together with %s.", t.minutes, t.hours)
		}
	}
	for i, u := range body.Texts("allowed_logout_urls") {
		if !client.Callable(u) {
			return schema.Error{misfit("url-with-placeholders", "allowed_logout_urls["+strconv.Itoa(i)+"]", u)}
		}
	}
	return nil
}

func settleSettings(doc, body strictjson.Document) {
	for _, t := range twins {
		if body.Has(t.hours) {
			delete(doc, t.minutes)
		}
		if body.Has(t.minutes) {
			delete(doc, t.hours)
		}
	}
}

// misfit is the violation of a format.
func misfit(format, path, value string) schema.Violation {
	if r := []rune(value); len(r) > 200 {
		value = string(r[:200])
	}
	return schema.Violation{Code: schema.InvalidFormat, Message: "Object didn't pass validation for format " + format + ": " + value, Path: path}
}

// checkLook: a gradient is an object of colors, and nothing else.
func checkLook(body strictjson.Document) error {
	gradient := body.Object("colors").Object("page_background")
	for _, name := range []string{"start", "end"} {
		if s := gradient.Text(name); gradient.Has(name) && !schema.IsColor(s) {
			return schema.Error{misfit("html-color", "colors.page_background."+name, s)}
		}
	}
	return nil
}

// checkPrompts: there is one login experience, and it does not begin with a passkey.
func checkPrompts(body strictjson.Document) error {
	if body.Text("universal_login_experience") == "classic" {
		return unsupported("The classic login experience is not available: universal_login_experience has to be new.")
	}
	if body.Flag("webauthn_platform_first_factor") {
		return unsupported("Device biometrics as the first factor are not available: webauthn_platform_first_factor cannot be true.")
	}
	return nil
}

// addresses are the alternatives of an entry of an allowlist.
var addresses = []schema.Format{schema.FormatIPv4, schema.FormatIPv4Range, schema.FormatIPv6, schema.FormatIPv6Range}

func checkAllowlist(body *schema.Property) func(strictjson.Document) error {
	description := ""
	for _, m := range body.Members {
		if m.Name == "allowlist" {
			description = m.Description
		}
	}
	return func(doc strictjson.Document) error {
		for i, entry := range doc.Texts("allowlist") {
			path := "allowlist[" + strconv.Itoa(i) + "]"
			var inner []schema.Violation
			for _, f := range addresses {
				if p := (schema.Property{Types: str, Format: f}); len(p.Check(path, quoted(entry))) > 0 {
					inner = append(inner, misfit(string(f), path, entry))
				}
			}
			if len(inner) == len(addresses) {
				return schema.Error{schema.NoneOf(path, description, inner...)}
			}
		}
		return nil
	}
}

// checkBreached: nobody here knows which passwords were stolen.
func checkBreached(body strictjson.Document) error {
	if body.Flag("enabled") {
		return unsupported("Breached password detection is not available: enabled cannot be true.")
	}
	return nil
}

// checkBots: there are no challenges.
func checkBots(body strictjson.Document) error {
	for _, name := range []string{"challenge_password_policy", "challenge_passwordless_policy", "challenge_password_reset_policy"} {
		if body.Has(name) && body.Text(name) != "never" {
			return unsupported("Bot detection is not available: %s has to be never.", name)
		}
	}
	return checkAllowlist(&botBody)(body)
}

func checkPhones(body strictjson.Document) error {
	if body.Text("type") == "exponential" {
		return errs.New(errs.Forbidden, "operation_not_supported", "Exponential backoff is not enabled for this tenant.")
	}
	return nil
}
