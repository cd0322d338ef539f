package mgmt

import (
	"net/http"

	"mangrove/internal/user"
	"mangrove/internal/web"
)

// recordRoutes are what hangs on a user: logs, sessions, tokens, second factors,
// blocks, memberships (reference/users.md §3.9, §3.12, §3.13).
func (a *api) recordRoutes() []route {
	return []route{
		{"GET", "/logs", oneOf("read:logs", "read:logs_users"), a.listLogs},
		{"GET", "/logs/{id}", oneOf("read:logs", "read:logs_users"), a.getLog},
		{"GET", "/users/{id}/logs", oneOf("read:logs", "read:logs_users"), a.userLogs},

		{"GET", "/users/{id}/sessions", oneOf("read:sessions"), a.userSessions},
		{"DELETE", "/users/{id}/sessions", oneOf("delete:sessions"), a.endUserSessions},
		{"GET", "/sessions/{id}", oneOf("read:sessions"), a.getSession},
		{"DELETE", "/sessions/{id}", oneOf("delete:sessions"), a.deleteSession},
		{"PATCH", "/sessions/{id}", oneOf("update:sessions"), a.patchSession},
		{"POST", "/sessions/{id}/revoke", oneOf("delete:sessions", "delete:refresh_tokens"), a.revokeSession},
		{"POST", "/users/{id}/revoke-access", oneOf("delete:sessions", "delete:refresh_tokens"), a.revokeAccess},

		{"GET", "/users/{id}/authentication-methods", oneOf("read:authentication_methods"), a.listMethods},
		{"DELETE", "/users/{id}/authentication-methods", oneOf("delete:authentication_methods"), a.deleteMethods},
		{"GET", "/users/{id}/authentication-methods/{method}", oneOf("read:authentication_methods"), a.getMethod},
		{"DELETE", "/users/{id}/authentication-methods/{method}", oneOf("delete:authentication_methods"), a.deleteMethod},
		{"DELETE", "/users/{id}/authenticators", oneOf("delete:guardian_enrollments"), a.deleteAuthenticators},
		{"DELETE", "/users/{id}/multifactor/{provider}", oneOf("update:users"), a.deleteProvider},
		{"POST", "/users/{id}/multifactor/actions/invalidate-remember-browser", oneOf("update:users"), a.forgetBrowsers},
		{"GET", "/users/{id}/enrollments", oneOf("read:users", "read:current_user"), a.enrollments},

		{"GET", "/user-blocks", oneOf("read:users"), a.blocksByIdentifier},
		{"DELETE", "/user-blocks", oneOf("update:users"), a.unblockIdentifier},
		{"GET", "/user-blocks/{id}", oneOf("read:users"), a.userBlocks},
		{"DELETE", "/user-blocks/{id}", oneOf("update:users"), a.unblockUser},

		{"GET", "/anomaly/blocks/ips/{ip}", oneOf("read:anomaly_blocks"), a.addressBlock},
		{"DELETE", "/anomaly/blocks/ips/{ip}", oneOf("delete:anomaly_blocks"), a.releaseAddress},

		{"GET", "/users/{id}/organizations", oneOf("read:organizations"), a.userOrganizations},
	}
}

// existingUser is the id in the path, of a user who is there.
func (a *api) existingUser(r *http.Request) (user.ID, error) {
	id, err := userID(r)
	if err != nil {
		return "", err
	}
	_, err = a.UserStore.View(r.Context(), id)
	return id, err
}

// accepted answers a call whose work is done, where the contract speaks of a
// request that was accepted.
func accepted(w http.ResponseWriter) error {
	web.WriteJSON(w, http.StatusAccepted, web.TypeJSON, []byte("{}"))
	return nil
}

// none answers a call that found nothing to do.
func none(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// userOrganizations is GET /users/{id}/organizations. There are no organizations.
func (a *api) userOrganizations(w http.ResponseWriter, r *http.Request, _ *caller) error {
	q := queryOf(r)
	p := paging{
		page:    q.number("page", "Page index of the results to return. First page is 0.", 0, 1000, 0),
		perPage: q.number("per_page", "Number of results per page. Defaults to 50.", 1, MaxPage, 50),
		totals:  q.totals(),
	}
	if err := q.err(); err != nil {
		return err
	}
	if _, err := a.existingUser(r); err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, p.envelope("organizations", array(nil), 0, ""))
	return nil
}

// totals is include_totals.
func (q *query) totals() bool {
	return q.flag("include_totals", "Return results inside an object that contains the total result count (true) or as a direct array of results (false, default).", false)
}
