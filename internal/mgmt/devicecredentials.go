package mgmt

import (
	"encoding/json"
	"errors"
	"net/http"

	"mangrove/internal/audit"
	"mangrove/internal/refresh"
	"mangrove/internal/schema"
	"mangrove/internal/session"
	"mangrove/internal/web"
)

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
