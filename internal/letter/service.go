package letter

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// providerName is the document of the provider; templates go by their own names.
const providerName = "provider"

// Reader reads the documents of mails: a template by its name, or the provider.
type Reader interface {
	// MailDocument may be a second old; nil: it was never set.
	MailDocument(ctx context.Context, name string) (json.RawMessage, error)
}

// Store keeps the documents.
type Store interface {
	Reader
	// UpdateMailDocument runs fn on the locked document (nil: there is none) and
	// keeps the result (nil: none); with fn's error nothing is written.
	UpdateMailDocument(ctx context.Context, name string, fn func(old json.RawMessage) (json.RawMessage, error), e audit.Event) (json.RawMessage, error)
}

// FindTemplate is the template of a letter, ours where the tenant has none.
func FindTemplate(ctx context.Context, r Reader, name string) (Template, error) {
	doc, err := r.MailDocument(ctx, name)
	return ReadTemplate(name, doc), err
}

// FindProvider is the tenant's provider.
func FindProvider(ctx context.Context, r Reader) (Provider, error) {
	doc, err := r.MailDocument(ctx, providerName)
	return ReadProvider(doc), err
}

// Service is the use cases of GET, POST, PUT, PATCH /email-templates and
// /emails/provider (reference/authentication.md §7.6, §8.1). Both fields are required.
//
// Errors: schema.Error, *errs.Error.
type Service struct {
	Store Store
	Now   func() time.Time
}

func (s *Service) event(by audit.Event, description string) audit.Event {
	return by.Operation(s.Now().UnixMicro(), description)
}

// Template is a template that the tenant made.
func (s *Service) Template(ctx context.Context, name string) (json.RawMessage, error) {
	if err := CheckTemplateName(name); err != nil {
		return nil, err
	}
	doc, err := s.Store.MailDocument(ctx, name)
	if err == nil && doc == nil {
		err = ErrNoTemplate
	}
	return doc, err
}

// CreateTemplate makes a template; there is one of each name.
func (s *Service) CreateTemplate(ctx context.Context, members []strictjson.Member, by audit.Event) (json.RawMessage, error) {
	if bad := wholeTemplate.Check("", strictjson.Join(members)); len(bad) > 0 {
		return nil, schema.Error(bad)
	}
	doc := strictjson.NewDocument(members)
	if err := checkTemplate(doc); err != nil {
		return nil, err
	}
	name := doc.Text("template")
	return s.Store.UpdateMailDocument(ctx, name, func(old json.RawMessage) (json.RawMessage, error) {
		if old != nil {
			return nil, errExists(name)
		}
		return doc.Encode(), nil
	}, s.event(by, "Create an email template"))
}

// PutTemplate replaces a template.
func (s *Service) PutTemplate(ctx context.Context, name string, members []strictjson.Member, by audit.Event) (json.RawMessage, error) {
	return s.changeTemplate(ctx, name, &wholeTemplate, members, s.event(by, "Set an email template"), nil)
}

// PatchTemplate changes members of a template.
func (s *Service) PatchTemplate(ctx context.Context, name string, members []strictjson.Member, by audit.Event) (json.RawMessage, error) {
	return s.changeTemplate(ctx, name, &templatePatch, members, s.event(by, "Update an email template"), merged)
}

func (s *Service) changeTemplate(
	ctx context.Context, name string, form *schema.Property, members []strictjson.Member, e audit.Event,
	merge func(old, body strictjson.Document) strictjson.Document,
) (json.RawMessage, error) {
	if err := CheckTemplateName(name); err != nil {
		return nil, err
	}
	if bad := form.Check("", strictjson.Join(members)); len(bad) > 0 {
		return nil, schema.Error(bad)
	}
	body := strictjson.NewDocument(members)
	if body.Has("template") && body.Text("template") != name {
		return nil, errOtherName
	}
	return s.Store.UpdateMailDocument(ctx, name, func(old json.RawMessage) (json.RawMessage, error) {
		if old == nil {
			return nil, ErrNoTemplate
		}
		doc := body
		if merge != nil {
			doc = merge(strictjson.ParseDocument(old), body)
		}
		if err := checkTemplate(doc); err != nil {
			return nil, err
		}
		return doc.Encode(), nil
	}, e)
}

// merged has the members of body over those of old.
func merged(old, body strictjson.Document) strictjson.Document {
	doc := maps.Clone(old)
	maps.Copy(doc, body)
	return doc
}

// Provider is the tenant's provider, without its secrets.
func (s *Service) Provider(ctx context.Context) (json.RawMessage, error) {
	doc, err := s.Store.MailDocument(ctx, providerName)
	if err != nil {
		return nil, err
	}
	if doc == nil {
		return nil, ErrNoProvider
	}
	return shownProvider(doc), nil
}

// CreateProvider names a provider; there can be one.
func (s *Service) CreateProvider(ctx context.Context, members []strictjson.Member, by audit.Event) (json.RawMessage, error) {
	body, err := readProviderBody(&wholeProvider, members)
	if err != nil {
		return nil, err
	}
	if !body.Has("enabled") {
		body["enabled"] = json.RawMessage("true")
	}
	return s.changeProvider(ctx, func(old strictjson.Document) (strictjson.Document, error) {
		if old != nil {
			return nil, errProviderExists
		}
		return body, nil
	}, s.event(by, "Create the email provider"))
}

// PatchProvider changes members of the provider, and single credentials. A secret
// follows no server: with another host or port it has to be given again.
func (s *Service) PatchProvider(ctx context.Context, members []strictjson.Member, by audit.Event) (json.RawMessage, error) {
	if len(members) == 0 {
		return nil, errEmptyPatch
	}
	body, err := readProviderBody(&providerPatch, members)
	if err != nil {
		return nil, err
	}
	return s.changeProvider(ctx, func(old strictjson.Document) (strictjson.Document, error) {
		if old == nil {
			return nil, ErrNoProvider
		}
		doc := merged(old, body)
		if given := body.Object("credentials"); given != nil {
			kept := old.Object("credentials")
			c := merged(kept, given)
			moved := c.Text("smtp_host") != kept.Text("smtp_host") || string(c["smtp_port"]) != string(kept["smtp_port"])
			if moved && !given.Has("smtp_pass") {
				delete(c, "smtp_pass")
			}
			doc["credentials"] = c.Encode()
		}
		return doc, nil
	}, s.event(by, "Update the email provider"))
}

func (s *Service) changeProvider(ctx context.Context, change func(old strictjson.Document) (strictjson.Document, error), e audit.Event) (json.RawMessage, error) {
	stored, err := s.Store.UpdateMailDocument(ctx, providerName, func(old json.RawMessage) (json.RawMessage, error) {
		doc, err := change(strictjson.ParseDocument(old))
		if err == nil {
			err = checkProvider(doc)
		}
		if err != nil {
			return nil, err
		}
		return doc.Encode(), nil
	}, e)
	if err != nil {
		return nil, err
	}
	return shownProvider(stored), nil
}

// DeleteProvider forgets the provider; deleting none is no error.
func (s *Service) DeleteProvider(ctx context.Context, by audit.Event) error {
	_, err := s.Store.UpdateMailDocument(ctx, providerName, func(json.RawMessage) (json.RawMessage, error) {
		return nil, nil
	}, s.event(by, "Delete the email provider"))
	return err
}
