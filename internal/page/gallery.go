package page

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// Sample is one page in one state.
type Sample struct {
	Name   string
	Status int
	View   View
}

// Hostile is a text that tries to leave its place; every page of the gallery
// that shows a name is there with it.
const Hostile = "<img src=x onerror=alert(1)>\"'`></script>\u2028{{.}}</title>${clientName}"

// long is a name that nobody reckoned with.
var long = strings.Repeat("Donaudampfschifffahrtsgesellschaft", 4)

// Gallery is every page in every state, for tests, screenshots and eyes. No
// database is needed. The samples of a page begin with its name.
func Gallery() []Sample {
	return append(append(append(signingIn(), secondFactors()...), agreeing()...), results()...)
}

// frame is of a login for an application; bare has none.
var (
	frame        = Frame{Application: "Tide Tables", ReturnTo: "https://app.example/cb"}
	bare         = Frame{}
	hostileFrame = Frame{Application: Hostile, ReturnTo: "https://a.example;script-src *", Locales: Hostile}
	longFrame    = Frame{Application: long}
	email        = Identifiers{Email: true}
	anything     = Identifiers{Email: true, Username: true, Phone: true}
	ways         = []Link{{Label: "Acme", URL: "/u/login/connection?state=abc&connection=acme"}, {Label: "Google", URL: "/u/login/connection?state=abc&connection=google"}}
	hostileWays  = []Link{{Label: Hostile, URL: "javascript:alert(1)", Icon: Hostile}, {Label: long, URL: "/u/login/connection?state=" + Hostile}}
)

// getOptions and createOptions are what go-webauthn writes.
const (
	getOptions    = `{"publicKey":{"challenge":"Y2hhbGxlbmdl","timeout":60000,"rpId":"localhost","userVerification":"preferred"}}`
	createOptions = `{"publicKey":{"rp":{"name":"Mangrove","id":"localhost"},"user":{"name":"ada@example.test","displayName":"Ada","id":"YWRh"},"challenge":"Y2hhbGxlbmdl","pubKeyCredParams":[{"type":"public-key","alg":-7},{"type":"public-key","alg":-257}],"timeout":60000,"authenticatorSelection":{"residentKey":"required","userVerification":"preferred"}}}`
)

// hostileOptions is JSON with a hostile text in it.
var hostileOptions = func() string {
	b, err := json.Marshal(map[string]string{"challenge": "AA", "rpId": Hostile})
	if err != nil {
		panic(err) // a map of texts
	}
	return string(b)
}()

// problems are all that pages know.
var problems = []Problem{
	WrongCredentials, WrongCode, CodeExpired, TooManyTries, AccountLocked, AddressLocked, TooManyRequests, Busy, MissingInput, InvalidEmail, InvalidPhone,
	InvalidUsername, InvalidInput, PasswordWeak, PasswordCommon, PasswordPersonal, PasswordUsed, PasswordMismatch, SignupRefused, SignupTaken, SignupDisabled,
	MessageNotSent, WrongUserCode, PasskeyFailed, WrongRecoveryCode,
	AccountDisabled, AccountExpired, PasswordExpired, PasswordChange, Unreachable, NoAnswer,
}

func signingIn() []Sample {
	const id, pw, up = "/u/login/identifier?state=abc", "/u/login/password?state=abc", "/u/signup?state=abc"
	list := []Sample{
		{"identifier", 200, Identifier{Frame: frame, Action: id, Identifiers: email, SignupURL: up}},
		{"identifier-bare", 200, Identifier{Frame: bare, Action: id, Identifiers: Identifiers{Username: true}}},
		{"identifier-phone", 200, Identifier{Frame: frame, Action: id, Identifiers: Identifiers{Phone: true}}},
		{"identifier-email-username", 200, Identifier{Frame: frame, Action: id, Identifiers: Identifiers{Email: true, Username: true}}},
		{"identifier-email-phone", 200, Identifier{Frame: frame, Action: id, Identifiers: Identifiers{Email: true, Phone: true}}},
		{"identifier-phone-username", 200, Identifier{Frame: frame, Action: id, Identifiers: Identifiers{Phone: true, Username: true}}},
		{"identifier-all", 200, Identifier{
			Frame: frame, Action: id, Identifiers: anything, Value: "ada@example.test", Ways: ways, SignupURL: up,
			PasskeyOptions: getOptions, PasskeyButton: true, PasskeyAutofill: true,
		}},
		{"identifier-ways", 200, Identifier{Frame: frame, Ways: ways}},
		{"identifier-hostile", 400, Identifier{
			Frame: hostileFrame, Action: "javascript:alert(1)", Identifiers: email, Value: Hostile, Problem: Hostile, Ways: hostileWays,
			SignupURL: "javascript:alert(1)", PasskeyOptions: hostileOptions, PasskeyButton: true,
		}},
		{"identifier-long", 400, Identifier{Frame: longFrame, Action: id, Identifiers: anything, Value: long, Problem: Problem(long), Ways: hostileWays[1:], SignupURL: up}},
		{"password", 200, Password{Frame: frame, Action: pw, Value: "ada@example.test", EditURL: id, ForgotURL: "/u/reset-password/request?state=abc", SignupURL: up}},
		{"password-phone", 200, Password{Frame: frame, Action: pw, Value: "+34600000000", EditURL: id}},
		{"password-fixed", 400, Password{Frame: frame, Action: pw, Value: "ada", Problem: WrongCredentials, CodeURL: "/u/login/code?state=abc", Ways: ways}},
		{"password-both", 200, Password{Frame: frame, Action: pw, Both: true, Identifiers: email, ForgotURL: "/f", CodeURL: "/c", SignupURL: up, Ways: ways}},
		{"password-both-wrong", 400, Password{Frame: bare, Action: pw, Both: true, Identifiers: anything, Value: "ada", Problem: WrongCredentials}},
		{"password-hostile", 400, Password{Frame: hostileFrame, Action: "javascript:alert(1)", Value: Hostile, EditURL: Hostile, Problem: Hostile, ForgotURL: "javascript:alert(1)"}},
		{"password-long", 400, Password{Frame: longFrame, Action: pw, Value: long, EditURL: id, Problem: Problem(long)}},
		{"signup", 200, SignUp{Frame: frame, Action: up, Fields: []SignUpField{{Name: "email", Required: true}}, Password: true, Rules: strong(false), LoginURL: id, Ways: ways}},
		{"signup-all", 200, SignUp{Frame: frame, Action: up, Fields: everyField(""), LoginURL: id}},
		{"signup-wrong", 400, SignUp{
			Frame: frame, Action: up, Password: true, Rules: strong(true), Problem: PasswordWeak, LoginURL: id,
			Fields: []SignUpField{{Name: "email", Value: "ada", Required: true, Problem: InvalidEmail}, {Name: "username", Value: "ada", Required: true}, {Name: "name"}},
		}},
		{"signup-hostile", 400, SignUp{
			Frame: hostileFrame, Action: "javascript:alert(1)", Fields: everyField(Hostile), Problem: Hostile, Password: true,
			Rules: []Rule{{Code: Hostile, Args: []any{Hostile}, Items: []string{Hostile}, Broken: true}},
		}},
		{"forgot", 200, ForgotPassword{Frame: frame, Action: "/u/reset-password/request?state=abc", Identifiers: email, Value: "ada@example.test", BackURL: id}},
		{"forgot-hostile", 400, ForgotPassword{Frame: hostileFrame, Action: "/f", Identifiers: anything, Value: Hostile, Problem: Hostile, BackURL: "javascript:alert(1)"}},
		{"checkmail", 200, CheckMail{Frame: frame, Reset: true, Address: "ada@example.test", ResendAction: "/r", BackURL: id}},
		{"checkmail-link", 200, CheckMail{Frame: frame, Address: "ada@example.test", ResendAction: "/r", BackURL: id}},
		{"checkmail-hostile", 200, CheckMail{Frame: hostileFrame, Reset: true, Address: Hostile}},
		{"code-email", 200, OneTimeCode{Frame: frame, Action: "/c", Channel: ByEmail, Recipient: "ada@example.test", Length: 6, EditURL: id}},
		{"code-email-resent", 200, OneTimeCode{Frame: frame, Action: "/c", Channel: ByEmail, Recipient: "ada@example.test", Length: 6, Resent: true}},
		{"code-sms", 400, OneTimeCode{Frame: frame, Action: "/c", Channel: BySMS, Recipient: "+34600000000", Length: 4, Problem: WrongCode, EditURL: id}},
		{"code-sms-resent", 200, OneTimeCode{Frame: frame, Action: "/c", Channel: BySMS, Recipient: "+34600000000", Length: 6, Resent: true}},
		{"code-hostile", 400, OneTimeCode{Frame: hostileFrame, Action: "javascript:alert(1)", Channel: ByEmail, Recipient: Hostile, Problem: Hostile, EditURL: Hostile}},
		{"reset", 200, ResetPassword{Frame: frame, Action: "/u/reset-password?ticket=abc", Rules: strong(false)}},
		{"reset-weak", 400, ResetPassword{Frame: frame, Action: "/u/reset-password?ticket=abc", Rules: everyRule(), Problem: PasswordWeak}},
		{"reset-mismatch", 400, ResetPassword{Frame: bare, Action: "/u/reset-password?ticket=abc", Problem: PasswordMismatch}},
		{"reset-hostile", 400, ResetPassword{Frame: hostileFrame, Action: "javascript:alert(1)", Problem: Hostile}},
	}
	for _, p := range problems {
		list = append(list, Sample{"problem-" + string(p), 400, Password{Frame: frame, Action: pw, Both: true, Identifiers: anything, Problem: p}})
	}
	return list
}

func secondFactors() []Sample {
	others := []Link{{Label: "otp", URL: "/o"}, {Label: "sms", URL: "/s"}, {Label: "email", URL: "/e"}, {Label: "webauthn", URL: "/w"}, {Label: "recovery-code", URL: "/r"}}
	return []Sample{
		{"mfa-otp", 200, MFACode{Frame: frame, Action: "/m", Others: others[3:], OfferTrust: true}},
		{"mfa-otp-wrong", 400, MFACode{Frame: frame, Action: "/m", Problem: WrongCode}},
		{"mfa-otp-hostile", 400, MFACode{Frame: hostileFrame, Action: "javascript:alert(1)", Problem: Hostile, Others: hostileWays}},
		{"mfa-email", 200, OneTimeCode{Frame: frame, Action: "/m", Channel: ByEmail, SecondFactor: true, Recipient: "a**@e******.test", Length: 6, Others: others, OfferTrust: true}},
		{"mfa-email-resent", 200, OneTimeCode{Frame: frame, Action: "/m", Channel: ByEmail, SecondFactor: true, Recipient: "a**@e******.test", Length: 6, Resent: true}},
		{"mfa-sms", 200, OneTimeCode{Frame: frame, Action: "/m", Channel: BySMS, SecondFactor: true, Recipient: "XXXXXXX00", Length: 6}},
		{"mfa-sms-resent", 400, OneTimeCode{Frame: frame, Action: "/m", Channel: BySMS, SecondFactor: true, Recipient: "XXXXXXX00", Length: 6, Resent: true, Problem: TooManyTries}},
		{"mfa-phone", 200, MFAPhone{Frame: frame, Action: "/m", Others: others[:1]}},
		{"mfa-phone-wrong", 400, MFAPhone{Frame: frame, Action: "/m", Value: "12", Problem: InvalidPhone}},
		{"mfa-phone-hostile", 400, MFAPhone{Frame: hostileFrame, Action: "javascript:alert(1)", Value: Hostile, Problem: Hostile, Others: hostileWays}},
		{"mfa-recovery", 200, MFARecovery{Frame: frame, Action: "/m", Others: others[:1]}},
		{"mfa-recovery-wrong", 400, MFARecovery{Frame: frame, Action: "/m", Problem: WrongRecoveryCode}},
		{"mfa-choose", 200, MFAChoose{Frame: frame, Others: others[:4]}},
		{"mfa-choose-hostile", 200, MFAChoose{Frame: hostileFrame, Others: hostileWays}},
		{"mfa-enroll", 200, MFAEnroll{Frame: frame, Action: "/m", PNG: examplePNG(), Secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", Account: "ada@example.test", Others: others[1:2]}},
		{"mfa-enroll-wrong", 400, MFAEnroll{Frame: frame, Action: "/m", PNG: examplePNG(), Secret: "JBSWY3DPEHPK3PXP", Account: "ada@example.test", Problem: WrongCode}},
		{"mfa-enroll-hostile", 400, MFAEnroll{Frame: hostileFrame, Action: "javascript:alert(1)", PNG: []byte(Hostile), Secret: Hostile, Account: Hostile, Problem: Hostile}},
		{"recovery-code", 200, RecoveryCode{Frame: frame, Action: "/m", Code: "K3PX-9WQ4-7HJD-22MN"}},
		{"recovery-code-unsaved", 400, RecoveryCode{Frame: frame, Action: "/m", Code: "K3PX-9WQ4-7HJD-22MN", Problem: MissingInput}},
		{"recovery-code-hostile", 400, RecoveryCode{Frame: hostileFrame, Action: "javascript:alert(1)", Code: Hostile, Problem: Hostile}},
		{"webauthn", 200, MFAWebAuthn{Frame: frame, Action: "/m", Options: getOptions, Others: others[:1]}},
		{"webauthn-failed", 400, MFAWebAuthn{Frame: frame, Action: "/m", Options: getOptions, Problem: PasskeyFailed}},
		{"passkey-offer", 200, PasskeyOffer{Frame: frame, Action: "/m", Options: createOptions}},
		{"passkey-offer-security-key", 200, PasskeyOffer{Frame: frame, Kind: SecurityKey, Action: "/m", Options: createOptions}},
		{"passkey-offer-platform", 200, PasskeyOffer{Frame: frame, Kind: PlatformKey, Action: "/m", Options: createOptions}},
		{"passkey-offer-hostile", 400, PasskeyOffer{Frame: hostileFrame, Action: "javascript:alert(1)", Options: createOptions, Problem: Hostile}},
	}
}

func agreeing() []Sample {
	scopes := []ConsentScope{{Name: "openid"}, {Name: "profile"}, {Name: "email"}, {Name: "phone"}, {Name: "address"}, {Name: "offline_access"}}
	own := []ConsentScope{{Name: "read:tides", Description: "Read the tide tables of every harbour"}, {Name: "write:tides"}}
	return []Sample{
		{"consent", 200, Consent{Frame: frame, Action: "/u/consent?state=abc", Person: "ada@example.test", Scopes: scopes}},
		{"consent-api", 200, Consent{Frame: frame, Action: "/u/consent?state=abc", Person: "ada@example.test", API: "Harbour API", Scopes: own}},
		{"consent-nothing", 200, Consent{Frame: frame, Action: "/u/consent?state=abc"}},
		{"consent-approval", 200, Consent{Frame: frame, Action: "/u/approval/decision?state=abc", Person: "ada@example.test", API: "Harbour API", Scopes: own, Message: "HARBOUR-42"}},
		{"consent-hostile", 200, Consent{Frame: hostileFrame, Action: "javascript:alert(1)", Person: Hostile, API: Hostile, Scopes: []ConsentScope{{Hostile, Hostile}, {Name: long}}, Message: Hostile}},
		{"device-code", 200, DeviceCode{Frame: bare, Action: "/activate"}},
		{"device-code-wrong", 400, DeviceCode{Frame: bare, Action: "/activate", Value: "BCDF-GHJK", Problem: WrongUserCode}},
		{"device-confirm", 200, DeviceConfirm{Frame: Frame{Application: "Living-room TV"}, Action: "/activate", Code: "BCDF-GHJK"}},
		{"device-confirm-hostile", 200, DeviceConfirm{Frame: hostileFrame, Action: "javascript:alert(1)", Code: Hostile}},
		{"press-verify-email", 200, Press{Frame: frame, Kind: PressVerifyEmail, Action: "/u/email-verification?ticket=abc"}},
		{"press-unblock", 200, Press{Frame: bare, Kind: PressUnblock, Action: "/u/unblock?ticket=abc"}},
		{"press-sign-out", 200, Press{Frame: bare, Kind: PressSignOut, Action: "/v2/logout", Fields: []Field{{"client_id", "abc"}}}},
		{"press-magic-link", 200, Press{Frame: frame, Kind: PressMagicLink, Action: "/passwordless/verify_redirect"}},
		{"press-hostile", 200, Press{Frame: hostileFrame, Kind: PressSignOut, Action: "javascript:alert(1)", Fields: []Field{{Hostile, Hostile}}}},
	}
}

func results() []Sample {
	list := []Sample{
		{"told-link-used", 400, Told{Frame: bare, Kind: ToldLinkUsed}},
		{"told-next", 200, Told{Frame: frame, Kind: ToldPasswordChanged, NextURL: "/u/login?state=abc"}},
		{"told-hostile", 200, Told{Frame: hostileFrame, Kind: ToldSignedOut, Text: Hostile, NextURL: "javascript:alert(1)"}},
		{"home", 200, Home{}},
		{"error", 500, Error{Reference: "01JD8ZK4"}},
		{"error-full", 403, Error{Title: "Callback URL mismatch", Text: "The provided redirect_uri is not in the list of allowed callback URLs.", Code: "unauthorized_client", Reference: "01JD8ZK4"}},
		{"error-not-found", 404, Error{Title: "Not found", Text: "There is nothing at this address."}},
		{"error-hostile", 400, Error{Title: Hostile, Text: Hostile, Code: Hostile, Reference: Hostile}},
		{"form-post", 200, FormPost{Action: "https://app.example/cb", Fields: []Field{{"code", "abc"}, {"state", "xyz"}}}},
		{"form-post-hostile", 200, FormPost{Action: "https://app.example/cb?a=\"><b>", Fields: []Field{{"state", Hostile}, {"submit", "x"}}}},
		{"hidden-form", 200, HiddenForm{Action: "https://id.example/login/callback", Fields: []Field{{"wa", "wsignin1.0"}, {"wresult", Hostile}}}},
		{"web-message", 200, WebMessage{Target: "https://app.example", Answer: []Field{{"code", "abc"}, {"state", "xyz"}}}},
		{"web-message-hostile", 200, WebMessage{Target: "http://localhost:3000", Answer: []Field{{"state", Hostile}, {Hostile, "x"}}}},
	}
	for _, k := range []ToldKind{ToldEmailVerified, ToldPasswordChanged, ToldDeviceDone, ToldDeviceDenied, ToldApproved, ToldApprovalDenied, ToldApprovalOther, ToldApprovalOver, ToldSignedOut, ToldUnblocked, ToldEnrolled} {
		list = append(list, Sample{"told-" + string(k), 200, Told{Frame: frame, Kind: k}})
	}
	for _, e := range [][2]string{
		{"foreign", "This request came from another site."},
		{"malformed", "The request is malformed."},
		{"busy", "Too many sign-ins at once. Please try again in a moment."},
		{"expired", "This sign-in has expired, was already used, or was begun in another browser. Please go back to the application and try again."},
	} {
		list = append(list, Sample{"error-" + e[0], 400, Error{Text: e[1]}})
	}
	return list
}

func strong(broken bool) []Rule {
	return []Rule{
		{Code: "lengthAtLeast", Args: []any{8}, Broken: broken},
		{Code: "containsAtLeast", Args: []any{3, 4}, Items: []string{"lowerCase", "upperCase", "numbers", "specialCharacters"}},
	}
}

func everyRule() []Rule {
	return append(strong(true), Rule{Code: "shouldContain", Items: []string{"lowerCase", "upperCase", "numbers"}, Broken: true},
		Rule{Code: "identicalChars", Args: []any{2, "aaa"}}, Rule{Code: "sequentialChars", Args: []any{2, "abc"}},
		Rule{Code: "maxLength", Args: []any{72}, Broken: true}, Rule{Code: "noNUL"}, Rule{Code: "nonEmpty"})
}

func everyField(value string) []SignUpField {
	var list []SignUpField
	for _, name := range []string{"email", "phone_number", "username", "name", "given_name", "family_name", "nickname"} {
		list = append(list, SignUpField{Name: name, Value: value, Required: name == "email", Problem: Problem(value)})
	}
	return list
}

// examplePNG is the QR code of an invented secret.
func examplePNG() []byte {
	b, err := base64.StdEncoding.DecodeString(exampleQR)
	if err != nil {
		panic(err) // a constant of ours
	}
	return b
}

const exampleQR = "iVBORw0KGgoAAAANSUhEUgAAACkAAAApEAAAAADdm4NpAAACF0lEQVR4nJxXW5KtIAwMlPvfMrc4GvuF92OsmqO8QrqTDswsedbaf/sX7+ztNvfjGfeCpzH29/27321OW+O3Zs/CTLZx+WKYhbH2bwyfOQZaPWLA4Qd8Y2D3Rj3OG+MJk2yMYd8eYVv1jp+LFwJmg3QS2KAaS29p4C9/4qV3IJaA7rHNNdyaeyHo7q82iJ6i0O1eZbJnC7dIW5DPycx8qgQY/jtHwWABT+Nl/sb851unJOneg7Z+9ftiOTEzCJKGqiSBEEi4MKFaVjCW7Z2/gpFp/lu73ocZPAULvSlRJkWAQytcZ7T6lCmfUd3IXo13TnFYkG3YJoufS1MAfOdbFej5X178NvByptC4dCDKOR8+jzGLlNt+dhlWWO6VG3vZdq3UUXBqSh3wPJipUCiB4w5KPCu5WDxJ5FDTiIZR39m63ByM+pmoaVUF0bJba42MqxruR7fxMd58smJPUlS/lA4+hKV4nOJXUYIrbh1ZSV8uAWz5VWQ4sGU3E6Xr8X99nNSqHw9Ybg06pu/JSuawqUiRnY6FKF92WDjUpcfV8ax6TGvdUwh+BHAv+88jiw80L2XnAnf2lEfnOSnYuzx71JhW2ijHX0yesHhJLpQNzjWegFzT23EyHE6ctJFMVXkBPl1X1+kWrBR8lTK/fvHsMJmnXRfjZTegTy2lbll8lMCDb56n/ybeHvfoS+vAoEmWZ+u/AAAA//+rc553XvSs9wAAAABJRU5ErkJggg=="
