package user

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
)

var linkSource = profile.Source{Origin: profile.FromManagement, Actor: "client", At: 5}

// person is a user of a database with an e-mail and, if given, secondaries of it.
func person(id string, secondaries ...string) *User {
	u := &User{
		ID: ID("auth0|" + id), Version: 3, Password: Password{Hash: "hash of " + id, SetAt: 4},
		Identities: []Identity{{Provider: "auth0", Connection: "Users", ConnectionID: "con_1", UserID: id, Subject: id}},
	}
	u.Profile.Set(profile.Email, profile.Text(id+"@example.com"), linkSource)
	u.Profile.Set(profile.UserMetadata, profile.Value(`{"of":"`+id+`"}`), linkSource)
	for _, s := range secondaries {
		if err := u.join(person(s), 6); err != nil {
			panic(err)
		}
	}
	return u
}

func subjects(u *User) []string {
	var out []string
	for _, id := range u.Identities {
		out = append(out, id.Subject)
	}
	return out
}

func TestJoin(t *testing.T) {
	blocked := person("b")
	blocked.Profile.Set(profile.Blocked, profile.Bool(true), linkSource)
	released := person("b")
	released.Profile.Set(profile.Blocked, profile.Bool(false), linkSource)
	many := person("b")
	for i := range maxIdentities - 1 {
		many.Identities = append(many.Identities, Identity{Subject: strconv.Itoa(i)})
	}
	for _, tc := range []struct {
		name  string
		other *User
		want  error
		now   []string
	}{
		{"one", person("b"), nil, []string{"a", "s", "b"}},
		{"one with its own secondaries", person("b", "c", "d"), nil, []string{"a", "s", "b", "c", "d"}},
		{"a blocked user", blocked, ErrUnlinkable, []string{"a", "s"}},
		{"a user who was blocked once", released, nil, []string{"a", "s", "b"}},
		{"too many", many, ErrUnlinkable, []string{"a", "s"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := person("a", "s")
			before := string(EncodeAttributes(u.Profile))
			if err := u.join(tc.other, 9); !errors.Is(err, tc.want) {
				t.Fatal(err)
			}
			if got := subjects(u); !slices.Equal(got, tc.now) {
				t.Errorf("identities %v, want %v", got, tc.now)
			}
			if string(EncodeAttributes(u.Profile)) != before || u.Password.Hash != "hash of a" {
				t.Errorf("the first user is another: %s", EncodeAttributes(u.Profile))
			}
			if tc.want != nil {
				return
			}
			for _, id := range u.Identities[1:] {
				if id.Password.Hash != "hash of "+id.Subject || id.ProfileData.Text(profile.Email) != id.Subject+"@example.com" ||
					id.ProfileData.Has(profile.UserMetadata) || id.ProfileData.Has(profile.Blocked) {
					t.Errorf("%s keeps %+v, %s", id.Subject, id.Password, EncodeAttributes(id.ProfileData))
				}
			}
			if len(tc.other.Identities[0].ProfileData.All()) != 0 {
				t.Error("the second user was changed")
			}
		})
	}
}

func TestAlone(t *testing.T) {
	for _, blocked := range []bool{false, true} {
		u := person("a", "b", "c")
		if blocked {
			u.Profile.Set(profile.Blocked, profile.Bool(true), linkSource)
		}
		src := profile.Source{Origin: profile.FromManagement, Actor: "admin", At: 77}
		b := u.alone(1, profile.Connection{Class: profile.Database}, src, profile.Defaults{})
		if got := subjects(u); !slices.Equal(got, []string{"a", "c"}) || u.UpdatedAt != 77 {
			t.Errorf("left: %v, updated %d", got, u.UpdatedAt)
		}
		if b.ID != "auth0|b" || b.Version != 1 || b.CreatedAt != 77 || b.Password != (Password{Hash: "hash of b", SetAt: 4}) {
			t.Errorf("the new user: %+v", b)
		}
		if p := b.Primary(); len(b.Identities) != 1 || p.Password != (Password{}) || len(p.ProfileData.All()) != 0 {
			t.Errorf("its identity: %+v", p)
		}
		if email, _ := b.Profile.Get(profile.Email); email.Source != linkSource || b.Profile.Has(profile.UserMetadata) {
			t.Errorf("its profile: %s, e-mail by %+v", EncodeAttributes(b.Profile), email.Source)
		}
		if b.Profile.Text(profile.Name) != "b@example.com" || b.Profile.True(profile.Blocked) != blocked {
			t.Errorf("its profile: %s", EncodeAttributes(b.Profile))
		}
	}
}

func TestSecondary(t *testing.T) {
	u := person("a", "b")
	u.Identities = append(u.Identities,
		Identity{Provider: "oidc", UserID: "oidc|x", Subject: "x"}, // of a connection named oidc
		Identity{Provider: "google-oauth2", UserID: "117", Subject: "117"},
		Identity{Provider: "auth0", ConnectionID: "con_2", UserID: "a", Subject: "a"},
	)
	for _, tc := range []struct {
		provider, userID string
		at               int
		want             error
	}{
		{"auth0", "b", 1, nil},
		{"auth0", "auth0|b", 1, nil},
		{"google-oauth2", "117", 3, nil},
		{"google-oauth2", "google-oauth2|117", 3, nil},
		{"oidc", "oidc|x", 2, nil},
		{"oidc", "oidc|oidc|x", 2, nil},
		{"oidc", "x", 0, ErrNoIdentity},
		{"auth0", "117", 0, ErrNoIdentity},
		{"auth0", "", 0, ErrNoIdentity},
		{"auth0", "auth0|", 0, ErrNoIdentity},
		{"auth0", "a", 4, nil}, // the secondary of the two
	} {
		if at, err := u.secondary(tc.provider, tc.userID); at != tc.at || !errors.Is(err, tc.want) {
			t.Errorf("%s, %s: %d, %v", tc.provider, tc.userID, at, err)
		}
	}
	for _, id := range []string{"a", "auth0|a"} {
		if _, err := person("a", "b").secondary("auth0", id); !errors.Is(err, ErrMainIdentity) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestSettle(t *testing.T) {
	alone := person("a")
	if alone.Settle(); len(alone.Primary().ProfileData.All()) != 0 {
		t.Error("a user with one identity got profile data")
	}
	u := person("a", "b")
	u.Settle()
	if data := u.Primary().ProfileData; data.Text(profile.Email) != "a@example.com" || data.Has(profile.UserMetadata) {
		t.Errorf("the primary shows %s", EncodeAttributes(data))
	}
	u.Identities = u.Identities[:1]
	u.Profile.Set(profile.Email, profile.Text("new@example.com"), linkSource)
	u.Settle()
	if got := u.Primary().ProfileData.Text(profile.Email); got != "new@example.com" {
		t.Errorf("after a change it shows %s", got)
	}
}

// An import row of a connection edits whose primary identity has its e-mail, and
// nobody else: a row about a linked identity is no row about its user.
func TestUpsertOfALinkedEmail(t *testing.T) {
	c := &connection.Connection{ID: "con_1", Name: "Users", Strategy: "auth0", Options: profile.Value(`{}`), Extra: profile.Value(`{}`)}
	src := profile.Source{Origin: profile.FromImport, At: 9}
	for email, want := range map[string]string{"A@example.com": "", "b@example.com": "CONFLICT_EMAIL"} {
		u := person("a", "b")
		in := []profile.Change{{Name: profile.Name, Value: profile.Text("New")}}
		_, err := upsert(c, in, email, "", profile.UpsertOptions{}, src)(u)
		if (want == "") != (err == nil) || err != nil && errs.From(err).Code != want {
			t.Errorf("%s: %v", email, err)
		}
		if changed := u.Profile.Text(profile.Name) == "New"; changed != (want == "") {
			t.Errorf("%s: changed %v", email, changed)
		}
	}
}

// The password of a secondary identity is stored, and is nowhere in the wire form.
func TestCodecOfLinkedPasswords(t *testing.T) {
	u := person("a", "b")
	u.Identities[1].Password.Imported = true
	wire, keys := EncodeIdentities(u.Identities), EncodeIdentityKeys(u.Identities)
	got, err := DecodeIdentities(wire, keys)
	if err != nil || got[1].Password != (Password{Hash: "hash of b", SetAt: 4, Imported: true}) || got[0].Password != (Password{}) {
		t.Errorf("%+v, %v", got, err)
	}
	if bytes.Contains(wire, []byte("hash of b")) {
		t.Errorf("shown: %s", wire)
	}
}
