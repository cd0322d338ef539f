package social_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/outbound"
	"mangrove/internal/profile"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/social"
	"mangrove/internal/upstream/social/socialtest"
	"mangrove/internal/user"
)

var update = flag.Bool("update", false, "write the golden profiles anew")

func connectorClient() *http.Client {
	return outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
}

func connector() *social.Connector { return socialtest.Connector(connectorClient()) }

// redirect is the connector of a case.
func redirect(t *testing.T, d *socialtest.Double) upstream.Redirect {
	t.Helper()
	k, ok := connector().Connectors()[d.Strategy].(upstream.Redirect)
	if !ok {
		t.Fatalf("%s has no connector", d.Strategy)
	}
	return k
}

func mustLogin(t *testing.T, d *socialtest.Double, c *connection.Connection) upstream.Result {
	t.Helper()
	r, err := d.Login(t.Context(), t, redirect(t, d), c, upstream.Start{})
	if err != nil {
		t.Fatalf("%v; the double says %q", err, d.Complaints())
	}
	return r
}

// TestGolden: everybody signs in twice, with a profile that changed in between,
// under all three sync modes.
func TestGolden(t *testing.T) {
	for _, name := range socialtest.Cases(t) {
		t.Run(name, func(t *testing.T) {
			d := socialtest.Start(t, name)
			c := d.Connection(nil)
			first := mustLogin(t, d, c)
			one, created := firstLogin(t, c, first)
			again := mustLogin(t, d, c)
			if out := signIn(c, profile.EachLogin, &created, again); out.Action != profile.Unchanged {
				t.Errorf("the same answers change %v", out.Changed)
			}
			d.Use(2)
			second := mustLogin(t, d, c)
			if second.Claims.Subject != first.Claims.Subject {
				t.Fatalf("set 2 is of somebody else: %q, not %q", second.Claims.Subject, first.Claims.Subject)
			}
			if second.Tokens == nil || bytes.Equal(second.Tokens, first.Tokens) {
				t.Errorf("tokens %s: set 2 has to have others than set 1", second.Tokens)
			}
			var after [3]json.RawMessage
			for i, mode := range []profile.Sync{profile.EachLogin, profile.FirstLogin, profile.NeverLogin} {
				out := signIn(c, mode, &created, second)
				if mode == profile.EachLogin && out.Action != profile.Updated {
					t.Errorf("set 2 changes nothing: it must add, change and remove something")
				}
				if mode != profile.EachLogin && out.Action != profile.Unchanged {
					t.Errorf("%s changes %v", mode, out.Changed)
				}
				after[i] = user.EncodeAttributes(out.Profile)
			}
			two := socialtest.Second{EachLogin: after[0], FirstLogin: after[1], NeverLogin: after[2]}
			if *update {
				write(t, name, "golden-1.json", one)
				write(t, name, "golden-2.json", two)
				return
			}
			wantOne, wantTwo := socialtest.Golden(t, name)
			equal(t, "golden-1.json", one, wantOne)
			equal(t, "golden-2.json", two, wantTwo)
		})
	}
}

func firstLogin(t *testing.T, c *connection.Connection, r upstream.Result) (socialtest.First, profile.Profile) {
	t.Helper()
	out := signIn(c, profile.EachLogin, nil, r)
	if out.Action != profile.Created {
		t.Fatalf("the first login: %v", out.Refusal)
	}
	if len(out.Dropped) > 0 {
		t.Errorf("dropped: %v", out.Dropped)
	}
	if refused := signIn(c, profile.NeverLogin, nil, r); refused.Action != profile.Refused {
		t.Error("never_on_login made somebody")
	}
	local := connection.IdentityUserID(c.Strategy, c.Name, r.Claims.Subject)
	var shown struct {
		UserID json.RawMessage `json:"user_id"`
	}
	identity := user.AppendIdentity(nil, &user.Identity{Provider: c.Strategy, Connection: c.Name, UserID: local, IsSocial: true}, nil)
	if err := json.Unmarshal(identity, &shown); err != nil {
		t.Fatal(err)
	}
	return socialtest.First{Subject: r.Claims.Subject, UserID: shown.UserID, Profile: user.EncodeAttributes(out.Profile)}, out.Profile
}

func signIn(c *connection.Connection, mode profile.Sync, known *profile.Profile, r upstream.Result) profile.Outcome {
	facts := c.Facts()
	facts.Sync = mode
	src := profile.Source{Origin: profile.FromUpstream, Connection: c.ID, At: 1}
	return profile.Login(facts, known, r.Claims, src, profile.Defaults{})
}

func write(t *testing.T, name, file string, v any) {
	t.Helper()
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("socialtest", "testdata", name, file), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	g, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	w, err := json.MarshalIndent(want, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(g, w) {
		t.Errorf("%s: got %s\nwant %s", what, g, w)
	}
}

// TestEveryStrategyHasACase: a social strategy without provider, fixtures and
// golden profiles is not done.
func TestEveryStrategyHasACase(t *testing.T) {
	cases := socialtest.Cases(t)
	for _, name := range connection.Strategies() {
		if s, _ := connection.StrategyOf(name); s.Group != connection.SocialGroup {
			continue
		}
		if social.Find(name, nil) == nil {
			t.Errorf("%s has no provider", name)
		}
		i := slices.IndexFunc(cases, func(c string) bool { return socialtest.StrategyOf(c) == name })
		if i < 0 {
			t.Errorf("%s has no fixtures", name)
		} else if !socialtest.HasGolden(cases[i]) {
			t.Errorf("%s has no golden profiles", name)
		}
	}
}

// options are members of an object.
func options(t *testing.T, object string) map[string]json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &m); err != nil {
		t.Fatal(err)
	}
	return m
}
