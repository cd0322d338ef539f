package resourceserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/strictjson"
)

// Service is the use cases. All fields but Reserved are required.
//
// Each takes an audit.Event that says who asks (ClientID, UserID, IP,
// UserAgent); the service fills in the rest and hands it to the store.
type Service struct {
	Store Store
	Now   func() time.Time
	NewID func() string
	// Reserved reports identifiers that nobody may register: those under which
	// the server's own APIs are known. Nil: none but those that exist.
	Reserved func(identifier string) bool
}

// NewID is 24 random lower-case hex digits.
func NewID() string {
	b := make([]byte, 12)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// Failures of the contract.
var (
	errReserved     = errs.New(errs.Invalid, "invalid_body", "The selected identifier is reserved.")
	errSystemPatch  = errs.New(errs.Invalid, "invalid_body", "System resource servers cannot be patched.")
	errSystemDelete = errs.New(errs.Invalid, "invalid_uri", "System resource servers cannot be deleted.")
	errSigningAlg   = errs.New(errs.Invalid, "operation_not_supported", "Access tokens are signed with RS256 only: signing_alg cannot be another.")
)

// defaults of a new API (reference/authentication.md §7.2, the recorded minimal body).
var defaults = strictjson.ParseDocument(json.RawMessage(`{
	"allow_offline_access": false,
	"skip_consent_for_verifiable_first_party_clients": false,
	"subject_type_authorization": {"client": {"policy": "require_client_grant"}, "user": {"policy": "allow_all"}},
	"token_lifetime": 86400,
	"token_lifetime_for_web": 7200,
	"signing_alg": "RS256"
}`))

// systemSettable are the members of the Management API that may change.
var systemSettable = []string{"token_lifetime", "token_lifetime_for_web", "skip_consent_for_verifiable_first_party_clients"}

// Find takes an id or an identifier; ErrNotFound.
func (s *Service) Find(ctx context.Context, idOrIdentifier string) (*ResourceServer, error) {
	r, err := s.Store.ResourceServer(ctx, idOrIdentifier)
	if errors.Is(err, ErrNotFound) {
		return s.Store.ResourceServerByIdentifier(ctx, idOrIdentifier)
	}
	return r, err
}

// ScopesOf are the scopes that the API defines; ok is false when there is none:
// the Scopes of grants.
func (s *Service) ScopesOf(ctx context.Context, audience string) (scopes []string, ok bool, err error) {
	r, err := s.Store.ResourceServerByIdentifier(ctx, audience)
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return r.Settings().ScopeValues(), true, nil
}

// List is a page by id, and how many there are in all.
func (s *Service) List(ctx context.Context, identifiers []string, p Page) ([]*ResourceServer, int, error) {
	return s.Store.ResourceServers(ctx, identifiers, p)
}

// Create makes an API of the members of a body. Errors: schema.Error,
// *errs.Error (ErrExists).
func (s *Service) Create(ctx context.Context, members []strictjson.Member, by audit.Event) (*ResourceServer, error) {
	body, err := checkBody(&createBody, members)
	if err != nil {
		return nil, err
	}
	r := &ResourceServer{ID: s.NewID(), Identifier: body.Text("identifier"), Version: 1, CreatedAt: s.Now().UnixMicro()}
	r.UpdatedAt = r.CreatedAt
	if s.Reserved != nil && s.Reserved(r.Identifier) {
		return nil, errReserved
	}
	doc := maps.Clone(defaults)
	maps.Copy(doc, body)
	delete(doc, "identifier")
	if err := settle(doc, defaults); err != nil {
		return nil, err
	}
	r.Doc = doc.Encode()
	return r, s.Store.CreateResourceServer(ctx, r, s.event(by, "Create a resource server"))
}

// Patch merges the members of a body. Errors as Create's, and ErrNotFound.
func (s *Service) Patch(ctx context.Context, idOrIdentifier string, members []strictjson.Member, by audit.Event) (*ResourceServer, error) {
	body, err := checkBody(&patchBody, members)
	if err != nil {
		return nil, err
	}
	now, err := s.Find(ctx, idOrIdentifier)
	if err != nil {
		return nil, err
	}
	edit := func(r *ResourceServer) error {
		if r.System {
			for name := range body {
				if !slices.Contains(systemSettable, name) {
					return errSystemPatch
				}
			}
		}
		old := strictjson.ParseDocument(r.Doc)
		doc := maps.Clone(old)
		if doc == nil {
			doc = strictjson.Document{}
		}
		maps.Copy(doc, body)
		if err := settle(doc, old); err != nil {
			return err
		}
		r.Doc, r.UpdatedAt = doc.Encode(), s.Now().UnixMicro()
		return nil
	}
	return s.Store.UpdateResourceServer(ctx, now.ID, edit, s.event(by, "Update a resource server"))
}

// Delete removes an API and the grants on it; ErrNotFound.
func (s *Service) Delete(ctx context.Context, idOrIdentifier string, by audit.Event) error {
	r, err := s.Find(ctx, idOrIdentifier)
	if err != nil {
		return err
	}
	if r.System {
		return errSystemDelete
	}
	return s.Store.DeleteResourceServer(ctx, r.ID, s.event(by, "Delete a resource server"))
}

func (s *Service) event(by audit.Event, description string) audit.Event {
	return by.Operation(s.Now().UnixMicro(), description)
}

// settle drops nulls, fills the half of subject_type_authorization that was not
// sent from old, and checks what a schema cannot say.
func settle(doc, old strictjson.Document) error {
	maps.DeleteFunc(doc, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	if doc.Text("signing_alg") != "RS256" {
		return errSigningAlg
	}
	subjects, was := doc.Object("subject_type_authorization"), old.Object("subject_type_authorization")
	for _, kind := range []string{"client", "user"} {
		if _, ok := subjects.Object(kind)["policy"]; !ok && was[kind] != nil {
			if subjects == nil {
				subjects = strictjson.Document{}
			}
			subjects[kind] = was[kind]
		}
	}
	if subjects != nil {
		doc["subject_type_authorization"] = subjects.Encode()
	}
	return checkScopes(doc)
}

// checkScopes refuses a scope that is there twice.
func checkScopes(doc strictjson.Document) error {
	seen := map[string]bool{}
	for _, sc := range parseSettings(doc.Encode()).Scopes {
		if seen[sc.Value] {
			return errs.New(errs.Invalid, "invalid_body", "Duplicate scope: %s", sc.Value)
		}
		seen[sc.Value] = true
	}
	return nil
}

// AddScopes adds those that the API does not define yet.
func (r *ResourceServer) AddScopes(list []Scope) error {
	set := r.Settings()
	scopes := slices.Clone(set.Scopes)
	for _, sc := range list {
		if !set.Has(sc.Value) {
			scopes = append(scopes, sc)
		}
	}
	b, err := jsonv2.Marshal(scopes)
	if err != nil {
		return err
	}
	doc := maps.Clone(strictjson.ParseDocument(r.Doc))
	if doc == nil {
		doc = strictjson.Document{}
	}
	doc["scopes"] = b
	r.Doc = doc.Encode()
	return nil
}

// ManagementName is the name of the Management API; clients compare it.
const ManagementName = "Auth0 Management API"

// ManagementAPI is the system API of a fresh installation, for the address of
// the server (without a slash at its end). Callers put it into the store. at is
// in microseconds.
func ManagementAPI(publicURL string, at int64) *ResourceServer {
	scopes, err := jsonv2.Marshal(ManagementScopes())
	if err != nil {
		panic(err) // constants
	}
	doc := strictjson.Document{
		"name":                 json.RawMessage(`"` + ManagementName + `"`),
		"allow_offline_access": json.RawMessage("false"),
		"skip_consent_for_verifiable_first_party_clients": json.RawMessage("false"),
		"signing_alg":                json.RawMessage(`"RS256"`),
		"token_lifetime":             json.RawMessage("86400"),
		"token_lifetime_for_web":     json.RawMessage("7200"),
		"scopes":                     scopes,
		"subject_type_authorization": defaults["subject_type_authorization"],
	}
	return &ResourceServer{
		ID: NewID(), Identifier: publicURL + "/api/v2/", System: true, Doc: doc.Encode(), Version: 1, CreatedAt: at, UpdatedAt: at,
	}
}
