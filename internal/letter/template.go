package letter

import (
	"encoding/json"
	"errors"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/liquid"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// Template is a letter as a tenant wants it; empty members: as ours.
type Template struct {
	Name                string
	From, Subject, Body string // Liquid
	// ResultURL is where the browser goes behind the link; Liquid.
	ResultURL string
	// Lifetime of the link; zero: the default.
	Lifetime time.Duration
	// IncludeEmail tells the application at ResultURL the address.
	IncludeEmail bool
	Enabled      bool
}

// names are the contract's (EmailTemplateNameEnum).
var names = []string{
	VerifyEmail, VerifyEmailByCode, SignInByCode, ResetEmail, ResetEmailByCode, WelcomeEmail, BlockedAccount, StolenCredentials,
	EnrollmentEmail, MFACode, UserInvitation, "change_password", "password_reset", AsyncApproval,
}

// Always reports whether a letter goes out even where its template is disabled:
// without it, somebody waits for what never comes.
func Always(name string) bool {
	switch name {
	case ResetEmail, ResetEmailByCode, VerifyEmailByCode, SignInByCode, MFACode, Passwordless, AsyncApproval:
		return true
	}
	return false
}

// maxLifetime keeps arithmetic safe.
const maxLifetime = 100 * 365 * 24 * time.Hour

func templateBody(required ...string) schema.Property {
	nullable := func(name, description string, max int) schema.Property {
		return schema.Property{Name: name, Types: schema.String | schema.Null, Description: description, Max: max}
	}
	return schema.Property{
		Types: schema.Object, Closed: true, Required: required,
		Members: []schema.Property{
			{Name: "template", Types: schema.String, Enum: names, Description: nameDescription},
			nullable("body", "Body of the email template.", liquid.MaxLength),
			nullable("from", "Senders `from` email address.", 1024),
			nullable("resultUrl", "URL to redirect the user to after a successful action.", 2048),
			nullable("subject", "Subject line of the email.", 1024),
			nullable("syntax", "Syntax of the template body.", 64),
			{
				Name: "urlLifetimeInSeconds", Types: schema.Number | schema.Null, Max: int(maxLifetime / time.Second),
				Description: "Lifetime in seconds that the link within the email will be valid for.",
			},
			{Name: "includeEmailInRedirect", Types: schema.Boolean, Description: includeDescription},
			{Name: "enabled", Types: schema.Boolean | schema.Null, Description: "Whether the template is enabled (true) or disabled (false)."},
		},
	}
}

const (
	nameDescription = "Template name. Can be `verify_email`, `verify_email_by_code`, `auth_email_by_code`, `reset_email`, `reset_email_by_code`, " +
		"`welcome_email`, `blocked_account`, `stolen_credentials`, `enrollment_email`, `mfa_oob_code`, `user_invitation`, `async_approval`, " +
		"`change_password` (legacy), or `password_reset` (legacy)."
	includeDescription = "Whether the `reset_email` and `verify_email` templates should include the user's email address as the `email` parameter in the " +
		"returnUrl (true) or whether no email address should be included in the redirect (false). Defaults to true."
)

var (
	wholeTemplate = templateBody("template", "body", "from", "subject", "syntax", "enabled")
	templatePatch = templateBody()
	templatePath  = schema.Property{Name: "templateName", Types: schema.String, Enum: names, Description: nameDescription}
)

// Failures of templates (reference/authentication.md §6.4).
var (
	ErrNoTemplate  = errs.New(errs.NotFound, "inexistent_email_template", "The template does not exist.")
	errOtherName   = errs.New(errs.Invalid, "invalid_body", "The template of the body is not that of the path.")
	errSyntax      = errs.New(errs.Invalid, "invalid_body", "The syntax of a template is liquid.")
	errFrom        = errs.New(errs.Invalid, "invalid_body", "The from of a template is one address, such as id@example.com or Mangrove <id@example.com>.")
	errSubjectLine = errs.New(errs.Invalid, "invalid_body", "The subject of a template is one line.")
	errResultURL   = errs.New(errs.Invalid, "invalid_body", "The resultUrl of a template is an absolute http or https URL.")
)

func errExists(name string) error {
	return errs.New(errs.Conflict, "", "Template %s already exists.", name)
}

// CheckTemplateName refuses a name of a path (invalid_uri).
func CheckTemplateName(name string) error {
	if slices.Contains(names, name) {
		return nil
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		return err
	}
	bad := templatePath.Check("templateName", quoted)
	return &errs.Error{Kind: errs.Invalid, Code: "invalid_uri", Text: bad[0].URI()}
}

// checkTemplate judges a whole template.
func checkTemplate(doc strictjson.Document) error {
	if s := doc.Text("syntax"); doc.Has("syntax") && s != "liquid" {
		return errSyntax
	}
	for _, member := range []string{"from", "subject", "body", "resultUrl"} {
		if err := CheckLiquid(member, doc.Text(member)); err != nil {
			return err
		}
	}
	if from := doc.Text("from"); from != "" && !strings.Contains(from, "{") {
		if _, err := mail.ParseAddress(from); err != nil {
			return errFrom
		}
	}
	if strings.ContainsAny(doc.Text("subject"), "\r\n") {
		return errSubjectLine
	}
	if to := doc.Text("resultUrl"); to != "" && !IsResultURL(fill(to)) {
		return errResultURL
	}
	return nil
}

// CheckLiquid refuses a member that is no template, and says where it is wrong.
func CheckLiquid(member, src string) error {
	_, err := liquid.Parse(src)
	var e *liquid.Error
	if errors.As(err, &e) {
		return errs.New(errs.Invalid, "invalid_body", "The %s is not a Liquid template: %s", member, e.Error())
	}
	return err
}

// fill is a template with something plausible for its variables.
func fill(src string) string {
	t, err := liquid.Parse(src)
	if err != nil {
		return ""
	}
	s, err := t.Render(map[string]any{
		"application": map[string]any{"name": "x", "clientID": "x", "callback_domain": "https://x.example"},
	}, liquid.Limits{})
	if err != nil {
		return ""
	}
	return s
}

// IsResultURL reports whether a browser may be sent there (security.md 86).
func IsResultURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && len(s) <= 2048 &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

// ReadTemplate reads a stored template; nil is one that was never made.
func ReadTemplate(name string, raw json.RawMessage) Template {
	if raw == nil {
		return Template{Name: name, IncludeEmail: true, Enabled: name != WelcomeEmail}
	}
	doc := strictjson.ParseDocument(raw)
	t := Template{
		Name: name, From: doc.Text("from"), Subject: doc.Text("subject"), Body: doc.Text("body"), ResultURL: doc.Text("resultUrl"),
		IncludeEmail: !doc.Has("includeEmailInRedirect") || doc.Flag("includeEmailInRedirect"), Enabled: doc.Flag("enabled"),
	}
	var seconds float64
	if doc.Has("urlLifetimeInSeconds") && json.Unmarshal(doc["urlLifetimeInSeconds"], &seconds) == nil && seconds >= 1 {
		t.Lifetime = time.Duration(min(seconds, maxLifetime.Seconds())) * time.Second
	}
	return t
}
