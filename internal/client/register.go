package client

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/oauth"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// Bounds of what a stranger registers, characters.
const (
	maxRegisteredName = 100
	maxRedirects      = 10
)

// registeredGrants are those that a client may register for, and what it has when it names none.
var registeredGrants = []string{"authorization_code", "refresh_token"}

func badRedirect(format string, args ...any) error {
	return errs.New(errs.Invalid, "invalid_redirect_uri", format, args...)
}

func badMetadata(format string, args ...any) error {
	return errs.New(errs.Invalid, "invalid_client_metadata", format, args...)
}

// Registration is what a client says of itself (RFC 7591 §2).
type Registration struct {
	Name       string
	Redirects  []string
	AuthMethod string
	GrantTypes []string
}

// ReadRegistration is the rule of what a registration may ask for
// (reference/authentication.md §4.8). Members that are not known are passed over
// (RFC 7591 §2). Errors have the codes of RFC 7591 §3.2.2.
func ReadRegistration(members []strictjson.Member) (Registration, error) {
	doc := strictjson.NewDocument(members)
	g := Registration{Name: doc.Text("client_name"), Redirects: doc.Texts("redirect_uris"), AuthMethod: AuthPost, GrantTypes: registeredGrants}
	if len(g.Redirects) == 0 || len(g.Redirects) > maxRedirects {
		return g, badRedirect("redirect_uris must be an array of 1 to %d addresses.", maxRedirects)
	}
	for _, uri := range g.Redirects {
		if !registrable(uri) {
			return g, badRedirect("A redirect URI is an absolute address of https, of http on a loopback interface, or of an application's own scheme, without fragment and placeholders.")
		}
	}
	if doc.Has("client_name") && (g.Name == "" || len([]rune(g.Name)) > maxRegisteredName || strings.ContainsAny(g.Name, "<>") || !schema.Clean(g.Name)) {
		return g, badMetadata("client_name must be 1 to %d characters, all of which can be seen, without < and >.", maxRegisteredName)
	}
	if doc.Has("token_endpoint_auth_method") {
		if g.AuthMethod = doc.Text("token_endpoint_auth_method"); g.AuthMethod != AuthNone && g.AuthMethod != AuthPost && g.AuthMethod != AuthBasic {
			return g, badMetadata("token_endpoint_auth_method must be none, client_secret_post or client_secret_basic.")
		}
	}
	if doc.Has("grant_types") {
		g.GrantTypes = doc.Texts("grant_types")
		if !slices.Contains(g.GrantTypes, "authorization_code") || len(oauth.Without(g.GrantTypes, registeredGrants)) > 0 || len(g.GrantTypes) > len(registeredGrants) {
			return g, badMetadata("grant_types must be authorization_code, with or without refresh_token.")
		}
	}
	if doc.Has("response_types") && !slices.Equal(doc.Texts("response_types"), []string{"code"}) {
		return g, badMetadata("response_types must be code.")
	}
	if g.Name == "" {
		// People see it when they are asked for consent: it must claim nothing.
		g.Name = strings.NewReplacer("<", "", ">", "").Replace(nameOf(g.Redirects[0]))
	}
	return g, nil
}

func nameOf(redirect string) string {
	if u, err := url.Parse(redirect); err == nil {
		if u.Hostname() != "" && (u.Scheme == "https" || u.Scheme == "http") {
			return u.Hostname()
		}
		return u.Scheme
	}
	return "Application"
}

// registrable reports whether a stranger may register the address: what a client
// that is trusted may, and narrower (security.md 48, RFC 8252 §7).
func registrable(uri string) bool {
	if len(uri) > maxURL || !Callable(uri) || strings.ContainsAny(uri, `*{}#<>"'^|`+"`") {
		return false
	}
	u, err := url.Parse(uri)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "https":
		return true
	case "http":
		ip, err := netip.ParseAddr(u.Hostname())
		return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	}
	// A scheme that belongs to somebody has the dot of a domain name in it, so that
	// none that a browser or a system opens by itself can be taken.
	return strings.Contains(u.Scheme, ".")
}

// Register makes a client of a stranger's: a third party under enhanced controls
// unless the tenant prefers the permissive mode, with rotating refresh tokens. by is
// as of the other use cases.
func (s *Service) Register(ctx context.Context, g Registration, permissive bool, by audit.Event) (*Client, error) {
	mode := "strict"
	if permissive {
		mode = "permissive"
	}
	doc := strictjson.Document{}
	for name, v := range defaults {
		doc[name] = v
	}
	doc["is_first_party"], doc["oidc_conformant"] = []byte("false"), []byte("true")
	doc["third_party_security_mode"] = quoted(mode)
	doc["token_endpoint_auth_method"] = quoted(g.AuthMethod)
	doc["callbacks"], doc["grant_types"] = encodeTexts(g.Redirects), encodeTexts(g.GrantTypes)
	doc["jwt_configuration"] = []byte(`{"alg":"RS256"}`)
	doc["refresh_token"] = []byte(`{"rotation_type":"rotating","expiration_type":"expiring","infinite_token_lifetime":false,"infinite_idle_token_lifetime":false}`)
	complete(doc)
	if err := checkRules(doc); err != nil {
		return nil, err
	}
	at := s.Now().UnixMicro()
	c := &Client{ID: oauth.SelfRegisteredPrefix + s.NewID(), Name: g.Name, Doc: doc.Encode(), Version: 1, CreatedAt: at, UpdatedAt: at}
	if !c.Settings().Public() {
		c.Secret = s.NewSecret()
	}
	by.ClientID = c.ID
	return c, s.Store.CreateClient(ctx, c, s.event(by, "Register a client dynamically"))
}

// quoted is a text without anything to escape, as JSON.
func quoted(s string) []byte { return []byte(`"` + s + `"`) }
