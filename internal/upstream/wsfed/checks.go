package wsfed

import (
	"errors"
	"slices"
	"time"
)

// Limits of a token's time.
const (
	skew   = 3 * time.Minute // between two clocks
	maxAge = 24 * time.Hour  // since it was issued, whatever it says itself
)

// facts are what a token is measured against.
type facts struct {
	now      time.Time
	realm    string // who we are to the provider
	issuer   string // who the provider is; empty: not known
	callback string
}

// Refusals of tokens.
var (
	errMalformed    = errors.New("a time or a name of the token cannot be read")
	errNoID         = errors.New("the token has no ID")
	errIssuer       = errors.New("the token is of another issuer: compare options.issuer with the provider's entity id")
	errNoConditions = errors.New("the token has no conditions, or some that nobody knows")
	errAudience     = errors.New("the token is for another audience: compare our realm (options.entityId) with the identifier at the provider")
	errEarly        = errors.New("the token is not valid yet: compare the clocks here and there")
	errLate         = errors.New("the token has expired: compare the clocks here and there")
	errConfirmation = errors.New("the token is not for who bears it")
	errRecipient    = errors.New("the token is for another recipient: the provider has to know the address https://<your server>/login/callback")
	errAnswer       = errors.New("the token answers a request of another protocol")
	errSubjects     = errors.New("the token is about nobody, or about several")
)

// bearer are the confirmation methods of both versions of SAML. A token that names
// none is for who bears it: SAML 1.1 leaves it open (saml-core-1.1 §2.4.2.3).
var bearer = []string{"urn:oasis:names:tc:SAML:1.0:cm:bearer", "urn:oasis:names:tc:SAML:2.0:cm:bearer"}

// check judges a verified token (security.md §1.4, 101).
func check(t token, f facts) error {
	switch {
	case t.malformed:
		return errMalformed
	case t.id == "":
		return errNoID
	case t.Issuer == "" || f.issuer != "" && t.Issuer != f.issuer:
		return errIssuer
	case !t.conditions:
		return errNoConditions
	case !addressed(t.audiences, f.realm):
		return errAudience
	case t.issued.IsZero() || t.issued.After(f.now.Add(skew)) || t.notBefore.After(f.now.Add(skew)):
		return errEarly
	case t.notOnOrAfter.IsZero() || !t.expires().Add(skew).After(f.now):
		return errLate
	case slices.ContainsFunc(t.confirmations, func(m string) bool { return !slices.Contains(bearer, m) }):
		return errConfirmation
	case slices.ContainsFunc(t.recipients, func(r string) bool { return r != f.callback }):
		return errRecipient
	case t.answers:
		return errAnswer
	case len(t.subjects) != 1:
		return errSubjects
	}
	return nil
}

// addressed reports whether we are in every restriction, of which there is one.
func addressed(restrictions [][]string, realm string) bool {
	if len(restrictions) == 0 || realm == "" {
		return false
	}
	for _, list := range restrictions {
		if !slices.Contains(list, realm) {
			return false
		}
	}
	return true
}

// expires is when the token ends, at the latest a day after it was issued: so long
// it has to be remembered.
func (t token) expires() time.Time {
	if end := t.issued.Add(maxAge); end.Before(t.notOnOrAfter) {
		return end
	}
	return t.notOnOrAfter
}
