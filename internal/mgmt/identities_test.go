package mgmt

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

const annIdentities = "/users/auth0%7Cann/identities"

// addBob makes a second user of the database, with metadata.
func addBob(t *testing.T, w *world) user.ID {
	t.Helper()
	u, err := w.api.Users.Create(t.Context(), user.CreateRequest{Connection: "Users", UserID: "bob", Password: "bob's " + password, Changes: []profile.Change{
		{Name: "email", Value: profile.Text("bob@example.com")},
		{Name: "given_name", Value: profile.Text("Bob")},
		{Name: "user_metadata", Value: profile.Value(`{"secret":"of bob"}`)},
	}}, user.Actor{ClientID: machineID})
	must(t, err)
	return u.ID
}

// idToken is an ID token of the user for a client.
func (w *world) idToken(t *testing.T, subject, clientID string, lifetime time.Duration) string {
	t.Helper()
	raw, err := w.issuer.IDToken(t.Context(), token.Identity{Subject: subject, ClientID: clientID, Lifetime: lifetime, AccessToken: "x"})
	must(t, err)
	return raw
}

func TestReadLink(t *testing.T) {
	for body, want := range map[string]string{
		`{"link_with":"a.b.c"}`:                                                "",
		`{"provider":"auth0","user_id":"bob"}`:                                 "",
		`{"provider":"auth0","user_id":12345678901234567890}`:                  "Value 12345678901234567890 is greater than maximum 9007199254740991' on property user_id",
		`{"provider":"auth0","user_id":9007199254740991}`:                      "",
		`{"provider":"auth0","user_id":"b","connection_id":"` + usersID + `"}`: "",
		`{}`:                   "Too few properties defined (0), minimum 1",
		`{"provider":"auth0"}`: "Missing required property: user_id",
		`{"user_id":"bob"}`:    "Missing required property: provider",
		`{"connection_id":"con_Users00000000000"}`:                   "Missing required property: provider",
		`{"provider":"auth0","user_id":""}`:                          "String is too short (0 chars), minimum 1' on property user_id",
		`{"provider":"auth0","user_id":1.5}`:                         "Expected type string,integer but found type number' on property user_id",
		`{"provider":"auth0","user_id":null}`:                        "on property user_id",
		`{"provider":"nobody","user_id":"x"}`:                        "No enum match for: nobody' on property provider",
		`{"provider":"auth0","user_id":"x","connection_id":"con_1"}`: `String does not match pattern ^con_[A-Za-z0-9]{16}$: con_1' on property connection_id`,
		`{"link_with":"a","provider":"auth0","user_id":"x"}`:         "Additional properties not allowed: provider,user_id",
		`{"link_with":1}`:                                            "Expected type string but found type integer' on property link_with",
		`{"link_with":"a","foo":1}`:                                  "Additional properties not allowed: foo",
	} {
		t.Run(body, func(t *testing.T) {
			members, err := strictjson.Object([]byte(body))
			must(t, err)
			got, err := readLink(members)
			switch {
			case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("error %v, want %q", err, want)
			case err == nil && (got.token == "") == (got.req.Provider == "" || got.req.UserID == ""):
				t.Errorf("got %+v", got)
			}
		})
	}
	for _, number := range []string{"1500", "15e2", "1500.0"} {
		members, err := strictjson.Object([]byte(`{"provider":"github","user_id":` + number + `}`))
		must(t, err)
		if b, err := readLink(members); err != nil || b.req.UserID != "1500" {
			t.Errorf("%s became %q, %v", number, b.req.UserID, err)
		}
	}
}

// The law: what is read names the second user in exactly one of the two ways.
func FuzzReadLink(f *testing.F) {
	f.Add([]byte(`{"link_with":"a.b.c"}`))
	f.Add([]byte(`{"provider":"auth0","user_id":1e2,"connection_id":"con_Users00000000000"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		members, err := strictjson.Object(body)
		if err != nil {
			return
		}
		b, err := readLink(members)
		if err != nil {
			return
		}
		if named := b.req.Provider != "" && b.req.UserID != ""; named && b.token != "" || !named && b.req != (user.LinkRequest{}) {
			t.Fatalf("%s: %+v", body, b)
		}
	})
}

func TestLinkAndUnlink(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bob := addBob(t, w)
		bearer := w.machine(t, "update:users read:users read:user_idp_tokens")
		roots := func() string {
			rec := w.call(t, "GET", "/users/auth0%7Cann?fields=email,name,nickname,picture,user_metadata,user_id", bearer, "")
			return rec.Body.String()
		}
		before := roots()

		rec := w.call(t, "POST", annIdentities, bearer, `{"provider":"auth0","user_id":"auth0|bob"}`) // the whole id, as recorded
		answers(t, rec, 201, []string{
			`[{"profileData":{"email":"ann@example.com","email_verified":false,"name":"Ann"},"connection":"Users","user_id":"ann","provider":"auth0","isSocial":false},`,
			`{"profileData":{"email":"bob@example.com","email_verified":false,"given_name":"Bob"},"connection":"Users","user_id":"bob","provider":"auth0","isSocial":false}]`,
		}, []string{"of bob", "$2"})
		rec = w.call(t, "POST", annIdentities, bearer, `{"provider":"google-oauth2","user_id":117,"connection_id":"`+googleID+`"}`)
		answers(t, rec, 201, []string{`"isSocial":true`, `"user_id":"117"`}, []string{"upstream-secret"})
		if got := roots(); got != before {
			t.Errorf("the first user became %s", got)
		}
		for _, id := range []string{"/users/auth0%7Cbob", "/users/google-oauth2%7C117"} {
			answers(t, w.call(t, "GET", id, bearer, ""), 404, nil, nil)
		}
		answers(t, w.call(t, "DELETE", "/users/auth0%7Cbob", w.machine(t, "delete:users"), ""), 204, nil, nil)
		answers(t, w.call(t, "GET", "/users/auth0%7Cann", bearer, ""), 200, []string{"upstream-secret", `"user_id":"bob"`}, nil)
		answers(t, w.call(t, "POST", annIdentities, bearer, `{"provider":"auth0","user_id":"bob"}`), 409,
			[]string{`{"statusCode":409,"error":"Conflict","message":"Specified identity already exists.","errorCode":"conflict"}`}, nil)

		// Both passwords sign in, each with its own e-mail, as the first user.
		users, err := w.store.Connection(t.Context(), usersID)
		must(t, err)
		signIn := func(email, password string) user.ID {
			u, err := w.api.Users.Authenticate(t.Context(), users, email, password, user.Actor{})
			if err != nil {
				return ""
			}
			return u.ID
		}
		for _, c := range []struct {
			email, password string
			want            user.ID
		}{
			{"ann@example.com", password, w.ann},
			{"bob@example.com", "bob's " + password, w.ann},
			{"bob@example.com", password, ""},
			{"ann@example.com", "bob's " + password, ""},
		} {
			if got := signIn(c.email, c.password); got != c.want {
				t.Errorf("%s signs in as %q", c.email, got)
			}
		}
		google, err := w.store.Connection(t.Context(), googleID)
		must(t, err)
		gus, err := w.api.Users.Federate(t.Context(), google, profile.Claims{Subject: "117", Attributes: []profile.Change{
			{Name: "name", Value: profile.Text("Gustav")},
		}, Raw: profile.Value(`{"sub":"117","name":"Gustav"}`)}, profile.Value(`{"access_token":"newer"}`), user.Actor{})
		if err != nil || gus.ID != w.ann || gus.Profile.Text("name") != "Ann" || gus.Identities[2].ProfileData.Text("name") != "Gustav" {
			t.Errorf("the upstream login: %+v, %v", gus, err)
		}
		// The e-mail of a linked identity stays taken.
		answers(t, w.call(t, "POST", "/users", w.machine(t, "create:users"), `{"connection":"Users","email":"bob@example.com","password":"`+password+`"}`), 409, nil, nil)
		// The profile data of the primary follows the profile.
		answers(t, w.call(t, "PATCH", "/users/auth0%7Cann", bearer, `{"name":"Ann Lee"}`), 200, []string{`"email_verified":false,"name":"Ann Lee"},"connection"`}, nil)

		rec = w.call(t, "DELETE", annIdentities+"/auth0/bob", bearer, "")
		answers(t, rec, 200, []string{`[{"profileData":{"email":"ann@example.com"`, `"user_id":"117"`}, []string{"bob", "upstream-secret", "newer"})
		answers(t, w.call(t, "GET", "/users/auth0%7Cbob", bearer, ""), 200, []string{
			`"email":"bob@example.com"`, `"given_name":"Bob"`, `"name":"bob@example.com"`, `"nickname":"bob"`, `"created_at":"` + iso(at) + `"`,
			`"identities":[{"connection":"Users","user_id":"bob"`,
		}, []string{"of bob", "profileData", "logins_count"})
		if got := signIn("bob@example.com", "bob's "+password); got != bob {
			t.Errorf("bob signs in as %q", got)
		}
		rec = w.call(t, "DELETE", annIdentities+"/google-oauth2/google-oauth2%7C117", bearer, "")
		answers(t, rec, 200, []string{`[{"profileData":{`}, []string{"117"})
		answers(t, w.call(t, "GET", "/users/google-oauth2%7C117", bearer, ""), 200, []string{`"name":"Gustav"`, `"access_token":"newer"`}, nil)
		answers(t, w.call(t, "DELETE", annIdentities+"/google-oauth2/117", bearer, ""), 400, []string{"The user exists, but does not contain the given identity."}, nil)

		// What was parted may be joined again.
		answers(t, w.call(t, "POST", annIdentities, bearer, `{"provider":"auth0","user_id":"bob"}`), 201, nil, nil)
	})
}

// A secondary identity of another database is edited by its connection's name.
func TestPatchOfALinkedIdentity(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		const staffID = "con_Staff00000000000"
		c := connection.Connection{
			ID: staffID, Name: "Staff", Strategy: "auth0", Options: json.RawMessage(`{"passwordPolicy":"low"}`), EnabledClients: []string{machineID},
			Realms: []string{"Staff"}, Extra: json.RawMessage(`{}`), Version: 1, CreatedAt: at, UpdatedAt: at,
		}
		must(t, w.store.CreateConnection(t.Context(), &c, audit.Event{Type: audit.APIOperation, At: at}))
		bearer := w.machine(t, "update:users create:users")
		answers(t, w.call(t, "POST", "/users", bearer, `{"connection":"Staff","email":"ann@staff.example","user_id":"staff-ann","password":"`+password+`"}`), 201, nil, nil)
		answers(t, w.call(t, "POST", annIdentities, bearer, `{"provider":"auth0","user_id":"staff-ann"}`), 201, nil, nil)
		answers(t, w.call(t, "PATCH", "/users/auth0%7Cann", bearer, `{"connection":"Staff","password":"the new `+password+`"}`), 200, nil, []string{"last_password_reset"})
		answers(t, w.call(t, "PATCH", "/users/auth0%7Cann", bearer, `{"connection":"Staff","email_verified":true}`), 200, []string{`"email":"ann@staff.example","email_verified":true`}, nil)
		answers(t, w.call(t, "PATCH", "/users/auth0%7Cann", bearer, `{"connection":"Staff","name":"x"}`), 400, []string{"The specified connection belongs to a secondary identity."}, nil)
		for _, row := range []struct {
			c        *connection.Connection
			email    string
			password string
			ok       bool
		}{
			{&c, "ann@staff.example", "the new " + password, true},
			{&c, "ann@staff.example", password, false},
		} {
			u, err := w.api.Users.Authenticate(t.Context(), row.c, row.email, row.password, user.Actor{})
			if (err == nil) != row.ok || err == nil && u.ID != w.ann {
				t.Errorf("%s: %v, %v", row.password, u, err)
			}
		}
	})
}

func TestLinkRefusals(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bob := addBob(t, w)
		blocked, err := w.api.Users.Create(t.Context(), user.CreateRequest{Connection: "Users", UserID: "carl", Password: password, Changes: []profile.Change{
			{Name: "email", Value: profile.Text("carl@example.com")}, {Name: "blocked", Value: profile.Bool(true)},
		}}, user.Actor{ClientID: machineID})
		must(t, err)
		bearer := w.machine(t, "update:users")
		own := w.of(t, w.ann, "update:current_user_identities")
		foreign := (&token.Issuer{Keys: newRing(t, otherKey(), w.clock.now), URL: publicURL + "/", Now: w.clock.now})
		forged, err := foreign.IDToken(t.Context(), token.Identity{Subject: string(bob), ClientID: machineID, Lifetime: time.Hour, AccessToken: "x"})
		must(t, err)
		elsewhere := (&token.Issuer{Keys: w.keys, URL: "https://other.example/", Now: w.clock.now})
		otherIssuer, err := elsewhere.IDToken(t.Context(), token.Identity{Subject: string(bob), ClientID: machineID, Lifetime: time.Hour, AccessToken: "x"})
		must(t, err)
		access := w.sign(t, token.Access{Subject: string(bob), Audience: []string{machineID}})
		with := func(raw string) string { return `{"link_with":"` + raw + `"}` }
		good := w.idToken(t, string(bob), machineID, time.Hour)
		const nobody = "/users/auth0%7Cnobody/identities"
		for _, row := range []struct {
			name, method, path, bearer, body string
			status                           int
			text                             string
		}{
			{"no scope", "POST", annIdentities, w.machine(t, "read:users"), `{"provider":"auth0","user_id":"bob"}`, 403, "Insufficient scope, expected any of: update:users,update:current_user_identities"},
			{"machine with a user's scope", "POST", annIdentities, w.machine(t, "update:current_user_identities"), `{"provider":"auth0","user_id":"bob"}`, 403, "User to be acted on does not match subject in bearer token."},
			{"user without a proof", "POST", annIdentities, own, `{"provider":"auth0","user_id":"bob"}`, 403, "Insufficient scope, expected any of: update:users"},
			{"user, to another", "POST", "/users/auth0%7Cbob/identities", own, with(good), 403, "User to be acted on does not match subject in bearer token."},
			{"user, from another", "DELETE", "/users/auth0%7Cbob/identities/auth0/x", own, "", 403, "does not match subject"},
			{"bad id", "POST", "/users/ann/identities", bearer, `{"provider":"auth0","user_id":"bob"}`, 400, "invalid_uri"},
			{"bad body", "POST", nobody, bearer, `{"provider":"auth0"}`, 400, "invalid_body"},
			{"no body", "POST", annIdentities, bearer, ``, 415, "Unsupported"},
			{"nobody", "POST", nobody, bearer, `{"provider":"auth0","user_id":"bob"}`, 404, "inexistent_user"},
			{"itself", "POST", annIdentities, bearer, `{"provider":"auth0","user_id":"ann"}`, 400, "Main identity and the new one are the same."},
			{"itself by its whole id", "POST", annIdentities, bearer, `{"provider":"auth0","user_id":"auth0|ann"}`, 400, "Main identity and the new one are the same."},
			{"itself by a proof", "POST", annIdentities, own, with(w.idToken(t, string(w.ann), machineID, time.Hour)), 400, "Main identity and the new one are the same."},
			{"a provider without connections", "POST", annIdentities, bearer, `{"provider":"twitter","user_id":"bob"}`, 400, "The provider/connection is not configured."},
			{"no such connection", "POST", annIdentities, bearer, `{"provider":"auth0","user_id":"bob","connection_id":"con_Nowhere000000000"}`, 400, "The provider/connection is not configured."},
			{"the connection of another provider", "POST", annIdentities, bearer, `{"provider":"auth0","user_id":"bob","connection_id":"` + smsID + `"}`, 400, "The provider/connection is not configured."},
			{"unknown user", "POST", annIdentities, bearer, `{"provider":"auth0","user_id":"zoe"}`, 400, "Linking to an inexistent identity requires a connection."},
			{"unknown user of a connection", "POST", annIdentities, bearer, `{"provider":"auth0","user_id":"zoe","connection_id":"` + usersID + `"}`, 400, "Linking to an inexistent identity is not allowed."},
			{"user of another connection", "POST", annIdentities, bearer, `{"provider":"auth0","user_id":"bob","connection_id":"` + disabledID + `"}`, 400, "Linking to an inexistent identity is not allowed."},
			{"blocked user", "POST", annIdentities, bearer, `{"provider":"auth0","user_id":"carl"}`, 400, "Unable to link with the secondary account."},
			{"blocked user with a proof", "POST", annIdentities, own, with(w.idToken(t, string(blocked.ID), machineID, time.Hour)), 400, "Unable to link with the secondary account."},
			{"not a token", "POST", annIdentities, own, with("abc"), 400, "Invalid token (link_with)."},
			{"a token of three dots", "POST", annIdentities, own, with(good + ".x"), 400, "Invalid token (link_with)."},
			{"signed by somebody else", "POST", annIdentities, own, with(forged), 400, "Invalid token (link_with)."},
			{"changed signature", "POST", annIdentities, own, with(good[:len(good)-6] + "AAAAAA"), 400, "Invalid token (link_with)."},
			{"expired", "POST", annIdentities, own, with(w.idToken(t, string(bob), machineID, -time.Second)), 400, "Invalid token (link_with)."},
			{"an access token", "POST", annIdentities, own, with(access), 400, "Invalid token (link_with)."},
			{"without a signature", "POST", annIdentities, own, with(unsigned(good)), 400, "JWT (link_with) must have an alg of RS256."},
			{"another issuer", "POST", annIdentities, own, with(otherIssuer), 400, "JWT (link_with) must have the same issuer as the calling user."},
			{"for another client", "POST", annIdentities, own, with(w.idToken(t, string(bob), "other", time.Hour)), 400, "JWT (link_with) must have an aud claim that matches that of the calling token's azp."},
			{"no user", "POST", annIdentities, own, with(w.idToken(t, "machine", machineID, time.Hour)), 400, "JWT (link_with) contains an invalid sub claim."},
			{"a user who is gone", "POST", annIdentities, own, with(w.idToken(t, "auth0|gone", machineID, time.Hour)), 400, "Provided secondary account not found."},
			{"unlinks the main identity", "DELETE", annIdentities + "/auth0/ann", bearer, "", 400, "Main identity cannot be removed."},
			{"unlinks what is not linked", "DELETE", annIdentities + "/auth0/bob", bearer, "", 400, "The user exists, but does not contain the given identity."},
			{"unlinks from nobody", "DELETE", nobody + "/auth0/bob", bearer, "", 404, "inexistent_user"},
			{"an unknown provider", "DELETE", annIdentities + "/nobody/bob", bearer, "", 400, "Path validation error: 'No enum match for: nobody' on property provider"},
		} {
			t.Run(row.name, func(t *testing.T) {
				before := w.stored(t, w.ann) + w.stored(t, bob) + w.stored(t, blocked.ID)
				answers(t, w.call(t, row.method, row.path, row.bearer, row.body), row.status, []string{row.text}, nil)
				if w.stored(t, w.ann)+w.stored(t, bob)+w.stored(t, blocked.ID) != before {
					t.Error("changed by a refused call")
				}
			})
		}
		// The twin that is accepted; its proof is of no use a second time.
		answers(t, w.call(t, "POST", annIdentities, own, with(good)), 201, []string{`"user_id":"bob"`}, nil)
		answers(t, w.call(t, "POST", annIdentities, own, with(good)), 400, []string{"Provided secondary account not found."}, nil)
		answers(t, w.call(t, "GET", "/users/auth0%7Cbob", w.of(t, bob, "read:current_user"), ""), 401, nil, nil)
		answers(t, w.call(t, "DELETE", annIdentities+"/auth0/bob", own, ""), 200, nil, []string{"bob"})
	})
}

// unsigned is the token with alg none.
func unsigned(raw string) string {
	_, rest, _ := strings.Cut(raw, ".")
	body, _, _ := strings.Cut(rest, ".")
	return "eyJhbGciOiJub25lIn0." + body + "."
}

// An identity whose connection is gone goes without becoming a user.
func TestUnlinkOfADeletedConnection(t *testing.T) {
	w := newWorld(t)
	bearer := w.machine(t, "update:users read:users delete:connections")
	answers(t, w.call(t, "POST", annIdentities, bearer, `{"provider":"google-oauth2","user_id":"117"}`), 201, nil, nil)
	answers(t, w.call(t, "DELETE", "/connections/"+googleID, bearer, ""), 202, nil, nil)
	answers(t, w.call(t, "DELETE", annIdentities+"/google-oauth2/117", bearer, ""), 200, []string{`"user_id":"ann"`}, []string{"117"})
	answers(t, w.call(t, "GET", "/users/google-oauth2%7C117", bearer, ""), 404, nil, nil)
}

// A block is not shaken off by unlinking, and each step has its record.
func TestUnlinkOfABlockedUser(t *testing.T) {
	w := newWorld(t)
	addBob(t, w)
	bearer := w.machine(t, "update:users read:users")
	steps := []*httptest.ResponseRecorder{
		w.call(t, "POST", annIdentities, bearer, `{"provider":"auth0","user_id":"bob"}`),
		w.call(t, "PATCH", "/users/auth0%7Cann", bearer, `{"blocked":true}`),
		w.call(t, "DELETE", annIdentities+"/auth0/bob", bearer, ""),
	}
	for i, want := range []int{201, 200, 200} {
		answers(t, steps[i], want, nil, nil)
	}
	answers(t, w.call(t, "GET", "/users/auth0%7Cbob", bearer, ""), 200, []string{`"blocked":true`}, nil)
}
