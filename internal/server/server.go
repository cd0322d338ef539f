package server

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/client"
	"mangrove/internal/config"
	"mangrove/internal/connection"
	"mangrove/internal/factor"
	"mangrove/internal/foreigndb"
	"mangrove/internal/grant"
	"mangrove/internal/guard"
	"mangrove/internal/job"
	"mangrove/internal/key"
	"mangrove/internal/letter"
	"mangrove/internal/login"
	"mangrove/internal/mail"
	"mangrove/internal/mgmt"
	"mangrove/internal/op"
	"mangrove/internal/outbound"
	"mangrove/internal/page"
	"mangrove/internal/passwordless"
	"mangrove/internal/profile"
	"mangrove/internal/resourceserver"
	"mangrove/internal/role"
	"mangrove/internal/script"
	"mangrove/internal/seal"
	"mangrove/internal/store"
	"mangrove/internal/tenant"
	"mangrove/internal/ticket"
	"mangrove/internal/token"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/ldap"
	"mangrove/internal/upstream/saml"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Options are the parts of the surroundings that are not settings.
type Options struct {
	Log *slog.Logger     // nil: discarded
	Now func() time.Time // nil: time.Now
	// Providers changes the client of requests to identity providers.
	Providers []outbound.Option

	local bool // see Local
}

func (o *Options) fill() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Server is a whole Mangrove over one database.
type Server struct {
	cfg       config.Config
	log       *slog.Logger
	now       func() time.Time
	store     *store.Store
	runner    *job.Runner
	tickets   *ticket.Service
	factors   *factor.Service
	post      *mail.Post
	guard     *guard.Service
	keys      *key.Ring
	providers []outbound.Option
	// connectors by strategy, preparers of the options that need one.
	connectors  map[string]upstream.Connector
	preparers   map[string]connection.Preparer
	directories *ldap.Connector
	scripts     *script.Engine
	databases   *foreigndb.Opener // of custom databases
	later       *later
	shadow      *user.Shadow
	handler     http.Handler
	routes      chi.Routes
	tls         *tls.Config // nil: plain HTTP
	authority   *Authority
	made        *Credentials
	stopping    atomic.Bool
}

// New opens and migrates the database, creates what a first start creates, and
// wires everything. It listens to nothing and starts no work; Close undoes it.
func New(ctx context.Context, cfg config.Config, o Options) (_ *Server, err error) {
	o.fill()
	u, err := url.Parse(cfg.PublicURL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the public URL %q is not a URL", cfg.PublicURL)
	}
	s := &Server{cfg: cfg, log: o.Log, now: o.Now, providers: o.Providers}
	if err := s.prepareTLS(u.Hostname()); err != nil {
		return nil, err
	}
	fresh := cfg.SQLite() && !exists(cfg.DatabaseURL())
	var signingKey <-chan generated
	if fresh {
		// The longest part of a first start; it takes the time that the database
		// needs anyway.
		signingKey = generateKey(u.Hostname(), o.Now())
	}
	keys, madeKeys, err := openKeys(cfg, fresh)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			if s.store != nil {
				err = errors.Join(err, s.store.Close())
			}
			// A key that fits no database must not be found at the next start.
			if madeKeys && errors.Is(err, store.ErrOtherKey) {
				err = errors.Join(err, os.Remove(cfg.KeysFile()))
			}
		}
	}()
	if s.store, err = openStore(ctx, cfg, keys, o); err != nil {
		return nil, err
	}
	if err = s.store.Migrate(ctx); err != nil {
		return nil, err
	}
	if err = s.bootstrap(ctx, u.Hostname(), signingKey); err != nil {
		return nil, err
	}
	follow := s.followPublicURL
	if o.local {
		follow = s.keepPublicURL
	}
	if err = follow(ctx); err != nil {
		return nil, err
	}
	if !o.local {
		if err = s.followScopes(ctx); err != nil {
			return nil, err
		}
	}
	if err = s.wire(ctx, keys[0]); err != nil {
		return nil, err
	}
	return s, nil
}

// Handler serves everything, health included. Imports do not progress until
// Serve runs.
func (s *Server) Handler() http.Handler { return s.handler }

// Authority is the local authority of --tls-dev; ok is false without that.
func (s *Server) Authority() (a Authority, ok bool) {
	if s.authority == nil {
		return Authority{}, false
	}
	return *s.authority, true
}

// Close closes the database. It is for a server that is not served: Serve
// closes by itself.
func (s *Server) Close() error {
	s.directories.Close()
	s.later.finish(context.Background())
	s.shadow.Finish(context.Background())
	s.databases.Close()
	return s.store.Close()
}

func (s *Server) prepareTLS(host string) (err error) {
	switch {
	case s.cfg.TLSDev:
		var a Authority
		s.tls, a, err = devTLS(filepath.Join(s.cfg.Data, "tls"), host, s.now())
		s.authority = &a
	case s.cfg.TLSCert != "":
		s.tls, err = fileTLS(s.cfg.TLSCert, s.cfg.TLSKey, s.now, s.log)
	}
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// openKeys finds the keys that seal secrets. A PostgreSQL database may be set
// up or not; whether a key that is made now fits is found out by Migrate.
func openKeys(cfg config.Config, fresh bool) (keys [][]byte, made bool, err error) {
	made = len(cfg.SecretsKeys) == 0 && !exists(cfg.KeysFile())
	keys, err = cfg.Keys(fresh || !cfg.SQLite())
	return keys, made && err == nil, err
}

func openStore(ctx context.Context, cfg config.Config, keys [][]byte, o Options) (*store.Store, error) {
	box, err := seal.New(keys...)
	if err != nil {
		return nil, err
	}
	if cfg.SQLite() {
		if err := os.MkdirAll(filepath.Dir(cfg.DatabaseURL()), 0o700); err != nil {
			return nil, err
		}
	}
	return store.Open(ctx, store.Options{URL: cfg.DatabaseURL(), Box: box, Now: o.Now, Log: o.Log})
}

// importPace keeps writes beside an import from waiting long: SQLite runs them one
// after the other.
const importPace = 40 * time.Millisecond

// letterPause lets an answer leave before its letter is written: who gets one must not
// show in how long the answer takes.
const letterPause = 20 * time.Millisecond

// shadowsAtOnce bounds the comparisons of shadow mode that run at a time.
const shadowsAtOnce = 8

// wire hands everybody what they need. secret is the first of the sealing keys.
func (s *Server) wire(ctx context.Context, secret []byte) error {
	db, now := s.store, s.now
	ring := key.NewRing(db, now)
	if err := ring.Load(ctx); err != nil {
		return err
	}
	s.keys = ring
	renderer, err := page.New(page.Config{PublicURL: s.cfg.PublicURL, Tenant: db})
	if err != nil {
		return err
	}
	cursorKey, err := hkdf.Key(sha256.New, secret, nil, "paging cursors", 32)
	if err != nil {
		return err
	}
	codeKey, err := hkdf.Key(sha256.New, secret, nil, "one-time codes", 32)
	if err != nil {
		return err
	}
	verifier := token.NewVerifier(ring, s.cfg.Issuer(), now)
	verifier.SigningAlg = resourceserver.SigningAlg(db)
	verifier.HintSecret = client.HintSecret(db)
	var defaults profile.Defaults
	if s.cfg.NeutralPicture {
		defaults.NeutralPicture = s.cfg.PublicURL + picturePath
	}
	post, err := s.mailer(ctx)
	if err != nil {
		return err
	}
	s.post = post
	s.guard = &guard.Service{Store: db, Settings: db, Audit: db, Users: db, Connections: db, Now: now}
	users := &user.Service{Guard: s.guard, Users: db, Connections: db, Defaults: defaults, Hashing: user.NewHashing(0, 0), Audit: db, Now: now, MailsReady: post.Ready}
	users.External = s.customDatabases(users.Hashing)
	users.Migrations, users.Shadow = db, user.NewShadow(shadowsAtOnce)
	s.shadow = users.Shadow
	if users.GraveKey, err = db.GraveKey(ctx); err != nil {
		return err
	}
	users.Tenant = s.host()
	patient := *users
	patient.Hashing = users.Hashing.Patient()
	s.tickets = &ticket.Service{Store: db, Users: db, Connections: db, Clients: db, Redeemer: users, Unblocker: s.guard, Throttle: s.guard, Terms: post.Terms, PublicURL: s.cfg.PublicURL, Now: now}
	s.later = newLater()
	s.tickets.Later = s.later.do
	s.guard.Mail = s.tickets.SendUnblock
	var pace time.Duration
	if s.cfg.SQLite() {
		pace = importPace
	}
	s.runner = &job.Runner{Pace: pace, Store: db, Connections: db, Defaults: defaults, Users: &patient, Mail: post, Outbox: db, Letters: s.tickets, Now: now, Log: s.log}
	db.OnLetters(func() { time.AfterFunc(letterPause, s.runner.WakeLetters) })

	codes := &passwordless.Service{
		Store: db, Users: users, Identities: db, Texts: s.texter(), Key: codeKey, PublicURL: s.cfg.PublicURL, Now: now, SMSPerHour: s.cfg.SMSPerHour,
	}

	keys, err := factor.NewKeys(s.cfg.PublicURL)
	if err != nil {
		s.log.Info("no passkeys and security keys: the public URL has no domain name", "error", err)
	}
	s.factors = &factor.Service{
		Store: db, Users: db, Tenant: db, Letters: db, Audit: db, Now: now, DeviceKey: cursorKey, PublicURL: s.cfg.PublicURL, Keys: keys,
		SMS: s.factorTexter(), CountSMS: codes.SpendText,
	}

	endpoints := op.New(op.Deps{
		PublicURL: s.cfg.PublicURL, Clients: db, Grants: db, ResourceServers: db, Connections: db,
		Users: users, UserStore: db, Tokens: db, Keys: ring, Audit: db, Now: now, Verifier: verifier, Consents: db, Pushed: db, Outbound: outbound.New(s.cfg.OutboundAllow), Tenant: db, Passwordless: codes,
		Factors: s.factors, Resets: s.tickets, Refresh: db, Devices: db, Approvals: db, RateLimit: op.RateLimit{All: web.NewBucket(s.cfg.AuthenticationBurst, s.cfg.AuthenticationRate), Hosted: s.cfg.AuthenticationHosted},
		MailsReady: post.Ready, Throttle: s.guard, Registrar: client.NewService(db, now), Permissions: db, Credentials: db,
		ConnectionKeys: s.connectionKeys(),
	})
	s.connect()
	flow := login.New(login.Deps{
		PublicURL: s.cfg.PublicURL, Clients: db, Connections: db, Users: users, UserStore: db, Sessions: db, Tickets: s.tickets, Passwordless: codes,
		Connectors: s.connectors,
		Factors:    s.factors,
		Page:       renderer, Audit: db, Tenant: db, Devices: db, Approvals: db, Now: now, Rand: rand.Reader,
		Respond: endpoints.Respond, RespondError: endpoints.AnswerError, Validate: endpoints.Validate,
		Question: endpoints.Question, Consents: db, SignOut: endpoints.ConfirmedLogout,
	})
	endpoints.Browser = flow.Browser
	s.join(endpoints, flow, renderer)
	endpoints.Directory = flow.ThroughDirectory
	endpoints.StartLogin, endpoints.Session, endpoints.EndSession = flow.Start, flow.Session, flow.EndSession
	endpoints.ErrorPage = func(w http.ResponseWriter, r *http.Request, status int, title, text string) {
		s.drawn(r, renderer.Show(w, r, status, page.Error{Title: title, Text: text, Reference: web.RequestID(r)}))
	}
	api := mgmt.New(s.apiDeps(users, verifier, cursorKey))

	r := chi.NewRouter()
	r.NotFound(s.notFound(renderer))
	r.Get("/", s.home(renderer))
	r.Handle(mgmt.Prefix, api)
	r.Handle(mgmt.Prefix+"/*", api)
	r.Get(picturePath, picture)
	r.Get(saml.MetadataPath, s.samlMetadata(s.notFound(renderer)))
	endpoints.Mount(r)
	flow.Mount(r)

	logged := web.Proxies(s.cfg.TrustedProxies).Trust(web.Log(s.log)(web.Escaped(r)))
	s.handler, s.routes = s.secured(s.withHealth(logged)), r
	return nil
}

func (s *Server) apiDeps(users *user.Service, verifier *token.Verifier, cursorKey []byte) mgmt.Deps {
	db, now := s.store, s.now
	hasClient := func(ctx context.Context, id string) (bool, error) {
		_, err := db.Client(ctx, id)
		if errors.Is(err, client.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	}
	reserved := func(identifier string) bool {
		return identifier == s.cfg.ManagementAudience() || identifier == s.cfg.Issuer()+"userinfo" || identifier == s.cfg.Issuer()+"mfa/"
	}
	connections := connection.NewService(db, hasClient, now)
	connections.Preparers = s.preparers
	apis := &resourceserver.Service{Store: db, Now: now, NewID: resourceserver.NewID, Reserved: reserved}
	return mgmt.Deps{
		Users: users, UserStore: db,
		Connections: connections, ConnectionStore: db, ConnectionKeys: s.connectionKeys(), DirectoryStatus: s.directoryStatus, Migrations: db,
		Clients: client.NewService(db, now), ClientStore: db,
		Credentials:     &client.CredentialService{Store: db, Clients: db, Now: now},
		Keys:            &key.Service{Store: db, Ring: s.keys, Host: s.host(), Now: now},
		Grants:          &grant.Service{Store: db, HasClient: hasClient, Scopes: apis.ScopesOf, Now: now, NewID: grant.NewID},
		ResourceServers: apis,
		Roles:           &role.Service{Store: db, API: db.ResourceServerByIdentifier, Now: now, NewID: role.NewID},
		Tickets:         s.tickets,
		Factors:         s.factors,
		Guard:           s.guard,
		Tenant:          &tenant.Service{Store: db, Now: now},
		Letters:         &letter.Service{Store: db, Now: now},
		MailChanged:     s.mailChanged,
		Consents:        db,
		Logs:            db, Sessions: db, RefreshTokens: db,
		Jobs: db, WakeJobs: s.runner.Wake, Tokens: verifier, Now: now,
		ImportLimit: s.cfg.ImportLimit, ImportJobs: s.cfg.ImportJobs, PublicURL: s.cfg.PublicURL, CursorKey: cursorKey,
		RateLimit: mgmt.RateLimit{Burst: s.cfg.ManagementBurst, PerSecond: s.cfg.ManagementRate},
	}
}

// host is that of the public URL, without a port.
func (s *Server) host() string {
	u, err := url.Parse(s.cfg.PublicURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// secured adds the headers that belong on every answer, of whatever kind.
func (s *Server) secured(next http.Handler) http.Handler {
	https := len(s.cfg.PublicURL) > 5 && s.cfg.PublicURL[:6] == "https:"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X-Content-Type-Options"] = []string{"nosniff"}
		if https {
			h["Strict-Transport-Security"] = []string{"max-age=31536000"}
		}
		next.ServeHTTP(w, r)
	})
}

// drawn logs a page that could not be drawn.
func (s *Server) drawn(r *http.Request, err error) {
	if err != nil {
		s.log.ErrorContext(r.Context(), "a page cannot be drawn", "error", err, "request", web.RequestID(r))
	}
}
