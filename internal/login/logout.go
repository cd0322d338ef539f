package login

import (
	"net/http"
	"net/url"

	"mangrove/internal/page"
)

const logoutPath = "/u/logout"

// ConfirmLogout asks the person to press a button before the session ends. fields
// are the checked parameters of the request, which the form brings back.
func (f *Flow) ConfirmLogout(w http.ResponseWriter, r *http.Request, fields []page.Field) error {
	v := page.Press{Kind: page.PressSignOut, Action: logoutPath, Fields: fields}
	for _, field := range fields {
		switch field.Name {
		case "ui_locales":
			v.Locales = field.Value
		case "post_logout_redirect_uri":
			v.ReturnTo = field.Value
		}
	}
	return f.show(w, r, http.StatusOK, v)
}

// SignedOut says that the person is signed out.
func (f *Flow) SignedOut(w http.ResponseWriter, r *http.Request) error {
	return f.show(w, r, http.StatusOK, page.Told{Kind: page.ToldSignedOut})
}

// showLogout is GET /u/logout: the question is asked where the parameters are checked.
func (f *Flow) showLogout(w http.ResponseWriter, r *http.Request) error {
	to := "/oidc/logout"
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	redirect(w, r, to)
	return nil
}

// logout is POST /u/logout, the press of the button.
func (f *Flow) logout(w http.ResponseWriter, r *http.Request, form url.Values) error {
	fields := make(map[string]string, len(form))
	for name := range form {
		fields[name] = form.Get(name)
	}
	return f.d.SignOut(w, r, fields)
}
