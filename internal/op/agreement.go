package op

import (
	"context"
	"errors"
	"slices"
	"strings"

	"mangrove/internal/client"
	"mangrove/internal/consent"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/resourceserver"
	"mangrove/internal/user"
)

// granted is what an authorization request may be answered with.
type granted struct {
	user   *user.User
	api    *resourceserver.ResourceServer // nil: tokens for /userinfo
	scopes []string                       // of the requested, in their order; what this user may have
}

// granted looks at the API as it is now. A refusal comes as *oauth.AuthorizeError.
func (e *Endpoints) granted(ctx context.Context, c *client.Client, req oauth.AuthorizeRequest, u *user.User) (granted, error) {
	g := granted{user: u}
	var allowed []string
	if req.Audience != "" {
		rs, err := e.apiNamed(ctx, req.Audience)
		if errors.Is(err, resourceserver.ErrNotFound) {
			return granted{}, authorizeError("access_denied", "Service not found: "+req.Audience)
		}
		if err != nil {
			return granted{}, err
		}
		scopes, refusal, err := e.apiScopesFor(ctx, c, rs)
		if err != nil {
			return granted{}, err
		}
		if refusal != nil {
			return granted{}, refusal
		}
		g.api, allowed = rs, scopes
	}
	var err error
	if g.scopes, _, err = e.narrow(ctx, c, g.api, u.ID, grantScopes(req.Scope, false, allowed)); err != nil {
		return granted{}, err
	}
	if response, ok := oauth.ParseResponse(req.ResponseType); ok && !response.Code {
		// Refresh tokens come for a code alone.
		g.scopes = oauth.Without(g.scopes, []string{offlineAccess})
	}
	if _, err := idTokenSigning(c, g.scopes); err != nil {
		return granted{}, authorizeError(errs.From(err).Code, errs.From(err).Text)
	}
	return g, nil
}

// Question is what the person has to be asked before the request is answered,
// prompt=consent included. A refusal comes as *oauth.AuthorizeError.
func (e *Endpoints) Question(ctx context.Context, req oauth.AuthorizeRequest, u *user.User) (consent.Question, error) {
	c, err := e.loginClient(ctx, req.ClientID)
	if err != nil {
		return consent.Question{}, err
	}
	return e.question(ctx, c, req, u)
}

func (e *Endpoints) question(ctx context.Context, c *client.Client, req oauth.AuthorizeRequest, u *user.User) (consent.Question, error) {
	g, err := e.granted(ctx, c, req, u)
	if err != nil {
		return consent.Question{}, err
	}
	needed, err := e.consentNeeded(ctx, c, req, g, contains(strings.Fields(req.Prompt), "consent"))
	if err != nil {
		return consent.Question{}, err
	}
	return e.ask(c, g, needed), nil
}

// ask words the question.
func (e *Endpoints) ask(c *client.Client, g granted, needed bool) consent.Question {
	q := consent.Question{Needed: needed, UserID: string(g.user.ID), ClientID: c.ID, Audience: e.userinfoAudience()}
	var defined []resourceserver.Scope
	if g.api != nil {
		s := g.api.Settings()
		q.API, q.APIName, q.Audience, defined = g.api.ID, s.Name, g.api.Identifier, s.Scopes
	}
	for _, name := range g.scopes {
		line := consent.Scope{Name: name}
		if i := slices.IndexFunc(defined, func(s resourceserver.Scope) bool { return s.Value == name }); i >= 0 {
			line.Description = defined[i].Description
		}
		q.Scope = append(q.Scope, line)
	}
	return q
}

// consented refuses the answer when a consent is missing. That the person was
// asked because of prompt=consent is the login's business.
func (e *Endpoints) consented(ctx context.Context, c *client.Client, req oauth.AuthorizeRequest, g granted) error {
	needed, err := e.consentNeeded(ctx, c, req, g, false)
	if err == nil && needed {
		return errConsentRequired
	}
	return err
}

// consentNeeded gathers the facts of consent.Needed.
func (e *Endpoints) consentNeeded(ctx context.Context, c *client.Client, req oauth.AuthorizeRequest, g granted, asked bool) (bool, error) {
	if req.Approval != "" {
		return false, nil // the person is shown the scopes of each such request, and decides
	}
	t, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return false, err
	}
	s := c.Settings()
	facts := consent.Facts{
		FirstParty: s.IsFirstParty,
		Asked:      asked,
		// A device shows its code to the person instead.
		Verifiable: req.DeviceCode != "" || s.SkipNonVerifiablePrompt || t.SkipNonVerifiablePrompt || oauth.Verifiable(req.RedirectURI),
		Scope:      g.scopes,
	}
	api := ""
	if g.api != nil {
		api = g.api.ID
		facts.SkipsFirstParty = g.api.Settings().SkipFirstPartyConsent
		facts.APIScope = oauth.Intersect(g.scopes, g.api.Settings().ScopeValues())
	}
	// Most requests are answered without a look at what is stored.
	if !consent.Needed(facts) || asked {
		return asked, nil
	}
	there, err := e.d.Consents.Consent(ctx, string(g.user.ID), c.ID, api)
	if errors.Is(err, consent.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	facts.Known, facts.Allowed = true, there.Scope
	return consent.Needed(facts), nil
}
