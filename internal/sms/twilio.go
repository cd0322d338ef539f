package sms

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/passwordless"
)

const twilioAPI = "https://api.twilio.com"

// twilio sends by Twilio's Messages resource.
func (p *Post) twilio(ctx context.Context, o connection.SMSOptions, t passwordless.Text, body string) error {
	base := p.Twilio
	if base == "" {
		base = twilioAPI
	}
	form := url.Values{"To": {t.To}, "Body": {body}}
	if o.MessagingServiceSID != "" {
		form.Set("MessagingServiceSid", o.MessagingServiceSID)
	} else {
		form.Set("From", o.From)
	}
	to := base + "/2010-04-01/Accounts/" + url.PathEscape(o.TwilioSID) + "/Messages.json"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return errUnreachable
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(o.TwilioSID, o.TwilioToken)
	return p.do(r, func(status int) bool { return status/100 == 2 })
}
