package wsfed

import (
	"errors"
	"testing"
	"time"

	"mangrove/internal/upstream"
)

// One field at a time (security.md 101).
func TestCheck(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	right := func() (token, facts) {
		return token{
			Statement: upstream.Statement{Issuer: "urn:idp", NameID: "pia"}, id: "_1", conditions: true,
			issued: now, notBefore: now, notOnOrAfter: now.Add(time.Hour), audiences: [][]string{{"urn:other", "urn:us"}},
			confirmations: []string{"urn:oasis:names:tc:SAML:1.0:cm:bearer"}, recipients: []string{"https://us/cb"}, subjects: []string{"pia"},
		}, facts{now: now, realm: "urn:us", issuer: "urn:idp", callback: "https://us/cb"}
	}
	rows := []struct {
		name string
		set  func(*token, *facts)
		want error
	}{
		{"right", func(*token, *facts) {}, nil},
		{"malformed", func(k *token, _ *facts) { k.malformed = true }, errMalformed},
		{"no ID", func(k *token, _ *facts) { k.id = "" }, errNoID},
		{"no issuer", func(k *token, _ *facts) { k.Issuer = "" }, errIssuer},
		{"another issuer", func(k *token, _ *facts) { k.Issuer = "urn:idp/" }, errIssuer},
		{"an issuer that nobody knows", func(_ *token, f *facts) { f.issuer = "" }, nil},
		{"no conditions", func(k *token, _ *facts) { k.conditions = false }, errNoConditions},
		{"no audience", func(k *token, _ *facts) { k.audiences = nil }, errAudience},
		{"an empty restriction", func(k *token, _ *facts) { k.audiences = [][]string{{}} }, errAudience},
		{"another audience", func(k *token, _ *facts) { k.audiences = [][]string{{"urn:us2"}} }, errAudience},
		{"two restrictions, one without us", func(k *token, _ *facts) { k.audiences = append(k.audiences, []string{"urn:other"}) }, errAudience},
		{"two restrictions, both with us", func(k *token, _ *facts) { k.audiences = append(k.audiences, []string{"urn:us"}) }, nil},
		{"no realm", func(k *token, f *facts) { f.realm, k.audiences = "", [][]string{{""}} }, errAudience},
		{"not issued", func(k *token, _ *facts) { k.issued = time.Time{} }, errEarly},
		{"issued in three minutes", func(k *token, _ *facts) { k.issued = now.Add(skew) }, nil},
		{"issued later", func(k *token, _ *facts) { k.issued = now.Add(skew + 1) }, errEarly},
		{"valid in three minutes", func(k *token, _ *facts) { k.notBefore = now.Add(skew) }, nil},
		{"valid later", func(k *token, _ *facts) { k.notBefore = now.Add(skew + 1) }, errEarly},
		{"no beginning", func(k *token, _ *facts) { k.notBefore = time.Time{} }, nil},
		{"no end", func(k *token, _ *facts) { k.notOnOrAfter = time.Time{} }, errLate},
		{"expired less than three minutes ago", func(k *token, _ *facts) { k.notOnOrAfter = now.Add(-skew + 1) }, nil},
		{"expired", func(k *token, _ *facts) { k.notOnOrAfter = now.Add(-skew) }, errLate},
		{"issued yesterday for years", func(k *token, _ *facts) {
			k.issued, k.notBefore, k.notOnOrAfter = now.Add(-maxAge-skew), now.Add(-maxAge-skew), now.AddDate(9, 0, 0)
		}, errLate},
		{"holder of key", func(k *token, _ *facts) {
			k.confirmations = append(k.confirmations, "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key")
		}, errConfirmation},
		{"no confirmation", func(k *token, _ *facts) { k.confirmations = nil }, nil},
		{"another recipient", func(k *token, _ *facts) { k.recipients = []string{"https://us/cb", "https://other/cb"} }, errRecipient},
		{"no recipient", func(k *token, _ *facts) { k.recipients = nil }, nil},
		{"an answer to SAML", func(k *token, _ *facts) { k.answers = true }, errAnswer},
		{"two subjects", func(k *token, _ *facts) { k.subjects = []string{"pia", "eve"} }, errSubjects},
		{"no subject", func(k *token, _ *facts) { k.subjects = nil }, errSubjects},
	}
	for _, row := range rows {
		k, f := right()
		row.set(&k, &f)
		if err := check(k, f); !errors.Is(err, row.want) || (err == nil) != (row.want == nil) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
}

func TestExpires(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	if k := (token{issued: now, notOnOrAfter: now.Add(time.Hour)}); !k.expires().Equal(now.Add(time.Hour)) {
		t.Error(k.expires())
	}
	if k := (token{issued: now, notOnOrAfter: now.AddDate(1, 0, 0)}); !k.expires().Equal(now.Add(maxAge)) {
		t.Error(k.expires())
	}
}
