package mgmt

import (
	"encoding/json"
	"net/http"

	"mangrove/internal/errs"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/web"
)

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
	if len(members) == 0 {
		return errRevocation
	}
	text := strictjson.Join(members)
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
