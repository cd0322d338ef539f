package ldaptest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	ldapv3 "github.com/go-ldap/ldap/v3"
)

// Environment: the programs.
const (
	EnvSlapd = "MANGROVE_TEST_SLAPD" // /usr/sbin/slapd
	EnvSamba = "MANGROVE_TEST_SAMBA" // /usr/sbin/samba; samba-tool is found by PATH
)

// Directory is a running server.
type Directory struct {
	LDAPS, StartTLS string // URLs
	CA              string // PEM of the authority that its certificate is of
	Base            string
	// BindDN and BindPassword are an account that may search.
	BindDN, BindPassword string

	adminDN, adminPassword string
	t                      testing.TB
	stop                   func()
}

// Options are options.ldap of a connection to the directory.
func (d *Directory) Options() map[string]any {
	return map[string]any{
		"urls": []string{d.LDAPS}, "ca": d.CA, "base": d.Base, "bind_dn": d.BindDN, "bind_password": d.BindPassword,
	}
}

// Stop ends the server; the test's end does it otherwise.
func (d *Directory) Stop() { d.stop() }

// Add makes an entry, by the directory's administrator.
func (d *Directory) Add(dn string, attributes map[string][]string) {
	d.t.Helper()
	r := ldapv3.NewAddRequest(dn, nil)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		r.Attribute(name, attributes[name])
	}
	d.admin(func(c *ldapv3.Conn) error { return c.Add(r) })
}

// Set replaces attributes of an entry; one without values is removed.
func (d *Directory) Set(dn string, attributes map[string][]string) {
	d.t.Helper()
	r := ldapv3.NewModifyRequest(dn, nil)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		r.Replace(name, attributes[name])
	}
	d.admin(func(c *ldapv3.Conn) error { return c.Modify(r) })
}

// Text is a value of an entry as the administrator sees it.
func (d *Directory) Text(dn, attribute string) string {
	d.t.Helper()
	var value string
	d.admin(func(c *ldapv3.Conn) error {
		found, err := c.Search(ldapv3.NewSearchRequest(dn, ldapv3.ScopeBaseObject, ldapv3.NeverDerefAliases, 1, 0, false, "(objectClass=*)", []string{attribute}, nil))
		if err == nil && len(found.Entries) == 1 {
			value = found.Entries[0].GetAttributeValue(attribute)
		}
		return err
	})
	return value
}

func (d *Directory) admin(do func(*ldapv3.Conn) error) {
	d.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(d.CA))
	c, err := ldapv3.DialURL(d.LDAPS, ldapv3.DialWithTLSConfig(&tls.Config{RootCAs: pool}))
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Bind(d.adminDN, d.adminPassword); err != nil {
		d.t.Fatal(err)
	}
	if err := do(c); err != nil {
		d.t.Fatal(err)
	}
}

// listening waits until the server takes connections, which it does not say.
func (d *Directory) listening(ended <-chan struct{}) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	address := strings.TrimPrefix(d.LDAPS, "ldaps://")
	if !strings.Contains(address, ":") {
		address += ":" + ldapv3.DefaultLdapsPort
	}
	for {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ended:
			d.t.Fatal("the directory has ended")
		case <-ctx.Done():
			d.t.Fatal("the directory does not start")
		}
	}
}
