package login

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mangrove/internal/approval"
	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/consent"
	"mangrove/internal/device"
	"mangrove/internal/factor"
	"mangrove/internal/oauth"
	"mangrove/internal/page"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/tenant"
	"mangrove/internal/upstream"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Users is what the flow asks of user.Service. Both record the login and its
// audit event themselves.
type Users interface {
	Authenticate(ctx context.Context, c *connection.Connection, identifier, password string, a user.Actor) (*user.User, error)
	SignUp(ctx context.Context, c *connection.Connection, req user.CreateRequest, a user.Actor) (*user.User, error)
	Federate(ctx context.Context, c *connection.Connection, cl profile.Claims, tokens profile.Value, a user.Actor) (*user.User, error)
	AuthenticateDirectory(ctx context.Context, c *connection.Connection, name string, check func(ctx context.Context, count func(who string) error) (user.Arrival, error), a user.Actor) (*user.User, error)
}

// UserReader finds the user behind a session.
type UserReader interface {
	User(ctx context.Context, id user.ID) (*user.User, error)
}

// Deps is what a Flow works with. All fields are required.
type Deps struct {
	PublicURL   string // https://id.example, with or without a slash at the end
	Clients     client.Store
	Connections connection.Store
	Users       Users
	UserStore   UserReader
	Sessions    session.Store
	Tickets     Tickets
	Connectors  map[string]upstream.Connector // by strategy; each is an upstream.Redirect, Directory or Place
	Page        *page.Renderer
	Audit       audit.Sink
	Tenant      tenant.Reader
	Devices     device.Store
	Approvals   approval.Store
	Now         func() time.Time
	Rand        io.Reader

	// Passwordless sends and checks one-time codes.
	Passwordless Passwordless

	// Respond answers the authorization request for a session; RespondError
	// answers it with an error, of which the record is kept here. Both are op's.
	Respond func(http.ResponseWriter, *http.Request, oauth.AuthorizeRequest, session.Session) error
	// Validate reads the parameters of an authorization request as /authorize does.
	// With an *oauth.AuthorizeError the request can be answered by RespondError.
	Validate     func(r *http.Request, v url.Values) (oauth.AuthorizeRequest, error)
	RespondError func(http.ResponseWriter, *http.Request, oauth.AuthorizeRequest, *oauth.AuthorizeError) error
	// Question is what a person has to be asked before the request is answered; an
	// *oauth.AuthorizeError when it will be refused. It is op's.
	Question func(ctx context.Context, req oauth.AuthorizeRequest, u *user.User) (consent.Question, error)
	Consents consent.Store
	// Factors are second factors and passkeys. Nil: nobody is asked for one.
	Factors *factor.Service
	// SignOut ends the session that a person confirmed to mean, and answers. It is op's.
	SignOut func(w http.ResponseWriter, r *http.Request, fields map[string]string) error
}

// Flow is the browser flow. It keeps nothing in memory: any node can take the
// next step.
type Flow struct {
	d        Deps
	base     string // the public URL without a slash at its end
	callback string // the one redirect URI that providers know
	secure   bool
	origin   *http.CrossOriginProtection
}

// New makes the flow. It panics on a PublicURL that is not a URL.
func New(d Deps) *Flow {
	base := strings.TrimSuffix(d.PublicURL, "/")
	u, err := url.Parse(base)
	if err != nil {
		panic("login: PublicURL: " + err.Error())
	}
	f := &Flow{
		d:        d,
		base:     base,
		callback: base + callbackPath,
		secure:   u.Scheme == "https",
		origin:   http.NewCrossOriginProtection(),
	}
	// Behind a proxy the Host header may differ from what the browser shows.
	if err := f.origin.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
		panic("login: PublicURL: " + err.Error())
	}
	return f
}

// fail draws what must not travel to an application.
func (f *Flow) fail(w http.ResponseWriter, r *http.Request, err error) {
	_ = f.d.Page.Fail(w, r, err, web.RequestID(r)) // Serve has logged err; a page that cannot be drawn leaves an empty answer
}
