package login_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/login"
	"mangrove/internal/session"
	"mangrove/internal/upstream"
)

const (
	pingID  = "con_ping0000000000001"
	otherID = "con_ping0000000000002"
	gone    = "https://app.example/cb?gone=1"
)

// speaker is a provider with sessions. Its messages are signed with the name of the
// connection, and its sign-out page is at the address of options.out.
type speaker struct{}

func (speaker) Leave(_ context.Context, c *connection.Connection, f session.Foreign, s upstream.Start) (upstream.Departure, bool, error) {
	switch c.Upstream().ClientID {
	case "deaf":
		return upstream.Departure{}, false, nil
	case "broken":
		return upstream.Departure{}, false, upstream.ErrUnreachable
	case "posts":
		return upstream.Departure{URL: "https://idp.example/out", Form: url.Values{"SAMLRequest": {"x"}, "RelayState": {s.State}}}, true, nil
	}
	return upstream.Departure{URL: redirect + "?" + url.Values{"name": {f.Name}, "RelayState": {s.State}, "back": {s.CallbackURL}}.Encode()}, true, nil
}

func (speaker) Speaks(m upstream.SignOutMessage) func(*connection.Connection) bool {
	if m.Params.Get("SAMLRequest") == "garbage" {
		return nil
	}
	return func(*connection.Connection) bool { return true }
}

func (speaker) ReadSignOut(_ context.Context, c *connection.Connection, m upstream.SignOutMessage) (upstream.SignOut, error) {
	if m.Params.Get("wa") != "" {
		return upstream.SignOut{Here: true}, nil
	}
	if m.Params.Get("Signature") != c.Name {
		return upstream.SignOut{}, upstream.ErrRefused.Because(errors.New("not signed by the provider"))
	}
	s := upstream.SignOut{Name: m.Params.Get("SAMLRequest"), ID: "_1"}
	if i := m.Params.Get("index"); i != "" {
		s.Indexes = []string{i}
	}
	if s.Name == "nobody" {
		s.Name = ""
	}
	return s, nil
}

func (speaker) AnswerSignOut(_ context.Context, _ *connection.Connection, m upstream.SignOutMessage, s upstream.SignOut) (upstream.Departure, bool, error) {
	if s.Here {
		return upstream.Departure{}, false, nil
	}
	return upstream.Departure{URL: redirect + "?" + url.Values{"SAMLResponse": {s.ID}, "RelayState": {m.Params.Get("RelayState")}}.Encode()}, true, nil
}

// leave is op's side: it ends the session and asks whether to go on.
func (r *rig) leave(flow *login.Flow) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		s, err := flow.Session(q)
		if err == nil {
			err = flow.EndSession(w, q)
		}
		sent := false
		if err == nil {
			sent, err = flow.LeaveUpstream(w, q, s, q.URL.Query().Get("to"))
		}
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		case !sent:
			http.Error(w, "stays", http.StatusTeapot)
		}
	}
}

// ping adds two connections of the strategy.
func (r *rig) ping() {
	r.connect(pingID, "ping", "pingfederate", map[string]any{}, `{}`)
	r.connect(otherID, "other", "pingfederate", map[string]any{}, `{}`)
}

// holds gives the browser a session that came from a provider.
func (b *browser) holds(id, connectionID, name, index string) {
	b.r.t.Helper()
	secret := strings.Repeat(id[:1], 42) + "A"
	sum := sha256.Sum256([]byte(secret))
	end := b.r.now().Add(time.Hour).UnixMicro()
	if err := b.r.store.CreateSession(b.r.t.Context(), session.Session{
		Hash: hex.EncodeToString(sum[:]), ID: id, UserID: b.r.known(), ConnectionID: connectionID, ExpiresAt: end, IdleUntil: end, LastSeen: b.r.now().UnixMicro(),
		Foreign: session.Foreign{Name: name, Index: index},
	}); err != nil {
		b.r.t.Fatal(err)
	}
	at, err := url.Parse(b.r.url)
	if err != nil {
		b.r.t.Fatal(err)
	}
	b.jar.SetCookies(at, []*http.Cookie{{Name: "auth0", Value: secret, Path: "/", Secure: true}})
}

// known is a user whose sessions count.
func (r *rig) known() string {
	r.t.Helper()
	if _, err := r.store.ConnectionByName(r.t.Context(), "db"); err != nil {
		r.database()
		return string(r.person("pia@example.test"))
	}
	views, err := r.store.ViewsByEmail(r.t.Context(), "pia@example.test")
	if err != nil || len(views) != 1 {
		r.t.Fatal(len(views), err)
	}
	return string(views[0].ID)
}

// recorded are the descriptions of the events of a type.
func (r *rig) recorded(kind string) []string {
	r.t.Helper()
	list, err := r.store.Events(r.t.Context(), audit.Span{Type: kind, Limit: 50})
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for i := range list {
		out = append(out, list[i].Description)
	}
	return out
}

func TestLeaveAndComeBack(t *testing.T) {
	r := newRig(t)
	r.ping()
	b := r.browser()
	b.holds("s", pingID, "pia", "i")
	out := b.get("/leave?to=" + url.QueryEscape(gone))
	state := out.app.Get("RelayState")
	if len(state) != 43 || out.app.Get("name") != "pia" || out.app.Get("back") != r.url+"/logout" {
		t.Fatalf("sent away with %v", out.app)
	}
	if b.whoami() != "" {
		t.Fatal("the session outlives the departure")
	}
	if a := r.browser().get("/logout?RelayState=" + state); a.app != nil || a.status != 200 {
		t.Errorf("another browser was led to %v", a.app)
	}
	for _, wrong := range []string{strings.Repeat("B", 43), "https://evil.example/"} {
		if a := r.browser().get("/logout?RelayState=" + url.QueryEscape(wrong) + "&to=https://evil.example/"); a.app != nil || a.status != 200 || a.header.Get("Location") != "" {
			t.Errorf("a state of nobody led to %d %q", a.status, a.header.Get("Location"))
		}
	}
	// As a login's state it is nothing.
	if a := b.get("/login/callback?state=" + state); a.status != 400 {
		t.Errorf("as the state of a login: %d", a.status)
	}
	if a := b.post("/logout", url.Values{"SAMLResponse": {"whatever"}, "RelayState": {state}}); a.app.Get("gone") != "1" {
		t.Errorf("came back to %d %s", a.status, a.at)
	}
	if a := b.get("/logout?state=" + state); a.app != nil || a.status != 200 {
		t.Errorf("twice: %d %v", a.status, a.app)
	}
}

func TestComeBackWithoutState(t *testing.T) {
	r := newRig(t)
	r.ping()
	b := r.browser()
	b.holds("s", pingID, "pia", "i")
	b.get("/leave?to=" + url.QueryEscape(gone))
	if a := b.get("/logout"); a.app.Get("gone") != "1" {
		t.Errorf("came back to %d %s", a.status, a.at)
	}
	b.holds("t", pingID, "pia", "i")
	b.get("/leave")
	if a := b.get("/logout"); a.status != 200 || !strings.Contains(a.body, "ut") || a.app != nil {
		t.Errorf("nowhere to go: %d %s", a.status, a.body)
	}
}

// A provider that cannot be asked keeps nobody: op goes on without it.
func TestLeaveStays(t *testing.T) {
	r := newRig(t)
	r.ping()
	for i, row := range []struct{ client, strategy string }{{"deaf", ""}, {"broken", ""}, {"", "db"}, {"", "gone"}} {
		at := pingID
		if row.strategy != "" {
			at = databaseID
		}
		if row.strategy == "gone" {
			at = "con_000000000000gone"
		}
		r.change(pingID, func(c *connection.Connection) { c.Options = []byte(`{"client_id":"` + row.client + `"}`) })
		b := r.browser()
		b.holds(string(rune('a'+i)), at, "pia", "")
		if a := b.get("/leave"); a.status != http.StatusTeapot {
			t.Errorf("%+v: %d %v", row, a.status, a.app)
		}
	}
	if got := r.recorded(audit.LogoutFailed); len(got) != 1 || !strings.Contains(got[0], "unreachable") {
		t.Errorf("recorded %q", got)
	}
	r.change(pingID, func(c *connection.Connection) { c.Options = []byte(`{"client_id":"posts"}`) })
	b := r.browser()
	b.holds("p", pingID, "pia", "")
	if a := b.get("/leave"); a.status != 200 || !strings.Contains(a.body, "https://idp.example/out") || !strings.Contains(a.body, "RelayState") {
		t.Errorf("a form: %d %.200s", a.status, a.body)
	}
}

func TestEndedByProvider(t *testing.T) {
	for _, row := range []struct {
		name   string
		query  string // of GET, and the form of POST
		at     string // connection in the address
		status int    // 0: answered to the provider
		ends   string // ids, sorted
		failed string // what is on record
	}{
		{name: "one session", query: "SAMLRequest=pia&index=i1&Signature=ping&RelayState=r", ends: "a"},
		{name: "all of a person", query: "SAMLRequest=pia&Signature=ping&RelayState=r", ends: "a b"},
		{name: "by the other connection, which is found by its key", query: "SAMLRequest=pia&Signature=other&RelayState=r", ends: "d"},
		{name: "at the address of the connection", query: "SAMLRequest=pia&Signature=ping&RelayState=r", at: "ping", ends: "a b"},
		{name: "at the address of another", query: "SAMLRequest=pia&Signature=ping", at: "other", status: 403, failed: upstream.ErrRefused.Text},
		{name: "at the address of nothing", query: "SAMLRequest=pia&Signature=ping", at: "none", status: 400, failed: "no identity provider"},
		{name: "at the address of a database", query: "SAMLRequest=pia&Signature=ping", at: "db", status: 400, failed: "no identity provider"},
		{name: "unsigned", query: "SAMLRequest=pia&index=i1", status: 403, failed: upstream.ErrRefused.Text},
		{name: "signed by somebody else", query: "SAMLRequest=pia&index=i1&Signature=evil", status: 403, failed: upstream.ErrRefused.Text},
		{name: "of nobody", query: "SAMLRequest=nobody&Signature=ping", status: 403, failed: upstream.ErrRefused.Text},
		{name: "nonsense", query: "SAMLRequest=garbage", status: 400, failed: "no identity provider"},
		{name: "doubled", query: "SAMLRequest=pia&SAMLRequest=pia&Signature=ping", status: 400},
		{name: "somebody unknown", query: "SAMLRequest=eve&Signature=ping&RelayState=r"},
		{name: "clean up here", query: "wa=wsignoutcleanup1.0", status: 200, ends: "a"},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(method+" "+row.name, func(t *testing.T) {
				r := newRig(t)
				r.ping()
				browsers := map[string]*browser{}
				for id, of := range map[string][3]string{
					"a": {pingID, "pia", "i1"}, "b": {pingID, "pia", "i2"}, "c": {pingID, "bo", "i1"}, "d": {otherID, "pia", "i1"}, "e": {pingID, "", ""},
				} {
					browsers[id] = r.browser()
					browsers[id].holds(id, of[0], of[1], of[2])
				}
				to := "/logout"
				if row.at != "" {
					to += "?connection=" + row.at
				}
				var a answer
				if method == "POST" {
					a = browsers["a"].postWith(to, "application/x-www-form-urlencoded", row.query, nil)
				} else {
					a = browsers["a"].get(strings.Replace(to+"?"+row.query, "?connection="+row.at+"?", "?connection="+row.at+"&", 1))
				}
				switch {
				case row.status == 0 && (a.app.Get("SAMLResponse") != "_1" || a.app.Get("RelayState") != "r"):
					t.Errorf("answered %d %v %.300s", a.status, a.app, a.body)
				case row.status != 0 && (a.status != row.status || a.app != nil):
					t.Errorf("%d %v, want %d", a.status, a.app, row.status)
				}
				var ended []string
				for id, b := range browsers {
					if b.whoami() == "" {
						ended = append(ended, id)
					}
				}
				slices.Sort(ended)
				if got := strings.Join(ended, " "); got != row.ends {
					t.Errorf("ended %q, want %q", got, row.ends)
				}
				if got := r.recorded(audit.LogoutOK); len(got) != len(ended) {
					t.Errorf("%d sessions ended, %d on record", len(ended), len(got))
				}
				failed := r.recorded(audit.LogoutFailed)
				if row.failed == "" && len(failed) != 0 || row.failed != "" && (len(failed) != 1 || !strings.Contains(failed[0], row.failed)) {
					t.Errorf("failures on record: %q", failed)
				}
				if dead := browsers["a"].cookie("auth0") == ""; dead != slices.Contains(ended, "a") {
					t.Errorf("the cookie is gone: %v", dead)
				}
			})
		}
	}
}
