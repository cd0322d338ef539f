package oidc

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"golang.org/x/oauth2"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// Workspace speaks the strategy google-apps: people of a Google Workspace domain
// (reference/connections.md §2.10, §4.6). Google has no address for ending its
// session, so it is no upstream.Leaver.
type Workspace struct{ k *Connector }

var (
	_ upstream.Redirect = Workspace{}
	_ upstream.Heir     = Workspace{}
)

// NewWorkspace shares the caches of k.
func NewWorkspace(k *Connector) Workspace { return Workspace{k} }

// google is Google's metadata; options.endpoints replaces addresses (ours, for tests).
func google(c *connection.Connection) provider {
	own := c.Document().Object("endpoints")
	return provider{
		Issuer:                address(own, "issuer", "https://accounts.google.com"),
		AuthorizationEndpoint: address(own, "authorize", "https://accounts.google.com/o/oauth2/v2/auth"),
		TokenEndpoint:         address(own, "token", "https://oauth2.googleapis.com/token"),
		JWKSURI:               address(own, "jwks", "https://www.googleapis.com/oauth2/v3/certs"),
		PKCEMethods:           []string{"S256"},
	}
}

// directoryAddress is where the Admin Directory is.
func directoryAddress(c *connection.Connection) string {
	return address(c.Document().Object("endpoints"), "directory", "https://admin.googleapis.com")
}

func (w Workspace) setup(c *connection.Connection) (workspaceOptions, *connection.OIDCOptions, provider, error) {
	o, p := workspaceOptionsOf(c), google(c)
	oidc := &connection.OIDCOptions{ClientID: c.Upstream().ClientID, ClientSecret: c.Upstream().ClientSecret}
	if err := p.check(oidc, true); err != nil {
		return o, oidc, p, errConfig.Because(err)
	}
	if len(o.domains) == 0 {
		return o, oidc, p, errConfig.Because(errors.New("no domain: everybody with a Google account could sign in"))
	}
	return o, oidc, p, nil
}

// Depart builds the authorization request.
func (w Workspace) Depart(_ context.Context, c *connection.Connection, s upstream.Start) (upstream.Departure, error) {
	o, oidc, p, err := w.setup(c)
	if err != nil {
		return upstream.Departure{}, err
	}
	to, err := url.Parse(p.AuthorizationEndpoint)
	if err != nil {
		return upstream.Departure{}, errConfig.Because(errors.New("authorization_endpoint is not a URL"))
	}
	pending := upstream.Pending{Nonce: s.Nonce}
	q := to.Query()
	upstream.Forward(q, c.Upstream().Params, s)
	q.Set("client_id", oidc.ClientID)
	q.Set("redirect_uri", s.CallbackURL)
	q.Set("response_type", "code")
	asked := s.Scopes
	if !o.asked {
		asked = nil
	}
	q.Set("scope", words(o.scope, asked))
	q.Set("state", s.State)
	q.Set("nonce", s.Nonce)
	q.Set("hd", o.domains[0])
	if pending.Verifier, err = w.k.challenge(q, "auto", p.PKCEMethods); err != nil {
		return upstream.Departure{}, err
	}
	to.RawQuery = q.Encode()
	return upstream.Departure{URL: to.String(), Pending: pending}, nil
}

// Callback verifies the ID token, and that it is of the domain: hd in the request
// is a wish that the browser can take out.
func (w Workspace) Callback(ctx context.Context, c *connection.Connection, s upstream.Start, p upstream.Pending, got url.Values) (upstream.Result, error) {
	o, oidc, prov, err := w.setup(c)
	if err != nil {
		return upstream.Result{}, err
	}
	by := proof{style: oauth2.AuthStyleInParams, secret: oidc.ClientSecret}
	tokens, err := w.k.exchange(ctx, oidc, prov, by, s, p, got.Get("code"))
	if err != nil {
		return upstream.Result{}, err
	}
	id, err := w.k.verify(ctx, oidc, prov, tokens.ID, p.Nonce)
	if err != nil {
		return upstream.Result{}, err
	}
	claims, err := w.claims(ctx, c, o, id.claims)
	if err != nil {
		return upstream.Result{}, err
	}
	return upstream.Result{Claims: claims, Tokens: tokens.stored(), Foreign: id.foreign("")}, nil
}

// claims makes claims of what Google said.
func (w Workspace) claims(ctx context.Context, c *connection.Connection, o workspaceOptions, said []strictjson.Member) (profile.Claims, error) {
	subject, err := o.person(said)
	if err != nil {
		return profile.Claims{}, errRefused.Because(err)
	}
	email, _ := text(member(said, "email"))
	more, once, err := w.directory(ctx, c, o, email)
	if err != nil {
		return profile.Claims{}, err
	}
	list := upstream.Vouch(append(workspaceAttributes(said), more...), c.Upstream())
	return profile.Claims{Subject: subject, Attributes: list, Once: once, Raw: lasting(said)}, nil
}

var (
	errHostedDomain = errors.New("id token: hd is not a domain of the connection, or is missing")
	errNoAddress    = errors.New("id token: no proven e-mail address, by which people of the connection are known")
)

// person is what somebody is known by: the e-mail address, which is then a proven
// one, or Google's number.
func (o workspaceOptions) person(said []strictjson.Member) (string, error) {
	hd, _ := text(member(said, "hd"))
	if hd == "" || !slices.Contains(o.domains, strings.ToLower(hd)) {
		return "", errHostedDomain
	}
	if o.byNumber {
		sub, ok := text(member(said, "sub"))
		if !ok || !validSubject(sub) {
			return "", errors.New("id token: sub is not a usable string")
		}
		return sub, nil
	}
	email, ok := text(member(said, "email"))
	if !ok || !validSubject(email) || string(upstream.ProofText(member(said, "email_verified"))) != "true" {
		return "", errNoAddress
	}
	return email, nil
}

func (o workspaceOptions) knows(said []strictjson.Member) bool {
	_, err := o.person(said)
	return err == nil
}

// workspaceClaims become attributes of the same name.
var workspaceClaims = []string{"email", "email_verified", "name", "given_name", "family_name", "picture", "locale"}

func workspaceAttributes(said []strictjson.Member) []profile.Change {
	var list []profile.Change
	for _, name := range workspaceClaims {
		v := member(said, name)
		if name == profile.EmailVerified {
			v = upstream.ProofText(v)
		}
		if v != nil && !profile.IsNull(v) {
			list = append(list, profile.Change{Name: name, Value: v})
		}
	}
	if hd := member(said, "hd"); hd != nil {
		list = append(list, profile.Change{Name: "idp_tenant_domain", Value: hd})
	}
	return list
}

// Inherits names the strategy whose logins a connection may take over.
func (w Workspace) Inherits() string { return "google-oauth2" }

// Inherit serves a login of google-oauth2 whose person is of a domain of the
// connection (reference/connections.md §4.6, handle_login_from_social). ok is
// false when the login is none of its business.
func (w Workspace) Inherit(ctx context.Context, c *connection.Connection, social profile.Claims) (_ profile.Claims, ok bool, _ error) {
	o := workspaceOptionsOf(c)
	said, err := strictjson.Object(social.Raw)
	ours := err == nil && o.fromSocial && o.knows(said)
	if !ours {
		return profile.Claims{}, false, nil
	}
	claims, err := w.claims(ctx, c, o, said)
	return claims, err == nil, err
}

// directory asks the Admin Directory for what the connection wants beyond the ID
// token. Without a token of an administrator nothing is asked, and once names what
// is then not to be taken for gone.
func (w Workspace) directory(ctx context.Context, c *connection.Connection, o workspaceOptions, email string) (list []profile.Change, once []string, _ error) {
	about := o.isAdmin || o.isSuspended || o.agreedTerms
	if !about && !o.groups || email == "" {
		return nil, nil, nil
	}
	access, err := w.adminToken(ctx, c, o)
	if err != nil {
		return nil, nil, err
	}
	if access == "" {
		return nil, []string{"groups", "is_admin", "is_suspended", "agreed_terms"}, nil
	}
	base := directoryAddress(c) + "/admin/directory/v1/"
	if about {
		raw, err := w.k.get(ctx, base+"users/"+url.PathEscape(email)+"?fields=isAdmin,suspended,agreedToTerms", access)
		if err != nil {
			return nil, nil, errUnreachable.Because(errors.Join(errors.New("admin directory: user"), err))
		}
		user := strictjson.ParseDocument(raw)
		if user == nil {
			return nil, nil, errRefused.Because(errors.New("admin directory: user is not a JSON object"))
		}
		for _, f := range []struct {
			wanted            bool
			theirs, attribute string
		}{{o.isAdmin, "isAdmin", "is_admin"}, {o.isSuspended, "suspended", "is_suspended"}, {o.agreedTerms, "agreedToTerms", "agreed_terms"}} {
			if f.wanted {
				list = append(list, profile.Change{Name: f.attribute, Value: profile.Bool(user.Flag(f.theirs))})
			}
		}
	}
	if o.groups {
		raw, err := w.k.get(ctx, base+"groups?maxResults=200&userKey="+url.QueryEscape(email), access)
		if err != nil {
			return nil, nil, errUnreachable.Because(errors.Join(errors.New("admin directory: groups"), err))
		}
		groups, err := o.readGroups(raw)
		if err != nil {
			return nil, nil, errRefused.Because(err)
		}
		list = append(list, profile.Change{Name: "groups", Value: groups})
	}
	return list, nil, nil
}

// readGroups makes the attribute groups: at most 200, names or objects
// (ext_groups_extended), in a lasting order.
func (o workspaceOptions) readGroups(raw []byte) (profile.Value, error) {
	type object struct {
		ID    string `json:"id"`
		Email string `json:"email"`
		Name  string `json:"name"`
	}
	var doc struct {
		Groups []object `json:"groups"`
	}
	if err := jsonv2.Unmarshal(raw, &doc); err != nil {
		return nil, errors.New("admin directory: groups are not a list")
	}
	list := doc.Groups[:min(len(doc.Groups), 200)]
	slices.SortFunc(list, func(a, b object) int { return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID) })
	if !o.groupObjects {
		var names []string
		for _, g := range list {
			names = append(names, g.Name)
		}
		return textsValue(names), nil
	}
	if list == nil {
		list = []object{}
	}
	b, err := jsonv2.Marshal(list)
	if err != nil {
		return nil, errors.New("admin directory: groups are not text")
	}
	return profile.Value(b), nil
}
