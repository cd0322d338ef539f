package op

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/device"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/resourceserver"
	"mangrove/internal/session"
	"mangrove/internal/token"
	"mangrove/internal/web"
)

// Where a person is told what came of a device's sign-in.
const (
	deviceDone   = "/device/success"
	deviceDenied = "/device/failure"
)

// deviceResponse is the answer to a device, members in the order of §3.11.
type deviceResponse struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	URI        string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	ExpiresIn  int64  `json:"expires_in"`
	Interval   int64  `json:"interval"`
}

// deviceClient says whether a client may sign people in by a device code.
func deviceClient(s *client.Settings) error {
	switch {
	case !s.Allows(deviceGrant):
		return errGrantType(deviceGrant)
	case !s.Public() || s.AppType != client.Native:
		return errs.New(errs.Forbidden, "unauthorized_client", "The device flow is for native applications without a secret.")
	}
	return nil
}

// codeTries is how many user codes are drawn when the first are in use.
const codeTries = 4

// deviceAuthorization is POST /oauth/device/code (reference/authentication.md §3.11).
func (e *Endpoints) deviceAuthorization(ctx context.Context, q *clientRequest) (any, error) {
	c := q.client
	if err := deviceClient(c.Settings()); err != nil {
		return nil, err
	}
	t, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return nil, err
	}
	audience, err := e.agreedAudience(ctx, q)
	if err != nil {
		return nil, err
	}
	scope, err := scopeParam(q.params["scope"])
	if err != nil {
		return nil, err
	}
	if _, err := idTokenSigning(c.Client, scope); err != nil {
		return nil, err
	}
	secret := token.NewSecret()
	code := device.Code{
		Hash: token.HashOf(secret), ClientID: c.ID, Scope: scope, Audience: audience, State: device.Pending,
		ExpiresAt: e.d.Now().Add(device.Lifetime).UnixMicro(),
	}
	err = device.ErrTaken
	for range codeTries {
		if !errors.Is(err, device.ErrTaken) {
			break
		}
		code.UserCode = device.NewUserCode(t.DeviceCharset, t.DeviceMask)
		err = e.d.Devices.SaveDevice(ctx, code)
	}
	if err != nil {
		return nil, err
	}
	uri := e.issuer + "activate"
	return deviceResponse{
		DeviceCode: secret, UserCode: code.UserCode, URI: uri, Complete: uri + "?user_code=" + url.QueryEscape(code.UserCode),
		ExpiresIn: int64(device.Lifetime / time.Second), Interval: int64(device.Interval / time.Second),
	}, nil
}

// agreedAudience is the identifier of the API for which somebody will agree to a
// token, elsewhere; empty: for /userinfo.
func (e *Endpoints) agreedAudience(ctx context.Context, q *clientRequest) (string, error) {
	audience, err := e.audience(ctx, q.params)
	if err != nil || audience == "" || audience == e.userinfoAudience() {
		return "", err
	}
	api, err := e.api(q.http, audience)
	if errors.Is(err, resourceserver.ErrNotFound) {
		return "", errs.New(errs.Forbidden, "access_denied", "Service not enabled within domain: %s", audience)
	}
	if err != nil {
		return "", err
	}
	switch _, refused, err := e.userAPI(ctx, q.client.Client, api); {
	case err != nil:
		return "", err
	case refused, api == e.mfaAPI: // who agrees elsewhere may not know that it is about their factors
		return "", errs.New(errs.Forbidden, "access_denied", `Client is not authorized to access "%s".`, audience)
	}
	return api.Identifier, nil
}

// deviceCode is a device asking what became of its code.
func (e *Endpoints) deviceCode(ctx context.Context, t *clientRequest) (tokenResponse, error) {
	if t.params["device_code"] == "" {
		return tokenResponse{}, errMissing("device_code")
	}
	if err := deviceClient(t.client.Settings()); err != nil {
		return tokenResponse{}, err
	}
	var code device.Code
	var verdict error
	err := e.d.Devices.ChangeDevice(ctx, token.HashOf(t.params["device_code"]), func(c *device.Code) ([]audit.Event, error) {
		verdict = c.Poll(t.client.ID, e.d.Now().UnixMicro())
		code = *c
		return nil, nil
	})
	if err == nil {
		err = verdict
	}
	if err != nil {
		// That nobody has decided yet is no outcome.
		t.recorded = errors.Is(err, device.ErrPending) || errors.Is(err, device.ErrSlowDown)
		return tokenResponse{}, err
	}
	t.event.UserID = code.UserID
	s := session.Session{UserID: code.UserID, ID: code.SessionID, ConnectionID: code.ConnectionID, AuthTime: code.AuthTime, Methods: code.Methods}
	return e.issueAgreed(ctx, t, s, code.Audience, code.Scope)
}

// issueAgreed gives a client what the person agreed to elsewhere, in that session,
// as far as it is still so.
func (e *Endpoints) issueAgreed(ctx context.Context, t *clientRequest, s session.Session, audience string, scope []string) (tokenResponse, error) {
	c := t.client
	u, refusal, err := e.subject(ctx, c.Client, s)
	if err != nil {
		return tokenResponse{}, err
	}
	if refusal != nil {
		return tokenResponse{}, errs.New(errs.Forbidden, refusal.Code, "%s", refusal.Description)
	}
	g, err := e.granted(ctx, c.Client, oauth.AuthorizeRequest{Audience: audience, Scope: scope}, u)
	var unfit *oauth.AuthorizeError
	if errors.As(err, &unfit) {
		return tokenResponse{}, errs.New(errs.Forbidden, unfit.Code, "%s", unfit.Description)
	}
	if err != nil {
		return tokenResponse{}, err
	}
	tokens := userTokens{
		user: u, api: g.api, scopes: g.scopes, sessionID: s.ID, methods: s.Methods, signedInAt: s.AuthTime, actor: t.actor,
	}
	res, err := e.issueUser(ctx, c, tokens)
	t.event.Details = details(audience, res.Scope)
	return res, err
}

// respondDevice gives the device the sign-in of a person who has confirmed its
// code, and tells the person.
func (e *Endpoints) respondDevice(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, s session.Session) error {
	ctx := r.Context()
	c, err := e.loginClient(ctx, req.ClientID)
	if err != nil {
		return err
	}
	u, refusal, err := e.subject(ctx, c, s)
	if err == nil && refusal == nil {
		var g granted
		if g, err = e.granted(ctx, c, req, u); err == nil {
			err = e.consented(ctx, c, req, g)
		}
		errors.As(err, &refusal)
	}
	if refusal != nil {
		return e.refuseDevice(w, r, req, refusal)
	}
	if err != nil {
		return err
	}
	if err := e.SessionClient(ctx, s, c.ID); err != nil {
		return err
	}
	err = e.d.Devices.ChangeDevice(ctx, req.DeviceCode, func(d *device.Code) ([]audit.Event, error) {
		if !d.Usable(e.d.Now().UnixMicro()) {
			return nil, device.ErrUnknown
		}
		d.State, d.UserID, d.SessionID, d.ConnectionID, d.AuthTime, d.Methods = device.Approved, s.UserID, s.ID, s.ConnectionID, s.AuthTime, s.Methods
		return nil, nil
	})
	if errors.Is(err, device.ErrUnknown) {
		return e.refuseDevice(w, r, req, authorizeError("invalid_request", device.ErrUnknown.Text))
	}
	if err != nil {
		return err
	}
	web.NoStore(w)
	location(w, r, deviceDone)
	return nil
}

// refuseDevice tells the device and the person that nothing came of it.
func (e *Endpoints) refuseDevice(w http.ResponseWriter, r *http.Request, req oauth.AuthorizeRequest, refusal *oauth.AuthorizeError) error {
	kind := audit.DeviceNotActivated
	if refusal.Code == "access_denied" {
		kind = audit.DeviceCancelled
	}
	event := e.event(kind, actorOf(r, req.ClientID))
	event.Description = refusal.Description
	err := e.d.Devices.ChangeDevice(r.Context(), req.DeviceCode, func(d *device.Code) ([]audit.Event, error) {
		if d.Usable(e.d.Now().UnixMicro()) {
			d.State = device.Denied
		}
		return []audit.Event{event}, nil
	})
	if err != nil && !errors.Is(err, device.ErrUnknown) {
		return err
	}
	web.NoStore(w)
	location(w, r, deviceDenied)
	return nil
}
