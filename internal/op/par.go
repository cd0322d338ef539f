package op

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/pushed"
	"mangrove/internal/tenant"
	"mangrove/internal/web"
)

var errNoPAR = errs.New(errs.NotFound, "invalid_request", "Pushed authorization requests are not enabled for this tenant.")

// credentialParams prove who the client is; they are no part of its request.
var credentialParams = []string{"client_secret", "client_assertion", "client_assertion_type"}

// push is POST /oauth/par (reference/authentication.md §4.7, RFC 9126): the
// client, then the whole authorization request as /authorize checks it.
func (e *Endpoints) push(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	t, err := e.d.Tenant.Settings(r.Context())
	if err != nil {
		return err
	}
	if !t.PARSupported {
		return errNoPAR
	}
	return e.clientEndpoint(audit.PushedRequestNo, http.StatusCreated, func(_ context.Context, q *clientRequest) (any, error) {
		uri, err := e.keepRequest(r, q.client.Client, t, q.params)
		return struct {
			RequestURI string `json:"request_uri"`
			ExpiresIn  int64  `json:"expires_in"`
		}{uri, q.client.Settings().PARExpiry}, err
	})(w, r)
}

// keepRequest checks and stores a pushed request.
func (e *Endpoints) keepRequest(r *http.Request, c *client.Client, t *tenant.Settings, form map[string]string) (string, error) {
	p := parameters{values: form, pushed: true}
	for _, name := range credentialParams {
		delete(form, name)
	}
	form["client_id"] = c.ID
	if p.get("request_uri") != "" {
		return "", errs.New(errs.Invalid, "invalid_request", "request_uri cannot be pushed.")
	}
	_, redirect, err := e.recipient(r.Context(), p)
	if err != nil {
		if errors.Is(err, errCallback) {
			return "", errs.New(errs.Invalid, "invalid_request", "%s", errCallback.Text)
		}
		return "", err
	}
	req, refusal := validate(p, c, redirect, t)
	if refusal == nil {
		if refusal, err = e.resolve(r, c, p, t, &req); err != nil {
			return "", err
		}
	}
	if refusal != nil {
		return "", plainly(refusal)
	}
	values := make(url.Values, len(form))
	for name, v := range form {
		values.Set(name, v)
	}
	uri, hash := pushed.NewReference()
	err = e.d.Pushed.PushRequest(r.Context(), pushed.Request{
		Hash: hash, ClientID: c.ID, Params: []byte(values.Encode()),
		ExpiresAt: e.d.Now().Add(time.Duration(c.Settings().PARExpiry) * time.Second).UnixMicro(),
	})
	return uri, err
}

// plainly is a refusal of the authorization endpoint where there is nobody to
// redirect.
func plainly(refusal *oauth.AuthorizeError) error {
	kind := errs.Invalid
	switch refusal.Code {
	case "access_denied", "unauthorized_client":
		kind = errs.Forbidden
	}
	return errs.New(kind, refusal.Code, "%s", refusal.Description)
}

// unpack replaces parameters that refer to a pushed request by that request:
// beside it nothing but client_id counts (RFC 9126 §4). The reference is used up.
func (e *Endpoints) unpack(ctx context.Context, p parameters) (parameters, error) {
	hash, ok := pushed.HashOf(p.get("request_uri"))
	if !ok {
		return p, nil
	}
	if p.get("client_id") == "" {
		return p, errMissing("client_id")
	}
	r, err := e.d.Pushed.TakePushed(ctx, hash, p.get("client_id"), e.d.Now().UnixMicro())
	if err != nil {
		return p, err
	}
	whole, err := parseParameters(string(r.Params))
	if err != nil {
		return p, err
	}
	whole.pushed = true
	return whole, nil
}
