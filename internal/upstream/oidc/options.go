package oidc

import (
	"slices"
	"strconv"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/strictjson"
)

// options are those of oidc and okta that nobody else needs.
type options struct {
	// audience of client assertions: the token endpoint, or the issuer.
	audienceIsIssuer bool
	// sessionExpiry: our session ends no later than the provider says.
	sessionExpiry bool
	// typed: options.type is there.
	typed bool
}

func optionsOf(c *connection.Connection) options { return connection.Memo(c, readOptions) }

func readOptions(c *connection.Connection) options {
	o := c.Document()
	return options{
		audienceIsIssuer: o.Text("token_endpoint_jwtca_aud_format") == "issuer",
		sessionExpiry:    o.Flag("id_token_session_expiry_supported"),
		typed:            strings.HasPrefix(string(o["type"]), `"`),
	}
}

// entraOptions are those of waad (reference/connections.md §2.8).
type entraOptions struct {
	v1      bool   // Azure Active Directory v1.0
	common  bool   // every tenant may sign in
	tenant  string // id or domain; empty: not said
	id      string // tenantId, lower-case; empty: not said
	subject string // oid or sub
	// profile and groups are asked of Microsoft Graph.
	profile, groups, nested bool
	maxGroups               int
	scope                   []string
	hidden                  map[string]bool // ext_… that are false, without ext_
	// authority and graph are addresses without a slash at the end (ours, for
	// sovereign clouds and tests).
	authority, graph string
}

// groupsDefault and groupsMost bound max_groups_to_retrieve, of which the live
// service does not tell its default.
const (
	groupsDefault = 250
	groupsMost    = 5000
)

func entraOptionsOf(c *connection.Connection) entraOptions {
	return connection.Memo(c, readEntraOptions)
}

func readEntraOptions(c *connection.Connection) entraOptions {
	o := c.Document()
	addresses := o.Object("endpoints")
	v := entraOptions{
		v1:        o.Text("identity_api") == "azure-active-directory-v1.0",
		common:    o.Flag("useCommonEndpoint") || o.Flag("waad_common_endpoint"),
		id:        strings.ToLower(o.Text("tenantId")),
		subject:   o.Text("userid_attribute"),
		profile:   o.Flag("ext_profile"),
		groups:    o.Flag("ext_groups"),
		nested:    o.Flag("ext_nested_groups"),
		maxGroups: groupsDefault,
		scope:     c.Upstream().Scope,
		hidden:    map[string]bool{},
		authority: address(addresses, "authority", "https://login.microsoftonline.com"),
		graph:     address(addresses, "graph", "https://graph.microsoft.com"),
	}
	v.groups = v.groups || v.nested
	v.tenant = v.id
	for _, name := range []string{"tenant_domain", "domain"} {
		if list := connection.Words(o, name); v.tenant == "" && len(list) > 0 {
			v.tenant = list[0]
		}
	}
	if v.subject != "oid" && v.subject != "sub" {
		v.subject = "oid"
		if v.common {
			v.subject = "sub" // which only our application can know
		}
	}
	n, ok := o.Number("max_groups_to_retrieve")
	if !ok {
		n, _ = strconv.Atoi(o.Text("max_groups_to_retrieve")) // the contract's form is a text of digits
	}
	if n > 0 {
		v.maxGroups = min(n, groupsMost)
	}
	for name, value := range o {
		if flag, ok := strings.CutPrefix(name, "ext_"); ok && string(value) == "false" {
			v.hidden[flag] = true
		}
	}
	return v
}

// workspaceOptions are those of google-apps (reference/connections.md §2.10).
type workspaceOptions struct {
	domains  []string // lower-case; the first is the one that is sent
	byNumber bool     // map_user_id_to_id: people are known by number, not by e-mail
	scope    []string
	// asked reports whether applications may ask for more (connection_scope).
	asked bool
	// fromSocial: logins of google-oauth2 of the domain are ours.
	fromSocial bool
	// What is asked of the Admin Directory, which needs a token of an administrator.
	groups, groupObjects, isAdmin, isSuspended, agreedTerms bool
	adminToken, adminRefresh, adminExpires                  string
}

func workspaceOptionsOf(c *connection.Connection) workspaceOptions {
	return connection.Memo(c, readWorkspaceOptions)
}

func readWorkspaceOptions(c *connection.Connection) workspaceOptions {
	o := c.Document()
	unless := func(name string) bool { return string(o[name]) != "false" }
	v := workspaceOptions{
		byNumber:     o.Flag("map_user_id_to_id"),
		asked:        o.Flag("allow_setting_login_scopes"),
		fromSocial:   unless("handle_login_from_social"),
		groups:       o.Flag("ext_groups"),
		groupObjects: unless("ext_groups_extended"),
		isAdmin:      o.Flag("ext_is_admin"),
		isSuspended:  o.Flag("ext_is_suspended"),
		agreedTerms:  o.Flag("ext_agreed_terms"),
		adminToken:   o.Text("admin_access_token"),
		adminRefresh: o.Text("admin_refresh_token"),
		adminExpires: o.Text("admin_access_token_expiresin"),
		scope:        []string{"openid"},
	}
	if unless("email") || !v.byNumber { // without it nobody could be known
		v.scope = append(v.scope, "email")
	}
	if unless("profile") {
		v.scope = append(v.scope, "profile")
	}
	v.scope = append(v.scope, slices.DeleteFunc(slices.Clone(c.Upstream().Scope), func(w string) bool { return w == "email" || w == "profile" })...)
	for _, d := range slices.Concat(connection.Words(o, "domain"), c.Upstream().Domains) {
		if d = strings.ToLower(d); !slices.Contains(v.domains, d) {
			v.domains = append(v.domains, d)
		}
	}
	return v
}

// address is options.endpoints[name] without a slash at the end, or the default.
func address(endpoints strictjson.Document, name, standard string) string {
	if own := strings.TrimRight(endpoints.Text(name), "/"); own != "" {
		return own
	}
	return standard
}
