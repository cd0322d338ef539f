package passwordless

import (
	"mangrove/internal/errs"
	"mangrove/internal/user"
)

// withheld says why nobody is sent anything, though the answer is as always: nil
// when it is sent. The reference tells that a person is unknown where sign-up is
// off; we do not (security.md 73).
func withheld(known, blocked, signupDisabled bool) *errs.Error {
	switch {
	case blocked:
		return user.ErrBlocked
	case !known && signupDisabled:
		return user.ErrSignupDisabled
	}
	return nil
}
