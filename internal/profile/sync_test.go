package profile

import (
	"strings"
	"testing"
)

// What a login does: a row is a connection, who is known, what the upstream
// says, and what comes out of it. Sources are written name@origin where they
// matter. The picture is a neutral one, so that rows stay short.
func TestLogin(t *testing.T) {
	onFirst, never := mode(google, FirstLogin), mode(google, NeverLogin)
	denies := func(c Connection, names ...string) Connection { c.NonPersistent = names; return c }
	of := func(c Connection, name string, m Sync) Connection { c.SyncOf = map[string]Sync{name: m}; return c }
	const pic = `,"picture@default":"` + neutral + `"`

	for _, row := range []struct {
		about   string
		c       Connection
		known   string // empty: nobody
		claims  string
		once    []string
		action  Action
		want    string
		dropped string
	}{
		// First login.
		{"first login", google, "", `{"name":"Ada L","given_name":"Ada","picture":"https://a.example/","email":"Ada@Example.test","email_verified":true,"locale":"en","nickname":"al"}`, nil, Created,
			`{"email":"Ada@Example.test","email_verified":true,"given_name":"Ada","locale":"en","name":"Ada L","nickname":"al","picture":"https://a.example/"}`, ""},
		{"first login, on first login", onFirst, "", `{"name":"Ada","locale":"en","nickname":"a"}`, nil, Created, `{"locale":"en","name":"Ada","nickname":"a"` + pic + `}`, ""},
		{"nothing but an e-mail", google, "", `{"email":"ada@b.co"}`, nil, Created, `{"email":"ada@b.co","email_verified@default":false,"name@default":"ada@b.co","nickname@default":"ada"` + pic + `}`, ""},
		{"nothing at all", okta, "", `{}`, nil, Created, `{"name@default":"","nickname@default":""` + pic + `}`, ""},
		{"a name and no e-mail", okta, "", `{"name":"Ada"}`, nil, Created, `{"name":"Ada","nickname@default":"Ada"` + pic + `}`, ""},
		{"a phone number: phone_verified follows", okta, "", `{"phone_number":"(425) 555-1212","name":"A","nickname":"a"}`, nil, Created, `{"name":"A","nickname":"a","phone_number":"(425) 555-1212","phone_verified@default":false` + pic + `}`, ""},
		{"a username of theirs", okta, "", `{"username":"CORP\\ada lovelace","name":"A"}`, nil, Created, `{"name":"A","nickname@default":"A","username":"CORP\\ada lovelace"` + pic + `}`, ""},
		{"nested values are kept", google, "", `{"name":"A","nickname":"a","plan":{"n":1.10,"x":null},"emails":[1,"2"],"__proto__":{"a":1}}`, nil, Created, `{"__proto__":{"a":1},"emails":[1,"2"],"name":"A","nickname":"a","plan":{"n":1.10,"x":null}` + pic + `}`, ""},
		{"null says nothing", google, "", `{"name":null,"email":"a@b.co","locale":null}`, nil, Created, `{"email":"a@b.co","email_verified@default":false,"name@default":"a@b.co","nickname@default":"a"` + pic + `}`, ""},
		{"of two the later counts", google, "", `{"name":"A","name":"B","nickname":"n"}`, nil, Created, `{"name":"B","nickname":"n"` + pic + `}`, ""},

		// What no claim reaches.
		{"reserved names", google, "", `{"name":"A","nickname":"a","app_metadata":{"admin":true},"user_metadata":{"x":1},"blocked":false,"user_id":"auth0|1","_id":"1","identities":[],"created_at":"x","updated_at":"x","last_login":"x","last_ip":"x","logins_count":9,"multifactor":[],"roles":["admin"],"permissions":[],"password_hash":"x"}`, nil, Created,
			`{"name":"A","nickname":"a"` + pic + `}`, ""},
		{"metadata and blocked of a known user", google, `{"name":"A","nickname":"a","user_metadata@management_api":{"a":1},"app_metadata@management_api":{"b":2},"blocked@management_api":true` + pic + `}`, `{"name":"B","nickname":"a","user_metadata":{},"app_metadata":{},"blocked":false}`, nil, Updated,
			`{"app_metadata@management_api":{"b":2},"blocked@management_api":true,"name":"B","nickname":"a","user_metadata@management_api":{"a":1}` + pic + `}`, ""},
		{"email_verified is a boolean or nothing", google, "", `{"email":"a@b.co","email_verified":"true","name":"A","nickname":"a"}`, nil, Created, `{"email":"a@b.co","email_verified@default":false,"name":"A","nickname":"a"` + pic + `}`, "email_verified"},
		{"1 is no boolean", google, "", `{"email":"a@b.co","email_verified":1,"name":"A","nickname":"a"}`, nil, Created, `{"email":"a@b.co","email_verified@default":false,"name":"A","nickname":"a"` + pic + `}`, "email_verified"},
		{"verified, but what?", google, "", `{"email_verified":true,"name":"A","nickname":"a"}`, nil, Created, `{"name":"A","nickname":"a"` + pic + `}`, ""},

		// Claims that no profile can hold count as not said.
		{"garbage at first", google, "", `{"name":"` + strings.Repeat("x", 301) + `","nickname":"a\u202eb","given_name":1,"picture":"javascript:1","email":"a b@c.de"}`, nil, Created, `{"name@default":"","nickname@default":""` + pic + `}`, "email given_name name nickname picture"},
		{"garbage later", google, `{"email":"a@b.co","email_verified":true,"name":"A","nickname":"a","given_name":"g","picture":"https://a.example/"}`, `{"name":"","nickname":"\u0000","given_name":null,"picture":"data:x","email":"c","email_verified":true}`, nil, Updated,
			`{"email":"a@b.co","email_verified":true,"name":"A","nickname":"a","picture":"https://a.example/"}`, "email name nickname picture"},
		{"a name with a newline for an attribute", google, "", `{"name":"A","nickname":"a","x\ny":1,"":2}`, nil, Created, `{"name":"A","nickname":"a"` + pic + `}`, ` x\ny`},

		// Each login.
		{"nothing new", google, `{"email":"a@b.co","email_verified":true,"locale":"en","name":"A","nickname":"a"` + pic + `}`, `{"email":"a@b.co","email_verified":true,"locale":"en","name":"A","nickname":"a"}`, nil, Unchanged, `{"email":"a@b.co","email_verified":true,"locale":"en","name":"A","nickname":"a"` + pic + `}`, ""},
		{"a new name, a new claim", google, `{"name":"A","nickname":"a"` + pic + `}`, `{"name":"B","nickname":"a","locale":"en"}`, nil, Updated, `{"locale":"en","name":"B","nickname":"a"` + pic + `}`, ""},
		{"no longer sent", google, `{"family_name":"f","locale":"en","name":"A","nickname":"a"` + pic + `}`, `{"name":"A","nickname":"a"}`, nil, Updated, `{"name":"A","nickname":"a"` + pic + `}`, ""},
		{"no longer sent, but made up", google, `{"email":"a@b.co","email_verified":true,"name":"A","nickname":"n","picture":"https://a.example/"}`, `{"email":"a@b.co","email_verified":true}`, nil, Updated, `{"email":"a@b.co","email_verified":true,"name@default":"a@b.co","nickname@default":"a"` + pic + `}`, ""},
		{"no longer sent, sent only once", google, `{"given_name":"g","name":"A","nickname":"a"` + pic + `}`, `{"nickname":"a"}`, []string{Name, GivenName}, Unchanged, `{"given_name":"g","name":"A","nickname":"a"` + pic + `}`, ""},
		{"sent once, and now again", google, `{"name":"A","nickname":"a"` + pic + `}`, `{"name":"B","nickname":"a"}`, []string{Name}, Updated, `{"name":"B","nickname":"a"` + pic + `}`, ""},
		{"what was made up follows what it was made of", google, `{"email":"a@b.co","email_verified":true,"name@default":"a@b.co","nickname@default":"a"` + pic + `}`, `{"email":"c@b.co","email_verified":true}`, nil, Updated, `{"email":"c@b.co","email_verified":true,"name@default":"c@b.co","nickname@default":"c"` + pic + `}`, ""},
		{"made up before, now sent", google, `{"name@default":"","nickname@default":""` + pic + `}`, `{"name":"A","nickname":"a"}`, nil, Updated, `{"name":"A","nickname":"a"` + pic + `}`, ""},
		{"set by an administrator, sent by the upstream", google, `{"name@management_api":"A","nickname":"a"` + pic + `}`, `{"name":"B","nickname":"a"}`, nil, Updated, `{"name":"B","nickname":"a"` + pic + `}`, ""},
		{"set by an administrator, not sent", google, `{"given_name@management_api":"g","family_name@import":"f","name":"A","nickname":"a"` + pic + `}`, `{"name":"A","nickname":"a"}`, nil, Unchanged, `{"family_name@import":"f","given_name@management_api":"g","name":"A","nickname":"a"` + pic + `}`, ""},
		{"returned by a script, no longer", external, `{"name@custom_database":"A","nickname@custom_database":"a","tier@custom_database":"gold"` + pic + `}`, `{"name":"A","nickname":"a"}`, nil, Updated, `{"name@custom_database":"A","nickname@custom_database":"a"` + pic + `}`, ""},
		{"enterprise and external alike", okta, `{"name":"A","nickname":"a","x":1` + pic + `}`, `{"name":"A","nickname":"a"}`, nil, Updated, `{"name":"A","nickname":"a"` + pic + `}`, ""},

		// E-mail and its proof.
		{"a new e-mail, nothing said of it", google, `{"email":"a@b.co","email_verified":true,"name":"A","nickname":"a"` + pic + `}`, `{"email":"c@b.co","name":"A","nickname":"a"}`, nil, Updated, `{"email":"c@b.co","email_verified@default":false,"name":"A","nickname":"a"` + pic + `}`, ""},
		{"a new e-mail voids an administrator's proof", google, `{"email":"a@b.co","email_verified@management_api":true,"name":"A","nickname":"a"` + pic + `}`, `{"email":"c@b.co","name":"A","nickname":"a"}`, nil, Updated, `{"email":"c@b.co","email_verified@default":false,"name":"A","nickname":"a"` + pic + `}`, ""},
		{"the same e-mail, no longer said to be verified", google, `{"email":"a@b.co","email_verified":true,"name":"A","nickname":"a"` + pic + `}`, `{"email":"a@b.co","name":"A","nickname":"a"}`, nil, Updated, `{"email":"a@b.co","email_verified@default":false,"name":"A","nickname":"a"` + pic + `}`, ""},
		{"the same e-mail, an administrator's proof, nothing said", google, `{"email":"a@b.co","email_verified@management_api":true,"name":"A","nickname":"a"` + pic + `}`, `{"email":"a@b.co","name":"A","nickname":"a"}`, nil, Unchanged, `{"email":"a@b.co","email_verified@management_api":true,"name":"A","nickname":"a"` + pic + `}`, ""},
		{"the same e-mail, an administrator's proof, the upstream says no", google, `{"email":"a@b.co","email_verified@management_api":true,"name":"A","nickname":"a"` + pic + `}`, `{"email":"a@b.co","email_verified":false,"name":"A","nickname":"a"}`, nil, Updated, `{"email":"a@b.co","email_verified":false,"name":"A","nickname":"a"` + pic + `}`, ""},
		{"no e-mail any more", google, `{"email":"a@b.co","email_verified@management_api":true,"name":"A","nickname":"a"` + pic + `}`, `{"name":"A","nickname":"a"}`, nil, Updated, `{"name":"A","nickname":"a"` + pic + `}`, ""},
		{"no e-mail, which is sent only once: the proof stays", google, `{"email":"a@b.co","email_verified":true,"name":"A","nickname":"a"` + pic + `}`, `{"name":"A","nickname":"a","email_verified":false}`, []string{Email}, Unchanged, `{"email":"a@b.co","email_verified":true,"name":"A","nickname":"a"` + pic + `}`, ""},
		{"the e-mail is kept, the proof is of another", of(google, Email, FirstLogin), `{"email":"a@b.co","email_verified":false,"name":"A","nickname":"a"` + pic + `}`, `{"email":"c@b.co","email_verified":true,"name":"A","nickname":"a"}`, nil, Unchanged, `{"email":"a@b.co","email_verified":false,"name":"A","nickname":"a"` + pic + `}`, ""},
		{"the proof is kept, but not for a new e-mail", of(google, EmailVerified, FirstLogin), `{"email":"a@b.co","email_verified":true,"name":"A","nickname":"a"` + pic + `}`, `{"email":"c@b.co","email_verified":false,"name":"A","nickname":"a"}`, nil, Updated, `{"email":"c@b.co","email_verified":false,"name":"A","nickname":"a"` + pic + `}`, ""},
		{"the proof is never a login's", of(google, EmailVerified, NeverLogin), "", `{"email":"c@b.co","email_verified":true,"name":"A","nickname":"a"}`, nil, Created, `{"email":"c@b.co","email_verified@default":false,"name":"A","nickname":"a"` + pic + `}`, ""},

		// First login only.
		{"everything is frozen", onFirst, `{"email":"a@b.co","email_verified":true,"locale":"en","name":"A"}`, `{"email":"c@b.co","email_verified":false,"locale":"de","name":"B","nickname":"n","hd":"x"}`, nil, Unchanged, `{"email":"a@b.co","email_verified":true,"locale":"en","name":"A"}`, ""},
		{"what an administrator removed stays away", onFirst, `{"name@management_api":"A"}`, `{"name":"B","nickname":"n"}`, nil, Unchanged, `{"name@management_api":"A"}`, ""},
		{"but for one attribute", of(onFirst, Picture, EachLogin), `{"name":"A","nickname":"a","picture":"https://a.example/"}`, `{"name":"B","picture":"https://b.example/"}`, nil, Updated, `{"name":"A","nickname":"a","picture":"https://b.example/"}`, ""},
		{"one attribute of a synced connection", of(google, Nickname, FirstLogin), `{"name":"A","nickname":"a"` + pic + `}`, `{"name":"B","nickname":"b"}`, nil, Updated, `{"name":"B","nickname":"a"` + pic + `}`, ""},

		// Never.
		{"nobody is created", never, "", `{"name":"A"}`, nil, Refused, `{}`, ""},
		{"the known stay as they are", never, `{"name@import":"A","locale":"en"}`, `{"name":"B","nickname":"b"}`, nil, Unchanged, `{"locale":"en","name@import":"A"}`, ""},
		{"one attribute is never set", of(google, Name, NeverLogin), "", `{"name":"A","nickname":"a"}`, nil, Created, `{"nickname":"a"` + pic + `}`, ""},

		// Deny list.
		{"not stored", denies(google, "locale", "email"), "", `{"email":"a@b.co","email_verified":true,"locale":"en","name":"A","nickname":"a"}`, nil, Created, `{"name":"A","nickname":"a"` + pic + `}`, ""},
		{"not made up either", denies(google, Name), "", `{"email":"a@b.co","email_verified":true,"name":"A"}`, nil, Created, `{"email":"a@b.co","email_verified":true,"nickname@default":"a"` + pic + `}`, ""},
		{"what was stored goes at the next login", denies(google, "locale"), `{"locale":"en","name":"A","nickname":"a"` + pic + `}`, `{"locale":"en","name":"A","nickname":"a"}`, nil, Updated, `{"name":"A","nickname":"a"` + pic + `}`, ""},
		{"on first login too", denies(onFirst, "locale"), `{"locale":"en","name":"A"}`, `{"locale":"en","name":"B"}`, nil, Updated, `{"name":"A"}`, ""},
		{"not what an administrator set", denies(google, Nickname), `{"name":"A","nickname@management_api":"a"` + pic + `}`, `{"name":"A","nickname":"b"}`, nil, Unchanged, `{"name":"A","nickname@management_api":"a"` + pic + `}`, ""},
		{"a name made of the e-mail goes with it", denies(onFirst, Email), `{"email":"a@b.co","email_verified":true,"name@default":"a@b.co","nickname@default":"a"` + pic + `}`, `{"email":"a@b.co"}`, nil, Updated, `{"name@default":"","nickname@default":""` + pic + `}`, ""},

		// Connections of ours have no upstream.
		{"ours, known", db, `{"name@signup":"A"}`, `{"name":"B"}`, nil, Unchanged, `{"name@signup":"A"}`, ""},
		{"ours, unknown", db, "", `{"name":"B"}`, nil, Refused, `{}`, ""},
	} {
		t.Run(row.about, func(t *testing.T) {
			origin := FromUpstream
			if row.c.Class == ExternalDatabase {
				origin = FromScript
			}
			var known *Profile
			if row.known != "" {
				p := has(row.known, origin)
				known = &p
			}
			cl := Claims{Subject: "1", Attributes: body(row.claims), Once: row.once}
			src := Source{Origin: origin, Connection: row.c.ID, At: 2}
			o := Login(row.c, known, cl, src, Defaults{NeutralPicture: neutral})
			if o.Action != row.action {
				t.Errorf("action %d, want %d", o.Action, row.action)
			}
			want := has(row.want, origin)
			if shown(o.Profile) != shown(want) {
				t.Errorf("profile\n got %s\nwant %s", shown(o.Profile), shown(want))
			}
			if origins(o.Profile) != origins(want) {
				t.Errorf("origins\n got %s\nwant %s", origins(o.Profile), origins(want))
			}
			var dropped []string
			for _, d := range o.Dropped {
				dropped = append(dropped, d.Name)
				if d.Why == "" {
					t.Errorf("%s was dropped without a reason", d.Name)
				}
			}
			if d := strings.Join(dropped, " "); d != row.dropped {
				t.Errorf("dropped %q, want %q", d, row.dropped)
			}
			if (o.Action == Refused) != (o.Refusal != nil) || (o.Action == Updated || o.Action == Created) != (len(o.Changed) > 0) {
				t.Errorf("refusal %v, changed %v", o.Refusal, o.Changed)
			}
			if known != nil {
				same(t, *known, shown(has(row.known, origin)))
				for _, a := range o.Profile.All() {
					if old, ok := known.Get(a.Name); o.Action == Unchanged && (!ok || old.Source != a.Source) {
						t.Errorf("unchanged, but %s is from %v", a.Name, a.Source)
					}
				}
			}
			if o.Action == Refused {
				return
			}
			again := Login(row.c, &o.Profile, cl, Source{Origin: origin, At: 3}, Defaults{NeutralPicture: neutral})
			if again.Action != Unchanged {
				t.Errorf("the same login again changes %v", again.Changed)
			}
		})
	}
}

func TestLoginRefusals(t *testing.T) {
	p := has(`{"name":"A"}`, FromUpstream)
	for _, row := range []struct {
		c       Connection
		known   *Profile
		subject string
		want    string
	}{
		{mode(okta, NeverLogin), nil, "1", "access_denied: The connection (corp) creates no users at login."},
		{with(mode(okta, NeverLogin), func(c *Connection) { c.SyncOf = map[string]Sync{Name: EachLogin} }), nil, "1", "access_denied: The connection (corp) creates no users at login."},
		{okta, nil, "", "access_denied: The identity provider did not say who signed in."},
		{okta, &p, "", "access_denied: The identity provider did not say who signed in."},
	} {
		o := Login(row.c, row.known, Claims{Subject: row.subject, Attributes: body(`{"name":"B"}`)}, Source{Origin: FromUpstream}, Defaults{})
		if o.Action != Refused || told(o.Refusal) != row.want {
			t.Errorf("action %d, refusal %s, want %s", o.Action, told(o.Refusal), row.want)
		}
	}
}
