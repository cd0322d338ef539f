package letter

import (
	"encoding/json"
	"net/mail"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// Provider is the mail server that a tenant names; it takes the place of the
// operator's while it is enabled.
type Provider struct {
	Enabled bool
	From    string // default_from_address; empty: the operator's
	// Host and Port of an SMTP server; User and Password are both there or both empty.
	Host           string
	Port           int
	User, Password string
}

const hostDescription = "SMTP host."

func providerBody(required ...string) schema.Property {
	text := func(name, description string, max int) schema.Property {
		return schema.Property{Name: name, Types: schema.String, Description: description, Min: 1, Max: max, NoControls: true}
	}
	return schema.Property{
		Types: schema.Object, Closed: true, Required: required,
		Members: []schema.Property{
			{
				Name: "name", Types: schema.String,
				Enum: []string{"mailgun", "mandrill", "sendgrid", "resend", "ses", "sparkpost", "smtp", "azure_cs", "ms365", "custom"},
				Description: "Name of the email provider. Can be `mailgun`, `mandrill`, `sendgrid`, `resend`, `ses`, `sparkpost`, `smtp`, " +
					"`azure_cs`, `ms365`, or `custom`.",
			},
			{Name: "enabled", Types: schema.Boolean, Description: "Whether the provider is enabled (true) or disabled (false)."},
			{Name: "default_from_address", Types: schema.String, Description: `Email address to use as "from" when no other address specified.`, Max: 1024},
			{Name: "settings", Types: schema.Object, Closed: true, Description: "Specific provider setting"},
			{
				Name: "credentials", Types: schema.Object, Description: "Credentials required to use the provider.", Min: 1, Closed: true,
				Members: []schema.Property{
					text("smtp_host", hostDescription, 253),
					{Name: "smtp_port", Types: schema.Integer, Description: "SMTP port.", Min: 1, Max: 65535},
					text("smtp_user", "SMTP username.", 512),
					text("smtp_pass", "SMTP password.", 2048),
				},
			},
		},
	}
}

var (
	wholeProvider = providerBody("name", "credentials")
	providerPatch = providerBody()
)

// Failures of providers (reference/authentication.md §6.4). The refusals are ours.
var (
	ErrNoProvider     = errs.New(errs.NotFound, "inexistent_email_provider", "There is not a configured email provider")
	errProviderExists = errs.New(errs.Conflict, "", "Email provider is already configured.")
	errNoHost         = errs.New(errs.Invalid, "invalid_body", "The credentials of smtp need smtp_host.")
	errHost           = errs.New(errs.Invalid, "invalid_body", "The smtp_host is not a host name.")
	errLogin          = errs.New(errs.Invalid, "invalid_body", "The credentials of smtp have smtp_user and smtp_pass, or neither.")
	errDefaultFrom    = errs.New(errs.Invalid, "invalid_body", "The default_from_address is one address, such as id@example.com or Mangrove <id@example.com>.")
	errEmptyPatch     = errs.New(errs.Invalid, "invalid_body", "Payload validation error: 'Too few properties defined (0), minimum 1'.")
)

// other refuses the providers that we do not speak to: one that is stored and
// never used would lose mails.
func other(name string) error {
	if name == "" || name == "smtp" {
		return nil
	}
	return errs.New(errs.Invalid, "operation_not_supported",
		"The email provider %s is not available. Use smtp: %s can be reached by SMTP, too.", name, name)
}

// readProviderBody checks a body and its name before its credentials, which
// differ by it.
func readProviderBody(form *schema.Property, members []strictjson.Member) (strictjson.Document, error) {
	doc := strictjson.NewDocument(members)
	if err := other(known(doc.Text("name"))); err != nil {
		return nil, err
	}
	if bad := form.Check("", strictjson.Join(members)); len(bad) > 0 {
		return nil, schema.Error(bad)
	}
	return doc, nil
}

// known is a name of the contract's, or nothing.
func known(name string) string {
	for _, p := range wholeProvider.Members[0].Enum {
		if p == name {
			return p
		}
	}
	return ""
}

// checkProvider judges a whole provider.
func checkProvider(doc strictjson.Document) error {
	c := doc.Object("credentials")
	host := c.Text("smtp_host")
	switch {
	case host == "":
		return errNoHost
	case strings.ContainsFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_:", r)
	}):
		return errHost
	case (c.Text("smtp_user") == "") != (c.Text("smtp_pass") == ""):
		return errLogin
	}
	if from := doc.Text("default_from_address"); from != "" {
		if _, err := mail.ParseAddress(from); err != nil {
			return errDefaultFrom
		}
	}
	return nil
}

// ReadProvider reads a stored provider; nil is none, which is not enabled.
func ReadProvider(raw json.RawMessage) Provider {
	doc := strictjson.ParseDocument(raw)
	if doc == nil {
		return Provider{}
	}
	c := doc.Object("credentials")
	p := Provider{
		Enabled: !doc.Has("enabled") || doc.Flag("enabled"), From: doc.Text("default_from_address"),
		Host: c.Text("smtp_host"), Port: 587, User: c.Text("smtp_user"), Password: c.Text("smtp_pass"),
	}
	if n, ok := c.Number("smtp_port"); ok {
		p.Port = n
	}
	return p
}

// shownProvider is the wire form: no secret is ever shown.
func shownProvider(raw json.RawMessage) json.RawMessage {
	doc := strictjson.ParseDocument(raw)
	c := doc.Object("credentials")
	delete(c, "smtp_pass")
	doc["credentials"] = c.Encode()
	return doc.Encode()
}
