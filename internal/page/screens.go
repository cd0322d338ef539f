package page

import (
	"encoding/base64"
	"html/template"
	"strings"
)

// View is a page that Show draws: one of the structs of views.go.
type View interface{ screen() screen }

// screen is what is common to views: where the texts of one are, and the parts
// that several pages have.
type screen struct {
	template     string
	prompt, name string // of the texts
	Frame        Frame
	Action       string
	Problem      Problem
	Inputs       []input
	Rules        []Rule
	Ways         []Link
	Others       []Link
	Trust        bool // "trust this browser" is offered
	// values are for the places in the texts, beside clientName and companyName.
	values map[string]string
	script string // file of templates/; empty: none
	// targets are origins and schemes to which a form may lead, beside our own.
	targets []string
	// foreign: the page is made for a frame of somebody else.
	foreign bool
	View    View
}

func (v Identifier) screen() screen {
	s := screen{template: "identifier", prompt: "login-id", name: "login-id", Frame: v.Frame, Action: v.Action, Problem: v.Problem, Ways: v.Ways, View: v}
	if v.Identifiers != (Identifiers{}) {
		in := identifier(v.Identifiers, v.Value)
		if v.PasskeyOptions != "" && v.PasskeyAutofill {
			in.Autocomplete += " webauthn"
		}
		s.Inputs = judge([]input{in}, v.Problem)
	}
	if v.PasskeyOptions != "" {
		s.script = "passkey.js"
	}
	return s
}

func (v Password) screen() screen {
	s := screen{template: "password", prompt: "login-password", name: "login-password", Frame: v.Frame, Action: v.Action, Problem: v.Problem, Ways: v.Ways, View: v}
	if v.Both {
		s.prompt, s.name = "login", "login"
		s.Inputs = append(s.Inputs, identifier(v.Identifiers, v.Value))
	}
	s.Inputs = judge(append(s.Inputs, currentPassword()), v.Problem)
	return s
}

// IdentifierLabel is the key of what Value seems to be.
func (v Password) IdentifierLabel() string {
	switch {
	case strings.Contains(v.Value, "@"):
		return "emailLabel"
	case strings.HasPrefix(v.Value, "+"):
		return "phoneLabel"
	}
	return "usernameLabel"
}

func (v SignUp) screen() screen {
	s := screen{template: "signup", prompt: "signup", name: "signup", Frame: v.Frame, Action: v.Action, Problem: v.Problem, Ways: v.Ways, View: v}
	for _, f := range v.Fields {
		s.Inputs = append(s.Inputs, f.input())
	}
	if v.Password {
		s.Rules = v.Rules
		s.Inputs = append(s.Inputs, newPassword("passwordLabel", len(v.Rules) > 0))
	}
	s.Inputs = judge(s.Inputs, v.Problem)
	return s
}

func (v ForgotPassword) screen() screen {
	return screen{
		template: "forgot", prompt: "reset-password", name: "reset-password-request", Frame: v.Frame, Action: v.Action, Problem: v.Problem,
		Inputs: judge([]input{identifier(v.Identifiers, v.Value)}, v.Problem), View: v,
	}
}

func (v CheckMail) screen() screen {
	s := screen{
		template: "checkmail", prompt: "login-passwordless", name: "login-passwordless-email-link", Frame: v.Frame, Action: v.ResendAction,
		values: map[string]string{"email": v.Address}, View: v,
	}
	if v.Reset {
		s.prompt, s.name = "reset-password", "reset-password-email"
	}
	return s
}

func (v OneTimeCode) screen() screen {
	s := screen{
		template: "code", Frame: v.Frame, Action: v.Action, Problem: v.Problem, Others: v.Others, Trust: v.OfferTrust,
		Inputs: judge([]input{oneTimeCode(v.Length)}, v.Problem), values: map[string]string{"recipient": v.Recipient}, View: v,
	}
	switch {
	case v.SecondFactor && v.Channel == BySMS:
		s.prompt, s.name = "mfa-sms", "mfa-sms-challenge"
	case v.SecondFactor:
		s.prompt, s.name = "mfa-email", "mfa-email-challenge"
	case v.Channel == BySMS:
		s.prompt, s.name = "login-passwordless", "login-passwordless-sms-otp"
	default:
		s.prompt, s.name = "login-passwordless", "login-passwordless-email-code"
	}
	return s
}

// otpDigits is the length of an authenticator application's code (RFC 6238).
const otpDigits = 6

func (v MFACode) screen() screen {
	return screen{
		template: "factor", prompt: "mfa-otp", name: "mfa-otp-challenge", Frame: v.Frame, Action: v.Action, Problem: v.Problem, Others: v.Others,
		Trust: v.OfferTrust, Inputs: judge([]input{oneTimeCode(otpDigits)}, v.Problem), View: v,
	}
}

func (v MFAPhone) screen() screen {
	in := signUpKinds["phone_number"]
	in.Name, in.Value, in.Required = "phone_number", v.Value, true
	return screen{
		template: "factor", prompt: "mfa-sms", name: "mfa-sms-enrollment", Frame: v.Frame, Action: v.Action, Problem: v.Problem, Others: v.Others,
		Inputs: judge([]input{in}, v.Problem), View: v,
	}
}

func (v MFARecovery) screen() screen {
	in := oneTimeCode(64)
	in.Autocomplete, in.Mode = "off", "text"
	return screen{
		template: "factor", prompt: "mfa-recovery-code", name: "mfa-recovery-code-challenge", Frame: v.Frame, Action: v.Action, Problem: v.Problem,
		Others: v.Others, Inputs: judge([]input{in}, v.Problem), View: v,
	}
}

func (v MFAChoose) screen() screen {
	return screen{template: "choose", prompt: "mfa", name: "mfa-begin-enroll-options", Frame: v.Frame, Others: v.Others, View: v}
}

func (v MFAEnroll) screen() screen {
	return screen{
		template: "enroll", prompt: "mfa-otp", name: "mfa-otp-enrollment-qr", Frame: v.Frame, Action: v.Action, Problem: v.Problem, Others: v.Others,
		Inputs: judge([]input{oneTimeCode(otpDigits)}, v.Problem), values: map[string]string{"account": v.Account}, View: v,
	}
}

// Picture is the QR code as a URL.
func (v MFAEnroll) Picture() template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(v.PNG)) //nolint:gosec // base64 has nothing to escape
}

// Groups is the secret, four letters at a time.
func (v MFAEnroll) Groups() string {
	var b strings.Builder
	for i, c := range v.Secret {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

func (v RecoveryCode) screen() screen {
	return screen{
		template: "recovery", prompt: "mfa-recovery-code", name: "mfa-recovery-code-enrollment", Frame: v.Frame, Action: v.Action, Problem: v.Problem, View: v,
	}
}

func (v MFAWebAuthn) screen() screen {
	return screen{
		template: "webauthn", prompt: "mfa-webauthn", name: "mfa-webauthn-roaming-challenge", Frame: v.Frame, Action: v.Action, Problem: v.Problem,
		Others: v.Others, script: "passkey.js", View: v,
	}
}

func (v PasskeyOffer) screen() screen {
	s := screen{
		template: "passkeyoffer", prompt: "passkeys", name: "passkey-enrollment", Frame: v.Frame, Action: v.Action, Problem: v.Problem, script: "passkey.js", View: v,
	}
	switch v.Kind {
	case SecurityKey:
		s.prompt, s.name = "mfa-webauthn", "mfa-webauthn-roaming-enrollment"
	case PlatformKey:
		s.prompt, s.name = "mfa-webauthn", "mfa-webauthn-platform-enrollment"
	}
	return s
}

func (v Consent) screen() screen {
	return screen{
		template: "consent", prompt: "consent", name: "consent", Frame: v.Frame, Action: v.Action,
		values: map[string]string{"apiName": v.API, "userName": v.Person}, View: v,
	}
}

func (v DeviceCode) screen() screen {
	in := input{
		Name: "user_code", Type: "text", Label: "codeLabel", Value: v.Value, Autocomplete: "off", Max: 40, Required: true, Code: true,
	}
	return screen{
		template: "devicecode", prompt: "device-flow", name: "device-code-activation", Frame: v.Frame, Action: v.Action, Problem: v.Problem,
		Inputs: judge([]input{in}, v.Problem), View: v,
	}
}

func (v DeviceConfirm) screen() screen {
	return screen{template: "deviceconfirm", prompt: "device-flow", name: "device-code-confirmation", Frame: v.Frame, Action: v.Action, View: v}
}

// told and pressed are the prompts and screens of the kinds.
var (
	told = map[ToldKind][2]string{
		ToldEmailVerified:   {"email-verification", "email-verification-result"},
		ToldPasswordChanged: {"reset-password", "reset-password-success"},
		ToldDeviceDone:      {"device-flow", "device-code-activation-allowed"},
		ToldDeviceDenied:    {"device-flow", "device-code-activation-denied"},
		ToldApproved:        {"async-approval-flow", "async-approval-accepted"},
		ToldApprovalDenied:  {"async-approval-flow", "async-approval-denied"},
		ToldApprovalOther:   {"async-approval-flow", "async-approval-wrong-user"},
		ToldApprovalOver:    {"async-approval-flow", "async-approval-error"},
		ToldSignedOut:       {"logout", "logout-complete"},
		ToldUnblocked:       {"brute-force-protection", "brute-force-protection-unblock-success"},
		ToldEnrolled:        {"mfa", "mfa-enroll-result"},
		ToldLinkUsed:        {"status", "link-used"},
	}
	pressed = map[PressKind][2]string{
		PressVerifyEmail: {"email-verification", "email-verification-confirm"},
		PressUnblock:     {"brute-force-protection", "brute-force-protection-unblock"},
		PressSignOut:     {"logout", "logout"},
		PressMagicLink:   {"login-passwordless", "login-passwordless-email-link-confirm"},
	}
)

func (v Told) screen() screen {
	at := told[v.Kind]
	return screen{template: "told", prompt: at[0], name: at[1], Frame: v.Frame, View: v}
}

// Bad reports that nothing was done.
func (v Told) Bad() bool {
	switch v.Kind {
	case ToldLinkUsed, ToldDeviceDenied, ToldApprovalDenied, ToldApprovalOther, ToldApprovalOver:
		return true
	}
	return false
}

func (v Press) screen() screen {
	at := pressed[v.Kind]
	return screen{template: "press", prompt: at[0], name: at[1], Frame: v.Frame, Action: v.Action, View: v}
}

func (v ResetPassword) screen() screen {
	again := newPassword("againLabel", false)
	again.Name = "again"
	return screen{
		template: "reset", prompt: "reset-password", name: "reset-password", Frame: v.Frame, Action: v.Action, Problem: v.Problem, Rules: v.Rules,
		Inputs: judge([]input{newPassword("newPasswordLabel", len(v.Rules) > 0), again}, v.Problem), View: v,
	}
}

func (v Home) screen() screen {
	return screen{template: "home", prompt: "status", name: "home", View: v}
}

func (v Error) screen() screen {
	return screen{template: "error", prompt: "status", name: "error", View: v}
}

func (v FormPost) screen() screen {
	return screen{template: "formpost", prompt: "status", name: "form-post", Action: v.Action, script: "formpost.js", targets: []string{v.Action}, View: v}
}

func (v HiddenForm) screen() screen {
	return screen{template: "hiddenform", prompt: "status", name: "form-post", Action: v.Action, targets: []string{v.Action}, View: v}
}

func (v WebMessage) screen() screen {
	return screen{template: "webmessage", prompt: "status", name: "web-message", foreign: true, script: "none", View: v}
}

// Response is the answer as an object.
func (v WebMessage) Response() map[string]string {
	m := make(map[string]string, len(v.Answer))
	for _, f := range v.Answer {
		m[f.Name] = f.Value
	}
	return m
}
