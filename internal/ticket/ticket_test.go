package ticket

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
)

func TestSecret(t *testing.T) {
	seen, letters := map[string]bool{}, map[rune]int{}
	for range 500 {
		s := newSecret()
		if _, ok := hashOf(s); !ok || seen[s] {
			t.Fatalf("secret %q", s)
		}
		seen[s] = true
		for _, c := range s {
			letters[c]++
		}
	}
	if len(letters) != len(alphabet) {
		t.Errorf("%d different characters of %d", len(letters), len(alphabet))
	}
}

func TestHashOf(t *testing.T) {
	good := strings.Repeat("aZ09", 8)
	rows := []struct {
		secret string
		ok     bool
	}{
		{good, true}, {"", false}, {good[1:], false}, {good + "a", false},
		{good[1:] + "-", false}, {good[1:] + "'", false}, {good[2:] + "é", false}, {good[1:] + "\x00", false},
	}
	for _, row := range rows {
		if hash, ok := hashOf(row.secret); ok != row.ok || (len(hash) == 64) != row.ok {
			t.Errorf("%q: %q, %v", row.secret, hash, ok)
		}
	}
}

func TestState(t *testing.T) {
	rows := []struct {
		ticket Ticket
		want   error
	}{
		{Ticket{ExpiresAt: 11}, nil},
		{Ticket{ExpiresAt: 10}, user.ErrTicketOver},
		{Ticket{ExpiresAt: 11, UsedAt: 1}, user.ErrTicketUsed},
		{Ticket{ExpiresAt: 10, UsedAt: 1}, user.ErrTicketUsed},
	}
	for _, row := range rows {
		if got := row.ticket.state(10); !errors.Is(got, row.want) {
			t.Errorf("%+v: %v", row.ticket, got)
		}
	}
}

func TestAllows(t *testing.T) {
	rows := []struct {
		purpose        Purpose
		class          profile.Class
		primary, named bool
		want           bool
	}{
		{VerifyEmail, profile.Database, true, false, true},
		{VerifyEmail, profile.ExternalDatabase, true, false, true},
		{VerifyEmail, profile.Social, true, false, false},
		{VerifyEmail, profile.Social, true, true, true},
		{VerifyEmail, profile.Enterprise, true, true, true},
		{VerifyEmail, profile.PasswordlessEmail, true, false, false},
		{VerifyEmail, profile.PasswordlessEmail, true, true, true},
		{VerifyEmail, profile.Database, false, true, true},
		{ChangePassword, profile.Database, true, false, true},
		{ChangePassword, profile.Database, true, true, true},
		{ChangePassword, profile.Database, false, true, false},
		{ChangePassword, profile.Social, true, true, false},
		{ChangePassword, profile.PasswordlessEmail, true, true, false},
	}
	for _, row := range rows {
		if got := row.purpose.allows(row.class, row.primary, row.named); got != row.want {
			t.Errorf("%+v: %v", row, got)
		}
	}
}

func TestFind(t *testing.T) {
	u := &user.User{Identities: []user.Identity{
		{Provider: "auth0", UserID: "1", ConnectionID: "con_a"}, {Provider: "auth0", UserID: "2", ConnectionID: "con_b"},
		{Provider: "google-oauth2", UserID: "1", ConnectionID: "con_c"},
	}}
	rows := []struct {
		id   *Identity
		want int
	}{
		{nil, 0},
		{&Identity{Provider: "auth0", UserID: "2"}, 1},
		{&Identity{Provider: "auth0", UserID: "2", ConnectionID: "con_b"}, 1},
		{&Identity{Provider: "auth0", UserID: "2", ConnectionID: "con_a"}, -1},
		{&Identity{Provider: "google-oauth2", UserID: "1"}, 2},
		{&Identity{Provider: "google-oauth2", UserID: "2"}, -1},
		{&Identity{Provider: "auth0", UserID: "auth0|2"}, -1},
	}
	for _, row := range rows {
		if got := row.id.find(u); got != row.want {
			t.Errorf("%+v: %d, want %d", row.id, got, row.want)
		}
	}
}

func members(t *testing.T, body string) []strictjson.Member {
	t.Helper()
	list, err := strictjson.Object([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestReadRequest(t *testing.T) {
	verify := func(m []strictjson.Member) (Request, error) { return ReadRequest(VerifyEmail, m) }
	password := func(m []strictjson.Member) (Request, error) { return ReadRequest(ChangePassword, m) }
	rows := []struct {
		read func([]strictjson.Member) (Request, error)
		body string
		want string // in the error; empty: none
	}{
		{verify, `{"user_id":"auth0|1"}`, ""},
		{verify, `{"user_id":"auth0|1","result_url":"https://a.example/x?y=1#z","ttl_sec":0,"includeEmailInRedirect":true}`, ""},
		{verify, `{"user_id":"auth0|1","identity":{"user_id":"1","provider":"google-oauth2","connection_id":"con_0123456789abcdef"}}`, ""},
		{verify, `{}`, "Missing required property: user_id"},
		{verify, `{"user_id":"1"}`, "Object didn't pass validation for format user-id"},
		{verify, `{"user_id":null}`, "Expected type string but found type null"},
		{verify, `{"user_id":"a|1","include_email_in_redirect":true}`, "Additional properties not allowed: include_email_in_redirect"},
		{verify, `{"user_id":"a|1","email":"a@b.example"}`, "Additional properties not allowed: email"},
		{verify, `{"user_id":"a|1","mark_email_as_verified":true}`, "Additional properties not allowed"},
		{verify, `{"user_id":"a|1","ttl_sec":-1}`, "Value -1 is less than minimum 0' on property ttl_sec"},
		{verify, `{"user_id":"a|1","ttl_sec":1e18}`, "is greater than maximum 3153600000' on property ttl_sec"},
		{verify, `{"user_id":"a|1","ttl_sec":1e400}`, "on property ttl_sec"},
		{verify, `{"user_id":"a|1","ttl_sec":1.5}`, "Expected type integer but found type number"},
		{verify, `{"user_id":"a|1","ttl_sec":"60"}`, "Expected type integer but found type string"},
		{verify, `{"user_id":"a|1","result_url":"javascript:alert(1)"}`, "format url: javascript:alert(1)' on property result_url"},
		{verify, `{"user_id":"a|1","result_url":"data:text/html,x"}`, "format url"},
		{verify, `{"user_id":"a|1","result_url":"//evil.example"}`, "format url"},
		{verify, `{"user_id":"a|1","result_url":"/path"}`, "format url"},
		{verify, `{"user_id":"a|1","result_url":""}`, "format url"},
		{verify, `{"user_id":"a|1","result_url":"https://a.example/\r\nSet-Cookie: a=b"}`, "format url"},
		{verify, `{"user_id":"a|1","result_url":"https://user:pass@a.example/"}`, "format url"},
		{verify, `{"user_id":"a|1","result_url":"https://a.example","client_id":"x"}`, "result_url cannot be specified when using client_id or organization_id."},
		{verify, `{"user_id":"a|1","result_url":"https://a.example","organization_id":"org_x"}`, "result_url cannot be specified"},
		{verify, `{"user_id":"a|1","identity":{"user_id":"1"}}`, "Missing required property: provider' on property identity"},
		{verify, `{"user_id":"a|1","identity":{"user_id":"1","provider":"nobody"}}`, "No enum match for: nobody' on property identity.provider"},
		{verify, `{"user_id":"a|1","identity":{"user_id":"1","provider":"auth0","connection_id":"x"}}`, "^con_[A-Za-z0-9]{16}$"},
		{verify, `{"user_id":"a|1","identity":{"user_id":"1","provider":"auth0","x":1}}`, "Additional properties not allowed: x"},
		{password, `{"user_id":"auth0|1","mark_email_as_verified":true}`, ""},
		{password, `{"connection_id":"con_0123456789abcdef","email":"a@b.example"}`, ""},
		{password, `{}`, "Missing required property: user_id"},
		{password, `{"email":"a@b.example"}`, "Missing required property: connection_id"},
		{password, `{"connection_id":"con_0123456789abcdef"}`, "Missing required property: email"},
		{password, `{"user_id":"a|1","email":"a@b.example"}`, errBoth.Text},
		{password, `{"user_id":"a|1","connection_id":"con_0123456789abcdef","email":"a@b.example"}`, errBoth.Text},
		{password, `{"connection_id":"con_0123456789abcdef","email":"a@b.example","identity":{"user_id":"1","provider":"auth0"}}`, errNoUserID.Text},
		{password, `{"user_id":"a|1","identity":{"user_id":"1","provider":"google-oauth2"}}`, "No enum match for: google-oauth2"},
		{password, `{"connection_id":"x","email":"a@b.example"}`, "on property connection_id"},
		{password, `{"connection_id":"con_0123456789abcdef","email":"nobody"}`, "format email"},
		{ReadMailRequest, `{"user_id":"auth0|1","client_id":"c","identity":{"user_id":"1","provider":"auth0"}}`, ""},
		{ReadMailRequest, `{"user_id":"auth0|1","ttl_sec":1}`, "Additional properties not allowed: ttl_sec"},
		{ReadMailRequest, `{}`, "Missing required property: user_id"},
	}
	for _, row := range rows {
		_, err := row.read(members(t, row.body))
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: %v, want %q", row.body, err, row.want)
		}
	}
}

func TestLifetime(t *testing.T) {
	rows := []struct {
		ttl  string
		want time.Duration
	}{
		{``, DefaultLifetime}, {`0`, DefaultLifetime}, {`0.0`, DefaultLifetime}, {`1`, time.Second}, {`3600`, time.Hour},
		{`1e3`, 1000 * time.Second}, {`60.0`, time.Minute}, {`3153600000`, maxLifetime},
	}
	for _, row := range rows {
		body := `{"user_id":"a|1"}`
		if row.ttl != "" {
			body = `{"user_id":"a|1","ttl_sec":` + row.ttl + `}`
		}
		r, err := ReadRequest(VerifyEmail, members(t, body))
		if err != nil || r.Lifetime != row.want {
			t.Errorf("%q: %v, %v", row.ttl, r.Lifetime, err)
		}
	}
}

func TestLocation(t *testing.T) {
	const verified = "success=true&message=Your%20email%20was%20verified.%20You%20can%20continue%20using%20the%20application.&code=success"
	rows := []struct {
		name string
		r    Result
		want string
	}{
		{"none", Result{}, ""},
		{"plain", Result{to: "https://a.example/done"}, "https://a.example/done?" + verified},
		{"own parameters and fragment", Result{to: "https://a.example/done?b=%7e&a=1+2#/in"}, "https://a.example/done?b=%7e&a=1+2&" + verified + "#/in"},
		{"forged outcome", Result{to: "https://a.example/?success=false&%6dessage=x&code=1&k"}, "https://a.example/?k&" + verified},
		{"with address", Result{to: "https://a.example/", email: "a+b@c.example"}, "https://a.example/?email=a%2Bb%40c.example&" + verified},
		{"used", Result{to: "https://a.example/", email: "a@c.example", Err: user.ErrTicketUsed}, "https://a.example/?success=false&message=This%20URL%20can%20be%20used%20only%20once"},
		{"over", Result{to: "https://a.example/", Err: user.ErrTicketOver}, "https://a.example/?success=false&message=Access%20expired."},
		{"refused by an external store", Result{to: "https://a.example/?email=x", address: "a@c.example", Err: user.ErrNotDone}, "https://a.example/?email=a%40c.example&message=The%20database%20of%20this%20connection%20has%20not%20made%20the%20change.&success=false"},
		{"verified before", Result{to: "https://a.example/", Err: user.ErrAlreadyVerified}, "https://a.example/?success=false&message=This%20account%20is%20already%20verified."},
		{
			"password", Result{Purpose: ChangePassword, to: "https://a.example/"},
			"https://a.example/?success=true&message=You%20can%20now%20login%20to%20the%20application%20with%20the%20new%20password.&code=success",
		},
	}
	for _, row := range rows {
		if got := row.r.Location(); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

// The law: whatever result URL a body may bring, the browser goes to that host
// and path, and reads one outcome there, which is ours.
func FuzzLocation(f *testing.F) {
	for _, s := range []string{"https://a.example/x?success=false#y", "http://a.example?&&=&success", "https://a.example/%0d%0a?a;b", "https://[::1]:8/?%zz"} {
		f.Add(s)
	}
	form := schema.Property{Types: schema.String, Format: schema.FormatURL}
	f.Fuzz(func(t *testing.T, to string) {
		if len(form.Check("", profile.Text(to))) > 0 {
			return
		}
		before, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		got := Result{to: to, email: "a@b.example"}.Location()
		after, err := url.Parse(got)
		if err != nil || after.Scheme != before.Scheme || after.Host != before.Host || after.EscapedPath() != before.EscapedPath() || after.Fragment != before.Fragment {
			t.Fatalf("%q leads to %q (%v)", to, got, err)
		}
		if strings.ContainsAny(got, "\r\n\x00") {
			t.Fatalf("%q breaks a header", got)
		}
		q := after.Query()
		for name, want := range map[string]string{"success": "true", "message": verifiedText, "code": "success", "email": "a@b.example"} {
			if v := q[name]; len(v) != 1 || v[0] != want {
				t.Fatalf("%q: %s is %q", got, name, v)
			}
		}
	})
}
