package ldap_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/outbound"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/ldap"
	"mangrove/internal/upstream/ldaptest"
)

const people = ",ou=people,dc=ex,dc=org"

// connector may go to this machine.
func connector(t *testing.T) *ldap.Connector {
	t.Helper()
	k := ldap.New(outbound.Dialer([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, ldap.Ports...), time.Now)
	t.Cleanup(k.Close)
	return k
}

// to is a connection with options.ldap, changed by pairs of a name and a value; nil
// takes an option away.
func to(t *testing.T, o map[string]any, changes ...any) *connection.Connection {
	t.Helper()
	for i := 0; i < len(changes); i += 2 {
		o[changes[i].(string)] = changes[i+1]
		if changes[i+1] == nil {
			delete(o, changes[i].(string))
		}
	}
	raw, err := json.Marshal(map[string]any{"ldap": o})
	if err != nil {
		t.Fatal(err)
	}
	return &connection.Connection{ID: "con_1", Name: "corp", Strategy: "ad", Options: raw}
}

func attribute(r upstream.Result, name string) string {
	value := ""
	for _, ch := range r.Claims.Attributes {
		if ch.Name == name {
			value = string(ch.Value)
		}
	}
	return value
}

var crowd = ldaptest.Person("alice", "Alice Adams", "alice@ex.org", "givenName: Alice", "telephoneNumber: 1", "telephoneNumber: 2",
	"audio:: /wAB", "manager: uid=bob,ou=people,dc=ex,dc=org", "departmentNumber: 7") +
	ldaptest.Person("bob", "Bob Brown", "bob@ex.org") +
	ldaptest.Person("twin1", "Twin One", "twins@ex.org") +
	ldaptest.Person("twin2", "Twin Two", "twins@ex.org") +
	ldaptest.Person("old", "Old Password", "old@ex.org", "pwdChangedTime: 20000101000000Z") +
	ldaptest.Person("reset", "Reset Password", "reset@ex.org", "pwdReset: TRUE") +
	ldaptest.Person("locked", "Locked Out", "locked@ex.org", "pwdAccountLockedTime: 000001010000Z") +
	"dn: cn=Odd\\2C \\22Name\\22\\2B\\5Cx (a*b)" + people + "\nobjectClass: inetOrgPerson\ncn: Odd, \"Name\"+\\x (a*b)\nsn: Odd\nuid: odd\nuserPassword: oddpw\n\n" +
	ldaptest.Group("staff", "uid=alice"+people) +
	ldaptest.Group("everybody", "cn=staff,ou=groups,dc=ex,dc=org", "cn=odd ones,ou=groups,dc=ex,dc=org") +
	ldaptest.Group("knot", "cn=everybody,ou=groups,dc=ex,dc=org", "cn=knot2,ou=groups,dc=ex,dc=org") +
	ldaptest.Group("knot2", "cn=knot,ou=groups,dc=ex,dc=org") +
	ldaptest.Group("odd ones", "cn=Odd\\2C \\22Name\\22\\2B\\5Cx (a*b)"+people) +
	"dn: cn=posix,ou=groups,dc=ex,dc=org\nobjectClass: posixGroup\ncn: posix\ngidNumber: 5\nmemberUid: alice\n\n"

func TestSlapd(t *testing.T) {
	d := ldaptest.Slapd(t, crowd)
	k := connector(t)
	signIn := func(name, password string, changes ...any) (upstream.Result, error) {
		return k.SignIn(t.Context(), to(t, d.Options(), changes...), name, password, nil)
	}

	t.Run("claims", func(t *testing.T) {
		for _, changes := range [][]any{nil, {"attributes", map[string]any{"audio": "audio"}}, {"urls", []string{d.StartTLS}}, {"bind_dn", nil, "bind_password", nil}} {
			r, err := signIn("alice", "alicepw", changes...)
			if err != nil {
				t.Fatalf("%v: %v", changes, err)
			}
			if r.Claims.Subject != "alice" || r.Tokens != nil {
				t.Errorf("subject %q, tokens %s", r.Claims.Subject, r.Tokens)
			}
			for name, want := range map[string]string{
				"name": `"Alice Adams"`, "given_name": `"Alice"`, "family_name": `"Adams"`, "nickname": `"Alice Adams"`,
				"email": `"alice@ex.org"`, "emails": `["alice@ex.org"]`, "email_verified": "",
				"telephoneNumber": `["1","2"]`, "audio": "", "manager": `"uid=bob,ou=people,dc=ex,dc=org"`,
				"dn": `"uid=alice,ou=people,dc=ex,dc=org"`, "organizationUnits": `"uid=alice,ou=people,dc=ex,dc=org"`,
				"groups": `["everybody","knot","knot2","posix","staff"]`,
			} {
				if got := attribute(r, name); got != want {
					t.Errorf("%v: %s is %s, want %s", changes, name, got, want)
				}
			}
			if !json.Valid(r.Claims.Raw) || strings.Contains(string(r.Claims.Raw), "pw") {
				t.Errorf("raw: %s", r.Claims.Raw)
			}
		}
	})

	t.Run("own attributes", func(t *testing.T) {
		r, err := signIn("bob@ex.org", "bobpw", "attributes", map[string]any{
			"department": "departmentNumber", "nickname": []string{"nothing", "uid"}, "emails": nil, "email_verified": "uid",
		}, "group_filter", "(uniqueMember={0})", "id_attribute", "mail")
		if err != nil {
			t.Fatal(err)
		}
		got := []string{r.Claims.Subject, attribute(r, "nickname"), attribute(r, "emails"), attribute(r, "groups")}
		if fmt.Sprint(got) != `[bob@ex.org "bob"  []]` {
			t.Errorf("%v", got)
		}
	})

	t.Run("refusals", func(t *testing.T) {
		for _, row := range []struct {
			name, password string
			want           error
			changes        []any
		}{
			{"alice", "wrong", upstream.ErrWrongCredentials, nil},
			{"nobody", "alicepw", upstream.ErrWrongCredentials, nil},
			// security.md 105: as binds they would be anonymous, and succeed.
			{"alice", "", upstream.ErrWrongCredentials, nil},
			{"alice", "  \t", upstream.ErrWrongCredentials, nil},
			{"alice", "\x00", upstream.ErrWrongCredentials, nil},
			{"alice", "alicepw\x00x", upstream.ErrWrongCredentials, nil},
			{"", "alicepw", upstream.ErrWrongCredentials, nil},
			{"  ", "alicepw", upstream.ErrWrongCredentials, nil},
			// security.md 106: only the literal.
			{"*", "alicepw", upstream.ErrWrongCredentials, nil},
			{"al*", "alicepw", upstream.ErrWrongCredentials, nil},
			{"a)(uid=*", "alicepw", upstream.ErrWrongCredentials, nil},
			{"*)(|(uid=*", "alicepw", upstream.ErrWrongCredentials, nil},
			{`\61lice`, "alicepw", upstream.ErrWrongCredentials, nil},
			{`EX\alice`, "alicepw", upstream.ErrWrongCredentials, nil},
			{"alice\x00", "alicepw", upstream.ErrWrongCredentials, nil},
			{"\xffalice", "alicepw", upstream.ErrWrongCredentials, nil},
			// The server takes these for alice; a guard would take them for others.
			{" alice ", "alicepw", upstream.ErrWrongCredentials, nil},
			{"ａlice", "alicepw", upstream.ErrWrongCredentials, nil},
			{"ali\u00adce", "alicepw", upstream.ErrWrongCredentials, nil},
			// security.md 107
			{"twins@ex.org", "twin1pw", upstream.ErrWrongCredentials, nil},
			{"old", "oldpw", upstream.ErrPasswordExpired, nil},
			{"old", "wrong", upstream.ErrWrongCredentials, nil},
			{"reset", "resetpw", upstream.ErrPasswordChange, nil},
			{"reset", "wrong", upstream.ErrWrongCredentials, nil},
			// Said before the password is looked at: it must not tell that there is an account.
			{"locked", "lockedpw", upstream.ErrWrongCredentials, nil},
			{"alice", "alicepw", upstream.ErrConfig, []any{"bind_password", "wrong"}},
			{"alice", "alicepw", upstream.ErrConfig, []any{"bind_password", ""}},
			{"alice", "alicepw", upstream.ErrUnreachable, []any{"ca", nil}},
			{"alice", "alicepw", upstream.ErrUnreachable, []any{"server_name", "ldap.example"}},
			{"alice", "alicepw", upstream.ErrRefused, []any{"base", "dc=elsewhere"}},
			{"alice", "alicepw", upstream.ErrRefused, []any{"id_attribute", "telephoneNumber"}},
			{"alice", "alicepw", upstream.ErrRefused, []any{"id_attribute", "carLicense"}},
		} {
			_, err := signIn(row.name, row.password, row.changes...)
			if !errors.Is(err, row.want) {
				t.Errorf("%q %q %v: %v, want %v", row.name, row.password, row.changes, err, row.want)
			}
			if err != nil && row.name != "" && len(row.changes) == 0 && (strings.Contains(err.Error(), "alice") || strings.Contains(err.Error(), "pw")) {
				t.Errorf("the cause tells about the person: %v", err)
			}
		}
		if _, err := signIn("ALICE", "alicepw"); err != nil {
			t.Errorf("twin, in capitals: %v", err)
		}
		if _, err := signIn("twins@ex.org", "twin1pw", "user_filter", "(&(mail={0})(uid=twin1))"); err != nil {
			t.Errorf("twin of two entries: %v", err)
		}
	})

	t.Run("odd DN", func(t *testing.T) {
		r, err := signIn(`Odd, "Name"+\x (a*b)`, "oddpw", "user_filter", "(cn={0})")
		if err != nil {
			t.Fatal(err)
		}
		if got := attribute(r, "groups"); got != `["everybody","knot","knot2","odd ones"]` {
			t.Errorf("groups: %s", got)
		}
	})

	t.Run("changes between logins", func(t *testing.T) {
		d.Set("uid=bob"+people, map[string][]string{"displayName": {"Robert"}})
		r, err := signIn("bob", "bobpw")
		if err != nil || attribute(r, "name") != `"Robert"` {
			t.Errorf("%s, %v", attribute(r, "name"), err)
		}
	})

	t.Run("internal addresses are closed", func(t *testing.T) {
		k := ldap.New(outbound.Dialer(nil, ldap.Ports...), time.Now)
		if _, err := k.SignIn(t.Context(), to(t, d.Options()), "alice", "alicepw", nil); !errors.Is(err, upstream.ErrUnreachable) || !strings.Contains(err.Error(), "internal address") {
			t.Errorf("%v", err)
		}
	})
}

// Failover: the first that answers, and a stopped one is not waited for twice.
func TestFailover(t *testing.T) {
	first, second := ldaptest.Slapd(t, crowd), ldaptest.Slapd(t, ldaptest.Person("alice", "From The Second", "alice@ex.org"))
	k := connector(t)
	c := to(t, first.Options(), "urls", []string{first.LDAPS, second.LDAPS}, "ca", first.CA+second.CA)
	name := func(want string) {
		t.Helper()
		r, err := k.SignIn(t.Context(), c, "alice", "alicepw", nil)
		if err != nil || attribute(r, "name") != want {
			t.Fatalf("%s, %v; want %s", attribute(r, "name"), err, want)
		}
	}
	name(`"Alice Adams"`)
	first.Stop()
	name(`"From The Second"`) // over a connection that was idle and has died
	name(`"From The Second"`)
	if err := k.Status(t.Context(), c); err != nil {
		t.Errorf("status with one server: %v", err)
	}
	second.Stop()
	if _, err := k.SignIn(t.Context(), c, "alice", "alicepw", nil); !errors.Is(err, upstream.ErrUnreachable) {
		t.Errorf("none answers: %v", err)
	}
	if err := k.Status(t.Context(), c); !errors.Is(err, upstream.ErrUnreachable) {
		t.Errorf("status without servers: %v", err)
	}
}

// A referral leads to whoever wrote it: passwords do not go there (security.md 107).
func TestReferralIsNotFollowed(t *testing.T) {
	visits, address := listen(t, func(net.Conn) {})
	referral := "objectClass: referral\nobjectClass: extensibleObject\nref: ldap://" + address + "/dc=ex,dc=org\n\n"
	d := ldaptest.Slapd(t, crowd+"dn: ou=elsewhere,dc=ex,dc=org\nou: elsewhere\n"+referral+"dn: uid=moved"+people+"\nuid: moved\n"+referral)
	k := connector(t)
	if _, err := k.SignIn(t.Context(), to(t, d.Options()), "alice", "alicepw", nil); err != nil {
		t.Errorf("beside a referral: %v", err)
	}
	if _, err := k.SignIn(t.Context(), to(t, d.Options()), "moved", "alicepw", nil); !errors.Is(err, upstream.ErrWrongCredentials) {
		t.Errorf("of a referral: %v", err)
	}
	if _, err := k.SignIn(t.Context(), to(t, d.Options(), "base", "ou=elsewhere,dc=ex,dc=org"), "alice", "alicepw", nil); !errors.Is(err, upstream.ErrRefused) {
		t.Errorf("below a referral: %v", err)
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("%d visits", n)
	}
}

// More groups than are read: the first 10,000, a page at a time.
func TestManyGroups(t *testing.T) {
	var ldif strings.Builder
	ldif.WriteString(crowd)
	for i := range 10_050 {
		ldif.WriteString(ldaptest.Group(fmt.Sprintf("g%05d", i), "uid=bob"+people))
	}
	d := ldaptest.Slapd(t, ldif.String())
	k := connector(t)
	r, err := k.SignIn(t.Context(), to(t, d.Options()), "bob", "bobpw", nil)
	if err != nil {
		t.Fatal(err)
	}
	var groups []string
	if err := json.Unmarshal([]byte(attribute(r, "groups")), &groups); err != nil || len(groups) != 10_000 {
		t.Errorf("%d groups, %v", len(groups), err)
	}
	// The connection that was left with pages to come is not gone on with.
	if r, err := k.SignIn(t.Context(), to(t, d.Options()), "alice", "alicepw", nil); err != nil || attribute(r, "groups") == "[]" {
		t.Errorf("afterwards: %s, %v", attribute(r, "groups"), err)
	}
}

// listen answers connections by do, and counts them.
func listen(t *testing.T, do func(net.Conn)) (visits *atomic.Int32, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	visits = new(atomic.Int32)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			go func() {
				defer c.Close()
				do(c)
			}()
		}
	}()
	return visits, l.Addr().String()
}

// A server that accepts and says nothing is given up by the clock, and does not keep
// others from being asked (security.md 107).
func TestSilentServer(t *testing.T) {
	d := ldaptest.Slapd(t, crowd)
	ended := make(chan struct{}, 10)
	_, address := listen(t, func(c net.Conn) {
		_, _ = io.Copy(io.Discard, c) // until the other side gives up
		ended <- struct{}{}
	})
	for _, scheme := range []string{"ldaps://", "ldap://"} {
		k := connector(t)
		c := to(t, d.Options(), "urls", []string{scheme + address}, "timeout", 1)
		if _, err := k.SignIn(t.Context(), c, "alice", "alicepw", nil); !errors.Is(err, upstream.ErrUnreachable) {
			t.Errorf("%s alone: %v", scheme, err)
		}
		<-ended
		c = to(t, d.Options(), "urls", []string{scheme + address, d.LDAPS}, "timeout", 1)
		if _, err := k.SignIn(t.Context(), c, "alice", "alicepw", nil); err != nil {
			t.Errorf("%s first: %v", scheme, err)
		}
		<-ended
		// Somebody who is gone is not waited for.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := k.Status(ctx, c); !errors.Is(err, upstream.ErrUnreachable) {
			t.Errorf("%s cancelled: %v", scheme, err)
		}
	}
}

// Somebody between us and the server says that there is no StartTLS, or answers in
// the clear: nothing is sent (security.md 107).
func TestStartTLSStripped(t *testing.T) {
	for name, reply := range map[string]string{
		"refused":      "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00", // protocolError
		"not TLS":      "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00", // success, and no handshake
		"not LDAP":     "HTTP/1.1 400 Bad Request\r\n\r\n",
		"huge":         "\x30\x84\x7f\xff\xff\xff\x04\x84\x7f\xff\xff\xf0" + strings.Repeat("x", 4096),
		"deep":         strings.Repeat("\x30\x80", 4096),
		"wrong number": "\x30\x0c\x02\x01\x09\x78\x07\x0a\x01\x00\x04\x00\x04\x00",
	} {
		t.Run(name, func(t *testing.T) {
			heard := make(chan string, 1)
			_, address := listen(t, func(c net.Conn) {
				first := make([]byte, 4096)
				n, _ := c.Read(first)
				_, _ = io.WriteString(c, reply)
				rest, _ := io.ReadAll(c)
				heard <- string(first[:n]) + string(rest)
			})
			k := connector(t)
			c := to(t, map[string]any{"urls": []string{"ldap://" + address}, "base": "dc=ex", "bind_dn": "cn=r", "bind_password": "readerpw", "timeout": 1})
			if _, err := k.SignIn(t.Context(), c, "alice", "alicepw", nil); !errors.Is(err, upstream.ErrUnreachable) {
				t.Errorf("%v", err)
			}
			if got := <-heard; strings.Contains(got, "readerpw") || strings.Contains(got, "alice") {
				t.Errorf("sent in the clear: %q", got)
			}
		})
	}
}

// A server that sends without end is cut off.
func TestEndlessServer(t *testing.T) {
	_, address := listen(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "\x30\x84\x7f\xff\xff\xff\x04\x84\x7f\xff\xff\xf0")
		block := []byte(strings.Repeat("x", 1<<20))
		for {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	})
	c := to(t, map[string]any{"urls": []string{"ldap://" + address}, "base": "dc=ex"})
	if _, err := connector(t).SignIn(t.Context(), c, "alice", "alicepw", nil); !errors.Is(err, upstream.ErrUnreachable) {
		t.Errorf("%v", err)
	}
}

// What the options of a connection do at its next login.
func TestOptionsChange(t *testing.T) {
	d := ldaptest.Slapd(t, crowd)
	k := connector(t)
	c := to(t, d.Options())
	if _, err := k.SignIn(t.Context(), c, "alice", "alicepw", nil); err != nil {
		t.Fatal(err)
	}
	c = to(t, d.Options(), "base", "ou=groups,dc=ex,dc=org")
	if _, err := k.SignIn(t.Context(), c, "alice", "alicepw", nil); !errors.Is(err, upstream.ErrWrongCredentials) {
		t.Errorf("another base: %v", err)
	}
	if _, err := k.SignIn(t.Context(), &connection.Connection{ID: "con_1", Strategy: "ad", Options: []byte(`{}`)}, "alice", "alicepw", nil); !errors.Is(err, upstream.ErrConfig) {
		t.Errorf("without servers: %v", err)
	}
}
