package tenant

import (
	"context"
	"encoding/json"

	"mangrove/internal/audit"
)

// Name of a document.
type Name string

// The documents. A language's texts of a prompt are a document each: see TextsOf.
const (
	Tenant     Name = "tenant"             // GET /tenants/settings
	Look       Name = "branding"           // GET /branding
	Theme      Name = "theme"              // GET /branding/themes/default
	Template   Name = "universal-login"    // GET /branding/templates/universal-login
	Prompts    Name = "prompts"            // GET /prompts
	Brute      Name = "brute-force"        // GET /attack-protection/brute-force-protection
	Suspicious Name = "suspicious-ip"      // GET /attack-protection/suspicious-ip-throttling
	Breached   Name = "breached-passwords" // GET /attack-protection/breached-password-detection
	Bots       Name = "bot-detection"      // GET /attack-protection/bot-detection
	Captcha    Name = "captcha"            // GET /attack-protection/captcha
	Phones     Name = "phone-provider"     // GET /attack-protection/phone-provider-protection
	Factors    Name = "guardian-factors"   // {"otp":true,…}: those of GET /guardian/factors that are on
	Policies   Name = "guardian-policies"  // {"policies":[…]}: GET /guardian/policies
)

// viewed are the documents that Settings is made of.
var viewed = []Name{Tenant, Look, Prompts, Brute, Suspicious, Factors, Policies}

// Viewed are the documents that View reads. The list is the caller's.
func Viewed() []Name { return append([]Name(nil), viewed...) }

// TextsOf names the document of a prompt's texts in a language.
func TextsOf(prompt, language string) Name { return Name("texts/" + prompt + "/" + language) }

// Documents are documents by name; those that were never set are missing.
type Documents map[Name]json.RawMessage

// Store keeps documents: JSON objects as they were set, without the defaults.
type Store interface {
	// TenantDocument is nil where nothing was set.
	TenantDocument(ctx context.Context, name Name) (json.RawMessage, error)
	// UpdateTenantDocument runs fn on the locked document, nil where nothing was
	// set, and keeps what it returns; nil removes the document. fn may run twice.
	UpdateTenantDocument(ctx context.Context, name Name, fn func(json.RawMessage) (json.RawMessage, error), e audit.Event) (json.RawMessage, error)
}
