package connection

import (
	"mangrove/internal/strictjson"
)

// Bounds and defaults of one-time codes (reference/connections.md §2.2, §6.2).
const (
	defaultCodeLength   = 6
	minCodeLength       = 4
	maxCodeLength       = 40
	defaultCodeLifetime = 180 // seconds
	minCodeLifetime     = 60
)

// CodeOptions is what the options of a passwordless connection say about its codes.
type CodeOptions struct {
	Length   int   // digits
	Lifetime int64 // seconds
	// Params are options.authParams: what a link asks for unless its request says otherwise.
	Params strictjson.Document
}

// CodeOptions reads totp and authParams.
func (c *Connection) CodeOptions() CodeOptions {
	o := strictjson.ParseDocument(c.Options)
	totp := o.Object("totp")
	v := CodeOptions{Length: defaultCodeLength, Lifetime: defaultCodeLifetime, Params: o.Object("authParams")}
	if n, ok := totp.Number("length"); ok && n >= minCodeLength && n <= maxCodeLength {
		v.Length = n
	}
	if n, ok := totp.Number("time_step"); ok && n >= minCodeLifetime {
		v.Lifetime = int64(n)
	}
	if text := o.Text("authParams"); text != "" {
		v.Params = strictjson.ParseDocument([]byte(text))
	}
	return v
}

// SMSOptions is how an sms connection sends (reference/connections.md §2.3).
type SMSOptions struct {
	Name     string // of the connection, for templates
	Provider string // sms_gateway, twilio, or empty
	Template string
	Liquid   bool // syntax of Template; otherwise md_with_macros

	From, MessagingServiceSID string
	TwilioSID, TwilioToken    string

	GatewayURL         string
	ForwardRequestInfo bool
	// Gateway is gateway_authentication; no Secret: none.
	Gateway GatewayAuthentication
}

// GatewayAuthentication is what a JWT for the gateway is made of.
type GatewayAuthentication struct {
	Subject, Audience, Secret string
	SecretBase64              bool
}

// SMSOptions reads them.
func (c *Connection) SMSOptions() SMSOptions {
	o := strictjson.ParseDocument(c.Options)
	auth := o.Object("gateway_authentication")
	return SMSOptions{
		Name:     orText(o.Text("name"), c.Name),
		Provider: o.Text("provider"),
		Template: o.Text("template"),
		Liquid:   o.Text("syntax") == "liquid",

		From: o.Text("from"), MessagingServiceSID: o.Text("messaging_service_sid"),
		TwilioSID: o.Text("twilio_sid"), TwilioToken: o.Text("twilio_token"),

		GatewayURL:         o.Text("gateway_url"),
		ForwardRequestInfo: o.Flag("forward_req_info"),
		Gateway: GatewayAuthentication{
			Subject: auth.Text("subject"), Audience: auth.Text("audience"),
			Secret: auth.Text("secret"), SecretBase64: auth.Flag("secret_base64_encoded"),
		},
	}
}
