package token

import (
	"errors"
	"testing"
)

func TestLinkSubject(t *testing.T) {
	const (
		issuer = "https://id.example.com/"
		client = "app"
		now    = 1_000
		rs256  = `{"alg":"RS256","typ":"JWT","kid":"k"}`
		good   = `{"iss":"https://id.example.com/","aud":"app","sub":"auth0|b","exp":1001}`
	)
	for _, tc := range []struct {
		name, header, payload, subject string
		want                           error
	}{
		{"good", rs256, good, "auth0|b", nil},
		{"a list of one audience", rs256, `{"iss":"https://id.example.com/","aud":["app"],"sub":"auth0|b","exp":1001}`, "auth0|b", nil},
		{"header is no object", `[]`, good, "", ErrLinkToken},
		{"payload is no object", rs256, `"x"`, "", ErrLinkToken},
		{"no algorithm", `{"alg":"none"}`, good, "", ErrLinkAlgorithm},
		{"another algorithm", `{"alg":"HS256"}`, good, "", ErrLinkAlgorithm},
		{"another spelling of it", `{"alg":"rs256"}`, good, "", ErrLinkAlgorithm},
		{"another issuer", rs256, `{"iss":"https://id.example.com","aud":"app","sub":"auth0|b","exp":1001}`, "", ErrLinkIssuer},
		{"no issuer", rs256, `{"aud":"app","sub":"auth0|b","exp":1001}`, "", ErrLinkIssuer},
		{"expired", rs256, `{"iss":"https://id.example.com/","aud":"app","sub":"auth0|b","exp":1000}`, "", ErrLinkToken},
		{"no end", rs256, `{"iss":"https://id.example.com/","aud":"app","sub":"auth0|b"}`, "", ErrLinkToken},
		{"audience of another type", rs256, `{"iss":"https://id.example.com/","aud":{"a":1},"sub":"auth0|b","exp":1001}`, "", ErrLinkNoAudience},
		{"no audience", rs256, `{"iss":"https://id.example.com/","sub":"auth0|b","exp":1001}`, "", ErrLinkNoAudience},
		{"audience of nobody", rs256, `{"iss":"https://id.example.com/","aud":[],"sub":"auth0|b","exp":1001}`, "", ErrLinkNoAudience},
		{"another client", rs256, `{"iss":"https://id.example.com/","aud":"other","sub":"auth0|b","exp":1001}`, "", ErrLinkAudience},
		{"more than the client", rs256, `{"iss":"https://id.example.com/","aud":["app","other"],"sub":"auth0|b","exp":1001}`, "", ErrLinkAudience},
		{"no subject", rs256, `{"iss":"https://id.example.com/","aud":"app","exp":1001}`, "", ErrLinkNoSubject},
		{"null subject", rs256, `{"iss":"https://id.example.com/","aud":"app","sub":null,"exp":1001}`, "", ErrLinkNoSubject},
		{"subject of another type", rs256, `{"iss":"https://id.example.com/","aud":"app","sub":1,"exp":1001}`, "", ErrLinkSubject},
		{"a machine", rs256, `{"iss":"https://id.example.com/","aud":"app","sub":"app@clients","exp":1001}`, "", ErrLinkSubject},
		{"a provider alone", rs256, `{"iss":"https://id.example.com/","aud":"app","sub":"auth0|","exp":1001}`, "", ErrLinkSubject},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := linkSubject([]byte(tc.header), []byte(tc.payload), issuer, client, now)
			if got != tc.subject || !errors.Is(err, tc.want) {
				t.Errorf("got %q, %v; want %q, %v", got, err, tc.subject, tc.want)
			}
		})
	}
}

// The law: who is named is named by the payload, and only for this issuer and client.
func FuzzLinkSubject(f *testing.F) {
	f.Add([]byte(`{"alg":"RS256"}`), []byte(`{"iss":"i","aud":"c","sub":"a|b","exp":9}`))
	f.Add([]byte(`{"alg":"none"}`), []byte(`{"iss":"i","aud":["c"],"sub":null,"exp":1e3}`))
	f.Fuzz(func(t *testing.T, header, payload []byte) {
		sub, err := linkSubject(header, payload, "i", "c", 5)
		if (sub == "") != (err != nil) {
			t.Fatalf("%q, %v", sub, err)
		}
		if err == nil {
			if _, err := linkSubject(header, payload, "j", "c", 5); err == nil {
				t.Fatal("of another issuer, too")
			}
			if _, err := linkSubject(header, payload, "i", "d", 5); err == nil {
				t.Fatal("for another client, too")
			}
		}
	})
}
