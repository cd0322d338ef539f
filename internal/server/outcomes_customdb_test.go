package server_test

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"mangrove/internal/foreigndb/legacytest"
)

// externalStores are custom databases with an external store: one by a script, one by
// statements.
func externalStores(t *testing.T, _ *world) []real {
	postgres, mariadb := legacytest.StartPostgres(t), legacytest.StartMariaDB(t)
	const where = " FROM accounts WHERE login = "
	const columns = "SELECT user_id, password_hash, name, given_name, family_name, email, email_verified, city"
	script := `async function login(identifier, password, callback) {
		const { Client } = require('pg');
		const client = new Client(configuration.DATABASE_URL);
		await client.connect();
		const { rows } = await client.query("` + columns + where + `$1", [identifier]);
		await client.end();
		if (!rows.length) throw new WrongUsernameOrPasswordError(null);
		const { password_hash, ...profile } = rows[0];
		if (!await require('bcrypt').compare(password, password_hash)) throw new WrongUsernameOrPasswordError(profile.user_id);
		callback(null, profile);
	}`
	return []real{
		externalStore(t, "custom database, PostgreSQL, script", postgres, map[string]any{
			"customScripts": map[string]any{"login": script}, "configuration": map[string]any{"DATABASE_URL": postgres.URL(postgres.Password) + "?sslmode=disable"},
		}),
		externalStore(t, "custom database, MariaDB, statements", mariadb, map[string]any{
			"sql":           map[string]any{"url": strings.Replace(mariadb.URL("${DB_PASSWORD}"), "mysql:", "mariadb:", 1) + "?tls=false", "login": columns + where + ":identifier"},
			"configuration": map[string]any{"DB_PASSWORD": mariadb.Password},
		}),
	}
}

func externalStore(t *testing.T, name string, s *legacytest.Server, options map[string]any) real {
	t.Helper()
	const password = "the password of carol"
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	s.Do(t, `CREATE TABLE accounts (login VARCHAR(100) PRIMARY KEY, user_id VARCHAR(200), password_hash VARCHAR(100), name VARCHAR(100), given_name VARCHAR(100),
		family_name VARCHAR(100), email VARCHAR(100), email_verified BOOLEAN, city VARCHAR(100))`)
	s.Do(t, "INSERT INTO accounts (login, password_hash) VALUES ('carol@login.example', '"+string(hash)+"')")
	options["enabledDatabaseCustomization"] = true
	return real{
		name: name, strategy: "auth0", options: options, extra: "city",
		trust: func(connection string) {
			s.Do(t, "UPDATE accounts SET user_id = '"+connection+"|carol'")
		},
		say: func(person map[string]any) {
			var set []string
			for _, column := range []string{"name", "given_name", "family_name", "email", "email_verified", "city"} {
				value := "NULL"
				switch v := person[column].(type) {
				case string:
					value = "'" + v + "'"
				case bool:
					value = strconv.FormatBool(v)
				}
				set = append(set, fmt.Sprintf("%s = %s", column, value))
			}
			s.Do(t, "UPDATE accounts SET "+strings.Join(set, ", "))
		},
		signIn: func(a *application, connection string) (*signedIn, url.Values) {
			in, refused, page := a.signInByDirectory(connection, "carol@login.example", password)
			if page != "" {
				t.Fatalf("%s: stayed on a page: %.500s", connection, page)
			}
			return in, refused
		},
	}
}
