package page

// Problem is why the last try failed, by its name in the catalogues of texts; a
// name that is in none is shown as it is. Empty: nothing failed.
type Problem string

// The problems that pages know.
const (
	WrongCredentials  Problem = "wrong-credentials"   // identifier or password
	WrongCode         Problem = "wrong-code"          // of a mail, a message, an authenticator
	CodeExpired       Problem = "code-expired"        // ask for another
	TooManyTries      Problem = "too-many-tries"      // of one code
	AccountLocked     Problem = "account-locked"      // after many wrong passwords
	AddressLocked     Problem = "address-locked"      // too many failures from this address
	TooManyRequests   Problem = "too-many-requests"   // throttled; try again later
	Busy              Problem = "busy"                // more sign-ins than can be served
	MissingInput      Problem = "missing-input"       // a field is empty
	InvalidEmail      Problem = "invalid-email"       //
	InvalidPhone      Problem = "invalid-phone"       //
	InvalidUsername   Problem = "invalid-username"    //
	InvalidInput      Problem = "invalid-input"       // some other field
	PasswordWeak      Problem = "password-weak"       // Rules say which
	PasswordCommon    Problem = "password-common"     //
	PasswordPersonal  Problem = "password-personal"   //
	PasswordUsed      Problem = "password-used"       // history
	PasswordMismatch  Problem = "password-mismatch"   // the two are not the same
	SignupRefused     Problem = "signup-refused"      // taken, without saying so
	SignupTaken       Problem = "signup-taken"        // where the tenant says so
	SignupDisabled    Problem = "signup-disabled"     //
	MessageNotSent    Problem = "message-not-sent"    // the SMS gateway failed
	WrongUserCode     Problem = "wrong-user-code"     // of a device
	PasskeyFailed     Problem = "passkey-failed"      // not known, or cancelled
	WrongRecoveryCode Problem = "wrong-recovery-code" //

	// Of a directory elsewhere, whose administrators can help.
	AccountDisabled Problem = "account-disabled" //
	AccountExpired  Problem = "account-expired"  //
	PasswordExpired Problem = "password-expired" //
	PasswordChange  Problem = "password-change"  // to be changed before it is of use
	Unreachable     Problem = "unreachable"      // does not answer
	NoAnswer        Problem = "no-answer"        // the database of passwords, which is elsewhere
)

// Frame is what every page of a login has.
type Frame struct {
	// Application is the client's name; empty: it is not named.
	Application string
	// Locales is ui_locales of the request. Behind it come the browser's wishes,
	// and then the tenant's first language.
	Locales string
	// ReturnTo is the redirect URI to which the answer to a form may lead.
	ReturnTo string
	// Elsewhere: the answer to a form may lead to an identity provider, wherever it is.
	Elsewhere bool
}

// Link leads somewhere on our own origin.
type Link struct {
	Label string // of a connection; pages word the other links themselves
	URL   string // a path of ours
	// Icon is the address of an image of a connection; empty, or not https: none.
	Icon string
}

// Identifiers says what a person may be known by.
type Identifiers struct{ Email, Username, Phone bool }

// Identifier asks who the person is (prompt login-id). Without Identifiers it
// offers Ways alone. Form: username; with a passkey: passkey, the JSON of the
// PublicKeyCredential.
type Identifier struct {
	Frame
	Action      string
	Identifiers Identifiers
	Value       string
	Problem     Problem
	Ways        []Link // identity providers
	SignupURL   string // empty: no sign-up
	// PasskeyOptions is the JSON of PublicKeyCredentialRequestOptions; empty: no passkeys.
	PasskeyOptions string
	// PasskeyButton and PasskeyAutofill: how they are offered (passkey_options.challenge_ui).
	PasskeyButton, PasskeyAutofill bool
}

// Password asks for the password (prompt login-password). Form: username (fixed), password.
type Password struct {
	Frame
	Action  string
	Value   string // the identifier
	EditURL string // back to the identifier; empty: it is fixed
	// Both: identifier and password on one page (prompt login; identifier_first is off).
	Both        bool
	Identifiers Identifiers // of Both
	Problem     Problem
	ForgotURL   string // empty: not offered
	CodeURL     string // a one-time code instead; empty: not offered
	SignupURL   string
	Ways        []Link
}

// SignUp makes an account (prompt signup). Form: the names of Fields, and password.
type SignUp struct {
	Frame
	Action   string
	Fields   []SignUpField
	Password bool
	// Rules are what the password has to be.
	Rules    []Rule
	Problem  Problem
	LoginURL string
	Ways     []Link
}

// SignUpField is email, phone_number, username, name, given_name, family_name or nickname.
type SignUpField struct {
	Name     string
	Value    string
	Required bool
	Problem  Problem
}

// Rule of a password: a code of passwd.Rule with its numbers, and the codes of its items.
type Rule struct {
	Code  string
	Args  []any
	Items []string
	// Broken by the last try.
	Broken bool
}

// ForgotPassword asks where to send the link (prompt reset-password). Form: username.
type ForgotPassword struct {
	Frame
	Action      string
	Identifiers Identifiers
	Value       string
	Problem     Problem
	BackURL     string
}

// CheckMail says that a link was sent, if there is such an account.
type CheckMail struct {
	Frame
	// Reset: the link sets a new password. Otherwise it signs in.
	Reset   bool
	Address string // as typed
	// ResendAction posts nothing but itself; empty: not offered.
	ResendAction string
	BackURL      string
}

// ChannelKind is by which way a one-time code came.
type ChannelKind string

// The channels.
const (
	ByEmail ChannelKind = "email"
	BySMS   ChannelKind = "sms"
)

// OneTimeCode asks for a code that was sent (prompts login-passwordless, mfa-email,
// mfa-sms). Form: code; resend=1 asks for another.
type OneTimeCode struct {
	Frame
	Action  string
	Channel ChannelKind
	// SecondFactor: the code is one; otherwise it signs in.
	SecondFactor bool
	Recipient    string // as typed, or masked for a second factor
	Length       int
	Problem      Problem
	Resent       bool // another code was just sent
	EditURL      string
	Others       []Link // other second factors, worded by their factor name in Label
	OfferTrust   bool   // "remember this device"; form: trust=1
}

// MFACode asks for the code of an authenticator application (prompt mfa-otp). Form: code, trust.
type MFACode struct {
	Frame
	Action     string
	Problem    Problem
	Others     []Link // Label: recovery-code, webauthn, sms, email, otp
	OfferTrust bool
}

// MFAPhone asks for the number of a phone that becomes a second factor (prompt
// mfa-sms, screen mfa-sms-enrollment). Form: phone_number.
type MFAPhone struct {
	Frame
	Action  string
	Value   string
	Problem Problem
	Others  []Link // other kinds that can be enrolled
}

// MFARecovery asks for a recovery code (prompt mfa-recovery-code). Form: code.
type MFARecovery struct {
	Frame
	Action  string
	Problem Problem
	Others  []Link
}

// MFAChoose lets a person choose a factor to enroll (prompt mfa). Others' Label is
// a factor name.
type MFAChoose struct {
	Frame
	Others []Link
}

// MFAEnroll shows the secret of a new authenticator application (prompt mfa-otp,
// screen mfa-otp-enrollment). Form: code.
type MFAEnroll struct {
	Frame
	Action  string
	PNG     []byte // the QR code
	Secret  string // base32, for typing
	Account string
	Problem Problem
	Others  []Link
}

// RecoveryCode shows a new recovery code, once. Form: saved=1.
type RecoveryCode struct {
	Frame
	Action  string
	Code    string
	Problem Problem
}

// MFAWebAuthn asks for a security key as a second factor (prompt mfa-webauthn). Form: passkey.
type MFAWebAuthn struct {
	Frame
	Action  string
	Options string // JSON of PublicKeyCredentialRequestOptions
	Problem Problem
	Others  []Link
}

// KeyKind is what a PasskeyOffer makes.
type KeyKind string

// The kinds of keys.
const (
	PasskeyKey  KeyKind = ""         // a passkey, in the place of a password
	SecurityKey KeyKind = "roaming"  // a second factor of its own
	PlatformKey KeyKind = "platform" // a second factor in this device
)

// PasskeyOffer offers to make a passkey (prompt passkeys), or a key as a second
// factor (prompt mfa-webauthn). Form: passkey (JSON of the new credential), or skip=1.
type PasskeyOffer struct {
	Frame
	Kind    KeyKind
	Action  string
	Options string // JSON of PublicKeyCredentialCreationOptions
	Problem Problem
}

// Consent asks for the person's agreement (prompt consent). Form: decision=accept or deny.
type Consent struct {
	Frame
	Action string
	Person string // whom it concerns
	API    string // its name; empty: the profile alone
	Scopes []ConsentScope
	// Message is what the application says that it shows, to be compared; empty: nothing.
	Message string
}

// ConsentScope is one line of the list.
type ConsentScope struct {
	Name        string
	Description string // of the API; empty: the page words openid, profile, … itself
}

// DeviceCode asks for the code that a device shows (prompt device-flow). Form: user_code.
type DeviceCode struct {
	Frame
	Action  string
	Value   string
	Problem Problem
}

// DeviceConfirm shows the code again before anything is given to the device.
// Form: decision=accept or deny.
type DeviceConfirm struct {
	Frame
	Action string
	Code   string
}

// Home is what the public URL itself shows (prompt status, screen home): what this
// server is for, to somebody whom no application sent.
type Home struct{}

// Told says what came of something; Kind names the text in the catalogues.
type Told struct {
	Frame
	Kind ToldKind
	// Text replaces the catalogue's, for what has no name there.
	Text string
	// NextURL leads on; empty: nowhere.
	NextURL string
}

// ToldKind is what is told.
type ToldKind string

// What is told.
const (
	ToldEmailVerified   ToldKind = "email-verified"
	ToldPasswordChanged ToldKind = "password-changed"
	ToldDeviceDone      ToldKind = "device-done"
	ToldDeviceDenied    ToldKind = "device-denied"
	ToldApproved        ToldKind = "approved"
	ToldApprovalDenied  ToldKind = "approval-denied"
	ToldApprovalOther   ToldKind = "approval-other" // the request is for somebody else
	ToldApprovalOver    ToldKind = "approval-over"
	ToldSignedOut       ToldKind = "signed-out"
	ToldUnblocked       ToldKind = "unblocked"
	ToldEnrolled        ToldKind = "enrolled"  // a second factor
	ToldLinkUsed        ToldKind = "link-used" // a mailed link that is over; an error page
)

// Press asks for one press of a button, so that a scanner that follows links
// changes nothing. Kind names the text.
type Press struct {
	Frame
	Kind   PressKind
	Action string
	Fields []Field
}

// PressKind is what the button does.
type PressKind string

// What is pressed for.
const (
	PressVerifyEmail PressKind = "verify-email"
	PressUnblock     PressKind = "unblock"
	PressSignOut     PressKind = "sign-out"
	PressMagicLink   PressKind = "magic-link"
)

// ResetPassword asks for a new password behind a mailed link (prompt
// reset-password, screen reset-password). Form: password, again.
type ResetPassword struct {
	Frame
	Action  string
	Rules   []Rule
	Problem Problem
}

// WebMessage answers an authorization request to the page that opened this one,
// or has it in a frame. It may be framed, and by anybody: it says something to
// Target alone (reference/authentication.md §2.7).
type WebMessage struct {
	Target string // an origin
	Answer []Field
}
