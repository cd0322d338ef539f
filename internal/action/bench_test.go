package action_test

import (
	"testing"

	"mangrove/internal/customdb"
	"mangrove/internal/parttest"
)

// One sign-in by a script that answers at once: what the sandbox costs.
func BenchmarkActionLogin(b *testing.B) {
	r := runner()
	c := scripted(b, customdb.Login, `function login(email, password, callback) { callback(null, {user_id: '42', email, email_verified: true}) }`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Run(b.Context(), c, calls[0]); err != nil {
			b.Fatal(err)
		}
	}
}

// The same with the password hash that a real one compares, of bcrypt's usual cost.
func BenchmarkActionLoginBcrypt(b *testing.B) {
	r := runner()
	c := scripted(b, customdb.Login, `function login(email, password, callback) {
		require('bcrypt').compare(password, '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy', (err) => callback(err, {user_id: '42', email}));
	}`)
	for b.Loop() {
		if _, err := r.Run(b.Context(), c, calls[0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkActionLoginParallel(b *testing.B) {
	r := runner()
	c := scripted(b, customdb.Login, `function login(email, password, callback) { callback(null, {user_id: '42', email, email_verified: true}) }`)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.Run(b.Context(), c, calls[0]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The same with one query by the module pg: a new session each time, as scripts do it.
func BenchmarkActionLoginPg(b *testing.B) {
	r := runner()
	c := legacy(b, map[string]any{"customScripts": map[string]string{string(customdb.Login): `async function login(email, password, callback) {
		const { Client } = require('pg');
		const client = new Client({ connectionString: configuration.DATABASE_URL });
		await client.connect();
		const { rows } = await client.query('SELECT 42 AS id, $1::text AS email', [email]);
		await client.end();
		callback(null, { user_id: rows[0].id, email: rows[0].email });
	}`}}, map[string]string{"DATABASE_URL": parttest.Need(b, "PostgreSQL", "MANGROVE_TEST_POSTGRES")})
	for b.Loop() {
		if _, err := r.Run(b.Context(), c, calls[0]); err != nil {
			b.Fatal(err)
		}
	}
}
