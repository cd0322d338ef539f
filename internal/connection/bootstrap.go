package connection

import (
	"encoding/json"

	"mangrove/internal/strictjson"
)

// DefaultName is the database that a fresh installation has.
const DefaultName = "Username-Password-Authentication"

// Default is the database of a fresh installation: the defaults of the
// reference but for the password policy, which asks for 15 characters and no
// composition, and refuses common passwords (security.md §1.7). Callers put it
// into the store.
func Default(at int64) *Connection {
	o := strictjson.Document{
		"password_options": json.RawMessage(`{
			"complexity": {"min_length": 15, "character_types": [], "character_type_rule": "all", "identical_characters": "allow",
				"sequential_characters": "allow", "max_length_exceeded": "error"},
			"profile_data": {"active": false, "blocked_fields": ["name", "username", "nickname", "email", "phone_number",
				"user_metadata.name", "user_metadata.first", "user_metadata.last"]},
			"history": {"active": false, "size": 3},
			"dictionary": {"active": true, "custom": [], "default": "en_100k"}
		}`),
	}
	options, err := newOptions("auth0", o, NewMask)
	if err != nil {
		panic(err) // a constant
	}
	return &Connection{
		ID: NewID(), Name: DefaultName, Strategy: "auth0", Options: options.Encode(), Realms: []string{DefaultName},
		Extra:   json.RawMessage(`{"authentication":{"active":true},"connected_accounts":{"active":false},"is_domain_connection":false}`),
		Version: 1, CreatedAt: at, UpdatedAt: at,
	}
}
