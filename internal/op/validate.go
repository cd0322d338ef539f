package op

import (
	"net/http"
	"net/url"

	"mangrove/internal/oauth"
)

// Validate reads the parameters of an authorization request that comes by another
// way than /authorize, by the same rules. With an *oauth.AuthorizeError the request
// can be answered by RespondError; every other error stays on a page of ours.
func (e *Endpoints) Validate(r *http.Request, v url.Values) (oauth.AuthorizeRequest, error) {
	ctx := r.Context()
	p, err := parseParameters(v.Encode())
	if err != nil {
		return oauth.AuthorizeRequest{}, err
	}
	t, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return oauth.AuthorizeRequest{}, err
	}
	c, redirect, err := e.recipient(ctx, p)
	if err != nil {
		return oauth.AuthorizeRequest{}, err
	}
	req, refusal := validate(p, c, redirect, t)
	if err := returnable(c.Settings(), req); err != nil {
		return oauth.AuthorizeRequest{}, err
	}
	if refusal == nil {
		if refusal, err = e.resolve(r, c, p, t, &req); err != nil {
			return oauth.AuthorizeRequest{}, err
		}
	}
	if refusal != nil {
		return req, refusal
	}
	return req, nil
}
