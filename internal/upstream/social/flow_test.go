package social_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/social"
	"mangrove/internal/upstream/social/socialtest"
)

func depart(t *testing.T, name, further string, s upstream.Start) (url.Values, upstream.Departure) {
	t.Helper()
	d := socialtest.Start(t, name)
	s.State, s.CallbackURL = "state-1", socialtest.CallbackURL
	away, err := redirect(t, d).Depart(t.Context(), d.Connection(options(t, further)), s)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(away.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query(), away
}

// What the application and the connection add to an authorization request, and
// what they cannot change (reference/connections.md §3.9).
func TestAuthorizationRequest(t *testing.T) {
	q, away := depart(t, "github", `{"upstream_params":{
		"allow_signup":{"value":"false"}, "lang":{"alias":"ui_locales"}, "absent":{"alias":"acr_values"},
		"state":{"value":"x"}, "redirect_uri":{"value":"https://evil.example"}, "client_id":{"value":"x"}, "code_challenge":{"value":"x"}}}`,
		upstream.Start{LoginHint: "mira", Scopes: []string{"repo", "user:email"}, Params: url.Values{"ui_locales": {"et"}, "prompt": {"select_account"}}})
	for name, want := range map[string]string{
		"allow_signup": "false", "lang": "et", "state": "state-1", "redirect_uri": socialtest.CallbackURL, "client_id": socialtest.ClientID,
		"login_hint": "mira", "prompt": "select_account", "scope": "user:email repo", "response_type": "code", "code_challenge_method": "S256",
	} {
		if q.Get(name) != want || len(q[name]) != 1 {
			t.Errorf("%s is %q, want %q", name, q[name], want)
		}
	}
	if q.Has("absent") || q.Has("nonce") || away.Pending.Nonce != "" {
		t.Errorf("too much: %v", q)
	}
	if away.Pending.Verifier == "" || strings.Contains(away.URL, away.Pending.Verifier) || away.Form != nil {
		t.Error("the verifier is not kept, or not secret")
	}
	q, _ = depart(t, "apple", `{"upstream_params":{"response_mode":{"value":"query"}}}`, upstream.Start{Nonce: "n"})
	if q.Get("response_mode") != "form_post" || q.Get("nonce") != "n" {
		t.Errorf("apple: %v", q)
	}
}

// A code that is redeemed with another verifier, or for another address, is none.
func TestVerifierBelongsToTheTrip(t *testing.T) {
	d := socialtest.Start(t, "github")
	k, c := redirect(t, d), d.Connection(nil)
	s := upstream.Start{State: "s", CallbackURL: socialtest.CallbackURL}
	away, err := k.Depart(t.Context(), c, s)
	if err != nil {
		t.Fatal(err)
	}
	other := away.Pending
	other.Verifier += "x"
	r, err := k.Callback(t.Context(), c, s, other, d.Visit(t, away.URL))
	refused(t, "another verifier", r, err)
	r, err = k.Callback(t.Context(), c, s, upstream.Pending{}, d.Visit(t, away.URL))
	refused(t, "no verifier", r, err)
}

func TestFacebookProof(t *testing.T) {
	d := socialtest.Start(t, "facebook")
	mustLogin(t, d, d.Connection(nil))
	mac := hmac.New(sha256.New, []byte(socialtest.ClientSecret))
	mac.Write([]byte("EAAGm0PX4ZCpsBAKZCZA"))
	if got := d.Sent("profile").Get("appsecret_proof"); got != hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("appsecret_proof %q", got)
	}
}

// GitHub applications without user:email may not read the list: at most the public
// address counts, unproven.
func TestGitHubWithoutTheList(t *testing.T) {
	d := socialtest.Start(t, "github")
	d.Rude(socialtest.Refusal, "emails")
	r := mustLogin(t, d, d.Connection(nil))
	for _, ch := range r.Claims.Attributes {
		if ch.Name == profile.Email || ch.Name == profile.EmailVerified || ch.Name == "emails" {
			t.Errorf("%s is %s", ch.Name, ch.Value)
		}
	}
	d.Rude(socialtest.Failure, "emails") // down is not "may not": the address would be lost
	r, err := d.Login(t.Context(), t, redirect(t, d), d.Connection(nil), upstream.Start{})
	refused(t, "the list is down", r, err)
}

func TestTokensThatAreKept(t *testing.T) {
	for name, want := range map[string]string{
		"github":        `{"access_token":"gho_16C7e42F292c6912E7710c838347Ae178B4a"}`,
		"google-oauth2": `{"access_token":"ya29.a0AfH6SMBx1y2z","expires_in":3599}`,
		"exact":         `{"access_token":"AAEAAGxWulSxg7ZT-MPQMWOqQmssMzGa","refresh_token":"Dj3X!IAAAAFr_KjR8","expires_in":600}`,
	} {
		d := socialtest.Start(t, name)
		if r := mustLogin(t, d, d.Connection(nil)); string(r.Tokens) != want {
			t.Errorf("%s: %s, want %s", name, r.Tokens, want)
		}
	}
}

// Docomo sends an ID token beside the profile: both have to be of one person.
func TestProfileOfSomebodyElse(t *testing.T) {
	d := socialtest.Start(t, "daccount")
	d.SayIDToken([]byte(`{"iss":"https://conf.uw.docomo.ne.jp/","sub":"somebody else","aud":"`+socialtest.ClientID+`","nonce":"nonce-1","exp":99999999999}`), nil)
	r, err := d.Login(t.Context(), t, redirect(t, d), d.Connection(nil), upstream.Start{})
	refused(t, "somebody else", r, err)
}

// Nothing is kept for a logout where the provider has no address for one.
func TestLeave(t *testing.T) {
	for _, name := range socialtest.Cases(t) {
		d := socialtest.Start(t, name)
		leaver, ok := redirect(t, d).(upstream.Leaver)
		if !ok {
			t.Fatalf("%s has no connector that leaves", name)
		}
		_, leaves, err := leaver.Leave(t.Context(), d.Connection(nil), session.Foreign{}, upstream.Start{})
		if err != nil || leaves {
			t.Errorf("%s: leaves without a session there: %v", name, err)
		}
	}
}

// Every strategy has a connector and a Preparer.
func TestTable(t *testing.T) {
	names := social.Strategies()
	connectors, preparers := connector().Connectors(), social.Preparers()
	if len(names) != len(connectors) || len(names) != len(preparers) || !slices.IsSorted(names) {
		t.Errorf("%d strategies, %d connectors, %d preparers", len(names), len(connectors), len(preparers))
	}
}
