package ticket

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
)

// Request is a body that asks for a ticket, or for a verification mail.
type Request struct {
	UserID user.ID // empty: ConnectionID and Email say who
	// ConnectionID and Email are of POST /tickets/password-change alone.
	ConnectionID, Email string
	Identity            *Identity // nil: the primary
	ResultURL           string
	ClientID            string
	OrganizationID      string
	Lifetime            time.Duration
	IncludeEmail        bool
	MarksVerified       bool
}

// Identity names one of the user's identities.
type Identity struct {
	Provider, UserID string
	ConnectionID     string // empty: any
}

// Refusals of combinations that no schema can tell (the contract's own words).
var (
	errBoth       = errs.New(errs.Invalid, "invalid_body", "You cannot send user_id when specifying a connection_id.")
	errNoUserID   = errs.New(errs.Invalid, "invalid_body", "If you set identity, you must also send the user_id parameter.")
	errResultURL  = errs.New(errs.Invalid, "invalid_body", "result_url cannot be specified when using client_id or organization_id.")
	connectionIDs = regexp.MustCompile(`^con_[A-Za-z0-9]{16}$`)
)

// providers are the contract's (IdentityProviderEnum).
var providers = strings.Fields(`ad adfs amazon apple dropbox bitbucket auth0-oidc auth0 baidu bitly box custom daccount dwolla
	email evernote-sandbox evernote exact facebook fitbit github google-apps google-oauth2 instagram ip line linkedin oauth1
	oauth2 office365 oidc okta paypal paypal-sandbox pingfederate planningcenter salesforce-community salesforce-sandbox
	salesforce samlp sharepoint shopify shop sms soundcloud thirtysevensignals twitter untappd vkontakte waad weibo
	windowslive wordpress yahoo yandex`)

func identityForm(description, providerDescription string, providers ...string) schema.Property {
	return schema.Property{
		Name: "identity", Types: schema.Object, Closed: true, Required: []string{"user_id", "provider"}, Description: description,
		Members: []schema.Property{
			{Name: "user_id", Types: schema.String, Description: "user_id of the identity."},
			{Name: "provider", Types: schema.String, Enum: providers, Description: providerDescription},
			{Name: "connection_id", Types: schema.String, Pattern: connectionIDs, Description: "connection_id of the identity."},
		},
	}
}

var (
	userID = schema.Property{
		Name: "user_id", Types: schema.String, Format: schema.FormatUserID, Description: "user_id of for whom the ticket should be created.",
	}
	clientID       = schema.Property{Name: "client_id", Types: schema.String, Min: 1, Max: 255, NoControls: true, Description: "ID of the client (application)."}
	organizationID = schema.Property{
		Name: "organization_id", Types: schema.String, Min: 1, Max: 50, NoControls: true,
		Description: "(Optional) Organization ID – the ID of the Organization.",
	}
	verifiedIdentity = identityForm(
		"This must be provided to verify primary social, enterprise and passwordless email identities. Also, is needed to verify secondary identities.",
		"Identity provider name of the identity (e.g. `google-oauth2`).", providers...)
	common = []schema.Property{
		userID, clientID, organizationID,
		{
			Name: "result_url", Types: schema.String, Format: schema.FormatURL,
			Description: "URL the user will be redirected to in the classic Universal Login experience once the ticket is used.",
		},
		{
			Name: "ttl_sec", Types: schema.Integer, Max: int(maxLifetime / time.Second),
			Description: "Number of seconds for which the ticket is valid before expiration. If unspecified or set to 0, this value defaults to 432000 seconds (5 days).",
		},
		{
			Name: "includeEmailInRedirect", Types: schema.Boolean,
			Description: "Whether to include the email address as part of the returnUrl in the reset_email (true), or not (false).",
		},
	}

	// VerifyEmailTicketRequestContent.
	verifyBody = schema.Property{
		Types: schema.Object, Closed: true, Required: []string{"user_id"}, Members: append([]schema.Property{verifiedIdentity}, common...),
	}
	// ChangePasswordTicketRequestContent.
	passwordBody = schema.Property{
		Types: schema.Object, Closed: true,
		Members: append([]schema.Property{
			identityForm("The user's identity. If you set this value, you must also send the user_id parameter.",
				"Identity provider name of the identity. Only `auth0` is supported", "auth0"),
			{Name: "connection_id", Types: schema.String, Pattern: connectionIDs, Description: "ID of the connection."},
			{Name: "email", Types: schema.String, Format: schema.FormatEmail, Description: "Email address of the user for whom the tickets should be created."},
			{
				Name: "mark_email_as_verified", Types: schema.Boolean,
				Description: "Whether to set the email_verified attribute to true (true) or whether it should not be updated (false).",
			},
		}, common...),
	}
	// CreateVerificationEmailRequestContent.
	mailBody = schema.Property{
		Types: schema.Object, Closed: true, Required: []string{"user_id"},
		Members: []schema.Property{userID, clientID, organizationID, verifiedIdentity},
	}
)

// wire is all that a body can have.
type wire struct {
	UserID         string      `json:"user_id"`
	ConnectionID   string      `json:"connection_id"`
	Email          string      `json:"email"`
	ResultURL      string      `json:"result_url"`
	ClientID       string      `json:"client_id"`
	OrganizationID string      `json:"organization_id"`
	Lifetime       json.Number `json:"ttl_sec"`
	IncludeEmail   bool        `json:"includeEmailInRedirect"`
	MarksVerified  bool        `json:"mark_email_as_verified"`
	Identity       *struct {
		Provider     string `json:"provider"`
		UserID       string `json:"user_id"`
		ConnectionID string `json:"connection_id"`
	} `json:"identity"`
}

// ReadRequest reads the body of POST /tickets/{email-verification,password-change}
// (reference/users.md §3.11). Errors: schema.Error, *errs.Error.
func ReadRequest(purpose Purpose, members []strictjson.Member) (Request, error) {
	if purpose == VerifyEmail {
		return read(&verifyBody, members)
	}
	r, err := read(&passwordBody, members)
	if err != nil {
		return Request{}, err
	}
	switch byAddress := r.ConnectionID != "" || r.Email != ""; {
	case r.UserID != "" && byAddress:
		return Request{}, errBoth
	case r.Identity != nil && byAddress:
		return Request{}, errNoUserID
	case r.UserID == "" && !byAddress:
		return Request{}, schema.Error{schema.Missing("user_id")}
	case byAddress && r.Email == "":
		return Request{}, schema.Error{schema.Missing("email")}
	case byAddress && r.ConnectionID == "":
		return Request{}, schema.Error{schema.Missing("connection_id")}
	}
	return r, nil
}

// ReadMailRequest reads the body of POST /jobs/verification-email.
func ReadMailRequest(members []strictjson.Member) (Request, error) { return read(&mailBody, members) }

func read(form *schema.Property, members []strictjson.Member) (Request, error) {
	raw := strictjson.Join(members)
	if bad := form.Check("", raw); len(bad) > 0 {
		return Request{}, schema.Error(bad)
	}
	var w wire
	if err := json.Unmarshal(raw, &w); err != nil {
		return Request{}, err
	}
	if w.ResultURL != "" && (w.ClientID != "" || w.OrganizationID != "") {
		return Request{}, errResultURL
	}
	r := Request{
		UserID: user.ID(w.UserID), ConnectionID: w.ConnectionID, Email: w.Email, ResultURL: w.ResultURL, ClientID: w.ClientID,
		OrganizationID: w.OrganizationID, IncludeEmail: w.IncludeEmail, MarksVerified: w.MarksVerified, Lifetime: lifetime(w.Lifetime),
	}
	if w.Identity != nil {
		r.Identity = &Identity{Provider: w.Identity.Provider, UserID: w.Identity.UserID, ConnectionID: w.Identity.ConnectionID}
	}
	return r, nil
}

// lifetime of a checked ttl_sec; 1e3 and 1000.0 are 1000, and 0 is the default.
func lifetime(n json.Number) time.Duration {
	seconds, err := strconv.ParseFloat(string(n), 64)
	if err != nil || seconds < 1 {
		return DefaultLifetime
	}
	return time.Duration(seconds) * time.Second
}
