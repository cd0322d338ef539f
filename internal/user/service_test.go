package user_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/opt"
	"mangrove/internal/passwd"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
	"mangrove/internal/user"
)

// house is the use cases over a real database with a database connection and
// an upstream.
type house struct {
	*user.Service
	t     *testing.T
	store *store.Store
	own   *connection.Connection
	acme  *connection.Connection
	now   time.Time
}

func onBothEngines(t *testing.T, test func(t *testing.T, h *house)) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			s := storetest.Open(t, engine)
			h := &house{t: t, store: s, now: time.UnixMicro(1_790_000_000_000_000)}
			h.own = connection.Default(h.now.UnixMicro())
			h.own.EnabledClients = []string{"app"}
			h.acme = &connection.Connection{
				ID: "con_acmeacmeacmeacme", Name: "acme", Strategy: "oidc", Options: json.RawMessage(`{}`), Realms: []string{"acme"},
				Extra: json.RawMessage(`{}`), EnabledClients: []string{"app"}, Version: 1,
			}
			for _, c := range []*connection.Connection{h.own, h.acme} {
				if err := s.CreateConnection(t.Context(), c, audit.Event{Type: audit.APIOperation}); err != nil {
					t.Fatal(err)
				}
			}
			h.Service = &user.Service{
				Users: s, Connections: s, Hashing: user.NewHashing(0, 0), Audit: s,
				Now: func() time.Time { return h.now },
			}
			test(t, h)
		})
	}
}

var admin = user.Actor{ClientID: "app", IP: "192.0.2.1"}

const password = "correct horse battery staple"

func changes(pairs ...string) []profile.Change {
	var out []profile.Change
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, profile.Change{Name: pairs[i], Value: profile.Value(pairs[i+1])})
	}
	return out
}

func (h *house) create(email string) *user.User {
	h.t.Helper()
	u, err := h.Create(h.t.Context(), user.CreateRequest{Connection: h.own.Name, Password: password, Changes: changes("email", `"`+email+`"`)}, admin)
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

func (h *house) read(id user.ID) *user.User {
	h.t.Helper()
	u, err := h.store.User(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

func TestCreateRefusals(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.create("taken@example.com")
		for _, c := range []struct {
			name string
			req  user.CreateRequest
			want string
		}{
			{"taken, in other case", user.CreateRequest{Connection: h.own.Name, Password: password, Changes: changes("email", `"TAKEN@example.com"`)}, "The user already exists."},
			{"no such connection", user.CreateRequest{Connection: "nope", Password: password, Changes: changes("email", `"a@example.com"`)}, "Connection does not exist."},
			{"an upstream", user.CreateRequest{Connection: "acme", Password: password, Changes: changes("email", `"a@example.com"`)}, "Connection does not support user creation through the API."},
			{"no password", user.CreateRequest{Connection: h.own.Name, Changes: changes("email", `"a@example.com"`)}, "Missing required property: password"},
			{"weak password", user.CreateRequest{Connection: h.own.Name, Password: "short", Changes: changes("email", `"a@example.com"`)}, "PasswordStrengthError"},
			{"no e-mail", user.CreateRequest{Connection: h.own.Name, Password: password, Changes: changes("name", `"A"`)}, "Missing required property: email"},
		} {
			if u, err := h.Create(t.Context(), c.req, admin); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, %v; want %q", c.name, u, err, c.want)
			}
		}
		var weak *passwd.Weak
		_, err := h.Create(t.Context(), user.CreateRequest{Connection: h.own.Name, Password: "short", Changes: changes("email", `"a@example.com"`)}, admin)
		if !errors.As(err, &weak) {
			t.Errorf("a weak password: %T", err)
		}
		if list, err := h.store.ViewsByEmail(t.Context(), "a@example.com"); err != nil || len(list) != 0 {
			t.Errorf("a refused user is there: %v %v", list, err)
		}
		h.create("a@example.com") // the twin that is accepted
	})
}

// TestNoPatchIsLost: 300 edits of different metadata keys of one user, at once.
func TestNoPatchIsLost(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		u := h.create("ann@example.com")
		var wg sync.WaitGroup
		for i := range 300 {
			wg.Go(func() {
				req := user.PatchRequest{Changes: changes("user_metadata", fmt.Sprintf(`{"k%d":%d}`, i, i))}
				if _, err := h.Patch(t.Context(), u.ID, req, admin); err != nil {
					t.Errorf("edit %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		var kept map[string]int
		if err := json.Unmarshal(h.read(u.ID).Profile.Value("user_metadata"), &kept); err != nil || len(kept) != 300 {
			t.Fatalf("%d of 300 kept, %v", len(kept), err)
		}
	})
}

func TestPatchOfAPassword(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		u := h.create("ann@example.com")
		s := session.Session{Hash: "h", ID: "sid", UserID: string(u.ID), ExpiresAt: 1 << 60, IdleUntil: 1 << 60}
		if err := h.store.CreateSession(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Patch(t.Context(), u.ID, user.PatchRequest{Changes: changes("nickname", `"a"`)}, admin); err != nil {
			t.Fatal(err)
		}
		if _, err := h.store.Session(t.Context(), "h", 1); err != nil {
			t.Fatalf("a nickname ended the session: %v", err)
		}
		h.now = h.now.Add(time.Second)
		got, err := h.Patch(t.Context(), u.ID, user.PatchRequest{Password: opt.Of("another good long password")}, admin)
		if err != nil || got.Password.SetAt != h.now.UnixMicro() {
			t.Fatalf("%v, %v", got, err)
		}
		if _, err := h.store.Session(t.Context(), "h", 1); !errors.Is(err, session.ErrNone) {
			t.Fatalf("the session goes on: %v", err)
		}
		if _, err := h.Authenticate(t.Context(), h.own, "ann@example.com", password, admin); !errors.Is(err, user.ErrWrongPassword) {
			t.Fatalf("the old password: %v", err)
		}
		if _, err := h.Authenticate(t.Context(), h.own, "ANN@example.com", "another good long password", admin); err != nil {
			t.Fatalf("the new password: %v", err)
		}
	})
}

func TestPatchThatChangesNothingWritesNothing(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		u := h.create("ann@example.com")
		h.now = h.now.Add(time.Hour)
		if _, err := h.Patch(t.Context(), u.ID, user.PatchRequest{Changes: changes("nickname", `"ann"`)}, admin); err != nil {
			t.Fatal(err)
		}
		if got := h.read(u.ID); got.Version != u.Version || got.UpdatedAt != u.UpdatedAt {
			t.Fatalf("version %d to %d", u.Version, got.Version)
		}
		if _, err := h.Patch(t.Context(), u.ID, user.PatchRequest{Changes: changes("nickname", `"x"`), IfVersion: u.Version + 1}, admin); !errors.Is(err, user.ErrStale) {
			t.Fatalf("another version: %v", err)
		}
	})
}

func TestAuthenticate(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		u := h.create("ann@example.com")
		if _, err := h.Authenticate(t.Context(), h.own, "nobody@example.com", password, admin); !errors.Is(err, user.ErrWrongPassword) {
			t.Fatalf("nobody: %v", err)
		}
		if _, err := h.Authenticate(t.Context(), h.own, "ann@example.com", "wrong", admin); !errors.Is(err, user.ErrWrongPassword) {
			t.Fatalf("wrong: %v", err)
		}
		if got := h.read(u.ID); got.Logins.Count != 0 {
			t.Fatalf("failures are counted as logins: %+v", got.Logins)
		}
		in, err := h.Authenticate(t.Context(), h.own, "ann@example.com", password, admin)
		if err != nil || in.Logins.Count != 1 {
			t.Fatalf("right: %v %v", in, err)
		}
		if got := h.read(u.ID); got.Logins != (user.Logins{Last: h.now.UnixMicro(), IP: "192.0.2.1", Count: 1}) || got.Version != u.Version {
			t.Fatalf("recorded %+v, version %d", got.Logins, got.Version)
		}
		if _, err := h.Patch(t.Context(), u.ID, user.PatchRequest{Changes: changes("blocked", "true")}, admin); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Authenticate(t.Context(), h.own, "ann@example.com", "wrong", admin); !errors.Is(err, user.ErrWrongPassword) {
			t.Fatalf("blocked and wrong tells: %v", err)
		}
		if _, err := h.Authenticate(t.Context(), h.own, "ann@example.com", password, admin); !errors.Is(err, user.ErrBlocked) {
			t.Fatalf("blocked: %v", err)
		}
		if got := h.read(u.ID); got.Logins.Count != 2 {
			t.Fatalf("a blocked attempt counts: %+v", got.Logins)
		}
	})
}

func claims(subject string, pairs ...string) profile.Claims {
	raw := []string{}
	for i := 0; i < len(pairs); i += 2 {
		raw = append(raw, `"`+pairs[i]+`":`+pairs[i+1])
	}
	return profile.Claims{Subject: subject, Attributes: changes(pairs...), Raw: profile.Value("{" + strings.Join(raw, ",") + "}")}
}

func TestFederate(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		first, err := h.Federate(t.Context(), h.acme, claims("7", "name", `"Pia"`, "given_name", `"Pia"`), profile.Value(`{"access_token":"one"}`), admin)
		if err != nil || first.ID != "oidc|acme|7" {
			t.Fatalf("%v %v", first, err)
		}
		if a, _ := first.Profile.Get("name"); a.Source.Origin != profile.FromUpstream || a.Source.Connection != h.acme.ID || a.Source.At != h.now.UnixMicro() {
			t.Fatalf("the source of the name is %+v", a.Source)
		}
		h.now = h.now.Add(time.Hour)
		if _, err := h.Federate(t.Context(), h.acme, claims("7", "name", `"Pia"`, "given_name", `"Pia"`), profile.Value(`{"access_token":"two"}`), admin); err != nil {
			t.Fatal(err)
		}
		same := h.read(first.ID)
		if same.Version != first.Version || same.Logins.Count != 2 || string(same.Primary().Tokens) != `{"access_token":"two"}` {
			t.Fatalf("after the same again: version %d, %+v, tokens %s", same.Version, same.Logins, same.Primary().Tokens)
		}
		if _, err := h.Federate(t.Context(), h.acme, claims("7", "name", `"Maria"`), nil, admin); err != nil {
			t.Fatal(err)
		}
		later := h.read(first.ID)
		if later.Profile.Text("name") != "Maria" || later.Profile.Has("given_name") || string(later.Primary().Claims) != `{"name":"Maria"}` {
			t.Fatalf("after a change: %s, claims %s", user.EncodeAttributes(later.Profile), later.Primary().Claims)
		}

		if _, err := h.Patch(t.Context(), first.ID, user.PatchRequest{Changes: changes("blocked", "true")}, admin); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Federate(t.Context(), h.acme, claims("7", "name", `"Maria"`), nil, admin); !errors.Is(err, user.ErrBlocked) {
			t.Fatalf("blocked: %v", err)
		}
		if got := h.read(first.ID); !got.Profile.True("blocked") || got.Logins.Count != 4 {
			t.Fatalf("after a blocked login: %+v", got.Logins)
		}
	})
}

// TestFederateDropsWhatNoProfileHolds: the login goes on without the one attribute,
// a record names it and says why, and what was stored stays.
func TestFederateDropsWhatNoProfileHolds(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		first, err := h.Federate(t.Context(), h.acme, claims("7", "name", `"Pia"`, "given_name", `"Pia"`, "dept", `"R"`), nil, admin)
		if err != nil {
			t.Fatal(err)
		}
		long, _ := json.Marshal(strings.Repeat("x", 10_000))
		h.now = h.now.Add(time.Hour)
		_, err = h.Federate(t.Context(), h.acme, claims("7", "name", string(long), "given_name", `"P\u0007ia"`, "dept", `"S\u0000"`, "plan", `"b"`), nil, admin)
		if err != nil {
			t.Fatal(err)
		}
		got := h.read(first.ID)
		want(t, got, map[string]string{"name": `"Pia"`, "given_name": `"Pia"`, "dept": `"R"`, "plan": `"b"`})
		list, err := h.store.Events(t.Context(), audit.Span{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		var details []string
		for _, e := range list {
			if e.Type == audit.Warning && e.UserID == string(first.ID) {
				details = append(details, string(e.Details))
			}
		}
		const record = `{"dropped":[{"name":"dept","why":"FORMAT"},{"name":"given_name","why":"FORMAT"},{"name":"name","why":"MAX_LENGTH"}]}`
		if len(details) != 1 || details[0] != record {
			t.Errorf("records %q, want one %s", details, record)
		}
	})
}

// TestDeniedClaimsAreStoredNowhere: neither in the profile nor in the payload.
func TestDeniedClaimsAreStoredNowhere(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		acme := h.acme.Clone()
		acme.Options = json.RawMessage(`{"non_persistent_attrs":["ssn"]}`)
		u, err := h.Federate(t.Context(), acme, claims("7", "ssn", `"19121212-1212"`, "name", `"Pia"`), nil, admin)
		if err != nil {
			t.Fatal(err)
		}
		got := h.read(u.ID)
		if got.Profile.Has("ssn") || string(got.Primary().Claims) != `{"name":"Pia"}` {
			t.Errorf("profile %s, payload %s", user.EncodeAttributes(got.Profile), got.Primary().Claims)
		}
	})
}

func want(t *testing.T, u *user.User, values map[string]string) {
	t.Helper()
	for name, v := range values {
		if a, _ := u.Profile.Get(name); string(a.Value) != v {
			t.Errorf("%s is %s, want %s", name, a.Value, v)
		}
	}
}

// TestLoginThroughALinkedIdentity: its own profile data follows its connection,
// the root stays the primary's, and edits of the five are refused there.
func TestLoginThroughALinkedIdentity(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		u := h.create("ann@example.com")
		_, err := h.store.UpdateUser(t.Context(), u.ID, func(u *user.User) (user.Effect, error) {
			u.Identities = append(u.Identities, user.Identity{
				Provider: "oidc", Connection: "acme", ConnectionID: h.acme.ID, UserID: "acme|7", Subject: "7",
				ProfileData: profile.Of(profile.Attribute{Name: "name", Value: profile.Text("Old")}),
			})
			return user.Effect{}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		in, err := h.Federate(t.Context(), h.acme, claims("7", "name", `"New"`), nil, admin)
		if err != nil || in.ID != u.ID {
			t.Fatalf("%v %v", in, err)
		}
		got := h.read(u.ID)
		if got.Profile.Text("name") != "ann@example.com" || got.Identities[1].ProfileData.Text("name") != "New" || got.Logins.Count != 1 {
			t.Fatalf("root %s, identity %s", user.EncodeAttributes(got.Profile), user.EncodeAttributes(got.Identities[1].ProfileData))
		}
		_, err = h.Patch(t.Context(), u.ID, user.PatchRequest{Connection: "acme", Changes: changes("name", `"X"`)}, admin)
		if e := errs.From(err); err == nil || !strings.Contains(e.Text, "The specified connection belongs to a secondary identity.") {
			t.Fatalf("editing through the secondary: %v", err)
		}
		if _, err := h.Patch(t.Context(), u.ID, user.PatchRequest{Changes: changes("name", `"Ann"`)}, admin); err != nil {
			t.Fatalf("editing the root of a database primary: %v", err)
		}
	})
}

// TestFederateOneIDTwice: two connections of a strategy whose ids name none of them.
func TestFederateOneIDTwice(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		first := &connection.Connection{ID: "con_first00000000001", Name: "first", Strategy: "github", EnabledClients: []string{"c"}}
		second := &connection.Connection{ID: "con_second0000000001", Name: "second", Strategy: "github", EnabledClients: []string{"c"}}
		for _, c := range []*connection.Connection{first, second} {
			if err := h.store.CreateConnection(t.Context(), c, audit.Event{}); err != nil {
				t.Fatal(err)
			}
		}
		u, err := h.Federate(t.Context(), first, claims("7", "name", `"Pia"`), nil, admin)
		if err != nil || u.ID != "github|7" {
			t.Fatal(u, err)
		}
		if _, err := h.Federate(t.Context(), second, claims("7", "name", `"Eve"`), nil, admin); errs.From(err).Code != "access_denied" || errs.KindOf(err) != errs.Forbidden {
			t.Errorf("somebody else's id: %v", err)
		}
		if u, err = h.store.User(t.Context(), "github|7"); err != nil || string(u.Profile.Value(profile.Name)) != `"Pia"` || u.Logins.Count != 1 || len(u.Identities) != 1 {
			t.Errorf("%+v %v", u, err)
		}
	})
}
