package wsfed

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

const (
	metadataPath = "/FederationMetadata/2007-06/FederationMetadata.xml"
	entra        = "https://login.microsoftonline.com"
)

// options are those of an adfs or waad connection.
type options struct {
	metadataURL string // empty: none
	metadataXML string // empty: none
	endpoint    string // signInEndpoint
	issuer      string // of the metadata when the options were written; empty: not known
	realm       string // empty: urn:auth0:<tenant>
	subject     string // the claim that goes before the usual ones; empty: none
	keys        thumbprints
	previous    thumbprints
}

// reading is what became of the options of a connection.
type reading struct {
	options
	err error
}

// read makes the options of a connection, which are shared.
func read(c *connection.Connection) (options, error) {
	r := connection.Memo(c, func(c *connection.Connection) reading {
		o, err := optionsOf(c.Strategy, c.Document())
		return reading{o, err}
	})
	return r.options, r.err
}

// optionsOf reads leniently; what cannot be used is found by who needs it.
func optionsOf(strategy string, d strictjson.Document) (options, error) {
	o := options{
		metadataXML: d.Text("fedMetadataXml"),
		endpoint:    d.Text("signInEndpoint"),
		issuer:      d.Text("issuer"),
		realm:       d.Text("entityId"),
		subject:     d.Text("user_id_attribute"),
		keys:        thumbprintsOf(d.Texts("thumbprints")),
		previous:    thumbprintsOf(d.Texts("prev_thumbprints")),
	}
	server := d.Text("adfs_server")
	if strategy == "waad" {
		if d.Flag("useCommonEndpoint") || d.Flag("waad_common_endpoint") {
			return options{}, errCommon
		}
		tenant := firstOf(slices.Concat([]string{d.Text("tenantId")}, connection.Words(d, "tenant_domain"), connection.Words(d, "domain"))...)
		if server == "" && tenant != "" {
			authority := firstOf(d.Object("endpoints").Text("authority"), entra)
			server = strings.TrimSuffix(authority, "/") + "/" + url.PathEscape(tenant) + strings.ToLower(metadataPath)
		}
		if id := firstOf(d.Text("app_id"), d.Text("client_id")); o.realm == "" && id != "" {
			o.realm = "spn:" + id
		}
		if d.Text("userid_attribute") != "sub" {
			o.subject = objectID
		}
	}
	if server != "" {
		var err error
		if o.metadataURL, err = metadataAddress(server); err != nil {
			return options{}, err
		}
	}
	return o, nil
}

var (
	// The keys of Entra ID sign for every tenant, so that there has to be one.
	errCommon  = errors.New("the common endpoint cannot be used with WS-Federation: name the tenant")
	errAddress = errors.New("adfs_server must be a host name or an https address")
)

// metadataAddress makes of adfs_server, a host or a URL, the address of the metadata.
func metadataAddress(server string) (string, error) {
	if !strings.Contains(server, "://") {
		server = "https://" + server
	}
	u, err := url.Parse(server)
	if err != nil || !safeAddress(u) {
		return "", errAddress
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = metadataPath
	}
	return u.String(), nil
}

// safeAddress reports whether keys or people may be sent there: by https, or within
// this machine.
func safeAddress(u *url.URL) bool {
	if u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	here := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && here
}

// realmAt is how the provider knows us; wtrealm, and the audience of tokens.
func (o options) realmAt(callbackURL string) string {
	if o.realm != "" {
		return o.realm
	}
	return "urn:auth0:" + upstream.Tenant(callbackURL)
}

func firstOf(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// trustOf are the common options with the trust in e-mail addresses that these
// strategies have: none, unless it is set (reference/connections.md §4.8).
func trustOf(c *connection.Connection) *connection.UpstreamOptions {
	o := *c.Upstream()
	if o.EmailTrust == "" {
		o.EmailTrust = connection.NeverTrustEmail
	}
	if c.Strategy == "waad" {
		o.Fields = slices.Concat(o.Fields, []connection.Field{
			{Name: "oid", Sources: []string{objectID}},
			{Name: "tenantid", Sources: []string{"http://schemas.microsoft.com/identity/claims/tenantid"}},
		})
	}
	return &o
}

const objectID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
