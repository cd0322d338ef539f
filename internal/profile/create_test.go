package profile

import (
	"strings"
	"testing"
)

const (
	// The MD5 is that of ada@example.test.
	adaGravatar   = "https://s.gravatar.com/avatar/28ae5bf8fa0cde12855e61ac303859cc?s=480&r=pg&d=https%3A%2F%2Fcdn.auth0.com%2Favatars%2F"
	noConnection  = "operation_not_supported: Connection does not support user creation through the API. It must either be a database or passwordless connection."
	neutral       = "https://id.example.test/avatar.svg"
	missingEmail  = "Payload validation error: 'Missing required property: email'."
	missingPhone  = "Payload validation error: 'Missing required property: phone_number'."
	missingName   = "Payload validation error: 'Missing required property: username'."
	withoutPhones = "operation_not_supported: Cannot set phone_number for connection without phone numbers."
)

// What a new user looks like: a row is a connection, a door, a body, and the
// profile or the refusal. Rows without a picture of their own get a neutral one.
func TestCreate(t *testing.T) {
	needsName := with(dbNames, func(c *Connection) { c.Username.Required = true })
	needsPhone := with(flexible, func(c *Connection) { c.PhoneRequired = true })
	const pic = `,"picture":"` + neutral + `"`

	for _, row := range []struct {
		about   string
		c       Connection
		by      Origin
		in      string
		want    string
		refusal string
	}{
		{"e-mail only", db, FromManagement, `{"email":"Ada@Example.test"}`, `{"email":"ada@example.test","email_verified":false,"name":"ada@example.test","nickname":"ada"` + pic + `}`, ""},
		{"given and family name make no name", db, FromManagement, `{"email":"a@b.co","given_name":"Ada","family_name":"L"}`, `{"email":"a@b.co","email_verified":false,"given_name":"Ada","family_name":"L","name":"a@b.co","nickname":"a"` + pic + `}`, ""},
		{"everything", flexible, FromManagement,
			`{"email":"a@b.co","email_verified":true,"username":"Ada","phone_number":"+1","phone_verified":true,"name":"N","given_name":"G","family_name":"F","nickname":"K","picture":"https://a.example/","blocked":false,"user_metadata":{"a":1},"app_metadata":{"b":2}}`,
			`{"email":"a@b.co","email_verified":true,"username":"ada","phone_number":"+1","phone_verified":true,"name":"N","given_name":"G","family_name":"F","nickname":"K","picture":"https://a.example/","blocked":false,"user_metadata":{"a":1},"app_metadata":{"b":2}}`, ""},
		{"import-mode database", imported, FromImport, `{"email":"a@b.co"}`, `{"email":"a@b.co","email_verified":false,"name":"a@b.co","nickname":"a"` + pic + `}`, ""},
		{"username and e-mail: the nickname is the local part", dbNames, FromSignup, `{"email":"a@b.co","username":"ada"}`, `{"email":"a@b.co","email_verified":false,"username":"ada","name":"a@b.co","nickname":"a"` + pic + `}`, ""},
		{"username only: no email_verified", flexible, FromSignup, `{"username":"ADA"}`, `{"username":"ada","name":"ada","nickname":"ada"` + pic + `}`, ""},
		{"phone only", bySMS, FromManagement, `{"phone_number":"+4790000000"}`, `{"phone_number":"+4790000000","phone_verified":false,"name":"+4790000000","nickname":"+4790000000"` + pic + `}`, ""},
		{"passwordless e-mail", byEmail, FromManagement, `{"email":"lea@x.example","email_verified":true}`, `{"email":"lea@x.example","email_verified":true,"name":"lea@x.example","nickname":"lea"` + pic + `}`, ""},
		{"not verified, without an address", flexible, FromManagement, `{"username":"ada","email_verified":false}`, `{"username":"ada","name":"ada","nickname":"ada"` + pic + `}`, ""},
		{"empty metadata", db, FromManagement, `{"email":"a@b.co","user_metadata":{},"app_metadata":{}}`, `{"email":"a@b.co","email_verified":false,"name":"a@b.co","nickname":"a","user_metadata":{}` + pic + `}`, ""},
		{"null in metadata is no member", db, FromImport, `{"email":"a@b.co","user_metadata":{"a":null,"b":{"c":null}},"app_metadata":{"a":null}}`, `{"email":"a@b.co","email_verified":false,"name":"a@b.co","nickname":"a","user_metadata":{"b":{"c":null}}` + pic + `}`, ""},

		// What a sign-up may not bring is without effect.
		{"sign-up with all that it must not", db, FromSignup,
			`{"email":"a@b.co","app_metadata":{"admin":true},"email_verified":true,"blocked":false,"user_id":"x","_id":"x","identities":[1],"created_at":1,"logins_count":7,"roles":["admin"],"phone_verified":true,"locale":"en"}`,
			`{"email":"a@b.co","email_verified":false,"name":"a@b.co","nickname":"a"` + pic + `}`, ""},
		{"sign-up with names and metadata", db, FromSignup, `{"email":"a@b.co","name":"A","user_metadata":{"k":"v"}}`, `{"email":"a@b.co","email_verified":false,"name":"A","nickname":"a","user_metadata":{"k":"v"}` + pic + `}`, ""},
		{"sign-up metadata: a number", db, FromSignup, `{"email":"a@b.co","user_metadata":{"n":1}}`, "", "invalid user_metadata.n type (only strings are allowed): invalid user_metadata.n type (only strings are allowed)"},
		{"sign-up metadata: no object", db, FromSignup, `{"email":"a@b.co","user_metadata":"x"}`, "", "invalid user_metadata type (expected object): invalid user_metadata type (expected object)"},
		{"sign-up metadata: null", db, FromSignup, `{"email":"a@b.co","user_metadata":null}`, "", "invalid user_metadata type (expected object): invalid user_metadata type (expected object)"},
		{"sign-up metadata: a dot", db, FromSignup, `{"email":"a@b.co","user_metadata":{"a.b":"x"}}`, "", "invalid user_metadata.a.b name (. and $ are not allowed): invalid user_metadata.a.b name (. and $ are not allowed)"},
		{"sign-up metadata: a long text", db, FromSignup, `{"email":"a@b.co","user_metadata":{"k":"` + strings.Repeat("é", 501) + `"}}`, "", "invalid user_metadata.k length (at most 500 characters are allowed): invalid user_metadata.k length (at most 500 characters are allowed)"},
		{"sign-up metadata: 500 characters", db, FromSignup, `{"email":"a@b.co","user_metadata":{"k":"` + strings.Repeat("é", 500) + `"}}`, `{"email":"a@b.co","email_verified":false,"name":"a@b.co","nickname":"a","user_metadata":{"k":"` + strings.Repeat("é", 500) + `"}` + pic + `}`, ""},
		{"sign-up metadata: eleven", db, FromSignup, `{"email":"a@b.co","user_metadata":{"a":"","b":"","c":"","d":"","e":"","f":"","g":"","h":"","i":"","j":"","k":""}}`, "", "invalid user_metadata (at most 10 properties are allowed): invalid user_metadata (at most 10 properties are allowed)"},
		{"sign-up with a bad name", db, FromSignup, `{"email":"a@b.co","name":""}`, "", "Payload validation error: 'String is too short (0 chars), minimum 1' on property name (Name of this user)."},

		// Identifiers.
		{"no e-mail", db, FromManagement, `{"name":"A"}`, "", missingEmail},
		{"no e-mail, import", db, FromImport, `{"name":"A"}`, "", missingEmail},
		{"no e-mail, sign-up", db, FromSignup, `{"name":"A"}`, "", ": missing email for Users connection"},
		{"no e-mail, passwordless", byEmail, FromManagement, `{"name":"A"}`, "", missingEmail},
		{"no phone number, sms", bySMS, FromManagement, `{"email":"a@b.co"}`, "", missingPhone},
		{"no phone number, required", needsPhone, FromManagement, `{"email":"a@b.co"}`, "", missingPhone},
		{"no username", needsName, FromManagement, `{"email":"a@b.co"}`, "", missingName},
		{"no username, sign-up", needsName, FromSignup, `{"email":"a@b.co"}`, "", ": missing username for Users connection with requires_username enabled"},
		{"no identifier at all", flexible, FromManagement, `{"name":"A"}`, "", missingEmail},
		{"username, connection without", db, FromManagement, `{"email":"a@b.co","username":"ada"}`, "", "invalid_body: Cannot set username for connection without requires_username."},
		{"username, passwordless", byEmail, FromManagement, `{"email":"a@b.co","username":"ada"}`, "", "invalid_body: Cannot set username for connection without requires_username."},
		{"username that is an e-mail address", dbNames, FromSignup, `{"email":"a@b.co","username":"b@c.de"}`, "", "Payload validation error: 'Object didn't pass validation for format username: b@c.de' on property username (The user's username. Only valid if the connection requires a username)."},
		{"phone number, connection without", db, FromManagement, `{"email":"a@b.co","phone_number":"+1"}`, "", withoutPhones},
		{"verified without an address", flexible, FromImport, `{"username":"ada","email_verified":true}`, "", "invalid_body: Cannot set email_verified for a user without email."},

		// Values, and members that are none.
		{"null", db, FromManagement, `{"email":"a@b.co","name":null}`, "", "Payload validation error: 'Expected type string but found type null' on property name (The user's full name)."},
		{"a phone number", bySMS, FromManagement, `{"phone_number":"4790"}`, "", `Payload validation error: 'String does not match pattern ^\+[0-9]{1,15}$: 4790' on property phone_number (The user's phone number (following the E.164 recommendation)).`},
		{"an unknown member", db, FromManagement, `{"email":"a@b.co","locale":"en","logins_count":1}`, "", "Payload validation error: 'Additional properties not allowed: locale,logins_count'."},
		{"an unknown member, import", db, FromImport, `{"email":"a@b.co","locale":"en"}`, "", "Payload validation error: 'Additional properties not allowed: locale'."},
		{"reserved metadata", db, FromImport, `{"email":"a@b.co","app_metadata":{"blocked":true}}`, "", "Payload validation error: 'Additional properties not allowed: blocked' on property app_metadata (User metadata to which this user has read-only access)."},

		// Not ours to create.
		{"social", google, FromManagement, `{"email":"a@b.co"}`, "", noConnection},
		{"enterprise", okta, FromImport, `{"email":"a@b.co"}`, "", noConnection},
		{"external database", external, FromSignup, `{"email":"a@b.co"}`, "", noConnection},
		{"no class", Connection{}, FromManagement, `{"email":"a@b.co"}`, "", noConnection},
	} {
		t.Run(row.about, func(t *testing.T) {
			p, err := Create(row.c, body(row.in), Source{Origin: row.by, Actor: "x", At: 5}, Defaults{NeutralPicture: neutral})
			if told(err) != row.refusal {
				t.Fatalf("refusal\n got %s\nwant %s", told(err), row.refusal)
			}
			if row.refusal != "" {
				same(t, p, `{}`)
				return
			}
			same(t, p, row.want)
			sent := body(row.in)
			for _, a := range p.All() {
				want := FromDefault
				for _, ch := range sent {
					if ch.Name == a.Name && Form(doorOf(row.by), a.Name) != nil {
						want = row.by
					}
				}
				if a.Source != (Source{Origin: want, Actor: "x", At: 5}) {
					t.Errorf("%s came from %v, want %s", a.Name, a.Source, want)
				}
			}
		})
	}
}

// The made-up attributes (reference/users.md §1.3, reference/connections.md §3.5).
func TestDefaults(t *testing.T) {
	for _, row := range []struct {
		about                   string
		has                     string
		name, nickname, picture string
	}{
		{"e-mail", `{"email":"ada@example.test"}`, "ada@example.test", "ada", adaGravatar + "ad.png"},
		{"e-mail as received", `{"email":"Ada@Example.test"}`, "Ada@Example.test", "Ada", adaGravatar + "ad.png"},
		{"a recorded local part", `{"email":"change.username.terra@example.test"}`, "change.username.terra@example.test", "change.username.terra", "=ch.png"},
		{"name of two words", `{"email":"ada@example.test","name":"John3 Doe"}`, "John3 Doe", "ada", adaGravatar + "jd.png"},
		{"name of three words", `{"email":"ada@example.test","name":"John van Doe"}`, "John van Doe", "ada", adaGravatar + "jd.png"},
		{"name of one word", `{"email":"ada@example.test","name":"Zoe"}`, "Zoe", "ada", adaGravatar + "zo.png"},
		{"second character no letter", `{"email":"j.doe@example.test"}`, "j.doe@example.test", "j.doe", "=j.png"},
		{"first character no letter", `{"email":"4u@example.test"}`, "4u@example.test", "4u", "=default.png"},
		{"letters without an image", `{"email":"ada@example.test","name":"Émile Zola"}`, "Émile Zola", "ada", adaGravatar + "default.png"},
		{"second word without one", `{"email":"ada@example.test","name":"Ada Ö"}`, "Ada Ö", "ada", adaGravatar + "a.png"},
		{"username", `{"username":"moto"}`, "moto", "moto", "https://cdn.auth0.com/avatars/mo.png"},
		{"phone number", `{"phone_number":"+47"}`, "+47", "+47", "https://cdn.auth0.com/avatars/default.png"},
		{"phone number before username", `{"phone_number":"+47","username":"moto"}`, "+47", "+47", "https://cdn.auth0.com/avatars/default.png"},
		{"nickname alone", `{"nickname":"moto"}`, "", "moto", "https://cdn.auth0.com/avatars/mo.png"},
		{"nothing", `{}`, "", "", "https://cdn.auth0.com/avatars/default.png"},
	} {
		p := draft{Profile: has(row.has, FromUpstream)}
		for _, name := range generated {
			if !p.Has(name) {
				p.set(name, Defaults{}.value(name, p.Profile, gravatar), Source{})
			}
		}
		got := p.Text(Picture)
		if strings.HasPrefix(row.picture, "=") {
			got = "=" + got[strings.LastIndex(got, "%2F")+3:]
		}
		if p.Text(Name) != row.name || p.Text(Nickname) != row.nickname || got != row.picture {
			t.Errorf("%s\n got %q %q %s\nwant %q %q %s", row.about, p.Text(Name), p.Text(Nickname), got, row.name, row.nickname, row.picture)
		}
	}
}

func TestPictureHosts(t *testing.T) {
	for by, host := range map[Origin]string{FromManagement: "https://s.gravatar.com/", FromSignup: "https://s.gravatar.com/", FromImport: "https://secure.gravatar.com/"} {
		p, err := Create(db, body(`{"email":"a@b.co"}`), Source{Origin: by}, Defaults{})
		if err != nil || !strings.HasPrefix(p.Text(Picture), host) {
			t.Errorf("%s: %s, %v", by, p.Text(Picture), err)
		}
	}
}

// What an external store is asked to make: what was given, as it was given.
func TestAsk(t *testing.T) {
	for _, row := range []struct {
		about   string
		c       Connection
		by      Origin
		in      string
		want    string
		refusal string
	}{
		{"as it came", scripted, FromManagement, `{"email":"Ada@Example.test","username":"Ada","given_name":"Ada"}`, `{"email":"Ada@Example.test","username":"Ada","given_name":"Ada"}`, ""},
		{
			"everything", scripted, FromManagement, `{"email":"a@b.co","email_verified":true,"phone_number":"+1","name":"N","blocked":true,"user_metadata":{"a":1,"b":null},"app_metadata":{"c":2}}`,
			`{"email":"a@b.co","email_verified":true,"phone_number":"+1","name":"N","blocked":true,"user_metadata":{"a":1},"app_metadata":{"c":2}}`, "",
		},
		{"sign-up with all that it must not", scripted, FromSignup, `{"email":"a@b.co","app_metadata":{"admin":true},"email_verified":true,"blocked":false,"roles":["admin"]}`, `{"email":"a@b.co"}`, ""},
		{"no e-mail, not verified", scripted, FromManagement, `{"username":"ada","email_verified":false}`, `{"username":"ada"}`, ""},
		{"no e-mail, verified", scripted, FromManagement, `{"username":"ada","email_verified":true}`, "", "invalid_body: Cannot set email_verified for a user without email."},
		{"nothing to sign in with", external, FromManagement, `{"name":"Ada"}`, "", missingEmail},
		{"a username that nobody has", external, FromManagement, `{"email":"a@b.co","username":"ada"}`, "", "invalid_body: Cannot set username for connection without requires_username."},
		{"a phone number that nobody has", external, FromManagement, `{"email":"a@b.co","phone_number":"+1"}`, "", withoutPhones},
		{"a username that is required", with(scripted, func(c *Connection) { c.Username.Required = true }), FromManagement, `{"email":"a@b.co"}`, "", missingName},
		{"sign-up metadata: a number", scripted, FromSignup, `{"email":"a@b.co","user_metadata":{"n":1}}`, "", "invalid user_metadata.n type (only strings are allowed): invalid user_metadata.n type (only strings are allowed)"},
		{"a database of ours", db, FromManagement, `{"email":"a@b.co"}`, "", noConnection},
		{"import mode", imported, FromManagement, `{"email":"a@b.co"}`, "", noConnection},
		{"social", google, FromManagement, `{"email":"a@b.co"}`, "", noConnection},
	} {
		p, err := Ask(row.c, body(row.in), Source{Origin: row.by})
		if got := told(err); got != row.refusal {
			t.Errorf("%s: %s", row.about, got)
		}
		if row.refusal == "" {
			same(t, p, row.want)
		}
	}
}

func TestGranted(t *testing.T) {
	for _, row := range []struct{ about, made, asked, want string }{
		{"nothing asked for", `{"name":"A"}`, `{"name":"B","email":"a@b.co"}`, `{"name":"A"}`},
		{"the store keeps none", `{"name":"A"}`, `{"user_metadata":{"a":1},"app_metadata":{"b":2},"blocked":true}`, `{"name":"A","user_metadata":{"a":1},"app_metadata":{"b":2},"blocked":true}`},
		{"its word first", `{"user_metadata":{"a":3,"c":4}}`, `{"user_metadata":{"a":1,"b":2}}`, `{"user_metadata":{"a":3,"b":2,"c":4}}`},
		{"blocked here", `{"blocked":false}`, `{"blocked":true}`, `{"blocked":true}`},
	} {
		same(t, Granted(has(row.made, FromScript), has(row.asked, FromManagement)), row.want)
	}
}
