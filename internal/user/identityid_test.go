package user

import "testing"

// reference/connections.md §0.1, 9: GitHub's ids are numbers in identities[].
func TestIdentityUserIDOnTheWire(t *testing.T) {
	rows := []struct{ provider, id, want string }{
		{"github", "9918273", `9918273`},
		{"github", "0", `0`},
		{"github", "9007199254740991", `9007199254740991`},
		{"github", "9007199254740992", `"9007199254740992"`}, // a double does not hold each of these
		{"github", "007", `"007"`},
		{"github", "-5", `"-5"`},
		{"github", "+5", `"+5"`},
		{"github", "mira", `"mira"`},
		{"github", "1e5", `"1e5"`},
		{"google-oauth2", "108812345678901234567", `"108812345678901234567"`},
		{"vkontakte", "42", `"42"`},
		{"auth0", "42", `"42"`},
	}
	for _, row := range rows {
		ids := []Identity{{Provider: row.provider, Connection: "c", ConnectionID: "con_1", UserID: row.id, Subject: row.id, IsSocial: true}}
		wire := EncodeIdentities(ids)
		if want := `[{"connection":"c","user_id":` + row.want + `,"provider":"` + row.provider + `","isSocial":true}]`; string(wire) != want {
			t.Errorf("%s, want %s", wire, want)
		}
		back, err := DecodeIdentities(wire, EncodeIdentityKeys(ids))
		if err != nil || back[0].UserID != row.id {
			t.Errorf("%s comes back as %q: %v", row.id, back[0].UserID, err)
		}
	}
}
