package connection

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// counter makes masks m1, m2, …
func counter() func() string {
	n := 0
	return func() string {
		n++
		return "m" + strconv.Itoa(n)
	}
}

func doc(t *testing.T, text string) strictjson.Document {
	t.Helper()
	d := strictjson.ParseDocument(json.RawMessage(text))
	if d == nil {
		t.Fatalf("no object: %s", text)
	}
	return d
}

// same compares two JSON objects without regard to order and blanks.
func same(t *testing.T, got strictjson.Document, want string) {
	t.Helper()
	if g, w := canonical(got), canonical(doc(t, want)); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

func canonical(d strictjson.Document) string {
	var v any
	if err := json.Unmarshal(d.Encode(), &v); err != nil {
		panic(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	var v schema.Error
	if errors.As(err, &v) {
		return v.Error()
	}
	return errs.From(err).Text
}

const standingAuth0 = `"brute_force_protection":true,` + standingMethods

const standingMethods = `"authentication_methods":{"password":{"enabled":true,"api_behavior":"required"},"passkey":{"enabled":false}},
	"passkey_options":{"challenge_ui":"both","progressive_enrollment_enabled":true,"local_enrollment_enabled":true}`

const freshAuth0 = `"mfa":{"active":true,"return_enroll_settings":true},"strategy_version":2,` + standingAuth0

func TestNewOptions(t *testing.T) {
	for _, row := range []struct{ name, strategy, sent, want string }{
		{"minimal database", "auth0", `{}`, `{` + freshAuth0 + `,"passwordPolicy":"good"}`},
		{"policy sent", "auth0", `{"passwordPolicy":"low","brute_force_protection":false}`,
			`{"mfa":{"active":true,"return_enroll_settings":true},"strategy_version":2,"brute_force_protection":false,` + standingMethods + `,"passwordPolicy":"low"}`},
		{"flexible policy replaces the classic one", "auth0", `{"password_options":{"complexity":{"min_length":12}}}`,
			`{` + freshAuth0 + `,"password_options":{
			"complexity":{"min_length":12,"character_types":[],"character_type_rule":"all","identical_characters":"allow","sequential_characters":"allow","max_length_exceeded":"error"},
			"profile_data":{"active":false,"blocked_fields":["name","username","nickname","email","phone_number","user_metadata.name","user_metadata.first","user_metadata.last"]},
			"history":{"active":false,"size":3},"dictionary":{"active":false,"custom":[],"default":"en_100k"}}}`},
		{"methods are filled", "auth0", `{"authentication_methods":{"passkey":{"enabled":true}},"passwordPolicy":"good"}`,
			`{"mfa":{"active":true,"return_enroll_settings":true},"strategy_version":2,"brute_force_protection":true,"passwordPolicy":"good",
			"authentication_methods":{"password":{"enabled":true,"api_behavior":"required"},"passkey":{"enabled":true}},
			"passkey_options":{"challenge_ui":"both","progressive_enrollment_enabled":true,"local_enrollment_enabled":true}}`},
		{"email attribute is filled", "auth0", `{"attributes":{"email":{"identifier":{"active":true}}}}`,
			`{` + freshAuth0 + `,"passwordPolicy":"good","attributes":{"email":{"identifier":{"active":true},"verification_method":"link","unique":true}}}`},
		{"the sync mode is there only when it was set", "samlp", `{"set_user_root_attributes":null}`, `{}`},
		{"sync mode of an external database", "auth0",
			`{"enabledDatabaseCustomization":true,"import_mode":false,"set_user_root_attributes":"on_first_login"}`,
			`{` + freshAuth0 + `,"passwordPolicy":"good","enabledDatabaseCustomization":true,"import_mode":false,"set_user_root_attributes":"on_first_login"}`},
		{"email", "email", `{"name":"email"}`, `{"name":"email","brute_force_protection":true}`},
		{"sms", "sms", `{}`, `{"brute_force_protection":true}`},
		{"oidc", "oidc", `{"client_id":"x","screen_name":"kept"}`,
			`{"client_id":"x","screen_name":"kept","connection_settings":{"pkce":"auto"},"attribute_map":{"mapping_mode":"bind_all"},"schema_version":"oidc-V4"}`},
		{"oidc keeps its map", "oidc", `{"type":"back_channel","attribute_map":{"mapping_mode":"use_map","attributes":{"name":"x"}}}`,
			`{"type":"back_channel","connection_settings":{"pkce":"auto"},"attribute_map":{"mapping_mode":"use_map","attributes":{"name":"x"}},"schema_version":"oidc-V4"}`},
		{"okta", "okta", `{}`,
			`{"type":"back_channel","attribute_map":{"mapping_mode":"basic_profile"},"connection_settings":{"pkce":"auto"},"schema_version":"oidc-V4"}`},
		{"ad", "ad", `{}`, `{"ips":null,"brute_force_protection":true}`},
		{"waad", "waad", `{"waad_protocol":"ws-federation"}`, `{"identity_api":"microsoft-identity-platform-v2.0","waad_protocol":"ws-federation","use_wsfed":false,
			"useCommonEndpoint":false,"waad_common_endpoint":false,"should_trust_email_verified_connection":"never_set_emails_as_verified"}`},
		{"google-apps", "google-apps", `{}`,
			`{"email":true,"profile":true,"scope":["email","profile"],"handle_login_from_social":true,"map_user_id_to_id":false}`},
		{"social", "github", `{"client_id":"","email":true,"x":1.50}`, `{"client_id":"","email":true,"x":1.50}`},
		{"configuration", "auth0", `{"configuration":{"A":"secret","B":null}}`,
			`{` + freshAuth0 + `,"passwordPolicy":"good","configuration":{"A":{"value":"secret","mask":"m1"}}}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := newOptions(row.strategy, doc(t, row.sent), counter())
			if err != nil {
				t.Fatal(text(err))
			}
			same(t, got, row.want)
		})
	}
}

func TestOptionsKeepDigits(t *testing.T) {
	o, err := newOptions("samlp", doc(t, `{"a":1.500,"b":100000000000000000001}`), counter())
	if err != nil {
		t.Fatal(err)
	}
	if got := string(o.Encode()); got != `{"a":1.500,"b":100000000000000000001}` {
		t.Error(got)
	}
}

func TestReplacedOptions(t *testing.T) {
	const stored = `{"mfa":{"active":true},"passwordPolicy":"good","strategy_version":2,"brute_force_protection":true,"disable_signup":true,
		"non_persistent_attrs":["a"],"upstream_params":{},"enable_script_context":true,
		"authentication_methods":{"password":{"enabled":true,"api_behavior":"optional"},"passkey":{"enabled":true}},
		"configuration":{"A":{"value":"secret","mask":"old"},"B":{"value":"other","mask":"older"}}}`
	for _, row := range []struct{ name, strategy, stored, sent, want string }{
		{"database: what survives", "auth0", stored, `{"disable_signup":false}`,
			`{"disable_signup":false,"enable_script_context":true,"brute_force_protection":true,
			"authentication_methods":{"password":{"enabled":true,"api_behavior":"optional"},"passkey":{"enabled":true}},
			"passkey_options":{"challenge_ui":"both","progressive_enrollment_enabled":true,"local_enrollment_enabled":true},
			"configuration":{"A":{"value":"secret","mask":"old"},"B":{"value":"other","mask":"older"}}}`},
		{"the sync mode does not survive", "samlp", `{"set_user_root_attributes":"on_first_login","cert":"x"}`, `{"a":1}`, `{"a":1}`},
		{"a mask sent back keeps the value", "auth0", stored, `{"configuration":{"A":"old","C":"new"}}`,
			`{"enable_script_context":true,"brute_force_protection":true,
			"authentication_methods":{"password":{"enabled":true,"api_behavior":"optional"},"passkey":{"enabled":true}},
			"passkey_options":{"challenge_ui":"both","progressive_enrollment_enabled":true,"local_enrollment_enabled":true},
			"configuration":{"A":{"value":"secret","mask":"old"},"C":{"value":"new","mask":"m1"}}}`},
		{"a changed value has a new mask", "auth0", `{"configuration":{"A":{"value":"secret","mask":"old"}}}`, `{"configuration":{"A":"secret"}}`,
			`{` + standingAuth0 + `,"configuration":{"A":{"value":"secret","mask":"m1"}}}`},
		{"ad", "ad", `{"ips":["10.0.0.0/8"],"brute_force_protection":true}`, `{"x":1}`, `{"ips":null,"x":1}`},
		{"oidc", "oidc", `{"oidc_metadata":{"issuer":"x"},"schema_version":"oidc-V4","attribute_map":{"mapping_mode":"use_map"},
			"connection_settings":{"pkce":"disabled"},"dpop_signing_alg":"ES256","client_id":"a"}`, `{"client_id":"b"}`,
			`{"oidc_metadata":{"issuer":"x"},"schema_version":"oidc-V4","attribute_map":{"mapping_mode":"use_map"},"connection_settings":{"pkce":"disabled"},"client_id":"b"}`},
		{"oidc: what is sent wins", "oidc", `{"attribute_map":{"mapping_mode":"use_map"}}`, `{"attribute_map":{"mapping_mode":"bind_all"}}`,
			`{"attribute_map":{"mapping_mode":"bind_all"}}`},
		{"google-apps", "google-apps", `{"map_user_id_to_id":true,"handle_login_from_social":true,"email":true,"profile":true,"scope":["email"],"domain":"a"}`,
			`{"domain":"b"}`, `{"map_user_id_to_id":true,"handle_login_from_social":true,"email":true,"profile":true,"scope":["email"],"domain":"b"}`},
		{"github: nothing survives", "github", `{"client_id":"a","scope":["x"]}`, `{"client_secret":"b"}`, `{"client_secret":"b"}`},
		{"attributes null goes back to the classic form", "auth0", `{"attributes":{"email":{"identifier":{"active":true}}}}`,
			`{"attributes":null,"requires_username":true}`, `{` + standingAuth0 + `,"requires_username":true}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := replacedOptions(row.strategy, doc(t, row.stored), doc(t, row.sent), counter())
			if err != nil {
				t.Fatal(text(err))
			}
			same(t, got, row.want)
		})
	}
}

func TestOptionRules(t *testing.T) {
	const onlyFor = "options.set_user_root_attributes can be set only for enterprise connections, social connections or custom database connections (using external users store)"
	for _, row := range []struct{ name, strategy, stored, sent, wrong string }{
		{"sync mode: regular database", "auth0", "", `{"set_user_root_attributes":"on_each_login"}`, onlyFor},
		{"sync mode: import mode", "auth0", "", `{"enabledDatabaseCustomization":true,"import_mode":true,"set_user_root_attributes":"on_first_login"}`, onlyFor},
		{"sync mode: import without own database", "auth0", "", `{"import_mode":true,"set_user_root_attributes":"on_first_login"}`, onlyFor},
		{"sync mode: email", "email", "", `{"set_user_root_attributes":"on_each_login"}`, onlyFor},
		{"sync mode: sms", "sms", "", `{"set_user_root_attributes":"never_on_login"}`, onlyFor},
		{"sync mode: external database", "auth0", "", `{"enabledDatabaseCustomization":true,"set_user_root_attributes":"never_on_login"}`, ""},
		{"sync mode: social", "oauth2", "", `{"set_user_root_attributes":"on_first_login"}`, ""},
		{"sync mode: enterprise", "adfs", "", `{"set_user_root_attributes":"on_first_login"}`, ""},
		{"sync mode: no such value", "adfs", "", `{"set_user_root_attributes":"sometimes"}`, "No enum match for: sometimes"},
		{"sync mode: no text", "adfs", "", `{"set_user_root_attributes":true}`, "Expected type"},
		{"switch to import mode with the mode set", "auth0", `{"enabledDatabaseCustomization":true,"set_user_root_attributes":"on_first_login"}`,
			`{"enabledDatabaseCustomization":true,"import_mode":true,"set_user_root_attributes":"on_first_login"}`, onlyFor},
		{"switch to import mode without it", "auth0", `{"enabledDatabaseCustomization":true,"set_user_root_attributes":"on_first_login"}`,
			`{"enabledDatabaseCustomization":true,"import_mode":true}`, ""},

		{"attributes and validation", "auth0", "", `{"attributes":{"email":{"identifier":{"active":true}}},"validation":{"username":{"min":1,"max":5}}}`,
			"Cannot set both options.attributes and options.validation"},
		{"attributes and requires_username", "auth0", "", `{"attributes":{"email":{"identifier":{"active":true}}},"requires_username":true}`,
			"Cannot set both options.attributes and options.requires_username"},
		{"attributes and requires_username false", "auth0", "", `{"attributes":{"email":{"identifier":{"active":true}}},"requires_username":false}`, ""},
		{"no identifier", "auth0", "", `{"attributes":{"email":{"identifier":{"active":false}}}}`, "attributes must contain one active identifier"},
		{"no identifier at all", "auth0", "", `{"attributes":{"email":{}}}`, "attributes must contain one active identifier"},
		{"required but not at sign-up", "auth0", "",
			`{"attributes":{"email":{"identifier":{"active":true}},"phone_number":{"profile_required":true,"signup":{"status":"inactive"}}}}`,
			"attribute phone_number must also be required on signup"},
		{"required, also at sign-up", "auth0", "",
			`{"attributes":{"phone_number":{"identifier":{"active":true},"profile_required":true,"signup":{"status":"required"}}}}`, ""},
		{"e-mail not unique", "auth0", `{"attributes":{"email":{"identifier":{"active":true}}}}`,
			`{"attributes":{"email":{"unique":false,"identifier":{"active":false}},"username":{"identifier":{"active":true}}}}`, "cannot add non-unique email attribute"},
		{"unknown attribute", "auth0", "", `{"attributes":{"nickname":{"identifier":{"active":true}}}}`, "Additional properties not allowed: nickname"},
		{"username bounds upside down", "auth0", "", `{"validation":{"username":{"min":9,"max":3}}}`, "must not be greater"},
		{"username bound too high", "auth0", "", `{"validation":{"username":{"min":1,"max":129}}}`, "maximum 128"},
		{"username without max", "auth0", "", `{"validation":{"username":{"min":1}}}`, "Missing required property: max"},
		{"attribute bounds upside down", "auth0", "", `{"attributes":{"username":{"identifier":{"active":true},"validation":{"min_length":9,"max_length":3}}}}`, "must not be greater"},

		{"policy unknown", "auth0", "", `{"passwordPolicy":"superb"}`, "No enum match for: superb"},
		{"policy null", "auth0", "", `{"passwordPolicy":null}`, ""},
		{"policy None", "auth0", "", `{"passwordPolicy":"None"}`, ""},
		{"both policy forms", "auth0", "", `{"passwordPolicy":"good","password_options":{}}`, "Cannot set both options.password_options and options.passwordPolicy"},
		{"three of four without four", "auth0", "", `{"password_options":{"complexity":{"character_type_rule":"three_of_four","character_types":["number"]}}}`, "three_of_four"},
		{"minimum length of 0", "auth0", "", `{"password_options":{"complexity":{"min_length":0}}}`, "minimum 1"},
		{"dictionary word too long", "auth0", "", `{"password_dictionary":{"enable":true,"dictionary":["` + strings.Repeat("a", 51) + `"]}}`, "String is too long"},

		{"96 denied attributes", "samlp", "", `{"non_persistent_attrs":[` + strings.TrimSuffix(strings.Repeat(`"a",`, 96), ",") + `]}`, ""},
		{"97 denied attributes", "samlp", "", `{"non_persistent_attrs":[` + strings.TrimSuffix(strings.Repeat(`"a",`, 97), ",") + `]}`, "maximum 96"},
		{"a denied attribute of 256", "samlp", "", `{"non_persistent_attrs":["` + strings.Repeat("a", 256) + `"]}`, "String is too long"},
		{"a denied attribute that is no text", "samlp", "", `{"non_persistent_attrs":[1]}`, "Expected type string"},
		{"dotted fieldsMap", "samlp", "", `{"fieldsMap":{"user_metadata.first_name":"x"}}`, `Fields with "." are not allowed`},
		{"upstream alias", "oidc", "", `{"upstream_params":{"x":{"alias":"login_hint"}}}`, ""},
		{"unknown upstream alias", "oidc", "", `{"upstream_params":{"x":{"alias":"state"}}}`, "No enum match for: state"},
		{"configuration value of a wrong type", "auth0", "", `{"configuration":{"A":1}}`, "Expected type"},
		{"import_mode as text", "auth0", "", `{"import_mode":"true"}`, "Expected type"},
		{"oidc type", "oidc", "", `{"type":"sideways"}`, "No enum match for: sideways"},
		{"okta front channel", "okta", "", `{"type":"front_channel"}`, "No enum match for: front_channel"},
		{"okta binds all", "okta", "", `{"attribute_map":{"mapping_mode":"bind_all"}}`, "No enum match for: bind_all"},
		{"oidc client id too long", "oidc", "", `{"client_id":"` + strings.Repeat("a", 256) + `"}`, "String is too long"},
		{"oidc client id empty", "oidc", "", `{"client_id":""}`, ""},
		{"pkce", "oidc", "", `{"connection_settings":{"pkce":"S512"}}`, "No enum match for: S512"},
		{"one-time codes of 3 digits", "email", "", `{"totp":{"length":3}}`, "minimum 4"},
		{"script context off again", "auth0", `{"enable_script_context":true}`, `{"enable_script_context":false}`, "cannot be disabled"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var err error
			if row.stored == "" {
				_, err = newOptions(row.strategy, doc(t, row.sent), counter())
			} else {
				_, err = replacedOptions(row.strategy, doc(t, row.stored), doc(t, row.sent), counter())
			}
			if got := text(err); row.wrong == "" && got != "" || !strings.Contains(got, row.wrong) {
				t.Errorf("got %q, want %q", got, row.wrong)
			}
		})
	}
}

func TestOtherSpellingsAreOtherNames(t *testing.T) {
	o, err := newOptions("auth0", doc(t, `{"EnabledDatabaseCustomization":true,"IMPORT_MODE":true}`), counter())
	if err != nil {
		t.Fatal(err)
	}
	c := &Connection{Strategy: "auth0", Options: o.Encode()}
	if !c.Class().Own() || string(o["IMPORT_MODE"]) != "true" {
		t.Errorf("class %v, options %s", c.Class(), c.Options)
	}
}

func TestShownOptionsNeverShowConfiguration(t *testing.T) {
	o, err := newOptions("auth0", doc(t, `{"configuration":{"A":"hunter2"}}`), counter())
	if err != nil {
		t.Fatal(err)
	}
	c := &Connection{Strategy: "auth0", Options: o.Encode()}
	if shown := string(c.ShownOptions()); strings.Contains(shown, "hunter2") || !strings.Contains(shown, `"configuration":{"A":"m1"}`) {
		t.Error(shown)
	}
}
