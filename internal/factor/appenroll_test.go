package factor_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/factor/factortest"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// A further factor needs the proof of one both when it begins and when it is
// confirmed.
func TestFurtherFactors(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	first, err := r.Associate(ctx, r.ann, factor.TOTP, "", false, by)
	must(t, err)
	is(t, "confirmed as it waits", r.ConfirmOTP(ctx, r.ann, r.otp(t, first.Factor.Detail.Secret), false, by), nil)
	_, err = r.Associate(ctx, r.ann, factor.Phone, "+15551239167", false, by)
	is(t, "another without proof", err, factor.ErrEnrolled)
	next, err := r.Associate(ctx, r.ann, factor.Phone, "+15551239167", true, by)
	must(t, err)
	if next.Recovery != "" {
		t.Error("another recovery code")
	}
	code := r.texts[len(r.texts)-1]
	_, err = r.ConfirmCode(ctx, r.ann, next.Secret, code, false, by)
	is(t, "confirmed without proof", err, factor.ErrWrong)
	_, err = r.CheckCode(ctx, r.ann, next.Secret, code, by)
	is(t, "shown as a factor that is there", err, factor.ErrWrong)
	kind, err := r.ConfirmCode(ctx, r.ann, next.Secret, code, true, by)
	if kind != factor.Phone || err != nil || r.kinds(t, r.ann) != "phone recovery-code totp" {
		t.Errorf("%s %v %s", kind, err, r.kinds(t, r.ann))
	}
	r.pass(time.Minute)
	is(t, "what is enrolled confirms nothing", r.ConfirmOTP(ctx, r.ann, r.otp(t, first.Factor.Detail.Secret), true, by), factor.ErrWrong)
}

// The code for one address proves no other, nor another kind.
func TestACodeBelongsToItsAddress(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	mine, other := factor.Enrolling(factor.Phone, "+15551239167"), factor.Enrolling(factor.Phone, "+15550000000")
	secret, err := r.SendCode(ctx, r.ann, mine, by)
	must(t, err)
	code := r.texts[len(r.texts)-1]
	for _, to := range []factor.Factor{other, factor.Enrolling(factor.Email, "+15551239167")} {
		_, err = r.EnrollCode(ctx, r.ann, to, secret, code, by)
		is(t, "another", err, factor.ErrWrong)
	}
	recovery, err := r.EnrollCode(ctx, r.ann, mine, secret, code, by)
	if err != nil || recovery == "" || r.kinds(t, r.ann) != "phone recovery-code" {
		t.Errorf("%q %v %s", recovery, err, r.kinds(t, r.ann))
	}
	_, err = r.EnrollCode(ctx, r.ann, mine, secret, code, by)
	is(t, "again", err, factor.ErrWrong)
}

// Text messages are counted before they are sent; whose number was typed just now
// is counted by the address, too.
func TestTextsAreCounted(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	var counted []string
	var refusal error
	r.CountSMS = func(_ context.Context, ip, phone string) error {
		counted = append(counted, ip+" "+phone)
		return refusal
	}
	_, err := r.SendCode(ctx, r.ann, factor.Enrolling(factor.Phone, "+15551239167"), by)
	must(t, err)
	known := factor.Factor{Device: "dev_a", Kind: factor.Phone, Confirmed: true, Detail: factor.Detail{Address: "+15550000000"}}
	_, err = r.SendCode(ctx, r.ann, known, by)
	must(t, err)
	_, err = r.SendCode(ctx, r.ann, factor.Enrolling(factor.Email, "a@example.com"), by)
	must(t, err)
	if want := []string{"203.0.113.7 +15551239167", " +15550000000"}; !slices.Equal(counted, want) {
		t.Errorf("%q", counted)
	}
	refusal = errs.New(errs.TooMany, "too_many_requests", "Too many.")
	sent := len(r.texts)
	_, err = r.SendCode(ctx, r.ann, known, by)
	is(t, "over the ceiling", err, factor.ErrLimited)
	if len(r.texts) != sent {
		t.Error("it was sent all the same")
	}
}

func TestTicketForAPhone(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	secret, _, err := r.NewTicket(ctx, r.ann, factor.TicketRequest{Kind: factor.Phone}, audit.Event{Type: audit.APIOperation})
	must(t, err)
	k, _, err := r.Ticket(ctx, secret)
	must(t, err)
	_, err = r.RedeemPhone(ctx, k, r.ann, "123456", by)
	is(t, "before a number was typed", err, factor.ErrWrong)
	k, err = r.SendTicketCode(ctx, k, r.ann, "+15551239167", by)
	must(t, err)
	stored, _, err := r.Ticket(ctx, secret)
	if err != nil || stored != k || stored.Phone != "+15551239167" {
		t.Errorf("%+v %v", stored, err)
	}
	stolen := stored
	stolen.Phone = "+15550000000"
	_, err = r.RedeemPhone(ctx, stolen, r.ann, r.texts[0], by)
	is(t, "for another number", err, factor.ErrWrong)
	recovery, err := r.RedeemPhone(ctx, stored, r.ann, r.texts[0], by)
	if err != nil || recovery == "" || r.kinds(t, r.ann) != "phone recovery-code" {
		t.Errorf("%q %v %s", recovery, err, r.kinds(t, r.ann))
	}
	_, _, err = r.Ticket(ctx, secret)
	is(t, "again", err, factor.ErrTicket)
}

func TestAppPasskeys(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	key := &factortest.Authenticator{Origin: publicURL, RPID: "id.example.test", Count: 1}
	secret, options, err := r.AppSignUp(ctx, factor.PasskeySession{ClientID: "app", ConnectionID: "con_0000000000000001", New: json.RawMessage(`{}`), Name: "cat@example.com"})
	must(t, err)
	_, err = r.TakeSession(ctx, secret, "other")
	is(t, "another application's", err, factor.ErrNone)
	p, err := r.TakeSession(ctx, secret, "app")
	must(t, err)
	_, err = r.TakeSession(ctx, secret, "app")
	is(t, "twice", err, factor.ErrNone)
	made, err := key.Create(options)
	must(t, err)
	_, err = r.NewPasskey(p, "{}", by)
	is(t, "no credential", err, factor.ErrWrong)
	foreign := p
	foreign.Handle = ""
	_, err = r.NewPasskey(foreign, made, by)
	is(t, "another handle", err, factor.ErrWrong)
	save, err := r.NewPasskey(p, made, by)
	must(t, err)
	u := &user.User{
		ID: "auth0|cat", Identities: []user.Identity{{Provider: "auth0", Connection: "users", ConnectionID: "con_0000000000000001", UserID: "cat", Subject: "cat"}},
	}
	u.Profile.Set(profile.Email, profile.Text("cat@example.com"), profile.Source{Origin: profile.FromSignup})
	must(t, save(ctx, u, user.Effect{}))

	answer := func(origins ...string) (*user.User, error) {
		t.Helper()
		secret, options, err := r.AppChallenge(ctx, factor.PasskeySession{ClientID: "app", ConnectionID: "con_0000000000000001"})
		must(t, err)
		p, err := r.TakeSession(ctx, secret, "app")
		must(t, err)
		shown, err := key.Get(options)
		must(t, err)
		return r.CheckPasskey(ctx, p.Session, shown, by, origins...)
	}
	got, err := answer()
	if err != nil || got.ID != u.ID {
		t.Errorf("%v %v", got, err)
	}
	key.Origin = "https://app.id.example.test"
	_, err = answer()
	is(t, "another origin", err, factor.ErrWrong)
	if got, err = answer("https://app.id.example.test"); err != nil || got.ID != u.ID {
		t.Errorf("an origin that may: %v %v", got, err)
	}
}
