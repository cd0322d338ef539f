package mgmt

import (
	"encoding/json"
	"net/http"
	"slices"

	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

// The authentication methods of a user are second factors, recovery codes and
// passkeys, enrolled here or brought by an import (reference/users.md §3.13).

var (
	errNoMethod       = factor.ErrNone
	errImportedMethod = errs.New(errs.Invalid, "invalid_body", "An imported authentication method cannot be changed, only deleted.")
	errKeyMethod      = errs.New(errs.Invalid, "invalid_body", "A key can be enrolled by its owner alone.")
)

// methods are the user in the path and its authentication methods.
func (a *api) methods(r *http.Request) (*user.User, []factor.Factor, error) {
	id, err := userID(r)
	if err != nil {
		return nil, nil, err
	}
	u, err := a.UserStore.User(r.Context(), id)
	if err != nil {
		return nil, nil, err
	}
	all, err := a.Factors.All(r.Context(), u)
	return u, slices.DeleteFunc(all, func(f factor.Factor) bool { return !f.Confirmed }), err
}

// method is the one in the path.
func (a *api) method(r *http.Request) (*user.User, factor.Factor, error) {
	name, err := web.Param(r, "method")
	if err != nil {
		return nil, factor.Factor{}, err
	}
	u, all, err := a.methods(r)
	if err != nil {
		return nil, factor.Factor{}, err
	}
	for _, f := range all {
		if f.ID() == name {
			return u, f, nil
		}
	}
	return nil, factor.Factor{}, errNoMethod
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
	_, all, err := a.methods(r)
	if err != nil {
		return err
	}
	page := all[min(p.offset(), len(all)):min(p.offset()+p.perPage, len(all))]
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, p.envelope("authenticators", methodList(page), len(all), ""))
	return nil
}

// getMethod is GET /users/{id}/authentication-methods/{method}.
func (a *api) getMethod(w http.ResponseWriter, r *http.Request, _ *caller) error {
	_, f, err := a.method(r)
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(methodJSON(&f)))
	return nil
}

// createMethod is POST /users/{id}/authentication-methods.
func (a *api) createMethod(w http.ResponseWriter, r *http.Request, by *caller) error {
	u, _, err := a.methods(r)
	if err != nil {
		return err
	}
	body, err := readBody(r, newMethod)
	if err != nil {
		return err
	}
	f, err := methodFrom(body)
	if err != nil {
		return err
	}
	made, err := a.Factors.Add(r.Context(), u, []factor.Factor{f}, a.onUser(r, by, u.ID, "Creates an authentication method for a given user"))
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusCreated, web.TypeJSON, json.RawMessage(madeJSON(&made[0])))
	return nil
}

// setMethodsOf is PUT /users/{id}/authentication-methods: the body takes the place
// of all phones, addresses and authenticator applications.
func (a *api) setMethodsOf(w http.ResponseWriter, r *http.Request, by *caller) error {
	u, _, err := a.methods(r)
	if err != nil {
		return err
	}
	body, err := readArray(r)
	if err != nil {
		return err
	}
	if err := checkBody(setMethods.Check("", body)); err != nil {
		return err
	}
	var list []factor.Factor
	for _, item := range schema.Elements(body) {
		f, err := methodFrom(item)
		if err != nil {
			return err
		}
		list = append(list, f)
	}
	made, err := a.Factors.Replace(r.Context(), u, list, a.onUser(r, by, u.ID, "Update all authentication methods by replacing them with the given ones"))
	if err != nil {
		return err
	}
	out := make([]json.RawMessage, len(made))
	for i := range made {
		out[i] = madeJSON(&made[i])
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(array(out)))
	return nil
}

// changeMethod is PATCH /users/{id}/authentication-methods/{method}.
func (a *api) changeMethod(w http.ResponseWriter, r *http.Request, by *caller) error {
	u, f, err := a.method(r)
	if err != nil {
		return err
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	if err := checkBody(changedMethod.Check("", strictjson.Join(members))); err != nil {
		return err
	}
	if f.Imported {
		return errImportedMethod
	}
	d := f.Detail
	for _, m := range members {
		switch m.Name {
		case "name":
			d.Name = profile.TextOf(m.Value)
		case "preferred_authentication_method":
			d.Preferred = profile.TextOf(m.Value)
		}
	}
	if f, err = a.Factors.Rename(r.Context(), f, d, a.onUser(r, by, u.ID, "Update an authentication method")); err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(methodJSON(&f)))
	return nil
}
