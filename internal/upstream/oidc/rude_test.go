package oidc

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/fakeidp"
	"mangrove/internal/upstream"
)

// Each way of being rude is refused; the polite twin before and after it is not.
func TestRudeProvider(t *testing.T) {
	rows := []struct {
		name        string
		mode        fakeidp.Mode
		at          []string
		back, front bool // in which flow it shows
		leaving     bool // it shows before the browser leaves
	}{
		{"wrong nonce", fakeidp.WrongNonce, nil, true, true, false},
		{"no nonce", fakeidp.NoNonce, nil, true, true, false},
		{"wrong issuer", fakeidp.WrongIssuer, nil, true, true, false},
		{"wrong audience", fakeidp.WrongAudience, nil, true, true, false},
		{"two audiences, no azp", fakeidp.ManyAudiences, nil, true, true, false},
		{"azp of another", fakeidp.WrongParty, nil, true, true, false},
		{"expired", fakeidp.Expired, nil, true, true, false},
		{"not yet valid", fakeidp.NotYet, nil, true, true, false},
		{"issued in the future", fakeidp.FutureIssue, nil, true, true, false},
		{"issued yesterday", fakeidp.StaleIssue, nil, true, true, false},
		{"no iat", fakeidp.NoIssue, nil, true, true, false},
		{"alg none", fakeidp.Unsigned, nil, true, true, false},
		{"HS256 with the public key", fakeidp.HMAC, nil, true, true, false},
		{"unknown key", fakeidp.OtherKey, nil, true, true, false},
		{"other key, same kid", fakeidp.ForgedKey, nil, true, true, false},
		{"key in the header", fakeidp.HeaderKey, nil, true, true, false},
		{"no sub", fakeidp.NoSubject, nil, true, true, false},
		{"empty sub", fakeidp.EmptySubject, nil, true, true, false},
		{"sub a number", fakeidp.NumberSubject, nil, true, true, false},
		{"two sub", fakeidp.DoubledClaim, nil, true, true, false},
		{"an encrypted token", fakeidp.Encrypted, nil, true, true, false},
		{"no id token", fakeidp.NoIDToken, nil, true, false, false},
		{"iss parameter of another", fakeidp.WrongIssParameter, nil, true, true, false},
		{"no iss parameter though announced", fakeidp.NoIssParameter, nil, true, true, false},
		{"discovery of another issuer", fakeidp.WrongDiscoveryIssuer, nil, true, true, true},
		{"huge discovery", fakeidp.Huge, []string{fakeidp.Discovery}, true, true, true},
		{"huge keys", fakeidp.Huge, []string{fakeidp.JWKS}, true, true, false},
		{"huge token answer", fakeidp.Huge, []string{fakeidp.Token}, true, false, false},
		{"discovery loops", fakeidp.RedirectLoop, []string{fakeidp.Discovery}, true, true, true},
		{"keys loop", fakeidp.RedirectLoop, []string{fakeidp.JWKS}, true, true, false},
		{"token endpoint loops", fakeidp.RedirectLoop, []string{fakeidp.Token}, true, false, false},
		{"token endpoint sends the secret on", fakeidp.RedirectAway, []string{fakeidp.Token}, true, false, false},
		{"discovery fails", fakeidp.ServerFailure, []string{fakeidp.Discovery}, true, true, true},
		{"keys fail", fakeidp.ServerFailure, []string{fakeidp.JWKS}, true, true, false},
		{"token endpoint fails", fakeidp.ServerFailure, []string{fakeidp.Token}, true, false, false},
		{"discovery is garbage", fakeidp.Garbage, []string{fakeidp.Discovery}, true, true, true},
		{"keys are garbage", fakeidp.Garbage, []string{fakeidp.JWKS}, true, true, false},
		{"token answer is garbage", fakeidp.Garbage, []string{fakeidp.Token}, true, false, false},
		{"members twice in discovery", fakeidp.Doubled, []string{fakeidp.Discovery}, true, true, true},
		{"members twice in keys", fakeidp.Doubled, []string{fakeidp.JWKS}, true, true, false},
		{"members twice in the token answer", fakeidp.Doubled, []string{fakeidp.Token}, true, false, false},
	}
	for _, row := range rows {
		for _, kind := range []string{"back_channel", "front_channel"} {
			if kind == "back_channel" && !row.back || kind == "front_channel" && !row.front {
				continue
			}
			t.Run(row.name+" "+kind, func(t *testing.T) {
				r := newRig(t, fakeidp.Options{})
				r.options["type"] = kind
				r.mustLogin()
				r.fresh()
				r.idp.Rude(row.mode, row.at...)
				tr, err := r.leave(upstream.Start{})
				var result upstream.Result
				if err == nil {
					if row.leaving {
						t.Fatal("the browser was sent there")
					}
					result, err = r.comeBack(tr)
				}
				checkRefusal(t, r, result, err)
				r.idp.Rude(fakeidp.Polite)
				r.fresh()
				r.mustLogin()
			})
		}
	}
}

func checkRefusal(t *testing.T, r *rig, result upstream.Result, err error) {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != "access_denied" || e.Cause == nil {
		t.Fatalf("got %v", err)
	}
	if result.Claims.Subject != "" || result.Tokens != nil {
		t.Errorf("a refused login gave %v", result)
	}
	for _, secret := range []string{"p@x.example", "Pia", "u-77", "s3cr", r.idp.Issuer()} {
		if strings.Contains(e.Text, secret) || strings.Contains(e.Cause.Error(), secret) && secret != r.idp.Issuer() {
			t.Errorf("the refusal tells %q: %v", secret, err)
		}
	}
}

func TestUserinfoOfSomebodyElse(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	r.options["attribute_map"] = map[string]any{
		"mapping_mode": "use_map", "userinfo_scope": "phone email",
		"attributes": map[string]any{"name": "${context.userinfo.name}", "dept": "${context.userinfo.dept}"},
	}
	for _, mode := range []fakeidp.Mode{fakeidp.OtherSubject, fakeidp.Garbage, fakeidp.Huge, fakeidp.ServerFailure, fakeidp.RedirectLoop} {
		r.idp.Rude(mode, fakeidp.Userinfo)
		result, err := r.login()
		checkRefusal(t, r, result, err)
	}
	r.idp.Rude(fakeidp.Polite)
	tr, err := r.leave(upstream.Start{})
	if err != nil {
		t.Fatal(err)
	}
	if got := tr.sent.Get("scope"); got != "openid profile email phone" {
		t.Errorf("scope %q", got)
	}
	result, err := r.comeBack(tr)
	if err != nil {
		t.Fatal(err)
	}
	if got := values(result.Claims.Attributes); len(got) != 2 || got["name"] != `"Pia Lind"` || got["dept"] != `"R&D"` {
		t.Errorf("attributes %v", got)
	}
}

// A provider that says nothing is given up with the caller.
func TestSilentProvider(t *testing.T) {
	for _, endpoint := range []string{fakeidp.Discovery, fakeidp.JWKS, fakeidp.Token} {
		seen := make(chan string, 16)
		r := newRig(t, fakeidp.Options{Seen: func(e string) { seen <- e }})
		r.idp.Rude(fakeidp.Silent, endpoint)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			tr := trip{c: r.connection(), start: upstream.Start{State: "s", Nonce: "nonce-1", CallbackURL: callbackURL}}
			away, err := r.connector.Depart(ctx, tr.c, tr.start)
			if err != nil {
				done <- err
				return
			}
			browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			resp, err := browser.Get(away.URL)
			if err != nil {
				done <- err
				return
			}
			_ = resp.Body.Close()
			back, err := resp.Location()
			if err != nil {
				done <- err
				return
			}
			_, err = r.connector.Callback(ctx, tr.c, tr.start, away.Pending, back.Query())
			done <- err
		}()
		for e := range seen {
			if e == endpoint {
				break
			}
		}
		cancel()
		if err := <-done; !errors.Is(err, errUnreachable.Because(nil)) {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}
