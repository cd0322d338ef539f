package login

import (
	"errors"
	"fmt"
	"testing"

	"mangrove/internal/factor"
	"mangrove/internal/page"
	"mangrove/internal/passwd"
	"mangrove/internal/schema"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

func TestProblemOf(t *testing.T) {
	telling := &tenant.Settings{SignupTellsUserExists: true}
	for _, row := range []struct {
		name    string
		err     error
		tenant  *tenant.Settings
		problem page.Problem
		status  int // 0: no page says it
	}{
		{"wrong password", user.ErrWrongPassword, &tenant.Settings{}, page.WrongCredentials, 400},
		{"wrapped", fmt.Errorf("sign-in: %w", user.ErrWrongPassword), &tenant.Settings{}, page.WrongCredentials, 400},
		{"account locked", user.ErrAccountLocked, &tenant.Settings{}, page.AccountLocked, 429},
		{"address locked", user.ErrAddressLocked, &tenant.Settings{}, page.AddressLocked, 429},
		{"sign-ups locked", user.ErrSignupLocked, &tenant.Settings{}, page.AddressLocked, 429},
		{"too often", user.ErrTooOften, &tenant.Settings{}, page.TooManyRequests, 429},
		{"busy", user.ErrBusy, &tenant.Settings{}, page.Busy, 429},
		{"no sign-up", user.ErrSignupDisabled, &tenant.Settings{}, page.SignupDisabled, 400},
		{"taken, and not told", user.ErrExists, &tenant.Settings{}, page.SignupRefused, 400},
		{"taken, and told", user.ErrExists, telling, page.SignupTaken, 400},
		{"username taken, and not told", user.ErrUsernameTaken, &tenant.Settings{}, page.SignupRefused, 400},
		{"username taken, and told", user.ErrUsernameTaken, telling, page.SignupTaken, 400},
		{"weak", &passwd.Weak{Name: "PasswordStrengthError"}, telling, page.PasswordWeak, 400},
		{"common", &passwd.Weak{Name: "PasswordDictionaryError"}, telling, page.PasswordCommon, 400},
		{"personal", &passwd.Weak{Name: "PasswordNoUserInfoError"}, telling, page.PasswordPersonal, 400},
		{"used before", &passwd.Weak{Name: "PasswordHistoryError"}, telling, page.PasswordUsed, 400},
		{"a violation", schema.Error{{Path: "email"}}, telling, page.InvalidInput, 400},
		{"blocked is told to the application", user.ErrBlocked, telling, "", 0},
		{"a failure of ours", errors.New("no database"), telling, "", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			problem, status, ok := problemOf(row.err, row.tenant)
			if problem != row.problem || status != row.status || ok != (row.status != 0) {
				t.Errorf("%q %d %v", problem, status, ok)
			}
		})
	}
}

func TestFirstFactorAsked(t *testing.T) {
	of := func(kinds ...factor.Kind) (all []factor.Factor) {
		for _, k := range kinds {
			all = append(all, factor.Factor{Kind: k, Confirmed: true})
		}
		return all
	}
	for _, row := range []struct {
		name   string
		answer factor.Answer
		path   string
	}{
		{"nothing is due", factor.Answer{All: of(factor.TOTP)}, ""},
		{"a key before an application", factor.Answer{Step: factor.ChallengeStep, All: of(factor.TOTP, factor.Roaming)}, keyPath},
		{"an application before messages", factor.Answer{Step: factor.ChallengeStep, All: of(factor.Phone, factor.Email, factor.TOTP)}, otpPath},
		{"mail before texts", factor.Answer{Step: factor.ChallengeStep, All: of(factor.Phone, factor.Email)}, mfaEmailPath},
		{"a text", factor.Answer{Step: factor.ChallengeStep, All: of(factor.Phone)}, mfaSMSPath},
		{"one kind needs no choice", factor.Answer{Step: factor.EnrollStep, Kinds: []factor.Kind{factor.Phone}}, mfaSMSNewPath},
		{"mail is enrolled", factor.Answer{Step: factor.EnrollStep, Kinds: []factor.Kind{factor.Email}}, mfaEmailNewPath},
		{"a key is enrolled", factor.Answer{Step: factor.EnrollStep, Kinds: []factor.Kind{factor.Roaming}}, roamingEnrollPath},
		{"this device is enrolled", factor.Answer{Step: factor.EnrollStep, Kinds: []factor.Kind{factor.Platform}}, platformNewPath},
		{"an application is enrolled", factor.Answer{Step: factor.EnrollStep, Kinds: []factor.Kind{factor.TOTP}}, otpEnrollPath},
		{"several kinds", factor.Answer{Step: factor.EnrollStep, Kinds: []factor.Kind{factor.TOTP, factor.Phone}}, chooseFactorPath},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := factorPath(row.answer); got != row.path {
				t.Errorf("%q, want %q", got, row.path)
			}
		})
	}
}
