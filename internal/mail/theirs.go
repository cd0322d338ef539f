package mail

import (
	"context"
	"encoding/json"
	"errors"
	"net/mail"
	"net/url"
	"strings"
	"time"

	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/letter"
	"mangrove/internal/liquid"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

// limits of a tenant's template.
func limits(now time.Time) liquid.Limits { return liquid.Limits{Now: now} }

// theirs is a letter in a tenant's words, as HTML alone (reference/authentication.md
// §8.1). Whatever a person or an application brings is a value, never a template,
// and escaped in the body unless the template says `raw`. A body that is empty, or
// a sender of the reference's own, makes it ours: ok is false.
func theirs(t letter.Template, vars map[string]any, now time.Time) (c content, ok bool, err error) {
	if strings.TrimSpace(t.Body) == "" || strings.Contains(strings.ToLower(t.From), "@auth0.com") {
		return content{}, false, nil
	}
	body, err := liquid.Parse(t.Body)
	if err != nil {
		return content{}, false, err
	}
	if c.html, err = body.RenderHTML(vars, limits(now)); err != nil {
		return content{}, false, err
	}
	if c.subject, err = oneLine(t.Subject, vars, now); err != nil {
		return content{}, false, err
	}
	from, err := oneLine(t.From, vars, now)
	if err != nil {
		return content{}, false, err
	}
	c.from = sender(from)
	return c, true, nil
}

func oneLine(src string, vars map[string]any, now time.Time) (string, error) {
	t, err := liquid.Parse(src)
	if err != nil {
		return "", err
	}
	s, err := t.Render(vars, limits(now))
	return line(s), err
}

// sender reads a filled-in from: an address, or a name and an address in angle
// brackets. The name is a name, whatever is in it; zero: there is no address.
func sender(s string) mail.Address {
	name, address := "", s
	if i := strings.LastIndexByte(s, '<'); i >= 0 && strings.HasSuffix(s, ">") {
		name, address = strings.Trim(strings.TrimSpace(s[:i]), `"`), s[i+1:len(s)-1]
	}
	a, err := mail.ParseAddress("<" + address + ">")
	if err != nil {
		return mail.Address{}
	}
	return mail.Address{Name: name, Address: a.Address}
}

// about are the variables of a tenant's template.
func (p *Post) about(ctx context.Context, l letter.Letter, s *tenant.Settings, app *client.Client) (map[string]any, error) {
	host := p.host()
	vars := map[string]any{
		"application": applicationVars(app), "request_language": l.Language, "tenant": host, "friendly_name": s.FriendlyName,
		"support_email": s.SupportEmail, "support_url": s.SupportURL, "custom_domain": map[string]any{"domain": host},
		"url": l.URL, "link": l.URL, "code": l.Code, "urlLifetimeInSeconds": l.Lifetime,
		"branding": map[string]any{"logo_url": s.Branding.LogoURL, "colors": map[string]any{"primary": s.Branding.PrimaryColor, "page_background": s.Branding.PageBackground}},
	}
	who := map[string]any{"email": l.To}
	if l.Template != letter.Passwordless {
		c, err := p.connection(ctx, l.ConnectionID)
		if err != nil {
			return nil, err
		}
		if c != nil {
			vars["connection"] = map[string]any{"name": c.Name}
		}
		u, err := p.Users.User(ctx, user.ID(l.UserID))
		if err != nil && !errors.Is(err, user.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			who = userVars(u, l.To)
		}
	}
	for name, v := range l.Vars {
		switch name {
		case "source_ip", "city", "country":
			who[name] = v
		default:
			if _, taken := vars[name]; !taken {
				vars[name] = v
			}
		}
	}
	vars["user"] = who
	return vars, nil
}

// shownAttributes are those that templates see.
var shownAttributes = []string{
	profile.EmailVerified, profile.Picture, profile.Nickname, profile.GivenName, profile.FamilyName, profile.Name, profile.AppMetadata, profile.UserMetadata,
	profile.Username, profile.PhoneNumber,
}

func userVars(u *user.User, to string) map[string]any {
	m := map[string]any{"email": to, "user_id": string(u.ID)}
	for _, name := range shownAttributes {
		if v := decoded(u.Profile.Value(name)); v != nil {
			m[name] = v
		}
	}
	return m
}

// applicationVars are those of no application where c is nil.
func applicationVars(c *client.Client) map[string]any {
	if c == nil {
		return map[string]any{}
	}
	m := map[string]any{"name": c.Name, "clientID": c.ID}
	if meta := decoded(strictjson.ParseDocument(c.Doc)["client_metadata"]); meta != nil {
		m["client_metadata"] = meta
	}
	for _, callback := range c.Settings().Callbacks {
		if u, err := url.Parse(callback); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
			m["callback_domain"] = u.Scheme + "://" + u.Host
			break
		}
	}
	return m
}

func decoded(raw json.RawMessage) any {
	var v any
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return nil
	}
	return v
}

func (p *Post) application(ctx context.Context, id string) (*client.Client, error) {
	if id == "" {
		return nil, nil //nolint:nilnil // no application
	}
	c, err := p.Clients.Client(ctx, id)
	if errors.Is(err, client.ErrNotFound) {
		return nil, nil //nolint:nilnil // it was deleted meanwhile
	}
	return c, err
}

func (p *Post) connection(ctx context.Context, id string) (*connection.Connection, error) {
	if id == "" {
		return nil, nil //nolint:nilnil // no connection
	}
	c, err := p.Connections.Connection(ctx, id)
	if errors.Is(err, connection.ErrNotFound) {
		return nil, nil //nolint:nilnil // it was deleted meanwhile
	}
	return c, err
}

// template is the tenant's for a letter; that of passwordless is its connection's
// (reference/connections.md §2.2, §6.4).
func (p *Post) template(ctx context.Context, l letter.Letter) (letter.Template, error) {
	switch l.Template {
	case letter.PasswordChanged, letter.FactorAdded, letter.FactorRemoved:
		return letter.Template{Enabled: true}, nil
	case letter.Passwordless:
		c, err := p.connection(ctx, l.ConnectionID)
		if err != nil || c == nil {
			return letter.Template{Enabled: true}, err
		}
		mail := strictjson.ParseDocument(c.Options).Object("email")
		return letter.Template{From: mail.Text("from"), Subject: mail.Text("subject"), Body: mail.Text("body"), Enabled: true}, nil
	}
	return letter.FindTemplate(ctx, p.Settings, l.Template)
}
