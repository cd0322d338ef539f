package oidc

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"golang.org/x/oauth2"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// Entra speaks the strategy waad: OpenID Connect with Microsoft's tenants, and
// Microsoft Graph (reference/connections.md §2.8, §4.5).
type Entra struct{ *Connector }

var (
	_ upstream.Redirect = Entra{}
	_ upstream.Leaver   = Entra{}
)

// NewEntra shares the caches of k.
func NewEntra(k *Connector) Entra { return Entra{k} }

// openID is the options that the OpenID Connect part needs.
func (o entraOptions) openID(c *connection.Connection) *connection.OIDCOptions {
	u := c.Upstream()
	return &connection.OIDCOptions{ClientID: u.ClientID, ClientSecret: u.ClientSecret}
}

// tenantProvider is the metadata of the connection's tenant, or of the common
// endpoint; its issuer may hold {tenantid}.
func (k Entra) tenantProvider(ctx context.Context, c *connection.Connection, o entraOptions) (provider, error) {
	tenant := o.tenant
	switch {
	case o.common:
		tenant = "common"
	case tenant == "":
		return provider{}, errConfig.Because(errors.New("neither tenantId nor tenant_domain, and useCommonEndpoint is not set"))
	}
	address := o.authority + "/" + url.PathEscape(tenant)
	if !o.v1 {
		address += "/v2.0"
	}
	p, err := k.discover(ctx, address+wellKnown)
	if err != nil {
		return provider{}, err
	}
	if err := p.check(o.openID(c), true); err != nil {
		return provider{}, errConfig.Because(err)
	}
	if strings.Contains(p.Issuer, tenantMark) && !o.common {
		return provider{}, errConfig.Because(errors.New("the tenant is an endpoint for every tenant, and useCommonEndpoint is not set"))
	}
	return p, nil
}

// Depart builds the authorization request. Entra ID is not asked for PKCE
// (reference/connections.md §4.5).
func (k Entra) Depart(ctx context.Context, c *connection.Connection, s upstream.Start) (upstream.Departure, error) {
	o := entraOptionsOf(c)
	p, err := k.tenantProvider(ctx, c, o)
	if err != nil {
		return upstream.Departure{}, err
	}
	to, err := url.Parse(p.AuthorizationEndpoint)
	if err != nil {
		return upstream.Departure{}, errConfig.Because(errors.New("authorization_endpoint is not a URL"))
	}
	q := to.Query()
	upstream.Forward(q, c.Upstream().Params, s)
	q.Set("client_id", c.Upstream().ClientID)
	q.Set("redirect_uri", s.CallbackURL)
	q.Set("response_type", "code")
	q.Set("scope", o.scopes(s.Scopes))
	q.Set("state", s.State)
	q.Set("nonce", s.Nonce)
	if o.v1 {
		q.Set("resource", o.graph)
	}
	to.RawQuery = q.Encode()
	return upstream.Departure{URL: to.String(), Pending: upstream.Pending{Nonce: s.Nonce}}, nil
}

func (o entraOptions) scopes(asked []string) string {
	if o.v1 {
		return "openid"
	}
	var graph []string
	if o.profile || o.groups {
		graph = append(graph, "User.Read")
	}
	if o.groups {
		graph = append(graph, "Directory.Read.All")
	}
	return words([]string{"openid", "profile", "email"}, o.scope, graph, asked)
}

// Callback verifies the ID token for the tenant that it says it is of, asks Graph
// as far as the connection wants, and makes claims of both.
func (k Entra) Callback(ctx context.Context, c *connection.Connection, s upstream.Start, p upstream.Pending, got url.Values) (upstream.Result, error) {
	o := entraOptionsOf(c)
	prov, err := k.tenantProvider(ctx, c, o)
	if err != nil {
		return upstream.Result{}, err
	}
	oidc := o.openID(c)
	by := proof{style: oauth2.AuthStyleInParams, secret: oidc.ClientSecret}
	tokens, err := k.exchange(ctx, oidc, prov, by, s, p, got.Get("code"))
	if err != nil {
		return upstream.Result{}, err
	}
	tenant := claimedTenant(tokens.ID)
	if prov.Issuer, err = o.issuer(prov.Issuer, tenant); err != nil {
		return upstream.Result{}, errRefused.Because(err)
	}
	id, err := k.verify(ctx, oidc, prov, tokens.ID, p.Nonce)
	if err != nil {
		return upstream.Result{}, err
	}
	subject, err := o.person(id.claims, tenant)
	if err != nil {
		return upstream.Result{}, errRefused.Because(err)
	}
	info, err := k.graph(ctx, o, tokens.Access)
	if err != nil {
		return upstream.Result{}, err
	}
	raw := id.claims
	if info.me != nil {
		raw = append(slices.Clone(raw), strictjson.Member{Name: "graph_me", Value: strictjson.Join(info.me)})
	}
	return upstream.Result{
		Claims:  profile.Claims{Subject: subject, Attributes: o.attributes(id.claims, info, c.Upstream()), Raw: lasting(raw)},
		Tokens:  tokens.stored(),
		Foreign: id.foreign(tokens.ID),
	}, nil
}

// Leave ends the session at Entra ID.
func (k Entra) Leave(ctx context.Context, c *connection.Connection, f session.Foreign, s upstream.Start) (upstream.Departure, bool, error) {
	p, err := k.tenantProvider(ctx, c, entraOptionsOf(c))
	if err != nil {
		return upstream.Departure{}, false, err
	}
	return p.leave(c.Upstream().ClientID, f, s)
}

// tenantMark stands in the issuer of the endpoints for every tenant.
const tenantMark = "{tenantid}"

// claimedTenant is the tid of a token that is not verified yet; empty: none that
// could be one. It only chooses which issuer the token must be of.
func claimedTenant(raw string) string {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var c struct {
		Tenant string `json:"tid"`
	}
	if jsonv2.Unmarshal(payload, &c) != nil || !isUUID(c.Tenant) {
		return ""
	}
	return c.Tenant
}

// isUUID reports the form in which Microsoft writes ids: 36 lower-case characters.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range []byte(s) {
		switch dash := i == 8 || i == 13 || i == 18 || i == 23; {
		case dash != (r == '-'):
			return false
		case !dash && (r < '0' || r > '9') && (r < 'a' || r > 'f'):
			return false
		}
	}
	return true
}

var errTenant = errors.New("id token: it is of a tenant that the connection does not take")

// issuer is whose token it must be. A token of the common endpoint must be of its
// own tenant's issuer; one of a connection with a tenant, of that tenant.
func (o entraOptions) issuer(announced, tenant string) (string, error) {
	if tenant == "" {
		return "", errTenant
	}
	issuer := strings.ReplaceAll(announced, tenantMark, tenant)
	switch {
	case o.common:
	case o.id != "" && tenant != o.id, !strings.Contains(issuer, "/"+tenant+"/") && !strings.HasSuffix(issuer, "/"+tenant):
		return "", errTenant
	}
	return issuer, nil
}

// person is what somebody is known by: oid or sub. Of the common endpoint the
// tenant is part of it, but for the connection's own: ids are unique only within
// a tenant, and no administrator of another must be able to choose ours.
func (o entraOptions) person(claims []strictjson.Member, tenant string) (string, error) {
	if tid, _ := text(member(claims, "tid")); tid != tenant {
		return "", errTenant
	}
	id, ok := text(member(claims, o.subject))
	if !ok || !validSubject(id) || strings.ContainsRune(id, '|') {
		return "", errors.New("id token: " + o.subject + " is not a usable string")
	}
	if o.common && tenant != o.id {
		id = tenant + "|" + id
	}
	return id, nil
}
