package sms

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/passwordless"
)

// errNotConfigured: the connection says no way to send a message.
var errNotConfigured = providerError("The connection has no SMS provider.")

// errUnreachable is all that is told of a gateway that cannot be reached: not
// where it is, and not why (security.md 98).
var errUnreachable = providerError("Unable to reach the SMS gateway.")

func providerError(format string, args ...any) *errs.Error {
	return errs.New(errs.Invalid, "sms_provider_error", format, args...)
}

// Post sends by what a connection's options say: a gateway of its own, Twilio, or
// files where neither is configured. Client, Log and Now are required.
type Post struct {
	// Client is the guarded one (outbound); its timeout bounds a message.
	Client *http.Client
	// Twilio is the address of Twilio's API; empty: the real one.
	Twilio string
	// Directory gets messages that no provider is configured for; empty: they are
	// refused.
	Directory string
	Log       *slog.Logger
	Now       func() time.Time
}

var _ passwordless.Texter = (*Post)(nil)

// way is how a connection sends.
type way uint8

const (
	nowhere way = iota
	byGateway
	byTwilio
	toFiles
)

// wayOf chooses: the provider that the options name, else Twilio
// (reference/connections.md §2.3), else files.
func wayOf(o connection.SMSOptions, directory string) way {
	switch {
	case o.Provider == "sms_gateway" && o.GatewayURL != "":
		return byGateway
	case o.Provider != "sms_gateway" && o.TwilioSID != "" && o.TwilioToken != "" && (o.From != "" || o.MessagingServiceSID != ""):
		return byTwilio
	case directory != "":
		return toFiles
	}
	return nowhere
}

// SendText implements passwordless.Texter. The log says which connection failed,
// and never the number, the code or the text.
func (p *Post) SendText(ctx context.Context, c *connection.Connection, t passwordless.Text) error {
	o := c.SMSOptions()
	body, err := body(o, t)
	if err != nil {
		p.Log.WarnContext(ctx, "the template of an SMS cannot be rendered; the default was sent", "connection", c.ID)
	}
	switch wayOf(o, p.Directory) {
	case byGateway:
		err = p.gateway(ctx, o, t, body)
	case byTwilio:
		err = p.twilio(ctx, o, t, body)
	case toFiles:
		return p.file(ctx, t, body)
	default:
		return errNotConfigured
	}
	if err != nil {
		p.Log.WarnContext(ctx, "an SMS was not sent", "connection", c.ID, "reason", errs.From(err).Text)
	}
	return err
}

// do sends a request and judges the answer by its status alone.
func (p *Post) do(r *http.Request, ok func(status int) bool) error {
	res, err := p.Client.Do(r)
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection can be used again
	switch {
	case ok(res.StatusCode):
		return nil
	case res.StatusCode == http.StatusUnauthorized:
		return providerError("Authentication failed while calling the SMS gateway: %d", res.StatusCode)
	}
	return providerError("Unexpected response while calling the SMS gateway: %d", res.StatusCode)
}

func unreachable(err error) error {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return providerError("Timeout while calling the SMS gateway: %s", "ETIMEDOUT")
	}
	return errUnreachable
}
