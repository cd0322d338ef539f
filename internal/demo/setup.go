package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"mangrove/internal/fakeidp"
)

// setUp makes what the acts need: a token, the application, one upstream
// connection for each way of syncing.
func (p *play) setUp(ctx context.Context) error {
	a, err := p.form(ctx, "/oauth/token", url.Values{
		"grant_type": {"client_credentials"}, "audience": {p.base + "/api/v2/"},
		"client_id": {p.clientID}, "client_secret": {p.clientSecret},
	})
	if err != nil {
		return err
	}
	p.brief("POST", "/oauth/token", a.status, p.style(dim, "a token for the Management API"))
	if err := a.want(http.StatusOK); err != nil {
		return err
	}
	p.token = a.document().text("access_token")

	app, err := p.make(ctx, "POST", "/api/v2/clients", "the application", http.StatusCreated, object(
		"name", "Demo application", "app_type", "regular_web", "callbacks", []string{p.app.callback},
		"allowed_logout_urls", []string{p.app.home}, "oidc_conformant", true,
		"grant_types", []string{"authorization_code", "refresh_token", "http://auth0.com/oauth/grant-type/passwordless/otp", realm},
		"refresh_token", document{"rotation_type": "rotating", "expiration_type": "expiring"}))
	if err != nil {
		return err
	}
	p.app.id, p.app.secret = app.text("client_id"), app.text("client_secret")

	if err := p.enableDatabase(ctx); err != nil {
		return err
	}
	secret := "upstream-secret-of-acme"
	p.upstream.Register(fakeidp.Client{ID: "mangrove", Secret: secret, RedirectURIs: []string{p.base + "/login/callback"}})
	for _, c := range [][3]string{
		{eachLogin, "", "Acme, synced on each login"}, {firstLogin, "on_first_login", "Acme, synced on first login"},
		{neverLogin, "never_on_login", "Acme, never synced"},
	} {
		options := document{
			"type": "back_channel", "issuer": p.upstream.Issuer(), "discovery_url": p.upstream.DiscoveryURL(),
			"client_id": "mangrove", "client_secret": secret, "scope": "openid profile email",
		}
		if c[1] != "" {
			options["set_user_root_attributes"] = c[1]
		}
		if _, err := p.make(ctx, "POST", "/api/v2/connections", "upstream "+c[0], http.StatusCreated, object(
			"name", c[0], "display_name", c[2], "strategy", "oidc", "show_as_button", true,
			"options", options, "enabled_clients", []string{p.app.id})); err != nil {
			return err
		}
	}
	return nil
}

// make is a call of the Management API on one line.
func (p *play) make(ctx context.Context, method, path, what string, status int, body json.RawMessage) (document, error) {
	a, err := p.quiet(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	p.brief(method, short(path, 44), a.status, p.style(dim, what))
	return a.document(), a.want(status)
}

// enableDatabase lets people sign up and in to the application.
func (p *play) enableDatabase(ctx context.Context) error {
	c, err := p.connection(ctx, database)
	if err != nil {
		return err
	}
	p.databaseID = c.text("id")
	body, err := json.Marshal([]document{{"client_id": p.app.id, "status": true}})
	if err != nil {
		return err
	}
	_, err = p.make(ctx, "PATCH", "/api/v2/connections/"+p.databaseID+"/clients", "the database, for the application", http.StatusNoContent, body)
	return err
}

// connection finds a connection by its name.
func (p *play) connection(ctx context.Context, name string) (document, error) {
	a, err := p.quiet(ctx, "GET", "/api/v2/connections?name="+url.QueryEscape(name), nil)
	if err != nil {
		return nil, err
	}
	if err := a.want(http.StatusOK); err != nil {
		return nil, err
	}
	var list []document
	if err := json.Unmarshal(a.body, &list); err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("%d connections are called %s", len(list), name)
	}
	return list[0], nil
}

// setSync changes how a connection syncs. A PATCH replaces the options as a
// whole, so they are read first.
func (p *play) setSync(ctx context.Context, name, mode string) error {
	c, err := p.connection(ctx, name)
	if err != nil {
		return err
	}
	options, _ := c["options"].(map[string]any)
	options["set_user_root_attributes"] = mode
	d, err := p.make(ctx, "PATCH", "/api/v2/connections/"+c.text("id"), "options: now "+mode, http.StatusOK, object("display_name", c["display_name"], "options", options))
	if err != nil {
		return err
	}
	kept, _ := d["options"].(map[string]any)
	p.expect(kept["set_user_root_attributes"] == mode, "the connection is set to %s", mode)
	return nil
}
