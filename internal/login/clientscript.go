package login

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/errs"
	"mangrove/internal/oauth"
)

// scriptConnection is a connection as Lock reads it.
type scriptConnection struct {
	Name             string          `json:"name"`
	DisplayName      string          `json:"display_name,omitzero"`
	PasswordPolicy   string          `json:"passwordPolicy,omitzero"`
	Complexity       *scriptMinimum  `json:"password_complexity_options,omitzero"`
	ShowSignup       *bool           `json:"showSignup,omitzero"`
	ShowForgot       *bool           `json:"showForgot,omitzero"`
	RequiresUsername *bool           `json:"requires_username,omitzero"`
	Validation       json.RawMessage `json:"validation,omitzero"`
	Domain           string          `json:"domain,omitzero"`
	Aliases          []string        `json:"domain_aliases,omitzero"`
}

type scriptMinimum struct {
	MinLength int `json:"min_length"`
}

type scriptStrategy struct {
	Name        string             `json:"name"`
	Connections []scriptConnection `json:"connections"`
}

// scriptClient is what GET /client/{id}.js says.
type scriptClient struct {
	ID                string           `json:"id"`
	Tenant            string           `json:"tenant"`
	Subscription      string           `json:"subscription"`
	Authorize         string           `json:"authorize"`
	Callback          string           `json:"callback"`
	HasAllowedOrigins bool             `json:"hasAllowedOrigins"`
	Strategies        []scriptStrategy `json:"strategies"`
}

// clientScript is GET /client/{id}.js: what a page of the application needs to
// know to draw a form. All of it is on the sign-in page, too.
func (f *Flow) clientScript(w http.ResponseWriter, r *http.Request) error {
	id, ok := strings.CutSuffix(chi.URLParam(r, "script"), ".js")
	if !ok {
		return errs.New(errs.NotFound, "not_found", "There is no such script.")
	}
	c, err := f.d.Clients.Client(r.Context(), id)
	if errs.KindOf(err) == errs.NotFound || err == nil && c.Global {
		return errs.New(errs.NotFound, "not_found", "There is no such script.")
	}
	if err != nil {
		return err
	}
	settings, err := f.d.Tenant.Settings(r.Context())
	if err != nil {
		return err
	}
	v := scriptClient{
		ID: c.ID, Tenant: settings.FriendlyName, Subscription: "enterprise", Authorize: f.base + "/authorize",
		HasAllowedOrigins: len(c.Settings().AllowedOrigins) > 0 || len(c.Settings().WebOrigins) > 0,
	}
	if list := c.Settings().Callbacks; len(list) > 0 {
		v.Callback = list[0]
	}
	ws, err := f.waysFor(r.Context(), oauth.AuthorizeRequest{ClientID: c.ID})
	var refused *oauth.AuthorizeError
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	v.Strategies = strategiesOf(ws)
	return writeScript(w, "Auth0.setClient", v)
}

// strategiesOf are the ways by strategy, in the order of the first of each.
func strategiesOf(ws []way) []scriptStrategy {
	list := []scriptStrategy{}
	for _, way := range ws {
		i := slices.IndexFunc(list, func(s scriptStrategy) bool { return s.Name == way.c.Strategy })
		if i < 0 {
			i, list = len(list), append(list, scriptStrategy{Name: way.c.Strategy})
		}
		list[i].Connections = append(list[i].Connections, scriptOf(way))
	}
	return list
}

// scriptOf is what the page of the application may know of a connection.
func scriptOf(w way) scriptConnection {
	s := scriptConnection{Name: w.c.Name, Aliases: w.c.DomainAliases()}
	if w.label != w.c.Name {
		s.DisplayName = w.label
	}
	if w.kind != database {
		return s
	}
	rules, username := w.c.Signup(), w.c.Facts().Username
	signup, forgot := !rules.Disabled, !rules.NoResetLink
	s.ShowSignup, s.ShowForgot, s.RequiresUsername = &signup, &forgot, &username.Required
	if policy := w.c.PasswordPolicy(); policy.Level != "" {
		s.PasswordPolicy = policy.Level
		if policy.MinLength > 0 {
			s.Complexity = &scriptMinimum{policy.MinLength}
		}
	}
	if username.Allowed && username.Max > 0 {
		s.Validation, _ = json.Marshal(map[string]map[string]int{"username": {"min": username.Min, "max": username.Max}}) // numbers always encode
	}
	return s
}

// writeScript calls a function of the page with a value. The JSON encoder
// escapes what could end a script element.
func writeScript(w http.ResponseWriter, function string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/javascript; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=60")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, err = w.Write([]byte(function + "(" + string(raw) + ");\n"))
	return err
}
