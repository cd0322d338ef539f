package ldaptest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mangrove/internal/parttest"
)

// People of every slapd, below ou=people,dc=ex,dc=org; their password is their uid
// and "pw".
const slapdLDIF = `dn: dc=ex,dc=org
objectClass: dcObject
objectClass: organization
dc: ex
o: ex

dn: cn=policy,dc=ex,dc=org
objectClass: person
objectClass: pwdPolicy
cn: policy
sn: policy
pwdAttribute: userPassword
pwdMaxAge: 86400
pwdLockout: TRUE
pwdMaxFailure: 100
pwdMustChange: TRUE

dn: cn=reader,dc=ex,dc=org
objectClass: person
cn: reader
sn: reader
userPassword: readerpw

dn: ou=people,dc=ex,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=ex,dc=org
objectClass: organizationalUnit
ou: groups

`

const slapdConf = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile %[1]s/pid
TLSCertificateFile %[1]s/tls-cert.pem
TLSCertificateKeyFile %[1]s/tls-key.pem
sizelimit unlimited
database mdb
suffix dc=ex,dc=org
rootdn cn=admin,dc=ex,dc=org
rootpw secret
directory %[1]s/db
maxsize 268435456
dbnosync
index objectClass,uid,mail,member,uniqueMember,memberUid eq
overlay memberof
overlay ppolicy
ppolicy_default cn=policy,dc=ex,dc=org
ppolicy_use_lockout
access to attrs=userPassword by anonymous auth by * none
access to attrs=entry,uid,mail by * read
access to * by users read by anonymous search
`

// Slapd starts an OpenLDAP with an account that searches, a password policy, and
// what ldif adds to that (operational attributes are taken as they come).
func Slapd(t testing.TB, ldif string) *Directory {
	t.Helper()
	slapd := parttest.Need(t, "slapd", EnvSlapd)
	dir := t.TempDir()
	d := &Directory{
		CA: certify(t, dir, "127.0.0.1"), Base: "dc=ex,dc=org", BindDN: "cn=reader,dc=ex,dc=org", BindPassword: "readerpw",
		adminDN: "cn=admin,dc=ex,dc=org", adminPassword: "secret", t: t,
	}
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "slapd.conf")
	write(t, conf, fmt.Sprintf(slapdConf, dir))
	add := exec.CommandContext(t.Context(), slapd, "-T", "add", "-q", "-f", conf)
	add.Stdin = strings.NewReader(slapdLDIF + ldif)
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	// A port that is free may be taken a moment later.
	for range 5 {
		plain, secure := freePort(t), freePort(t)
		d.StartTLS, d.LDAPS = "ldap://127.0.0.1:"+plain, "ldaps://127.0.0.1:"+secure
		if d.run(slapd, conf) {
			return d
		}
	}
	t.Fatal("slapd does not start")
	return nil
}

// run starts the server and waits until it says that it is there; false: it ended.
func (d *Directory) run(slapd, conf string) bool {
	d.t.Helper()
	// A shell ends it with its own standard input, also when the test dies without a
	// word; it keeps no error output, whose end says that slapd has ended.
	cmd := exec.CommandContext(context.WithoutCancel(d.t.Context()), "/bin/sh", "-c", `"$@" & exec 2>&-; read -r _; kill -9 $!; wait`,
		"sh", slapd, "-d", "256", "-f", conf, "-h", d.StartTLS+" "+d.LDAPS)
	in, err := cmd.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := cmd.StderrPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if !strings.HasSuffix(strings.TrimSpace(lines.Text()), "slapd starting") {
			continue
		}
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			_, _ = io.Copy(io.Discard, out) // its log; a pipe that is full would stop it
		}()
		d.stop = sync.OnceFunc(func() {
			_ = in.Close()
			<-drained
			_ = cmd.Wait()
		})
		d.t.Cleanup(d.stop)
		d.listening(drained)
		return true
	}
	_ = in.Close()
	_ = cmd.Wait()
	return false
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// Person is the LDIF of somebody below ou=people; more are further lines.
func Person(uid, name, mail string, more ...string) string {
	lines := []string{
		"dn: uid=" + uid + ",ou=people,dc=ex,dc=org", "objectClass: inetOrgPerson", "uid: " + uid, "cn: " + name, "sn: " + name[strings.LastIndexByte(name, ' ')+1:],
		"displayName: " + name, "mail: " + mail, "userPassword: " + uid + "pw",
	}
	return strings.Join(append(lines, more...), "\n") + "\n\n"
}

// Group is the LDIF of a group below ou=groups with members, which are DNs.
func Group(cn string, members ...string) string {
	lines := []string{"dn: cn=" + cn + ",ou=groups,dc=ex,dc=org", "objectClass: groupOfNames", "cn: " + cn}
	for _, m := range members {
		lines = append(lines, "member: "+m)
	}
	return strings.Join(lines, "\n") + "\n\n"
}
