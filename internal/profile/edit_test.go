package profile

import (
	"strings"
	"testing"
)

const (
	ada         = `{"email":"ada@example.test","email_verified":true,"name":"Ada","nickname":"ada"}`
	notUpdated  = "operation_not_supported: The following user attributes cannot be updated: "
	notRemoved  = "operation_not_supported: The following user attributes cannot be removed: "
	howToSync   = " must either be a database connection (using the Auth0 store), a passwordless connection (email or sms) or has disabled 'Sync user profile attributes at each login'. For more information, see https://auth0.com/docs/dashboard/guides/connections/configure-connection-sync"
	howToRemove = " should have disabled 'Sync user profile attributes at each login' (see <a href='https://auth0.com/docs/users/configure-connection-sync-with-auth0'>Configuring Connection Sync with Auth0</a>) or defined these attributes in 'options.non_persistent_attrs' array (see <a href='https://auth0.com/docs/security/denylist-user-attributes'>Add User Attributes to DenyList</a>)."
)

// Who may edit what: a row is a connection, a user, a body, and what comes out
// of it: the profile after it, or the refusal.
func TestEdit(t *testing.T) {
	password := EditOptions{Password: true}
	secondary := EditOptions{Secondary: true}
	off := func(c *Connection) { c.Disabled = true }
	verifies := func(c *Connection) { c.ScriptVerifiesEmail = true }
	unproved := strings.Replace(ada, "true", "false", 1)

	for _, row := range []struct {
		about   string
		c       Connection
		has     string
		patch   string
		o       EditOptions
		want    string // the profile after it
		refusal string
	}{
		// The five, user of ours: one by one, at any time.
		{"database user", db, ada, `{"name":"Ada L","picture":"https://a.example/p.png"}`, EditOptions{}, `{"email":"ada@example.test","email_verified":true,"name":"Ada L","nickname":"ada","picture":"https://a.example/p.png"}`, ""},
		{"import-mode user", imported, ada, `{"given_name":"A"}`, EditOptions{}, `{"email":"ada@example.test","email_verified":true,"given_name":"A","name":"Ada","nickname":"ada"}`, ""},
		{"passwordless e-mail user", byEmail, ada, `{"family_name":"L"}`, EditOptions{}, `{"email":"ada@example.test","email_verified":true,"family_name":"L","name":"Ada","nickname":"ada"}`, ""},
		{"passwordless sms user", bySMS, `{"phone_number":"+1","phone_verified":true}`, `{"nickname":"n"}`, EditOptions{}, `{"nickname":"n","phone_number":"+1","phone_verified":true}`, ""},
		{"a sync mode on a connection of ours means nothing", mode(db, EachLogin), `{"email":"a@b.co"}`, `{"name":"A"}`, EditOptions{}, `{"email":"a@b.co","name":"A"}`, ""},
		{"null removes, and nothing is made up", db, ada, `{"name":null,"nickname":null}`, EditOptions{}, `{"email":"ada@example.test","email_verified":true}`, ""},
		{"null of what is not there", db, ada, `{"picture":null}`, EditOptions{}, ada, ""},

		// The five, user of an upstream.
		{"social, by default", google, `{"name":"Ada"}`, `{"name":"B"}`, EditOptions{}, "", notUpdated + "name. The connection (google-oauth2)" + howToSync},
		{"all five, always listed in one order", google, `{"name":"Ada"}`, `{"picture":"https://a.example/","name":"B","given_name":"g","nickname":"n","family_name":"f"}`, EditOptions{}, "", notUpdated + "family_name, given_name, name, nickname, picture. The connection (google-oauth2)" + howToSync},
		{"the value that is there already", google, `{"name":"Ada"}`, `{"name":"Ada"}`, EditOptions{}, "", notUpdated + "name. The connection (google-oauth2)" + howToSync},
		{"null", google, `{"name":"Ada"}`, `{"name":null}`, EditOptions{}, "", notUpdated + "name. The connection (google-oauth2)" + howToSync},
		{"as a whole: metadata in the same body", google, `{"name":"Ada"}`, `{"user_metadata":{"a":1},"name":"B"}`, EditOptions{}, "", notUpdated + "name. The connection (google-oauth2)" + howToSync},
		{"enterprise, by default", okta, `{}`, `{"nickname":"n"}`, EditOptions{}, "", notUpdated + "nickname. The connection (corp)" + howToSync},
		{"external database, by default", external, `{}`, `{"nickname":"n"}`, EditOptions{}, "", notUpdated + "nickname. The connection (Legacy)" + howToSync},
		{"on each login, said aloud", mode(okta, EachLogin), `{}`, `{"name":"n"}`, EditOptions{}, "", notUpdated + "name. The connection (corp)" + howToSync},
		{"social, on first login only", mode(google, FirstLogin), `{"name":"Ada"}`, `{"name":"B"}`, EditOptions{}, `{"name":"B"}`, ""},
		{"enterprise, never on login", mode(okta, NeverLogin), `{"name":"Ada"}`, `{"name":"B","given_name":"G"}`, EditOptions{}, `{"given_name":"G","name":"B"}`, ""},
		{"external database, on first login only", mode(external, FirstLogin), `{"name":"Ada"}`, `{"name":null}`, EditOptions{}, `{}`, ""},
		{
			"one attribute freed", with(google, func(c *Connection) { c.SyncOf = map[string]Sync{Nickname: FirstLogin} }), `{"name":"Ada"}`,
			`{"nickname":"n"}`, EditOptions{}, `{"name":"Ada","nickname":"n"}`, "",
		},
		{
			"one attribute freed, another not", with(google, func(c *Connection) { c.SyncOf = map[string]Sync{Nickname: FirstLogin} }), `{"name":"Ada"}`,
			`{"nickname":"n","name":"B"}`, EditOptions{}, "", notUpdated + "name. The connection (google-oauth2)" + howToSync,
		},
		{
			"one attribute synced", with(mode(google, FirstLogin), func(c *Connection) { c.SyncOf = map[string]Sync{Picture: EachLogin} }), `{}`,
			`{"picture":"https://a.example/"}`, EditOptions{}, "", notUpdated + "picture. The connection (google-oauth2)" + howToSync,
		},

		// Metadata and blocked: of everybody, always.
		{"social: metadata and blocked", google, `{"name":"Ada"}`, `{"user_metadata":{"a":1},"app_metadata":{"b":2},"blocked":true}`, EditOptions{}, `{"name":"Ada","user_metadata":{"a":1},"app_metadata":{"b":2},"blocked":true}`, ""},
		{"enterprise: blocked", okta, `{"blocked":true}`, `{"blocked":false}`, EditOptions{}, `{"blocked":false}`, ""},
		{"metadata is merged at the first level", db, `{"email":"a@b.co","user_metadata":{"a":{"x":1},"b":2}}`, `{"user_metadata":{"a":{"y":1},"b":null,"c":null,"d":3}}`, EditOptions{}, `{"email":"a@b.co","user_metadata":{"a":{"y":1},"d":3}}`, ""},
		{"{} clears: one is shown empty, the other is gone", db, `{"email":"a@b.co","user_metadata":{"a":1},"app_metadata":{"a":1}}`, `{"user_metadata":{},"app_metadata":{}}`, EditOptions{}, `{"email":"a@b.co","user_metadata":{}}`, ""},
		{"metadata keeps its digits", db, `{"email":"a@b.co"}`, `{"user_metadata":{"n":12345678901234567890.100}}`, EditOptions{}, `{"email":"a@b.co","user_metadata":{"n":12345678901234567890.100}}`, ""},
		{"__proto__ is data", db, `{"email":"a@b.co"}`, `{"app_metadata":{"__proto__":{"a":1},"constructor":2}}`, EditOptions{}, `{"email":"a@b.co","app_metadata":{"__proto__":{"a":1},"constructor":2}}`, ""},
		{"a reserved key", db, `{"email":"a@b.co"}`, `{"app_metadata":{"user_id":1,"ok":1,"email":"x"}}`, EditOptions{}, "", "Payload validation error: 'Additional properties not allowed: user_id,email' on property app_metadata (User metadata to which this user has read-only access)."},
		{"the same key in user_metadata", db, `{"email":"a@b.co"}`, `{"user_metadata":{"user_id":1}}`, EditOptions{}, `{"email":"a@b.co","user_metadata":{"user_id":1}}`, ""},
		{"a key with a dot, deep down", db, `{"email":"a@b.co"}`, `{"user_metadata":{"a":[{"b.c":1}]}}`, EditOptions{}, "", "Payload validation error: 'Property names must not contain '.' or '$': b.c' on property user_metadata (User metadata to which this user has read/write access)."},
		{"a key with a dollar, in disguise", db, `{"email":"a@b.co"}`, `{"app_metadata":{"\u0024set":1}}`, EditOptions{}, "", "Payload validation error: 'Property names must not contain '.' or '$': $set' on property app_metadata (User metadata to which this user has read-only access)."},
		{"a value with both", db, `{"email":"a@b.co"}`, `{"user_metadata":{"price":"$ 1.50"}}`, EditOptions{}, `{"email":"a@b.co","user_metadata":{"price":"$ 1.50"}}`, ""},
		{"metadata null", db, ada, `{"user_metadata":null}`, EditOptions{}, "", "Payload validation error: 'Expected type object but found type null' on property user_metadata (User metadata to which this user has read/write access)."},
		{"metadata an array", db, ada, `{"user_metadata":[]}`, EditOptions{}, "", "Payload validation error: 'Expected type object but found type array' on property user_metadata (User metadata to which this user has read/write access)."},

		// E-mail.
		{"a new e-mail is not verified", db, ada, `{"email":"New@Example.Test"}`, EditOptions{}, `{"email":"new@example.test","email_verified":false,"name":"Ada","nickname":"ada"}`, ""},
		{"unless it is said to be", db, ada, `{"email_verified":true,"email":"new@example.test"}`, EditOptions{}, `{"email":"new@example.test","email_verified":true,"name":"Ada","nickname":"ada"}`, ""},
		{"the same e-mail in other letters", db, ada, `{"email":"ADA@example.test"}`, EditOptions{}, ada, ""},
		{"passwordless e-mail user", byEmail, ada, `{"email":"b@example.test"}`, EditOptions{}, `{"email":"b@example.test","email_verified":false,"name":"Ada","nickname":"ada"}`, ""},
		{"sms user", bySMS, `{"phone_number":"+1"}`, `{"email":"b@example.test"}`, EditOptions{}, "", "operation_not_supported: Cannot update email for non-database user."},
		{"social user", mode(google, FirstLogin), ada, `{"email":"b@example.test"}`, EditOptions{}, "", "operation_not_supported: Cannot update email for non-database user."},
		{"enterprise user", okta, ada, `{"email":"b@example.test"}`, EditOptions{}, "", "operation_not_supported: Cannot update email for non-database user."},
		{"external user", external, ada, `{"email":"b@example.test"}`, EditOptions{}, "", "operation_not_supported: change_email script does not exist"},
		{"external user, by script, as written", with(external, func(c *Connection) { c.ScriptChangesEmail = true }), ada, `{"email":"B@example.test"}`, EditOptions{}, `{"email":"B@example.test","email_verified":false,"name":"Ada","nickname":"ada"}`, ""},
		{"required e-mail by null", db, ada, `{"email":null}`, EditOptions{}, "", notRemoved + "email. Users of the connection (Users) sign in with them."},
		{"passwordless e-mail by null", byEmail, ada, `{"email":null}`, EditOptions{}, "", notRemoved + "email. Users of the connection (email) sign in with them."},
		{"optional e-mail by null: the proof goes too", flexible, `{"email":"a@b.co","email_verified":true,"username":"ada"}`, `{"email":null}`, EditOptions{}, `{"username":"ada"}`, ""},
		{"the last identifier by null", flexible, `{"email":"a@b.co","email_verified":true}`, `{"email":null}`, EditOptions{}, "", notRemoved + "email. Users of the connection (Users) sign in with them."},
		{"no e-mail, verified", flexible, `{"username":"ada"}`, `{"email_verified":true}`, EditOptions{}, "", "invalid_body: Cannot set email_verified for a user without email."},
		{"no e-mail, not verified", flexible, `{"username":"ada"}`, `{"email_verified":false}`, EditOptions{}, `{"username":"ada"}`, ""},
		{"disabled connection", with(db, off), ada, `{"email":"b@example.test"}`, EditOptions{}, "", "operation_not_supported: Cannot change email or password for users in a disabled connection."},
		{"disabled connection, password", with(db, off), ada, `{}`, password, "", "operation_not_supported: Cannot change email or password for users in a disabled connection."},
		{"disabled connection, name", with(db, off), ada, `{"nickname":null}`, EditOptions{}, `{"email":"ada@example.test","email_verified":true,"name":"Ada"}`, ""},

		// Verification.
		{"verified by hand", db, `{"email":"a@b.co","email_verified":false}`, `{"email_verified":true}`, EditOptions{}, `{"email":"a@b.co","email_verified":true}`, ""},
		{"social user, even when synced", google, `{"email":"a@b.co","email_verified":false}`, `{"email_verified":true}`, EditOptions{}, `{"email":"a@b.co","email_verified":true}`, ""},
		{"enterprise user", mode(okta, FirstLogin), ada, `{"email_verified":false}`, EditOptions{}, "", "operation_not_supported: Email verification is not supported for enterprise users."},
		{"sms user", bySMS, `{"phone_number":"+1"}`, `{"email_verified":true}`, EditOptions{}, "", "operation_not_supported: Email verification is not supported for passwordless sms users."},
		{"external user", external, ada, `{"email_verified":false}`, EditOptions{}, "", "operation_not_supported: change_email script does not exist"},
		{"external user, proved", external, unproved, `{"email_verified":true}`, EditOptions{}, "", "operation_not_supported: change_email script does not exist"},
		{"external user, proved, by verify", with(external, verifies), unproved, `{"email_verified":true}`, EditOptions{}, ada, ""},
		{"external user, no longer proved, by verify", with(external, verifies), ada, `{"email_verified":false}`, EditOptions{}, "", "operation_not_supported: change_email script does not exist"},
		{"external user, another address, by verify", with(external, verifies), ada, `{"email":"b@example.test","email_verified":true}`, EditOptions{}, "", "operation_not_supported: change_email script does not exist"},
		{"not nullable", db, ada, `{"email_verified":null}`, EditOptions{}, "", "Payload validation error: 'Expected type boolean but found type null' on property email_verified (Whether this email address is verified (true) or unverified (false). If set to false the user will not receive a verification email unless `verify_email` is set to true)."},
		{"text is no boolean", db, ada, `{"email_verified":"true"}`, EditOptions{}, "", "Payload validation error: 'Expected type boolean but found type string' on property email_verified (Whether this email address is verified (true) or unverified (false). If set to false the user will not receive a verification email unless `verify_email` is set to true)."},

		// Phone numbers.
		{"sms user", bySMS, `{"phone_number":"+1","phone_verified":true}`, `{"phone_number":"+2"}`, EditOptions{}, `{"phone_number":"+2","phone_verified":false}`, ""},
		{"sms user by null", bySMS, `{"phone_number":"+1"}`, `{"phone_number":null}`, EditOptions{}, "", notRemoved + "phone_number. Users of the connection (sms) sign in with them."},
		{"flexible identifiers", flexible, `{"email":"a@b.co"}`, `{"phone_number":"+2","phone_verified":true}`, EditOptions{}, `{"email":"a@b.co","phone_number":"+2","phone_verified":true}`, ""},
		{"plain database", db, ada, `{"phone_number":"+2"}`, EditOptions{}, "", "operation_not_supported: Cannot set phone_number for connection without phone numbers."},
		{"social user", google, ada, `{"phone_verified":true}`, EditOptions{}, "", "operation_not_supported: Cannot set phone_number for connection without phone numbers."},

		// Usernames.
		{"in lower case; the nickname stays", dbNames, `{"email":"a@b.co","nickname":"a"}`, `{"username":"Ada"}`, EditOptions{}, `{"email":"a@b.co","nickname":"a","username":"ada"}`, ""},
		{"a connection without", db, ada, `{"username":"ada"}`, EditOptions{}, "", "invalid_body: Cannot set username for connection without requires_username."},
		{"social user", google, ada, `{"username":"ada"}`, EditOptions{}, "", "invalid_body: Cannot set username for connection without requires_username."},
		{"16 characters, by default 15", dbNames, `{"email":"a@b.co"}`, `{"username":"abcdefghijklmnop"}`, EditOptions{}, "", "Payload validation error: 'String is too long (16 chars), maximum 15' on property username (The user's username. Only valid if the connection requires a username)."},
		{"the connection's bounds", flexible, `{"email":"a@b.co"}`, `{"username":"ab"}`, EditOptions{}, "", "Payload validation error: 'String is too short (2 chars), minimum 3' on property username (The user's username. Only valid if the connection requires a username)."},
		{"looks like an e-mail address", dbNames, `{"email":"a@b.co"}`, `{"username":"x@y.zz"}`, EditOptions{}, "", "Payload validation error: 'Object didn't pass validation for format username: x@y.zz' on property username (The user's username. Only valid if the connection requires a username)."},
		{"looks like a phone number", dbNames, `{"email":"a@b.co"}`, `{"username":"+12"}`, EditOptions{}, "", "Payload validation error: 'Object didn't pass validation for format username: +12' on property username (The user's username. Only valid if the connection requires a username)."},
		{"may look like both", flexible, `{"email":"a@b.co"}`, `{"username":"x@y.zz"}`, EditOptions{}, `{"email":"a@b.co","username":"x@y.zz"}`, ""},
		{"characters", dbNames, `{"email":"a@b.co"}`, `{"username":"a b"}`, EditOptions{}, "", "Payload validation error: 'String does not match pattern ^[a-zA-Z0-9_+\\-.!#\\$\\^`~@']*$: a b' on property username (The user's username. Only valid if the connection requires a username)."},
		{"optional, by null", dbNames, `{"email":"a@b.co","username":"ada"}`, `{"username":null}`, EditOptions{}, `{"email":"a@b.co"}`, ""},
		{
			"required, by null", with(dbNames, func(c *Connection) { c.Username.Required = true }), `{"email":"a@b.co","username":"ada"}`,
			`{"username":null}`, EditOptions{}, "", notRemoved + "username. Users of the connection (Users) sign in with them.",
		},

		// What one request cannot do.
		{"password and e-mail", db, ada, `{"email":"b@c.de"}`, password, "", "invalid_body: Cannot update password and email simultaneously"},
		{"password and email_verified", db, ada, `{"email_verified":true}`, password, "", "invalid_body: Cannot update password and email_verified simultaneously"},
		{"username and e-mail", dbNames, ada, `{"email":"b@c.de","username":"b"}`, EditOptions{}, "", "invalid_body: Cannot update username and email simultaneously"},
		{"username and email_verified", dbNames, ada, `{"username":"b","email_verified":true}`, EditOptions{}, "", "invalid_body: Cannot update username and email_verified simultaneously"},
		{"username and password", dbNames, ada, `{"username":"b"}`, password, "", "invalid_body: Cannot update username and password simultaneously"},
		{"password and name", db, `{"email":"a@b.co"}`, `{"name":"A"}`, password, `{"email":"a@b.co","name":"A"}`, ""},
		{"password of a social user", google, ada, `{}`, password, "", "operation_not_supported: Cannot update password for non-database user."},
		{"password of a passwordless user", byEmail, ada, `{}`, password, "", "operation_not_supported: Cannot update password for non-database user."},
		{"password of an external user", external, ada, `{}`, password, ada, ""},

		// An external user, by script: one thing at a time, and nothing is removed.
		{"external user: username", scripted, ada, `{"username":"Bea"}`, EditOptions{}, `{"email":"ada@example.test","email_verified":true,"name":"Ada","nickname":"ada","username":"Bea"}`, ""},
		{"external user: username, without the script", with(scripted, func(c *Connection) { c.ScriptChangesUsername = false }), ada, `{"username":"bea"}`, EditOptions{}, "", "operation_not_supported: change_username script does not exist"},
		{"external user: username, a connection without", external, ada, `{"username":"bea"}`, EditOptions{}, "", "invalid_body: Cannot set username for connection without requires_username."},
		{"external user: a long username", scripted, ada, `{"username":"abcdefghijklmnop"}`, EditOptions{}, "", "Payload validation error: 'String is too long (16 chars), maximum 15' on property username (The user's username. Only valid if the connection requires a username)."},
		{"external user: phone number", scripted, `{"email":"a@b.co","phone_number":"+1","phone_verified":true}`, `{"phone_number":"+2"}`, EditOptions{}, `{"email":"a@b.co","phone_number":"+2","phone_verified":false}`, ""},
		{"external user: phone number, without the script", with(scripted, func(c *Connection) { c.ScriptChangesPhone = false }), ada, `{"phone_number":"+2"}`, EditOptions{}, "", "operation_not_supported: change_phone_number script does not exist"},
		{"external user: phone number, a connection without", external, ada, `{"phone_number":"+2"}`, EditOptions{}, "", "operation_not_supported: Cannot set phone_number for connection without phone numbers."},
		{"external user: phone_verified", scripted, `{"email":"a@b.co","phone_number":"+1"}`, `{"phone_verified":true}`, EditOptions{}, "", "operation_not_supported: Phone verification is not supported for users of a custom database with import mode disabled."},
		{"external user: e-mail by null", scripted, `{"email":"a@b.co","username":"ada"}`, `{"email":null}`, EditOptions{}, "", notRemoved + "email. Users of the connection (Legacy) sign in with them."},
		{"external user: username by null", scripted, `{"email":"a@b.co","username":"ada"}`, `{"username":null}`, EditOptions{}, "", notRemoved + "username. Users of the connection (Legacy) sign in with them."},
		{"external user: phone number by null", scripted, `{"email":"a@b.co","phone_number":"+1"}`, `{"phone_number":null}`, EditOptions{}, "", notRemoved + "phone_number. Users of the connection (Legacy) sign in with them."},
		{"external user: phone number and e-mail", scripted, ada, `{"email":"b@c.de","phone_number":"+2"}`, EditOptions{}, "", "invalid_body: Cannot update phone_number and email simultaneously"},
		{"external user: phone number and email_verified", scripted, ada, `{"email_verified":true,"phone_number":"+2"}`, EditOptions{}, "", "invalid_body: Cannot update phone_number and email_verified simultaneously"},
		{"external user: phone number and username", scripted, ada, `{"username":"b","phone_number":"+2"}`, EditOptions{}, "", "invalid_body: Cannot update phone_number and username simultaneously"},
		{"external user: phone number and password", scripted, ada, `{"phone_number":"+2"}`, password, "", "invalid_body: Cannot update phone_number and password simultaneously"},
		{"of ours both can be changed", flexible, `{"email":"a@b.co"}`, `{"email":"b@c.de","phone_number":"+2"}`, EditOptions{}, `{"email":"b@c.de","email_verified":false,"phone_number":"+2","phone_verified":false}`, ""},

		// A secondary identity is named.
		{"secondary: names", db, ada, `{"name":"B","family_name":null}`, secondary, "", notUpdated + "family_name, name. The specified connection belongs to a secondary identity."},
		{"secondary: metadata, blocked, other names", db, ada, `{"user_metadata":{},"blocked":true,"locale":null}`, secondary, "", notUpdated + "blocked, locale, user_metadata. The specified connection belongs to a secondary identity."},
		{"secondary: e-mail", db, ada, `{"email":"b@c.de"}`, secondary, `{"email":"b@c.de","email_verified":false,"name":"Ada","nickname":"ada"}`, ""},
		{"secondary: email_verified of a social one", google, ada, `{"email_verified":false}`, secondary, `{"email":"ada@example.test","email_verified":false,"name":"Ada","nickname":"ada"}`, ""},

		// Names that are not in the table.
		{"a fetched profile sent back", google, ada, `{"user_id":"google-oauth2|1","identities":[],"name":"Ada","created_at":"x","locale":"en"}`, EditOptions{}, "", `Payload validation error: 'Additional properties not allowed: user_id,identities,created_at,locale (consider storing them in app_metadata or user_metadata. See "Users Metadata" in https://auth0.com/docs/api/v2/changes for more details)'.`},
		{"the server's own, by null", mode(google, FirstLogin), ada, `{"logins_count":null,"user_id":null}`, EditOptions{}, "", `Payload validation error: 'Additional properties not allowed: logins_count,user_id (consider storing them in app_metadata or user_metadata. See "Users Metadata" in https://auth0.com/docs/api/v2/changes for more details)'.`},
		{"null, user of ours", db, ada, `{"locale":null,"foo":null}`, EditOptions{}, "", notRemoved + "foo, locale. The connection (Users) must either be a custom database connection with import mode disabled, a social or enterprise connection."},
		{"null, synced", google, `{"locale":"en"}`, `{"locale":null,"foo":null}`, EditOptions{}, "", notRemoved + "foo, locale. The connection (google-oauth2)" + howToRemove},
		{"null, not synced", mode(google, FirstLogin), `{"locale":"en","name":"A"}`, `{"locale":null,"foo":null}`, EditOptions{}, `{"name":"A"}`, ""},
		{"null, synced but on the deny list", with(google, func(c *Connection) { c.NonPersistent = []string{"locale"} }), `{"locale":"en","name":"A"}`, `{"locale":null}`, EditOptions{}, `{"name":"A"}`, ""},
		{"null, only this one not synced", with(google, func(c *Connection) { c.SyncOf = map[string]Sync{"locale": NeverLogin} }), `{"locale":"en"}`, `{"locale":null}`, EditOptions{}, `{}`, ""},

		// Values.
		{"name of 301", db, ada, `{"name":"` + strings.Repeat("x", 301) + `"}`, EditOptions{}, "", "Payload validation error: 'String is too long (301 chars), maximum 300' on property name (Name of this user)."},
		{"given name of 151", db, ada, `{"given_name":"` + strings.Repeat("x", 151) + `"}`, EditOptions{}, "", "Payload validation error: 'String is too long (151 chars), maximum 150' on property given_name (Given name/first name/forename of this user)."},
		{"empty nickname", db, ada, `{"nickname":""}`, EditOptions{}, "", "Payload validation error: 'String is too short (0 chars), minimum 1' on property nickname (Preferred nickname or alias of this user)."},
		{"a script for a picture", db, ada, `{"picture":"javascript:alert(1)"}`, EditOptions{}, "", "Payload validation error: 'Object didn't pass validation for format strict-uri: javascript:alert(1)' on property picture (URL to picture, photo, or avatar of this user)."},
		{"a number for a name", db, ada, `{"name":1}`, EditOptions{}, "", "Payload validation error: 'Expected type string,null but found type integer' on property name (Name of this user)."},
		{"blocked by 1", db, ada, `{"user_metadata":{"a":1},"blocked":1}`, EditOptions{}, "", "Payload validation error: 'Expected type boolean but found type integer' on property blocked (Whether this user was blocked by an administrator (true) or not (false))."},
		{"twice", db, ada, `{"name":"A","name":"B"}`, EditOptions{}, "", "Payload validation error: 'Property is defined twice' on property name (Name of this user)."},
		{"nothing", db, ada, `{}`, EditOptions{}, ada, ""},
	} {
		t.Run(row.about+"/"+row.c.Name, func(t *testing.T) {
			before := has(row.has, FromUpstream)
			got, changed, err := Edit(row.c, before, body(row.patch), row.o, Source{Origin: FromManagement, At: 2})
			if told(err) != row.refusal {
				t.Fatalf("refusal\n got %s\nwant %s", told(err), row.refusal)
			}
			if row.refusal != "" {
				same(t, got, row.has)
				return
			}
			same(t, got, row.want)
			same(t, before, row.has)
			if g, w := strings.Join(changed, " "), strings.Join(Diff(before, got), " "); g != w {
				t.Errorf("changed %s, differ %s", g, w)
			}
			for _, a := range got.All() {
				if old, ok := before.Get(a.Name); ok && equal(old.Value, a.Value) != (old.Source == a.Source) {
					t.Errorf("%s: value and source do not go together: %v", a.Name, a.Source)
				}
			}
		})
	}
}

func TestEndsSessions(t *testing.T) {
	for _, row := range []struct {
		before, patch string
		want          bool
	}{
		{ada, `{"email":"b@example.test"}`, true},
		{ada, `{"email":"ADA@example.test"}`, false},
		{ada, `{"email_verified":true}`, false},
		{ada, `{"email_verified":false}`, true},
		{`{"email":"a@b.co","email_verified":false}`, `{"email_verified":true}`, false},
		{ada, `{"username":"ada"}`, true},
		{ada, `{"phone_number":"+1"}`, true},
		{`{"email":"a@b.co","phone_number":"+1"}`, `{"phone_number":"+1"}`, false},
		{`{"email":"a@b.co","phone_number":"+1"}`, `{"phone_number":null}`, true},
		{ada, `{"name":"B","user_metadata":{"a":1},"blocked":true}`, false},
	} {
		p, changed, err := Edit(flexible, has(row.before, FromSignup), body(row.patch), EditOptions{}, Source{Origin: FromManagement})
		if err != nil || EndsSessions(p, changed) != row.want {
			t.Errorf("%s on %s: ends sessions %v (%v), want %v", row.patch, row.before, EndsSessions(p, changed), err, row.want)
		}
	}
}

func TestVerify(t *testing.T) {
	before := has(`{"email":"a@b.co","email_verified":false,"phone_number":"+1","phone_verified":true}`, FromSignup)
	for _, row := range []struct {
		address, sent string
		want          bool
	}{
		{Email, "a@b.co", true},
		{Email, "old@b.co", false},
		{Email, "", false},
		{PhoneNumber, "+1", false}, // is verified already
		{Name, "a@b.co", false},
	} {
		p, changed := Verify(before, row.address, row.sent, Source{Origin: FromSignup})
		if changed != row.want || p.True(EmailVerified) != row.want {
			t.Errorf("%s %q: changed %v, profile %s", row.address, row.sent, changed, shown(p))
		}
	}
}
