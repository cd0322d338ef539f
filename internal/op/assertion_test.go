package op

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/store/storetest"
)

var assertionKeys = sync.OnceValue(func() (keys [2]*rsa.PrivateKey) {
	for i := range keys {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = k
	}
	return keys
})

const (
	rightKey = 0
	wrongKey = 1
	keyID    = "kid-0123456789"
	keyApp   = "keyapp00000000000000000000000000" // authenticates by key
	issuer   = publicURL + "/"
)

// credential is what the server knows of the right key.
func credential(tb testing.TB, alg string) *client.Credential {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(&assertionKeys()[rightKey].PublicKey)
	must(tb, err)
	return &client.Credential{ID: "cred_1111111111111111111111", ClientID: keyApp, KID: keyID, Alg: alg, Public: der}
}

// claims of a good assertion, with some replaced; nil leaves one out.
func assertionClaims(at time.Time, other map[string]any) map[string]any {
	m := map[string]any{"iss": keyApp, "sub": keyApp, "aud": issuer, "iat": at.Unix(), "exp": at.Unix() + 60, "jti": rand.Text()}
	maps.Copy(m, other)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

// sign makes a JWS with one of the keys; headers replace those of a good one.
func sign(tb testing.TB, alg string, key int, claims map[string]any, headers map[string]any) string {
	tb.Helper()
	h := map[string]any{"alg": alg, "typ": "JWT", "kid": keyID}
	maps.Copy(h, headers)
	maps.DeleteFunc(h, func(_ string, v any) bool { return v == nil })
	encode := func(v any) string {
		b, err := json.Marshal(v)
		must(tb, err)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	input := encode(h) + "." + encode(claims)
	private := assertionKeys()[key]
	var signature []byte
	var err error
	switch alg {
	case "RS384":
		sum := sha512.Sum384([]byte(input))
		signature, err = rsa.SignPKCS1v15(nil, private, crypto.SHA384, sum[:])
	case "PS256":
		sum := sha256.Sum256([]byte(input))
		signature, err = rsa.SignPSS(rand.Reader, private, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	default:
		sum := sha256.Sum256([]byte(input))
		signature, err = rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum[:])
	}
	must(tb, err)
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestAssertionSignatures(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	for _, row := range []struct {
		name       string
		alg, known string
		key        int
		headers    map[string]any
		form, ok   bool
	}{
		{"RS256", "RS256", "RS256", rightKey, nil, true, true},
		{"RS384", "RS384", "RS384", rightKey, nil, true, true},
		{"PS256", "PS256", "PS256", rightKey, nil, true, true},
		{"no kid", "RS256", "RS256", rightKey, map[string]any{"kid": nil}, true, true},
		{"another kid", "RS256", "RS256", rightKey, map[string]any{"kid": "kid-9876543210"}, true, false},
		{"another algorithm than the credential's", "RS256", "PS256", rightKey, nil, true, false},
		{"another key", "RS256", "RS256", wrongKey, nil, true, false},
		{"named PS256, signed RS256", "RS256", "PS256", rightKey, map[string]any{"alg": "PS256"}, true, false},
		{"none", "RS256", "RS256", rightKey, map[string]any{"alg": "none"}, false, false},
		{"HS256", "RS256", "RS256", rightKey, map[string]any{"alg": "HS256"}, false, false},
		{"RS512", "RS256", "RS256", rightKey, map[string]any{"alg": "RS512"}, false, false},
		{"critical", "RS256", "RS256", rightKey, map[string]any{"crit": []string{"exp"}}, false, false},
		{"a key of its own", "RS256", "RS256", wrongKey, map[string]any{"jwk": map[string]any{"kty": "RSA"}, "x5u": "https://evil.test"}, true, false},
	} {
		a, form := parseAssertion(sign(t, row.alg, row.key, assertionClaims(at, nil), row.headers))
		if form != row.form || form && a.signedBy(credential(t, row.known)) != row.ok {
			t.Errorf("%s: form %v", row.name, form)
		}
	}
}

func TestAssertionClaims(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	now := at.Unix()
	for _, row := range []struct {
		name   string
		claims map[string]any
		form   bool
		want   string // the beginning of what is said; empty: fine
	}{
		{"good", nil, true, ""},
		{"one audience in a list", map[string]any{"aud": []string{issuer}}, true, ""},
		{"no iat", map[string]any{"iat": nil}, true, ""},
		{"five minutes and the skew", map[string]any{"exp": now + 310}, true, ""},
		{"fractions", map[string]any{"exp": float64(now) + 1.5, "iat": float64(now) - 0.5}, true, ""},
		{"a clock that is ahead", map[string]any{"iat": now + 10, "nbf": now + 10}, true, ""},
		{"64 characters of jti", map[string]any{"jti": strings.Repeat("é", 64)}, true, ""},

		{"too far", map[string]any{"exp": now + 311}, true, "The exp claim"},
		{"expired", map[string]any{"exp": now}, true, "The client assertion has expired."},
		{"no exp", map[string]any{"exp": nil}, true, "The client assertion has expired."},
		{"exp as text", map[string]any{"exp": "1800000060"}, false, ""},
		{"iat ahead", map[string]any{"iat": now + 11}, true, "The iat claim"},
		{"nbf ahead", map[string]any{"nbf": now + 11}, true, "The nbf claim"},
		{"no jti", map[string]any{"jti": nil}, true, "The jti claim"},
		{"jti as a number", map[string]any{"jti": 1}, true, "The jti claim"},
		{"65 characters of jti", map[string]any{"jti": strings.Repeat("x", 65)}, true, "The jti claim"},
		{"no audience", map[string]any{"aud": nil}, true, "The aud claim"},
		{"without the slash", map[string]any{"aud": publicURL}, true, "The aud claim"},
		{"the token endpoint", map[string]any{"aud": publicURL + "/oauth/token"}, true, "The aud claim"},
		{"another host", map[string]any{"aud": "https://evil.test/"}, true, "The aud claim"},
		{"two audiences", map[string]any{"aud": []string{issuer, "https://evil.test/"}}, true, "The aud claim"},
		{"an audience and a number", map[string]any{"aud": []any{issuer, 5}}, true, "The aud claim"},
		{"another issuer", map[string]any{"iss": webApp}, false, ""},
		{"no subject", map[string]any{"sub": nil, "iss": nil}, false, ""},
		{"too long", map[string]any{"x": strings.Repeat("x", 1400)}, false, ""},
	} {
		a, form := parseAssertion(sign(t, "RS256", rightKey, assertionClaims(at, row.claims), nil))
		if form != row.form {
			t.Errorf("%s: form %v", row.name, form)
			continue
		}
		if form {
			if got := a.problem(issuer, at); !strings.HasPrefix(got, row.want) || (got == "") != (row.want == "") {
				t.Errorf("%s: %q", row.name, got)
			}
		}
	}
}

// Law: what has the form is one spelling of three parts, whose bytes are signed
// as they came, by a known algorithm, and names one client as issuer and subject.
func FuzzParseAssertion(f *testing.F) {
	at := time.Unix(1_800_000_000, 0)
	good := sign(f, "RS256", rightKey, assertionClaims(at, nil), nil)
	for _, s := range []string{good, good + "=", "a.b.c", "..", strings.Replace(good, ".", "..", 1), good[:len(good)-3]} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := parseAssertion(s)
		if !ok {
			return
		}
		if string(a.input)+"."+base64.RawURLEncoding.EncodeToString(a.signature) != s {
			t.Errorf("%q has another spelling", s)
		}
		if a.issuer == "" || a.issuer != a.subject || strings.IndexByte(a.subject, 0) >= 0 || !strings.Contains("RS256 RS384 PS256", a.alg) || len(s) > maxAssertion {
			t.Errorf("%+v", a)
		}
		a.problem(issuer, at)
	})
}

// withKeyApp adds a client that authenticates by key, and gives what it sends
// beside the assertion.
func withKeyApp(tb testing.TB, w *world) {
	tb.Helper()
	k := credential(tb, "RS256")
	k.CreatedAt = w.at.UnixMicro()
	must(tb, w.store.CreateClient(tb.Context(), &client.Client{
		ID: keyApp, Secret: secret, Name: keyApp, Version: 1, CreatedAt: w.at.UnixMicro(), UpdatedAt: w.at.UnixMicro(),
		Doc:         json.RawMessage(`{"grant_types":["client_credentials"],"is_first_party":true,"client_authentication_methods":{"private_key_jwt":{"credentials":[{"id":"` + k.ID + `"}]}}}`),
		Credentials: []client.Credential{*k},
	}, audit.Event{Type: audit.APIOperation, At: w.at.UnixMicro()}))
}

func withAssertion(text string, more ...string) string {
	return form(append([]string{"grant_type", clientCredentials, "audience", apiID, "client_assertion_type", assertionType, "client_assertion", text}, more...)...)
}

// security.md 65 and 68. An accepted assertion of a client without a grant ends at
// the grant: 403 is the proof of having come in.
func TestPrivateKeyJWT(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			w := newWorldOn(t, engine)
			withKeyApp(t, w)
			signed := func(claims, headers map[string]any) string {
				return sign(t, "RS256", rightKey, assertionClaims(w.at, claims), headers)
			}
			const (
				in      = "access_denied"
				unknown = `{"error":"invalid_client","error_description":"The client assertion is not valid."}`
			)
			stranger := assertionClaims(w.at, map[string]any{"iss": "nobody", "sub": "nobody"})
			other := assertionClaims(w.at, map[string]any{"iss": machine, "sub": machine})
			for _, row := range []struct {
				name, body, header string
				status             int
				want               string
			}{
				{"good", withAssertion(signed(nil, nil)), "", 403, in},
				{"good, with the client's id", withAssertion(signed(nil, nil), "client_id", keyApp), "", 403, in},
				{"good, as JSON", `{"grant_type":"client_credentials","audience":"` + apiID + `","client_assertion_type":"` + assertionType + `","client_assertion":"` + signed(nil, nil) + `"}`, "", 403, in},
				{"another client's id", withAssertion(signed(nil, nil), "client_id", machine), "", 401, unknown},
				{"another key", withAssertion(sign(t, "RS256", wrongKey, assertionClaims(w.at, nil), nil)), "", 401, unknown},
				{"nobody", withAssertion(sign(t, "RS256", rightKey, stranger, nil)), "", 401, unknown},
				{"another client's assertion", withAssertion(sign(t, "RS256", rightKey, other, nil)), "", 401, unknown},
				{"alg none", withAssertion(signed(nil, map[string]any{"alg": "none"})), "", 401, unknown},
				{"HS256", withAssertion(signed(nil, map[string]any{"alg": "HS256"})), "", 401, unknown},
				{"no type", form("grant_type", clientCredentials, "client_assertion", signed(nil, nil)), "", 401, unknown},
				{"no assertion", form("grant_type", clientCredentials, "client_id", keyApp, "client_secret", secret, "client_assertion_type", assertionType), "", 401, unknown},
				{"with a secret", withAssertion(signed(nil, nil), "client_secret", secret), "", 401, unknown},
				{"with a header", withAssertion(signed(nil, nil)), basic(keyApp + ":" + secret), 401, unknown},
				{"a secret instead", form("grant_type", clientCredentials, "client_id", keyApp, "client_secret", secret), "", 401, `"access_denied"`},
				{"nothing instead", form("grant_type", clientCredentials, "client_id", keyApp), "", 401, `"access_denied"`},
				{"expired", withAssertion(signed(map[string]any{"exp": w.at.Unix()}, nil)), "", 401, "has expired"},
				{"six minutes", withAssertion(signed(map[string]any{"exp": w.at.Unix() + 360}, nil)), "", 401, "more than 5 minutes ahead"},
				{"another host", withAssertion(signed(map[string]any{"aud": "https://evil.test/"}, nil)), "", 401, "The aud claim"},
				{"nonsense", withAssertion("a.b.c"), "", 401, unknown},
			} {
				t.Run(row.name, func(t *testing.T) {
					var headers []string
					if row.header != "" {
						headers = []string{"Authorization", row.header}
					}
					rec := w.post(t, row.body, headers...)
					if rec.Code != row.status || !strings.Contains(rec.Body.String(), row.want) || rec.Header().Get("Cache-Control") != "no-store" {
						t.Errorf("%d %s", rec.Code, rec.Body)
					}
				})
			}
			if kinds := w.events.types(); strings.Count(kinds, audit.ClientGrantNo) != 19 {
				t.Errorf("records: %s", kinds)
			}
		})
	}
}

// Of any number of requests with one assertion, at whatever instance, one comes
// in; and none later.
func TestAssertionsAreUsedOnce(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			w := newWorldOn(t, engine)
			withKeyApp(t, w)
			second := New(w.d)
			body := withAssertion(sign(t, "RS256", rightKey, assertionClaims(w.at, nil), nil))
			var wg sync.WaitGroup
			var mu sync.Mutex
			codes := map[int]int{}
			for i := range 10 {
				wg.Go(func() {
					var status int
					if i%2 == 0 {
						status = w.post(t, body).Code
					} else {
						p := map[string]string{"client_assertion_type": assertionType}
						p["client_assertion"] = strings.TrimPrefix(body[strings.Index(body, "client_assertion="):], "client_assertion=")
						r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, publicURL, nil)
						if err != nil {
							t.Error(err)
							return
						}
						if _, _, err = second.authenticate(t.Context(), nil, r, p); err == nil {
							status = http.StatusForbidden
						}
					}
					mu.Lock()
					codes[status]++
					mu.Unlock()
				})
			}
			wg.Wait()
			if codes[http.StatusForbidden] != 1 {
				t.Errorf("came in: %v", codes)
			}
			must(t, w.store.Sweep(t.Context(), w.at.Add(6*time.Minute).UnixMicro()))
			if rec := w.post(t, body); rec.Code != 401 || !strings.Contains(rec.Body.String(), "already used") {
				t.Errorf("later: %d %s", rec.Code, rec.Body)
			}
		})
	}
}

// A key counts as long as it is there, has not ended, and the client names it.
func TestRevokedCredentials(t *testing.T) {
	by := audit.Event{}
	for name, revoke := range map[string]func(t *testing.T, w *world){
		"deleted": func(t *testing.T, w *world) {
			must(t, w.store.DeleteCredential(t.Context(), keyApp, credential(t, "RS256").ID, by))
		},
		"ended": func(t *testing.T, w *world) {
			_, err := w.store.UpdateCredential(t.Context(), keyApp, credential(t, "RS256").ID, func(c *client.Credential) error {
				c.ExpiresAt = w.at.UnixMicro()
				return nil
			}, by)
			must(t, err)
		},
		"not named": func(t *testing.T, w *world) {
			w.setClient(t, keyApp, "client_authentication_methods", `{"private_key_jwt":{"credentials":[]}}`)
		},
		"another method": func(t *testing.T, w *world) {
			w.setClient(t, keyApp, "token_endpoint_auth_method", `"client_secret_post"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			withKeyApp(t, w)
			attempt := func() int {
				return w.post(t, withAssertion(sign(t, "RS256", rightKey, assertionClaims(w.at, nil), nil))).Code
			}
			if got := attempt(); got != 403 {
				t.Fatalf("before: %d", got)
			}
			revoke(t, w)
			if got := attempt(); got != 401 {
				t.Errorf("after: %d", got)
			}
		})
	}
}

// The grant without a realm signs in to the connection of that name.
func TestDefaultDirectory(t *testing.T) {
	w := newWorld(t)
	body := form("grant_type", password, "client_id", webApp, "client_secret", secret, "username", "ann@example.com", "password", secretPW)
	for _, row := range []struct {
		directory string
		status    int
		want      string
	}{
		{"", 500, `{"error":"server_error","error_description":"Authorization server not configured with default connection."}`},
		{"Users", 200, `"access_token"`},
		{"people", 400, "unknown or invalid realm"}, // a realm, no name
		{"google", 400, "unknown or invalid realm"},
		{"Elsewhere", 400, "the connection was disabled"},
		{"gone", 400, "unknown or invalid realm"},
	} {
		w.setTenant(t, fmt.Sprintf(`{"default_directory":%q}`, row.directory))
		if rec := w.post(t, body); rec.Code != row.status || !strings.Contains(rec.Body.String(), row.want) {
			t.Errorf("%q: %d %s", row.directory, rec.Code, rec.Body)
		}
		grants := answer(t, w.send(t, "GET", "/.well-known/openid-configuration", ""))["grant_types_supported"]
		if announced := strings.Contains(fmt.Sprint(grants), " password"); announced != (row.directory != "") {
			t.Errorf("%q: discovery says %v", row.directory, grants)
		}
	}
}

// remove_alg_from_jwks takes alg out of the document, and nothing else.
func TestJWKSWithoutAlg(t *testing.T) {
	w := newWorld(t)
	before := w.send(t, "GET", "/.well-known/jwks.json", "").Body.String()
	w.setTenant(t, `{"flags":{"remove_alg_from_jwks":true}}`)
	after := w.send(t, "GET", "/.well-known/jwks.json", "").Body.String()
	if !strings.Contains(before, `"alg":"RS256",`) || after != strings.ReplaceAll(before, `"alg":"RS256",`, "") {
		t.Errorf("%s\n%s", before, after)
	}
}
