package mgmt

import (
	"encoding/json"
	"errors"
	"net/http"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// The authentication methods of a user are the second factors that an import
// brought (reference/users.md §3.13).

var errNoMethod = errs.New(errs.NotFound, "", "The authentication method could not be found.")

// methodJSON is the wire form. Factors come with their user.
func methodJSON(u *user.User, f user.Factor) []byte {
	var o object
	o.text("id", f.ID())
	o.text("type", f.Kind)
	o.raw("confirmed", []byte("true"))
	switch f.Kind {
	case user.FactorPhone:
		var sms object
		sms.text("type", "sms")
		sms.text("id", "sms|"+f.Device)
		o.raw("authentication_methods", array([]json.RawMessage{sms.end()}))
		o.text("preferred_authentication_method", "sms")
		o.text("phone_number", f.Shown)
	case user.FactorEmail:
		o.text("email", f.Shown)
	}
	o.text("created_at", iso(u.CreatedAt))
	o.text("enrolled_at", iso(u.CreatedAt))
	return o.end()
}

// factors are the user in the path and its second factors.
func (a *api) factors(r *http.Request) (*user.User, []user.Factor, error) {
	id, err := userID(r)
	if err != nil {
		return nil, nil, err
	}
	u, err := a.UserStore.User(r.Context(), id)
	if err != nil {
		return nil, nil, err
	}
	return u, user.Factors(u, a.CursorKey), nil
}

// listMethods is GET /users/{id}/authentication-methods.
func (a *api) listMethods(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	p := paging{
		page:    q.number("page", "Page index of the results to return. First page is 0. Default is 0.", 0, maxPageNumber, 0),
		perPage: q.number("per_page", "Number of results per page. Default is 50.", 0, MaxPage, 50),
		totals:  q.totals(),
	}
	if err := q.err(); err != nil {
		return err
	}
	u, all, err := a.factors(r)
	if err != nil {
		return err
	}
	page := all[min(p.offset(), len(all)):min(p.offset()+p.perPage, len(all))]
	shown := make([]json.RawMessage, len(page))
	for i, f := range page {
		shown[i] = methodJSON(u, f)
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, p.envelope("authenticators", array(shown), len(all), ""))
	return nil
}

// getMethod is GET /users/{id}/authentication-methods/{method}.
func (a *api) getMethod(w http.ResponseWriter, r *http.Request, _ *caller) error {
	method, err := web.Param(r, "method")
	if err != nil {
		return err
	}
	u, all, err := a.factors(r)
	if err != nil {
		return err
	}
	for _, f := range all {
		if f.ID() == method {
			web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(methodJSON(u, f)))
			return nil
		}
	}
	return errNoMethod
}

// removeFactors removes the factors that match from the user in the path.
func (a *api) removeFactors(r *http.Request, by *caller, description string, match func(user.Factor) bool) (removed int, err error) {
	id, err := userID(r)
	if err != nil {
		return 0, err
	}
	return a.Users.RemoveFactors(r.Context(), id, a.CursorKey, match, description, by.actor(r))
}

func anyFactor(user.Factor) bool { return true }

// deleteMethod is DELETE /users/{id}/authentication-methods/{method}.
func (a *api) deleteMethod(w http.ResponseWriter, r *http.Request, by *caller) error {
	method, err := web.Param(r, "method")
	if err != nil {
		return err
	}
	n, err := a.removeFactors(r, by, "Delete an authentication method by ID", func(f user.Factor) bool { return f.ID() == method })
	if err != nil {
		return err
	}
	if n == 0 {
		return errNoMethod
	}
	return none(w)
}

// deleteMethods is DELETE /users/{id}/authentication-methods. Of a user who is
// not there, everything is gone already: the contract has no 404.
func (a *api) deleteMethods(w http.ResponseWriter, r *http.Request, by *caller) error {
	_, err := a.removeFactors(r, by, "Delete all authentication methods for the given user", anyFactor)
	if err != nil && !errors.Is(err, user.ErrNotFound) {
		return err
	}
	return none(w)
}

// deleteAuthenticators is DELETE /users/{id}/authenticators; as deleteMethods.
func (a *api) deleteAuthenticators(w http.ResponseWriter, r *http.Request, by *caller) error {
	_, err := a.removeFactors(r, by, "Delete All Authenticators", anyFactor)
	if err != nil && !errors.Is(err, user.ErrNotFound) {
		return err
	}
	return none(w)
}

const googleAuthenticator = "google-authenticator"

var factorProvider = schema.Property{
	Name: "provider", Types: schema.String, Enum: []string{"duo", googleAuthenticator},
	Description: "The multi-factor provider. Supported values 'duo' or 'google-authenticator'",
}

// deleteProvider is DELETE /users/{id}/multifactor/{provider}. Nobody has duo.
func (a *api) deleteProvider(w http.ResponseWriter, r *http.Request, by *caller) error {
	provider, err := web.Param(r, "provider")
	if err != nil {
		return err
	}
	if vs := factorProvider.Check("provider", profile.Text(provider)); len(vs) > 0 {
		return pathError(vs[0])
	}
	_, err = a.removeFactors(r, by, "Delete a User's Multi-factor Provider", func(f user.Factor) bool {
		return provider == googleAuthenticator && f.Kind == user.FactorTOTP
	})
	if err != nil {
		return err
	}
	return none(w)
}

// forgetBrowsers is POST /users/{id}/multifactor/actions/invalidate-remember-browser.
// No browser is remembered.
func (a *api) forgetBrowsers(w http.ResponseWriter, r *http.Request, _ *caller) error {
	if _, err := userID(r); err != nil {
		return err
	}
	return none(w)
}

// enrollments is GET /users/{id}/enrollments. Nobody enrolls here: factors are imported.
func (a *api) enrollments(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	if err := by.actsOn(id, readUsers); err != nil {
		return err
	}
	if _, err := a.existingUser(r); err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, array(nil))
	return nil
}
