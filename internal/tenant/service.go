package tenant

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// Failures of the contract (reference/authentication.md §6.4).
var (
	ErrNoTheme       = errs.New(errs.NotFound, "theme_not_found", "There was an error retrieving branding settings: invalid theme ID")
	errThemeUpdate   = errs.New(errs.NotFound, "theme_not_found", "There was an error updating branding settings: invalid theme ID")
	errThemeDelete   = errs.New(errs.NotFound, "theme_not_found", "There was an error deleting branding settings: invalid theme ID")
	errThemeExists   = errs.New(errs.Conflict, "theme_already_exists", "There was an error updating branding settings: The theme already exists")
	ErrNoTemplate    = errs.New(errs.NotFound, "inexistent_templates_universal_login", "Template does not exist.")
	errTemplateBlock = errs.New(errs.Invalid, "invalid_body", "The template has to hold {%%- auth0:head -%%} and {%%- auth0:widget -%%}.")
)

// Service is the use cases. All fields are required.
//
// Each that changes something takes an audit.Event that says who asks (ClientID,
// UserID, IP, UserAgent); the service fills in the rest and hands it to the store.
type Service struct {
	Store Store
	Now   func() time.Time
}

func (s *Service) event(by audit.Event, description string) audit.Event {
	return by.Operation(s.Now().UnixMicro(), description)
}

// Show is a document as the wire has it: what was set, over the defaults.
func (s *Service) Show(ctx context.Context, name Name) (json.RawMessage, error) {
	set, err := s.Store.TenantDocument(ctx, name)
	if err != nil {
		return nil, err
	}
	return kinds[name].shown(set), nil
}

// Patch merges the members of a body into a document: objects member by member,
// null unsets. Errors: schema.Error, *errs.Error.
func (s *Service) Patch(ctx context.Context, name Name, members []strictjson.Member, by audit.Event) (json.RawMessage, error) {
	k := kinds[name]
	if bad := k.body.Check("", strictjson.Join(members)); len(bad) > 0 {
		return nil, schema.Error(bad)
	}
	body := strictjson.NewDocument(members)
	if k.check != nil {
		if err := k.check(body); err != nil {
			return nil, err
		}
	}
	set, err := s.Store.UpdateTenantDocument(ctx, name, func(old json.RawMessage) (json.RawMessage, error) {
		doc := merge(strictjson.ParseDocument(old), body)
		if k.settle != nil {
			k.settle(doc, body)
		}
		return doc.Encode(), nil
	}, s.event(by, k.event))
	if err != nil {
		return nil, err
	}
	return k.shown(set), nil
}

// Theme is the theme with that id; an empty id: the one there is. ErrNoTheme.
func (s *Service) Theme(ctx context.Context, id string) (json.RawMessage, error) {
	doc, err := s.Store.TenantDocument(ctx, Theme)
	if err != nil {
		return nil, err
	}
	if doc == nil || id != "" && themeID(doc) != id {
		return nil, ErrNoTheme
	}
	return doc, nil
}

func themeID(doc json.RawMessage) string { return strictjson.ParseDocument(doc).Text("themeId") }

// CreateTheme makes the theme; there can be one. Errors: schema.Error, *errs.Error.
func (s *Service) CreateTheme(ctx context.Context, members []strictjson.Member, by audit.Event) (json.RawMessage, error) {
	doc, err := checkTheme(members)
	if err != nil {
		return nil, err
	}
	doc["themeId"] = quoted((rand.Text() + rand.Text())[:32])
	return s.Store.UpdateTenantDocument(ctx, Theme, func(old json.RawMessage) (json.RawMessage, error) {
		if old != nil {
			return nil, errThemeExists
		}
		return doc.Encode(), nil
	}, s.event(by, "Create branding theme"))
}

// PatchTheme replaces the theme with that id. Errors as CreateTheme's.
func (s *Service) PatchTheme(ctx context.Context, id string, members []strictjson.Member, by audit.Event) (json.RawMessage, error) {
	doc, err := checkTheme(members)
	if err != nil {
		return nil, err
	}
	doc["themeId"] = quoted(id)
	return s.Store.UpdateTenantDocument(ctx, Theme, func(old json.RawMessage) (json.RawMessage, error) {
		if old == nil || themeID(old) != id {
			return nil, errThemeUpdate
		}
		return doc.Encode(), nil
	}, s.event(by, "Update branding theme"))
}

// DeleteTheme removes the theme with that id.
func (s *Service) DeleteTheme(ctx context.Context, id string, by audit.Event) error {
	_, err := s.Store.UpdateTenantDocument(ctx, Theme, func(old json.RawMessage) (json.RawMessage, error) {
		if old == nil || themeID(old) != id {
			return nil, errThemeDelete
		}
		return nil, nil
	}, s.event(by, "Delete branding theme"))
	return err
}

func checkTheme(members []strictjson.Member) (strictjson.Document, error) {
	if bad := themeBody.Check("", strictjson.Join(members)); len(bad) > 0 {
		return nil, schema.Error(bad)
	}
	doc := strictjson.NewDocument(members)
	if _, ok := doc["displayName"]; !ok {
		doc["displayName"] = quoted("Unnamed Theme")
	}
	return doc, nil
}

// Template is the page template, as {"body": …}; ErrNoTemplate.
func (s *Service) Template(ctx context.Context) (json.RawMessage, error) {
	doc, err := s.Store.TenantDocument(ctx, Template)
	if err == nil && doc == nil {
		err = ErrNoTemplate
	}
	return doc, err
}

// MaxTemplate is the contract's bound of a page template in bytes.
const MaxTemplate = 102400

// SetTemplate keeps a page template; created reports that there was none.
func (s *Service) SetTemplate(ctx context.Context, text string, by audit.Event) (created bool, err error) {
	if len(text) > MaxTemplate {
		return false, errs.New(errs.Invalid, "invalid_body", "Payload content length greater than maximum allowed: %d.", MaxTemplate)
	}
	if !placed(text, "auth0:head") || !placed(text, "auth0:widget") {
		return false, errTemplateBlock
	}
	doc := strictjson.Document{"body": quoted(text)}.Encode()
	_, err = s.Store.UpdateTenantDocument(ctx, Template, func(old json.RawMessage) (json.RawMessage, error) {
		created = old == nil
		return doc, nil
	}, s.event(by, "Set template for New Universal Login Experience"))
	return created, err
}

// DeleteTemplate removes the page template; having none is no error.
func (s *Service) DeleteTemplate(ctx context.Context, by audit.Event) error {
	_, err := s.Store.UpdateTenantDocument(ctx, Template, func(json.RawMessage) (json.RawMessage, error) { return nil, nil },
		s.event(by, "Delete template for New Universal Login Experience"))
	return err
}

// CustomText are the texts of a prompt in a language, {screen: {key: text}}.
func (s *Service) CustomText(ctx context.Context, prompt, language string) (json.RawMessage, error) {
	doc, err := s.Store.TenantDocument(ctx, TextsOf(prompt, language))
	if err == nil && doc == nil {
		doc = json.RawMessage("{}")
	}
	return doc, err
}

// SetCustomText replaces the texts of a prompt in a language. Errors: schema.Error.
func (s *Service) SetCustomText(ctx context.Context, prompt, language string, members []strictjson.Member, by audit.Event) (json.RawMessage, error) {
	for _, m := range members {
		screen := schema.Property{Types: obj}
		bad := screen.Check(m.Name, m.Value)
		for text := range schema.Members(m.Value) {
			bad = append(bad, (&schema.Property{Types: str}).Check(m.Name+"."+text.Name(), text.Value)...)
		}
		if len(bad) > 0 {
			return nil, schema.Error(bad)
		}
	}
	doc := strictjson.NewDocument(members).Encode()
	return doc, second(s.Store.UpdateTenantDocument(ctx, TextsOf(prompt, language), func(json.RawMessage) (json.RawMessage, error) {
		if len(members) == 0 {
			return nil, nil
		}
		return doc, nil
	}, s.event(by, "Update custom text for prompt "+prompt)))
}

// Factor is an item of GET /guardian/factors.
type Factor struct {
	Name    string
	Enabled bool
}

// factorNames are in the order of reference/authentication.md §7.6.
var factorNames = []string{"sms", "push-notification", "otp", "email", "duo", "webauthn-roaming", "webauthn-platform", "recovery-code"}

// IsFactor reports whether there is a factor of that name.
func IsFactor(name string) bool { return slices.Contains(factorNames, name) }

// foreignFactors need a service of somebody else that nothing here speaks to.
var foreignFactors = []string{"push-notification", "duo"}

// Factors are all second factors, and which are on.
func (s *Service) Factors(ctx context.Context) ([]Factor, error) {
	set, err := s.Store.TenantDocument(ctx, Factors)
	if err != nil {
		return nil, err
	}
	doc := strictjson.ParseDocument(set)
	list := make([]Factor, len(factorNames))
	for i, name := range factorNames {
		list[i] = Factor{name, doc.Flag(name)}
	}
	return list, nil
}

var factorBody = schema.Property{
	Types: obj, Closed: true, Required: []string{"enabled"},
	Members: []schema.Property{{Name: "enabled", Types: boolean, Description: "Whether this factor is enabled (true) or disabled (false)."}},
}

// SetFactor switches a factor, whose name IsFactor knows, on or off.
func (s *Service) SetFactor(ctx context.Context, name string, members []strictjson.Member, by audit.Event) (bool, error) {
	if bad := factorBody.Check("", strictjson.Join(members)); len(bad) > 0 {
		return false, schema.Error(bad)
	}
	on := strictjson.NewDocument(members).Flag("enabled")
	if on && slices.Contains(foreignFactors, name) {
		return false, unsupported("The factor %s is not available: enabled cannot be true.", name)
	}
	e := s.event(by, "Update multi-factor settings")
	e.Type = audit.FactorsChanged
	_, err := s.Store.UpdateTenantDocument(ctx, Factors, func(old json.RawMessage) (json.RawMessage, error) {
		doc := maps.Clone(strictjson.ParseDocument(old))
		if doc == nil {
			doc = strictjson.Document{}
		}
		doc[name] = json.RawMessage("false")
		if on {
			doc[name] = json.RawMessage("true")
		}
		return doc.Encode(), nil
	}, e)
	return on, err
}

// AllApplications is the policy that asks everybody for a second factor.
const AllApplications = "all-applications"

var policiesBody = schema.Property{Types: arr, Items: &schema.Property{Types: str, Enum: []string{AllApplications, "confidence-score"}}}

// Policies is GET /guardian/policies.
func (s *Service) Policies(ctx context.Context) (json.RawMessage, error) {
	set, err := s.Store.TenantDocument(ctx, Policies)
	if err != nil {
		return nil, err
	}
	return list(strictjson.ParseDocument(set).Texts("policies")), nil
}

// SetPolicies replaces the policies with those of a body, a JSON array.
func (s *Service) SetPolicies(ctx context.Context, body json.RawMessage, by audit.Event) (json.RawMessage, error) {
	if bad := policiesBody.Check("", body); len(bad) > 0 {
		return nil, schema.Error(bad)
	}
	doc := strictjson.Document{"policies": body}
	policies := doc.Texts("policies")
	if slices.Contains(policies, "confidence-score") {
		return nil, unsupported("Adaptive multi-factor authentication is not available: the policy confidence-score cannot be set.")
	}
	e := s.event(by, "Update multi-factor policies")
	e.Type = audit.FactorsChanged
	_, err := s.Store.UpdateTenantDocument(ctx, Policies, func(json.RawMessage) (json.RawMessage, error) { return doc.Encode(), nil }, e)
	return list(policies), err
}

// list is the JSON array of texts, never null.
func list(texts []string) json.RawMessage {
	b := []byte{'['}
	for i, s := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, quoted(s)...)
	}
	return append(b, ']')
}

func quoted(s string) json.RawMessage { return profile.Text(s) }

func second[T any](_ T, err error) error { return err }
