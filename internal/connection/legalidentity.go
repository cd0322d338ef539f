package connection

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"slices"

	"mangrove/internal/errs"
	"mangrove/internal/legal"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// LegalIdentity is what a connection asks of an electronic identity
// (reference/connections.md §2.22). The zero value: it is a connection to none.
type LegalIdentity struct {
	// ACR is what is asked for.
	ACR string
	// Preset: the option legal_identity says so. Otherwise the acr stands in an
	// address or a parameter, as connections have it that were made elsewhere.
	Preset bool
}

// LegalIdentity is read off the options. Cached.
func (c *Connection) LegalIdentity() LegalIdentity { return c.view().legal }

// CheckAssurance refuses the payload of a login that is not by the eID that the
// connection asks for, or at a lower level of assurance. A preset wants to be told;
// a connection that was made elsewhere lets an answer pass that says nothing.
func (c *Connection) CheckAssurance(payload json.RawMessage) error {
	l := c.LegalIdentity()
	if l.ACR == "" {
		return nil
	}
	if err := legal.Check(l.ACR, payload, !l.Preset); err != nil {
		return errAssurance.Because(err)
	}
	return nil
}

var errAssurance = errs.New(errs.Forbidden, "access_denied", "The identity provider did not vouch for the person at the level of assurance that was asked for.")

// legalCarriers are the strategies that eIDs come by.
var legalCarriers = []string{"oidc", "oauth2", "adfs"}

// legalIdentity is the member of options that presets are asked for by.
const legalIdentity = "legal_identity"

func parseLegal(o strictjson.Document) LegalIdentity {
	if o.Has(legalIdentity) {
		if p, err := presetOf(o); err == nil {
			return LegalIdentity{ACR: p.method.ACR, Preset: true}
		}
	}
	for _, name := range []string{
		"discovery_url", "authorizationURL", "adfs_server", "authorization_endpoint", "tokenURL", "signInEndpoint", "issuer", "metadataUrl",
	} {
		if acr := legal.InAddress(o.Text(name)); acr != "" {
			return LegalIdentity{ACR: acr}
		}
	}
	for _, values := range []string{
		o.Object("upstream_params").Object("acr_values").Text("value"), o.Object("authParams").Text("acr_values"),
	} {
		if acr := legal.InValues(values); acr != "" {
			return LegalIdentity{ACR: acr}
		}
	}
	return LegalIdentity{}
}

// denied are the attributes that a login must not store: as the options say, and
// where they say nothing, for an eID, the numbers that states give to people.
func denied(o strictjson.Document, l LegalIdentity) []string {
	if l.ACR != "" && !o.Has("non_persistent_attrs") {
		return legal.NationalIdentifiers
	}
	return o.Texts("non_persistent_attrs")
}

// preset is the option legal_identity, read.
type preset struct {
	eid    legal.EID
	method legal.Method
	domain string // the broker's host; empty: the addresses are set by hand
}

func presetOf(o strictjson.Document) (preset, error) {
	d := o.Object(legalIdentity)
	if d == nil {
		return preset{}, errs.New(errs.Invalid, "invalid_body", `options.legal_identity must be an object such as {"eid":"se-bankid","domain":"acme.example"}`)
	}
	for _, name := range slices.Sorted(maps.Keys(d)) {
		if !slices.Contains([]string{"eid", "acr", "domain"}, name) {
			return preset{}, errs.New(errs.Invalid, "invalid_body", "options.legal_identity has no member %s: it has eid, acr and domain", name)
		}
	}
	eid, ok := legal.Find(d.Text("eid"))
	if !ok {
		return preset{}, errs.New(errs.Invalid, "invalid_body",
			"options.legal_identity.eid is not known; GET /api/v2/mangrove/legal-identities lists them")
	}
	method, ok := eid.Method(d.Text("acr"))
	if !ok || d.Has("acr") && d.Text("acr") == "" {
		return preset{}, errs.New(errs.Invalid, "invalid_body", "options.legal_identity.acr is none of %s; GET /api/v2/mangrove/legal-identities lists them", eid.ID)
	}
	p := preset{eid, method, d.Text("domain")}
	if d.Has("domain") && !bareHost(p.domain) {
		return preset{}, errs.New(errs.Invalid, "invalid_body", "options.legal_identity.domain must be the host of the broker, without a scheme and a path")
	}
	return p, nil
}

func bareHost(s string) bool {
	u, err := url.Parse("https://" + s)
	return err == nil && s != "" && len(s) <= 255 && u.Host == s && u.Hostname() != "" && u.User == nil
}

// withLegalIdentity fills the options of a preset: what follows from it (the
// broker's addresses, the acr that is asked for) whatever was sent, and what may be
// chosen (scope, mapping, deny list) where nothing was. stored is nil for a new
// connection.
func withLegalIdentity(strategy string, stored, next strictjson.Document) (strictjson.Document, error) {
	if !next.Has(legalIdentity) {
		return next, nil
	}
	if !slices.Contains(legalCarriers, strategy) {
		return nil, errs.New(errs.Invalid, "invalid_body", "options.legal_identity is for connections of the strategies oidc, oauth2 and adfs")
	}
	p, err := presetOf(next)
	if err != nil {
		return nil, err
	}
	next = maps.Clone(next)
	for name, value := range p.addresses(strategy) {
		next[name] = profile.Text(value)
	}
	if !next.Has("non_persistent_attrs") {
		next["non_persistent_attrs"] = profile.Texts(legal.NationalIdentifiers)
	}
	if strategy == "adfs" {
		return next, nil
	}
	if !next.Has("scope") {
		next["scope"] = profile.Text("openid profile")
	}
	if params := next.Object("upstream_params"); params.Object("acr_values").Text("alias") == "" {
		if params == nil {
			params = strictjson.Document{}
		}
		params["acr_values"] = strictjson.Document{"value": profile.Text(p.method.ACR)}.Encode()
		next["upstream_params"] = params.Encode()
	}
	if strategy == "oidc" {
		p.fillOIDC(stored, next)
	} else {
		p.fillOAuth2(next)
	}
	return next, nil
}

// addresses are those of the broker, by their options.
func (p preset) addresses(strategy string) map[string]string {
	if p.domain == "" {
		return nil
	}
	base := "https://" + p.domain + "/" + legal.Segment(p.method.ACR)
	switch strategy {
	case "oidc":
		return map[string]string{"discovery_url": base + "/.well-known/openid-configuration"}
	case "oauth2":
		return map[string]string{"authorizationURL": base + "/oauth2/authorize", "tokenURL": base + "/oauth2/token"}
	default:
		return map[string]string{"adfs_server": base + "/FederationMetadata/2007-06/FederationMetadata.xml"}
	}
}

// fillOIDC settles the mapping, and forgets what was read of another address.
func (p preset) fillOIDC(stored, next strictjson.Document) {
	if stored.Has("oidc_metadata") && bytes.Equal(stored["oidc_metadata"], next["oidc_metadata"]) && stored.Text("discovery_url") != next.Text("discovery_url") {
		delete(next, "oidc_metadata")
	}
	sent := next.Object("attribute_map")
	chosen := len(sent.Object("attributes")) > 0 || sent.Text("mapping_mode") != "" && sent.Text("mapping_mode") != BindAll
	if was, err := presetOf(stored); err == nil && bytes.Equal(next["attribute_map"], was.attributeMap()) {
		chosen = false
	}
	if !chosen {
		next["attribute_map"] = p.attributeMap()
	}
}

// attributeMap names each claim where one of them has to have another name; given
// and family name are not made of a name.
func (p preset) attributeMap() json.RawMessage {
	if !p.eid.Renamed() {
		return strictjson.Document{"mapping_mode": profile.Text(BindAll)}.Encode()
	}
	attributes := strictjson.Document{}
	for _, c := range slices.Concat(legal.Common, p.eid.Claims) {
		attributes[c.Attribute] = profile.Text("${context.tokenset." + c.Name + "}")
	}
	return strictjson.Document{"mapping_mode": profile.Text(UseMap), "attributes": attributes.Encode()}.Encode()
}

// fillOAuth2 has the profile read where the broker tells it, unless a script does.
func (p preset) fillOAuth2(next strictjson.Document) {
	endpoints := next.Object("endpoints")
	if p.domain == "" || next.Object("scripts").Text("fetchUserProfile") != "" {
		return
	}
	if endpoints == nil {
		endpoints = strictjson.Document{}
	}
	endpoints["profile"] = profile.Text("https://" + p.domain + "/" + legal.Segment(p.method.ACR) + "/oauth2/userinfo")
	next["endpoints"] = endpoints.Encode()
}
