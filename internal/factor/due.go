package factor

import (
	"context"
	"slices"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/session"
	"mangrove/internal/user"
)

// ACR is what acr_values asks for when it asks for a second factor
// (reference/authentication.md §3.12).
const ACR = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"

// Step is what stands between a first factor and a session.
type Step uint8

// The steps.
const (
	NoStep        Step = iota
	ChallengeStep      // show a factor that is enrolled
	EnrollStep         // enroll one
)

// Facts is what Due judges.
type Facts struct {
	// Off: the connection says mfa.active false.
	Off bool
	// Shown: a second factor was among the proofs of this sign-in.
	Shown bool
	// Asked: the request wants one, by acr_values.
	Asked bool
	// Always: the tenant's policy wants one of everybody.
	Always bool
	// Enrolled: the user has one.
	Enrolled bool
	// Enrollable: there is a kind that may be enrolled now.
	Enrollable bool
	// Trusted: this browser showed one less than thirty days ago.
	Trusted bool
	// Insist: the request is about the factors themselves. Whoever has one shows it,
	// whatever the connection says and whichever browser it is.
	Insist bool
}

// Due is the rule of when a second factor is asked for. Whoever has one is always
// asked; a trusted browser stands in for it, unless the request itself asks.
func Due(f Facts) Step {
	switch {
	case f.Shown:
		return NoStep
	case f.Enrolled && f.Insist:
		return ChallengeStep
	case f.Off:
		return NoStep
	case f.Enrolled && f.Trusted && !f.Asked:
		return NoStep
	case f.Enrolled:
		return ChallengeStep
	case (f.Asked || f.Always) && f.Enrollable:
		return EnrollStep
	}
	return NoStep
}

// Asked reports whether acr_values wants a second factor.
func Asked(acrValues string) bool {
	for v := range strings.FieldsSeq(acrValues) {
		if v == ACR {
			return true
		}
	}
	return false
}

// Off reports a connection whose option mfa.active is false.
func Off(c *connection.Connection) bool {
	return string(c.Document().Object("mfa")["active"]) == "false"
}

// Question is what a sign-in brings when it is asked whether a second factor is due.
type Question struct {
	// Connection that the person came by; nil: it is not known.
	Connection *connection.Connection
	// Methods are the proofs so far.
	Methods   []string
	ACRValues string
	// Browser is the secret of the cookie of a trusted browser; empty: none.
	Browser string
	// Insist: the request is about the factors themselves.
	Insist bool
	// CanEnroll says which kinds can be enrolled where the question comes from.
	CanEnroll func(Kind) bool
}

// Answer is what is due.
type Answer struct {
	Step Step
	// All are the factors of the user.
	All []Factor
	// Kinds may be enrolled now.
	Kinds []Kind
}

// Due gathers the facts and judges them.
func (s *Service) Due(ctx context.Context, u *user.User, q Question) (a Answer, err error) {
	t, err := s.Tenant.Settings(ctx)
	if err != nil {
		return Answer{}, err
	}
	if a.All, err = s.All(ctx, u); err != nil {
		return Answer{}, err
	}
	if a.Kinds, err = s.Enrollable(ctx); err != nil {
		return Answer{}, err
	}
	a.Kinds = slices.DeleteFunc(a.Kinds, func(k Kind) bool { return !q.CanEnroll(k) })
	f := Facts{
		Off: q.Connection != nil && Off(q.Connection), Shown: slices.Contains(q.Methods, session.MFA), Asked: Asked(q.ACRValues),
		Always: t.MFA.Always, Enrolled: len(Seconds(a.All)) > 0, Enrollable: len(a.Kinds) > 0, Insist: q.Insist,
	}
	if f.Enrolled && q.Browser != "" {
		if f.Trusted, err = s.Trusted(ctx, q.Browser, string(u.ID)); err != nil {
			return Answer{}, err
		}
	}
	a.Step = Due(f)
	return a, nil
}
