package social_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/social"
	"mangrove/internal/upstream/social/socialtest"
)

// refused checks that the login failed in one of the known ways and that the
// refusal tells nothing of the person.
func refused(t *testing.T, what string, r upstream.Result, err error) {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != "access_denied" || e.Cause == nil {
		t.Errorf("%s: got %v", what, err)
		return
	}
	if r.Claims.Subject != "" || r.Tokens != nil {
		t.Errorf("%s: a refused login gave %v", what, r)
	}
	for _, secret := range []string{"ada@x.example", "127.0.0.1", socialtest.ClientSecret, "access_token="} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the refusal tells %q: %v", what, secret, err)
		}
	}
}

// TestRude: every provider's double is rude in every way, at every endpoint.
func TestRude(t *testing.T) {
	for _, name := range socialtest.Cases(t) {
		t.Run(name, func(t *testing.T) {
			d := socialtest.Start(t, name)
			c := d.Connection(nil)
			k := redirect(t, d)
			polite := mustLogin(t, d, c)
			for _, mode := range []socialtest.Mode{socialtest.Garbage, socialtest.Loop, socialtest.Failure, socialtest.Refusal, socialtest.QuietError} {
				d.Rude(mode, "token")
				r, err := d.Login(t.Context(), t, k, c, upstream.Start{})
				refused(t, "token", r, err)
			}
			d.Rude(socialtest.Polite)
			if profileAt := lastEndpoint(t, d); profileAt != "" {
				for _, mode := range []socialtest.Mode{socialtest.Garbage, socialtest.Loop, socialtest.Failure, socialtest.Refusal, socialtest.QuietError, socialtest.NoID} {
					d.Rude(mode, profileAt)
					r, err := d.Login(t.Context(), t, k, c, upstream.Start{})
					refused(t, profileAt, r, err)
				}
			}
			d.Rude(socialtest.Polite)
			d.Rude(socialtest.NoID)
			r, err := d.Login(t.Context(), t, k, c, upstream.Start{})
			refused(t, "nobody", r, err)
			for _, mode := range []socialtest.Mode{socialtest.LongName, socialtest.ControlName} {
				d.Rude(mode)
				badName(t, d, mode, polite)
			}
		})
	}
}

// lastEndpoint is the endpoint that says who it is.
func lastEndpoint(t *testing.T, d *socialtest.Double) string {
	t.Helper()
	if d.Asked("profile") > 0 {
		return "profile"
	}
	return ""
}

// badName: the login goes on, and the name is dropped alone.
func badName(t *testing.T, d *socialtest.Double, mode socialtest.Mode, polite upstream.Result) {
	t.Helper()
	c := d.Connection(nil)
	_, known := firstLogin(t, c, polite)
	r, err := d.Login(t.Context(), t, redirect(t, d), c, upstream.Start{})
	if err != nil {
		t.Errorf("mode %d: %v", mode, err)
		return
	}
	out := signIn(c, profile.EachLogin, &known, r)
	if out.Action == profile.Refused {
		t.Errorf("mode %d: %v", mode, out.Refusal)
	}
	said := slices.ContainsFunc(polite.Claims.Attributes, func(ch profile.Change) bool { return ch.Name == profile.Name })
	if said && (!slices.ContainsFunc(out.Dropped, func(d profile.Dropped) bool { return d.Name == profile.Name }) || out.Profile.Text(profile.Name) != known.Text(profile.Name)) {
		t.Errorf("mode %d: dropped %v, name of %d bytes", mode, out.Dropped, len(out.Profile.Text(profile.Name)))
	}
}

// A token of a type that we do not understand is not used.
func TestTokenOfAnotherType(t *testing.T) {
	d := socialtest.Start(t, "github")
	d.Rude(socialtest.WrongType, "token")
	r, err := d.Login(t.Context(), t, redirect(t, d), d.Connection(nil), upstream.Start{})
	refused(t, "token type", r, err)
	if n := d.Asked("profile"); n != 0 {
		t.Errorf("it was shown %d times", n)
	}
}

func TestHugeAnswers(t *testing.T) {
	for _, endpoint := range []string{"token", "profile", "emails"} {
		d := socialtest.Start(t, "github")
		d.Rude(socialtest.Huge, endpoint)
		r, err := d.Login(t.Context(), t, redirect(t, d), d.Connection(nil), upstream.Start{})
		refused(t, endpoint, r, err)
	}
	d := socialtest.Start(t, "apple")
	d.Rude(socialtest.Huge, "jwks")
	r, err := d.Login(t.Context(), t, redirect(t, d), d.Connection(nil), upstream.Start{})
	refused(t, "jwks", r, err)
}

// A provider that says nothing is given up with the caller.
func TestSilentProvider(t *testing.T) {
	for _, endpoint := range []string{"token", "profile"} {
		d := socialtest.Start(t, "github")
		d.Rude(socialtest.Hang, endpoint)
		k, c := redirect(t, d), d.Connection(nil)
		s := upstream.Start{State: "s", Nonce: "n", CallbackURL: socialtest.CallbackURL}
		away, err := k.Depart(t.Context(), c, s)
		if err != nil {
			t.Fatal(err)
		}
		got := d.Visit(t, away.URL)
		ctx, cancel := context.WithCancel(t.Context())
		d.Seen(func(name string) {
			if name == endpoint {
				cancel()
			}
		})
		r, err := k.Callback(ctx, c, s, away.Pending, got)
		refused(t, endpoint, r, err)
		if !errors.Is(err, upstream.ErrUnreachable) {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestNoCode(t *testing.T) {
	d := socialtest.Start(t, "github")
	k, c := redirect(t, d), d.Connection(nil)
	s := upstream.Start{State: "s", CallbackURL: socialtest.CallbackURL}
	r, err := k.Callback(t.Context(), c, s, upstream.Pending{}, nil)
	refused(t, "no code", r, err)
	if d.Asked("token") != 0 {
		t.Error("the token endpoint was asked")
	}
}

func TestNotSetUp(t *testing.T) {
	d := socialtest.Start(t, "github")
	for _, further := range []string{
		`{"client_id":""}`, `{"endpoints":{"authorize":"javascript:alert(1)"}}`, `{"endpoints":{"authorize":"https://u:p@x.example/"}}`,
	} {
		o := options(t, further)
		_, err := redirect(t, d).Depart(t.Context(), d.Connection(o), upstream.Start{State: "s"})
		if !errors.Is(err, upstream.ErrConfig) {
			t.Errorf("%s: %v", further, err)
		}
	}
	c := d.Connection(nil)
	c.Strategy = "samlp"
	var k social.Connector
	if _, err := k.Depart(t.Context(), c, upstream.Start{}); !errors.Is(err, upstream.ErrConfig) {
		t.Errorf("another strategy: %v", err)
	}
}
