package op

import (
	"errors"
	"mime"
	"net/http"
	"strings"

	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/token"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Failures of /userinfo (RFC 6750 §3.1).
var (
	errToken     = errs.New(errs.Unauthenticated, "invalid_token", "The access token is missing, expired, or not for this endpoint.")
	errNoOpenID  = errs.New(errs.Forbidden, "insufficient_scope", "The access token has no openid scope.")
	errTwoTokens = errs.New(errs.Invalid, "invalid_request", "The access token was sent in more than one way.")
)

// userinfo is GET and POST /userinfo: the claims of the token's user, read anew
// (reference/authentication.md §3.13).
func (e *Endpoints) userinfo(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	raw, err := bearerOf(r)
	if err != nil {
		return err
	}
	subject, clientID, scopes, err := e.holder(r, raw)
	if err != nil {
		return err
	}
	if !contains(scopes, "openid") {
		return errNoOpenID
	}
	ctx := r.Context()
	if err := e.limitUser(w, subject); err != nil {
		return err
	}
	if _, err := e.d.Clients.Client(ctx, clientID); errors.Is(err, client.ErrNotFound) {
		return errToken
	} else if err != nil {
		return err
	}
	u, err := e.active(ctx, subject, errToken)
	if errors.Is(err, user.ErrBlocked) {
		return errToken
	}
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, token.WriteClaims(string(u.ID), token.Claims(u, scopes)))
	return nil
}

// holder finds whose token it is and what it may show: a JWT for /userinfo, or
// an opaque token.
func (e *Endpoints) holder(r *http.Request, raw string) (subject, clientID string, scopes []string, err error) {
	ctx := r.Context()
	if strings.Contains(raw, ".") {
		b, err := e.verifier.VerifyFor(ctx, raw, e.userinfoAudience())
		switch {
		case err == nil && !b.Machine():
			return b.Subject, b.ClientID, b.Scopes, nil
		case err == nil || errs.KindOf(err) == errs.Unauthenticated:
			return "", "", nil, errToken
		}
		return "", "", nil, err
	}
	o, err := e.d.Tokens.Opaque(ctx, token.HashOf(raw), e.d.Now().UnixMicro())
	if errors.Is(err, token.ErrToken) {
		return "", "", nil, errToken
	}
	return o.UserID, o.ClientID, oauth.ParseScope(o.Scope), err
}

// bearerOf takes the token from the header or from a posted form, never from
// the query (RFC 9700 §4.3.2).
func bearerOf(r *http.Request) (string, error) {
	header := r.Header.Get("Authorization")
	scheme, raw, _ := strings.Cut(header, " ")
	raw = strings.TrimSpace(raw)
	if header != "" && (!strings.EqualFold(scheme, "Bearer") || raw == "") {
		return "", errToken
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Method == http.MethodPost && kind == "application/x-www-form-urlencoded" {
		p, err := web.Params(r)
		if err != nil {
			return "", err
		}
		if body := p["access_token"]; body != "" {
			if raw != "" {
				return "", errTwoTokens
			}
			raw = body
		}
	}
	if raw == "" {
		return "", errToken
	}
	return raw, nil
}

func renderUserinfo(w http.ResponseWriter, _ *http.Request, err error) {
	web.NoStore(w)
	if p := problemOf(err); p.status == http.StatusUnauthorized || p.status == http.StatusForbidden {
		w.Header().Set("WWW-Authenticate", `Bearer realm="Users", error="`+p.code+`"`)
	}
	writeOAuth(w, web.TypeJSON, err)
}
