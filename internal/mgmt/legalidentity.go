package mgmt

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"mangrove/internal/errs"
	"mangrove/internal/legal"
	"mangrove/internal/profile"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// Routes below /mangrove are ours.
func (a *api) legalIdentityRoutes() []route {
	return []route{
		{"GET", "/mangrove/legal-identities", oneOf("read:connections"), a.listLegalIdentities},
	}
}

// listLegalIdentities is GET /mangrove/legal-identities: what options.legal_identity
// of a connection may name.
func (a *api) listLegalIdentities(w http.ResponseWriter, _ *http.Request, _ *caller) error {
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, legalIdentities)
	return nil
}

type legalIdentity struct {
	EID     string        `json:"eid"`
	Country string        `json:"country,omitzero"`
	Name    string        `json:"name"`
	Methods []legalMethod `json:"methods"` // the first is the default
	Claims  []legalClaim  `json:"claims"`
}

type legalMethod struct {
	ACR   string `json:"acr"`
	Name  string `json:"name"`
	Level string `json:"level,omitzero"`
}

type legalClaim struct {
	Claim     string `json:"claim"`
	Attribute string `json:"attribute"`
	National  bool   `json:"national_identifier,omitzero"`
}

var legalIdentities = func() (list []legalIdentity) {
	for _, e := range legal.EIDs() {
		v := legalIdentity{EID: e.ID, Country: e.Country, Name: e.Name}
		for _, m := range e.Methods {
			v.Methods = append(v.Methods, legalMethod{m.ACR, m.Name, m.Level.String()})
		}
		for _, c := range slices.Concat(legal.Common, e.Claims) {
			v.Claims = append(v.Claims, legalClaim{c.Name, c.Attribute, c.National})
		}
		list = append(list, v)
	}
	return list
}()

// byEID reports whether one of the identities is by a connection to an electronic
// identity. Of the connections only those are looked at that can be one.
func (a *api) byEID(ctx context.Context, identities []byte) (bool, error) {
	if !bytes.Contains(identities, []byte(`"oidc"`)) && !bytes.Contains(identities, []byte(`"oauth2"`)) && !bytes.Contains(identities, []byte(`"adfs"`)) {
		return false, nil
	}
	var list []struct {
		Connection string `json:"connection"`
	}
	if err := json.Unmarshal(identities, &list); err != nil {
		return false, err
	}
	for _, id := range list {
		c, err := a.ConnectionStore.ConnectionByName(ctx, id.Connection)
		switch {
		case errs.KindOf(err) == errs.NotFound:
		case err != nil:
			return false, err
		case c.LegalIdentity().ACR != "":
			return true, nil
		}
	}
	return false, nil
}

// fullIdentities is the identities of a user, with the upstream's tokens if those
// may be seen, and with the assurance that the last login of each had, if it said any.
// Both are kept beside the profile: a login that changes them writes none.
func fullIdentities(u *user.User, tokens bool) []byte {
	b := []byte{'['}
	for i := range u.Identities {
		id := &u.Identities[i]
		if i > 0 {
			b = append(b, ',')
		}
		more := []byte("{}")
		if tokens && len(id.Tokens) > 2 {
			more = slices.Clone(id.Tokens)
		}
		if assurance, ok := legal.Read(id.Claims); ok {
			value, err := json.Marshal(assurance)
			if err == nil {
				more = withMember(more, "assurance", value)
			}
		}
		b = user.AppendIdentity(b, id, profile.Value(more))
	}
	return append(b, ']')
}
