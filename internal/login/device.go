package login

import (
	"errors"
	"net/http"
	"net/url"

	"mangrove/internal/audit"
	"mangrove/internal/device"
	"mangrove/internal/guard"
	"mangrove/internal/oauth"
	"mangrove/internal/page"
	"mangrove/internal/session"
	"mangrove/internal/web"
)

const (
	activatePath      = "/activate"
	deviceConfirmPath = "/u/device/confirmation"
	deviceDonePath    = "/device/success"
	deviceDeniedPath  = "/device/failure"
)

// errCancelled is what the device is told.
var errCancelled = &oauth.AuthorizeError{Code: device.ErrDenied.Code, Description: device.ErrDenied.Text}

// showActivate is GET /activate, with user_code where the device showed a whole
// address. The person presses a button all the same: who follows a link has not
// looked at a device (RFC 8628 §5.4).
func (f *Flow) showActivate(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	return f.show(w, r, http.StatusOK, page.DeviceCode{Action: activatePath, Value: device.Shown(q.Get("user_code"))})
}

// activate is POST /activate with user_code: the sign-in begins.
func (f *Flow) activate(w http.ResponseWriter, r *http.Request, form url.Values) error {
	ctx := r.Context()
	typed := form.Get("user_code")
	c, err := device.Find(ctx, f.d.Devices, typed, guard.Network(web.ClientIP(r)), f.d.Now())
	view := page.DeviceCode{Action: activatePath, Value: device.Shown(typed)}
	switch {
	case errors.Is(err, device.ErrGuessing):
		w.Header().Set("Retry-After", "600")
		view.Problem = page.TooManyRequests
		return f.show(w, r, http.StatusTooManyRequests, view)
	case errors.Is(err, device.ErrUnknown):
		event := audit.Event{
			Type: audit.DeviceNotActivated, At: f.now(), Description: "A code was typed that no device shows.",
			IP: web.ClientIP(r), UserAgent: web.UserAgent(r),
		}
		if err := f.d.Audit.AppendEvents(ctx, event); err != nil {
			return err
		}
		view.Problem = page.WrongUserCode
		return f.show(w, r, http.StatusBadRequest, view)
	case err != nil:
		return err
	}
	req := oauth.AuthorizeRequest{ClientID: c.ClientID, Scope: c.Scope, Audience: c.Audience, DeviceCode: c.Hash}
	return f.enter(w, r, req, "")
}

// enter goes on with the browser's session where that is enough for the request,
// and begins a login where it is not. userID is whose session it has to be; empty:
// anybody's.
func (f *Flow) enter(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, userID string) error {
	s, err := f.Session(r)
	if errors.Is(err, session.ErrNone) {
		return f.Start(w, r, req)
	}
	if err != nil {
		return err
	}
	fits, err := f.sessionFits(r, s, req.ClientID)
	if err != nil {
		return err
	}
	if !fits || userID != "" && s.UserID != userID {
		return f.Start(w, r, req)
	}
	return f.Interact(w, r, req, s)
}

// sessionFits reports whether the client's users may sign in the way in which
// the session began.
func (f *Flow) sessionFits(r *http.Request, s session.Session, clientID string) (bool, error) {
	c, err := f.connection(r.Context(), s.ConnectionID)
	return c != nil && c.Active() && c.EnabledFor(clientID), err
}

// confirming opens a login for a device that has come to the confirmation: its
// session has begun, in this browser, with all proofs that are due.
func (f *Flow) confirming(r *http.Request) (*pass, error) {
	p, _, err := f.atEnd(r)
	if err == nil && p.req.DeviceCode == "" {
		err = errExpired
	}
	return p, err
}

// showDevice is GET /u/device/confirmation?state=…: the code again, to be compared.
func (f *Flow) showDevice(w http.ResponseWriter, r *http.Request) error {
	p, err := f.confirming(r)
	if err != nil {
		return err
	}
	c, err := f.d.Devices.Device(r.Context(), p.req.DeviceCode)
	if errors.Is(err, device.ErrUnknown) || err == nil && !c.Usable(f.now()) {
		return f.end(w, r, p, &oauth.AuthorizeError{Code: "invalid_request", Description: device.ErrUnknown.Text})
	}
	if err != nil {
		return err
	}
	return f.show(w, r, http.StatusOK, page.DeviceConfirm{Frame: f.frame(p), Action: at(deviceConfirmPath, p.id), Code: c.UserCode})
}

// decideDevice is POST /u/device/confirmation?state=… with decision.
func (f *Flow) decideDevice(w http.ResponseWriter, r *http.Request, form url.Values) error {
	p, err := f.confirming(r)
	if err != nil {
		return err
	}
	switch form.Get("decision") {
	case "accept":
		return f.skip(w, r, p, stepDevice)
	case "deny":
		return f.end(w, r, p, errCancelled)
	}
	return errDecision
}
