package upstream

import "testing"

func TestNames(t *testing.T) {
	rows := []struct {
		name                 string
		reserved, restricted bool
	}{
		{"name", false, false},
		{"email_verified", false, false},
		{"Roles", false, false}, // names are compared exactly, here and wherever they are read
		{"", true, false},
		{"user_id", true, false},
		{"app_metadata", true, false},
		{"blocked", true, false},
		{"last_login", true, false},
		{"lastname", false, false},
		{"multifactor_x", true, false},
		{"__tenant", true, false},
		{"access_token", true, false},
		{"roles", true, true},
		{"permissions", true, true},
		{"groups", false, true},
		{"sip_x", false, true},
		{"sub", false, true},
		{"x5t#S256", false, true},
	}
	for _, row := range rows {
		if Reserved(row.name) != row.reserved || Restricted(row.name) != row.restricted {
			t.Errorf("%q: reserved %v, restricted %v", row.name, Reserved(row.name), Restricted(row.name))
		}
	}
}
