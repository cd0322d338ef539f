package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/idptest"
	"mangrove/internal/upstream/ldaptest"
)

// real is an upstream that is not ours, by one strategy.
type real struct {
	name, strategy string
	options        map[string]any
	trust          func(connection string) // makes the connection known there; nil: everybody is
	// say is what it says of carol from now on, in the words of the profile.
	say    func(person map[string]any)
	signIn func(a *application, connection string) (*signedIn, url.Values)
	extra  string // an attribute that it can say without ado
	// also looks at what only this upstream has, after the first login.
	also func(t *testing.T, w *world, connection string, user map[string]any)
	// What the protocol cannot say, or those who speak it do not.
	provesNoEmail, hasNoEmail bool
}

// loginsOf is what came of the logins of one person, a word for each question.
type loginsOf struct {
	first                    string // the first login
	edit                     string // PATCH of the name
	name                     string // which changed at the upstream, too, before the second login
	changed, removed, added  string // other attributes
	email, proof             string
	second, third            string // the profile's version, after each
	mode, upstream, database string
}

// outcomes are the same for every upstream.
var outcomes = []loginsOf{
	{
		mode: "on_each_login", first: "created", edit: "400", name: "overwritten",
		changed: "overwritten", removed: "removed", added: "set", email: "overwritten", proof: "true, then false", second: "new", third: "stays",
	},
	{
		mode: "on_first_login", first: "created", edit: "200", name: "edit kept",
		changed: "kept", removed: "kept", added: "not set", email: "kept", proof: "true, then true", second: "stays", third: "stays",
	},
	{
		mode: "never_on_login", first: "refused", edit: "200", name: "edit kept",
		changed: "kept", removed: "kept", added: "not set", email: "kept", proof: "true, then true", second: "stays", third: "stays",
	},
}

// of is the expectation for one upstream.
func (o loginsOf) of(u *real) loginsOf {
	if u.provesNoEmail {
		o.proof = "false, then false"
	}
	if u.hasNoEmail {
		o.email, o.proof = "not set", "not set"
	}
	return o
}

// Every real upstream, each mode: a person signs in, is edited by hand, signs in
// with a profile that changed in every way, and signs in as they are.
func TestOutcomes(t *testing.T) {
	var rows []loginsOf
	for _, engine := range storetest.Engines(t) {
		w := newWorld(t, engine)
		for _, part := range []struct {
			name  string
			start func(*testing.T, *world) []real
		}{
			{"oidc-provider", certifiedProvider}, {"SimpleSAMLphp", simpleSAML}, {"npm", npmSAML}, {"slapd", openLDAP}, {"samba", activeDirectory}, {"custom databases", externalStores},
		} {
			// The rules know nothing of databases: a few upstreams do for the second.
			second := engine != storetest.SQLite
			if second && part.name != "oidc-provider" && part.name != "SimpleSAMLphp" && part.name != "custom databases" {
				continue
			}
			t.Run(engine+" "+part.name, func(t *testing.T) {
				here := *w
				here.t = t
				list := part.start(t, &here)
				if second {
					list = list[:1]
				}
				for i := range list {
					for _, expected := range outcomes {
						got := list[i].outcome(&here, expected.mode)
						rows = append(rows, got)
						want := expected.of(&list[i])
						want.upstream, want.database = got.upstream, got.database
						if got != want {
							t.Errorf("%s, %s:\n got %+v\nwant %+v", list[i].name, expected.mode, got, want)
						}
						rows[len(rows)-1].database = engine
					}
				}
			})
		}
	}
	t.Log("\n" + markdown(rows))
}

func markdown(rows []loginsOf) string {
	var b strings.Builder
	b.WriteString("| upstream | database | mode | first login | PATCH name | name, changed both here and there | attribute changed | removed | added | e-mail changed | email_verified | version after the 2nd login | after the 3rd |\n" +
		strings.Repeat("|---", 13) + "|\n")
	for _, o := range rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join([]string{
			o.upstream, o.database, o.mode, o.first, o.edit, o.name, o.changed, o.removed, o.added, o.email, o.proof, o.second, o.third,
		}, " | "))
	}
	return b.String()
}

// outcome signs carol in three times.
func (u *real) outcome(w *world, mode string) (o loginsOf) {
	t := w.t
	t.Helper()
	name := strings.ToLower(strings.NewReplacer(" ", "-", "(", "", ")", "", ",", "", "custom database", "own").Replace(u.name)) + "-" + strings.ReplaceAll(mode, "_", "-")
	options := maps.Clone(u.options)
	if mode != "on_each_login" || u.strategy == "oidc" { // it is the default: the others leave it unsaid
		options["set_user_root_attributes"] = mode
	}
	made := w.made("/api/v2/connections", map[string]any{"name": name, "strategy": u.strategy, "options": options})
	if u.trust != nil {
		u.trust(name)
	}
	a := w.newApplication(name)
	first := map[string]any{"name": "Carol Lind", "given_name": "Carol", "family_name": "Lind", "email": "Carol@corp.example", "email_verified": true}
	second := map[string]any{"name": "Carol Berg", "family_name": "Berg", "email": "berg@corp.example", u.extra: "new here"}
	u.say(first)
	o = loginsOf{mode: mode, upstream: u.name}

	in, refused := u.signIn(a, name)
	o.first = "created"
	if in == nil {
		o.first = w.strangerRefused(name, refused)
		w.setSync(name, "on_first_login") // somebody has to be known to be left alone
		if in, refused = u.signIn(a, name); in == nil {
			t.Fatalf("%s: first login: %v", name, refused)
		}
		w.setSync(name, mode)
	}
	id := in.subject
	if !strings.HasPrefix(id, u.strategy+"|"+name+"|") {
		t.Errorf("%s: signed in as %s", name, id)
	}
	created, version := w.versionOf(id)
	expect := map[string]any{"name": "Carol Lind", "given_name": "Carol", "family_name": "Lind", u.extra: nil, "logins_count": 1.0}
	if !u.hasNoEmail {
		expect["email"], expect["email_verified"] = "Carol@corp.example", !u.provesNoEmail
	}
	want(t, name+" created", created, expect)
	want(t, name+" in the ID token", in.claims, map[string]any{"name": "Carol Lind", "given_name": "Carol", "family_name": "Lind"})
	if u.also != nil {
		u.also(t, w, fmt.Sprint(made["id"]), created)
	}

	o.edit = w.editName(name, id)
	edited, editedVersion := w.versionOf(id)
	if o.edit != "200" && (editedVersion != version || !reflect.DeepEqual(edited, created)) {
		t.Errorf("%s: the refused PATCH changed %v to %v", name, created, edited)
	}

	u.say(second)
	if in, refused = u.signIn(a, name); in == nil {
		t.Fatalf("%s: second login: %v", name, refused)
	}
	later, laterVersion := w.versionOf(id)
	o.name = became("name", edited, later, second)
	if edited["name"] == "By hand" && o.name == "kept" {
		o.name = "edit kept"
	}
	o.changed, o.removed = became("family_name", edited, later, second), became("given_name", edited, later, second)
	o.added, o.email = became(u.extra, edited, later, second), became("email", edited, later, second)
	if o.proof = "not set"; later["email_verified"] != nil {
		o.proof = fmt.Sprintf("%v, then %v", edited["email_verified"], later["email_verified"])
	}
	o.second = stays(editedVersion, laterVersion)

	if in, refused = u.signIn(a, name); in == nil {
		t.Fatalf("%s: third login: %v", name, refused)
	}
	last, lastVersion := w.versionOf(id)
	o.third = stays(laterVersion, lastVersion)
	for doc, count := range map[*map[string]any]float64{&edited: 1, &later: 2, &last: 3} {
		if (*doc)["logins_count"] != count || (*doc)["last_login"] == nil || (*doc)["last_ip"] == nil {
			t.Errorf("%s: the record of login %v: %v", name, count, *doc)
		}
	}
	return o
}

// strangerRefused checks everything about the refusal of somebody new.
func (w *world) strangerRefused(connection string, refused url.Values) string {
	w.t.Helper()
	text := "The connection (" + connection + ") creates no users at login."
	if refused.Get("error") != "access_denied" || refused.Get("error_description") != text {
		w.t.Errorf("%s: a stranger was told %v", connection, refused)
	}
	status, body := w.call("GET", "/api/v2/users?q="+url.QueryEscape(`identities.connection:"`+connection+`"`), "")
	if status != http.StatusOK || body != "[]" {
		w.t.Errorf("%s: the stranger is there: %d %s", connection, status, body)
	}
	if status, body := w.call("GET", "/api/v2/logs?per_page=10", ""); status != http.StatusOK || !strings.Contains(body, text) {
		w.t.Errorf("%s: not on record: %d %.1000s", connection, status, body)
	}
	return "refused"
}

// editName is an administrator's PATCH.
func (w *world) editName(connection, id string) string {
	w.t.Helper()
	const refusal = `{"statusCode":400,"error":"Bad Request","message":"The following user attributes cannot be updated: name. The connection (%s) must either be a database connection (using the Auth0 store), a passwordless connection (email or sms) or has disabled 'Sync user profile attributes at each login'. For more information, see https://auth0.com/docs/dashboard/guides/connections/configure-connection-sync","errorCode":"operation_not_supported"}`
	status, body := w.call("PATCH", "/api/v2/users/"+url.PathEscape(id), `{"name":"By hand","user_metadata":{"kept":true}}`)
	if status != http.StatusOK && body != fmt.Sprintf(refusal, connection) {
		w.t.Errorf("%s: PATCH: %d %s", connection, status, body)
	}
	return fmt.Sprint(status)
}

// versionOf is a user's document with its version.
func (w *world) versionOf(id string) (doc map[string]any, etag string) {
	w.t.Helper()
	req, err := w.sdk.NewRequest(w.t.Context(), http.MethodGet, w.url+"/api/v2/users/"+url.PathEscape(id), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := w.sdk.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil || res.Header.Get("ETag") == "" {
		w.t.Fatalf("GET %s: %d %v", id, res.StatusCode, err)
	}
	return doc, res.Header.Get("ETag")
}

func stays(before, after string) string {
	if before == after {
		return "stays"
	}
	return "new"
}

// became says what a login did to an attribute.
func became(name string, before, after, said map[string]any) string {
	was, is := before[name], after[name]
	switch {
	case was == nil && is == nil:
		return "not set"
	case is == nil:
		return "removed"
	case is == was:
		return "kept"
	case was == nil && is == said[name]:
		return "set"
	case is == said[name]:
		return "overwritten"
	}
	return fmt.Sprintf("%v became %v", was, is)
}

func certifiedProvider(t *testing.T, w *world) []real {
	idp := startUpstream(t, w.url+"/login/callback")
	const sub = "u|carol" // a bar in a subject must do no harm
	say := func(person map[string]any) {
		claims := maps.Clone(person)
		claims["authenticationtype"] = "urn:grn:authn:se:bankid" // what the broker says beside
		idp.set(sub, claims)
	}
	signIn := func(a *application, connection string) (*signedIn, url.Values) {
		return a.signIn(w.newBrowser(), connection, sub)
	}
	options := func(more map[string]any) map[string]any {
		o := map[string]any{
			"type": "back_channel", "discovery_url": idp.issuer + "/.well-known/openid-configuration",
			"client_id": idp.clientID, "client_secret": idp.pass, "scope": "openid profile email",
		}
		maps.Copy(o, more)
		return o
	}
	return []real{
		{name: "oidc-provider (oidc)", strategy: "oidc", options: options(nil), say: say, signIn: signIn, extra: "locale"},
		{name: "oidc-provider (okta)", strategy: "okta", options: options(nil), say: say, signIn: signIn, extra: "locale"},
		{
			name: "oidc-provider (oidc, legal identity)", strategy: "oidc", say: say, signIn: signIn, extra: "locale", hasNoEmail: true,
			options: options(map[string]any{"scope": "openid profile eid", "legal_identity": map[string]any{"eid": "se-bankid"}}),
			also: func(t *testing.T, _ *world, _ string, user map[string]any) {
				assured(t, "a broker", user, "urn:grn:authn:se:bankid", "substantial")
			},
		},
	}
}

const soapClaims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"

// statement is a person in the words of SAML and WS-Federation.
func statement(person map[string]any) map[string][]string {
	words := map[string]string{"name": soapClaims + "name", "given_name": soapClaims + "givenname", "family_name": soapClaims + "surname", "email": soapClaims + "emailaddress"}
	said := map[string][]string{"uid": {"carol"}, "http://schemas.xmlsoap.org/claims/Group": {"a", "b"}}
	for name, value := range person {
		switch {
		case name == "email_verified":
		case words[name] != "":
			said[words[name]] = []string{fmt.Sprint(value)}
		default:
			said["http://corp.example/claims/"+name] = []string{fmt.Sprint(value)}
		}
	}
	return said
}

func signInBySAML(t *testing.T) func(*application, string) (*signedIn, url.Values) {
	return func(a *application, connection string) (*signedIn, url.Values) {
		return a.signInBySAML(t, connection, "carol")
	}
}

func signInByWSFederation(a *application, connection string) (*signedIn, url.Values) {
	return a.federated(connection, nil)
}

func simpleSAML(t *testing.T, w *world) []real {
	idp := idptest.StartSimpleSAML(t)
	idp.TrustRealm("urn:auth0:localhost", w.url+"/login/callback")
	say := func(person map[string]any) { idp.SetPerson("carol", statement(person)) }
	return []real{
		{
			name: "SimpleSAMLphp (samlp)", strategy: "samlp", options: map[string]any{"metadataUrl": idp.SAMLMetadata()}, say: say, extra: "department", provesNoEmail: true,
			trust: func(connection string) {
				entity, acs := w.samlIdentity(connection)
				idp.Trust(entity, idptest.Provider{ACS: acs})
			},
			signIn: signInBySAML(t),
			also: func(t *testing.T, _ *world, _ string, user map[string]any) {
				want(t, "what SAML adds", user, map[string]any{"groups": []any{"a", "b"}, "issuer": idp.SAMLMetadata(), "sessionIndex": nil})
				if user["authenticationmethod"] == nil || user["nameIdAttributes"] == nil {
					t.Errorf("what SAML adds is not there: %v", user)
				}
			},
		},
		{
			name: "SimpleSAMLphp (adfs)", strategy: "adfs", options: map[string]any{"fedMetadataXml": idp.WSFedMetadata()}, say: say, extra: "department",
			provesNoEmail: true, signIn: signInByWSFederation, also: inGroups,
		},
	}
}

func inGroups(t *testing.T, _ *world, _ string, user map[string]any) {
	t.Helper()
	want(t, "groups", user, map[string]any{"groups": []any{"a", "b"}})
}

func npmSAML(t *testing.T, _ *world) []real {
	idp := idptest.StartSAMLP(t)
	say := func(person map[string]any) { idp.SetPerson("carol", statement(person)) }
	return []real{
		{name: "npm samlp (samlp)", strategy: "samlp", options: map[string]any{"metadataUrl": idp.SAMLMetadata()}, say: say, extra: "department", provesNoEmail: true, signIn: signInBySAML(t), also: inGroups},
		{name: "npm wsfed (adfs)", strategy: "adfs", options: map[string]any{"adfs_server": idp.WSFedMetadata()}, say: say, extra: "department", provesNoEmail: true, signIn: signInByWSFederation, also: inGroups},
	}
}

func openLDAP(t *testing.T, _ *world) []real {
	const dn = "uid=carol,ou=people,dc=ex,dc=org"
	d := ldaptest.Slapd(t, ldaptest.Person("carol", "Carol Lind", "carol@corp.example")+ldaptest.Group("staff", dn))
	return []real{directoryOf("slapd (ad)", d, dn, "carol", "carolpw")}
}

func activeDirectory(t *testing.T, _ *world) []real {
	d := ldaptest.Samba(t)
	dn := d.AddSambaUser("carol", "Carol.Passw0rd", nil)
	d.AddSambaGroup("staff", dn)
	return []real{directoryOf("Samba AD (ad)", d, dn, `ADEX\carol`, "Carol.Passw0rd")}
}

func directoryOf(upstream string, d *ldaptest.Directory, dn, name, password string) real {
	return real{
		name: upstream, strategy: "ad", options: map[string]any{"ldap": d.Options()}, extra: "description", provesNoEmail: true,
		say: func(person map[string]any) {
			entry := map[string][]string{}
			for attribute, word := range map[string]string{"displayName": "name", "givenName": "given_name", "sn": "family_name", "mail": "email", "description": "description"} {
				entry[attribute] = nil
				if value, ok := person[word]; ok {
					entry[attribute] = []string{fmt.Sprint(value)}
				}
			}
			d.Set(dn, entry)
		},
		signIn: func(a *application, connection string) (*signedIn, url.Values) {
			in, refused, page := a.signInByDirectory(connection, name, password)
			if in == nil && refused == nil {
				a.w.t.Fatalf("%s: ended with a page: %.2000s", connection, page)
			}
			return in, refused
		},
		also: func(t *testing.T, w *world, connectionID string, user map[string]any) {
			t.Helper()
			want(t, "in the directory", user, map[string]any{"dn": dn, "groups": []any{"staff"}})
			if status, body := w.call("GET", "/api/v2/connections/"+connectionID+"/status", ""); status != http.StatusOK {
				t.Errorf("status: %d %s", status, body)
			}
		},
	}
}
