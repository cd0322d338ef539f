package mgmt

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/errs"
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
	q := queryOf(r)
	return a.refreshPage(w, r, q, refresh.Filter{UserID: string(id)}, fields{}, listName("users/refresh-tokens", string(id)), "tokens",
		func() error {
			_, err := a.existingUser(r)
			return err
		})
}

// listRefreshTokens is GET /refresh-tokens.
func (a *api) listRefreshTokens(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	f := refresh.Filter{
		UserID:   q.required(schema.Property{Name: "user_id", Description: "ID of the user whose refresh tokens to retrieve. Required.", Min: 1, Max: 300}),
		ClientID: q.text(schema.Property{Name: "client_id", Description: "Filter results by client ID. Only supported when user_id is provided.", Max: 64}),
	}
	shown := q.fields(nil)
	return a.refreshPage(w, r, q, f, shown, listName("refresh-tokens", f.UserID, f.ClientID), "refresh_tokens", func() error { return nil })
}

// refreshPage answers with a page of live tokens, newest first.
func (a *api) refreshPage(w http.ResponseWriter, r *http.Request, q *query, f refresh.Filter, show fields, list, key string, check func() error) error {
	after, take, err := a.checkpoint(q, list)
	if err != nil {
		return err
	}
	behind, ok := session.ParseMark(after)
	if !ok {
		return errQuery
	}
	if err := check(); err != nil {
		return err
	}
	live, more, err := refresh.List(r.Context(), a.RefreshTokens, f, behind, take, a.Now().UnixMicro())
	if err != nil {
		return err
	}
	shown := make([]json.RawMessage, len(live))
	for i, t := range live {
		if shown[i], err = a.refreshJSON(r, t, show); err != nil {
			return err
		}
	}
	next := ""
	if more {
		last := live[len(live)-1]
		next = a.cursor(list, session.Mark{CreatedAt: last.CreatedAt, ID: last.ID}.String())
	}
	p := paging{checkpoint: true}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, p.envelope(key, array(shown), 0, next))
	return nil
}

// deleteUserRefreshTokens is DELETE /users/{id}/refresh-tokens.
func (a *api) deleteUserRefreshTokens(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := a.existingUser(r)
	if err != nil {
		return err
	}
	e := a.onUser(r, by, id, "Delete refresh tokens for user")
	if err := a.RefreshTokens.RevokeRefreshTokens(r.Context(), string(id), "", "", e); err != nil {
		return err
	}
	return accepted(w)
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

// refreshPatch is UpdateRefreshTokenRequestContent. The texts' bound is in the
// contract's prose.
var refreshPatch = schema.Property{
	Types: schema.Object, Closed: true, Min: 1,
	Members: []schema.Property{{
		Name: "refresh_token_metadata", Types: schema.Object | schema.Null, Max: 25,
		Description: "Metadata associated with the refresh token. Pass null or {} to remove all metadata.",
	}},
}

var metadataText = schema.Property{Types: schema.String, Max: 255}

// patchRefreshToken is PATCH /refresh-tokens/{id}.
func (a *api) patchRefreshToken(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := refreshID(r)
	if err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	var body object
	var metadata json.RawMessage
	for _, m := range members {
		body.raw(m.Name, m.Value)
		metadata = m.Value
	}
	if len(members) == 0 {
		body.b = []byte("{")
	}
	vs := refreshPatch.Check("", body.end())
	if len(vs) == 0 {
		for m := range schema.Members(metadata) {
			vs = append(vs, metadataText.Check("refresh_token_metadata."+m.Name(), m.Value)...)
		}
	}
	if err := checkBody(vs); err != nil {
		return err
	}
	if profile.IsNull(metadata) || string(metadata) == "{}" {
		metadata = nil
	}
	e := a.onUser(r, by, "", "Update a refresh token")
	t, err := a.RefreshTokens.SetRefreshMetadata(r.Context(), id, metadata, a.Now().UnixMicro(), e)
	if err != nil {
		return err
	}
	return a.writeRefreshToken(w, r, t)
}

// deleteRefreshToken is DELETE /refresh-tokens/{id}; ending none is no error.
func (a *api) deleteRefreshToken(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := refreshID(r)
	if err != nil {
		return err
	}
	if err := a.RefreshTokens.RevokeRefreshIDs(r.Context(), []string{id}, a.onUser(r, by, "", "Delete a refresh token")); err != nil {
		return err
	}
	return accepted(w)
}

// refreshRevocation is RevokeRefreshTokensRequestContent.
var refreshRevocation = schema.Property{
	Types: schema.Object, Closed: true,
	Members: []schema.Property{
		{
			Name: "ids", Types: schema.Array, Min: 1, Max: 100, Items: &refreshIDForm,
			Description: "Array of refresh token IDs to revoke. Limited to 100 at a time.",
		},
		{Name: "user_id", Types: schema.String, Min: 1, Max: 300, Format: schema.FormatUserID, Description: "Revoke all refresh tokens for this user."},
		{
			Name: "client_id", Types: schema.String, Min: 1, Max: 64,
			Description: "Revoke refresh tokens for this client. Must be paired with `user_id`; optionally narrowed further with `audience`.",
		},
		{
			Name: "audience", Types: schema.String, Min: 1, Max: 600,
			Description: "Resource server identifier (audience) to scope the revocation. Must be used with both `user_id` and `client_id`.",
		},
	},
}

// revocationOf is the body of POST /refresh-tokens/revoke.
type revocationOf struct {
	IDs      []string `json:"ids"`
	UserID   string   `json:"user_id"`
	ClientID string   `json:"client_id"`
	Audience string   `json:"audience"`
}

// errRevocation refuses a body that names its tokens in a way that is not listed.
var errRevocation = errs.New(errs.Invalid, "invalid_body",
	"Payload validation error: 'Exactly one of the following combinations must be provided: ids; user_id; user_id and client_id; user_id, client_id and audience'.")

// valid is the rule of how tokens may be named.
func (v *revocationOf) valid() bool {
	if len(v.IDs) > 0 {
		return v.UserID == "" && v.ClientID == "" && v.Audience == ""
	}
	return v.UserID != "" && (v.Audience == "" || v.ClientID != "")
}

// revokeRefreshTokens is POST /refresh-tokens/revoke.
func (a *api) revokeRefreshTokens(w http.ResponseWriter, r *http.Request, by *caller) error {
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	var body object
	for _, m := range members {
		body.raw(m.Name, m.Value)
	}
	if len(members) == 0 {
		return errRevocation
	}
	text := body.end()
	if err := checkBody(refreshRevocation.Check("", text)); err != nil {
		return err
	}
	var v revocationOf
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	if !v.valid() {
		return errRevocation
	}
	e := a.onUser(r, by, "", "Revoke refresh tokens")
	if len(v.IDs) > 0 {
		err = a.RefreshTokens.RevokeRefreshIDs(r.Context(), v.IDs, e)
	} else {
		e.UserID = v.UserID
		err = a.RefreshTokens.RevokeRefreshTokens(r.Context(), v.UserID, v.ClientID, v.Audience, e)
	}
	if err != nil {
		return err
	}
	return accepted(w)
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

// Kinds of device credentials.
const (
	publicKeyCredential = "public_key"
	refreshCredential   = "refresh_token"
	rotatingCredential  = "rotating_refresh_token"
)

// mostCredentials of a user are listed: more than anybody reads, in one look.
const mostCredentials = 1000

// listDeviceCredentials is GET /device-credentials: the refresh tokens of a user.
// There are no public keys.
func (a *api) listDeviceCredentials(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	p := q.offsetPaging()
	kind := q.text(schema.Property{
		Name: "type", Enum: []string{publicKeyCredential, refreshCredential, rotatingCredential},
		Description: "Type of credentials to retrieve. Must be `public_key`, `refresh_token` or `rotating_refresh_token`. The property will default to `refresh_token` when paging is requested",
	})
	f := refresh.Filter{
		UserID:   q.required(schema.Property{Name: "user_id", Description: "user_id of the devices to retrieve.", Min: 1, Max: 300}),
		ClientID: q.text(schema.Property{Name: "client_id", Description: "client_id of the devices to retrieve.", Max: 64}),
	}
	shown := q.fields(nil)
	if err := q.err(); err != nil {
		return err
	}
	if kind == "" && q.values.Has("page") {
		kind = refreshCredential
	}
	live, _, err := refresh.List(r.Context(), a.RefreshTokens, f, session.Mark{}, mostCredentials, a.Now().UnixMicro())
	if err != nil {
		return err
	}
	var list []json.RawMessage
	for _, t := range live {
		rotating, err := a.rotating(r, t)
		if err != nil {
			return err
		}
		is := refreshCredential
		if rotating {
			is = rotatingCredential
		}
		if kind != "" && kind != is {
			continue
		}
		var o object
		o.text("id", t.ID)
		o.text("device_name", t.Device.InitialUserAgent)
		o.text("type", is)
		o.text("user_id", t.UserID)
		o.text("client_id", t.ClientID)
		b, err := shown.apply(o.end())
		if err != nil {
			return err
		}
		list = append(list, b)
	}
	total := len(list)
	from := min(p.offset(), total)
	list = list[from:min(from+p.perPage, total)]
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(p.envelope("device_credentials", array(list), total, "")))
	return nil
}

// deleteDeviceCredential is DELETE /device-credentials/{id}. Users may delete
// their own.
func (a *api) deleteDeviceCredential(w http.ResponseWriter, r *http.Request, by *caller) error {
	t, err := a.refreshToken(r)
	switch {
	case errors.Is(err, refresh.ErrNone):
		return none(w)
	case err != nil:
		return err
	case by.own && by.Subject != t.UserID:
		return errSubject
	}
	e := a.onUser(r, by, "", "Delete a device credential")
	e.Type, e.UserID = audit.APIOperation, t.UserID
	if err := a.RefreshTokens.RevokeRefreshIDs(r.Context(), []string{t.ID}, e); err != nil {
		return err
	}
	return none(w)
}
