package ldap

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	ldapv3 "github.com/go-ldap/ldap/v3"

	"mangrove/internal/errs"
	"mangrove/internal/upstream"
)

// silence is the failure of a server to answer: another one may.
type silence struct{ cause error }

func (s *silence) Error() string { return s.cause.Error() }
func (s *silence) Unwrap() error { return s.cause }

// answered tells a server's refusal from its silence. what names the step.
func answered(what string, err error) error {
	if err == nil {
		return nil
	}
	var e *ldapv3.Error
	if !errors.As(err, &e) || e.ResultCode >= ldapv3.ErrorNetwork ||
		e.ResultCode == ldapv3.LDAPResultBusy || e.ResultCode == ldapv3.LDAPResultUnavailable {
		return &silence{fmt.Errorf("%s: %w", what, described(err))}
	}
	return fmt.Errorf("%s: %w", what, described(err))
}

// described is the error without the words of the server, which may quote names.
func described(err error) error {
	var e *ldapv3.Error
	if !errors.As(err, &e) || e.ResultCode >= ldapv3.ErrorNetwork {
		return err
	}
	text := fmt.Sprintf("result %d %s", e.ResultCode, ldapv3.LDAPResultCodeMap[e.ResultCode])
	if code := subCode(err); code != "" {
		text += ", data " + code
	}
	switch e.ResultCode {
	case ldapv3.LDAPResultNoSuchObject:
		text += ": compare base and group_base with the directory"
	case ldapv3.LDAPResultInsufficientAccessRights:
		text += ": the account of the connection may not read there"
	}
	return errors.New(text)
}

func resultOf(err error) uint16 {
	var e *ldapv3.Error
	if errors.As(err, &e) {
		return e.ResultCode
	}
	return ldapv3.ErrorNetwork
}

var dataCode = regexp.MustCompile(`\bdata ([0-9a-fA-F]{2,8})\b`)

// subCode is what an Active Directory says about a refused bind; empty: nothing.
func subCode(err error) string {
	var e *ldapv3.Error
	if !errors.As(err, &e) || e.Err == nil {
		return ""
	}
	if m := dataCode.FindStringSubmatch(e.Err.Error()); m != nil {
		return strings.ToLower(m[1])
	}
	return ""
}

// subCodes are told after the right password only. 775, a locked account, is not
// among them: it is said whatever the password was.
var subCodes = map[string]*errs.Error{
	"532": upstream.ErrPasswordExpired,
	"533": upstream.ErrAccountDisabled,
	"534": upstream.ErrAccountDisabled,
	"701": upstream.ErrAccountExpired,
	"773": upstream.ErrPasswordChange,
}

// Errors of the password policy control (draft-behera-ldap-password-policy §6.2).
// Of these accountLocked is said before the password is looked at.
const (
	policyExpired = 0
	policyReset   = 2
)

// verdict is what a person's bind means (reference/connections.md §4.7); nil: the
// password is right and good. Errors: refusals of upstream, *silence.
func verdict(err error, controls []ldapv3.Control) error {
	policy := int8(-1)
	if c, ok := ldapv3.FindControl(controls, ldapv3.ControlTypeBeheraPasswordPolicy).(*ldapv3.ControlBeheraPasswordPolicy); ok {
		policy = c.Error
	}
	switch {
	case err == nil && policy == policyReset:
		return upstream.ErrPasswordChange
	case err == nil:
		return nil
	}
	told := answered("bind of the person", err)
	var s *silence
	if errors.As(told, &s) {
		return told
	}
	if resultOf(err) == ldapv3.LDAPResultInvalidCredentials {
		if refusal := subCodes[subCode(err)]; refusal != nil {
			return refusal.Because(told)
		}
		if policy == policyExpired {
			return upstream.ErrPasswordExpired.Because(told)
		}
	}
	return upstream.ErrWrongCredentials.Because(told)
}

// stateAttributes say whether an account may be used; servers that know what they
// mean refuse the bind by themselves.
var stateAttributes = []string{"userAccountControl", "accountExpires", "nsAccountLock"}

const disabledFlag = 0x2 // ADS_UF_ACCOUNTDISABLE

// usable judges the account of somebody whose password was right.
func usable(e *ldapv3.Entry, now time.Time) error {
	if flags, err := strconv.ParseInt(e.GetEqualFoldAttributeValue("userAccountControl"), 10, 64); err == nil && flags&disabledFlag != 0 {
		return upstream.ErrAccountDisabled
	}
	if strings.EqualFold(e.GetEqualFoldAttributeValue("nsAccountLock"), "true") {
		return upstream.ErrAccountDisabled
	}
	if ticks, err := strconv.ParseInt(e.GetEqualFoldAttributeValue("accountExpires"), 10, 64); err == nil && expired(ticks, now) {
		return upstream.ErrAccountExpired
	}
	return nil
}

// expired reads accountExpires: tenths of microseconds since 1601; 0 and the
// greatest number: never.
func expired(ticks int64, now time.Time) bool {
	const since1601 = 11_644_473_600 // seconds from 1601 to 1970
	return ticks > 0 && ticks != 1<<63-1 && now.Unix() >= ticks/10_000_000-since1601
}
