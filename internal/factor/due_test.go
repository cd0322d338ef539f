package factor

import (
	"encoding/json"
	"testing"

	"mangrove/internal/connection"
)

func TestDue(t *testing.T) {
	for _, row := range []struct {
		name  string
		facts Facts
		want  Step
	}{
		{"nothing says so", Facts{Enrollable: true}, NoStep},
		{"the user has one", Facts{Enrolled: true}, ChallengeStep},
		{"the user has one, and the tenant wants one", Facts{Enrolled: true, Always: true, Enrollable: true}, ChallengeStep},
		{"the tenant wants one", Facts{Always: true, Enrollable: true}, EnrollStep},
		{"the request wants one", Facts{Asked: true, Enrollable: true}, EnrollStep},
		{"the request wants one that is there", Facts{Asked: true, Enrolled: true}, ChallengeStep},
		{"it was shown", Facts{Shown: true, Asked: true, Always: true, Enrolled: true}, NoStep},
		{"the browser is trusted", Facts{Enrolled: true, Trusted: true, Always: true}, NoStep},
		{"the browser is trusted, but the request asks", Facts{Enrolled: true, Trusted: true, Asked: true}, ChallengeStep},
		{"the request is about factors", Facts{Insist: true, Enrolled: true, Trusted: true, Off: true}, ChallengeStep},
		{"the request is about factors, and one was shown", Facts{Insist: true, Enrolled: true, Shown: true}, NoStep},
		{"the request is about factors, and there is none", Facts{Insist: true, Enrollable: true}, NoStep},
		{"trust is no factor", Facts{Trusted: true, Always: true, Enrollable: true}, EnrollStep},
		{"nothing can be enrolled", Facts{Always: true, Asked: true}, NoStep},
		{"the connection has it switched off", Facts{Off: true, Enrolled: true, Always: true, Asked: true, Enrollable: true}, NoStep},
	} {
		if got := Due(row.facts); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
}

func TestAskedOfACR(t *testing.T) {
	for values, want := range map[string]bool{"": false, ACR: true, "urn:x " + ACR: true, ACR + "x": false, "mfa": false} {
		if Asked(values) != want {
			t.Errorf("%q: %t", values, !want)
		}
	}
}

func TestOff(t *testing.T) {
	for options, want := range map[string]bool{
		``: false, `{}`: false, `{"mfa":{}}`: false, `{"mfa":{"active":true}}`: false, `{"mfa":{"active":false}}`: true, `{"mfa":7}`: false,
	} {
		if got := Off(&connection.Connection{Options: json.RawMessage(options)}); got != want {
			t.Errorf("%s: %t", options, got)
		}
	}
}
