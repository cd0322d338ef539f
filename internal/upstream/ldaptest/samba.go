package ldaptest

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unicode/utf16"

	"mangrove/internal/parttest"
)

// Names of the domain that Samba makes.
const (
	SambaDomain  = "AD.EX.ORG" // its addresses: name@ad.ex.org
	SambaNetBIOS = "ADEX"      // its short name: ADEX\name
	sambaAddress = "127.0.0.7"
	sambaAdmin   = "Passw0rd.1234"
)

// Samba makes and starts an Active Directory domain controller, which takes some
// seconds and the user root. Its ports are fixed: there is one at a time, on the
// whole machine.
func Samba(t testing.TB) *Directory {
	t.Helper()
	samba := parttest.Need(t, "samba", EnvSamba)
	if os.Getuid() != 0 {
		parttest.Missing(t, "samba", "it runs as root only")
	}
	lock(t)
	// Not below TMPDIR of a test, whose long names its sockets cannot have.
	dir, err := os.MkdirTemp("", "samba")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	out, err := exec.CommandContext(t.Context(), "samba-tool", "domain", "provision", "--realm="+SambaDomain, "--domain="+SambaNetBIOS, "--server-role=dc",
		"--dns-backend=SAMBA_INTERNAL", "--adminpass="+sambaAdmin, "--host-ip=127.0.0.1", "--host-name=dc1", "--use-rfc2307", "--targetdir="+dir,
		"--option=interfaces=lo", "--option=bind interfaces only=yes", "--option=vfs objects=acl_xattr dfs_samba4").CombinedOutput()
	if err != nil {
		t.Fatalf("samba-tool: %v\n%s", err, out)
	}
	d := &Directory{
		LDAPS: "ldaps://" + sambaAddress, StartTLS: "ldap://" + sambaAddress, CA: certify(t, dir, sambaAddress), Base: "DC=ad,DC=ex,DC=org",
		BindDN: `CN=reader,CN=Users,DC=ad,DC=ex,DC=org`, BindPassword: "R3ader.Passw0rd",
		adminDN: "Administrator@ad.ex.org", adminPassword: sambaAdmin, t: t,
	}
	d.configureSamba(dir)
	d.runSamba(samba, dir)
	d.AddSambaUser("reader", d.BindPassword, nil)
	return d
}

// configureSamba leaves of the domain controller its LDAP, on one address.
func (d *Directory) configureSamba(dir string) {
	d.t.Helper()
	conf := filepath.Join(dir, "etc", "smb.conf")
	made, err := os.ReadFile(conf)
	if err != nil {
		d.t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(made)) {
		switch option, _, _ := strings.Cut(strings.TrimSpace(line), " = "); option {
		case "interfaces", "log file", "logging":
		case "[global]":
			lines = append(lines, line, "interfaces = "+sambaAddress+"/8\nserver services = ldap\nlog file = "+dir+"/log.%m\n"+
				"pid directory = "+dir+"\nncalrpc dir = "+dir+"/ncalrpc\ntls enabled = yes\ntls keyfile = "+dir+"/tls-key.pem\n"+
				"tls certfile = "+dir+"/tls-cert.pem\ntls cafile = "+dir+"/tls-ca.pem\n")
		default:
			lines = append(lines, line)
		}
	}
	write(d.t, conf, strings.Join(lines, ""))
}

func (d *Directory) runSamba(samba, dir string) {
	d.t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(d.t.Context()), samba, "-s", filepath.Join(dir, "etc", "smb.conf"), "-i", "-M", "single", "--debug-stdout")
	// It ends with its standard input.
	in, err := cmd.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	d.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = in.Close()
		<-ended
	})
	d.t.Cleanup(d.stop)
	d.listening(ended)
}

// AddSambaUser makes somebody in CN=Users and returns the DN.
func (d *Directory) AddSambaUser(name, password string, more map[string][]string) (dn string) {
	d.t.Helper()
	dn = "CN=" + name + ",CN=Users," + d.Base
	attributes := map[string][]string{
		"objectClass": {"user"}, "sAMAccountName": {name}, "userPrincipalName": {name + "@ad.ex.org"},
		"unicodePwd": {SambaPassword(password)}, "userAccountControl": {strconv.Itoa(0x200)},
	}
	for k, v := range more {
		attributes[k] = v
	}
	d.Add(dn, attributes)
	return dn
}

// AddSambaGroup makes a group in CN=Users with members, which are DNs, and returns
// its DN.
func (d *Directory) AddSambaGroup(name string, members ...string) (dn string) {
	d.t.Helper()
	dn = "CN=" + name + ",CN=Users," + d.Base
	d.Add(dn, map[string][]string{"objectClass": {"group"}, "sAMAccountName": {name}, "member": members})
	return dn
}

// SambaPassword is a password as the attribute unicodePwd takes it.
func SambaPassword(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(`"` + s + `"`)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

// lock waits until no other process has the machine's one domain controller.
func lock(t testing.TB) {
	t.Helper()
	f, err := os.OpenFile("/tmp/mangrove-samba.lock", os.O_CREATE|os.O_RDWR, 0o600) // not TMPDIR, which runs have of their own
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
}
