package grant

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/strictjson"
)

// Values of subject_type.
const (
	SubjectClient = "client" // the client asks for itself: client_credentials
	SubjectUser   = "user"   // the client asks in the name of a user
)

// ForClient reports whether the grant lets the client ask for itself. A grant
// without subject_type does; one for users alone does not.
func (g *Grant) ForClient() bool { return g.SubjectType() != SubjectUser }

// ForUser reports whether the grant lets the client ask in the name of users.
func (g *Grant) ForUser() bool { return g.SubjectType() == SubjectUser }

// SubjectType is subject_type, or empty.
func (g *Grant) SubjectType() string { return strictjson.ParseDocument(g.Extra).Text("subject_type") }

// AllowAllScopes reports whether the grant has every scope of the API, whatever Scope says.
func (g *Grant) AllowAllScopes() bool {
	return strictjson.ParseDocument(g.Extra).Flag("allow_all_scopes")
}

// Service is the use cases. All fields are required.
//
// Each takes an audit.Event that says who asks (ClientID, UserID, IP,
// UserAgent); the service fills in the rest and hands it to the store.
type Service struct {
	Store Store
	// HasClient reports whether a client exists.
	HasClient func(ctx context.Context, id string) (bool, error)
	// Scopes are those that an API defines; ok is false when there is no such API.
	Scopes func(ctx context.Context, audience string) (scopes []string, ok bool, err error)
	Now    func() time.Time
	NewID  func() string
}

// NewID is cgr_ and 16 random alphanumerics.
func NewID() string { return "cgr_" + rand.Text()[:16] }

// Failures of the contract (POST /client-grants).
var (
	errNoClient = errs.New(errs.NotFound, "inexistent_client", "The client does not exist")
	errNoAPI    = errs.New(errs.NotFound, "inexistent_resource_server", "The resource server does not exist")
)

// Get finds one by id; ErrNotFound.
func (s *Service) Get(ctx context.Context, id string) (*Grant, error) { return s.Store.Grant(ctx, id) }

// Query narrows a list by what the store does not know.
type Query struct {
	Filter
	SubjectType          string
	AllowAnyOrganization *bool
}

// List is a page by id, and how many there are in all.
func (s *Service) List(ctx context.Context, q Query, p Page) ([]*Grant, int, error) {
	if q.SubjectType == "" && q.AllowAnyOrganization == nil {
		return s.Store.Grants(ctx, q.Filter, p)
	}
	var page []*Grant
	total, after := 0, ""
	for {
		list, _, err := s.Store.Grants(ctx, q.Filter, Page{After: after, Limit: 100})
		if err != nil {
			return nil, 0, err
		}
		for _, g := range list {
			if !q.matches(g) {
				continue
			}
			if g.ID > p.After && total >= p.Offset && len(page) < p.Limit {
				page = append(page, g)
			}
			total++
		}
		if len(list) < 100 {
			return page, total, nil
		}
		after = list[len(list)-1].ID
	}
}

func (q Query) matches(g *Grant) bool {
	extra := strictjson.ParseDocument(g.Extra)
	any := extra.Flag("allow_any_organization")
	return (q.SubjectType == "" || extra.Text("subject_type") == q.SubjectType) &&
		(q.AllowAnyOrganization == nil || *q.AllowAnyOrganization == any)
}

// Create makes a grant of the members of a body. Errors: schema.Error,
// *errs.Error (ErrExists; client or API does not exist; scopes the API does not define).
func (s *Service) Create(ctx context.Context, members []strictjson.Member, by audit.Event) (*Grant, error) {
	body, err := checkBody(&createBody, members)
	if err != nil {
		return nil, err
	}
	g := &Grant{ID: s.NewID(), ClientID: body.Text("client_id"), Audience: body.Text("audience"), Scope: unique(body.Texts("scope")), Version: 1}
	switch ok, err := s.HasClient(ctx, g.ClientID); {
	case err != nil:
		return nil, err
	case !ok:
		return nil, errNoClient
	}
	if err := s.checkScopes(ctx, g.Audience, g.Scope); err != nil {
		return nil, err
	}
	extra := strictjson.Document{}
	setExtra(extra, body, "subject_type")
	g.Extra = extra.Encode()
	return g, s.Store.CreateGrant(ctx, g, s.event(by, "Create a client grant"))
}

// Patch edits a grant. Errors as Create's, and ErrNotFound.
func (s *Service) Patch(ctx context.Context, id string, members []strictjson.Member, by audit.Event) (*Grant, error) {
	body, err := checkBody(&patchBody, members)
	if err != nil {
		return nil, err
	}
	now, err := s.Store.Grant(ctx, id)
	if err != nil {
		return nil, err
	}
	scope := unique(body.Texts("scope"))
	if err := s.checkScopes(ctx, now.Audience, scope); err != nil {
		return nil, err
	}
	edit := func(g *Grant) error {
		if _, ok := body["scope"]; ok {
			g.Scope = slices.Clone(scope)
		}
		extra := strictjson.ParseDocument(g.Extra)
		if extra == nil {
			extra = strictjson.Document{}
		}
		setExtra(extra, body)
		g.Extra = extra.Encode()
		return nil
	}
	return s.Store.UpdateGrant(ctx, id, edit, s.event(by, "Update a client grant"))
}

// Delete removes a grant; ErrNotFound when there is none.
func (s *Service) Delete(ctx context.Context, id string, by audit.Event) error {
	return s.Store.DeleteGrant(ctx, id, s.event(by, "Delete a client grant"))
}

// checkScopes refuses an API that does not exist and scopes that it does not
// define: such a scope would come alive unasked once the API defines it.
func (s *Service) checkScopes(ctx context.Context, audience string, scope []string) error {
	defined, ok, err := s.Scopes(ctx, audience)
	if err != nil {
		return err
	}
	if !ok {
		return errNoAPI
	}
	known := make(map[string]bool, len(defined))
	for _, d := range defined {
		known[d] = true
	}
	var unknown []string
	for _, sc := range scope {
		if !known[sc] {
			unknown = append(unknown, sc)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return errs.New(errs.Invalid, "invalid_body", "The following scopes are not defined in the resource server: %s", strings.Join(unknown, ", "))
}

// setExtra takes the remaining members over; null unsets.
func setExtra(extra, body strictjson.Document, more ...string) {
	for _, name := range append(more, "organization_usage", "allow_any_organization", "authorization_details_types", "allow_all_scopes") {
		switch v, ok := body[name]; {
		case !ok:
		case string(v) == "null":
			delete(extra, name)
		default:
			extra[name] = v
		}
	}
}

func (s *Service) event(by audit.Event, description string) audit.Event {
	return by.Operation(s.Now().UnixMicro(), description)
}

func unique(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// Management is the grant of a fresh installation: all scopes of the Management
// API for the client that administers it. Callers put it into the store.
func Management(clientID, audience string, scopes []string) *Grant {
	return &Grant{ID: NewID(), ClientID: clientID, Audience: audience, Scope: slices.Clone(scopes), Extra: json.RawMessage("{}"), Version: 1}
}
