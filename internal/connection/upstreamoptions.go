package connection

import (
	"maps"
	"slices"
	"strings"

	"mangrove/internal/strictjson"
)

// Values of UpstreamOptions.EmailTrust (should_trust_email_verified_connection).
const (
	NeverTrustEmail  = "never_set_emails_as_verified"
	AlwaysTrustEmail = "always_set_emails_as_verified"
)

// UpstreamOptions are the options that social, enterprise and legal-identity
// connections have in common (reference/connections.md §2). What only one
// strategy has is read by its connector. It is shared: do not change it.
type UpstreamOptions struct {
	ClientID, ClientSecret string
	// Scope is options.scope: words between spaces or commas, or the items of an array.
	Scope []string
	// Params are upstream_params, sorted by name.
	Params []UpstreamParam
	// Domains are domain_aliases and tenant_domain, lower-case: people with such
	// addresses are led here, and for no others the connection vouches.
	Domains []string
	// Fields is fieldsMap, sorted by name.
	Fields []Field
	// EmailTrust is NeverTrustEmail, AlwaysTrustEmail or empty: not set.
	EmailTrust string
	// NonPersistent is the deny list (non_persistent_attrs, or what legal_identity
	// stands for): the provider's names of what must not be stored.
	NonPersistent []string
	IDPInitiated  IDPInitiated
}

// Field is one entry of fieldsMap: the attribute is the first of the sources that
// is there.
type Field struct {
	Name    string
	Sources []string
}

// IDPInitiated is options.idpinitiated: what a login is for that the provider began.
type IDPInitiated struct {
	Enabled  bool
	ClientID string
	Protocol string // oidc, oauth2, samlp, wsfed; empty: oauth2
	Query    string // parameters of an authorization request
}

// Upstream is the typed view of the common options. Cached; must not be changed.
func (c *Connection) Upstream() *UpstreamOptions { return &c.view().upstream }

// HasDomain reports whether the e-mail address is of one of the domains.
func (o *UpstreamOptions) HasDomain(email string) bool {
	at := strings.LastIndexByte(email, '@')
	return at >= 0 && slices.Contains(o.Domains, strings.ToLower(email[at+1:]))
}

func parseUpstream(o strictjson.Document) UpstreamOptions {
	v := UpstreamOptions{
		ClientID:     o.Text("client_id"),
		ClientSecret: o.Text("client_secret"),
		Scope:        Words(o, "scope"),
		Params:       parseUpstreamParams(o.Object("upstream_params")),
		Fields:       parseFields(o.Object("fieldsMap")),
	}
	for _, d := range append(o.Texts("domain_aliases"), Words(o, "tenant_domain")...) {
		if d = strings.ToLower(strings.TrimSpace(d)); d != "" && !slices.Contains(v.Domains, d) {
			v.Domains = append(v.Domains, d)
		}
	}
	switch trust := o.Text("should_trust_email_verified_connection"); trust {
	case NeverTrustEmail, AlwaysTrustEmail:
		v.EmailTrust = trust
	}
	begun := o.Object("idpinitiated")
	v.IDPInitiated = IDPInitiated{
		Enabled: begun.Flag("enabled"), ClientID: begun.Text("client_id"),
		Protocol: begun.Text("client_protocol"), Query: begun.Text("client_authorizequery"),
	}
	return v
}

// Words are the items of an array of texts, or the words of a text between spaces
// and commas: both forms of scope are in use.
func Words(o strictjson.Document, name string) []string {
	if list := o.Texts(name); list != nil {
		return list
	}
	return strings.FieldsFunc(o.Text(name), func(r rune) bool { return r == ' ' || r == ',' })
}

func parseFields(o strictjson.Document) []Field {
	var list []Field
	for _, name := range slices.Sorted(maps.Keys(o)) {
		sources := o.Texts(name)
		if text := o.Text(name); text != "" {
			sources = []string{text}
		}
		if len(sources) > 0 {
			list = append(list, Field{Name: name, Sources: sources})
		}
	}
	return list
}
