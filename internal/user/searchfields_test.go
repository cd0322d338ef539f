package user

import "testing"

func TestSortField(t *testing.T) {
	for _, name := range []string{
		"email", "name", "given_name", "family_name", "nickname", "username", "user_id", "phone_number",
		"email_verified", "blocked", "created_at", "updated_at", "last_login", "logins_count", "last_ip",
	} {
		if !SortField(name) {
			t.Errorf("%s is not sortable", name)
		}
	}
	for _, name := range []string{
		"", "picture", "phone_verified", "email.domain", "identities", "identities.connection", "user_metadata", "user_metadata.a",
		"app_metadata.x", "password_hash", "num", "Email", "email;drop", "_exists_",
	} {
		if SortField(name) {
			t.Errorf("%s is sortable", name)
		}
	}
}
