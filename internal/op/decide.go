package op

import (
	"slices"
	"strings"
)

// step is what becomes of a valid authorization request.
type step uint8

const (
	refuse  step = iota // login_required: prompt=none and nobody fit is signed in
	login               // the login page
	proceed             // answer with the session that is there
)

// circumstances of an authorization request. Times in microseconds.
type circumstances struct {
	prompt   string // none, login, consent, select_account, separated by blanks
	maxAge   *int64 // seconds
	signedIn bool   // there is a session, and its user exists
	authTime int64
	now      int64
	// other: the session is not the one that was asked for: another connection,
	// one that the client may not use, another person than id_token_hint names.
	other bool
}

// decide is the table of reference/authentication.md §2.2. First-party clients
// have nothing to consent to, so prompt=consent asks nothing.
func decide(c circumstances) step {
	fits := c.signedIn && !c.other && !tooOld(c)
	asked := strings.Fields(c.prompt)
	switch {
	case slices.Contains(asked, "none"):
		if fits {
			return proceed
		}
		return refuse
	case slices.Contains(asked, "login"), slices.Contains(asked, "select_account"), !fits:
		return login
	}
	return proceed
}

// tooOld: max_age is over, or it is zero, or the sign-in claims to be yet to come.
func tooOld(c circumstances) bool {
	if c.maxAge == nil {
		return false
	}
	age := (c.now - c.authTime) / 1_000_000
	return *c.maxAge == 0 || age < 0 || age > *c.maxAge
}

func contains(list []string, v string) bool { return slices.Contains(list, v) }
