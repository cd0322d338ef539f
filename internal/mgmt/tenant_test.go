package mgmt

import (
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/tenant"
)

func TestTenantStory(t *testing.T) {
	const all = "read:tenant_settings update:tenant_settings"
	onEngines(t, func(t *testing.T, w *world) {
		w.story(t, []step{
			{name: "fresh", scopes: all, method: "GET", path: "/tenants/settings", status: 200, has: []string{`"session_lifetime":168`, `"sandbox_versions_available":["22","18"]`}, hasNot: []string{"friendly_name"}},
			{name: "patch", scopes: all, method: "PATCH", path: "/tenants/settings", body: `{"friendly_name":"Acme","flags":{"enable_legacy_profile":true}}`, status: 200,
				has: []string{`"friendly_name":"Acme"`, `"enable_legacy_profile":true`, `"enable_sso":true`, `"idle_session_lifetime":72`}},
			{name: "only a field", scopes: all, method: "GET", path: "/tenants/settings?fields=friendly_name", status: 200, has: []string{`{"friendly_name":"Acme"}`}},
			{name: "all but a field", scopes: all, method: "GET", path: "/tenants/settings?fields=flags&include_fields=false", status: 200, has: []string{"Acme"}, hasNot: []string{"flags"}},
			{name: "a script", scopes: all, method: "PATCH", path: "/tenants/settings", body: `{"picture_url":"javascript:alert(1)"}`, status: 400,
				has: []string{`"errorCode":"invalid_body"`, "Payload validation error: 'Object didn't pass validation for format absolute-uri-or-empty: javascript:alert(1)' on property picture_url (URL of logo to be shown for this tenant (recommended size: 150x150))."}},
			{name: "unknown", scopes: all, method: "PATCH", path: "/tenants/settings", body: `{"foo":1}`, status: 400, has: []string{"Additional properties not allowed: foo"}},
			{name: "twice", scopes: all, method: "PATCH", path: "/tenants/settings", body: `{"friendly_name":"a","friendly_name":"b"}`, status: 400, has: []string{"invalid_body"}},
			{name: "reading is not writing", scopes: "read:tenant_settings", method: "PATCH", path: "/tenants/settings", body: `{"friendly_name":"x"}`, status: 403, has: []string{"expected any of: update:tenant_settings"}},
			{name: "unset", scopes: all, method: "PATCH", path: "/tenants/settings", body: `{"session_cookie":null,"friendly_name":"B"}`, status: 200, has: []string{`"friendly_name":"B"`}},
		})
		s, err := w.store.Settings(t.Context())
		if err != nil || s.FriendlyName != "B" || !s.LegacyProfile || s.PictureURL != "" {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func TestBrandingStory(t *testing.T) {
	const all = "read:branding update:branding delete:branding"
	theme := `{"borders":{"button_border_radius":3,"button_border_weight":1,"buttons_style":"rounded","input_border_radius":3,"input_border_weight":1,"inputs_style":"rounded","show_widget_shadow":true,"widget_border_weight":0,"widget_corner_radius":5},` +
		`"colors":{"body_text":"#1e212a","error":"#d03c38","header":"#1e212a","icons":"#65676e","input_background":"#ffffff","input_border":"#c9cace","input_filled_text":"#000000","input_labels_placeholders":"#65676e","links_focused_components":"#635dff","primary_button":"#635dff","primary_button_label":"#ffffff","secondary_button_border":"#c9cace","secondary_button_label":"#1e212a","success":"#13a688","widget_background":"#ffffff","widget_border":"#c9cace"},` +
		`"fonts":{"body_text":{"bold":false,"size":87.5},"buttons_text":{"bold":false,"size":100},"font_url":"","input_labels":{"bold":false,"size":100},"links":{"bold":true,"size":87.5},"links_style":"normal","reference_text_size":16,"subtitle":{"bold":false,"size":87.5},"title":{"bold":false,"size":150}},` +
		`"page_background":{"background_color":"#000000","background_image_url":"","page_layout":"center"},"widget":{"header_text_alignment":"center","logo_height":52,"logo_position":"center","logo_url":"","social_buttons_layout":"bottom"}}`
	const template = `"<html>{%- auth0:head -%}{%- auth0:widget -%}</html>"`
	onEngines(t, func(t *testing.T, w *world) {
		w.story(t, []step{
			{name: "fresh", scopes: all, method: "GET", path: "/branding", status: 200, has: []string{"{}"}},
			{name: "patch", scopes: all, method: "PATCH", path: "/branding", body: `{"colors":{"primary":"#123456"},"logo_url":"https://x.example/l.png"}`, status: 200, has: []string{`"primary":"#123456"`}},
			{name: "style as a color", scopes: all, method: "PATCH", path: "/branding", body: `{"colors":{"primary":"red"}}`, status: 400, has: []string{"html-color-or-null: red' on property colors.primary (Accent color)."}},
			{name: "kept", scopes: all, method: "GET", path: "/branding", status: 200, has: []string{`"colors":{"primary":"#123456"}`, "l.png"}},

			{name: "no theme", scopes: all, method: "GET", path: "/branding/themes/default", status: 404, has: []string{`"errorCode":"theme_not_found"`, "There was an error retrieving branding settings: invalid theme ID"}},
			{name: "theme", scopes: all, method: "POST", path: "/branding/themes", body: theme, status: 200, has: []string{`"displayName":"Unnamed Theme"`}, keep: "themeId", as: "theme"},
			{name: "second theme", scopes: all, method: "POST", path: "/branding/themes", body: theme, status: 409, has: []string{"The theme already exists"}},
			{name: "default theme", scopes: all, method: "GET", path: "/branding/themes/default", status: 200, has: []string{`"themeId":"$theme"`}},
			{name: "the theme", scopes: all, method: "GET", path: "/branding/themes/$theme", status: 200, has: []string{`"themeId":"$theme"`}},
			{name: "patched theme", scopes: all, method: "PATCH", path: "/branding/themes/$theme", body: strings.Replace(theme, "#1e212a", "#abcabc", 1), status: 200, has: []string{"#abcabc", "$theme"}},
			{name: "another theme", scopes: all, method: "DELETE", path: "/branding/themes/x", status: 404, has: []string{"error deleting branding settings"}},
			{name: "no theme again", scopes: all, method: "DELETE", path: "/branding/themes/$theme", status: 204},

			{name: "no template", scopes: all, method: "GET", path: "/branding/templates/universal-login", status: 404, has: []string{`"errorCode":"inexistent_templates_universal_login"`, "Template does not exist."}},
			{name: "template without its blocks", scopes: all, method: "PUT", path: "/branding/templates/universal-login", body: `"<html>"`, status: 400, has: []string{"auth0:head"}},
			{name: "template", scopes: all, method: "PUT", path: "/branding/templates/universal-login", body: template, status: 201},
			{name: "template as an object", scopes: all, method: "PUT", path: "/branding/templates/universal-login", body: `{"template":` + template + `}`, status: 204},
			{name: "template of another kind", scopes: all, method: "PUT", path: "/branding/templates/universal-login", body: `[]`, status: 400, has: []string{"invalid_body"}},
			{name: "the template", scopes: all, method: "GET", path: "/branding/templates/universal-login", status: 200, has: []string{`{"body":`, "auth0:widget"}},
			{name: "no template again", scopes: all, method: "DELETE", path: "/branding/templates/universal-login", status: 204},
			{name: "and again", scopes: all, method: "DELETE", path: "/branding/templates/universal-login", status: 204},
			{name: "phone providers", scopes: "read:phone_providers", method: "GET", path: "/branding/phone/providers", status: 200, has: []string{`{"providers":[]}`}},
			{name: "phone templates", scopes: "read:phone_templates", method: "GET", path: "/branding/phone/templates", status: 200, has: []string{`{"templates":[]}`}},
		})
	})
}

func TestPromptStory(t *testing.T) {
	const all = "read:prompts update:prompts"
	onEngines(t, func(t *testing.T, w *world) {
		w.story(t, []step{
			{name: "fresh", scopes: all, method: "GET", path: "/prompts", status: 200, has: []string{`"identifier_first":true`, `"universal_login_experience":"new"`, `"webauthn_platform_first_factor":false`}},
			{name: "patch", scopes: all, method: "PATCH", path: "/prompts", body: `{"identifier_first":false}`, status: 200, has: []string{`"identifier_first":false`}},
			{name: "classic", scopes: all, method: "PATCH", path: "/prompts", body: `{"universal_login_experience":"classic"}`, status: 400, has: []string{"operation_not_supported"}},
			{name: "no texts", scopes: all, method: "GET", path: "/prompts/login/custom-text/de", status: 200, has: []string{"{}"}},
			{name: "texts", scopes: all, method: "PUT", path: "/prompts/login/custom-text/de", body: `{"login":{"title":"Hallo"}}`, status: 200, has: []string{`{"login":{"title":"Hallo"}}`}},
			{name: "the texts", scopes: all, method: "GET", path: "/prompts/login/custom-text/de", status: 200, has: []string{`{"login":{"title":"Hallo"}}`}},
			{name: "of another language", scopes: all, method: "GET", path: "/prompts/login/custom-text/en", status: 200, hasNot: []string{"Hallo"}},
			{name: "no text", scopes: all, method: "PUT", path: "/prompts/login/custom-text/de", body: `{"login":{"title":1}}`, status: 400, has: []string{"on property login.title"}},
			{name: "no such prompt", scopes: all, method: "GET", path: "/prompts/x/custom-text/de", status: 400, has: []string{`"errorCode":"invalid_uri"`, "No enum match for: x' on property prompt (Name of the prompt)."}},
			{name: "no such language", scopes: all, method: "GET", path: "/prompts/login/custom-text/xx", status: 400, has: []string{"No enum match for: xx' on property language"}},
			{name: "no partials", scopes: all, method: "GET", path: "/prompts/login/partials", status: 200, has: []string{"{}"}},
			{name: "partials of nothing", scopes: all, method: "GET", path: "/prompts/logout/partials", status: 400, has: []string{"invalid_uri"}},
			{name: "setting none", scopes: all, method: "PUT", path: "/prompts/login/partials", body: `{}`, status: 200},
			{name: "setting some", scopes: all, method: "PUT", path: "/prompts/login/partials", body: `{"login":{"form-content-start":"x"}}`, status: 400, has: []string{"operation_not_supported"}},
			{name: "renderings", scopes: all, method: "GET", path: "/prompts/rendering?page=0&per_page=100&include_totals=true", status: 200, has: []string{`"configs":[]`, `"total":0`, `"limit":100`}},
		})
		texts, err := w.store.Texts(t.Context(), "login", "de")
		if err != nil || texts["login"]["title"] != "Hallo" {
			t.Errorf("%v, %v", texts, err)
		}
	})
}

func TestAttackProtectionStory(t *testing.T) {
	const all = "read:attack_protection update:attack_protection"
	onEngines(t, func(t *testing.T, w *world) {
		w.story(t, []step{
			{name: "brute force", scopes: all, method: "GET", path: "/attack-protection/brute-force-protection", status: 200, has: []string{`"max_attempts":10`}},
			{name: "stricter", scopes: all, method: "PATCH", path: "/attack-protection/brute-force-protection", body: `{"max_attempts":3}`, status: 200, has: []string{`"max_attempts":3`, `"enabled":true`}},
			{name: "too strict", scopes: all, method: "PATCH", path: "/attack-protection/brute-force-protection", body: `{"max_attempts":0}`, status: 400, has: []string{"Value 0 is less than minimum 1' on property max_attempts (Maximum number of unsuccessful attempts)."}},
			{name: "throttling", scopes: all, method: "PATCH", path: "/attack-protection/suspicious-ip-throttling", body: `{"stage":{"pre-login":{"max_attempts":7,"rate":86400000}}}`, status: 200, has: []string{`"pre-login":{"max_attempts":7,"rate":86400000}`, `"pre-user-registration":{"max_attempts":50,"rate":1200}`}},
			{name: "breached", scopes: all, method: "PATCH", path: "/attack-protection/breached-password-detection", body: `{"enabled":true}`, status: 400, has: []string{"operation_not_supported"}},
			{name: "bots", scopes: all, method: "GET", path: "/attack-protection/bot-detection", status: 200, has: []string{`"bot_detection_level":"medium"`}},
			{name: "captcha", scopes: all, method: "PATCH", path: "/attack-protection/captcha", body: `{"recaptcha_v2":{"site_key":"site","secret":"canary"}}`, status: 200, has: []string{`"site_key":"site"`}, hasNot: []string{"canary"}},
			{name: "the captcha", scopes: all, method: "GET", path: "/attack-protection/captcha", status: 200, has: []string{`"active_provider_id":"auth_challenge"`}, hasNot: []string{"canary"}},
			{name: "phones", scopes: all, method: "GET", path: "/attack-protection/phone-provider-protection", status: 200, has: []string{`{"type":"none"}`}},
			{name: "risks", scopes: all, method: "GET", path: "/risk-assessments/settings", status: 200, has: []string{`{"enabled":false}`}},
			{name: "new devices", scopes: all, method: "GET", path: "/risk-assessments/settings/new-device", status: 200, has: []string{`{"remember_for":30}`}},
		})
		s, err := w.store.Settings(t.Context())
		if err != nil || s.BruteForce.MaxAttempts != 3 || s.SuspiciousIP.Login != (tenant.Stage{MaxAttempts: 7, Rate: 86400000}) {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func TestGuardianStory(t *testing.T) {
	const all = "read:guardian_factors update:guardian_factors read:mfa_policies update:mfa_policies"
	onEngines(t, func(t *testing.T, w *world) {
		w.story(t, []step{
			{name: "factors", scopes: all, method: "GET", path: "/guardian/factors", status: 200,
				has: []string{`[{"name":"sms","enabled":false,"trial_expired":false},{"name":"push-notification",`, `"otp"`, `"recovery-code"`}, hasNot: []string{`"enabled":true`}},
			{name: "one on", scopes: all, method: "PUT", path: "/guardian/factors/otp", body: `{"enabled":true}`, status: 200, has: []string{`{"enabled":true}`}},
			{name: "is on", scopes: all, method: "GET", path: "/guardian/factors", status: 200, has: []string{`{"name":"otp","enabled":true,"trial_expired":false}`}},
			{name: "duo", scopes: all, method: "PUT", path: "/guardian/factors/duo", body: `{"enabled":true}`, status: 400, has: []string{"operation_not_supported"}},
			{name: "none such", scopes: all, method: "PUT", path: "/guardian/factors/x", body: `{"enabled":true}`, status: 404, has: []string{"Not Found"}},
			{name: "no policies", scopes: all, method: "GET", path: "/guardian/policies", status: 200, has: []string{"[]"}},
			{name: "always", scopes: all, method: "PUT", path: "/guardian/policies", body: `["all-applications"]`, status: 200, has: []string{`["all-applications"]`}},
			{name: "adaptive", scopes: all, method: "PUT", path: "/guardian/policies", body: `["confidence-score"]`, status: 400, has: []string{"operation_not_supported"}},
			{name: "policies", scopes: all, method: "GET", path: "/guardian/policies", status: 200, has: []string{`["all-applications"]`}},
			{name: "sns", scopes: all, method: "GET", path: "/guardian/factors/push-notification/providers/sns", status: 200, has: []string{"{}"}},
			{name: "twilio", scopes: all, method: "GET", path: "/guardian/factors/sms/providers/twilio", status: 200, has: []string{"{}"}},
			{name: "phone provider", scopes: all, method: "GET", path: "/guardian/factors/phone/selected-provider", status: 200, has: []string{`{"provider":"auth0"}`}},
			{name: "actions", scopes: "read:actions", method: "GET", path: "/actions/actions?page=0&per_page=100", status: 200, has: []string{`"actions":[]`}},
			{name: "phone messages", scopes: all, method: "GET", path: "/guardian/factors/phone/message-types", status: 200, has: []string{`{"message_types":[]}`}},
		})
		s, err := w.store.Settings(t.Context())
		if err != nil || !s.MFA.OTP || !s.MFA.Always || s.MFA.SMS {
			t.Errorf("%+v, %v", s, err)
		}
		records, err := w.store.Events(t.Context(), audit.Span{Limit: 100})
		must(t, err)
		changed := 0
		for _, e := range records {
			if e.Type == audit.FactorsChanged && e.ClientID == machineID {
				changed++
			}
		}
		if changed != 2 {
			t.Errorf("%d records", changed)
		}
	})
}
