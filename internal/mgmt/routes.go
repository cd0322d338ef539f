package mgmt

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/consent"
	"mangrove/internal/customdb"
	"mangrove/internal/factor"
	"mangrove/internal/grant"
	"mangrove/internal/guard"
	"mangrove/internal/job"
	"mangrove/internal/key"
	"mangrove/internal/letter"
	"mangrove/internal/refresh"
	"mangrove/internal/resourceserver"
	"mangrove/internal/role"
	"mangrove/internal/session"
	"mangrove/internal/tenant"
	"mangrove/internal/ticket"
	"mangrove/internal/token"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Prefix is where the API is mounted.
const Prefix = "/api/v2"

// Deps is what the API needs. All fields are required but those that say so.
type Deps struct {
	Users           *user.Service
	UserStore       user.Store
	Connections     *connection.Service
	ConnectionStore connection.Store
	ConnectionKeys  *connection.KeyService
	Clients         *client.Service
	ClientStore     client.Store
	Credentials     *client.CredentialService
	Keys            *key.Service
	Grants          *grant.Service
	ResourceServers *resourceserver.Service
	Roles           *role.Service
	Consents        consent.Store
	Logs            audit.Reader
	Sessions        session.Directory
	RefreshTokens   refresh.Directory
	Jobs            job.Store
	Tickets         *ticket.Service
	Factors         *factor.Service
	Tenant          *tenant.Service
	Letters         *letter.Service
	MailChanged     func(ctx context.Context) // is told of another mail provider; may be nil
	Guard           *guard.Service
	// DirectoryStatus is nil when a server of the connection's directory answers. Nil:
	// there are no directories.
	DirectoryStatus func(ctx context.Context, c *connection.Connection) error
	Migrations      customdb.MigrationStore
	WakeJobs        func() // tells the runner that there is work; may be nil
	Tokens          *token.Verifier
	Now             func() time.Time
	// ImportLimit is the largest import file in bytes; 0: DefaultImportLimit.
	ImportLimit int64
	// ImportJobs is how many imports may be pending or processing; 0: any number.
	ImportJobs int64
	// PublicURL is the server's address without a slash at its end.
	PublicURL string
	// Audiences are further identifiers of this API, for hosts that are aliases.
	Audiences []string
	// CursorKey authenticates paging cursors; the same on every node. Empty:
	// cursors are only proof against accidents.
	CursorKey []byte
	// RateLimit bounds the calls of each client; the zero value does not.
	RateLimit RateLimit
}

// api is the handlers and what they share.
type api struct {
	Deps
	audiences   []string
	downloadKey []byte // signs the locations of exports
	limits      *limiter
}

// handler answers a call that is authenticated and has one of the route's scopes.
type handler func(w http.ResponseWriter, r *http.Request, by *caller) error

// route is one line of the table. Any one of the scopes suffices.
type route struct {
	method, path string
	scopes       []string
	handler      handler
}

// oneOf lists the scopes of a route.
func oneOf(scopes ...string) []string { return scopes }

// routes is the whole API.
func (a *api) routes() []route {
	return slices.Concat(
		a.userRoutes(), a.searchRoutes(), a.identityRoutes(), a.recordRoutes(), a.enrollmentRoutes(), a.refreshTokenRoutes(), a.roleRoutes(), a.ticketRoutes(),
		a.jobRoutes(), a.exportRoutes(), a.updateRoutes(),
		a.connectionRoutes(), a.legalIdentityRoutes(), a.connectionKeyRoutes(), a.migrationRoutes(), a.clientRoutes(), a.grantRoutes(), a.consentRoutes(), a.resourceServerRoutes(),
		a.emailRoutes(), a.tenantRoutes(), a.brandingRoutes(), a.promptRoutes(), a.attackProtectionRoutes(), a.guardianRoutes(), a.credentialRoutes(), a.signingKeyRoutes(),
	)
}

func (a *api) userRoutes() []route {
	return []route{
		{"POST", "/users", oneOf("create:users"), a.createUser},
		{"GET", "/users/{id}", oneOf("read:users", "read:current_user", "read:user_idp_tokens"), a.getUser},
		{"PATCH", "/users/{id}", oneOf("update:users", "update:users_app_metadata", "update:current_user_metadata"), a.patchUser},
		{"DELETE", "/users/{id}", oneOf("delete:users", "delete:current_user"), a.deleteUser},
		{"GET", "/users-by-email", oneOf("read:users"), a.usersByEmail},
	}
}

func (a *api) jobRoutes() []route {
	return []route{
		{"POST", "/jobs/users-imports", oneOf("create:users"), a.importUsers},
		{"GET", "/jobs/{id}", oneOf("create:users", "read:users"), a.getJob},
		{"GET", "/jobs/{id}/errors", oneOf("create:users", "read:users"), a.getJobErrors},
		{"GET", "/jobs/{id}/outcomes", oneOf("create:users", "read:users"), a.getJobOutcomes},
		{"POST", "/jobs/{id}/cancel", oneOf("create:users", "read:users", "update:users"), a.cancelJob},
	}
}

// New is the API, to be mounted at Prefix. It routes on the escaped path,
// whatever the router before it did.
func New(d Deps) http.Handler { return newAPI(d).handler() }

func newAPI(d Deps) *api {
	if d.ImportLimit <= 0 {
		d.ImportLimit = DefaultImportLimit
	}
	return &api{
		Deps: d, audiences: append([]string{d.PublicURL + Prefix + "/"}, d.Audiences...), downloadKey: newDownloadKey(d.CursorKey),
		limits: newLimiter(d.RateLimit),
	}
}

// router has the routes of the table behind their guard, and the one that is not
// in it.
func (a *api) router() *chi.Mux {
	mux := chi.NewRouter()
	unknown := web.Serve(func(http.ResponseWriter, *http.Request) error { return errNoRoute }, render)
	mux.NotFound(unknown.ServeHTTP)
	mux.MethodNotAllowed(unknown.ServeHTTP)
	for _, rt := range a.routes() {
		h := web.Serve(a.guarded(rt), render)
		mux.Method(rt.method, rt.path, h)
		if rt.method == http.MethodGet {
			mux.Method(http.MethodHead, rt.path, h)
		}
	}
	download := web.Serve(a.download, render)
	mux.Method(http.MethodGet, downloadPath, download)
	mux.Method(http.MethodHead, downloadPath, download)
	return mux
}

func (a *api) handler() http.Handler {
	mux := a.router()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = web.OnEscaped(r)
		// A route context of our own: an outer router's holds the path as that
		// router saw it, which may be the unescaped one.
		ctx := chi.NewRouteContext()
		ctx.Routes = mux
		ctx.RoutePath = strings.TrimPrefix(r.URL.EscapedPath(), Prefix)
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, ctx)))
	})
}

// guarded is the handler of a route behind authentication and scope.
func (a *api) guarded(rt route) web.Handler {
	pattern := Prefix + rt.path
	missing := errScope(rt.scopes)
	return func(w http.ResponseWriter, r *http.Request) error {
		web.Route(r, pattern)
		web.NoStore(w)
		by, err := a.authenticate(r)
		if err != nil {
			return err
		}
		web.Note(r, "client", by.ClientID)
		if err := a.limits.admit(w, rt, by.ClientID, a.Now()); err != nil {
			return err
		}
		if !by.hasAny(rt.scopes) {
			return missing
		}
		return rt.handler(w, r, &by)
	}
}
