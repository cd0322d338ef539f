package mgmt

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"mangrove/internal/client"
	"mangrove/internal/profile"
	"mangrove/internal/refresh"
	"mangrove/internal/schema"
	"mangrove/internal/session"
	"mangrove/internal/web"
)

// refreshTokenRoutes are the routes of refresh tokens (reference/authentication.md
// §3.8), which are device credentials by an older name.
func (a *api) refreshTokenRoutes() []route {
	return []route{
		{"GET", "/users/{id}/refresh-tokens", oneOf("read:refresh_tokens"), a.userRefreshTokens},
		{"DELETE", "/users/{id}/refresh-tokens", oneOf("delete:refresh_tokens"), a.deleteUserRefreshTokens},
		{"GET", "/refresh-tokens", oneOf("read:refresh_tokens"), a.listRefreshTokens},
		{"POST", "/refresh-tokens/revoke", oneOf("delete:refresh_tokens"), a.revokeRefreshTokens},
		{"GET", "/refresh-tokens/{id}", oneOf("read:refresh_tokens"), a.getRefreshToken},
		{"PATCH", "/refresh-tokens/{id}", oneOf("update:refresh_tokens"), a.patchRefreshToken},
		{"DELETE", "/refresh-tokens/{id}", oneOf("delete:refresh_tokens"), a.deleteRefreshToken},
		{"GET", "/device-credentials", oneOf("read:device_credentials"), a.listDeviceCredentials},
		{"DELETE", "/device-credentials/{id}", oneOf("delete:device_credentials", "delete:current_user_device_credentials"), a.deleteDeviceCredential},
	}
}

// refreshIDForm is the id of a refresh token in a path and in a body.
var refreshIDForm = schema.Property{Types: schema.String, Min: 1, Max: 30}

// userRefreshTokens is GET /users/{id}/refresh-tokens.
func (a *api) userRefreshTokens(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	list := listName("users/refresh-tokens", string(id))
	return a.refreshPage(w, r, queryOf(r), refresh.Filter{UserID: string(id)}, fields{}, list, "tokens", func() error { return a.exists(r) })
}

// listRefreshTokens is GET /refresh-tokens.
func (a *api) listRefreshTokens(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	f := refresh.Filter{
		UserID:   q.required(schema.Property{Name: "user_id", Description: "ID of the user whose refresh tokens to retrieve. Required.", Min: 1, Max: 300}),
		ClientID: q.text(schema.Property{Name: "client_id", Description: "Filter results by client ID. Only supported when user_id is provided.", Max: 64}),
	}
	shown := q.fields(nil)
	return a.refreshPage(w, r, q, f, shown, listName("refresh-tokens", f.UserID, f.ClientID), "refresh_tokens", nil)
}

// refreshPage answers with a page of live tokens, newest first. check may be nil.
func (a *api) refreshPage(w http.ResponseWriter, r *http.Request, q *query, f refresh.Filter, shown fields, list, key string, check func() error) error {
	return markPage[*refresh.Token]{
		key: key, name: list, check: check,
		fetch: func(behind session.Mark, take int) ([]*refresh.Token, bool, error) {
			return refresh.List(r.Context(), a.RefreshTokens, f, behind, take, a.Now().UnixMicro())
		},
		mark: func(t *refresh.Token) session.Mark { return session.Mark{CreatedAt: t.CreatedAt, ID: t.ID} },
		show: func(t *refresh.Token) ([]byte, error) { return a.refreshJSON(r, t, shown) },
	}.write(w, a, q)
}

// refreshID is the id in the path.
func refreshID(r *http.Request) (string, error) {
	id, err := web.Param(r, "id")
	if err != nil {
		return "", err
	}
	if vs := refreshIDForm.Check("id", profile.Text(id)); len(vs) > 0 {
		return "", pathError(vs[0])
	}
	return id, nil
}

func (a *api) refreshToken(r *http.Request) (*refresh.Token, error) {
	id, err := refreshID(r)
	if err != nil {
		return nil, err
	}
	return a.RefreshTokens.RefreshTokenByID(r.Context(), id, a.Now().UnixMicro())
}

func (a *api) writeRefreshToken(w http.ResponseWriter, r *http.Request, t *refresh.Token) error {
	b, err := a.refreshJSON(r, t, fields{})
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(b))
	return nil
}

// getRefreshToken is GET /refresh-tokens/{id}.
func (a *api) getRefreshToken(w http.ResponseWriter, r *http.Request, _ *caller) error {
	t, err := a.refreshToken(r)
	if err != nil {
		return err
	}
	return a.writeRefreshToken(w, r, t)
}

// refreshPatch is UpdateRefreshTokenRequestContent.
var refreshPatch = metadataPatch("refresh_token_metadata", "Metadata associated with the refresh token. Pass null or {} to remove all metadata.")

// patchRefreshToken is PATCH /refresh-tokens/{id}.
func (a *api) patchRefreshToken(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := refreshID(r)
	if err != nil {
		return err
	}
	metadata, err := readMetadata(r, refreshPatch)
	if err != nil {
		return err
	}
	e := a.onUser(r, by, "", "Update a refresh token")
	t, err := a.RefreshTokens.SetRefreshMetadata(r.Context(), id, metadata, a.Now().UnixMicro(), e)
	if err != nil {
		return err
	}
	return a.writeRefreshToken(w, r, t)
}

// rotating reports whether the token's client has its tokens rotated.
func (a *api) rotating(r *http.Request, t *refresh.Token) (bool, error) {
	c, err := a.ClientStore.Client(r.Context(), t.ClientID)
	if errors.Is(err, client.ErrNotFound) {
		return false, nil
	}
	return err == nil && c.Settings().RefreshToken.Rotating, err
}

// refreshJSON is the wire form.
func (a *api) refreshJSON(r *http.Request, t *refresh.Token, f fields) ([]byte, error) {
	rotating, err := a.rotating(r, t)
	if err != nil {
		return nil, err
	}
	var o object
	date := func(name string, at int64) {
		if at == 0 {
			o.raw(name, []byte("null"))
			return
		}
		o.text(name, iso(at))
	}
	o.text("id", t.ID)
	o.text("user_id", t.UserID)
	o.text("created_at", iso(t.CreatedAt))
	date("idle_expires_at", t.IdleUntil)
	date("expires_at", t.ExpiresAt)
	var device object
	device.text("initial_ip", t.Device.InitialIP)
	device.text("initial_user_agent", t.Device.InitialUserAgent)
	device.text("last_ip", t.Device.LastIP)
	device.text("last_user_agent", t.Device.LastUserAgent)
	o.raw("device", device.end())
	o.text("client_id", t.ClientID)
	if t.SessionID == "" {
		o.raw("session_id", []byte("null"))
	} else {
		o.text("session_id", t.SessionID)
	}
	o.raw("rotating", strconv.AppendBool(nil, rotating))
	var servers []json.RawMessage
	if t.Audience != "" {
		var api object
		api.text("audience", t.Audience)
		api.text("scopes", strings.Join(t.Scope, " "))
		servers = append(servers, api.end())
	}
	o.raw("resource_servers", array(servers))
	if len(t.Metadata) > 0 {
		o.raw("refresh_token_metadata", t.Metadata)
	}
	date("last_exchanged_at", t.LastExchangedAt)
	return f.apply(o.end())
}
