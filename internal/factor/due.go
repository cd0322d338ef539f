package factor

import (
	"encoding/json"
	"strings"

	"mangrove/internal/connection"
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
	var o struct {
		MFA struct {
			Active *bool `json:"active"`
		} `json:"mfa"`
	}
	return json.Unmarshal(c.Options, &o) == nil && o.MFA.Active != nil && !*o.MFA.Active
}
