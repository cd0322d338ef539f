package op

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/oauth"
	"mangrove/internal/session"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

// subject is the session's user, if the client may still be told about.
func (e *Endpoints) subject(ctx context.Context, c *client.Client, s session.Session) (*user.User, *oauth.AuthorizeError, error) {
	conn, err := e.d.Connections.Connection(ctx, s.ConnectionID)
	if err != nil && !errors.Is(err, connection.ErrNotFound) {
		return nil, nil, err
	}
	if err != nil || !usable(conn, c.ID) {
		return nil, authorizeError(errDisabled.Code, errDisabled.Text), nil
	}
	u, err := e.active(ctx, s.UserID, user.ErrNotFound)
	switch {
	case errors.Is(err, user.ErrNotFound):
		return nil, authorizeError("access_denied", user.ErrNotFound.Text), nil
	case errors.Is(err, user.ErrBlocked):
		return nil, authorizeError(user.ErrBlocked.Code, user.ErrBlocked.Text), nil
	}
	return u, nil, err
}

// answer makes what the response type names (reference/authentication.md §2.3).
func (e *Endpoints) answer(ctx context.Context, c *client.Client, req oauth.AuthorizeRequest, s session.Session, response oauth.Response, g granted) ([]Parameter, error) {
	var answer []Parameter
	front := userTokens{
		user:      g.user,
		api:       g.api,
		scopes:    g.scopes,
		methods:   s.Methods,
		nonce:     req.Nonce,
		sessionID: s.ID,
		front:     response,
	}
	if wantsAuthTime(req) {
		front.authTime = time.UnixMicro(s.AuthTime).Unix()
	}
	if response.Code {
		code := newCode(c, req, s, g, e.d.Now())
		front.code = token.NewSecret()
		front.codeHash = token.HashOf(front.code)
		code.Hash = front.codeHash
		if err := e.d.Tokens.SaveCode(ctx, code); err != nil {
			return nil, err
		}
		answer = append(answer, Parameter{"code", front.code})
	}
	if !response.FrontChannel() {
		return answer, nil
	}
	res, err := e.issueUser(ctx, caller{Client: c}, front)
	if err != nil {
		return nil, err
	}
	if response.Token {
		answer = append(answer, Parameter{"access_token", res.AccessToken}, Parameter{"token_type", "Bearer"},
			Parameter{"expires_in", strconv.FormatInt(res.ExpiresIn, 10)})
	}
	if response.IDToken {
		answer = append(answer, Parameter{"id_token", res.IDToken})
	}
	if response.Token && res.Scope != strings.Join(req.Scope, " ") {
		answer = append(answer, Parameter{"scope", res.Scope})
	}
	return answer, nil
}

// wantsAuthTime: the ID token tells when the person signed in.
func wantsAuthTime(req oauth.AuthorizeRequest) bool {
	return req.MaxAge != nil || contains(strings.Fields(req.Prompt), "login")
}

// newCode is what an authorization code stands for, all but its hash.
func newCode(c *client.Client, req oauth.AuthorizeRequest, s session.Session, g granted, now time.Time) token.Code {
	code := token.Code{
		ClientID:      c.ID,
		UserID:        string(g.user.ID),
		SessionID:     s.ID,
		ConnectionID:  s.ConnectionID,
		Scope:         strings.Join(g.scopes, " "),
		Requested:     strings.Join(req.Scope, " "),
		Audience:      req.Audience,
		Nonce:         req.Nonce,
		Challenge:     req.Challenge,
		Method:        req.Method,
		AuthTime:      s.AuthTime,
		WantsAuthTime: wantsAuthTime(req),
		Methods:       strings.Join(s.Methods, " "),
		ExpiresAt:     now.Add(CodeLifetime).UnixMicro(),
	}
	if !slices.Contains(s.Clients, c.ID) {
		code.NoteUntil = s.ExpiresAt
	}
	if req.RedirectSent {
		code.RedirectURI = req.RedirectURI
	}
	return code
}
