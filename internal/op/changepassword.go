package op

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/ticket"
	"mangrove/internal/web"
)

// Resets mails links that set a new password; *ticket.Service in production.
type Resets interface {
	RequestReset(ctx context.Context, r ticket.ResetRequest) error
}

// resetSent is the whole answer, whoever asks for whomever (reference/authentication.md §4.2).
const resetSent = "We've just sent you an email to reset your password."

// changePassword is POST /dbconnections/change_password. A password in the body
// is the flow of long ago, and without effect.
func (e *Endpoints) changePassword(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	ctx := r.Context()
	p, err := web.Params(r)
	if err != nil {
		return err
	}
	a := actorOf(r, p["client_id"])
	req, err := e.resetRequest(ctx, w, r, p)
	if err != nil {
		event := e.event(audit.ResetNotRequested, a)
		event.Connection, event.Description = clip(p["connection"]), signupFailure(err)
		e.recordRefusal(ctx, event)
		return err
	}
	req.Actor = a
	if err := e.d.Resets.RequestReset(ctx, req); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", web.TypeHTML)
	// A browser that posts a form here draws the sentence as a page.
	h.Set("Content-Security-Policy", "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = io.WriteString(w, resetSent) // a caller who is gone needs no answer
	return nil
}

// resetRequest checks what depends on client and connection alone.
func (e *Endpoints) resetRequest(ctx context.Context, w http.ResponseWriter, r *http.Request, p map[string]string) (ticket.ResetRequest, error) {
	if p["client_id"] == "" {
		return ticket.ResetRequest{}, errMissing("client_id")
	}
	c, err := e.d.Clients.Client(ctx, p["client_id"])
	if errors.Is(err, client.ErrNotFound) || err == nil && c.Global {
		return ticket.ResetRequest{}, errNoClient
	}
	if err != nil {
		return ticket.ResetRequest{}, err
	}
	allowOrigin(w, r, c)
	if p["connection"] == "" {
		return ticket.ResetRequest{}, errMissing("connection")
	}
	conn, err := e.d.Connections.ConnectionByName(ctx, p["connection"])
	if errors.Is(err, connection.ErrNotFound) || err == nil && !conn.Class().HasPasswords() {
		return ticket.ResetRequest{}, errNoSuchConnection
	}
	if err != nil {
		return ticket.ResetRequest{}, err
	}
	if !usable(conn, c.ID) {
		return ticket.ResetRequest{}, errDisabled
	}
	identifier := ""
	for _, name := range []string{profile.Email, profile.Username, profile.PhoneNumber} {
		if identifier == "" {
			identifier = strings.TrimSpace(p[name])
		}
	}
	if identifier == "" {
		return ticket.ResetRequest{}, bareError("email is required")
	}
	return ticket.ResetRequest{Connection: conn, Identifier: identifier, Language: requestLanguage(r)}, nil
}
