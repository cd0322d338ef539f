package op

import (
	"slices"
	"strings"

	"mangrove/internal/oauth"
)

// step is what becomes of a valid authorization request.
type step uint8

const (
	refuse   step = iota // the client gets an error
	login                // the login page
	interact             // the session is there; a second factor or a consent is missing
	proceed              // answer with the session that is there
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
	// ticket: the request brings the proof of a sign-in of its own.
	ticket bool
	// Of a session that fits:
	factor  bool // a second factor is due
	consent bool // the person has to be asked
}

// The answers to prompt=none (reference/authentication.md §2.4). Clients compare
// the text about the factor.
var (
	errLoginRequired   = authorizeError("login_required", "Login required")
	errFactorRequired  = authorizeError("login_required", "Multifactor authentication required")
	errConsentRequired = authorizeError("consent_required", "Consent required")
)

// decide is the table of reference/authentication.md §2.2. The error is that of
// refuse.
func decide(c circumstances) (step, *oauth.AuthorizeError) {
	fits := c.signedIn && !c.other && !tooOld(c)
	asked := strings.Fields(c.prompt)
	silent := slices.Contains(asked, "none")
	switch {
	case silent && !fits:
		return refuse, errLoginRequired
	case silent && c.factor:
		return refuse, errFactorRequired
	case silent && c.consent:
		return refuse, errConsentRequired
	case silent:
		return proceed, nil
	case c.ticket, slices.Contains(asked, "login"), slices.Contains(asked, "select_account"), !fits:
		return login, nil
	case c.factor, c.consent:
		return interact, nil
	}
	return proceed, nil
}

// tooOld: max_age is over, or it is zero, or the sign-in claims to be yet to come.
func tooOld(c circumstances) bool {
	if c.maxAge == nil {
		return false
	}
	age := (c.now - c.authTime) / 1_000_000
	return *c.maxAge == 0 || age < 0 || age > *c.maxAge
}

// silent reports prompt=none: nobody may be asked anything.
func silent(req oauth.AuthorizeRequest) bool { return req.Prompt == "none" }

func contains(list []string, v string) bool { return slices.Contains(list, v) }
