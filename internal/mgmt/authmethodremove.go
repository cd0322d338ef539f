package mgmt

import (
	"errors"
	"net/http"
	"slices"

	"mangrove/internal/audit"
	"mangrove/internal/factor"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// deleteMethod is DELETE /users/{id}/authentication-methods/{method}.
func (a *api) deleteMethod(w http.ResponseWriter, r *http.Request, by *caller) error {
	u, f, err := a.method(r)
	if err != nil {
		return err
	}
	if err := a.Factors.Unenroll(r.Context(), u, []factor.Factor{f}, factor.Actor{}, a.unenrolled(r, by, u.ID, "Delete an authentication method by ID")...); err != nil {
		return err
	}
	return none(w)
}

// unenrolled are the records of factors that go on an administrator's word.
func (a *api) unenrolled(r *http.Request, by *caller, id user.ID, description string) []audit.Event {
	gone := a.onUser(r, by, id, description)
	gone.Type = audit.Unenrolled
	return []audit.Event{gone, a.onUser(r, by, id, description)}
}

// removeMethods removes the methods that match; none is no event.
func (a *api) removeMethods(r *http.Request, by *caller, description string, match func(*factor.Factor) bool) error {
	u, all, err := a.methods(r)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(f factor.Factor) bool { return !match(&f) })
	if len(all) == 0 {
		return nil
	}
	return a.Factors.Unenroll(r.Context(), u, all, factor.Actor{}, a.unenrolled(r, by, u.ID, description)...)
}

// deleteMethods is DELETE /users/{id}/authentication-methods. Of a user who is
// not there, everything is gone already: the contract has no 404.
func (a *api) deleteMethods(w http.ResponseWriter, r *http.Request, by *caller) error {
	err := a.removeMethods(r, by, "Delete all authentication methods for the given user", func(*factor.Factor) bool { return true })
	if err != nil && !errors.Is(err, user.ErrNotFound) {
		return err
	}
	return none(w)
}

// deleteAuthenticators is DELETE /users/{id}/authenticators; as deleteMethods, but
// passkeys, which are no second factors, stay.
func (a *api) deleteAuthenticators(w http.ResponseWriter, r *http.Request, by *caller) error {
	err := a.removeMethods(r, by, "Delete All Authenticators", func(f *factor.Factor) bool { return f.Kind != factor.Passkey })
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
	err = a.removeMethods(r, by, "Delete a User's Multi-factor Provider", func(f *factor.Factor) bool {
		return provider == googleAuthenticator && f.Kind == factor.TOTP
	})
	if err != nil {
		return err
	}
	return none(w)
}

// forgetBrowsers is POST /users/{id}/multifactor/actions/invalidate-remember-browser.
func (a *api) forgetBrowsers(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	if err := a.Factors.Forget(r.Context(), string(id), a.onUser(r, by, id, "Invalidate All Remembered Browsers for Multi-factor Authentication")); err != nil {
		return err
	}
	return none(w)
}
