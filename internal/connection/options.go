package connection

import (
	"encoding/json"
	"maps"

	"mangrove/internal/errs"
	"mangrove/internal/strictjson"
)

// optionDefaults are the options that a new connection gets where the body has
// none (reference/connections.md §1.6, the form of 2026-01, and recordings of the
// live service). Objects are filled member by member.
var optionDefaults = map[string]strictjson.Document{
	"auth0": strictjson.ParseDocument(json.RawMessage(`{
		"mfa": {"active": true, "return_enroll_settings": true},
		"passwordPolicy": "good",
		"strategy_version": 2
	}`)),
	"email": strictjson.ParseDocument(json.RawMessage(`{"brute_force_protection": true}`)),
	"sms":   strictjson.ParseDocument(json.RawMessage(`{"brute_force_protection": true}`)),
	"oidc": strictjson.ParseDocument(json.RawMessage(`{
		"attribute_map": {"mapping_mode": "bind_all"},
		"connection_settings": {"pkce": "auto"},
		"schema_version": "oidc-V4"
	}`)),
	"okta": strictjson.ParseDocument(json.RawMessage(`{
		"type": "back_channel",
		"attribute_map": {"mapping_mode": "basic_profile"},
		"connection_settings": {"pkce": "auto"},
		"schema_version": "oidc-V4"
	}`)),
	"google-apps": strictjson.ParseDocument(json.RawMessage(`{"email": true, "profile": true, "scope": ["email", "profile"], "handle_login_from_social": true, "map_user_id_to_id": false}`)),
	"waad": strictjson.ParseDocument(json.RawMessage(`{
		"identity_api": "microsoft-identity-platform-v2.0",
		"waad_protocol": "openid-connect",
		"use_wsfed": false,
		"useCommonEndpoint": false,
		"waad_common_endpoint": false,
		"should_trust_email_verified_connection": "never_set_emails_as_verified"
	}`)),
	"adfs": strictjson.ParseDocument(json.RawMessage(`{"thumbprints": []}`)),
	"ad":   strictjson.ParseDocument(json.RawMessage(`{"brute_force_protection": true}`)),
}

// standing are the options that are always there: filled in at creation and
// again whenever options are replaced (reference/connections.md §1.5).
var standing = map[string]strictjson.Document{
	"auth0": strictjson.ParseDocument(json.RawMessage(`{
		"authentication_methods": {"password": {"enabled": true, "api_behavior": "required"}, "passkey": {"enabled": false}},
		"passkey_options": {"challenge_ui": "both", "progressive_enrollment_enabled": true, "local_enrollment_enabled": true},
		"brute_force_protection": true
	}`)),
	"ad": strictjson.ParseDocument(json.RawMessage(`{"ips": null}`)),
}

// flexiblePasswords are the members of password_options that are filled in where
// it is set (reference/connections.md §1.6).
var flexiblePasswords = strictjson.ParseDocument(json.RawMessage(`{
	"complexity": {
		"min_length": 15, "character_types": [], "character_type_rule": "all", "identical_characters": "allow",
		"sequential_characters": "allow", "max_length_exceeded": "error"
	},
	"profile_data": {
		"active": false,
		"blocked_fields": ["name", "username", "nickname", "email", "phone_number", "user_metadata.name", "user_metadata.first", "user_metadata.last"]
	},
	"history": {"active": false, "size": 3},
	"dictionary": {"active": false, "custom": [], "default": "en_100k"}
}`))

// carriedOver are the options that survive a replacement which does not name
// them (reference/connections.md §1.5). configuration is added, since answers
// mask its values and a client cannot send them back; enable_script_context,
// since it cannot be turned off.
var carriedOver = map[string][]string{
	"auth0":       {"authentication_methods", "passkey_options", "configuration", "enable_script_context"},
	"oidc":        {"oidc_metadata", "schema_version", "attribute_map", "connection_settings"},
	"okta":        {"oidc_metadata", "schema_version", "attribute_map", "connection_settings"},
	"google-apps": {"map_user_id_to_id", "handle_login_from_social", "email", "profile", "scope"},
	"waad":        {"waad_common_endpoint", "app_domain", "thumbprints"},
}

// classicPolicy are the options that password_options replaces.
var classicPolicy = []string{
	"passwordPolicy", "password_complexity_options", "password_dictionary", "password_history", "password_no_personal_info",
}

// newOptions makes the options of a new connection of those that were sent.
func newOptions(strategy string, sent strictjson.Document, mask func() string) (strictjson.Document, error) {
	o := maps.Clone(sent)
	if o == nil {
		o = strictjson.Document{}
	}
	if err := checkOptions(strategy, o); err != nil {
		return nil, err
	}
	_, flexible := o["password_options"]
	fill(o, optionDefaults[strategy])
	if _, sentPolicy := sent["passwordPolicy"]; flexible && !sentPolicy {
		delete(o, "passwordPolicy")
	}
	sealConfiguration(nil, o, mask)
	normalize(strategy, o)
	return o, checkRules(strategy, o)
}

// replacedOptions makes the new options of a PATCH: those that were sent, and
// what is carried over of the stored ones.
func replacedOptions(strategy string, stored, sent strictjson.Document, mask func() string) (strictjson.Document, error) {
	o := maps.Clone(sent)
	if o == nil {
		o = strictjson.Document{}
	}
	if err := checkOptions(strategy, o); err != nil {
		return nil, err
	}
	if _, ok := o["configuration"]; ok {
		sealConfiguration(stored, o, mask)
	}
	for _, name := range carriedOver[strategy] {
		if v, ok := stored[name]; ok {
			if _, ok := o[name]; !ok {
				o[name] = v
			}
		}
	}
	normalize(strategy, o)
	if err := checkRules(strategy, o); err != nil {
		return nil, err
	}
	return o, checkReplacement(strategy, stored, o)
}

// normalize fills what is always there and drops what means nothing.
func normalize(strategy string, o strictjson.Document) {
	if string(o["set_user_root_attributes"]) == "null" {
		delete(o, "set_user_root_attributes") // shown only when it was set
	}
	if strategy == "auth0" {
		for _, name := range []string{"attributes", "validation", "password_options", "authentication_methods", "passkey_options"} {
			if string(o[name]) == "null" {
				delete(o, name)
			}
		}
	}
	fill(o, standing[strategy])
	if policy := o.Object("password_options"); strategy == "auth0" && policy != nil && fill(policy, flexiblePasswords) {
		o["password_options"] = policy.Encode()
	}
	if strategy == "auth0" && o.Object("attributes").Has("email") {
		attrs := o.Object("attributes")
		email := attrs.Object("email")
		if fill(email, strictjson.Document{"verification_method": json.RawMessage(`"link"`), "unique": json.RawMessage("true")}) {
			attrs["email"] = email.Encode()
			o["attributes"] = attrs.Encode()
		}
	}
}

// fill sets the members of defaults that d lacks, inside objects too, and
// reports whether there were any. An object that lacks nothing keeps its spelling.
func fill(d, defaults strictjson.Document) (changed bool) {
	for name, v := range defaults {
		have, ok := d[name]
		switch {
		case !ok:
			d[name] = v
			changed = true
		case v[0] == '{' && have[0] == '{':
			if inner := strictjson.ParseDocument(have); fill(inner, strictjson.ParseDocument(v)) {
				d[name] = inner.Encode()
				changed = true
			}
		}
	}
	return changed
}

// Failures of options (reference/connections.md §1.4).
var (
	errRootAttributes = errs.New(errs.Invalid, "invalid_body",
		"options.set_user_root_attributes can be set only for enterprise connections, social connections or custom database connections (using external users store)")
	errBothValidation = errs.New(errs.Invalid, "invalid_body", "Cannot set both options.attributes and options.validation")
	errBothUsername   = errs.New(errs.Invalid, "invalid_body", "Cannot set both options.attributes and options.requires_username")
	errNoIdentifier   = errs.New(errs.Invalid, "invalid_body", "attributes must contain one active identifier")
	errNotUnique      = errs.New(errs.Invalid, "invalid_body", "cannot add non-unique email attribute")
	errDotted         = errs.New(errs.Invalid, "invalid_body",
		`Fields with "." are not allowed, please remove all dotted fields. Example: options.fieldsMap.user_metadata.first_name`)
	errHasUsers = errs.New(errs.Invalid, "invalid_body",
		`This database contains users. You cannot change "options.enabledDatabaseCustomization" setting.`)
	errScriptContext = errs.New(errs.Invalid, "invalid_body", "options.enable_script_context cannot be disabled once it is enabled")
	errUsernameRange = errs.New(errs.Invalid, "invalid_body", "options.validation.username.min must not be greater than options.validation.username.max")
	errCrossApp      = errs.New(errs.Invalid, "operation_not_supported", "Cross App Access Requesting App is not supported for this connection.")
)
