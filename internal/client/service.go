package client

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/strictjson"
)

// Service is the use cases. All fields are required.
//
// Each takes an audit.Event that says who asks (ClientID, UserID, IP,
// UserAgent); the service fills in the rest and hands it to the store.
type Service struct {
	Store     Store
	Now       func() time.Time
	NewID     func() string
	NewSecret func() string
}

// NewService has production's sources of ids and secrets.
func NewService(store Store, now func() time.Time) *Service {
	return &Service{Store: store, Now: now, NewID: NewID, NewSecret: NewSecret}
}

// NewID is 32 random alphanumerics (reference/authentication.md §0.3).
func NewID() string { return (rand.Text() + rand.Text())[:32] }

// NewSecret is 64 random URL-safe characters.
func NewSecret() string {
	b := make([]byte, 48)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// Failures (reference/authentication.md §7.1 and the contract).
var (
	errGlobal       = errs.New(errs.Invalid, "invalid_body", "Global client cannot be deleted.")
	errPublicSecret = errs.New(errs.Invalid, "invalid_body", "A client whose token_endpoint_auth_method is none has no secret.")
)

// defaults of a new client (reference/authentication.md §7.1, the recorded minimal body).
var defaults = strictjson.ParseDocument(json.RawMessage(`{
	"is_first_party": true,
	"is_token_endpoint_ip_header_trusted": false,
	"oidc_conformant": false,
	"sso_disabled": false,
	"cross_origin_authentication": false,
	"custom_login_page_on": true
}`))

// jwtDefaults and refreshDefaults fill the members that were not sent.
var (
	jwtDefaults     = strictjson.ParseDocument(json.RawMessage(`{"secret_encoded": false, "lifetime_in_seconds": 36000}`))
	refreshDefaults = strictjson.ParseDocument(json.RawMessage(`{
		"rotation_type": "non-rotating", "expiration_type": "non-expiring", "leeway": 0, "token_lifetime": 2592000,
		"infinite_token_lifetime": true, "infinite_idle_token_lifetime": true, "idle_token_lifetime": 1296000
	}`))
)

// DefaultGrantTypes of a new client; people's applications cannot have client_credentials.
func DefaultGrantTypes(appType string) []string {
	list := []string{"authorization_code", "implicit", "refresh_token"}
	if appType == Native || appType == SPA {
		return list
	}
	return append(list, "client_credentials")
}

// Get finds one by id; ErrNotFound.
func (s *Service) Get(ctx context.Context, id string) (*Client, error) {
	return s.Store.Client(ctx, id)
}

// Exists reports whether there is such a client: the HasClient of connections
// and grants.
func (s *Service) Exists(ctx context.Context, id string) (bool, error) {
	_, err := s.Store.Client(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Query narrows a list by what the store does not know.
type Query struct {
	Filter
	FirstParty *bool
	AppTypes   []string
}

// List is a page by id, and how many there are in all.
func (s *Service) List(ctx context.Context, q Query, p Page) ([]*Client, int, error) {
	if q.FirstParty == nil && len(q.AppTypes) == 0 {
		return s.Store.Clients(ctx, q.Filter, p)
	}
	return s.filtered(ctx, q, p)
}

// filtered reads all clients, a page at a time, and keeps those that match: the
// two filters live in the document, and there are few clients beside users.
func (s *Service) filtered(ctx context.Context, q Query, p Page) ([]*Client, int, error) {
	var page []*Client
	total, after := 0, ""
	for {
		list, _, err := s.Store.Clients(ctx, q.Filter, Page{After: after, Limit: 100})
		if err != nil {
			return nil, 0, err
		}
		for _, c := range list {
			if !q.matches(c) {
				continue
			}
			if c.ID > p.After && total >= p.Offset && len(page) < p.Limit {
				page = append(page, c)
			}
			total++
		}
		if len(list) < 100 {
			return page, total, nil
		}
		after = list[len(list)-1].ID
	}
}

func (q Query) matches(c *Client) bool {
	set := c.Settings()
	return (q.FirstParty == nil || set.IsFirstParty == *q.FirstParty) &&
		(len(q.AppTypes) == 0 || slices.Contains(q.AppTypes, set.AppType))
}

// Create makes a client of the members of a body. Errors: schema.Error, *errs.Error.
func (s *Service) Create(ctx context.Context, members []strictjson.Member, by audit.Event) (*Client, error) {
	body, err := checkBody(&createBody, members)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(body, isNull)
	at := s.Now().UnixMicro()
	credentials, err := plant(body, at)
	if err != nil {
		return nil, err
	}
	doc := maps.Clone(defaults)
	maps.Copy(doc, body)
	delete(doc, "name")
	mergeMetadata(doc, nil)
	complete(doc)
	if _, ok := doc["grant_types"]; !ok {
		doc["grant_types"] = encodeTexts(DefaultGrantTypes(doc.Text("app_type")))
	}
	if err := checkRules(doc); err != nil {
		return nil, err
	}
	c := &Client{ID: s.NewID(), Name: body.Text("name"), Doc: doc.Encode(), Version: 1, CreatedAt: at, UpdatedAt: at, Credentials: credentials}
	if !c.Settings().Public() {
		c.Secret = s.NewSecret()
	}
	return c, s.Store.CreateClient(ctx, c, s.event(by, "Create a client"))
}

// Patch merges the members of a body: null unsets, objects are replaced but for
// client_metadata, which merges by key. Errors as Create's, and ErrNotFound.
func (s *Service) Patch(ctx context.Context, id string, members []strictjson.Member, by audit.Event) (*Client, error) {
	body, err := checkBody(&patchBody, members)
	if err != nil {
		return nil, err
	}
	if err := checkMethods(body, &namedMethods); err != nil {
		return nil, err
	}
	// Made here and not inside, since inside may run twice.
	fresh := s.NewSecret()
	edit := func(c *Client) error {
		doc := strictjson.ParseDocument(c.Doc)
		if doc == nil {
			doc = strictjson.Document{}
		}
		old := maps.Clone(doc)
		for name, v := range body {
			switch {
			case name == "name":
				c.Name = body.Text(name)
			case name == "client_secret":
			case isNull(name, v):
				delete(doc, name)
			default:
				doc[name] = v
			}
		}
		if err := keepSecretEncoding(old, body); err != nil {
			return err
		}
		mergeMetadata(doc, old)
		settleMethods(doc, body)
		unset(doc)
		if was, ok := old.Object("jwt_configuration")["secret_encoded"]; ok {
			jwt := doc.Object("jwt_configuration")
			if jwt == nil {
				jwt = strictjson.Document{}
			}
			jwt["secret_encoded"] = was
			doc["jwt_configuration"] = jwt.Encode()
		}
		complete(doc)
		if err := checkRules(doc); err != nil {
			return err
		}
		c.Doc = doc.Encode()
		c.UpdatedAt = s.Now().UnixMicro()
		return setSecret(c, body, fresh)
	}
	return s.Store.UpdateClient(ctx, id, edit, s.event(by, "Update a client"))
}

// setSecret keeps the rule that public clients have no secret and all others
// have one.
func setSecret(c *Client, body strictjson.Document, fresh string) error {
	sent := body.Text("client_secret")
	switch public := c.Settings().Public(); {
	case public && sent != "":
		return errPublicSecret
	case public:
		c.Secret = ""
	case sent != "":
		c.Secret = sent
	case c.Secret == "":
		c.Secret = fresh
	}
	return nil
}

// keepSecretEncoding refuses a change of jwt_configuration.secret_encoded, which
// is fixed at creation.
func keepSecretEncoding(old, body strictjson.Document) error {
	was := old.Object("jwt_configuration")["secret_encoded"]
	if sent, ok := body.Object("jwt_configuration")["secret_encoded"]; ok && len(was) > 0 && string(sent) != string(was) {
		return invalid("jwt_configuration.secret_encoded cannot be changed.")
	}
	return nil
}

// RotateSecret gives the client a new secret; the old one is worthless at once.
// Errors: ErrNotFound; *errs.Error for a public client.
func (s *Service) RotateSecret(ctx context.Context, id string, by audit.Event) (*Client, error) {
	secret := s.NewSecret()
	edit := func(c *Client) error {
		if c.Settings().Public() {
			return errPublicSecret
		}
		c.Secret, c.UpdatedAt = secret, s.Now().UnixMicro()
		return nil
	}
	return s.Store.UpdateClient(ctx, id, edit, s.event(by, "Rotate a client secret"))
}

// Delete removes the client with its grants. ErrNotFound when there is none;
// the global client is refused.
func (s *Service) Delete(ctx context.Context, id string, by audit.Event) error {
	c, err := s.Store.Client(ctx, id)
	if err != nil {
		return err
	}
	if c.Global {
		return errGlobal
	}
	return s.Store.DeleteClient(ctx, id, s.event(by, "Delete a client"))
}

func (s *Service) event(by audit.Event, description string) audit.Event {
	return by.Operation(s.Now().UnixMicro(), description)
}

func isNull(_ string, v json.RawMessage) bool { return string(v) == "null" }

// complete fills jwt_configuration and refresh_token.
func complete(doc strictjson.Document) {
	for name, fill := range map[string]strictjson.Document{"jwt_configuration": jwtDefaults, "refresh_token": refreshDefaults} {
		have := maps.Clone(fill)
		maps.Copy(have, doc.Object(name))
		doc[name] = have.Encode()
	}
}

// unset puts a default back in the place of a required member that null took away.
func unset(doc strictjson.Document) {
	for name, v := range defaults {
		if _, ok := doc[name]; !ok {
			doc[name] = v
		}
	}
	if _, ok := doc["grant_types"]; !ok {
		doc["grant_types"] = encodeTexts(DefaultGrantTypes(doc.Text("app_type")))
	}
}

// mergeMetadata merges client_metadata by key; null removes a key.
func mergeMetadata(doc, old strictjson.Document) {
	sent := doc.Object("client_metadata")
	if sent == nil {
		return
	}
	merged := old.Object("client_metadata")
	if merged == nil {
		merged = strictjson.Document{}
	}
	maps.Copy(merged, sent)
	maps.DeleteFunc(merged, isNull)
	doc["client_metadata"] = merged.Encode()
}
