package ldap

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	ldapv3 "github.com/go-ldap/ldap/v3"

	"mangrove/internal/connection"
	"mangrove/internal/strictjson"
)

// optionsName is the one option of ours; the others of an ad connection are the
// reference's (§2.11).
const optionsName = "ldap"

// Limits of options.ldap.
const (
	maxServers     = 8
	maxOption      = 4096 // bytes of a text
	maxCA          = 64 << 10
	maxAttributes  = 100
	defaultTimeout = 5 * time.Second
	maxTimeout     = 30
)

// options is options.ldap (docs/ldap.md).
type options struct {
	Servers []address
	// BindDN and BindPassword search; both empty: nobody has to sign in to search.
	BindDN, BindPassword string
	Base, GroupBase      string
	// UserFilter is nil when the server's kind decides (name.go).
	UserFilter *template
	// GroupFilter is empty when the server's kind decides (groups.go).
	GroupFilter    string
	GroupAttribute string
	// IDAttribute is empty for objectGUID, uid or cn, the first that is there.
	IDAttribute string
	// Roots is nil for the system's authorities.
	Roots *x509.CertPool
	// ServerName is whom certificates have to name; empty: the host of the URL.
	ServerName string
	// Timeout is for one server to answer everything that a login asks.
	Timeout time.Duration
	// Fields say of what attributes are made, defaults included, sorted by name.
	Fields []connection.Field
}

// address of a server.
type address struct {
	Host, Port string
	// StartTLS: the connection is secured after it is made; false: from its start.
	StartTLS bool
}

func (a address) String() string { return net.JoinHostPort(a.Host, a.Port) }

// Members of options.ldap by the JSON type that they have.
var (
	textOptions = []string{"bind_dn", "bind_password", "base", "group_base", "user_filter", "group_filter", "group_attribute", "id_attribute", "ca", "server_name"}
	allOptions  = append([]string{"urls", "timeout", "attributes"}, textOptions...)
)

// parseOptions reads and checks options.ldap. Errors name the option and what is
// wrong with it, never a value.
func parseOptions(raw json.RawMessage) (*options, error) {
	d := strictjson.ParseDocument(raw)
	if d == nil {
		return nil, fmt.Errorf("options.%s is not an object", optionsName)
	}
	for name := range d {
		if !slices.Contains(allOptions, name) {
			return nil, fmt.Errorf("options.%s has no member of that name; it has %s", optionsName, strings.Join(allOptions, ", "))
		}
	}
	for _, name := range textOptions {
		limit := maxOption
		if name == "ca" {
			limit = maxCA
		}
		if v := d[name]; d.Has(name) && (v[0] != '"' || len(v) > limit) {
			return nil, wrong(name, "is not a text, or is too long")
		}
	}
	o := &options{
		BindDN: d.Text("bind_dn"), BindPassword: d.Text("bind_password"),
		Base: d.Text("base"), GroupBase: d.Text("group_base"),
		GroupFilter: d.Text("group_filter"), GroupAttribute: d.Text("group_attribute"), IDAttribute: d.Text("id_attribute"),
		ServerName: d.Text("server_name"), Timeout: defaultTimeout,
	}
	if o.GroupBase == "" {
		o.GroupBase = o.Base
	}
	if o.GroupAttribute == "" {
		o.GroupAttribute = "cn"
	}
	for _, check := range []func(strictjson.Document) error{o.readServers, o.readNames, o.readFilters, o.readTrust, o.readTimeout, o.readFields} {
		if err := check(d); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func wrong(name, what string) error {
	return fmt.Errorf("options.%s.%s %s", optionsName, name, what)
}

func (o *options) readServers(d strictjson.Document) error {
	var items []json.RawMessage
	if json.Unmarshal(d["urls"], &items) != nil || len(items) == 0 || len(items) > maxServers {
		return wrong("urls", fmt.Sprintf("is not an array of 1 to %d texts", maxServers))
	}
	for _, raw := range d.Texts("urls") {
		a, err := parseAddress(raw)
		if err != nil {
			return err
		}
		o.Servers = append(o.Servers, a)
	}
	if len(o.Servers) != len(items) {
		return wrong("urls", "has an item that is not a text")
	}
	return nil
}

// parseAddress reads ldaps://host[:636] and ldap://host[:389]. There is no way to
// send a password without TLS: ldap:// always is StartTLS.
func parseAddress(raw string) (address, error) {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "ldap" && u.Scheme != "ldaps") || u.Hostname() == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		return address{}, wrong("urls", "has an item that is not ldaps://host, ldap://host, or one of these with a port")
	}
	a := address{Host: u.Hostname(), Port: u.Port(), StartTLS: u.Scheme == "ldap"}
	if a.Port == "" {
		a.Port = ldapv3.DefaultLdapsPort
		if a.StartTLS {
			a.Port = ldapv3.DefaultLdapPort
		}
	}
	return a, nil
}

func (o *options) readNames(strictjson.Document) error {
	switch {
	case strings.TrimSpace(o.Base) == "":
		return wrong("base", "is missing: the DN below which people are")
	case (o.BindDN == "") != (o.BindPassword == ""):
		// A bind with a name and no password is an anonymous one that looks like a
		// success (RFC 4513 §5.1.2).
		return wrong("bind_dn", "and bind_password go together")
	}
	for name, dn := range map[string]string{"base": o.Base, "group_base": o.GroupBase} {
		if _, err := ldapv3.ParseDN(dn); err != nil {
			return wrong(name, "is not a DN")
		}
	}
	for name, attribute := range map[string]string{"group_attribute": o.GroupAttribute, "id_attribute": o.IDAttribute} {
		if attribute != "" && !isAttribute(attribute) {
			return wrong(name, "is not the name of an attribute")
		}
	}
	return nil
}

func (o *options) readFilters(d strictjson.Document) error {
	if text := d.Text("user_filter"); text != "" {
		t, err := parseTemplate(text)
		if err != nil {
			return wrong("user_filter", err.Error())
		}
		o.UserFilter = t
	}
	if o.GroupFilter != "" && !validFilter(o.GroupFilter) {
		return wrong("group_filter", "is not a filter with {0}")
	}
	return nil
}

func (o *options) readTrust(d strictjson.Document) error {
	ca := d.Text("ca")
	if ca == "" {
		return nil
	}
	o.Roots = x509.NewCertPool()
	if !o.Roots.AppendCertsFromPEM([]byte(ca)) {
		return wrong("ca", "has no certificate in PEM form")
	}
	return nil
}

func (o *options) readTimeout(d strictjson.Document) error {
	if !d.Has("timeout") {
		return nil
	}
	n, ok := d.Number("timeout")
	if !ok || n < 1 || n > maxTimeout {
		return wrong("timeout", fmt.Sprintf("is not a number of seconds from 1 to %d", maxTimeout))
	}
	o.Timeout = time.Duration(n) * time.Second
	return nil
}

// readFields lays the connection's own attributes over the defaults; null, or no
// source, takes a default away.
func (o *options) readFields(d strictjson.Document) error {
	own := d.Object("attributes")
	if d.Has("attributes") && own == nil || len(own) > maxAttributes {
		return wrong("attributes", "is not an object of attributes")
	}
	fields := maps.Clone(defaultFields)
	for name := range own {
		sources := own.Texts(name)
		if text := own.Text(name); text != "" {
			sources = []string{text}
		}
		if strings.Contains(name, ".") || slices.ContainsFunc(sources, func(s string) bool { return !isAttribute(s) }) {
			return wrong("attributes", "has a member that is not named like a root attribute, or a source that is not named like an LDAP attribute")
		}
		if sources == nil {
			delete(fields, name)
			continue
		}
		fields[name] = sources
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		o.Fields = append(o.Fields, connection.Field{Name: name, Sources: fields[name]})
	}
	return nil
}

// isAttribute reports a short name or an OID (RFC 4512 §2.5), without options.
func isAttribute(s string) bool {
	return s != "" && len(s) <= 255 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") == ""
}
