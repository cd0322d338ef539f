package connection

import "mangrove/internal/passwd"

// classicPersonal are the members that password_no_personal_info compares
// (reference/authentication.md §5.3).
var classicPersonal = []string{
	"name", "username", "nickname", "email", "user_metadata.name", "user_metadata.first", "user_metadata.last",
}

func policyOf(o document) passwd.Policy {
	if o.has("password_options") {
		return flexiblePolicy(o.object("password_options"))
	}
	p := passwd.Policy{
		Dictionary: o.object("password_dictionary").flag("enable"),
		Personal:   o.object("password_no_personal_info").flag("enable"),
	}
	switch level := o.text("passwordPolicy"); {
	case level == "None", string(o["passwordPolicy"]) == "null", string(o["passwordPolicy"]) == `""`:
		p.Level = "none"
	default:
		p.Level = level
	}
	p.MinLength, _ = o.object("password_complexity_options").number("min_length")
	if p.Dictionary {
		p.Custom = o.object("password_dictionary").texts("dictionary")
	}
	return p
}

func flexiblePolicy(o document) passwd.Policy {
	rules := o.object("complexity")
	c := &passwd.Complexity{
		Types:      rules.texts("character_types"),
		ThreeOf4:   rules.text("character_type_rule") == "three_of_four",
		Identical:  rules.text("identical_characters") == "block",
		Sequential: rules.text("sequential_characters") == "block",
		Truncate:   rules.text("max_length_exceeded") == "truncate",
	}
	var ok bool
	if c.MinLength, ok = rules.number("min_length"); !ok {
		c.MinLength = defaultMinLength
	}
	p := passwd.Policy{
		Options:    c,
		Dictionary: o.object("dictionary").flag("active"),
		Personal:   o.object("profile_data").flag("active"),
	}
	if p.Dictionary {
		p.Custom = o.object("dictionary").texts("custom")
	}
	return p
}

// defaultMinLength is what password_options.complexity.min_length is where it
// is not set (reference/connections.md §1.6).
const defaultMinLength = 15

func personalFields(o document) []string {
	if o.has("password_options") {
		data := o.object("password_options").object("profile_data")
		if data.has("blocked_fields") {
			return data.texts("blocked_fields")
		}
	}
	return classicPersonal
}
