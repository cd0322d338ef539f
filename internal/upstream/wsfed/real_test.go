package wsfed

import (
	"errors"
	"strings"
	"testing"

	"mangrove/internal/profile"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/idptest"
)

const soap = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"

// Two providers that are not ours, twice each, with a profile that changes in between,
// under the three modes of sync.
func TestRealProviders(t *testing.T) {
	check := func(t *testing.T, r *rig, set func(string, map[string][]string)) {
		t.Helper()
		login := func(name, email string) upstream.Result {
			t.Helper()
			set("carol", map[string][]string{
				soap + "name": {name}, soap + "emailaddress": {email}, soap + "givenname": {"Carol"},
				"http://schemas.xmlsoap.org/claims/Group": {"a", "b"}, "http://corp.example/department": {"R&D <ü>"},
			})
			to, err := r.depart(start())
			if err != nil {
				t.Fatal(err)
			}
			answer := idptest.NewBrowser(t).Visit(to.String(), nil, "carol", callbackURL)
			got, err := r.comeBack(answer.Values())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.comeBack(answer.Values()); !errors.Is(err, upstream.ErrRefused.Because(nil)) {
				t.Errorf("the same token again: %v", err)
			}
			bad := answer.Values()
			bad.Set("wresult", strings.Replace(bad.Get("wresult"), name, "Mallory", 1))
			if _, err := r.comeBack(bad); !errors.Is(err, upstream.ErrRefused.Because(nil)) {
				t.Errorf("another name: %v", err)
			}
			return got
		}
		first, second, again := login("Carol Lind", "carol@a.example"), login("Carol Berg", "carol@b.example"), login("Carol Berg", "carol@b.example")
		want := map[string]string{
			"name": `"Carol Lind"`, "email": `"carol@a.example"`, "email_verified": "false", "given_name": `"Carol"`,
			"groups": `["a","b"]`, "department": `"R&D <ü>"`,
		}
		got := values(first.Claims.Attributes)
		for name, v := range want {
			if got[name] != v {
				t.Errorf("%s: %s, want %s", name, got[name], v)
			}
		}
		if first.Claims.Subject != "carol" || second.Claims.Subject != "carol" || first.Foreign.Name != "carol" || got["issuer"] == "" {
			t.Errorf("%v %v", first, second)
		}
		for _, row := range []struct {
			mode profile.Sync
			name string // after the second login; empty: nobody
		}{{profile.EachLogin, `"Carol Berg"`}, {profile.FirstLogin, `"Carol Lind"`}, {profile.NeverLogin, ""}} {
			c := r.connection()
			c.Options = []byte(`{"set_user_root_attributes":"` + string(row.mode) + `"}`)
			facts := c.Facts()
			created := profile.Login(facts, nil, first.Claims, profile.Source{Origin: profile.FromUpstream}, profile.Defaults{})
			if row.name == "" {
				if created.Action != profile.Refused {
					t.Errorf("%s: %v", row.mode, created)
				}
				continue
			}
			later := profile.Login(facts, &created.Profile, second.Claims, profile.Source{Origin: profile.FromUpstream}, profile.Defaults{})
			if v := string(later.Profile.Value("name")); created.Action != profile.Created || v != row.name {
				t.Errorf("%s: %s", row.mode, v)
			}
			if o := profile.Login(facts, &later.Profile, again.Claims, profile.Source{Origin: profile.FromUpstream}, profile.Defaults{}); o.Action != profile.Unchanged {
				t.Errorf("%s: a login that changes nothing changes %v", row.mode, o.Changed)
			}
		}
	}
	t.Run("SimpleSAMLphp", func(t *testing.T) {
		idp := idptest.StartSimpleSAML(t)
		idp.TrustRealm(ourRealm, callbackURL)
		check(t, newRig(t, map[string]any{"fedMetadataXml": idp.WSFedMetadata()}), idp.SetPerson)
	})
	t.Run("wsfed", func(t *testing.T) {
		idp := idptest.StartSAMLP(t)
		check(t, newRig(t, map[string]any{"adfs_server": idp.WSFedMetadata()}), idp.SetPerson)
	})
}

// Signing out ends the session of the provider: it asks for the password again.
func TestSignOutAtSimpleSAMLphp(t *testing.T) {
	idp := idptest.StartSimpleSAML(t)
	idp.TrustRealm(ourRealm, callbackURL)
	r := newRig(t, map[string]any{"fedMetadataXml": idp.WSFedMetadata()})
	to, err := r.depart(start())
	if err != nil {
		t.Fatal(err)
	}
	browser := idptest.NewBrowser(t)
	answer := browser.Visit(to.String(), nil, "carol", callbackURL)
	if again := browser.Visit(to.String(), nil, "nobody", callbackURL); again.Form.Get("wresult") == "" || answer.Form.Get("wresult") == "" {
		t.Fatal("there is no session to end")
	}
	const after = "https://id.example/logout"
	got, err := r.comeBack(answer.Values())
	if err != nil {
		t.Fatal(err)
	}
	away, ok, err := r.connector.Leave(t.Context(), r.connection(), got.Foreign, upstream.Start{State: "s", CallbackURL: after})
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	// On the way SimpleSAMLphp tells everybody who has a session, and waits for each.
	cleanup := browser.Visit(away.URL, nil, "nobody", callbackURL)
	m := upstream.SignOutMessage{Params: cleanup.Values()}
	of := r.connector.Speaks(m)
	if of == nil || !of(r.connection()) {
		t.Fatalf("not understood: %v", cleanup)
	}
	asked, err := r.connector.ReadSignOut(t.Context(), r.connection(), m)
	if err != nil || !asked.Here || asked.Name != "" {
		t.Fatal(asked, err)
	}
	back, ok, err := r.connector.AnswerSignOut(t.Context(), r.connection(), m, asked)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	browser.Visit(back.URL, nil, "nobody", after)
	idp.SetPerson("dave", map[string][]string{soap + "name": {"Dave"}})
	answer = browser.Visit(to.String(), nil, "dave", callbackURL)
	if got, err = r.comeBack(answer.Values()); err != nil || got.Claims.Subject != "dave" {
		t.Errorf("%v %v", got, err)
	}
}
