package user_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// answering is an old store that is a function.
type answering func(call customdb.Call) (customdb.Answer, error)

func (f answering) Run(_ context.Context, _ *connection.Connection, call customdb.Call) (customdb.Answer, error) {
	return f(call)
}

// pages is an old store whose list has these pages; each answers the number of the next.
func pages(list ...string) answering {
	return func(call customdb.Call) (customdb.Answer, error) {
		n := 0
		_, _ = fmt.Sscan(profile.TextOf(call.Arg(customdb.ArgAfter)), &n) // of the first page there is no number
		next := ""
		if n+1 < len(list) {
			next = fmt.Sprint(n + 1)
		}
		return customdb.Answer{Value: json.RawMessage(`{"users":[` + list[n] + `],"next":"` + next + `"}`)}, nil
	}
}

const pulling = `{"enabledDatabaseCustomization":true,"import_mode":true,"customScripts":{"login":"x","get_user":"x","list":"x"}}`

func hashOf(t *testing.T, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

func row(id, more string) string {
	return `{"user_id":"` + id + `","email":"` + strings.ToUpper(id) + `@shop.example","name":"Old ` + id + `"` + more + `}`
}

func TestPull(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		c := h.custom("legacy", pulling, shop())
		hash := `,"password_hash":"` + hashOf(t, "old secret") + `"`
		h.External = pages(
			row("ann", hash)+","+row("ben", "")+","+row("carl", `,"password_hash":"plain"`),
			row("dora", `,"custom_password_hash":{"algorithm":"md5","hash":{"value":"5f4dcc3b5aa765d61d8327deb882cf99","encoding":"hex"}}`)+
				`,{"email":"noid@shop.example"},"x"`,
		)
		res, err := h.Pull(t.Context(), c, user.PullRequest{Limit: 10}, admin)
		if err != nil || res.Migrated != 1 || res.Failed != 2 || res.Present != 0 || res.Next != "1" {
			t.Fatalf("the first page: %+v, %v", res, err)
		}
		for i, want := range []user.PullFailure{{"ben@shop.example", "taken without a password"}, {"carl@shop.example", "no form that is known"}} {
			if got := res.Failures[i]; got.Name != want.Name || !strings.Contains(got.Reason, want.Reason) {
				t.Errorf("failure: %+v", got)
			}
		}
		if p, err := h.store.Progress(t.Context(), c.ID); err != nil || p.Migrated != 1 || p.Known != 1 || p.Failing != 1 {
			t.Errorf("progress %+v, %v", p, err)
		}
		res, err = h.Pull(t.Context(), c, user.PullRequest{After: res.Next, Limit: 10}, admin)
		if err != nil || res.Migrated != 1 || res.Failed != 2 || res.Next != "" {
			t.Fatalf("the second page: %+v, %v", res, err)
		}
		ann := h.read("auth0|ann")
		if a, _ := ann.Profile.Get("name"); string(a.Value) != `"Old ann"` || a.Source.Origin != profile.FromScript || ann.Logins != (user.Logins{}) {
			t.Errorf("%+v, %+v", a, ann.Logins)
		}
		for _, who := range [][2]string{{"ann@shop.example", "old secret"}, {"dora@shop.example", "password"}} {
			if _, err := h.Authenticate(t.Context(), c, who[0], who[1], admin); err != nil {
				t.Errorf("%s: %v", who[0], err)
			}
		}
		// Once more: who is here stays as they are now.
		if _, err := h.Patch(t.Context(), "auth0|ann", user.PatchRequest{Changes: changes("name", `"Ann"`)}, admin); err != nil {
			t.Fatal(err)
		}
		res, err = h.Pull(t.Context(), c, user.PullRequest{Limit: 10, WithoutPassword: true}, admin)
		if err != nil || res.Migrated != 1 || res.Present != 1 || res.Failed != 1 {
			t.Errorf("again: %+v, %v", res, err)
		}
		if got := h.read("auth0|ann").Profile.Text("name"); got != "Ann" {
			t.Errorf("a pull has reset %s", got)
		}
		if got := h.read("auth0|ben").Password; got != (user.Password{}) {
			t.Errorf("%+v", got)
		}
		p, err := h.store.Progress(t.Context(), c.ID)
		if err != nil || p.Migrated != 3 || p.Failing != 1 || p.Known != 0 || !strings.Contains(p.LastError, "no form that is known") {
			t.Errorf("progress %+v, %v", p, err)
		}
		types := typesOf(t, h)
		if types[audit.UserImported] != 3 {
			t.Errorf("%v", types)
		}
		for _, e := range eventsOf(t, h) {
			if e.Type == audit.UserImported && (e.UserID == "" || e.ConnectionID != c.ID || e.ClientID != admin.ClientID) {
				t.Errorf("%+v", e)
			}
		}
	})
}

func TestPullRespectsWhoIsHere(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		c := h.custom("legacy", pulling, shop())
		hash := `,"password_hash":"` + hashOf(t, "old secret") + `"`
		h.External = pages(row("ann", hash) + "," + row("ben", hash) + "," + row("carl", hash))
		// Ann signed up anew, with another id; Ben is gone and buried; Carl's id is
		// that of somebody in another connection.
		taken := func(req user.CreateRequest) *user.User {
			t.Helper()
			u := &user.User{Version: 1}
			for _, ch := range req.Changes {
				u.Profile.Set(ch.Name, ch.Value, profile.Source{Origin: profile.FromManagement})
			}
			on := c
			if req.Connection != c.Name {
				on = h.own
			}
			u.SetPrimary(on, req.UserID)
			if err := h.store.CreateUser(t.Context(), u, user.Effect{}); err != nil {
				t.Fatal(err)
			}
			return u
		}
		taken(user.CreateRequest{Connection: c.Name, UserID: "other", Changes: changes("email", `"ann@shop.example"`)})
		taken(user.CreateRequest{Connection: h.own.Name, UserID: "carl"})
		ben := taken(user.CreateRequest{Connection: c.Name, UserID: "ben"})
		grave := customdb.Grave(h.GraveKey, c.ID, "user_id", "ben")
		if err := h.store.DeleteUser(t.Context(), ben.ID, 0, user.Effect{Graves: map[string][]string{c.ID: {grave}}}); err != nil {
			t.Fatal(err)
		}
		res, err := h.Pull(t.Context(), c, user.PullRequest{Limit: 10}, admin)
		if err != nil || res.Migrated != 0 || res.Present != 1 || res.Deleted != 1 || res.Failed != 1 || res.Failures[0].Name != "carl@shop.example" {
			t.Fatalf("%+v, %v", res, err)
		}
		c = h.options(c, strings.TrimSuffix(pulling, "}")+`,"migration":{"recreate_deleted":true}}`)
		res, err = h.Pull(t.Context(), c, user.PullRequest{Limit: 10}, admin)
		if err != nil || res.Migrated != 1 || res.Present != 1 || res.Deleted != 0 || res.Failed != 1 {
			t.Errorf("when they may come again: %+v, %v", res, err)
		}
	})
}

func TestPullByIdentifier(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		c := h.custom("legacy", pulling, shop())
		hash := `,"password_hash":"` + hashOf(t, "old secret") + `"`
		asked := 0
		h.External = answering(func(call customdb.Call) (customdb.Answer, error) {
			asked++
			switch id := profile.TextOf(call.Arg(customdb.ArgIdentifier)); id {
			case "ann":
				return customdb.Answer{Value: json.RawMessage(row("ann", hash))}, nil
			case "slow":
				h.now = h.now.Add(time.Minute)
				return customdb.Answer{Value: profile.Null}, nil
			case "broken":
				return customdb.Answer{}, &customdb.Failure{Kind: customdb.Broken, Message: "no route to host"}
			}
			return customdb.Answer{}, &customdb.Failure{Kind: customdb.Wrong}
		})
		for _, name := range []string{"ann", "nobody", "late"} { // what is noted ends where nobody need come any more
			n := customdb.Note{ConnectionID: c.ID, Name: name, State: customdb.Failing, At: h.now.UnixMicro()}
			if err := h.store.Note(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		res, err := h.Pull(t.Context(), c, user.PullRequest{Identifiers: []string{"ann", "nobody", "broken", "slow", "late"}}, admin)
		if err != nil || res.Migrated != 1 || res.Failed != 4 || asked != 4 {
			t.Fatalf("%+v, %v, asked %d times", res, err, asked)
		}
		for i, want := range []user.PullFailure{
			{"nobody", "Nobody is known by this identifier."},
			{"broken", "no route to host"},
			{"slow", "Nobody is known by this identifier."},
			{"late", "The time of the batch was over; ask again."},
		} {
			if res.Failures[i] != want {
				t.Errorf("%+v, want %+v", res.Failures[i], want)
			}
		}
		list, err := h.store.Stragglers(t.Context(), c.ID, "", "", 9)
		if err != nil || len(list) != 2 || list[0].Name != "broken" || list[0].State != customdb.Failing || list[1].Name != "late" {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestPullIsRefused(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		c := h.custom("legacy", pulling, shop())
		plain := func(answer string, fails error) answering {
			return func(customdb.Call) (customdb.Answer, error) {
				return customdb.Answer{Value: json.RawMessage(answer)}, fails
			}
		}
		for _, row := range []struct {
			name    string
			options string
			old     answering
			req     user.PullRequest
			kind    errs.Kind
			text    string
		}{
			{"external", external, plain(`[]`, nil), user.PullRequest{}, errs.Invalid, "options.import_mode only"},
			{"off", strings.TrimSuffix(pulling, "}") + `,"migration":{"mode":"off"}}`, plain(`[]`, nil), user.PullRequest{}, errs.Invalid, "is off"},
			{"no list", importing, plain(`[]`, nil), user.PullRequest{}, errs.Invalid, "no action list"},
			{
				"no get_user", `{"enabledDatabaseCustomization":true,"import_mode":true,"customScripts":{"login":"x"}}`, plain(`[]`, nil),
				user.PullRequest{Identifiers: []string{"a"}}, errs.Invalid, "no action get_user",
			},
			{"no list in the answer", pulling, plain(`{"people":[]}`, nil), user.PullRequest{}, errs.Unavailable, "The action list failed: the answer of list"},
			{"a circle", pulling, plain(`{"users":[],"next":"7"}`, nil), user.PullRequest{After: "7"}, errs.Unavailable, "there would be no end"},
			{"down", pulling, plain(``, &customdb.Failure{Kind: customdb.Broken, Message: "no route"}), user.PullRequest{}, errs.Unavailable, "no route"},
			{"a limit", pulling, plain(``, &customdb.Failure{Kind: customdb.Broken}), user.PullRequest{}, errs.Unavailable, "gave no answer: broken"},
		} {
			c, h.External = h.options(c, row.options), row.old
			_, err := h.Pull(t.Context(), c, row.req, admin)
			if e := errs.From(err); e.Kind != row.kind || !strings.Contains(e.Text, row.text) {
				t.Errorf("%s: %v", row.name, err)
			}
		}
		c, h.External = h.options(c, pulling), plain(``, context.Canceled)
		if _, err := h.Pull(t.Context(), c, user.PullRequest{}, admin); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}
