package social

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// The custom connection of OAuth 2.0 (reference/connections.md §2.20): everything
// about the provider is in the options, and a script fetches the profile.
var _ = register(&Provider{Strategy: "oauth2", Variant: customOAuth2})

// customMap maps what a script yields: it speaks in our words already. All else
// goes to the root (§4.2, last row). plainMap is for profiles without a script.
var (
	customMap = mapCustom("user_id")
	plainMap  = mapCustom("user_id | sub | id_str | id")
)

func mapCustom(id string) Mapping {
	m := Mapping{
		ID: id,
		Fields: []Field{
			{profile.Name, "name"}, {profile.GivenName, "given_name"}, {profile.FamilyName, "family_name"},
			{profile.Nickname, "nickname"}, {profile.Picture, "picture"}, {profile.Email, "email"},
		},
		Verified:     "email_verified",
		Unrestricted: true,
	}
	m.compiled = compile(&m)
	return m
}

func customOAuth2(o strictjson.Document) *Provider {
	p := &Provider{
		Strategy:  "oauth2",
		Authorize: o.Text("authorizationURL"), Token: o.Text("tokenURL"), Logout: o.Text("logoutUrl"),
		PKCE:       o.Flag("pkce_enabled"),
		Finish:     finishCustom,
		TokenTypes: []string{anyType},
		Map:        plainMap,
	}
	if o.Object("scripts").Text(profileScript) != "" {
		p.Map = customMap
	}
	p.TokenHeader = texts(o.Object("customHeaders"))
	p.Fetch = func(ctx context.Context, k *Connector, a *Answers) error { return k.fetchCustom(ctx, p, a) }
	if p.Logout == "" && o.Object("scripts").Text(logoutScript) != "" {
		p.LogoutAt = scriptedLogout
	}
	return p
}

// texts are the members of an object that are texts.
func texts(o strictjson.Document) map[string]string {
	m := make(map[string]string, len(o))
	for name := range o {
		if v := o.Text(name); v != "" {
			m[name] = v
		}
	}
	return m
}

// finishCustom adds authParams, then what authParamsMap ({ours: theirs}) takes
// from our own request, and puts the scope into the form that was set: a text
// goes out as it is, and what the application asks for beside it is joined by a
// comma unless useOauthSpecScope says otherwise.
func finishCustom(o strictjson.Document, s upstream.Start, q url.Values) {
	var add []connection.UpstreamParam
	for name, v := range texts(o.Object("authParams")) {
		if !q.Has(name) {
			add = append(add, connection.UpstreamParam{Name: name, Value: v})
		}
	}
	for ours, theirs := range texts(o.Object("authParamsMap")) {
		add = append(add, connection.UpstreamParam{Name: theirs, Alias: ours})
	}
	upstream.Forward(q, add, upstream.Start{Params: s.Params})
	scope := o.Text("scope")
	if list := o.Texts("scope"); list != nil {
		scope = strings.Join(list, " ")
	}
	extra := slices.DeleteFunc(distinct(s.Scopes), func(w string) bool { return slices.Contains(connection.Words(o, "scope"), w) })
	if len(extra) > 0 {
		separator := ","
		if o.Flag("useOauthSpecScope") {
			separator = " "
		}
		if scope != "" {
			extra = append([]string{scope}, extra...)
		}
		scope = strings.Join(extra, separator)
	}
	if q.Del("scope"); scope != "" {
		q.Set("scope", scope)
	}
}

// fetchCustom fills the profile: by the script or, without one (ours), from
// options.endpoints.profile or the ID token, as OpenID Connect has its claims.
func (k *Connector) fetchCustom(ctx context.Context, p *Provider, a *Answers) error {
	switch {
	case a.Options.Object("scripts").Text(profileScript) != "":
		if err := k.scripted(ctx, a, []any{a.AccessToken, scriptContext(a, nil)}); err != nil {
			return err
		}
	case a.Options.Object("endpoints").Text("profile") != "":
		if err := k.request(ctx, p, &Request{Name: "profile"}, a); err != nil {
			return err
		}
	default:
		claims, err := k.readUnknownIDToken(a)
		if err != nil {
			return err
		}
		a.Profile = claims
		for _, name := range []string{"iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash", "c_hash", "sid", "jti", "auth_time"} {
			delete(a.Profile, name)
		}
	}
	a.rename()
	return nil
}

// readUnknownIDToken reads the ID token of a provider of which no issuer is known.
// It came straight from the token endpoint over TLS (OpenID Connect Core §3.1.3.7, 6).
func (k *Connector) readUnknownIDToken(a *Answers) (strictjson.Document, error) {
	raw := a.Token.Text("id_token")
	if raw == "" {
		return nil, errConfig.Because(errors.New("no fetchUserProfile script, no endpoints.profile, no ID token: nothing says who signed in"))
	}
	payload, err := payloadOf(raw)
	if err != nil {
		return nil, err
	}
	claims := canonical(payload)
	rule := IDToken{Issuers: []string{claims.Text("iss")}}
	if err := rule.accept(claims, a.ClientID, "", k.now()); err != nil {
		return nil, errRefused.Because(err)
	}
	return claims, nil
}

// rename applies fieldsMap: an attribute is the first of its sources that is there.
func (a *Answers) rename() {
	fields := a.Options.Object("fieldsMap")
	if len(fields) == 0 {
		return
	}
	next := maps.Clone(a.Profile)
	for name := range fields {
		sources := fields.Texts(name)
		if one := fields.Text(name); one != "" {
			sources = []string{one}
		}
		found := false
		for _, source := range sources {
			if fields[source] == nil {
				delete(next, source)
			}
			if !found && a.Profile.Has(source) {
				next[name], found = a.Profile[source], true
			}
		}
	}
	a.Profile = next
}
