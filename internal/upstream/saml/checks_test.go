package saml

import (
	"strings"
	"testing"
	"time"
)

// TestCheck changes one field at a time (security.md 101, 102).
func TestCheck(t *testing.T) {
	good := func() answer {
		return answer{
			signed: true, Version: "2.0", Destination: acs, hasDestination: true, InResponseTo: requestID, hasAnswer: true, Issuer: idpEntity, Status: statusSuccess,
			assertion: assertion{
				ID: "_a1", Version: "2.0", Issuer: idpEntity, IssueInstant: clockAt,
				Confirmations: []confirmation{{Method: methodBearer, Recipient: acs, InResponseTo: requestID, hasAnswer: true, NotOnOrAfter: clockAt.Add(time.Minute)}},
				Conditions:    true, NotBefore: clockAt.Add(-time.Minute), NotOnOrAfter: clockAt.Add(time.Minute),
				Audiences: [][]string{{"urn:other", sp}}, Statements: []statement{{SessionIndex: "_s"}},
			},
		}
	}
	asked := facts{now: clockAt, audience: sp, recipient: []string{acs}, destination: []string{acs}, issuer: idpEntity, requestID: requestID}
	for _, row := range []struct {
		name   string
		change func(*answer, *facts)
		want   string // empty: accepted
	}{
		{"nothing", func(*answer, *facts) {}, ""},
		{"version", func(r *answer, _ *facts) { r.Version = "1.1" }, "not SAML 2.0"},
		{"version of the assertion", func(r *answer, _ *facts) { r.assertion.Version = "" }, "not SAML 2.0"},
		{"status", func(r *answer, _ *facts) { r.Status = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed" }, "the status is not success"},
		{"destination", func(r *answer, _ *facts) { r.Destination = acs + "x" }, "the response is for another Destination"},
		{"an empty destination", func(r *answer, _ *facts) { r.Destination = "" }, "the response is for another Destination"},
		{"no destination", func(r *answer, _ *facts) { r.hasDestination = false }, "a signed response without a Destination"},
		{"no destination, not signed", func(r *answer, _ *facts) { r.hasDestination, r.signed = false, false }, ""},
		{"issuer of the response", func(r *answer, _ *facts) { r.Issuer = "x" }, "the response is of another Issuer than its assertion"},
		{"no issuer of the response", func(r *answer, _ *facts) { r.Issuer = "" }, ""},
		{"issuer", func(r *answer, _ *facts) { r.Issuer, r.assertion.Issuer = "x", "x" }, "an assertion of another Issuer"},
		{"no issuer", func(r *answer, _ *facts) { r.Issuer, r.assertion.Issuer = "", "" }, "an assertion without Issuer"},
		{"issuer that is not known", func(r *answer, f *facts) { r.Issuer, r.assertion.Issuer, f.issuer = "x", "x", "" }, ""},
		{"id", func(r *answer, _ *facts) { r.assertion.ID = "" }, "an assertion without ID"},
		{"issued never", func(r *answer, _ *facts) { r.assertion.IssueInstant = time.Time{} }, "an assertion without IssueInstant"},
		{"issued in the future", func(r *answer, _ *facts) { r.assertion.IssueInstant = clockAt.Add(skew + time.Second) }, "the assertion is not good now, it is of the future"},
		{"issued a little in the future", func(r *answer, _ *facts) { r.assertion.IssueInstant = clockAt.Add(skew) }, ""},
		{"issued yesterday", func(r *answer, _ *facts) { r.assertion.IssueInstant = clockAt.Add(-longest - skew) }, "the assertion is not good now, it is more than a day old"},
		{"no conditions", func(r *answer, _ *facts) { r.assertion.Conditions = false }, "an assertion without Conditions"},
		{"unknown conditions", func(r *answer, _ *facts) { r.assertion.UnknownConditions = true }, "an assertion with conditions that are not known"},
		{"not yet", func(r *answer, _ *facts) { r.assertion.NotBefore = clockAt.Add(skew + time.Second) }, "the assertion is not good now"},
		{"soon", func(r *answer, _ *facts) { r.assertion.NotBefore = clockAt.Add(skew) }, ""},
		{"over", func(r *answer, _ *facts) { r.assertion.NotOnOrAfter = clockAt.Add(-skew) }, "the assertion is not good now"},
		{"just over", func(r *answer, _ *facts) { r.assertion.NotOnOrAfter = clockAt.Add(-skew + time.Second) }, ""},
		{"no times", func(r *answer, _ *facts) { r.assertion.NotBefore, r.assertion.NotOnOrAfter = time.Time{}, time.Time{} }, ""},
		{"no audience", func(r *answer, _ *facts) { r.assertion.Audiences = nil }, "an assertion without AudienceRestriction"},
		{"audience", func(r *answer, _ *facts) { r.assertion.Audiences = [][]string{{"urn:other"}} }, "the assertion is for another Audience"},
		{"two restrictions, one of others", func(r *answer, _ *facts) { r.assertion.Audiences = [][]string{{sp}, {"urn:other"}} }, "the assertion is for another Audience"},
		{"an empty restriction", func(r *answer, _ *facts) { r.assertion.Audiences = [][]string{{}} }, "the assertion is for another Audience"},
		{"no statement", func(r *answer, _ *facts) { r.assertion.Statements = nil }, "an assertion without AuthnStatement"},
		{"a session that is over", func(r *answer, _ *facts) { r.assertion.Statements[0].SessionNotOnOrAfter = clockAt.Add(-skew) }, "the session at the provider is over"},
		{"no confirmation", func(r *answer, _ *facts) { r.assertion.Confirmations = nil }, "no bearer confirmation"},
		{"method", func(r *answer, _ *facts) {
			r.assertion.Confirmations[0].Method = "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"
		}, "no bearer confirmation"},
		{"recipient", func(r *answer, _ *facts) {
			r.assertion.Confirmations[0].Recipient = publicURL + "/login/callback?connection=other"
		}, "the assertion is for another Recipient"},
		{"no recipient", func(r *answer, _ *facts) { r.assertion.Confirmations[0].Recipient = "" }, "the assertion is for another Recipient"},
		{"confirmation without end", func(r *answer, _ *facts) { r.assertion.Confirmations[0].NotOnOrAfter = time.Time{} }, "a bearer confirmation without NotOnOrAfter"},
		{"confirmation over", func(r *answer, _ *facts) { r.assertion.Confirmations[0].NotOnOrAfter = clockAt.Add(-skew) }, "the bearer confirmation is not good now"},
		{"confirmation not yet", func(r *answer, _ *facts) { r.assertion.Confirmations[0].NotBefore = clockAt.Add(skew + time.Second) }, "the bearer confirmation is not good now"},
		{"another request", func(r *answer, _ *facts) { r.InResponseTo = "_x" }, "the response is to another request"},
		{"another request of the confirmation", func(r *answer, _ *facts) { r.assertion.Confirmations[0].InResponseTo = "_x" }, "the assertion is for another request"},
		{"only the signed response says for which", func(r *answer, _ *facts) { r.assertion.Confirmations[0].hasAnswer = false }, ""},
		{"only a response that is not signed says for which", func(r *answer, _ *facts) { r.assertion.Confirmations[0].hasAnswer, r.signed = false, false }, "the assertion does not say for which request it is"},
		{"only the confirmation says for which", func(r *answer, _ *facts) { r.hasAnswer = false }, ""},
		{"nothing says for which", func(r *answer, _ *facts) { r.hasAnswer, r.assertion.Confirmations[0].hasAnswer = false, false }, "the assertion does not say for which request it is"},
		{"nothing was asked", func(_ *answer, f *facts) { f.requestID = "" }, "the response is to another request"},
		{"nothing was asked, the assertion answers", func(r *answer, f *facts) { f.requestID, r.hasAnswer = "", false }, "the assertion is for another request"},
		{"nothing was asked, an empty answer", func(r *answer, f *facts) {
			f.requestID, r.InResponseTo, r.assertion.Confirmations[0].hasAnswer = "", "", false
		}, "the response is to another request"},
		{"nothing was asked, nothing is answered", func(r *answer, f *facts) {
			f.requestID, r.hasAnswer, r.assertion.Confirmations[0].hasAnswer = "", false, false
		}, ""},
		{"a second confirmation holds", func(r *answer, _ *facts) {
			c := r.assertion.Confirmations[0]
			c.Recipient = "https://other.example"
			r.assertion.Confirmations = append([]confirmation{c}, r.assertion.Confirmations...)
		}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, f := good(), asked
			row.change(&r, &f)
			got := ""
			if err := check(r, f); err != nil {
				got = err.Error()
			}
			// Behind the colon is what to do about it.
			if rule, _, _ := strings.Cut(got, ": "); rule != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

// TestCheckedDocuments: the same fields, in documents that are signed.
func TestCheckedDocuments(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*says)
		why    string
	}{
		{"status", func(s *says) { s.status = "urn:oasis:names:tc:SAML:2.0:status:Responder" }, "status"},
		{"destination", func(s *says) { s.destination = "https://else.example/" }, "Destination"},
		{"in response to", func(s *says) { s.inResponseTo, s.confirmedTo = "_x", "_x" }, "another request"},
		{"in response to nothing", func(s *says) { s.inResponseTo, s.confirmedTo = "-", "-" }, "which request"},
		{"issuer", func(s *says) { s.issuer, s.responseIssuer = "urn:x", "urn:x" }, "another Issuer"},
		{"version", func(s *says) { s.version = "1.1" }, "SAML 2.0"},
		{"issue instant", func(s *says) { s.issued = "yesterday" }, "cannot be read"},
		{"no subject", func(s *says) { s.nameID = "" }, "names nobody"},
		{"two names", func(s *says) { s.nameID += s.nameID }, "doubled NameID"},
		{"an encrypted name", func(s *says) { s.nameID = "<saml:EncryptedID/>" }, "EncryptedID"},
		{"recipient", func(s *says) { s.recipient = "https://else.example/" }, "Recipient"},
		{"method", func(s *says) { s.method = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key" }, "bearer"},
		{"over", func(s *says) { s.confirmTill = at(-time.Hour) }, "not good now"},
		{"a time that is none", func(s *says) { s.confirmTill = "soon" }, "cannot be read"},
		{"no conditions", func(s *says) { s.conditions = "" }, "without Conditions"},
		{"conditions twice", func(s *says) { s.conditions += s.conditions }, "doubled Conditions"},
		{"audience", func(s *says) {
			s.conditions = "<saml:Conditions><saml:AudienceRestriction><saml:Audience>x</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
		}, "Audience"},
		{"a condition of somebody else", func(s *says) {
			s.conditions = "<saml:Conditions><saml:AudienceRestriction><saml:Audience>" + sp + "</saml:Audience></saml:AudienceRestriction><saml:Condition/></saml:Conditions>"
		}, "not known"},
		{"no statement", func(s *says) { s.statement = "" }, "AuthnStatement"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := said()
			row.change(&s)
			_, err := newRig(nil).callback(posted(s.signed(idpKey())))
			refused(t, err, row.why)
		})
	}
}
