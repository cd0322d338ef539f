package connection

import (
	"mangrove/internal/passwd"
	"mangrove/internal/strictjson"
)

// classicPersonal are the members that password_no_personal_info compares
// (reference/authentication.md §5.3).
var classicPersonal = []string{
	"name", "username", "nickname", "email", "user_metadata.name", "user_metadata.first", "user_metadata.last",
}

// Guarded reports whether wrong passwords are counted (options.brute_force_protection).
// A connection that does not say is guarded: new ones say so.
func (c *Connection) Guarded() bool { return c.view().guarded }

func policyOf(o strictjson.Document) passwd.Policy {
	if o.Has("password_options") {
		return flexiblePolicy(o.Object("password_options"))
	}
	p := passwd.Policy{
		Dictionary: o.Object("password_dictionary").Flag("enable"),
		Personal:   o.Object("password_no_personal_info").Flag("enable"),
	}
	switch level := o.Text("passwordPolicy"); {
	case level == "None", string(o["passwordPolicy"]) == "null", string(o["passwordPolicy"]) == `""`:
		p.Level = "none"
	default:
		p.Level = level
	}
	p.MinLength, _ = o.Object("password_complexity_options").Number("min_length")
	if p.Dictionary {
		p.Custom = o.Object("password_dictionary").Texts("dictionary")
	}
	p.History = historyOf(o.Object("password_history"), "enable")
	return p
}

// maxHistory bounds how many hashes a new password is compared with
// (reference/authentication.md §5.3).
const maxHistory = 24

// historyOf is the size of a history that is switched on by the flag.
func historyOf(o strictjson.Document, flag string) int {
	if !o.Flag(flag) {
		return 0
	}
	size, ok := o.Number("size")
	if !ok {
		size = defaultHistory
	}
	return min(max(size, 0), maxHistory)
}

// defaultHistory is the size of a history that names none.
const defaultHistory = 5

func flexiblePolicy(o strictjson.Document) passwd.Policy {
	rules := o.Object("complexity")
	c := &passwd.Complexity{
		Types:      rules.Texts("character_types"),
		ThreeOf4:   rules.Text("character_type_rule") == "three_of_four",
		Identical:  rules.Text("identical_characters") == "block",
		Sequential: rules.Text("sequential_characters") == "block",
		Truncate:   rules.Text("max_length_exceeded") == "truncate",
	}
	var ok bool
	if c.MinLength, ok = rules.Number("min_length"); !ok {
		c.MinLength = defaultMinLength
	}
	p := passwd.Policy{
		Options:    c,
		Dictionary: o.Object("dictionary").Flag("active"),
		Personal:   o.Object("profile_data").Flag("active"),
	}
	if p.Dictionary {
		p.Custom = o.Object("dictionary").Texts("custom")
		p.Many = o.Object("dictionary").Text("default") == "en_100k"
	}
	p.History = historyOf(o.Object("history"), "active")
	return p
}

// defaultMinLength is what password_options.complexity.min_length is where it
// is not set (reference/connections.md §1.6).
const defaultMinLength = 15

func personalFields(o strictjson.Document) []string {
	if o.Has("password_options") {
		data := o.Object("password_options").Object("profile_data")
		if data.Has("blocked_fields") {
			return data.Texts("blocked_fields")
		}
	}
	return classicPersonal
}
