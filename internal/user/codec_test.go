package user

import (
	"bytes"
	"encoding/json"
	"testing"

	"mangrove/internal/profile"
)

func sampleUser() *User {
	def := profile.Source{Origin: profile.FromDefault, Connection: "con_1", At: 1_700_000_000_000_001}
	mgmt := profile.Source{Origin: profile.FromManagement, Connection: "con_1", Actor: "client", At: 1_700_000_000_000_002}
	up := profile.Source{Origin: profile.FromUpstream, Connection: "con_2", At: 1_700_000_000_000_003}
	return &User{
		ID: "auth0|1", Version: 3,
		Profile: profile.Of(
			profile.Attribute{Name: "name", Value: profile.Text(`Ann "A" <b> é`), Source: mgmt},
			profile.Attribute{Name: "email", Value: profile.Text("a@example.com"), Source: mgmt},
			profile.Attribute{Name: "email_verified", Value: profile.Bool(false), Source: def},
			profile.Attribute{Name: "user_metadata", Value: profile.Value(`{"n":1234567890123456789.50}`), Source: mgmt},
		),
		Identities: []Identity{
			{Provider: "auth0", Connection: "db", ConnectionID: "con_1", UserID: "1", Subject: "1"},
			{Provider: "oidc", Connection: "acme", ConnectionID: "con_2", UserID: "acme|u|7", Subject: "u|7",
				ProfileData: profile.Of(profile.Attribute{Name: "name", Value: profile.Text("Ann"), Source: up})},
			{Provider: "google-oauth2", Connection: "google", ConnectionID: "con_3", UserID: "99", Subject: "99", IsSocial: true},
		},
		CreatedAt: 1, UpdatedAt: 2,
	}
}

func TestStoredFormRoundTrips(t *testing.T) {
	u := sampleUser()
	attrs, sources := EncodeAttributes(u.Profile), EncodeSources(u.Profile)
	p, err := DecodeProfile(attrs, sources)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range u.Profile.All() {
		got := p.All()[i]
		if got.Name != a.Name || !bytes.Equal(got.Value, a.Value) || got.Source != a.Source {
			t.Errorf("attribute %d: %s=%s from %v, want %s=%s from %v", i, got.Name, got.Value, got.Source, a.Name, a.Value, a.Source)
		}
	}
	wire, keys := EncodeIdentities(u.Identities), EncodeIdentityKeys(u.Identities)
	if !json.Valid(wire) || !json.Valid(attrs) {
		t.Fatalf("not JSON: %s %s", wire, attrs)
	}
	ids, err := DecodeIdentities(wire, keys)
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != len(u.Identities) {
		t.Fatalf("%d identities, want %d", len(ids), len(u.Identities))
	}
	for i, want := range u.Identities {
		got := ids[i]
		if !got.ProfileData.Equal(want.ProfileData) {
			t.Errorf("identity %d: profileData %s, want %s", i, EncodeAttributes(got.ProfileData), EncodeAttributes(want.ProfileData))
		}
		if a, ok := want.ProfileData.Get("name"); ok {
			if b, _ := got.ProfileData.Get("name"); a.Source != b.Source {
				t.Errorf("identity %d: source %v, want %v", i, b.Source, a.Source)
			}
		}
		if got.Provider != want.Provider || got.Connection != want.Connection || got.ConnectionID != want.ConnectionID ||
			got.UserID != want.UserID || got.Subject != want.Subject || got.IsSocial != want.IsSocial {
			t.Errorf("identity %d: %+v, want %+v", i, got, want)
		}
	}
}

func TestIdentityOnTheWire(t *testing.T) {
	const want = `{"connection":"google","user_id":"99","provider":"google-oauth2","isSocial":true,"access_token":"t"}`
	id := sampleUser().Identities[2]
	if got := AppendIdentity(nil, &id, profile.Value(`{"access_token":"t"}`)); string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := AppendIdentity(nil, &id, nil); bytes.Contains(got, []byte("token")) {
		t.Errorf("shows a token unasked: %s", got)
	}
}

func TestDamagedStoredFormIsAnError(t *testing.T) {
	for _, c := range []struct{ name, attrs, sources string }{
		{"not JSON", `{"a":`, `{"s":[],"of":[]}`},
		{"an attribute without a source", `{"a":1}`, `{"s":[{"o":"default","t":1}],"of":[]}`},
		{"a source that is not there", `{"a":1}`, `{"s":[],"of":[0]}`},
		{"sources of another kind", `{"a":1}`, `[]`},
	} {
		if p, err := DecodeProfile([]byte(c.attrs), []byte(c.sources)); err == nil {
			t.Errorf("%s: decoded to %v", c.name, p)
		}
	}
	if _, err := DecodeIdentities([]byte(`[]`), []byte(`[]`)); err == nil {
		t.Error("a user without identities was decoded")
	}
}

func BenchmarkDecodeProfile(b *testing.B) {
	u := sampleUser()
	attrs, sources := EncodeAttributes(u.Profile), EncodeSources(u.Profile)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeProfile(attrs, sources); err != nil {
			b.Fatal(err)
		}
	}
}
