package resourceserver

import (
	"encoding/json"
	"slices"
	"sync/atomic"
	"unsafe"

	jsonv2 "github.com/go-json-experiment/json"
)

// Values of Settings.UserPolicy and Settings.ClientPolicy.
const (
	AllowAll     = "allow_all"
	RequireGrant = "require_client_grant"
	DenyAll      = "deny_all"
)

// Lifetimes in seconds where nothing was set (reference/authentication.md §7.2).
const (
	DefaultTokenLifetime       = 86400
	DefaultTokenLifetimeForWeb = 7200
)

// Scope is one permission of an API.
type Scope struct {
	Value       string `json:"value"`
	Description string `json:"description,omitzero"`
}

// Settings is the typed view of a resource server. It is shared: do not change it.
type Settings struct {
	Name                string
	TokenLifetime       int64 // seconds, token endpoint
	TokenLifetimeForWeb int64 // seconds, front channel
	SigningAlg          string
	// SigningSecret is set for HS256 only.
	SigningSecret         string
	AllowOfflineAccess    bool
	Scopes                []Scope
	EnforcePolicies       bool   // role-based: scope is what the user's permissions have
	TokenDialect          string // access_token, access_token_authz, rfc9068_profile, …
	SkipFirstPartyConsent bool
	// UserPolicy and ClientPolicy say who may ask for tokens: AllowAll (users
	// only), RequireGrant, DenyAll.
	UserPolicy, ClientPolicy string
	System                   bool
}

// ScopeValues are the names of the scopes, in order.
func (s *Settings) ScopeValues() []string {
	list := make([]string, len(s.Scopes))
	for i, sc := range s.Scopes {
		list[i] = sc.Value
	}
	return list
}

// Has reports whether the API defines the scope.
func (s *Settings) Has(scope string) bool {
	return slices.ContainsFunc(s.Scopes, func(sc Scope) bool { return sc.Value == scope })
}

// Settings reads Doc. Cached; cheap after the first call.
func (r *ResourceServer) Settings() *Settings {
	if v := r.parsed.load(); v != nil && v.system == r.System && len(v.doc) == len(r.Doc) &&
		unsafe.SliceData(v.doc) == unsafe.SliceData(r.Doc) {
		return &v.settings
	}
	v := &view{doc: r.Doc, system: r.System, settings: parseSettings(r.Doc)}
	v.settings.System = r.System
	r.parsed.store(v)
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
	system   bool
	settings Settings
}

// Clone is a copy of its own, for whoever has to change it.
func (r *ResourceServer) Clone() *ResourceServer {
	return &ResourceServer{
		ID: r.ID, Identifier: r.Identifier, System: r.System,
		Doc:     append(json.RawMessage(nil), r.Doc...),
		Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
}

// wire is the part of Doc that Settings needs; numbers are floats, since 86400.0
// is an integer too.
type wire struct {
	Name                  string   `json:"name"`
	TokenLifetime         *float64 `json:"token_lifetime"`
	TokenLifetimeForWeb   *float64 `json:"token_lifetime_for_web"`
	SigningAlg            string   `json:"signing_alg"`
	SigningSecret         string   `json:"signing_secret"`
	AllowOfflineAccess    bool     `json:"allow_offline_access"`
	Scopes                []Scope  `json:"scopes"`
	EnforcePolicies       bool     `json:"enforce_policies"`
	TokenDialect          string   `json:"token_dialect"`
	SkipFirstPartyConsent bool     `json:"skip_consent_for_verifiable_first_party_clients"`
	Subjects              struct {
		User struct {
			Policy string `json:"policy"`
		} `json:"user"`
		Client struct {
			Policy string `json:"policy"`
		} `json:"client"`
	} `json:"subject_type_authorization"`
}

// parseSettings is total: a Doc that cannot be read (it was validated before it
// was stored) gives an API that hands out nothing.
func parseSettings(doc json.RawMessage) Settings {
	var w wire
	if len(doc) > 0 && jsonv2.Unmarshal(doc, &w) != nil {
		w = wire{}
		w.Subjects.User.Policy, w.Subjects.Client.Policy = DenyAll, DenyAll
	}
	s := Settings{
		Name: w.Name, TokenLifetime: DefaultTokenLifetime, TokenLifetimeForWeb: DefaultTokenLifetimeForWeb,
		SigningAlg: w.SigningAlg, SigningSecret: w.SigningSecret,
		AllowOfflineAccess: w.AllowOfflineAccess, Scopes: w.Scopes, EnforcePolicies: w.EnforcePolicies,
		TokenDialect: w.TokenDialect, SkipFirstPartyConsent: w.SkipFirstPartyConsent,
		UserPolicy: w.Subjects.User.Policy, ClientPolicy: w.Subjects.Client.Policy,
	}
	if w.TokenLifetime != nil {
		s.TokenLifetime = int64(*w.TokenLifetime)
	}
	if w.TokenLifetimeForWeb != nil {
		s.TokenLifetimeForWeb = int64(*w.TokenLifetimeForWeb)
	}
	fill(&s.SigningAlg, "RS256")
	fill(&s.TokenDialect, "access_token")
	fill(&s.UserPolicy, AllowAll)
	fill(&s.ClientPolicy, RequireGrant)
	return s
}

func fill(s *string, fallback string) {
	if *s == "" {
		*s = fallback
	}
}
