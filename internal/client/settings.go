package client

import (
	"encoding/json"
	"slices"
	"sync/atomic"
	"unsafe"

	jsonv2 "github.com/go-json-experiment/json"
)

// Ways of client authentication at the token endpoint (reference/authentication.md §3.1).
const (
	AuthNone  = "none"
	AuthPost  = "client_secret_post"
	AuthBasic = "client_secret_basic"
	// AuthPrivateKeyJWT: client_authentication_methods.private_key_jwt is set.
	AuthPrivateKeyJWT = "private_key_jwt"
)

// Kinds of application that have rules of their own.
const (
	Native         = "native"
	SPA            = "spa"
	RegularWeb     = "regular_web"
	NonInteractive = "non_interactive"
)

// Settings is the typed view of Doc. It is shared: do not change it.
type Settings struct {
	GrantTypes        []string
	Callbacks         []string
	AllowedLogoutURLs []string
	WebOrigins        []string
	AllowedOrigins    []string
	AllowedClients    []string

	AppType string // empty: not set
	// AuthMethod is AuthNone, AuthPost, AuthBasic or AuthPrivateKeyJWT. A
	// client with a secret may use post and basic alike (reference
	// authentication.md §3.1); Public says whether there is no secret to show.
	AuthMethod string

	IDTokenAlg string // RS256, HS256, …; RS256 where nothing was set
	// IDTokenLifetime in seconds.
	IDTokenLifetime int64

	IsFirstParty   bool
	OIDCConformant bool
	// IPHeaderTrusted: auth0-forwarded-for of an authenticated request is believed.
	IPHeaderTrusted bool
	// CrossOriginAuthentication allows /co/authenticate.
	CrossOriginAuthentication bool
	// RequirePAR: authorization requests have to be pushed.
	RequirePAR bool
	// PARExpiry is how long a pushed authorization request lives, in seconds.
	PARExpiry int64
	// Strict: a third party under the contract's enhanced security controls.
	Strict bool
	// KeepsErrors: errors of an authorization request stay on a page of ours.
	KeepsErrors bool
	// Organizations is organization_usage: deny (or empty), allow, require.
	Organizations string
	// SkipNonVerifiablePrompt: loopback and custom-scheme redirects ask nothing.
	SkipNonVerifiablePrompt bool
	Backchannel             Backchannel
	InitiateLoginURI        string
	LogoURI                 string
	Metadata                map[string]string // client_metadata

	// Credentials are the ids of those that count for AuthPrivateKeyJWT.
	Credentials []string

	// ApprovalChannels are the ways in which people are asked to approve
	// (async_approval_notification_channels).
	ApprovalChannels []string

	RefreshToken RefreshToken
}

// ApprovalByEmail is the one of ApprovalChannels that is known here.
const ApprovalByEmail = "email"

// Backchannel says how the client learns that a session has ended
// (reference/authentication.md §4.5).
type Backchannel struct {
	URL        string // empty: it does not
	All        bool   // of every reason
	Initiators []string
}

// Tells reports whether the client wants to know of a session that ended so.
func (b Backchannel) Tells(initiator string) bool {
	return b.URL != "" && (b.All || slices.Contains(b.Initiators, initiator))
}

// RefreshToken holds the lifetimes of refresh tokens, in seconds.
type RefreshToken struct {
	Rotating             bool
	Expiring             bool
	Leeway               int64
	Lifetime             int64
	InfiniteLifetime     bool
	IdleLifetime         int64
	InfiniteIdleLifetime bool
	// Policies say for which other APIs a token of this client is good.
	Policies []RefreshPolicy
}

// RefreshPolicy is one API of refresh_token.policies, with the scopes that an
// exchange may give there.
type RefreshPolicy struct {
	Audience string   `json:"audience"`
	Scope    []string `json:"scope"`
}

// Public reports that the client cannot keep a secret.
func (s *Settings) Public() bool { return s.AuthMethod == AuthNone }

// Allows reports whether the grant type is in the client's list.
func (s *Settings) Allows(grantType string) bool { return slices.Contains(s.GrantTypes, grantType) }

// Settings reads Doc. Cached; cheap after the first call.
func (c *Client) Settings() *Settings {
	if v := c.parsed.load(); v != nil && len(v.doc) == len(c.Doc) && unsafe.SliceData(v.doc) == unsafe.SliceData(c.Doc) {
		return &v.settings
	}
	v := &view{doc: c.Doc, settings: parseSettings(c.Doc)}
	c.parsed.store(v)
	return &v.settings
}

// parsed remembers the bytes it was read from: a copy with another Doc gets a new
// reading. It is no atomic.Pointer, so that values may be copied before they are
// shared; a shared one is copied with Clone.
type parsed struct{ at unsafe.Pointer }

func (p *parsed) load() *view { return (*view)(atomic.LoadPointer(&p.at)) }

func (p *parsed) store(v *view) { atomic.StorePointer(&p.at, unsafe.Pointer(v)) }

type view struct {
	doc      json.RawMessage
	settings Settings
}

// Clone is a copy of its own, for whoever has to change it.
func (c *Client) Clone() *Client {
	return &Client{
		ID: c.ID, Secret: c.Secret, Name: c.Name, Global: c.Global,
		Doc:     append(json.RawMessage(nil), c.Doc...),
		Version: c.Version, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
}

// wire is the part of Doc that Settings needs. Pointers tell absence from zero;
// numbers are floats, since 36000.0 is an integer too.
type wire struct {
	GrantTypes        []string `json:"grant_types"`
	Callbacks         []string `json:"callbacks"`
	AllowedLogoutURLs []string `json:"allowed_logout_urls"`
	WebOrigins        []string `json:"web_origins"`
	AllowedOrigins    []string `json:"allowed_origins"`
	AllowedClients    []string `json:"allowed_clients"`
	AppType           string   `json:"app_type"`
	AuthMethod        string   `json:"token_endpoint_auth_method"`
	AuthMethods       struct {
		PrivateKeyJWT *struct {
			Credentials []struct {
				ID string `json:"id"`
			} `json:"credentials"`
		} `json:"private_key_jwt"`
	} `json:"client_authentication_methods"`
	JWT struct {
		Alg      string  `json:"alg"`
		Lifetime float64 `json:"lifetime_in_seconds"`
	} `json:"jwt_configuration"`
	IsFirstParty    *bool   `json:"is_first_party"`
	OIDCConformant  bool    `json:"oidc_conformant"`
	IPHeaderTrusted bool    `json:"is_token_endpoint_ip_header_trusted"`
	CrossOrigin     bool    `json:"cross_origin_authentication"`
	RequirePAR      bool    `json:"require_pushed_authorization_requests"`
	PARExpiry       float64 `json:"par_request_expiry"`
	SecurityMode    string  `json:"third_party_security_mode"`
	Redirection     string  `json:"redirection_policy"`
	Organizations   string  `json:"organization_usage"`
	SkipPrompt      bool    `json:"skip_non_verifiable_callback_uri_confirmation_prompt"`
	OIDCLogout      struct {
		URLs       []string `json:"backchannel_logout_urls"`
		Initiators struct {
			Mode     string   `json:"mode"`
			Selected []string `json:"selected_initiators"`
		} `json:"backchannel_logout_initiators"`
	} `json:"oidc_logout"`
	InitiateLogin string            `json:"initiate_login_uri"`
	LogoURI       string            `json:"logo_uri"`
	Approval      []string          `json:"async_approval_notification_channels"`
	Metadata      map[string]string `json:"client_metadata"`
	RefreshToken  *struct {
		Rotation     string          `json:"rotation_type"`
		Expiration   string          `json:"expiration_type"`
		Leeway       float64         `json:"leeway"`
		Lifetime     *float64        `json:"token_lifetime"`
		Infinite     *bool           `json:"infinite_token_lifetime"`
		IdleLifetime *float64        `json:"idle_token_lifetime"`
		InfiniteIdle *bool           `json:"infinite_idle_token_lifetime"`
		Policies     []RefreshPolicy `json:"policies"`
	} `json:"refresh_token"`
}

// parseSettings is total: a Doc that cannot be read (it was validated before it
// was stored) gives a client that may do nothing.
func parseSettings(doc json.RawMessage) Settings {
	var w wire
	if len(doc) > 0 && jsonv2.Unmarshal(doc, &w) != nil {
		w = wire{IsFirstParty: new(bool)}
	}
	s := Settings{
		GrantTypes: w.GrantTypes, Callbacks: w.Callbacks, AllowedLogoutURLs: w.AllowedLogoutURLs,
		WebOrigins: w.WebOrigins, AllowedOrigins: w.AllowedOrigins, AllowedClients: w.AllowedClients,
		AppType: w.AppType, AuthMethod: w.AuthMethod,
		IDTokenAlg: w.JWT.Alg, IDTokenLifetime: int64(w.JWT.Lifetime),
		IsFirstParty: w.IsFirstParty == nil || *w.IsFirstParty, OIDCConformant: w.OIDCConformant,
		IPHeaderTrusted: w.IPHeaderTrusted, CrossOriginAuthentication: w.CrossOrigin, RequirePAR: w.RequirePAR,
		InitiateLoginURI: w.InitiateLogin, LogoURI: w.LogoURI, Metadata: w.Metadata,
		PARExpiry: DefaultPARExpiry, Organizations: w.Organizations, ApprovalChannels: w.Approval, SkipNonVerifiablePrompt: w.SkipPrompt,
		Backchannel: Backchannel{All: w.OIDCLogout.Initiators.Mode == "all", Initiators: w.OIDCLogout.Initiators.Selected},
		RefreshToken: RefreshToken{
			Lifetime: DefaultRefreshLifetime, IdleLifetime: DefaultRefreshIdle, InfiniteLifetime: true, InfiniteIdleLifetime: true,
		},
	}
	if s.AuthMethod == "" {
		s.AuthMethod = defaultAuthMethod(s.AppType)
		if m := w.AuthMethods.PrivateKeyJWT; m != nil {
			s.AuthMethod = AuthPrivateKeyJWT
			for _, c := range m.Credentials {
				s.Credentials = append(s.Credentials, c.ID)
			}
		}
	}
	if w.PARExpiry >= 1 {
		s.PARExpiry = int64(w.PARExpiry)
	}
	s.Strict = !s.IsFirstParty && w.SecurityMode == "strict"
	s.KeepsErrors = s.Strict && w.Redirection != "allow_always"
	if len(w.OIDCLogout.URLs) > 0 {
		s.Backchannel.URL = w.OIDCLogout.URLs[0]
	}
	if i := w.OIDCLogout.Initiators; i.Mode == "" && i.Selected == nil {
		// Where nothing was chosen, what the contract enables by default.
		s.Backchannel.Initiators = defaultInitiators
	}
	if s.IDTokenAlg == "" {
		s.IDTokenAlg = "RS256"
	}
	if s.IDTokenLifetime <= 0 {
		s.IDTokenLifetime = DefaultIDTokenLifetime
	}
	if r := w.RefreshToken; r != nil {
		s.RefreshToken.Rotating = r.Rotation == "rotating"
		s.RefreshToken.Expiring = r.Expiration == "expiring"
		s.RefreshToken.Leeway = int64(r.Leeway)
		// Who asks for tokens that end means it, unless told otherwise.
		s.RefreshToken.InfiniteLifetime, s.RefreshToken.InfiniteIdleLifetime = !s.RefreshToken.Expiring, !s.RefreshToken.Expiring
		s.RefreshToken.Policies = r.Policies
		setSeconds(&s.RefreshToken.Lifetime, r.Lifetime)
		setSeconds(&s.RefreshToken.IdleLifetime, r.IdleLifetime)
		set(&s.RefreshToken.InfiniteLifetime, r.Infinite)
		set(&s.RefreshToken.InfiniteIdleLifetime, r.InfiniteIdle)
	}
	return s
}

func set(to, from *bool) {
	if from != nil {
		*to = *from
	}
}

func setSeconds(to *int64, from *float64) {
	if from != nil {
		*to = int64(*from)
	}
}

// Lifetimes in seconds where nothing was set (reference/authentication.md §7.1).
const (
	DefaultIDTokenLifetime = 36000
	DefaultRefreshLifetime = 2592000
	DefaultRefreshIdle     = 1296000
	DefaultPARExpiry       = 30
)

// defaultInitiators end a session for everybody: the person signed out, here or
// upstream.
var defaultInitiators = []string{"rp-logout", "idp-logout"}

// defaultAuthMethod for a client that did not choose: applications in the hands
// of people cannot keep a secret.
func defaultAuthMethod(appType string) string {
	switch appType {
	case Native, SPA:
		return AuthNone
	}
	return AuthPost
}
