package op

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/job"
)

var (
	errUnreachable = errs.New(errs.Unavailable, "", "The client could not be reached.")
	errUnwilling   = errs.New(errs.Invalid, "", "The client refused the message.")
)

// TellLogout sends a logout token to the client (reference/authentication.md
// §4.5). What the client answers beyond its status is nobody's business.
func (e *Endpoints) TellLogout(ctx context.Context, clientID, userID, sessionID string) error {
	c, err := e.d.Clients.Client(ctx, clientID)
	if errors.Is(err, client.ErrNotFound) {
		return job.ErrNobody
	}
	if err != nil {
		return err
	}
	to := c.Settings().Backchannel.URL
	if to == "" {
		return job.ErrNobody
	}
	if e.d.Outbound == nil {
		return errUnreachable
	}
	logout, err := e.mint.LogoutToken(ctx, clientID, userID, sessionID)
	if err != nil {
		return err
	}
	form := url.Values{"logout_token": {logout}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form))
	if err != nil {
		return errUnwilling.Because(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := e.d.Outbound.Do(r)
	if err != nil {
		return errUnreachable.Because(err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4096)) // lets the connection be used again
	_ = res.Body.Close()
	return toldBy(res.StatusCode)
}

// toldBy reads the client's status: a yes, a no for good, or a failure that may pass.
func toldBy(status int) error {
	switch {
	case status == http.StatusOK || status == http.StatusNoContent:
		return nil
	case status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout:
		return errUnreachable
	}
	return errUnwilling
}
