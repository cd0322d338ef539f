package oidc

import (
	"sync"
	"testing"
	"time"

	"mangrove/internal/fakeidp"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/fetched"
)

func TestKeyRotation(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	r.mustLogin()
	r.idp.RotateKey()
	if _, err := r.login(); err == nil {
		t.Error("the set was asked again within the minute")
	}
	r.pass(fetched.RefetchAfter)
	r.mustLogin()
	if n := r.idp.Count(fakeidp.JWKS); n != 2 {
		t.Errorf("%d requests for keys", n)
	}
}

func TestUnknownKeyAThousandTimes(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	r.options["type"] = "front_channel"
	r.mustLogin()
	r.idp.Rude(fakeidp.OtherKey)
	tr, err := r.leave(upstream.Start{})
	if err != nil {
		t.Fatal(err)
	}
	r.pass(fetched.RefetchAfter)
	for range 1000 {
		if _, err := r.comeBack(tr); err == nil {
			t.Fatal("accepted")
		}
	}
	if n := r.idp.Count(fakeidp.JWKS); n != 2 {
		t.Errorf("%d requests for keys", n)
	}
}

func TestWithdrawnKeyIsForgotten(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	r.options["type"] = "front_channel"
	tr, err := r.leave(upstream.Start{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.comeBack(tr); err != nil {
		t.Fatal(err)
	}
	r.idp.RotateKey()
	r.pass(fetched.KeysTTL - time.Minute) // the token itself lives an hour
	if _, err := r.comeBack(tr); err != nil {
		t.Errorf("before: %v", err)
	}
	r.pass(time.Minute)
	if _, err := r.comeBack(tr); err == nil {
		t.Error("after: accepted")
	}
}

func TestDiscoveryOnceForAll(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := r.connector.Depart(t.Context(), r.connection(), upstream.Start{State: "s", Nonce: "n", CallbackURL: callbackURL}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := r.idp.Count(fakeidp.Discovery); n != 1 {
		t.Errorf("%d requests for the document", n)
	}
	r.pass(discoveryTTL)
	r.mustLogin()
	if n := r.idp.Count(fakeidp.Discovery); n != 2 {
		t.Errorf("%d requests after an hour", n)
	}
}

// security.md 97: a provider that does not answer is not asked for every token with an
// unknown key, and who holds tokens with known ones need not wait for it.
func TestUnknownKeyWhileNobodyAnswers(t *testing.T) {
	r := newRig(t, fakeidp.Options{})
	r.options["type"] = "front_channel"
	r.mustLogin()
	r.idp.Rude(fakeidp.OtherKey)
	tr, err := r.leave(upstream.Start{})
	if err != nil {
		t.Fatal(err)
	}
	r.pass(fetched.RefetchAfter)
	r.idp.Rude(fakeidp.ServerFailure, fakeidp.JWKS)
	for range 100 {
		if _, err := r.comeBack(tr); err == nil {
			t.Fatal("accepted")
		}
	}
	if n := r.idp.Count(fakeidp.JWKS); n != 2 {
		t.Errorf("%d requests for keys", n)
	}
	r.idp.Rude(fakeidp.Polite)
	r.mustLogin()
}
