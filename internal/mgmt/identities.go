package mgmt

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"

	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// identityRoutes are the routes of linking (reference/users.md §3.7).
func (a *api) identityRoutes() []route {
	scopes := oneOf(updateUsers, "update:current_user_identities")
	return []route{
		{"POST", "/users/{id}/identities", scopes, a.linkIdentity},
		{"DELETE", "/users/{id}/identities/{provider}/{user_id}", scopes, a.unlinkIdentity},
	}
}

// identityProviders are the strategies that an identity may be of
// (UserIdentityProviderEnum).
var identityProviders = []string{
	"ad", "adfs", "amazon", "apple", "dropbox", "bitbucket", "auth0-oidc", "auth0", "baidu", "bitly", "box", "custom",
	"daccount", "dwolla", "email", "evernote-sandbox", "evernote", "exact", "facebook", "fitbit", "github", "google-apps",
	"google-oauth2", "instagram", "ip", "line", "linkedin", "oauth1", "oauth2", "office365", "oidc", "okta", "paypal",
	"paypal-sandbox", "pingfederate", "planningcenter", "salesforce-community", "salesforce-sandbox", "salesforce", "samlp",
	"sharepoint", "shopify", "shop", "sms", "soundcloud", "thirtysevensignals", "twitter", "untappd", "vkontakte", "waad",
	"weibo", "windowslive", "wordpress", "yahoo", "yandex",
}

// linkMembers are those of LinkUserIdentityRequestContent.
var linkMembers = map[string]*schema.Property{
	"provider": {
		Name: "provider", Types: schema.String, Enum: identityProviders,
		Description: "Identity provider of the secondary user account being linked.",
	},
	"connection_id": {
		Name: "connection_id", Types: schema.String, Pattern: regexp.MustCompile(`^con_[A-Za-z0-9]{16}$`),
		Description: "connection_id of the secondary user account being linked when more than one `auth0` database provider exists.",
	},
	"user_id": {
		Name: "user_id", Types: schema.String | schema.Integer, Min: 1,
		Description: "user_id of the secondary user account being linked.",
	},
	"link_with": {
		Name: "link_with", Types: schema.String,
		Description: "JWT for the secondary account being linked. If sending this parameter, `provider`, `user_id`, and `connection_id` must not be sent.",
	},
}

// linkBody is the body of a link: a token, or the members of req.
type linkBody struct {
	token string
	req   user.LinkRequest
}

// readLink reads the body: either link_with alone, or provider and user_id.
func readLink(members []strictjson.Member) (linkBody, error) {
	if len(members) == 0 {
		return linkBody{}, bodyError(schema.Violation{Code: schema.ObjectMinimum, Message: "Too few properties defined (0), minimum 1"})
	}
	var unknown, others []string
	var wrong []schema.Violation
	byName := map[string]profile.Value{}
	for _, m := range members {
		p := linkMembers[m.Name]
		if p == nil {
			unknown = append(unknown, m.Name)
			continue
		}
		if m.Name != "link_with" {
			others = append(others, m.Name)
		}
		wrong = append(wrong, p.Check(m.Name, m.Value)...)
		byName[m.Name] = m.Value
	}
	token := byName["link_with"]
	switch {
	case unknown != nil:
		return linkBody{}, bodyError(schema.Additional("", "", unknown...))
	case len(wrong) > 0:
		return linkBody{}, bodyError(wrong[0])
	case token != nil && others != nil:
		return linkBody{}, bodyError(schema.Additional("", "", others...))
	case token != nil:
		return linkBody{token: profile.TextOf(token)}, nil
	}
	for _, name := range []string{"provider", "user_id"} {
		if byName[name] == nil {
			return linkBody{}, bodyError(schema.Missing(name))
		}
	}
	b := linkBody{req: user.LinkRequest{
		Provider: profile.TextOf(byName["provider"]), UserID: profile.TextOf(byName["user_id"]), ConnectionID: profile.TextOf(byName["connection_id"]),
	}}
	if id := byName["user_id"]; id[0] != '"' { // some providers number their users
		n, err := strconv.ParseFloat(string(id), 64)
		if err != nil {
			return linkBody{}, err // the form has let only safe integers through
		}
		b.req.UserID = strconv.FormatInt(int64(n), 10)
	}
	return b, nil
}

// linkIdentity is POST /users/{id}/identities. A user's own token links to that
// user alone, and only with the proof that the other account is its own, too.
func (a *api) linkIdentity(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	if err := by.actsOn(id, updateUsers); err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	body, err := readLink(members)
	if err != nil {
		return err
	}
	req := body.req
	switch {
	case req.Provider == "":
		subject, err := a.Tokens.LinkProof(r.Context(), body.token, by.ClientID)
		if err != nil {
			return err
		}
		req.Secondary = user.ID(subject)
	case !by.has(updateUsers):
		return errScope(oneOf(updateUsers))
	}
	u, err := a.Users.Link(r.Context(), id, req, by.actor(r))
	if err != nil {
		return err
	}
	return writeIdentities(w, http.StatusCreated, u)
}

var providerParam = schema.Property{
	Name: "provider", Types: schema.String, Enum: identityProviders,
	Description: "Identity provider name of the secondary linked account (e.g. `google-oauth2`).",
}

// unlinkIdentity is DELETE /users/{id}/identities/{provider}/{user_id}.
func (a *api) unlinkIdentity(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	provider, err := web.Param(r, "provider")
	if err != nil {
		return err
	}
	if vs := providerParam.Check("provider", profile.Text(provider)); len(vs) > 0 {
		return pathError(vs[0])
	}
	secondary, err := web.Param(r, "user_id")
	if err != nil {
		return err
	}
	if err := by.actsOn(id, updateUsers); err != nil {
		return err
	}
	u, err := a.Users.Unlink(r.Context(), id, provider, secondary, by.actor(r))
	if err != nil {
		return err
	}
	return writeIdentities(w, http.StatusOK, u)
}

// writeIdentities answers with the identities, never with the upstream's tokens:
// no scope of these routes shows them.
func writeIdentities(w http.ResponseWriter, status int, u *user.User) error {
	web.WriteJSON(w, status, web.TypeJSON, json.RawMessage(user.EncodeIdentities(u.Identities)))
	return nil
}
