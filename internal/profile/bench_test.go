package profile

import "testing"

const fifteen = `{"app_metadata":{"plan":"full","roles":["a","b"]},"blocked":false,"email":"ada@example.test","email_verified":true,"family_name":"Lovelace","gender":"f","given_name":"Ada","groups":["a","b","c"],"hd":"example.test","locale":"en","name":"Ada Lovelace","nickname":"ada","picture":"https://a.example/p.png","upn":"ada","user_metadata":{"lang":"en"}}`

func BenchmarkEdit(b *testing.B) {
	p := has(fifteen, FromSignup)
	in := body(`{"nickname":"countess"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Edit(db, p, in, EditOptions{}, Source{Origin: FromManagement}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEditMetadata(b *testing.B) {
	p := has(fifteen, FromSignup)
	in := body(`{"user_metadata":{"theme":"dark"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Edit(db, p, in, EditOptions{}, Source{Origin: FromManagement}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEditRefused(b *testing.B) {
	p := has(fifteen, FromUpstream)
	in := body(`{"nickname":"countess"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Edit(google, p, in, EditOptions{}, Source{Origin: FromManagement}); err == nil {
			b.Fatal("edited")
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	in := body(`{"email":"ada@example.test","given_name":"Ada","family_name":"Lovelace","user_metadata":{"lang":"en"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Create(db, in, Source{Origin: FromImport}, Defaults{}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkLogin(b *testing.B, claims string, want Action) {
	p := has(fifteen, FromUpstream)
	cl := Claims{Subject: "1", Attributes: body(claims)}
	b.ReportAllocs()
	for b.Loop() {
		if o := Login(google, &p, cl, Source{Origin: FromUpstream}, Defaults{}); o.Action != want {
			b.Fatal(o.Changed)
		}
	}
}

const sentAgain = `"email":"ada@example.test","email_verified":true,"family_name":"Lovelace","gender":"f","given_name":"Ada","groups":["a","b","c"],"hd":"example.test","locale":"en","nickname":"ada","picture":"https://a.example/p.png","upn":"ada"}`

func BenchmarkLoginUnchanged(b *testing.B) {
	benchmarkLogin(b, `{"name":"Ada Lovelace",`+sentAgain, Unchanged)
}

func BenchmarkLoginUpdated(b *testing.B) {
	benchmarkLogin(b, `{"name":"Ada King",`+sentAgain, Updated)
}
