package op

import (
	"context"
	"errors"
	"net/http"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/passwordless"
	"mangrove/internal/web"
)

// verifyPasswordless is POST /passwordless/verify, which says whether a code is
// right and leaves it for the verify_redirect that follows.
func (e *Endpoints) verifyPasswordless(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	ctx := r.Context()
	p, err := web.Params(r)
	if err != nil {
		return err
	}
	a := actorOf(r, p["client_id"])
	if err = e.checkCode(ctx, p); err != nil {
		event := e.event(audit.LoginFailed, a)
		event.Description, event.Connection = problemOf(err).text, clip(p["connection"])
		e.recordRefusal(ctx, event)
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte("ok"))
	return nil
}

// checkCode judges the code of a verify.
func (e *Endpoints) checkCode(ctx context.Context, p map[string]string) error {
	// The older form of the request has the names of the password grant.
	name, code := p["email"], p["verification_code"]
	if name == "" {
		name = p["phone_number"]
	}
	if name == "" {
		name = p["username"]
	}
	if code == "" {
		code = p["password"]
	}
	switch {
	case p["connection"] == "":
		return errProperty("connection")
	case code == "":
		return errMissing("verification_code")
	}
	conn, err := e.passwordlessConnection(ctx, p["connection"])
	if err != nil {
		return err
	}
	if id := p["client_id"]; !conn.Active() || id != "" && !conn.EnabledFor(id) {
		return errStartDisabled
	}
	err = e.d.Passwordless.Check(ctx, passwordless.Attempt{Connection: conn, Recipient: name, Code: code})
	switch f := errs.From(err); {
	case err == nil:
		return nil
	case errors.Is(err, passwordless.ErrTries):
		return errs.New(errs.TooMany, "too_many_attempts", "%s", f.Text)
	case f.Code == "invalid_grant":
		return errs.New(errs.Unauthenticated, "invalid_user_password", "%s", f.Text)
	}
	return err
}
