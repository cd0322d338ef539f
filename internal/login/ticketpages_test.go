package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/ticket"
	"mangrove/internal/user"
)

// link makes a ticket for a user, and returns its path and query.
func (r *rig) link(p ticket.Purpose, id user.ID, change func(*ticket.Request)) string {
	r.t.Helper()
	req := ticket.Request{UserID: id, Lifetime: ticket.DefaultLifetime}
	if change != nil {
		change(&req)
	}
	to, err := r.tickets.Create(r.t.Context(), p, req, audit.Event{})
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimPrefix(to, r.url)
}

func toApplication(req *ticket.Request) { req.ResultURL, req.IncludeEmail = redirect+"?tab=1", true }

func (r *rig) read(id user.ID) *user.User {
	r.t.Helper()
	u, err := r.store.User(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return u
}

func (r *rig) had(kind string) int {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, e := range r.events {
		if e.Type == kind {
			n++
		}
	}
	return n
}

func TestVerifyEmailPage(t *testing.T) {
	r := newRig(t)
	r.database()
	ann := r.person("ann@example.com")
	to := r.link(ticket.VerifyEmail, ann, nil)
	b := r.browser()
	for range 3 { // a mail scanner
		a := b.get(to)
		if a.status != 200 || !strings.Contains(a.body, "Verify my email address") || strings.Contains(a.body, "ann@") {
			t.Fatalf("%d %s", a.status, a.body)
		}
		for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
	q, err := http.NewRequest(http.MethodHead, r.url+strings.TrimSuffix(to, "#"), nil)
	if err != nil {
		t.Fatal(err)
	}
	b.do(q)
	if r.read(ann).Profile.True(profile.EmailVerified) {
		t.Fatal("reading the page verified the address")
	}
	if a := b.postWith(to, "application/x-www-form-urlencoded", "", map[string]string{"Sec-Fetch-Site": "cross-site"}); a.status != 403 {
		t.Errorf("posted by another site: %d", a.status)
	}
	if a := b.post(to, nil); a.status != 200 || !strings.Contains(a.body, "Email verified") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if !r.read(ann).Profile.True(profile.EmailVerified) {
		t.Error("not verified")
	}
	for _, a := range []answer{b.get(to), b.post(to, nil)} {
		if a.status != 400 || !strings.Contains(a.body, "This URL can be used only once") {
			t.Errorf("again: %d %s", a.status, a.body)
		}
	}
	for _, bad := range []string{"/u/email-verification", "/u/email-verification?ticket=" + strings.Repeat("a", 32), "/u/email-verification?ticket=%00", strings.Replace(to, "email-verification", "reset-password", 1)} {
		if a := b.get(bad); a.status != 400 || strings.Contains(a.body, "<form") {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
}

func TestVerifyEmailLeadsBack(t *testing.T) {
	r := newRig(t)
	r.database()
	ann := r.person("ann@example.com")
	b := r.browser()
	to := r.link(ticket.VerifyEmail, ann, toApplication)
	if a := b.get(to); !strings.Contains(a.header.Get("Content-Security-Policy"), "form-action 'self' https:") {
		t.Errorf("policy: %s", a.header.Get("Content-Security-Policy"))
	}
	want := url.Values{
		"tab": {"1"}, "success": {"true"}, "code": {"success"}, "email": {"ann@example.com"},
		"message": {"Your email was verified. You can continue using the application."},
	}
	if a := b.post(to, nil); a.status != 303 || a.app.Encode() != want.Encode() {
		t.Errorf("%d %v", a.status, a.app)
	}
	used := url.Values{"tab": {"1"}, "success": {"false"}, "message": {"This URL can be used only once"}}
	for _, a := range []answer{b.get(to), b.post(to, nil)} {
		if a.app.Encode() != used.Encode() {
			t.Errorf("again: %d %v", a.status, a.app)
		}
	}
	if _, err := r.users.Patch(t.Context(), ann, user.PatchRequest{Changes: []profile.Change{{Name: profile.EmailVerified, Value: profile.Bool(false)}}}, user.Actor{}); err != nil {
		t.Fatal(err)
	}
	to = r.link(ticket.VerifyEmail, ann, toApplication)
	r.pass(5 * 24 * time.Hour)
	if a := b.get(to); a.app.Get("success") != "false" || a.app.Get("message") != "Access expired." || a.app.Has("email") {
		t.Errorf("late: %d %v", a.status, a.app)
	}
}

func TestResetPasswordPage(t *testing.T) {
	r := newRig(t)
	r.database()
	ann := r.person("ann@example.com")
	b := r.browser()
	signIn := func(password string) answer {
		a := b.get("/authorize?connection=db")
		return b.post(a.at.String(), url.Values{"username": {"ann@example.com"}, "password": {password}})
	}
	if a := signIn(password); a.app.Get("user") != string(ann) {
		t.Fatalf("sign-in: %d %s", a.status, a.body)
	}
	to := r.link(ticket.ChangePassword, ann, func(q *ticket.Request) { q.MarksVerified = true })
	if a := b.get(to); a.status != 200 || !strings.Contains(a.body, `autocomplete="new-password"`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	const fresh = "a Fine new password 7"
	for _, row := range []struct {
		first, second, want string
	}{
		{"", "", "Please fill in every field."},
		{fresh, fresh + "x", "The two passwords are not the same."},
		{"short", "short", "That password is too weak."},
	} {
		a := b.post(to, url.Values{"password": {row.first}, "again": {row.second}})
		if a.status != 400 || !strings.Contains(a.body, row.want) || !strings.Contains(a.body, "<form") || row.first != "" && strings.Contains(a.body, row.first+`"`) {
			t.Errorf("%+v: %d %s", row, a.status, a.body)
		}
	}
	if u := r.read(ann); u.Password.SetAt != 0 {
		t.Fatal("a refused password was set")
	}
	if a := b.get("/whoami"); a.body != string(ann) {
		t.Fatalf("the session ended too early: %s", a.body)
	}
	if a := b.post(to, url.Values{"password": {fresh}, "again": {fresh}}); a.status != 200 || !strings.Contains(a.body, "You can sign in with your new password now.") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := b.get("/whoami"); a.body != "" {
		t.Errorf("the session goes on: %s", a.body)
	}
	if u := r.read(ann); !u.Profile.True(profile.EmailVerified) || u.Password.SetAt == 0 {
		t.Errorf("user %+v", u.Password.SetAt)
	}
	if a := signIn(password); a.status != 400 {
		t.Errorf("the old password: %d", a.status)
	}
	if a := signIn(fresh); a.app.Get("user") != string(ann) {
		t.Errorf("the new password: %d %s", a.status, a.body)
	}
	if a := b.post(to, url.Values{"password": {fresh}, "again": {fresh}}); a.status != 400 || !strings.Contains(a.body, "This URL can be used only once") {
		t.Errorf("again: %d %s", a.status, a.body)
	}
}

// Of somebody whom a provider knows nobody gets a password by a link.
func TestNoFirstPasswordByALink(t *testing.T) {
	r := newRig(t)
	r.database()
	r.acme(nil)
	acme, err := r.store.Connection(t.Context(), acmeID)
	if err != nil {
		t.Fatal(err)
	}
	pia, err := r.users.Federate(t.Context(), acme, profile.Claims{Subject: "u-77", Attributes: []profile.Change{{Name: "email", Value: profile.Text("pia@x.example")}}}, nil, user.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	for _, req := range []ticket.Request{
		{UserID: pia.ID}, {UserID: pia.ID, Identity: &ticket.Identity{Provider: "oidc", UserID: pia.Primary().UserID}},
		{ConnectionID: databaseID, Email: "pia@x.example"},
	} {
		if _, err := r.tickets.Create(t.Context(), ticket.ChangePassword, req, audit.Event{}); errs.KindOf(err) != errs.Invalid && errs.KindOf(err) != errs.NotFound {
			t.Errorf("%+v: %v", req, err)
		}
	}
}

func TestRefusedTicketsAreRecorded(t *testing.T) {
	r := newRig(t)
	r.database()
	ann := r.person("ann@example.com")
	b := r.browser()
	verify, reset := r.link(ticket.VerifyEmail, ann, nil), r.link(ticket.ChangePassword, ann, nil)
	if _, err := r.users.Patch(t.Context(), ann, user.PatchRequest{Changes: []profile.Change{{Name: profile.Email, Value: profile.Text("new@example.com")}}}, user.Actor{}); err != nil {
		t.Fatal(err)
	}
	for _, a := range []answer{b.post(verify, nil), b.post(reset, url.Values{"password": {"a Fine new password 7"}, "again": {"a Fine new password 7"}})} {
		if a.status != 400 || !strings.Contains(a.body, "Access expired.") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if r.had(audit.EmailNotVerified) != 1 || r.had(audit.PasswordNotChanged) != 1 {
		t.Errorf("events %+v", r.events)
	}
}
