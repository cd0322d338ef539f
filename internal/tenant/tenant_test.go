package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// shelf is a Store in memory, for the rules alone: the real one is tested in
// storetest. It runs each change twice, as a store may.
type shelf struct {
	docs   Documents
	events []audit.Event
}

func (s *shelf) TenantDocument(_ context.Context, name Name) (json.RawMessage, error) {
	return s.docs[name], nil
}

func (s *shelf) UpdateTenantDocument(_ context.Context, name Name, fn func(json.RawMessage) (json.RawMessage, error), e audit.Event) (json.RawMessage, error) {
	if _, err := fn(s.docs[name]); err != nil {
		return nil, err
	}
	doc, err := fn(s.docs[name])
	if err != nil {
		return nil, err
	}
	if doc == nil {
		delete(s.docs, name)
	} else {
		s.docs[name] = doc
	}
	s.events = append(s.events, e)
	return doc, nil
}

func newService() (*Service, *shelf) {
	s := &shelf{docs: Documents{}}
	return &Service{Store: s, Now: func() time.Time { return time.UnixMicro(7) }}, s
}

func members(t *testing.T, body string) []strictjson.Member {
	t.Helper()
	m, err := strictjson.Object([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// text is what a caller reads of an error; empty: none.
func text(err error) string {
	var v schema.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &v):
		return v.Error()
	}
	return errs.From(err).Text
}

func canonical(t *testing.T, raw []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The recorded answers of an installation where nothing was set.
func TestDefaults(t *testing.T) {
	s, _ := newService()
	for name, want := range map[Name]string{
		Tenant: `{"change_password":{"enabled":false},"enabled_locales":["en"],
			"flags":{"allow_changing_enable_sso":false,"disable_impersonation":true,"enable_sso":true,"universal_login":true,"revoke_refresh_token_grant":false,"disable_clickjack_protection_headers":false},
			"guardian_mfa_page":{"enabled":false},"idle_session_lifetime":72,"session_lifetime":168,"sandbox_version":"22","sandbox_versions_available":["22","18"],
			"oidc_logout":{"rp_logout_end_session_endpoint_discovery":true},"resource_parameter_profile":"audience"}`,
		Look:    `{}`,
		Prompts: `{"universal_login_experience":"new","identifier_first":true,"webauthn_platform_first_factor":false}`,
		Brute:   `{"enabled":true,"shields":["block","user_notification"],"mode":"count_per_identifier_and_ip","allowlist":[],"max_attempts":10}`,
		Suspicious: `{"enabled":true,"shields":["admin_notification","block"],"allowlist":[],"stage":{"pre-login":{"max_attempts":100,"rate":864000},
			"pre-user-registration":{"max_attempts":50,"rate":1200},"pre-custom-token-exchange":{"max_attempts":10,"rate":600000}}}`,
		Breached: `{"enabled":false,"shields":[],"admin_notification_frequency":[],"method":"standard","stage":{"pre-user-registration":{"shields":[]},"pre-change-password":{"shields":[]}}}`,
		Bots:     `{"bot_detection_level":"medium","challenge_password_policy":"never","challenge_passwordless_policy":"never","challenge_password_reset_policy":"never","allowlist":[],"monitoring_mode_enabled":false}`,
		Phones:   `{"type":"none"}`,
	} {
		got, err := s.Show(t.Context(), name)
		if err != nil || canonical(t, got) != canonical(t, []byte(want)) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

// Each row patches one document, in order; wrong is the text of a refusal, has
// and hasNot are members of what is shown afterwards.
func TestPatch(t *testing.T) {
	s, store := newService()
	for _, row := range []struct {
		about, body, wrong string
		name               Name
		has, hasNot        string
	}{
		{"a text", `{"friendly_name":"Acme"}`, "", Tenant, `"friendly_name":"Acme"`, ""},
		{"a flag beside the others", `{"flags":{"enable_legacy_profile":true}}`, "", Tenant, `"enable_sso":true`, ""},
		{"and another", `{"flags":{"remove_alg_from_jwks":true}}`, "", Tenant, `"enable_legacy_profile":true`, ""},
		{"minutes for hours", `{"session_lifetime_in_minutes":90}`, "", Tenant, `"session_lifetime_in_minutes":90`, `"session_lifetime":`},
		{"hours for minutes", `{"session_lifetime":2}`, "", Tenant, `"session_lifetime":2`, `_in_minutes`},
		{"both", `{"session_lifetime":2,"session_lifetime_in_minutes":90}`, "session_lifetime_in_minutes cannot be specified together with session_lifetime.", Tenant, `"session_lifetime":2`, "_in_minutes"},
		{"nothing", `{}`, "Payload validation error: 'Too few properties defined (0), minimum 1'.", Tenant, "", ""},
		{"unknown", `{"foo":1}`, "Payload validation error: 'Additional properties not allowed: foo'.", Tenant, "", "foo"},
		{"unknown flag", `{"flags":{"foo":true}}`, "Payload validation error: 'Additional properties not allowed: foo' on property flags (Flags used to change the behavior of this tenant).", Tenant, "", "foo"},
		{"read only", `{"sandbox_versions_available":["1"]}`, "Additional properties not allowed: sandbox_versions_available", Tenant, "", ""},
		{"a script as a picture", `{"picture_url":"javascript:alert(1)"}`, "Object didn't pass validation for format absolute-uri-or-empty: javascript:alert(1)", Tenant, "", "javascript"},
		{"data as a picture", `{"picture_url":"data:text/html,x"}`, "absolute-uri-or-empty", Tenant, "", "data:"},
		{"no scheme", `{"support_url":"//x.example"}`, "absolute-uri-or-empty", Tenant, "", "//x"},
		{"a line break", `{"error_page":{"url":"https://x.example/\r\nSet-Cookie:a"}}`, "absolute-uri-or-empty", Tenant, "", "Cookie"},
		{"a picture", `{"picture_url":"https://x.example/a.png"}`, "", Tenant, "https://x.example/a.png", ""},
		{"no picture", `{"picture_url":""}`, "", Tenant, `"picture_url":""`, ""},
		{"a redirect without TLS", `{"default_redirection_uri":"http://x.example"}`, "absolute-https-uri-or-empty", Tenant, "", "http://x"},
		{"logout URLs", `{"allowed_logout_urls":["https://*.x.example/","com.example.app://bye"]}`, "", Tenant, `"com.example.app://bye"`, ""},
		{"a script as a logout URL", `{"allowed_logout_urls":["https://x.example","javascript:alert(1)"]}`,
			"Payload validation error: 'Object didn't pass validation for format url-with-placeholders: javascript:alert(1)' on property allowed_logout_urls[1].", Tenant, "com.example.app", "javascript"},
		{"lifetime beyond all", `{"session_lifetime":9007199254740991}`, "Value 9007199254740991 is greater than maximum 87600", Tenant, `"session_lifetime":2`, ""},
		{"lifetime of nothing", `{"idle_session_lifetime":0}`, "Value 0 is less than minimum 1", Tenant, `"idle_session_lifetime":72`, ""},
		{"a locale that does not exist", `{"enabled_locales":["en","xx"]}`, "No enum match for: xx", Tenant, `["en"]`, ""},
		{"a cookie mode", `{"session_cookie":{"mode":"non-persistent"}}`, "", Tenant, `"session_cookie":{"mode":"non-persistent"}`, ""},
		{"and none", `{"session_cookie":null}`, "", Tenant, "", "session_cookie"},
		{"our flag", `{"flags":{"require_s256_for_public_clients":true}}`, "", Tenant, `"require_s256_for_public_clients":true`, ""},
		{"an acr", `{"acr_values_supported":["urn:acme:loa:1"]}`, "", Tenant, "urn:acme:loa:1", ""},
		{"an acr with a blank", `{"acr_values_supported":["a b"]}`, "validation for format acr: a b", Tenant, "", "a b"},

		{"colors", `{"colors":{"primary":"#0a0B0c","page_background":"#fff"}}`, "", Look, `"#0a0B0c"`, ""},
		{"one of them", `{"colors":{"page_background":null}}`, "", Look, `"#0a0B0c"`, "page_background"},
		{"a gradient", `{"colors":{"page_background":{"type":"linear-gradient","start":"#FFFFFF","end":"#000000","angle_deg":35}}}`, "", Look, "linear-gradient", ""},
		{"style in a gradient", `{"colors":{"page_background":{"type":"linear-gradient","start":"red;}"}}}`, "format html-color: red;}", Look, "linear-gradient", "red"},
		{"style as a color", `{"colors":{"primary":"red;background:url(//x)"}}`, "Object didn't pass validation for format html-color-or-null", Look, `"#0a0B0c"`, "url"},
		{"a logo without TLS", `{"logo_url":"http://x.example/l.png"}`, "strict-https-uri-or-null", Look, "", "logo"},
		{"a script as a logo", `{"logo_url":"javascript:1"}`, "strict-https-uri-or-null", Look, "", "logo"},
		{"a logo too long", `{"logo_url":"https://x.example/` + strings.Repeat("x", 5000) + `"}`, "strict-https-uri-or-null", Look, "", "logo"},
		{"a logo", `{"logo_url":"https://x.example/l.png","font":{"url":"https://x.example/f.woff2"}}`, "", Look, "l.png", ""},

		{"identifier and password on one page", `{"identifier_first":false}`, "", Prompts, `"identifier_first":false`, ""},
		{"classic", `{"universal_login_experience":"classic"}`, "The classic login experience is not available", Prompts, `"new"`, ""},
		{"biometrics first", `{"webauthn_platform_first_factor":true}`, "cannot be true", Prompts, `"webauthn_platform_first_factor":false`, ""},

		{"attempts", `{"max_attempts":100,"mode":"count_per_identifier","shields":[]}`, "", Brute, `"shields":[]`, ""},
		{"too many attempts", `{"max_attempts":101}`, "Payload validation error: 'Value 101 is greater than maximum 100' on property max_attempts (Maximum number of unsuccessful attempts).", Brute, `"max_attempts":100`, ""},
		{"addresses", `{"allowlist":["203.0.113.4","10.0.0.0/8","2001:db8::1","2001:db8::/32"]}`, "", Brute, "2001:db8::/32", ""},
		{"no address", `{"allowlist":["203.0.113.4","10.0.0.0/33"]}`,
			"'None of the valid schemas were met' on property allowlist[1] (List of trusted IP addresses that will not have attack protection enforced against them). Inner errors: [ Payload validation error: 'Object didn't pass validation for format ipv4: 10.0.0.0/33'", Brute, "203.0.113.4", "10.0.0.0/33"},
		{"one stage", `{"stage":{"pre-login":{"max_attempts":5}}}`, "", Suspicious, `"pre-login":{"max_attempts":5,"rate":864000}`, ""},
		{"what was read, sent back", `{"stage":{"pre-custom-token-exchange":{"max_attempts":10,"rate":600000}}}`, "", Suspicious, `"max_attempts":5`, ""},
		{"breached passwords", `{"enabled":true}`, "Breached password detection is not available", Breached, `"enabled":false`, ""},
		{"what goes with them", `{"enabled":false,"shields":["block"]}`, "", Breached, `"shields":["block"]`, ""},
		{"challenges", `{"challenge_password_policy":"always"}`, "challenge_password_policy has to be never", Bots, `"challenge_password_policy":"never"`, "always"},
		{"a level", `{"bot_detection_level":"high","allowlist":["10.0.0.1"]}`, "", Bots, `"high"`, ""},
		{"a captcha", `{"active_provider_id":"hcaptcha","hcaptcha":{"site_key":"site","secret":"canary"}}`, "", Captcha, `"hcaptcha":{"site_key":"site"}`, "canary"},
		{"backoff", `{"type":"exponential"}`, "Exponential backoff is not enabled for this tenant.", Phones, `"none"`, ""},
	} {
		before := string(store.docs[row.name])
		events := len(store.events)
		got, err := s.Patch(t.Context(), row.name, members(t, row.body), audit.Event{ClientID: "c"})
		if (err != nil) != (row.wrong != "") || !strings.Contains(text(err), row.wrong) {
			t.Errorf("%s: %q, want %q", row.about, text(err), row.wrong)
		}
		if err != nil && (string(store.docs[row.name]) != before || len(store.events) != events) {
			t.Errorf("%s: refused, and yet changed", row.about)
		}
		if err == nil {
			e := store.events[len(store.events)-1]
			if e.Type != audit.APIOperation || e.At != 7 || e.Description == "" || e.ClientID != "c" {
				t.Errorf("%s: record %+v", row.about, e)
			}
		}
		shown, showErr := s.Show(t.Context(), row.name)
		if showErr != nil || !strings.Contains(string(shown), row.has) || row.hasNot != "" && strings.Contains(string(shown), row.hasNot) {
			t.Errorf("%s: shows %s, %v", row.about, shown, showErr)
		}
		if err == nil && string(got) != string(shown) {
			t.Errorf("%s: answers %s, shows %s", row.about, got, shown)
		}
	}
	if !strings.Contains(string(store.docs[Captcha]), "canary") {
		t.Error("the captcha's secret is not kept")
	}
}

func TestView(t *testing.T) {
	fresh := View(nil)
	want := &Settings{
		EnabledLocales: []string{"en"}, DeviceCharset: "base20", DeviceMask: "****-****", PersistentSession: true,
		SessionLifetime: 168 * hour, IdleSessionLifetime: 72 * hour, EphemeralSessionLifetime: 72 * hour, IdleEphemeralLifetime: 24 * hour,
		EndSessionInDiscovery: true, LogoutPrompt: true, IdentifierFirst: true,
		BruteForce:   BruteForce{Enabled: true, Block: true, Notify: true, MaxAttempts: 10},
		SuspiciousIP: SuspiciousIP{Enabled: true, Block: true, Notify: true, Login: Stage{100, 864000}, Signup: Stage{50, 1200}},
	}
	if !reflect.DeepEqual(fresh, want) {
		t.Errorf("got %+v\nwant %+v", fresh, want)
	}
	got := View(Documents{
		Tenant: json.RawMessage(`{"friendly_name":"Acme","picture_url":"https://x.example/p","support_email":"a@b.example","support_url":"https://x.example/s",
			"enabled_locales":["de","en"],"allowed_logout_urls":["https://x.example/bye"],"default_audience":"api","default_directory":"db",
			"default_redirection_uri":"https://x.example/d","error_page":{"url":"https://x.example/e"},"device_flow":{"charset":"digits","mask":"***"},
			"acr_values_supported":["a"],"session_cookie":{"mode":"non-persistent"},"session_lifetime_in_minutes":5,"idle_session_lifetime":1,
			"ephemeral_session_lifetime":2,"idle_ephemeral_session_lifetime_in_minutes":3,"oidc_logout":{"rp_logout_end_session_endpoint_discovery":false},
			"sessions":{"oidc_logout_prompt_enabled":false},"pushed_authorization_requests_supported":true,"authorization_response_iss_parameter_supported":true,
			"universal_login":{"passwordless":{"allow_magiclink_verify_without_session":true}},"skip_non_verifiable_callback_uri_confirmation_prompt":true,
			"customize_mfa_in_postlogin_action":true,"resource_parameter_profile":"compatibility","allow_organization_name_in_authentication_api":true,
			"flags":{"enable_dynamic_client_registration":true,"enable_public_signup_user_exists_error":true,"revoke_refresh_token_grant":true,"remove_alg_from_jwks":true,
			"enforce_client_authentication_on_passwordless_start":true,"use_scope_descriptions_for_consent":true,"enable_legacy_profile":true,"require_s256_for_public_clients":true}}`),
		Look:       json.RawMessage(`{"colors":{"primary":"#123","page_background":"#abcdef"},"logo_url":"https://x.example/l","favicon_url":"https://x.example/f","font":{"url":"https://x.example/t"}}`),
		Prompts:    json.RawMessage(`{"identifier_first":false}`),
		Brute:      json.RawMessage(`{"enabled":false,"shields":[],"mode":"count_per_identifier","max_attempts":3,"allowlist":["10.0.0.1"]}`),
		Suspicious: json.RawMessage(`{"shields":["block"],"stage":{"pre-login":{"rate":5}}}`),
		Factors:    json.RawMessage(`{"otp":true,"sms":true,"email":true,"recovery-code":true,"webauthn-roaming":true,"webauthn-platform":true}`),
		Policies:   json.RawMessage(`{"policies":["all-applications"]}`),
	})
	all := &Settings{
		FriendlyName: "Acme", PictureURL: "https://x.example/p", SupportEmail: "a@b.example", SupportURL: "https://x.example/s",
		EnabledLocales: []string{"de", "en"}, AllowedLogoutURLs: []string{"https://x.example/bye"}, DefaultAudience: "api", DefaultDirectory: "db",
		DefaultRedirectionURI: "https://x.example/d", ErrorPageURL: "https://x.example/e", DeviceCharset: "digits", DeviceMask: "***",
		ACRValuesSupported: []string{"a"}, SessionLifetime: 300, IdleSessionLifetime: hour, EphemeralSessionLifetime: 2 * hour, IdleEphemeralLifetime: 180,
		PARSupported: true, IssParameter: true, MagicLinkWithoutSession: true, SkipNonVerifiablePrompt: true, CustomizeMFAInPostLogin: true, OrganizationNames: true,
		DynamicClientRegistration: true, SignupTellsUserExists: true, RevokeWholeGrant: true, RemoveAlgFromJWKS: true, PasswordlessAuthentication: true,
		ScopeDescriptions: true, LegacyProfile: true, PublicClientsNeedS256: true, ResourceParameter: true,
		Branding:     Branding{"#123", "#abcdef", "https://x.example/l", "https://x.example/f", "https://x.example/t"},
		BruteForce:   BruteForce{Allowlist: []string{"10.0.0.1"}, PerIdentifier: true, MaxAttempts: 3},
		SuspiciousIP: SuspiciousIP{Enabled: true, Block: true, Login: Stage{100, 5}, Signup: Stage{50, 1200}},
		MFA:          MFA{true, true, true, true, true, true, true},
	}
	if !reflect.DeepEqual(got, all) {
		t.Errorf("got %+v\nwant %+v", got, all)
	}
}

// Law: whatever is stored, there are settings; what pages and headers are made of
// is of a form that cannot leave its place, and nothing is without a bound.
func FuzzView(f *testing.F) {
	for _, s := range []string{
		`{"picture_url":"javascript:1","enabled_locales":[5],"session_lifetime":1e300}`, `[]`, `null`, `{"flags":7,"error_page":null}`,
		`{"colors":{"primary":"#12"},"logo_url":"//x"}`, `{"max_attempts":-1,"stage":{"pre-login":[]}}`, `{"policies":{"a":1}}`, `{"session_lifetime_in_minutes":0.5}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		docs := Documents{}
		for _, name := range Viewed() {
			docs[name] = doc
		}
		s := View(docs)
		for _, u := range []string{s.PictureURL, s.SupportURL, s.ErrorPageURL, s.DefaultRedirectionURI, s.Branding.LogoURL, s.Branding.FaviconURL, s.Branding.FontURL} {
			if low := strings.ToLower(u); u != "" && !strings.HasPrefix(low, "http://") && !strings.HasPrefix(low, "https://") || strings.ContainsAny(u, "\"<>\r\n ") {
				t.Errorf("address %q", u)
			}
		}
		for _, c := range []string{s.Branding.PrimaryColor, s.Branding.PageBackground} {
			if c != "" && !schema.IsColor(c) {
				t.Errorf("color %q", c)
			}
		}
		for _, n := range []int64{s.SessionLifetime, s.IdleSessionLifetime, s.EphemeralSessionLifetime, s.IdleEphemeralLifetime} {
			if n < minute || n > maxHours*hour {
				t.Errorf("lifetime %d", n)
			}
		}
		if len(s.EnabledLocales) == 0 || s.BruteForce.MaxAttempts < 1 || s.BruteForce.MaxAttempts > 100 || s.SuspiciousIP.Login.Rate < 1 || s.SuspiciousIP.Signup.MaxAttempts < 1 {
			t.Errorf("%+v", s)
		}
		ParseTexts(doc)
	})
}

// A new installation is stricter in this alone.
func TestFresh(t *testing.T) {
	got, want := View(Documents{Tenant: Fresh()}), View(nil)
	want.PublicClientsNeedS256 = true
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestMerge(t *testing.T) {
	// RFC 7396, appendix A, as far as its rows are objects.
	for _, row := range []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"a":1}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
	} {
		if got := merge(raw(row.target), raw(row.patch)).Encode(); string(got) != row.want {
			t.Errorf("%s with %s: %s", row.target, row.patch, got)
		}
	}
}

const wholeTheme = `{"borders":{"button_border_radius":3,"button_border_weight":1,"buttons_style":"rounded","input_border_radius":3,"input_border_weight":1,"inputs_style":"rounded","show_widget_shadow":true,"widget_border_weight":0,"widget_corner_radius":5},
	"colors":{"body_text":"#1e212a","error":"#d03c38","header":"#1e212a","icons":"#65676e","input_background":"#ffffff","input_border":"#c9cace","input_filled_text":"#000000","input_labels_placeholders":"#65676e","links_focused_components":"#635dff","primary_button":"#635dff","primary_button_label":"#ffffff","secondary_button_border":"#c9cace","secondary_button_label":"#1e212a","success":"#13a688","widget_background":"#ffffff","widget_border":"#c9cace"},
	"fonts":{"body_text":{"bold":false,"size":87.5},"buttons_text":{"bold":false,"size":100},"font_url":"","input_labels":{"bold":false,"size":100},"links":{"bold":true,"size":87.5},"links_style":"normal","reference_text_size":16,"subtitle":{"bold":false,"size":87.5},"title":{"bold":false,"size":150}},
	"page_background":{"background_color":"#000000","background_image_url":"","page_layout":"center"},
	"widget":{"header_text_alignment":"center","logo_height":52,"logo_position":"center","logo_url":"","social_buttons_layout":"bottom"}}`

func TestTheme(t *testing.T) {
	s, store := newService()
	ctx, by := t.Context(), audit.Event{}
	if _, err := s.Theme(ctx, ""); !errors.Is(err, ErrNoTheme) {
		t.Fatal(err)
	}
	for wrong, bad := range map[string]string{
		"Missing required property: borders":                      `{"displayName":"x"}`,
		"String does not match pattern":                           strings.Replace(wholeTheme, "#1e212a", "red", 1),
		"format absolute-https-uri-or-empty: javascript:alert(1)": strings.Replace(wholeTheme, `"logo_url":""`, `"logo_url":"javascript:alert(1)"`, 1),
		"Value 151 is greater than maximum 150":                   strings.Replace(wholeTheme, `"size":150`, `"size":151`, 1),
	} {
		if _, err := s.CreateTheme(ctx, members(t, bad), by); !strings.Contains(text(err), wrong) || store.docs[Theme] != nil {
			t.Errorf("%q, want %q", text(err), wrong)
		}
	}
	made, err := s.CreateTheme(ctx, members(t, wholeTheme), by)
	if err != nil {
		t.Fatal(text(err))
	}
	id := themeID(made)
	if len(id) != 32 || !strings.Contains(string(made), `"displayName":"Unnamed Theme"`) {
		t.Errorf("%s", made)
	}
	if _, err := s.CreateTheme(ctx, members(t, wholeTheme), by); !errors.Is(err, errThemeExists) {
		t.Errorf("a second: %v", err)
	}
	for _, known := range []string{id, ""} {
		if got, err := s.Theme(ctx, known); err != nil || string(got) != string(made) {
			t.Errorf("%s, %v", got, err)
		}
	}
	if _, err := s.Theme(ctx, "other"); !errors.Is(err, ErrNoTheme) {
		t.Error(err)
	}
	if _, err := s.PatchTheme(ctx, "other", members(t, wholeTheme), by); text(err) != "There was an error updating branding settings: invalid theme ID" {
		t.Error(err)
	}
	if got, err := s.PatchTheme(ctx, id, members(t, strings.Replace(wholeTheme, "#1e212a", "#abc", 1)), by); err != nil || themeID(got) != id || !strings.Contains(string(got), "#abc") {
		t.Errorf("%s, %v", got, err)
	}
	if err := s.DeleteTheme(ctx, "other", by); text(err) != "There was an error deleting branding settings: invalid theme ID" {
		t.Error(err)
	}
	if err := s.DeleteTheme(ctx, id, by); err != nil || store.docs[Theme] != nil {
		t.Error(err)
	}
}

func TestTemplate(t *testing.T) {
	s, _ := newService()
	ctx, by := t.Context(), audit.Event{}
	const good = "<html>{%- auth0:head -%}<body>{% auth0:widget %}</body></html>"
	for _, bad := range []string{"", "<html>", "{%- auth0:head -%}", good + strings.Repeat("x", MaxTemplate)} {
		if _, err := s.SetTemplate(ctx, bad, by); errs.From(err).Kind != errs.Invalid {
			t.Errorf("%.40s: %v", bad, err)
		}
	}
	if _, err := s.Template(ctx); !errors.Is(err, ErrNoTemplate) {
		t.Error(err)
	}
	for _, created := range []bool{true, false} {
		if got, err := s.SetTemplate(ctx, good, by); err != nil || got != created {
			t.Errorf("%v, %v", got, err)
		}
	}
	if doc, err := s.Template(ctx); err != nil || strictjson.ParseDocument(doc).Text("body") != good {
		t.Errorf("%s, %v", doc, err)
	}
	for range 2 {
		if err := s.DeleteTemplate(ctx, by); err != nil {
			t.Error(err)
		}
	}
}

func TestFactorsAndPolicies(t *testing.T) {
	s, store := newService()
	ctx, by := t.Context(), audit.Event{}
	for _, row := range []struct{ name, body, wrong string }{
		{"otp", `{"enabled":true}`, ""},
		{"webauthn-platform", `{"enabled":true}`, ""},
		{"otp", `{"enabled":false}`, ""},
		{"duo", `{"enabled":true}`, "The factor duo is not available"},
		{"duo", `{"enabled":false}`, ""},
		{"push-notification", `{"enabled":true}`, "The factor push-notification is not available"},
		{"sms", `{}`, "Missing required property: enabled"},
		{"sms", `{"enabled":"true"}`, "Expected type boolean but found type string"},
		{"sms", `{"enabled":true,"x":1}`, "Additional properties not allowed: x"},
	} {
		if _, err := s.SetFactor(ctx, row.name, members(t, row.body), by); !strings.Contains(text(err), row.wrong) || (err != nil) != (row.wrong != "") {
			t.Errorf("%s %s: %q", row.name, row.body, text(err))
		}
	}
	list, err := s.Factors(ctx)
	if err != nil || len(list) != 8 {
		t.Fatal(list, err)
	}
	for _, f := range list {
		if f.Enabled != (f.Name == "webauthn-platform") || !IsFactor(f.Name) {
			t.Errorf("%+v", f)
		}
	}
	for _, row := range []struct{ body, wrong, want string }{
		{`["all-applications"]`, "", `["all-applications"]`},
		{`["confidence-score"]`, "Adaptive multi-factor authentication is not available", `["all-applications"]`},
		{`["x"]`, "No enum match for: x", `["all-applications"]`},
		{`{}`, "Expected type array but found type object", `["all-applications"]`},
		{`[]`, "", `[]`},
	} {
		_, err := s.SetPolicies(ctx, json.RawMessage(row.body), by)
		if !strings.Contains(text(err), row.wrong) || (err != nil) != (row.wrong != "") {
			t.Errorf("%s: %q", row.body, text(err))
		}
		if got, err := s.Policies(ctx); err != nil || string(got) != row.want {
			t.Errorf("%s: %s, %v", row.body, got, err)
		}
	}
	if slices.ContainsFunc(store.events, func(e audit.Event) bool { return e.Type != audit.FactorsChanged }) {
		t.Errorf("%+v", store.events)
	}
}

func TestCustomText(t *testing.T) {
	s, store := newService()
	ctx := t.Context()
	for _, row := range []struct{ body, wrong string }{
		{`{"login":{"title":"Hi {{x}}"},"other":{}}`, ""},
		{`{"login":"x"}`, "Expected type object but found type string' on property login"},
		{`{"login":{"title":1}}`, "Expected type string but found type integer' on property login.title"},
	} {
		if _, err := s.SetCustomText(ctx, "login", "de", members(t, row.body), audit.Event{}); !strings.Contains(text(err), row.wrong) || (err != nil) != (row.wrong != "") {
			t.Errorf("%s: %q", row.body, text(err))
		}
	}
	doc, err := s.CustomText(ctx, "login", "de")
	if err != nil || ParseTexts(doc)["login"]["title"] != "Hi {{x}}" {
		t.Errorf("%s, %v", doc, err)
	}
	if doc, err := s.CustomText(ctx, "login", "en"); err != nil || string(doc) != "{}" {
		t.Errorf("%s, %v", doc, err)
	}
	if _, err := s.SetCustomText(ctx, "login", "de", nil, audit.Event{}); err != nil || len(store.docs) != 0 {
		t.Errorf("%v, %v", store.docs, err)
	}
}
