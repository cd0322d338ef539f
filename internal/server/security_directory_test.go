package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"

	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/ldaptest"
	"mangrove/internal/upstream/social/socialtest"
)

// security.md 105, 106: at both doors of both kinds of directory, what is typed means
// itself: no name finds more than the one who has it, and no password is none.
func TestDirectoriesTakeNamesLiterally(t *testing.T) {
	for kind, start := range map[string]func(t *testing.T) inDirectory{
		"slapd": func(t *testing.T) inDirectory {
			d := ldaptest.Slapd(t, ldaptest.Person("ann", "Ann Ash", "ann@corp.example")+ldaptest.Person("a*n", "Star Ash", "star@corp.example"))
			return inDirectory{d, "uid=ann,ou=people,dc=ex,dc=org", "ann", "annpw"}
		},
		"samba": func(t *testing.T) inDirectory {
			d := ldaptest.Samba(t)
			return inDirectory{d, d.AddSambaUser("ann", "Ann.Passw0rd", nil), "ann", "Ann.Passw0rd"}
		},
	} {
		t.Run(kind, func(t *testing.T) {
			p, w := start(t), newWorld(t, storetest.SQLite)
			w.connectDirectory("corp", "", p.directory.Options())
			a := w.newApplication("corp")
			for _, protection := range []string{"brute-force-protection", "suspicious-ip-throttling"} {
				if status, body := w.call("PATCH", "/api/v2/attack-protection/"+protection, `{"enabled":false}`); status != 200 {
					t.Fatalf("%d %s", status, body)
				}
			}
			type pair struct{ name, password string }
			var rows []pair
			for _, name := range []string{
				"", " ", "*", "a*", "**", "ann)(uid=*", "ann)(objectClass=*", "*)(|(uid=*", `ann\`, `\61nn`, `\2a`, "ann\x00", "\x00ann", "an\x00n", "ann\xff", "an\r\nn", "ａｎｎ",
				p.dn, "(uid=ann)", "uid=ann", "ann,ou=people", `ann"`, "ann+x", "ann;x", "ann<x>", `OTHER\ann`, `\ann`, `.\ann`, `*\ann`, "ann@other.example", "ann@", "@",
				strings.Repeat("a", 2000), strings.Repeat("(", 500), strings.Repeat("*", 500),
			} {
				rows = append(rows, pair{name, p.password})
			}
			for _, password := range []string{"", " ", "\t", "\x00", p.password + "\x00", "\x00" + p.password, p.password + " ", " " + p.password, strings.ToUpper(p.password), "*", strings.Repeat("x", 5000)} {
				rows = append(rows, pair{p.name, password})
			}
			for _, row := range rows {
				if status, body := a.grant("corp", row.name, row.password); status == 200 || status >= 500 {
					t.Errorf("the grant for %.60q with %.30q: %d %s", row.name, row.password, status, body)
				}
				if in, refused, _ := a.signInByDirectory("corp", row.name, row.password); in != nil || refused.Has("code") {
					t.Errorf("the page for %.60q with %.30q: %v", row.name, row.password, in)
				}
			}
			if status, body := w.call("GET", "/api/v2/users?include_totals=true", ""); status != 200 || !strings.Contains(body, `"total":0`) {
				t.Errorf("somebody was made: %d %.500s", status, body)
			}
			if status, body := a.grant("corp", p.name, p.password); status != 200 {
				t.Errorf("who is right: %d %s", status, body)
			}
			if kind == "slapd" { // a name may be what looks like a pattern
				in, refused, page := a.signInByDirectory("corp", "a*n", "a*npw")
				if in == nil || in.claims["name"] != "Star Ash" {
					t.Errorf("a*n: %v %v %.300s", in, refused, page)
				}
			}
			w.stop()
			if strings.Contains(w.logs.String(), p.password) {
				t.Error("the log has the password")
			}
		})
	}
}

// security.md 107: a server that is silent, or will not secure the connection, is sent
// no password, and nobody waits for it long.
func TestDirectoriesThatDoNotAnswer(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	for name, say := range map[string]string{
		"silent": "",
		// An LDAP answer to message 1: ExtendedResponse, unwillingToPerform.
		"stripped": "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x35\x04\x00\x04\x00",
		"garbage":  strings.Repeat("\xff", 1000),
	} {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan string, 100)
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					first := make([]byte, 64)
					n, _ := conn.Read(first)
					_, _ = io.WriteString(conn, say)
					rest, _ := io.ReadAll(conn)
					heard <- string(first[:n]) + string(rest)
					conn.Close()
				}()
			}
		}()
		w.laid("ad", name, map[string]any{"ldap": map[string]any{
			"urls": []string{"ldap://" + l.Addr().String()}, "base": "dc=x", "bind_dn": "cn=reader,dc=x", "bind_password": "readerpw", "timeout": 1,
		}}, nil)
		a := w.newApplication(name)
		in, refused, page := a.signInByDirectory(name, "ann", "annpassword")
		if in != nil || refused != nil || !strings.Contains(page, "does not answer") {
			t.Errorf("%s: %v %v %.600s", name, in, refused, page)
		}
		for said := <-heard; ; {
			if strings.Contains(said, "readerpw") || strings.Contains(said, "annpassword") {
				t.Errorf("%s: a password was sent without protection", name)
			}
			if len(heard) == 0 {
				break
			}
			said = <-heard
		}
	}
}

// security.md 109, 111, 112: what a profile script yields is what a provider says, and
// no more; what it says of its failure stays with the operator.
func TestScriptsAreNotBelieved(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	victim := fmt.Sprint(w.made("/api/v2/users", map[string]any{"connection": database, "email": "victim@example.com", "email_verified": true, "password": goodPassword})["user_id"])
	before := w.profileOf(victim)
	n := 0
	run := func(body string) (*signedIn, url.Values) {
		t.Helper()
		n++
		name := fmt.Sprint("script-", n)
		d := socialtest.Start(t, "oauth2")
		d.Redirect(w.url + "/login/callback")
		var options map[string]any
		if err := json.Unmarshal(d.Options(), &options); err != nil {
			t.Fatal(err)
		}
		options["scripts"] = map[string]any{"fetchUserProfile": "function (token, ctx, cb) { " + body + " }"}
		w.laid("oauth2", name, options, nil)
		return w.newApplication(name).signInAt(t, d, name)
	}
	in, refused := run(`cb(null, JSON.parse('{"user_id":"u","name":"N","__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"prototype":{"x":1},` +
		`"app_metadata":{"roles":["admin"]},"user_metadata":{"a":1},"blocked":false,"identities":[{"user_id":"x"}],"logins_count":99,"last_ip":"1.1.1.1","roles":["admin"],` +
		`"email":"victim@example.com","email_verified":"yes","access_token":"t","multifactor":["x"],"created_at":"2000-01-01"}'))`)
	if in == nil {
		t.Fatal(refused)
	}
	p := w.profileOf(in.subject)
	want(t, "a greedy profile", p, map[string]any{
		"name": "N", "app_metadata": nil, "user_metadata": nil, "roles": nil, "admin": nil, "__proto__": nil, "logins_count": 1.0, "last_ip": "127.0.0.1",
		"email_verified": false, "access_token": nil, "multifactor": nil, "blocked": nil,
	})
	if list, _ := p["identities"].([]any); len(list) != 1 || strings.HasPrefix(fmt.Sprint(p["created_at"]), "2000") {
		t.Errorf("%v", p)
	}
	for _, id := range []string{victim, "oauth2|script-1|u"} {
		in, refused = run(`cb(null, { user_id: '` + id + `', name: 'Mallory' })`)
		if in == nil || in.subject != "oauth2|"+fmt.Sprint("script-", n)+"|"+id {
			t.Errorf("as %s: %v %v", id, in, refused)
		}
	}
	want(t, "the victim", w.profileOf(victim), before)
	want(t, "the first", w.profileOf("oauth2|script-1|u"), map[string]any{"name": "N"})
	for what, body := range map[string]string{
		"10 MB":            `cb(null, { user_id: 'u', name: 'x'.repeat(10 << 20) })`,
		"an endless loop":  `for (;;) {}`,
		"no object":        `cb(null, 'u')`,
		"nobody":           `cb(null, { name: 'N' })`,
		"an error":         `cb(new Error('canary ' + token + ' ' + JSON.stringify(ctx)))`,
		"a thrown text":    `throw 'canary ' + token`,
		"an error's stack": `const e = new TypeError(token); e.stack = token; e.code = token; e.name = token; throw e`,
		"a getter":         `cb(null, { get user_id() { throw new Error('canary' + token) } })`,
		"no answer":        ``,
	} {
		in, refused := run(body)
		if in != nil || refused.Get("error") != "access_denied" || strings.Contains(refused.Get("error_description"), "canary") || strings.Contains(refused.Encode(), "cst-1") {
			t.Errorf("%s: %v %v", what, in, refused)
		}
	}
	status, logs := w.call("GET", "/api/v2/logs?per_page=100", "")
	w.stop()
	for _, secret := range []string{"cst-1-6fdb37c2", "cstr-1-0aa1", "canary", socialtest.ClientSecret} {
		if status != 200 || strings.Contains(logs, secret) || strings.Contains(w.logs.String(), secret) {
			i, j := strings.Index(logs, secret), strings.Index(w.logs.String(), secret)
			t.Errorf("a log has %s: %.300q %.300q", secret, logs[max(0, i-200):], w.logs.String()[max(0, j-200):])
		}
	}
}

// RFC 9700 §4.11: where people come back from a provider's logout, nothing that they
// bring leads them elsewhere.
func TestSignOutLeadsNowhereElse(t *testing.T) {
	w := newWorld(t, storetest.SQLite)
	h := newHouse(t, w)
	h.lay("oidc", "carols", nil, nil)
	a := w.newApplication("carols")
	if status, body := w.call("PATCH", "/api/v2/clients/"+a.oauth.ClientID, `{"allowed_logout_urls":["http://app.example/bye"]}`); status != 200 {
		t.Fatal(body)
	}
	const evil = "https://evil.example/"
	stays := func(what string, b *browser, path string) {
		t.Helper()
		res, err := b.client.Get(w.url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if to, err := res.Location(); err == nil && to.Host != "app.example" && !strings.HasPrefix(to.String(), w.url) && !strings.HasPrefix(to.String(), h.Issuer()) {
			t.Errorf("%s: %s leads to %s", what, path, to)
		}
	}
	signedIn := func() *browser {
		t.Helper()
		b := w.newBrowser()
		if in, refused := a.signIn(b, "carols", ""); in == nil {
			t.Fatal(refused)
		}
		return b
	}
	paths := []string{"/v2/logout?federated&returnTo=", "/v2/logout?federated&client_id=" + a.oauth.ClientID + "&returnTo=", "/oidc/logout?federated&post_logout_redirect_uri="}
	for _, name := range []string{"state", "RelayState", "wreply", "wctx", "returnTo", "post_logout_redirect_uri", "SAMLResponse"} {
		paths = append(paths, "/logout?"+name+"=", "/logout?wa=wsignoutcleanup1.0&"+name+"=")
	}
	for _, path := range paths {
		for _, to := range []string{evil, "//evil.example", `/\evil.example`, "https:evil.example", "javascript:alert(1)"} {
			stays("without a session", w.newBrowser(), path+url.QueryEscape(to))
			stays("with one", signedIn(), path+url.QueryEscape(to))
		}
	}
	// The way back is of the browser that left.
	ours := signedIn()
	out := ours.leaves(w, w.url+"/v2/logout?federated&client_id="+a.oauth.ClientID+"&returnTo="+url.QueryEscape("http://app.example/bye"))
	u, err := url.Parse(out)
	if err != nil || !strings.HasPrefix(out, h.Issuer()) {
		t.Fatalf("left for %s", out)
	}
	back := w.url + "/logout?state=" + url.QueryEscape(u.Query().Get("state"))
	if query, _, at := w.newBrowser().follow(back); query != nil || at.Host == "app.example" {
		t.Errorf("another browser came to %s", at)
	}
	if query, _, at := ours.follow(back); query == nil || at.Path != "/bye" {
		t.Errorf("came back to %s", at)
	}
	if query, _, at := ours.follow(back); query != nil {
		t.Errorf("a second time to %s", at)
	}
}
