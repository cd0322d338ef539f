package connection

import (
	"maps"
	"slices"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/strictjson"
)

// checkRules are the rules between options of one connection, whatever it was
// before (reference/connections.md §1.4, §3.2).
func checkRules(strategy string, o strictjson.Document) error {
	if o.Has("set_user_root_attributes") && !classOf(strategy, o).Upstream() {
		return errRootAttributes
	}
	if err := checkFieldsMap(o.Object("fieldsMap")); err != nil {
		return err
	}
	if strategy != "auth0" {
		return nil
	}
	if err := checkPolicyForms(o); err != nil {
		return err
	}
	if o.Has("attributes") {
		return checkAttributes(o)
	}
	bounds := o.Object("validation").Object("username")
	if low, ok := bounds.Number("min"); ok {
		if high, ok := bounds.Number("max"); ok && low > high {
			return errUsernameRange
		}
	}
	return nil
}

// checkAttributes are the rules of flexible identifiers.
func checkAttributes(o strictjson.Document) error {
	if o.Has("validation") {
		return errBothValidation
	}
	if o.Flag("requires_username") {
		return errBothUsername
	}
	attrs := o.Object("attributes")
	identifier := false
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		a := attrs.Object(name)
		if a.Flag("profile_required") && a.Object("signup").Text("status") != "required" {
			return errs.New(errs.Invalid, "invalid_body", "attribute %s must also be required on signup", name)
		}
		identifier = identifier || a.Object("identifier").Flag("active")
	}
	if !identifier {
		return errNoIdentifier
	}
	if string(attrs.Object("email")["unique"]) == "false" {
		// Sign-in names are unique here; accepting the switch would promise
		// what creating the second user then refuses.
		return errNotUnique
	}
	rules := attrs.Object("username").Object("validation")
	if low, ok := rules.Number("min_length"); ok {
		if high, ok := rules.Number("max_length"); ok && low > high {
			return errs.New(errs.Invalid, "invalid_body", "options.attributes.username.validation.min_length must not be greater than max_length")
		}
	}
	return nil
}

// checkPolicyForms refuses the two forms of a password policy side by side:
// nobody could tell which one rules.
func checkPolicyForms(o strictjson.Document) error {
	if !o.Has("password_options") {
		return nil
	}
	for _, name := range classicPolicy {
		if o.Has(name) {
			return errs.New(errs.Invalid, "invalid_body", "Cannot set both options.password_options and options.%s", name)
		}
	}
	rules := o.Object("password_options").Object("complexity")
	if rules.Text("character_type_rule") == "three_of_four" && len(rules.Texts("character_types")) != 4 {
		return errs.New(errs.Invalid, "invalid_body",
			"options.password_options.complexity.character_type_rule can be three_of_four only when all 4 character types are specified")
	}
	return nil
}

func checkFieldsMap(fields strictjson.Document) error {
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
func checkReplacement(strategy string, stored, o strictjson.Document) error {
	if strategy == "auth0" && stored.Flag("enable_script_context") && !o.Flag("enable_script_context") {
		return errScriptContext
	}
	return nil
}

// customizationChanges reports a change of enabledDatabaseCustomization, which
// only a database without users may undergo.
func customizationChanges(strategy string, stored, o strictjson.Document) bool {
	return strategy == "auth0" && stored.Flag("enabledDatabaseCustomization") != o.Flag("enabledDatabaseCustomization")
}
