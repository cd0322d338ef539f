package op

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"mangrove/internal/store/storetest"
)

// roundTrip serves an HTTP client from the endpoints.
type roundTrip struct{ w *world }

func (r roundTrip) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	r.w.mux.ServeHTTP(rec, req)
	return rec.Result(), nil
}

// TestWholeFlow lets other people's libraries be the client.
func TestWholeFlow(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.session.AuthTime -= 5_000_000
	ctx := oidc.ClientContext(t.Context(), &http.Client{Transport: roundTrip{w}})
	provider, err := oidc.NewProvider(ctx, publicURL+"/")
	must(t, err)
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams, oauth2.AuthStyleAutoDetect} {
		endpoint := provider.Endpoint()
		endpoint.AuthStyle = style
		c := oauth2.Config{ClientID: webApp, ClientSecret: secret, Endpoint: endpoint, RedirectURL: webCB, Scopes: []string{"openid", "profile", "email", "offline_access"}}
		pkce := oauth2.GenerateVerifier()
		rec := w.send(t, "GET", strings.TrimPrefix(c.AuthCodeURL("st", oidc.Nonce("no"), oauth2.S256ChallengeOption(pkce), oauth2.SetAuthURLParam("max_age", "100")), publicURL), "")
		_, v := sentTo(rec)
		tok, err := c.Exchange(ctx, v.Get("code"), oauth2.VerifierOption(pkce))
		must(t, err)
		raw, _ := tok.Extra("id_token").(string)
		id, err := provider.Verifier(&oidc.Config{ClientID: webApp}).Verify(ctx, raw)
		must(t, err)
		var claims struct {
			Name     string `json:"name"`
			Email    string `json:"email"`
			Verified *bool  `json:"email_verified"`
			SID      string `json:"sid"`
			AuthTime int64  `json:"auth_time"`
		}
		must(t, id.Claims(&claims))
		if id.Subject != "auth0|ann" || id.Nonce != "no" || claims.Name != "Ann" || claims.Email != "ann@example.com" || claims.Verified == nil || *claims.Verified ||
			claims.SID != "sid-1" || claims.AuthTime != w.session.AuthTime/1_000_000 || id.VerifyAccessToken(tok.AccessToken) != nil {
			t.Errorf("ID token = %+v %+v", id, claims)
		}
		if tok.Extra("scope") != "openid profile email" || tok.RefreshToken != "" || id.Expiry.Sub(id.IssuedAt) != 10*time.Hour {
			t.Errorf("scope %v, refresh token %q, lives %v", tok.Extra("scope"), tok.RefreshToken, id.Expiry.Sub(id.IssuedAt))
		}
		info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(tok))
		must(t, err)
		if info.Subject != id.Subject || info.Email != "ann@example.com" {
			t.Errorf("userinfo = %+v", info)
		}
	}
	if !slices.Contains(strings.Fields(w.events.types()), "seacft") {
		t.Errorf("recorded %s", w.events.types())
	}
}

func TestCode(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	redeem := func(code string, pairs ...string) *httptest.ResponseRecorder {
		return w.post(t, form(append([]string{"grant_type", authorizationCode, "client_id", webApp, "client_secret", secret, "code", code}, pairs...)...))
	}
	is := func(rec *httptest.ResponseRecorder, status int, text string) {
		t.Helper()
		if rec.Code != status || !strings.Contains(rec.Body.String(), text) {
			t.Errorf("%d %s, want %d %s", rec.Code, rec.Body, status, text)
		}
	}
	base := []string{"client_id", webApp, "response_type", "code", "scope", "openid"}
	const invalid = `{"error":"invalid_grant","error_description":"Invalid authorization code"}`

	code := w.code(t, base...)
	is(redeem(code), 200, `"id_token"`)
	is(redeem(code), 403, invalid)

	code = w.code(t, append(base, "redirect_uri", webCB)...)
	is(redeem(code, "redirect_uri", webCB+"/"), 403, "The redirect URI is wrong. You sent https://app.example.test/cb/, and we expected https://app.example.test/cb")
	is(redeem(code, "redirect_uri", webCB), 403, invalid) // spent
	code = w.code(t, append(base, "redirect_uri", webCB)...)
	is(redeem(code, "redirect_uri", webCB), 200, `"access_token"`)

	code = w.code(t, append(base, "code_challenge", s256, "code_challenge_method", "S256")...)
	is(redeem(code, "code_verifier", strings.Repeat("x", 43)), 403, `{"error":"invalid_grant","error_description":"Failed to verify code verifier"}`)
	is(redeem(code, "code_verifier", verifier), 403, invalid) // spent
	code = w.code(t, append(base, "code_challenge", s256, "code_challenge_method", "S256")...)
	is(redeem(code, "code_verifier", verifier), 200, `"access_token"`)
	code = w.code(t, append(base, "code_challenge", s256, "code_challenge_method", "S256")...)
	is(redeem(code), 403, "Parameter 'code_verifier' is required")
	is(redeem(w.code(t, base...), "code_verifier", verifier), 403, "Failed to verify code verifier")

	spa := []string{"client_id", spaApp, "response_type", "code", "code_challenge", s256, "code_challenge_method", "S256", "audience", apiID, "scope", "openid write:a delete:a"}
	rec := w.post(t, form("grant_type", authorizationCode, "client_id", spaApp, "code", w.code(t, spa...), "code_verifier", verifier))
	is(rec, 200, `"scope":"openid write:a"`)
	if a := answer(t, rec); claimsOf(t, a["access_token"].(string))["azp"] != spaApp || a["expires_in"] != 600.0 || claimsOf(t, a["access_token"].(string))["gty"] != nil {
		t.Errorf("SPA: %v", a)
	}
	is(redeem(w.code(t, spa...), "code_verifier", verifier), 403, invalid) // another client's

	code = w.code(t, base...)
	w.at = w.at.Add(CodeLifetime - time.Second)
	is(redeem(code), 200, `"access_token"`)
	code = w.code(t, base...)
	w.at = w.at.Add(CodeLifetime)
	is(redeem(code), 403, invalid)

	code = w.code(t, base...)
	w.block(t)
	is(redeem(code), 403, `{"error":"unauthorized","error_description":"user is blocked"}`)
}

func TestCodeOfADeletedUser(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	code := w.code(t, "client_id", webApp, "response_type", "code")
	must(t, w.d.Users.Delete(t.Context(), w.ann.ID, userActor))
	rec := w.post(t, form("grant_type", authorizationCode, "client_id", webApp, "client_secret", secret, "code", code))
	if rec.Code != 403 || answer(t, rec)["error"] != "invalid_grant" {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestCodeRace(t *testing.T) {
	for _, engine := range storetest.Engines(t) {
		t.Run(engine, func(t *testing.T) {
			w := newWorldOn(t, engine)
			w.signIn()
			code := w.code(t, "client_id", webApp, "response_type", "code", "scope", "openid")
			body := form("grant_type", authorizationCode, "client_id", webApp, "client_secret", secret, "code", code)
			const racers = 50
			answers := make([]*httptest.ResponseRecorder, racers)
			var wg sync.WaitGroup
			for i := range racers {
				wg.Go(func() { answers[i] = w.post(t, body) })
			}
			wg.Wait()
			var opaque []string
			for _, rec := range answers {
				switch rec.Code {
				case 200:
					opaque = append(opaque, answer(t, rec)["access_token"].(string))
				case 403:
					if answer(t, rec)["error"] != "invalid_grant" {
						t.Errorf("%s", rec.Body)
					}
				default:
					t.Errorf("%d %s", rec.Code, rec.Body)
				}
			}
			if len(opaque) != 1 {
				t.Fatalf("%d of %d redeemed it", len(opaque), racers)
			}
			if rec := w.send(t, "GET", "/userinfo", "", "Authorization", "Bearer "+opaque[0]); rec.Code != 401 {
				t.Errorf("the token of a code that was used twice: %d", rec.Code)
			}
		})
	}
}
