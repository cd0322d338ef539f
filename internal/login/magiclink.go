package login

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/page"
	onetime "mangrove/internal/passwordless"
	"mangrove/internal/user"
)

// errLink answers every link that is unknown, over or used.
var errLink = errs.New(errs.Invalid, "invalid_request", "This link has expired or was already used. Please sign in again.")

// errLinkElsewhere: the tenant lets links be followed in the browser that asked alone.
var errLinkElsewhere = errs.New(errs.Invalid, "invalid_request", "This link has to be opened in the browser in which it was asked for.")

// linkMembers are the parameters of a verify_redirect beside those of an
// authorization request.
var linkMembers = []string{"connection", "email", "phone_number", "verification_code"}

// requestMembers are those of the authorization request.
var requestMembers = []string{
	"client_id", "scope", "audience", "redirect_uri", "response_type", "response_mode", "state", "nonce",
	"code_challenge", "code_challenge_method", "ui_locales", "acr_values",
}

// Browser is the hash of the cookie by which a login knows this browser again;
// empty: it has none.
func (f *Flow) Browser(r *http.Request) string {
	v := cookieValue(r, f.browserCookie())
	if v == "" {
		return ""
	}
	return hash(v)
}

// link is a verify_redirect that was read: a link of a mail, or a code that an
// application took itself and sends the browser here with.
type link struct {
	p       *pass
	c       *connection.Connection
	attempt onetime.Attempt
	sent    url.Values // what a form has to bring again
	// asked: this browser asked for the link.
	asked bool
}

// followLink is GET /passwordless/verify_redirect?…. The browser that asked for the
// link goes straight on. Any other gets a button, so that whoever looks through
// mails and follows links uses nothing up (security.md 84).
func (f *Flow) followLink(w http.ResponseWriter, r *http.Request) error {
	v, err := query(r)
	if err != nil {
		return err
	}
	l, done, err := f.readLink(w, r, v)
	if done || err != nil {
		return err
	}
	if l.asked {
		return f.useLink(w, r, l)
	}
	view := page.Press{Frame: f.frame(l.p), Kind: page.PressMagicLink, Action: onetime.VerifyPath}
	for _, name := range slices.Concat(linkMembers, requestMembers) {
		if value := l.sent.Get(name); value != "" {
			view.Fields = append(view.Fields, page.Field{Name: name, Value: value})
		}
	}
	return f.show(w, r, http.StatusOK, view)
}

// pressLink is the form of that button.
func (f *Flow) pressLink(w http.ResponseWriter, r *http.Request, v url.Values) error {
	l, done, err := f.readLink(w, r, v)
	if done || err != nil {
		return err
	}
	return f.useLink(w, r, l)
}

// readLink finds what a link asks for and judges it as /authorize does, all
// without using it up. done: the request was answered.
func (f *Flow) readLink(w http.ResponseWriter, r *http.Request, v url.Values) (_ *link, done bool, err error) {
	ctx := r.Context()
	over := func(why *errs.Error) (*link, bool, error) {
		f.refused(r, v.Get("client_id"), nil, why.Text)
		return nil, true, f.show(w, r, http.StatusBadRequest, page.Told{Kind: page.ToldLinkUsed, Text: toldOf(why)})
	}
	c, err := f.d.Connections.ConnectionByName(ctx, v.Get("connection"))
	if err != nil && errs.KindOf(err) == errs.NotFound {
		return over(errLink)
	}
	if err != nil {
		return nil, false, err
	}
	l := &link{c: c, sent: v, attempt: onetime.Attempt{
		Connection: c, Recipient: cmp.Or(v.Get("email"), v.Get("phone_number")), Code: v.Get("verification_code"), ClientID: v.Get("client_id"),
	}}
	if wayKind, ok := wayOf(c, l.attempt.ClientID, f.spoken); !ok || wayKind.kind != passwordless {
		return over(errLink)
	}
	request, why, err := f.linkRequest(ctx, r, l)
	if err != nil {
		return nil, false, err
	}
	if why != nil {
		return over(why)
	}
	req, err := f.d.Validate(r, request)
	var refused *oauth.AuthorizeError
	if errors.As(err, &refused) {
		f.refused(r, l.attempt.ClientID, c, refused.Description)
		return nil, true, f.d.RespondError(w, r, req, refused)
	}
	if err != nil {
		return nil, false, err
	}
	// A link brings no refresh token (reference/connections.md §6.2).
	req.Scope = slices.DeleteFunc(req.Scope, func(s string) bool { return s == "offline_access" })
	client, err := f.d.Clients.Client(ctx, req.ClientID)
	if err != nil {
		return nil, false, err
	}
	l.p = &pass{req: req, client: client}
	return l, false, nil
}

// linkRequest is the authorization request of a link: that which was kept when it
// was asked for, whatever its address says now. A code of digits has the one that
// its application wrote into the address; of the code itself nothing is looked at
// before it is used, for guesses are counted.
func (f *Flow) linkRequest(ctx context.Context, r *http.Request, l *link) (request url.Values, why *errs.Error, err error) {
	request = url.Values{}
	if digits(l.attempt.Code) {
		for _, name := range requestMembers {
			if v := l.sent.Get(name); v != "" {
				request.Set(name, v)
			}
		}
		request.Set("connection", l.c.Name)
		return request, nil, nil
	}
	l.attempt.Link = true
	kept, ok, err := f.d.Passwordless.Pending(ctx, l.attempt)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, errLink, nil
	}
	for name, v := range kept.Params {
		request.Set(name, v)
	}
	here := f.Browser(r)
	l.asked = kept.Browser != "" && subtle.ConstantTimeCompare([]byte(kept.Browser), []byte(here)) == 1
	if kept.Browser == "" || l.asked {
		return request, nil, nil
	}
	settings, err := f.d.Tenant.Settings(ctx)
	if err == nil && !settings.MagicLinkWithoutSession {
		return nil, errLinkElsewhere, nil
	}
	return request, nil, err
}

// digits reports a code that people type.
func digits(code string) bool {
	code = strings.TrimSpace(code)
	return code != "" && strings.Trim(code, "0123456789") == ""
}

// toldOf is the text of a page about a link; the catalogues have the common one.
func toldOf(why *errs.Error) string {
	if why == errLink {
		return ""
	}
	return why.Text
}

// useLink signs the owner in.
func (f *Flow) useLink(w http.ResponseWriter, r *http.Request, l *link) error {
	u, err := f.d.Passwordless.Redeem(r.Context(), l.attempt, f.actor(r, l.p))
	switch {
	case codeProblem(err) != "":
		f.refused(r, l.p.client.ID, l.c, errs.From(err).Text)
		return f.show(w, r, http.StatusBadRequest, page.Told{Frame: f.frame(l.p), Kind: page.ToldLinkUsed})
	case errors.Is(err, user.ErrBlocked), errors.Is(err, user.ErrSignupDisabled):
		return f.notSignedIn(w, r, l.p, l.c, err)
	case err != nil:
		return err
	}
	if err := f.create(w, r, l.p); err != nil {
		return err
	}
	return f.proven(w, r, l.p, u, l.c, codeMethod(l.c.Class()))
}
