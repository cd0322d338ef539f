package oidc

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/fakeidp"
	"mangrove/internal/profile"
	"mangrove/internal/upstream"
)

const (
	homeTenant  = "11111111-1111-4111-8111-111111111111"
	otherTenant = "22222222-2222-4222-8222-222222222222"
)

// entra is a double of Entra ID and of Microsoft Graph.
type entra struct {
	*rig
	tenant string         // of whom signs in
	me     map[string]any // Graph
	groups []any          // of memberOf
	nested []any          // of transitiveMemberOf
	next   string         // overrides the address of the next page
	fails  string         // path of Graph that answers 403
	asked  []string       // paths of Graph
	server *httptest.Server
}

func newEntra(t *testing.T) *entra {
	t.Helper()
	e := &entra{tenant: homeTenant}
	e.rig = newRig(t, fakeidp.Options{
		Issue: func(claims map[string]any) {
			claims["iss"], claims["tid"] = e.server.URL+"/"+e.tenant+"/v2.0", e.tenant
			claims["uti"], claims["rh"], claims["aio"] = fmt.Sprint(e.idp.Count(fakeidp.Token)), "r", "a"
		},
		Describe: func(doc map[string]any) {
			delete(doc, "authorization_response_iss_parameter_supported")
		},
	})
	e.server = httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(e.server.Close)
	e.idp.SetIssuer(e.server.URL)
	e.strategy = "waad"
	e.speaks = func(k *Connector) upstream.Redirect { return NewEntra(k) }
	e.options = map[string]any{
		"client_id": "mangrove", "client_secret": "s3cr:et%", "tenant_domain": "corp.example", "tenantId": homeTenant,
		"endpoints": map[string]any{"authority": e.server.URL, "graph": e.server.URL + "/graph"},
	}
	e.idp.SetPerson("pairwise-1", map[string]any{
		"oid": "aaaaaaaa-0000-4000-8000-000000000001", "name": "Noor Haddad", "preferred_username": "noor@corp.example",
		"email": "noor.mail@corp.example", "groups": []string{"optional"}, "favourite": "optional claim",
	})
	e.idp.Next("pairwise-1")
	e.me = map[string]any{
		"@odata.context": "x", "id": "aaaaaaaa-0000-4000-8000-000000000001", "displayName": "Noor Haddad", "givenName": "Noor", "surname": "Haddad",
		"mail": nil, "userPrincipalName": "noor@corp.example", "jobTitle": "Lead", "businessPhones": []string{"+31 20 1"}, "mobilePhone": nil,
		"preferredLanguage": "nl", "accountEnabled": true, "city": "Utrecht",
	}
	return e
}

func (e *entra) serve(w http.ResponseWriter, r *http.Request) {
	if path, ok := strings.CutPrefix(r.URL.Path, "/graph/v1.0"); ok {
		e.serveGraph(w, r, path)
		return
	}
	if tenant, ok := strings.CutSuffix(r.URL.Path, wellKnown); ok {
		tenant, v2 := strings.CutSuffix(strings.TrimPrefix(tenant, "/"), "/v2.0")
		issuer := homeTenant
		switch tenant {
		case "common", "organizations":
			issuer = tenantMark
		case otherTenant:
			issuer = otherTenant
		}
		doc := map[string]any{
			"issuer": e.server.URL + "/" + issuer + "/v2.0", "authorization_endpoint": e.server.URL + "/authorize",
			"token_endpoint": e.server.URL + "/token", "jwks_uri": e.server.URL + "/jwks", "end_session_endpoint": e.server.URL + "/logout",
		}
		if !v2 {
			doc["issuer"] = e.server.URL + "/" + issuer + "/"
		}
		_ = json.NewEncoder(w).Encode(doc)
		return
	}
	e.idp.ServeHTTP(w, r)
}

func (e *entra) serveGraph(w http.ResponseWriter, r *http.Request, path string) {
	e.asked = append(e.asked, path)
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") || path == e.fails {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	list := e.groups
	switch path {
	case "/me":
		_ = json.NewEncoder(w).Encode(e.me)
		return
	case "/me/transitiveMemberOf":
		list = e.nested
	}
	skip, _ := strconv.Atoi(r.URL.Query().Get("$skip"))
	const page = 2
	doc := map[string]any{"value": list[min(skip, len(list)):min(skip+page, len(list))]}
	if skip+page < len(list) {
		doc["@odata.nextLink"] = e.server.URL + "/graph/v1.0" + path + "?$skip=" + strconv.Itoa(skip+page)
		if e.next != "" {
			doc["@odata.nextLink"] = e.next
		}
	}
	_ = json.NewEncoder(w).Encode(doc)
}

func aGroup(n int) map[string]any {
	return map[string]any{"@odata.type": "#microsoft.graph.group", "id": fmt.Sprintf("g-%d", n), "displayName": fmt.Sprintf("Group %d", n)}
}

func TestEntraThreeModes(t *testing.T) {
	for name, more := range map[string]map[string]any{
		"waad":          {},
		"waad-v1":       {"identity_api": "azure-active-directory-v1.0"},
		"waad-graph":    {"ext_profile": true, "ext_groups": true},
		"waad-graph-by": {"ext_profile": true, "ext_groups": true, "userid_attribute": "sub", "ext_city": false, "ext_job_title": false, "ext_group_ids": false, "should_trust_email_verified_connection": "always_set_emails_as_verified"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEntra(t)
			person := func(name string, more map[string]any) {
				claims := map[string]any{"oid": "aaaaaaaa-0000-4000-8000-000000000001", "name": name, "ipaddr": "192.0.2.1", "favourite": "optional claim"}
				maps.Copy(claims, more)
				e.idp.SetPerson("pairwise-1", claims)
			}
			first := map[string]any{"given_name": "Noor", "family_name": "Haddad", "upn": "noor@corp.example"}
			person("Noor Haddad", first)
			maps.Copy(e.options, more)
			before := maps.Clone(e.me)
			e.groups = []any{aGroup(2), aGroup(1), map[string]any{"@odata.type": "#microsoft.graph.directoryRole", "id": "r-1", "displayName": "Admins"}}
			threeModes(t, name, e.options, func() (*connection.Connection, upstream.Result) {
				if name == "waad-v1" {
					return e.connection(), e.mustLoginV1()
				}
				return e.connection(), e.mustLogin()
			}, func() {
				person("Noor Smit", map[string]any{"given_name": "Noor", "upn": "noor.smit@corp.example"})
				e.me["displayName"], e.me["mail"], e.me["jobTitle"] = "Noor Smit", "noor.smit@corp.example", nil
				e.groups = []any{aGroup(3), aGroup(1)}
			}, func() {
				person("Noor Haddad", first)
				e.me, e.groups = maps.Clone(before), []any{aGroup(2), aGroup(1)}
			})
		})
	}
}

// mustLoginV1 is a login whose issuer has the form of the older endpoints.
func (e *entra) mustLoginV1() upstream.Result {
	e.t.Helper()
	tr, err := e.leave(upstream.Start{})
	if err != nil {
		e.t.Fatal(err)
	}
	if tr.sent.Get("resource") != e.server.URL+"/graph" || tr.sent.Get("scope") != "openid" {
		e.t.Errorf("sent %v", tr.sent)
	}
	old := e.tenant
	defer func() { e.tenant = old }()
	e.idp.Issue(func(claims map[string]any) {
		claims["iss"], claims["tid"] = e.server.URL+"/"+e.tenant+"/", e.tenant
	})
	result, err := e.comeBack(tr)
	if err != nil {
		e.t.Fatal(err)
	}
	return result
}

func TestEntraRequest(t *testing.T) {
	e := newEntra(t)
	e.options["scope"] = []string{"Calendars.Read"}
	for _, row := range []struct {
		more  map[string]any
		scope string
	}{
		{nil, "openid profile email Calendars.Read extra"},
		{map[string]any{"ext_profile": true}, "openid profile email Calendars.Read User.Read extra"},
		{map[string]any{"ext_groups": true}, "openid profile email Calendars.Read User.Read Directory.Read.All extra"},
	} {
		maps.Copy(e.options, row.more)
		tr, err := e.leave(upstream.Start{Scopes: []string{"extra", "email"}, LoginHint: "noor"})
		if err != nil {
			t.Fatal(err)
		}
		if tr.sent.Get("scope") != row.scope || tr.sent.Has("code_challenge") || tr.sent.Get("login_hint") != "noor" || tr.pending.Verifier != "" {
			t.Errorf("sent %v", tr.sent)
		}
		delete(e.options, "ext_profile")
	}
}

// Whose tokens a connection takes: the attack is an administrator of another
// tenant who makes a person with the same ids and the victim's address.
func TestEntraTenants(t *testing.T) {
	rows := []struct {
		name    string
		options map[string]any // nil: is taken out
		tenant  string
		subject string // empty: refused
	}{
		{"bound, of the tenant", nil, homeTenant, "aaaaaaaa-0000-4000-8000-000000000001"},
		{"bound, of another", nil, otherTenant, ""},
		{"bound by domain", map[string]any{"tenantId": nil}, homeTenant, "aaaaaaaa-0000-4000-8000-000000000001"},
		{"bound by domain, of another", map[string]any{"tenantId": nil}, otherTenant, ""},
		{"bound by sub", map[string]any{"userid_attribute": "sub"}, homeTenant, "pairwise-1"},
		{"common, home", map[string]any{"useCommonEndpoint": true}, homeTenant, "pairwise-1"},
		{"common, another", map[string]any{"useCommonEndpoint": true}, otherTenant, otherTenant + "|pairwise-1"},
		{"common, another by oid", map[string]any{"useCommonEndpoint": true, "userid_attribute": "oid"}, otherTenant, otherTenant + "|aaaaaaaa-0000-4000-8000-000000000001"},
		{"common without a home", map[string]any{"useCommonEndpoint": true, "tenantId": nil}, homeTenant, homeTenant + "|pairwise-1"},
		{"a tid that is no id", map[string]any{"useCommonEndpoint": true}, "x/../" + homeTenant, ""},
		{"no tid", map[string]any{"useCommonEndpoint": true}, "", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			e := newEntra(t)
			for name, v := range row.options {
				if e.options[name] = v; v == nil {
					delete(e.options, name)
				}
			}
			e.tenant = row.tenant
			result, err := e.login()
			if row.subject == "" {
				checkRefusal(t, e.rig, result, err)
				return
			}
			if err != nil || result.Claims.Subject != row.subject {
				t.Errorf("%q, %v", result.Claims.Subject, err)
			}
		})
	}
}

// A tenant that signs for itself cannot speak for another: iss and tid must agree.
func TestEntraIssuerIsOfTheTokensTenant(t *testing.T) {
	for _, common := range []bool{false, true} {
		e := newEntra(t)
		e.options["useCommonEndpoint"] = common
		e.idp.Issue(func(claims map[string]any) {
			claims["iss"], claims["tid"] = e.server.URL+"/"+otherTenant+"/v2.0", homeTenant
		})
		result, err := e.login()
		checkRefusal(t, e.rig, result, err)
	}
}

// nOAuth: the address is the attacker's to choose. It is never a proof.
func TestEntraAddressesProveNothing(t *testing.T) {
	for _, row := range []struct {
		name    string
		options map[string]any
		tenant  string
		claims  map[string]any
		want    string
	}{
		{"by default", nil, homeTenant, map[string]any{"email": "v@corp.example", "email_verified": true}, "false"},
		{"trusted", map[string]any{"should_trust_email_verified_connection": connection.AlwaysTrustEmail}, homeTenant, map[string]any{"email": "v@corp.example"}, "true"},
		{"trusted, of another domain", map[string]any{"should_trust_email_verified_connection": connection.AlwaysTrustEmail}, homeTenant, map[string]any{"email": "v@victim.example"}, "false"},
		{"trusted, made of the name", map[string]any{"should_trust_email_verified_connection": connection.AlwaysTrustEmail}, homeTenant, map[string]any{"preferred_username": "v@corp.example"}, "false"},
		{"common", map[string]any{"useCommonEndpoint": true, "should_trust_email_verified_connection": connection.AlwaysTrustEmail}, otherTenant, map[string]any{"email": "v@corp.example", "email_verified": true}, "false"},
	} {
		e := newEntra(t)
		maps.Copy(e.options, row.options)
		e.tenant = row.tenant
		row.claims["oid"] = "aaaaaaaa-0000-4000-8000-000000000002"
		e.idp.SetPerson("pairwise-1", row.claims)
		got := values(e.mustLogin().Claims.Attributes)
		if got[profile.EmailVerified] != row.want || got[profile.Email] == "" {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

func TestEntraEmail(t *testing.T) {
	for _, row := range []struct {
		token, me string
		want      string
		made      bool
	}{
		{`{"email":"t@a.example"}`, `{"mail":"m@a.example","userPrincipalName":"u@a.example"}`, "m@a.example", false},
		{`{"email":"t@a.example"}`, `{"mail":null,"userPrincipalName":"u@a.example"}`, "t@a.example", false},
		{`{"email":7}`, `{"userPrincipalName":"u@a.example"}`, "u@a.example", true},
		{`{"upn":"u@a.example"}`, `{}`, "u@a.example", true},
		{`{"preferred_username":"p@a.example"}`, `{}`, "p@a.example", true},
		{`{"preferred_username":"p"}`, `{"userPrincipalName":"x_b.example#EXT#@a.example"}`, "", false},
	} {
		if email, made := entraEmail(members(t, row.token), members(t, row.me)); email != row.want || made != row.made {
			t.Errorf("%s %s: %q %v", row.token, row.me, email, made)
		}
	}
}

func TestEntraGroups(t *testing.T) {
	e := newEntra(t)
	e.options["ext_groups"] = true
	for n := range 5 {
		e.groups = append(e.groups, aGroup(n))
	}
	e.nested = append([]any{aGroup(9)}, e.groups...)
	for _, row := range []struct {
		options map[string]any
		ids     string
	}{
		{nil, `["g-0","g-1","g-2","g-3","g-4"]`},
		{map[string]any{"max_groups_to_retrieve": "3"}, `["g-0","g-1","g-2"]`},
		{map[string]any{"max_groups_to_retrieve": "", "ext_nested_groups": true}, `["g-0","g-1","g-2","g-3","g-4","g-9"]`},
	} {
		maps.Copy(e.options, row.options)
		if got := values(e.mustLogin().Claims.Attributes); got["group_ids"] != row.ids {
			t.Errorf("%v: %v", row.options, got)
		}
	}
	delete(e.options, "ext_nested_groups")
	e.groups = nil
	if got := values(e.mustLogin().Claims.Attributes); got["groups"] != "[]" || got["group_ids"] != "[]" {
		t.Errorf("a person without groups: %v", got)
	}
}

// Rights must not be stale: without Graph nobody signs in, and the token goes
// nowhere but to Graph.
func TestEntraGraphFails(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the token went elsewhere") }))
	defer elsewhere.Close()
	for name, rude := range map[string]func(*entra){
		"me":                func(e *entra) { e.fails = "/me" },
		"groups":            func(e *entra) { e.fails = "/me/memberOf" },
		"next is elsewhere": func(e *entra) { e.next = elsewhere.URL + "/graph" },
		"pages without end": func(e *entra) { e.next = e.server.URL + "/graph/v1.0/me/memberOf" },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEntra(t)
			maps.Copy(e.options, map[string]any{"ext_profile": true, "ext_groups": true, "max_groups_to_retrieve": "5000"})
			e.groups = []any{aGroup(1), aGroup(2), aGroup(3)}
			e.mustLogin()
			rude(e)
			e.asked = nil
			result, err := e.login()
			checkRefusal(t, e.rig, result, err)
			if len(e.asked) > graphPages+1 {
				t.Errorf("asked %d times", len(e.asked))
			}
		})
	}
}

func TestEntraSettings(t *testing.T) {
	for name, options := range map[string]map[string]any{
		"no tenant":                     {"tenantId": nil, "tenant_domain": nil},
		"an endpoint of many, not said": {"tenantId": nil, "tenant_domain": "organizations"},
		"no client":                     {"client_id": ""},
	} {
		e := newEntra(t)
		maps.Copy(e.options, options)
		if _, err := e.leave(upstream.Start{}); err == nil || !strings.Contains(err.Error(), "set up") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEntraLeave(t *testing.T) {
	e := newEntra(t)
	result := e.mustLogin()
	d, ok, err := NewEntra(e.connector).Leave(t.Context(), e.connection(), result.Foreign, upstream.Start{State: "st", CallbackURL: "https://id.example/back"})
	if err != nil || !ok || !strings.HasPrefix(d.URL, e.server.URL+"/logout?") || !strings.Contains(d.URL, "id_token_hint=e") {
		t.Errorf("%v %v %v", d, ok, err)
	}
}

// The law: what is taken for a tenant is an id in Microsoft's form, and what the
// token says.
func FuzzClaimedTenant(f *testing.F) {
	f.Add("a.eyJ0aWQiOiIxMTExMTExMS0xMTExLTQxMTEtODExMS0xMTExMTExMTExMTEifQ.c")
	f.Add("..")
	f.Add("a.e30.c")
	f.Fuzz(func(t *testing.T, token string) {
		if tid := claimedTenant(token); tid != "" && (!isUUID(tid) || strings.Count(token, ".") != 2) {
			t.Fatalf("%q", tid)
		}
	})
}

// The law: whatever Graph says, the groups are texts with ids, and no page leads
// away from Graph unnoticed.
func FuzzGroupPage(f *testing.F) {
	f.Add([]byte(`{"value":[{"@odata.type":"#microsoft.graph.group","id":"1","displayName":"a"}],"@odata.nextLink":"https://graph.microsoft.com/x"}`))
	f.Add([]byte(`{"value":[{"id":""},{"id":"1","id":"2"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := readGroupPage(raw)
		if err != nil {
			return
		}
		for _, g := range p.groups {
			if g.ID == "" || g.Type != "" && g.Type != "#microsoft.graph.group" {
				t.Fatalf("%+v", g)
			}
		}
		if sameOrigin(p.next, "https://graph.microsoft.com") && !strings.HasPrefix(strings.ToLower(p.next), "https://graph.microsoft.com") {
			t.Fatalf("%q", p.next)
		}
	})
}
