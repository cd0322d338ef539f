package op

import (
	"context"
	"net/http"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/errs"
	"mangrove/internal/guard"
	"mangrove/internal/web"
)

// Registrar makes clients of strangers (client.Service).
type Registrar interface {
	Register(ctx context.Context, g client.Registration, permissive bool, by audit.Event) (*client.Client, error)
}

// registerLimit is that of the whole tenant (reference/authentication.md §4.10).
var registerLimit = guard.Limit{Burst: 5, Every: time.Second / 5}

var errNoRegistration = errs.New(errs.Forbidden, "access_denied", "Dynamic client registration is not enabled for this tenant.")

// registeredResponse is the answer of /oidc/register, members in the order of §4.8.
type registeredResponse struct {
	Name          string   `json:"client_name"`
	ID            string   `json:"client_id"`
	Secret        string   `json:"client_secret,omitempty"`
	Redirects     []string `json:"redirect_uris"`
	SecretExpires *int64   `json:"client_secret_expires_at,omitempty"` // 0: never; absent without a secret
	GrantTypes    []string `json:"grant_types"`
	AuthMethod    string   `json:"token_endpoint_auth_method"`
}

// registerClient is POST /oidc/register (reference/authentication.md §4.8, RFC 7591).
func (e *Endpoints) registerClient(w http.ResponseWriter, r *http.Request) error {
	web.NoStore(w)
	ctx := r.Context()
	t, err := e.d.Tenant.Settings(ctx)
	if err != nil {
		return err
	}
	if !t.DynamicClientRegistration {
		return errNoRegistration
	}
	if err := e.d.Throttle.Throttle(ctx, "register", registerLimit, "tenant"); err != nil {
		return err
	}
	by := audit.Event{IP: web.ClientIP(r), UserAgent: web.UserAgent(r)}
	c, err := e.registered(r, t.RegistersPermissive, by)
	if err != nil {
		by.Type, by.At, by.Description = audit.Warning, e.d.Now().UnixMicro(), "A client could not register: "+problemOf(err).text
		e.recordRefusal(ctx, by)
		return err
	}
	s := c.Settings()
	res := registeredResponse{
		Name: c.Name, ID: c.ID, Secret: c.Secret, Redirects: s.Callbacks, GrantTypes: s.GrantTypes, AuthMethod: s.AuthMethod,
	}
	if c.Secret != "" {
		res.SecretExpires = new(int64)
	}
	web.WriteJSON(w, http.StatusCreated, web.TypeJSON, res)
	return nil
}

func (e *Endpoints) registered(r *http.Request, permissive bool, by audit.Event) (*client.Client, error) {
	members, err := web.ReadJSON(r)
	if err != nil {
		return nil, err
	}
	g, err := client.ReadRegistration(members)
	if err != nil {
		return nil, err
	}
	return e.d.Registrar.Register(r.Context(), g, permissive, by)
}
