package saml

import (
	"errors"
	"slices"
	"time"
)

// skew is how far clocks may differ (security.md 1.4).
const skew = 3 * time.Minute

// facts are what a response is compared with.
type facts struct {
	now                    time.Time
	audience               string
	recipient, destination []string // acceptable addresses
	issuer                 string   // empty: the keys alone say whose it is
	requestID              string   // empty: nothing was asked
}

var errNoSuccess = errors.New("the status is not success: the provider refused, and its own log says why")

// check judges a response whose assertion was verified (security.md 1.4,
// 101, 102). One error per rule.
func check(r answer, f facts) error {
	switch {
	case r.Version != "2.0" || r.assertion.Version != "2.0":
		return errors.New("not SAML 2.0")
	case r.Status != statusSuccess:
		return errNoSuccess
	case r.hasDestination && !slices.Contains(f.destination, r.Destination):
		return errors.New("the response is for another Destination: the provider has to know the address in our metadata")
	case r.signed && !r.hasDestination: // bindings §3.5.5.2
		return errors.New("a signed response without a Destination")
	case r.Issuer != "" && r.Issuer != r.assertion.Issuer:
		return errors.New("the response is of another Issuer than its assertion")
	}
	if err := r.assertion.check(f); err != nil {
		return err
	}
	return answers(r, f)
}

func (a *assertion) check(f facts) error {
	switch {
	case a.ID == "":
		return errors.New("an assertion without ID")
	case a.Issuer == "":
		return errors.New("an assertion without Issuer")
	case f.issuer != "" && a.Issuer != f.issuer:
		return errors.New("an assertion of another Issuer: compare options.issuer with the provider's entity id")
	case a.IssueInstant.IsZero():
		return errors.New("an assertion without IssueInstant")
	case a.IssueInstant.After(f.now.Add(skew)):
		return errors.New("the assertion is not good now, it is of the future: compare the clocks here and there")
	case !f.now.Before(a.end().Add(skew)):
		return errors.New("the assertion is not good now, it is more than a day old: compare the clocks here and there")
	case !a.Conditions:
		return errors.New("an assertion without Conditions")
	case a.UnknownConditions:
		return errors.New("an assertion with conditions that are not known")
	case !within(f.now, a.NotBefore, a.NotOnOrAfter):
		return errors.New("the assertion is not good now: compare the clocks here and there")
	case len(a.Audiences) == 0:
		return errors.New("an assertion without AudienceRestriction")
	case len(a.Statements) == 0:
		return errors.New("an assertion without AuthnStatement")
	}
	for _, list := range a.Audiences {
		if !slices.Contains(list, f.audience) {
			return errors.New("the assertion is for another Audience: compare the entity id in our metadata (options.entityId) with the one at the provider")
		}
	}
	for _, s := range a.Statements {
		if !s.SessionNotOnOrAfter.IsZero() && !f.now.Before(s.SessionNotOnOrAfter.Add(skew)) {
			return errors.New("the session at the provider is over")
		}
	}
	return nil
}

// answers looks for a bearer confirmation that holds, and for the request: a word
// of it that is there must be right, and one that was signed must be there.
func answers(r answer, f facts) error {
	if r.hasAnswer && (f.requestID == "" || r.InResponseTo != f.requestID) {
		return errors.New("the response is to another request")
	}
	asked := r.signed && r.hasAnswer
	err := errors.New("no bearer confirmation")
	for _, c := range r.assertion.Confirmations {
		switch {
		case c.Method != methodBearer:
			continue
		case !slices.Contains(f.recipient, c.Recipient):
			err = errors.New("the assertion is for another Recipient: the provider has to know the address in our metadata")
		case c.NotOnOrAfter.IsZero():
			err = errors.New("a bearer confirmation without NotOnOrAfter")
		case !within(f.now, c.NotBefore, c.NotOnOrAfter):
			err = errors.New("the bearer confirmation is not good now: compare the clocks here and there")
		case c.hasAnswer && (f.requestID == "" || c.InResponseTo != f.requestID):
			err = errors.New("the assertion is for another request")
		case f.requestID != "" && !c.hasAnswer && !asked:
			err = errors.New("the assertion does not say for which request it is")
		default:
			return nil
		}
	}
	return err
}

// within reports from <= now < until; a zero time is no bound.
func within(now, from, until time.Time) bool {
	return (from.IsZero() || !now.Before(from.Add(-skew))) && (until.IsZero() || now.Before(until.Add(skew)))
}
