package connection

import (
	"maps"
	"slices"
	"strings"

	"mangrove/internal/errs"
)

// checkRules are the rules between options of one connection, whatever it was
// before (reference/connections.md §1.4, §3.2).
func checkRules(strategy string, o document) error {
	if o.has("set_user_root_attributes") && !classOf(strategy, o).Upstream() {
		return errRootAttributes
	}
	if err := checkFieldsMap(o.object("fieldsMap")); err != nil {
		return err
	}
	if strategy != "auth0" {
		return nil
	}
	if err := checkPolicyForms(o); err != nil {
		return err
	}
	if o.has("attributes") {
		return checkAttributes(o)
	}
	bounds := o.object("validation").object("username")
	if low, ok := bounds.number("min"); ok {
		if high, ok := bounds.number("max"); ok && low > high {
			return errUsernameRange
		}
	}
	return nil
}

// checkAttributes are the rules of flexible identifiers.
func checkAttributes(o document) error {
	if o.has("validation") {
		return errBothValidation
	}
	if o.flag("requires_username") {
		return errBothUsername
	}
	attrs := o.object("attributes")
	identifier := false
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		a := attrs.object(name)
		if a.flag("profile_required") && a.object("signup").text("status") != "required" {
			return errs.New(errs.Invalid, "invalid_body", "attribute %s must also be required on signup", name)
		}
		identifier = identifier || a.object("identifier").flag("active")
	}
	if !identifier {
		return errNoIdentifier
	}
	if string(attrs.object("email")["unique"]) == "false" {
		// Sign-in names are unique here; accepting the switch would promise
		// what creating the second user then refuses.
		return errNotUnique
	}
	rules := attrs.object("username").object("validation")
	if low, ok := rules.number("min_length"); ok {
		if high, ok := rules.number("max_length"); ok && low > high {
			return errs.New(errs.Invalid, "invalid_body", "options.attributes.username.validation.min_length must not be greater than max_length")
		}
	}
	return nil
}

// checkPolicyForms refuses the two forms of a password policy side by side:
// nobody could tell which one rules.
func checkPolicyForms(o document) error {
	if !o.has("password_options") {
		return nil
	}
	for _, name := range classicPolicy {
		if o.has(name) {
			return errs.New(errs.Invalid, "invalid_body", "Cannot set both options.password_options and options.%s", name)
		}
	}
	rules := o.object("password_options").object("complexity")
	if rules.text("character_type_rule") == "three_of_four" && len(rules.texts("character_types")) != 4 {
		return errs.New(errs.Invalid, "invalid_body",
			"options.password_options.complexity.character_type_rule can be three_of_four only when all 4 character types are specified")
	}
	return nil
}

func checkFieldsMap(fields document) error {
	for name := range fields {
		if strings.Contains(name, ".") {
			return errDotted
		}
	}
	return nil
}

// checkReplacement are the rules between the options as stored and as they
// would be. That a database with users stays what it is needs a look at the
// users: see Service.Patch.
func checkReplacement(strategy string, stored, o document) error {
	if strategy == "auth0" && stored.flag("enable_script_context") && !o.flag("enable_script_context") {
		return errScriptContext
	}
	return nil
}

// customizationChanges reports a change of enabledDatabaseCustomization, which
// only a database without users may undergo.
func customizationChanges(strategy string, stored, o document) bool {
	return strategy == "auth0" && stored.flag("enabledDatabaseCustomization") != o.flag("enabledDatabaseCustomization")
}
