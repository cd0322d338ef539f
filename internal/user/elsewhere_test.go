package user_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/opt"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/ticket"
	"mangrove/internal/user"
)

// keeper is an external store that does what it is asked, in Go: people by their id. It
// is a stand-in for what others write; what it is asked, in which order, is under test.
type keeper struct {
	mu      sync.Mutex
	people  map[string]map[string]any
	answers map[customdb.Action]any // instead of its own: an error, or the JSON text of an answer
	then    func(customdb.Action)   // called after each change
	calls   []string
	created json.RawMessage // the last user object
}

func (k *keeper) by(identifier string) map[string]any {
	for _, p := range k.people {
		for _, name := range []string{"email", "username", "phone_number"} {
			if s, _ := p[name].(string); s != "" && strings.EqualFold(s, identifier) {
				return p
			}
		}
	}
	return nil
}

func (k *keeper) Run(_ context.Context, _ *connection.Connection, call customdb.Call) (customdb.Answer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	line := string(call.Action)
	for _, a := range call.Args {
		switch {
		case a.Name == customdb.ArgUser:
			k.created = a.Value
		case string(a.Value) == "true", string(a.Value) == "false":
			line += " " + string(a.Value)
		default:
			line += " " + profile.TextOf(a.Value)
		}
	}
	k.calls = append(k.calls, line)
	if instead, ok := k.answers[call.Action]; ok {
		if err, ok := instead.(error); ok {
			return customdb.Answer{}, err
		}
		return customdb.Answer{Value: json.RawMessage(instead.(string))}, nil
	}
	answer, err := k.answer(call)
	if k.then != nil {
		k.then(call.Action)
	}
	return customdb.Answer{Value: answer}, err
}

func (k *keeper) answer(call customdb.Call) (json.RawMessage, error) {
	arg := func(name string) string { return profile.TextOf(call.Arg(name)) }
	p := k.by(arg(customdb.ArgIdentifier) + arg(customdb.ArgEmail))
	switch call.Action {
	case customdb.Create:
		made := map[string]any{}
		_ = json.Unmarshal(call.Arg(customdb.ArgUser), &made)
		made["user_id"] = "new-1"
		for _, name := range []string{"client_id", "tenant", "connection", "user_metadata", "app_metadata", "blocked"} {
			delete(made, name) // the store does not keep them
		}
		made["email_verified"] = false
		k.people["new-1"] = made
		return profile.Null, nil
	case customdb.Delete:
		delete(k.people, arg(customdb.ArgID))
		return profile.Null, nil
	case customdb.GetUser, customdb.Login:
		switch {
		case p == nil && call.Action == customdb.GetUser:
			return profile.Null, nil
		case p == nil:
			return nil, &customdb.Failure{Kind: customdb.Wrong}
		case call.Action == customdb.Login && p["password"] != arg(customdb.ArgPassword):
			return nil, &customdb.Failure{Kind: customdb.Wrong, UserID: p["user_id"].(string)}
		}
		b, err := json.Marshal(p)
		return b, err
	}
	if p == nil {
		return profile.Bool(false), nil
	}
	switch call.Action {
	case customdb.Verify:
		p["email_verified"] = true
	case customdb.ChangePassword:
		p["password"] = arg(customdb.ArgNewPassword)
		return json.RawMessage(`{"last_password_reset":1790000123456}`), nil
	case customdb.ChangeEmail:
		p["email"], p["email_verified"] = arg(customdb.ArgNewEmail), string(call.Arg(customdb.ArgVerified)) == "true"
	case customdb.ChangeUsername:
		p["username"] = arg(customdb.ArgUsername)
	case customdb.ChangePhoneNumber:
		p["phone_number"] = arg(customdb.ArgPhoneNumber)
	}
	return profile.Bool(true), nil
}

// asked are the calls since the last look.
func (k *keeper) asked() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := k.calls
	k.calls = nil
	return list
}

func (k *keeper) expect(t *testing.T, about string, want ...string) {
	t.Helper()
	if got := k.asked(); !slices.Equal(got, want) {
		t.Errorf("%s: asked %q, want %q", about, got, want)
	}
}

// ann is in every store, with the id legacy|7.
func aStore() *keeper {
	return &keeper{
		people: map[string]map[string]any{"legacy|7": {
			"user_id": "legacy|7", "email": "Ann@shop.example", "username": "ann", "phone_number": "+4790000001", "email_verified": false, "password": strongPassword,
		}},
		answers: map[customdb.Action]any{},
	}
}

// elsewhere makes a custom database with every action; more are further options.
func (h *house) elsewhere(name, more string, k *keeper) *connection.Connection {
	c := h.custom(name, `{"enabledDatabaseCustomization":true,"attributes":{"email":{"identifier":{"active":true}},"username":{"identifier":{"active":true}},"phone_number":{"identifier":{"active":true}}},`+
		`"customScripts":{"login":"x","get_user":"x","create":"x","verify":"x","change_password":"x","change_email":"x","change_username":"x","change_phone_number":"x","delete":"x"}`+more+`}`, nil)
	h.External = k
	return c
}

// without takes actions away, by replacing the scripts of a connection.
func (h *house) without(c *connection.Connection, actions ...string) *connection.Connection {
	o := map[string]any{}
	_ = json.Unmarshal(c.Options, &o)
	for _, a := range actions {
		delete(o["customScripts"].(map[string]any), a)
	}
	b, err := json.Marshal(o)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.options(c, string(b))
}

// arrive signs Ann in, so that she is here.
func (h *house) arrive(c *connection.Connection, k *keeper) *user.User {
	h.t.Helper()
	u, err := h.Authenticate(h.t.Context(), c, "ann@shop.example", strongPassword, admin)
	if err != nil {
		h.t.Fatal(err)
	}
	k.asked()
	return u
}

// lastOf is the newest record of a type; the zero Event: there is none.
func lastOf(t *testing.T, h *house, kind string) (last audit.Event) {
	t.Helper()
	for _, e := range eventsOf(t, h) {
		if e.Type == kind && e.ID > last.ID {
			last = e
		}
	}
	return last
}

const (
	strongPassword  = "Correct-horse-4-battery"
	anotherPassword = "Another-9-good-long-one"
)

func TestCreateInAnExternalStore(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		k := aStore()
		c := h.elsewhere("ext", "", k)
		h.Tenant = "id.shop.example"
		req := user.CreateRequest{Connection: c.Name, Password: strongPassword, Changes: changes("email", `"Bo@Shop.example"`, "username", `"Bo"`, "given_name", `"Bo"`,
			"user_metadata", `{"lang":"fi"}`, "app_metadata", `{"plan":"full"}`, "blocked", `false`)}
		u, err := h.Create(t.Context(), req, admin)
		if err != nil {
			t.Fatal(err)
		}
		k.expect(t, "POST /users", "get_user Bo@Shop.example", "create", "login Bo@Shop.example "+strongPassword)
		if want := `{"client_id":"app","tenant":"id.shop.example","connection":"ext","password":"` + strongPassword + `","email":"Bo@Shop.example","username":"Bo",` +
			`"user_metadata":{"lang":"fi"},"app_metadata":{"plan":"full"},"blocked":false,"given_name":"Bo"}`; string(k.created) != want {
			t.Errorf("created %s", k.created)
		}
		stored := h.read(u.ID)
		if u.ID != "auth0|new-1" || stored.Password.Hash != "" || stored.Logins.Count != 0 {
			t.Errorf("%s, %+v, %+v", u.ID, stored.Password, stored.Logins)
		}
		for name, want := range map[string]string{"email": `"Bo@Shop.example"`, "given_name": `"Bo"`, "user_metadata": `{"lang":"fi"}`, "app_metadata": `{"plan":"full"}`, "email_verified": "false"} {
			if got := string(stored.Profile.Value(name)); got != want {
				t.Errorf("%s is %s", name, got)
			}
		}
		if stored.Profile.Has("password") {
			t.Error("the password is in the profile")
		}
		if a, _ := stored.Profile.Get("given_name"); a.Source.Origin != profile.FromScript {
			t.Errorf("given_name is from %+v", a.Source)
		}
		// Twice is refused, and creates nobody there.
		if _, err := h.Create(t.Context(), req, admin); !errors.Is(err, user.ErrExists) {
			t.Errorf("again: %v", err)
		}
		k.expect(t, "again", "get_user Bo@Shop.example")
		if _, err := h.Authenticate(t.Context(), c, "bo@shop.example", strongPassword, admin); err != nil {
			t.Errorf("signing in: %v", err)
		}
	})
}

func TestCreateInAnExternalStoreIsRefused(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		good := changes("email", `"bo@shop.example"`)
		for i, row := range []struct {
			about  string
			req    user.CreateRequest
			gone   []string // actions
			answer map[customdb.Action]any
			more   string // options
			want   string
			asked  []string
		}{
			{about: "no password", req: user.CreateRequest{Changes: good}, want: "Missing required property: password"},
			{about: "weak password", req: user.CreateRequest{Changes: good, Password: "short"}, more: `,"passwordPolicy":"good"`, want: "PasswordStrengthError"},
			{about: "no e-mail", req: user.CreateRequest{Password: strongPassword, Changes: changes("name", `"Bo"`)}, want: "Missing required property: email"},
			{about: "no address", req: user.CreateRequest{Password: strongPassword, Changes: changes("email", `"bo"`)}, want: "Object didn't pass validation for format email"},
			{about: "an unknown member", req: user.CreateRequest{Password: strongPassword, Changes: changes("email", `"bo@shop.example"`, "shoe", `1`)}, want: "Additional properties not allowed: shoe"},
			{about: "no create", req: user.CreateRequest{Changes: good, Password: strongPassword}, gone: []string{"create"}, want: "create script does not exist"},
			{about: "nobody to confirm", req: user.CreateRequest{Changes: good, Password: strongPassword}, gone: []string{"login", "get_user"}, want: "create script does not exist"},
			{about: "sign-up is disabled", req: user.CreateRequest{Changes: good, Password: strongPassword, Signup: true}, more: `,"disable_signup":true`, want: "Public signup is disabled"},
			{
				about: "exists", req: user.CreateRequest{Password: strongPassword, Changes: changes("email", `"ann@shop.example"`)}, want: "The user already exists.",
				asked: []string{"get_user ann@shop.example"},
			},
			{
				about: "exists, says create", req: user.CreateRequest{Changes: good, Password: strongPassword}, want: "The user already exists.",
				answer: map[customdb.Action]any{customdb.Create: &customdb.Failure{Kind: customdb.Invalid, Code: "user_exists", Message: "my message"}},
				asked:  []string{"get_user bo@shop.example", "create"},
			},
			{
				about: "get_user fails", req: user.CreateRequest{Changes: good, Password: strongPassword}, want: user.ErrStoreDown.Text,
				answer: map[customdb.Action]any{customdb.GetUser: &customdb.Failure{Kind: customdb.Failed, Message: "ECONNREFUSED 10.0.0.7"}},
				asked:  []string{"get_user bo@shop.example"},
			},
			{
				about: "refused by create", req: user.CreateRequest{Changes: good, Password: strongPassword}, want: "the e-mail is too long",
				answer: map[customdb.Action]any{customdb.Create: &customdb.Failure{Kind: customdb.Invalid, Code: "email-too-long", Message: "the e-mail is too long"}},
				asked:  []string{"get_user bo@shop.example", "create"},
			},
			{
				about: "not created", req: user.CreateRequest{Changes: good, Password: strongPassword}, want: user.ErrNotDone.Text,
				answer: map[customdb.Action]any{customdb.Create: `false`}, asked: []string{"get_user bo@shop.example", "create"},
			},
			{
				about: "created, and not confirmed", req: user.CreateRequest{Changes: good, Password: strongPassword}, want: user.ErrUnconfirmed.Text,
				answer: map[customdb.Action]any{customdb.Login: &customdb.Failure{Kind: customdb.Broken, Message: "time"}},
				asked:  []string{"get_user bo@shop.example", "create", "login bo@shop.example " + strongPassword},
			},
			{
				about: "created, and has to do something first", req: user.CreateRequest{Changes: good, Password: strongPassword}, want: "Please verify your email before logging in.",
				answer: map[customdb.Action]any{customdb.Login: &customdb.Failure{Kind: customdb.Unauthorized, Message: "Please verify your email before logging in."}},
				asked:  []string{"get_user bo@shop.example", "create", "login bo@shop.example " + strongPassword},
			},
		} {
			k := aStore()
			c := h.without(h.elsewhere("ext"+string(rune('a'+i)), row.more, k), row.gone...)
			for a, v := range row.answer {
				k.answers[a] = v
			}
			row.req.Connection = c.Name
			if _, err := h.Create(t.Context(), row.req, admin); err == nil || !strings.Contains(errText(err), row.want) {
				t.Errorf("%s: %v", row.about, err)
			}
			k.expect(t, row.about, row.asked...)
			if _, err := h.store.UserByIdentity(t.Context(), c.ID, "new-1"); !errors.Is(err, user.ErrNotFound) {
				t.Errorf("%s: somebody is here: %v", row.about, err)
			}
		}
	})
}

// errText is what the caller is told.
func errText(err error) string {
	var e *errs.Error
	if errors.As(err, &e) {
		return e.Text
	}
	return err.Error()
}

func TestCreateWithoutLoginOrGetUser(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		for i, row := range []struct {
			gone  string
			asked []string
		}{
			{"login", []string{"get_user bo@shop.example", "create", "get_user bo@shop.example"}},
			{"get_user", []string{"create", "login bo@shop.example " + strongPassword}},
		} {
			k := aStore()
			c := h.without(h.elsewhere([]string{"nologin", "nouser"}[i], `,"set_user_root_attributes":"never_on_login"`, k), row.gone)
			k.people["new-1"] = nil
			delete(k.people, "new-1")
			u, err := h.Create(t.Context(), user.CreateRequest{Connection: c.Name, Password: strongPassword, Changes: changes("email", `"bo@shop.example"`), Signup: true}, admin)
			if err != nil {
				t.Fatalf("without %s: %v", row.gone, err)
			}
			k.expect(t, "without "+row.gone, row.asked...)
			if err := h.Delete(t.Context(), u.ID, admin); err != nil {
				t.Fatal(err)
			}
			k.expect(t, "deletion", "delete new-1")
		}
	})
}

func TestSignUpInAnExternalStore(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		k := aStore()
		c := h.elsewhere("ext", "", k)
		u, err := h.SignUp(t.Context(), c, user.CreateRequest{Password: strongPassword, Changes: changes("email", `"bo@shop.example"`)}, admin)
		if err != nil || h.read(u.ID).Logins.Count != 1 {
			t.Fatalf("%v", err)
		}
		k.expect(t, "sign-up", "get_user bo@shop.example", "create", "login bo@shop.example "+strongPassword)
		types := typesOf(t, h)
		if types[audit.SignupOK] != 1 || types[audit.LoginOK] != 1 {
			t.Errorf("records: %v", types)
		}
	})
}

func TestPatchInAnExternalStore(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		for i, row := range []struct {
			about  string
			req    user.PatchRequest
			gone   []string
			answer map[customdb.Action]any
			asked  []string
			has    map[string]string // of the profile afterwards
			fails  string
			record string // the type, whose description is that of the failure
			says   string
		}{
			{
				about: "password", req: user.PatchRequest{Password: opt.Of(anotherPassword)},
				asked: []string{"get_user Ann@shop.example", "change_password Ann@shop.example " + anotherPassword},
			},
			{
				about: "password, without get_user", req: user.PatchRequest{Password: opt.Of(anotherPassword)}, gone: []string{"get_user"},
				asked: []string{"change_password Ann@shop.example " + anotherPassword},
			},
			{about: "weak password", req: user.PatchRequest{Password: opt.Of("short")}, fails: "PasswordStrengthError"},
			{about: "password removed", req: user.PatchRequest{Password: opt.Null[string]()}, fails: user.ErrConnectionUnsupported.Text},
			{
				about: "password of somebody who is gone", req: user.PatchRequest{Password: opt.Of(anotherPassword)}, answer: map[customdb.Action]any{customdb.GetUser: "null"},
				asked: []string{"get_user Ann@shop.example"}, fails: user.ErrNotThere.Text, record: audit.PasswordNotChanged, says: user.ErrNotThere.Text,
			},
			{
				about: "password of somebody else", req: user.PatchRequest{Password: opt.Of(anotherPassword)}, answer: map[customdb.Action]any{customdb.GetUser: `{"user_id":"8"}`},
				asked: []string{"get_user Ann@shop.example"}, fails: user.ErrNotThere.Text, record: audit.PasswordNotChanged, says: user.ErrNotThere.Text,
			},
			{
				about: "password, refused", req: user.PatchRequest{Password: opt.Of(anotherPassword)}, answer: map[customdb.Action]any{customdb.ChangePassword: "false"},
				asked: []string{"get_user Ann@shop.example", "change_password Ann@shop.example " + anotherPassword}, fails: user.ErrNotDone.Text,
				record: audit.PasswordNotChanged, says: "the answer is false",
			},
			{
				about: "e-mail", req: user.PatchRequest{Changes: changes("email", `"Bea@shop.example"`)},
				asked: []string{"get_user Bea@shop.example", "change_email Ann@shop.example Bea@shop.example false"},
				has:   map[string]string{"email": `"Bea@shop.example"`, "email_verified": "false"},
			},
			{
				about: "e-mail, verified", req: user.PatchRequest{Changes: changes("email", `"bea@shop.example"`, "email_verified", "true")},
				asked: []string{"get_user bea@shop.example", "change_email Ann@shop.example bea@shop.example true"},
				has:   map[string]string{"email": `"bea@shop.example"`, "email_verified": "true"},
			},
			{about: "the same e-mail", req: user.PatchRequest{Changes: changes("email", `"Ann@shop.example"`)}},
			{
				about: "her e-mail in other case", req: user.PatchRequest{Changes: changes("email", `"ann@shop.example"`)},
				asked: []string{"get_user ann@shop.example", "change_email Ann@shop.example ann@shop.example false"}, has: map[string]string{"email": `"ann@shop.example"`},
			},
			{
				about: "somebody else's e-mail", req: user.PatchRequest{Changes: changes("email", `"bea@shop.example"`)}, answer: map[customdb.Action]any{customdb.GetUser: `{"user_id":"8"}`},
				asked: []string{"get_user bea@shop.example"}, fails: user.ErrEmailTaken.Text, record: audit.EmailNotChanged, says: user.ErrExists.Text,
			},
			{
				about: "e-mail, the store fails", req: user.PatchRequest{Changes: changes("email", `"bea@shop.example"`)},
				answer: map[customdb.Action]any{customdb.ChangeEmail: &customdb.Failure{Kind: customdb.Failed, Message: "deadlock found"}},
				asked:  []string{"get_user bea@shop.example", "change_email Ann@shop.example bea@shop.example false"}, fails: user.ErrStoreDown.Text,
				record: audit.EmailNotChanged, says: "deadlock found",
			},
			{about: "e-mail, without change_email", req: user.PatchRequest{Changes: changes("email", `"bea@shop.example"`)}, gone: []string{"change_email"}, fails: "change_email script does not exist"},
			{
				about: "verified", req: user.PatchRequest{Changes: changes("email_verified", "true")}, asked: []string{"verify Ann@shop.example"},
				has: map[string]string{"email_verified": "true"},
			},
			{
				about: "verified, by verify alone", req: user.PatchRequest{Changes: changes("email_verified", "true")}, gone: []string{"change_email"},
				asked: []string{"verify Ann@shop.example"}, has: map[string]string{"email_verified": "true"},
			},
			{
				about: "no longer verified, by verify alone", req: user.PatchRequest{Changes: changes("email_verified", "false")}, gone: []string{"change_email"},
				fails: "change_email script does not exist",
			},
			{
				about: "verified, without verify", req: user.PatchRequest{Changes: changes("email_verified", "true")}, gone: []string{"verify"},
				asked: []string{"change_email Ann@shop.example Ann@shop.example true"}, has: map[string]string{"email_verified": "true"},
			},
			{about: "not verified, as before", req: user.PatchRequest{Changes: changes("email_verified", "false")}},
			{
				about: "username", req: user.PatchRequest{Changes: changes("username", `"bea"`)}, asked: []string{"get_user bea", "change_username Ann@shop.example bea"},
				has: map[string]string{"username": `"bea"`},
			},
			{
				about: "a username that is taken", req: user.PatchRequest{Changes: changes("username", `"bea"`)}, answer: map[customdb.Action]any{customdb.GetUser: `{"user_id":"8"}`},
				asked: []string{"get_user bea"}, fails: user.ErrUsernameTaken.Text, record: audit.UsernameNotChanged, says: user.ErrUsernameTaken.Text,
			},
			{about: "username, without the script", req: user.PatchRequest{Changes: changes("username", `"bea"`)}, gone: []string{"change_username"}, fails: "change_username script does not exist"},
			{
				about: "phone number", req: user.PatchRequest{Changes: changes("phone_number", `"+4790000002"`)},
				asked: []string{"get_user +4790000002", "change_phone_number Ann@shop.example +4790000002"}, has: map[string]string{"phone_number": `"+4790000002"`},
			},
			{about: "metadata is ours", req: user.PatchRequest{Changes: changes("user_metadata", `{"a":1}`, "blocked", "true")}, has: map[string]string{"blocked": "true"}},
			{about: "another version", req: user.PatchRequest{Password: opt.Of(anotherPassword), IfVersion: 99}, fails: user.ErrStale.Text},
		} {
			k := aStore()
			c := h.without(h.elsewhere("ext"+string(rune('a'+i)), `,"passwordPolicy":"good"`, k), row.gone...)
			u := h.arrive(c, k)
			for a, v := range row.answer {
				k.answers[a] = v
			}
			before := h.read(u.ID)
			h.now = h.now.Add(time.Second)
			got, err := h.Patch(t.Context(), u.ID, row.req, admin)
			k.expect(t, row.about, row.asked...)
			after := h.read(u.ID)
			if row.fails != "" {
				if err == nil || !strings.Contains(errText(err), row.fails) {
					t.Errorf("%s: %v", row.about, err)
				}
				if after.Version != before.Version {
					t.Errorf("%s: refused, and changed", row.about)
				}
				if row.record != "" {
					if e := lastOf(t, h, row.record); e.Description != row.says || e.UserID != string(u.ID) {
						t.Errorf("%s: recorded %+v", row.about, e)
					}
				}
			} else if err != nil || got.ID != u.ID {
				t.Errorf("%s: %v", row.about, err)
			}
			for name, want := range row.has {
				if v := string(after.Profile.Value(name)); v != want {
					t.Errorf("%s: %s is %s", row.about, name, v)
				}
			}
			if after.Password.Hash != "" {
				t.Errorf("%s: a hash is kept", row.about)
			}
			if err := h.store.DeleteUser(t.Context(), u.ID, 0, user.Effect{}); err != nil { // the next store has the same id
				t.Fatal(err)
			}
		}
	})
}

func TestPasswordOfAnExternalStoreEndsSessions(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		k := aStore()
		c := h.elsewhere("ext", "", k)
		u := h.arrive(c, k)
		if err := h.store.CreateSession(t.Context(), session.Session{Hash: "h", ID: "sid", UserID: string(u.ID), ExpiresAt: 1 << 60, IdleUntil: 1 << 60}); err != nil {
			t.Fatal(err)
		}
		// Somebody changes the user while the store is told, with a version that is asked for.
		k.then = func(a customdb.Action) {
			if a == customdb.ChangePassword {
				k.then = nil
				if _, err := h.store.UpdateUser(t.Context(), u.ID, func(u *user.User) (user.Effect, error) { u.UpdatedAt++; return user.Effect{}, nil }); err != nil {
					t.Error(err)
				}
			}
		}
		got, err := h.Patch(t.Context(), u.ID, user.PatchRequest{Password: opt.Of(anotherPassword), IfVersion: u.Version}, admin)
		if err != nil || got.Password.SetAt != 1790000123456000 {
			t.Fatalf("%+v, %v", got, err)
		}
		if _, err := h.store.Session(t.Context(), "h", 1); !errors.Is(err, session.ErrNone) {
			t.Errorf("the session goes on: %v", err)
		}
		if typesOf(t, h)[audit.PasswordChangedAPI] != 1 {
			t.Error("no record")
		}
		if _, err := h.Authenticate(t.Context(), c, "ann@shop.example", anotherPassword, admin); err != nil {
			t.Error(err)
		}
	})
}

func TestBulkUpdateAsksNoExternalStore(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		k := aStore()
		u := h.arrive(h.elsewhere("ext", "", k), k)
		_, _, problems, err := h.PrepareUpdate(t.Context(), user.UpdateRow{ID: u.ID, Patch: user.PatchRequest{Changes: changes("email", `"bea@shop.example"`)}}, nil, admin)
		if err != nil || len(problems) != 1 || problems[0].Message != user.ErrOneByOne.Text {
			t.Errorf("%+v, %v", problems, err)
		}
		k.expect(t, "bulk update")
	})
}

func TestDeleteInAnExternalStore(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		for i, row := range []struct {
			about   string
			gone    []string
			answer  any
			asked   []string
			version int64
			fails   string
		}{
			{about: "deleted", asked: []string{"delete legacy|7"}},
			{about: "no delete", gone: []string{"delete"}},
			{about: "an error", answer: &customdb.Failure{Kind: customdb.Failed, Message: "still has orders"}, asked: []string{"delete legacy|7"}, fails: "still has orders"},
			{about: "the answer is no", answer: "false", asked: []string{"delete legacy|7"}, fails: "the answer is false"},
			{about: "nobody there", answer: &customdb.Failure{Kind: customdb.Wrong}, asked: []string{"delete legacy|7"}},
			{about: "broken", answer: &customdb.Failure{Kind: customdb.Broken, Message: "20 s"}, asked: []string{"delete legacy|7"}, fails: user.ErrStoreDown.Text},
			{about: "another version", version: 99, fails: user.ErrStale.Text},
		} {
			k := aStore()
			c := h.without(h.elsewhere("ext"+string(rune('a'+i)), "", k), row.gone...)
			u := h.arrive(c, k)
			if row.answer != nil {
				k.answers[customdb.Delete] = row.answer
			}
			err := h.DeleteIf(t.Context(), u.ID, row.version, admin)
			k.expect(t, row.about, row.asked...)
			_, here := h.store.User(t.Context(), u.ID)
			if row.fails == "" {
				if err != nil || !errors.Is(here, user.ErrNotFound) {
					t.Errorf("%s: %v, %v", row.about, err, here)
				}
				continue
			}
			if err == nil || errText(err) != row.fails || here != nil {
				t.Errorf("%s: %v, %v", row.about, err, here)
			}
			if err := h.store.DeleteUser(t.Context(), u.ID, 0, user.Effect{}); err != nil {
				t.Fatal(err)
			}
		}
		if e := lastOf(t, h, audit.UserNotDeleted); e.UserID != "auth0|legacy|7" {
			t.Errorf("%+v", e)
		}
	})
}

func TestVerifyInAnExternalStore(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		k := aStore()
		c := h.elsewhere("ext", "", k)
		u := h.arrive(c, k)
		tickets := h.tickets()
		make := func() string {
			url, err := tickets.Create(t.Context(), ticket.VerifyEmail, ticket.Request{UserID: u.ID, Lifetime: time.Hour, ResultURL: "https://app.example/done?a=1"}, audit.Event{})
			if err != nil {
				t.Fatal(err)
			}
			return secretOf(url)
		}
		secret := make()
		for _, row := range []struct {
			answer any
			want   string
		}{
			{"false", "https://app.example/done?a=1&email=Ann%40shop.example&message=The%20database%20of%20this%20connection%20has%20not%20made%20the%20change.&success=false"},
			{&customdb.Failure{Kind: customdb.Invalid, Code: "x", Message: "not this one"}, "https://app.example/done?a=1&email=Ann%40shop.example&message=not%20this%20one&success=false"},
			{&customdb.Failure{Kind: customdb.Failed, Message: "SELECT broke"}, "https://app.example/done?a=1&email=Ann%40shop.example&message=The%20database%20of%20this%20connection%20gave%20no%20answer.%20Please%20try%20again%20later.&success=false"},
		} {
			k.answers[customdb.Verify] = row.answer
			res, err := tickets.Verify(t.Context(), secret, admin)
			if err != nil || res.Location() != row.want {
				t.Errorf("%v: %s, %v", row.answer, res.Location(), err)
			}
			k.expect(t, "verification", "verify Ann@shop.example")
			if h.read(u.ID).Profile.True("email_verified") {
				t.Error("refused, and verified")
			}
		}
		if e := lastOf(t, h, audit.EmailNotVerified); e.Description != "SELECT broke" {
			t.Errorf("recorded %+v", e)
		}
		delete(k.answers, customdb.Verify)
		res, err := tickets.Verify(t.Context(), secret, admin)
		if err != nil || res.Err != nil || !h.read(u.ID).Profile.True("email_verified") {
			t.Fatalf("%v, %v", res.Err, err)
		}
		k.expect(t, "verification", "verify Ann@shop.example")
		if res, err := tickets.Verify(t.Context(), secret, admin); err != nil || !errors.Is(res.Err, user.ErrTicketUsed) {
			t.Errorf("again: %v, %v", res.Err, err)
		}
		k.expect(t, "again")
	})
}

// tickets are those of the house; a link of RequestReset is in its outbox.
func (h *house) tickets() *ticket.Service {
	return &ticket.Service{
		Store: h.store, Users: h.store, Connections: h.store, Clients: h.store, Redeemer: h.Service, PublicURL: "https://id.example",
		Now: func() time.Time { return h.now },
	}
}

func secretOf(url string) string {
	_, rest, _ := strings.Cut(url, "ticket=")
	return strings.TrimSuffix(rest, "#")
}

// reset asks for a link by e-mail address as an administrator would, and is its secret.
func (h *house) reset(c *connection.Connection, email string) (string, error) {
	url, err := h.tickets().Create(h.t.Context(), ticket.ChangePassword, ticket.Request{ConnectionID: c.ID, Email: email, Lifetime: time.Hour, MarksVerified: true}, audit.Event{})
	return secretOf(url), err
}

func TestResetInAnExternalStore(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		for i, here := range []bool{true, false} {
			k := aStore()
			c := h.elsewhere([]string{"exthere", "extnew"}[i], `,"passwordPolicy":"good"`, k)
			if here {
				h.arrive(c, k)
			}
			if _, err := h.reset(c, "nobody@shop.example"); !errors.Is(err, user.ErrNotFound) {
				t.Errorf("nobody: %v", err)
			}
			k.asked()
			secret, err := h.reset(c, "ann@shop.example")
			if err != nil {
				t.Fatal(err)
			}
			k.expect(t, "the request", "get_user ann@shop.example")
			_, err = h.tickets().Reset(t.Context(), secret, "short", admin)
			if weak := (*passwd.Weak)(nil); !errors.As(err, &weak) {
				t.Errorf("a weak password: %v", err)
			}
			k.expect(t, "a weak password", "get_user Ann@shop.example")
			k.answers[customdb.ChangePassword] = &customdb.Failure{Kind: customdb.Failed, Message: "read only"}
			if _, err := h.tickets().Reset(t.Context(), secret, anotherPassword, admin); !errors.Is(err, user.ErrStoreDown) {
				t.Errorf("the store fails: %v", err)
			}
			if e := lastOf(t, h, audit.PasswordNotChanged); e.Description != "read only" {
				t.Errorf("recorded %+v", e)
			}
			delete(k.answers, customdb.ChangePassword)
			k.answers[customdb.GetUser] = `{"user_id":"legacy|7","email":"other@shop.example"}`
			if res, err := h.tickets().Reset(t.Context(), secret, anotherPassword, admin); err != nil || !errors.Is(res.Err, user.ErrTicketOver) {
				t.Errorf("another address by now: %v, %v", res.Err, err)
			}
			k.answers[customdb.GetUser] = `{"user_id":"legacy|8","email":"ann@shop.example"}`
			if res, err := h.tickets().Reset(t.Context(), secret, anotherPassword, admin); err != nil || !errors.Is(res.Err, user.ErrTicketOver) {
				t.Errorf("somebody else by now: %v, %v", res.Err, err)
			}
			delete(k.answers, customdb.GetUser)
			k.asked()
			h.now = h.now.Add(time.Minute)
			res, err := h.tickets().Reset(t.Context(), secret, anotherPassword, admin)
			if err != nil || res.Err != nil {
				t.Fatalf("%v, %v", res.Err, err)
			}
			k.expect(t, "the new password", "get_user Ann@shop.example", "change_password Ann@shop.example "+anotherPassword)
			u := h.read("auth0|legacy|7")
			if u.Password.Hash != "" || u.Password.SetAt != 1790000123456000 || !u.Profile.True("email_verified") || !u.Identities[0].External || u.Profile.Has("password") != (k.people["legacy|7"] == nil) {
				t.Errorf("%+v %s", u.Password, user.EncodeAttributes(u.Profile))
			}
			if res, err := h.tickets().Reset(t.Context(), secret, anotherPassword, admin); err != nil || !errors.Is(res.Err, user.ErrTicketUsed) {
				t.Errorf("again: %v, %v", res.Err, err)
			}
			k.asked()
			if _, err := h.Authenticate(t.Context(), c, "ann", anotherPassword, admin); err != nil {
				t.Error(err)
			}
			if err := h.Delete(t.Context(), u.ID, admin); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Somebody whom no identifier names is not changed elsewhere: without one, an action
// would mean anybody.
func TestPatchOfNobodyByName(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		told := 0
		c := h.custom("ext", `{"enabledDatabaseCustomization":true,"customScripts":{"login":"x","change_password":"x","change_email":"x"}}`, shop())
		h.External = answering(func(call customdb.Call) (customdb.Answer, error) {
			if call.Action == customdb.Login {
				return customdb.Answer{Value: json.RawMessage(`{"user_id":"7","name":"Ann"}`)}, nil
			}
			told++
			return customdb.Answer{Value: profile.Bool(true)}, nil
		})
		u, err := h.Authenticate(t.Context(), c, "ann", "old secret", admin)
		if err != nil {
			t.Fatal(err)
		}
		for _, req := range []user.PatchRequest{{Password: opt.Of(anotherPassword)}, {Changes: changes("email", `"ann@shop.example"`)}} {
			if _, err := h.Patch(t.Context(), u.ID, req, admin); !errors.Is(err, user.ErrNotThere) || told != 0 {
				t.Errorf("%v, %d changes", err, told)
			}
		}
	})
}

// Of two who redeem one ticket while an external store still sets the password, one is
// heard there; where it refuses, the ticket is good again.
func TestOneResetIsHeardElsewhere(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		k := aStore()
		c := h.elsewhere("ext", "", k)
		h.arrive(c, k)
		secret, err := h.reset(c, "ann@shop.example")
		if err != nil {
			t.Fatal(err)
		}
		changes := 0
		h.External = answering(func(call customdb.Call) (customdb.Answer, error) {
			if call.Action != customdb.ChangePassword {
				return k.Run(t.Context(), c, call)
			}
			if changes++; changes == 1 {
				return customdb.Answer{}, &customdb.Failure{Kind: customdb.Failed}
			}
			res, err := h.tickets().Reset(t.Context(), secret, anotherPassword, admin)
			if err != nil || !errors.Is(res.Err, user.ErrTicketUsed) {
				t.Errorf("the other: %v, %v", res.Err, err)
			}
			return customdb.Answer{Value: profile.Bool(true)}, nil
		})
		if _, err := h.tickets().Reset(t.Context(), secret, anotherPassword, admin); !errors.Is(err, user.ErrStoreDown) {
			t.Errorf("refused: %v", err)
		}
		if res, err := h.tickets().Reset(t.Context(), secret, anotherPassword, admin); err != nil || res.Err != nil || changes != 2 {
			t.Errorf("%v, %v, %d changes", res.Err, err, changes)
		}
	})
}

func TestImportModeAsksWhoIsThere(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		k := aStore()
		c := h.elsewhere("imp", `,"import_mode":true`, k)
		create := func(pairs ...string) error {
			u, err := h.Create(t.Context(), user.CreateRequest{Connection: c.Name, Password: strongPassword, Changes: changes(pairs...)}, admin)
			if err == nil && u.Password.Hash == "" {
				t.Error("no password is kept")
			}
			return err
		}
		if err := create("email", `"ANN@shop.example"`); !errors.Is(err, user.ErrExists) {
			t.Errorf("known there: %v", err)
		}
		k.expect(t, "known there", "get_user ann@shop.example")
		if p, err := h.store.Progress(t.Context(), c.ID); err != nil || p.Known != 1 {
			t.Errorf("progress: %+v, %v", p, err)
		}
		if err := create("email", `"bo@shop.example"`, "username", `"ann"`); !errors.Is(err, user.ErrUsernameTaken) {
			t.Errorf("a username that is known there: %v", err)
		}
		k.expect(t, "username", "get_user bo@shop.example", "get_user ann")
		k.answers[customdb.GetUser] = &customdb.Failure{Kind: customdb.Failed, Message: "down"}
		if err := create("email", `"bo@shop.example"`); !errors.Is(err, user.ErrStoreDown) {
			t.Errorf("the old store is down: %v", err)
		}
		if e := lastOf(t, h, audit.SignupFailed); e.Description != "down" || e.ConnectionID != c.ID {
			t.Errorf("recorded %+v", e)
		}
		delete(k.answers, customdb.GetUser)
		k.asked()
		if err := create("email", `"bo@shop.example"`); err != nil {
			t.Fatal(err)
		}
		k.expect(t, "somebody new", "get_user bo@shop.example")

		bo, err := h.store.UserByIdentifier(t.Context(), c.ID, user.ByEmail, "bo@shop.example")
		if err != nil {
			t.Fatal(err)
		}
		patch := func(id user.ID, pairs ...string) error {
			_, err := h.Patch(t.Context(), id, user.PatchRequest{Changes: changes(pairs...)}, admin)
			return err
		}
		if err := patch(bo.ID, "email", `"ann@shop.example"`); !errors.Is(err, user.ErrEmailTaken) {
			t.Errorf("a new e-mail that is known there: %v", err)
		}
		if err := patch(bo.ID, "username", `"ann"`); !errors.Is(err, user.ErrUsernameTaken) {
			t.Errorf("a new username that is known there: %v", err)
		}
		k.asked()
		if err := patch(bo.ID, "email", `"bob@shop.example"`); err != nil {
			t.Error(err)
		}
		k.expect(t, "a new e-mail", "get_user bob@shop.example")
		if err := patch(bo.ID, "name", `"Bo"`, "email_verified", "true"); err != nil {
			t.Error(err)
		}
		if _, err := h.Patch(t.Context(), bo.ID, user.PatchRequest{Password: opt.Of(anotherPassword)}, admin); err != nil {
			t.Error(err)
		}
		k.expect(t, "what is ours alone")

		// Ann migrates, changes her address, and takes the old one again: it is hers there, too.
		ann := h.arrive(c, k)
		for _, email := range []string{`"ann@new.example"`, `"ann@shop.example"`} {
			if err := patch(ann.ID, "email", email); err != nil {
				t.Errorf("%s: %v", email, err)
			}
		}
		// Once she is here by another address, the old one is free, whatever the old store says.
		for _, row := range []struct {
			id    user.ID
			email string
		}{{ann.ID, `"ann@new.example"`}, {bo.ID, `"ann@shop.example"`}} {
			if err := patch(row.id, "email", row.email); err != nil {
				t.Errorf("%s: %v", row.email, err)
			}
		}
		k.asked()
		if err := h.Delete(t.Context(), bo.ID, admin); err != nil {
			t.Fatal(err)
		}
		k.expect(t, "the deletion of somebody of ours")

		for _, mode := range []string{"off", "shadow"} {
			c = h.elsewhere("imp"+mode, `,"import_mode":true,"migration":{"mode":"`+mode+`"}`, k)
			if err := create("email", `"ann@shop.example"`); err != nil {
				t.Errorf("mode %s: %v", mode, err)
			}
			if _, err := h.reset(c, "nobody@shop.example"); !errors.Is(err, user.ErrNotFound) {
				t.Errorf("mode %s: %v", mode, err)
			}
			k.expect(t, "mode "+mode)
		}
	})
}

func TestResetBringsSomebodyOutOfAnOldStore(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		k := aStore()
		k.people["legacy|7"]["given_name"] = "Ann"
		k.people["legacy|7"]["user_metadata"] = map[string]any{"lang": "fi"}
		c := h.elsewhere("imp", `,"import_mode":true,"passwordPolicy":"good"`, k)
		secret, err := h.reset(c, "Ann@shop.example")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.store.User(t.Context(), "auth0|legacy|7"); !errors.Is(err, user.ErrNotFound) {
			t.Fatalf("the request made somebody: %v", err)
		}
		_, err = h.tickets().Reset(t.Context(), secret, "short", admin)
		if weak := (*passwd.Weak)(nil); !errors.As(err, &weak) {
			t.Errorf("a weak password: %v", err)
		}
		k.asked()
		// Of many at once one succeeds, and everybody else finds the ticket used.
		var used, done int
		var mu sync.Mutex
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				res, err := h.tickets().Reset(t.Context(), secret, anotherPassword, admin)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					t.Error(err)
				case res.Err == nil:
					done++
				default:
					used++
				}
			})
		}
		group.Wait()
		if done != 1 || used != 3 {
			t.Errorf("%d of 4 redemptions, %d refused", done, used)
		}
		for _, call := range k.asked() {
			if !strings.HasPrefix(call, "get_user ") {
				t.Errorf("asked %q", call)
			}
		}
		u := h.read("auth0|legacy|7")
		if u.Profile.Text("given_name") != "Ann" || !u.Profile.True("email_verified") || string(u.Profile.Value("user_metadata")) != `{"lang":"fi"}` || u.Logins.Count != 0 || u.Identities[0].External {
			t.Errorf("%s %+v", user.EncodeAttributes(u.Profile), u.Logins)
		}
		if p, err := h.store.Progress(t.Context(), c.ID); err != nil || p.Migrated != 1 {
			t.Errorf("%+v, %v", p, err)
		}
		if _, err := h.Authenticate(t.Context(), c, "ann@shop.example", strongPassword, admin); !errors.Is(err, user.ErrWrongPassword) {
			t.Errorf("the old password: %v", err)
		}
		if _, err := h.Authenticate(t.Context(), c, "ann@shop.example", anotherPassword, admin); err != nil {
			t.Errorf("the new password: %v", err)
		}
		k.expect(t, "afterwards")

		// Deleted here, she does not come back from there, neither by a login nor by a
		// link; the address is free for somebody new.
		if err := h.Delete(t.Context(), u.ID, admin); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Authenticate(t.Context(), c, "ann@shop.example", strongPassword, admin); !errors.Is(err, user.ErrWrongPassword) {
			t.Errorf("deleted, by a login: %v", err)
		}
		if _, err := h.reset(c, "ann@shop.example"); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("deleted, by a link: %v", err)
		}
		if _, err := h.Create(t.Context(), user.CreateRequest{Connection: c.Name, Password: strongPassword, Changes: changes("email", `"ann@shop.example"`)}, admin); err != nil {
			t.Errorf("somebody new: %v", err)
		}
	})
}

func TestResetOfSomebodyWhoHasMigratedMeanwhile(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		k := aStore()
		c := h.elsewhere("imp", `,"import_mode":true`, k)
		secret, err := h.reset(c, "ann@shop.example")
		if err != nil {
			t.Fatal(err)
		}
		u := h.arrive(c, k)
		if res, err := h.tickets().Reset(t.Context(), secret, anotherPassword, admin); err != nil || res.Err != nil {
			t.Fatalf("%v, %v", res.Err, err)
		}
		k.expect(t, "somebody who is here")
		secret, err = h.reset(c, "ann@shop.example")
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Delete(t.Context(), u.ID, admin); err != nil {
			t.Fatal(err)
		}
		if res, err := h.tickets().Reset(t.Context(), secret, strongPassword, admin); err != nil || !errors.Is(res.Err, user.ErrTicketOver) {
			t.Errorf("deleted meanwhile: %v, %v", res.Err, err)
		}
	})
}
