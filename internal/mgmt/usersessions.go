package mgmt

import (
	"encoding/json"
	"errors"
	"net/http"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/session"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

var errNoSession = errs.New(errs.NotFound, "", "The session does not exist.")

// sessionIDForm is the id of a session in a path and in a body.
var sessionIDForm = schema.Property{Types: schema.String, Max: 50, Description: "ID of the session to revoke."}

// userSessions is GET /users/{id}/sessions.
func (a *api) userSessions(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	return markPage[session.Session]{
		key: "sessions", name: listName("users/sessions", string(id)), check: func() error { return a.exists(r) },
		fetch: func(behind session.Mark, take int) ([]session.Session, bool, error) {
			return session.List(r.Context(), a.Sessions, string(id), behind, take, a.Now().UnixMicro())
		},
		mark: func(s session.Session) session.Mark { return session.Mark{CreatedAt: s.CreatedAt, ID: s.ID} },
		show: func(s session.Session) ([]byte, error) { return a.sessionJSON(r, &s) },
	}.write(w, a, queryOf(r))
}

// exists refuses a user in the path who is not there.
func (a *api) exists(r *http.Request) error {
	_, err := a.existingUser(r)
	return err
}

// endUserSessions is DELETE /users/{id}/sessions.
func (a *api) endUserSessions(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := a.existingUser(r)
	if err != nil {
		return err
	}
	if err := a.Sessions.EndSessions(r.Context(), string(id), a.onUser(r, by, id, "Delete sessions for user")); err != nil {
		return err
	}
	return accepted(w)
}

// onUser is the record of a write that concerns a user.
func (a *api) onUser(r *http.Request, by *caller, id user.ID, description string) audit.Event {
	e := by.event(r).Operation(a.Now().UnixMicro(), description)
	e.UserID = string(id)
	return e
}

// sessionID is the id in the path.
func sessionID(r *http.Request) (string, error) {
	id, err := web.Param(r, "id")
	if err != nil {
		return "", err
	}
	if vs := sessionIDForm.Check("id", profile.Text(id)); len(vs) > 0 {
		return "", pathError(vs[0])
	}
	return id, nil
}

func (a *api) session(r *http.Request) (session.Session, error) {
	id, err := sessionID(r)
	if err != nil {
		return session.Session{}, err
	}
	s, err := a.Sessions.SessionByID(r.Context(), id, a.Now().UnixMicro())
	if errors.Is(err, session.ErrNone) {
		return s, errNoSession
	}
	return s, err
}

func (a *api) writeSession(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	b, err := a.sessionJSON(r, s)
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(b))
	return nil
}

// getSession is GET /sessions/{id}.
func (a *api) getSession(w http.ResponseWriter, r *http.Request, _ *caller) error {
	s, err := a.session(r)
	if err != nil {
		return err
	}
	return a.writeSession(w, r, &s)
}

// sessionPatch is UpdateSessionRequestContent.
var sessionPatch = metadataPatch("session_metadata", "Metadata associated with the session. Pass null or {} to remove all session_metadata.")

// patchSession is PATCH /sessions/{id}.
func (a *api) patchSession(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := sessionID(r)
	if err != nil {
		return err
	}
	metadata, err := readMetadata(r, sessionPatch)
	if err != nil {
		return err
	}
	s, err := a.Sessions.SetSessionMetadata(r.Context(), id, metadata, a.Now().UnixMicro(), a.onUser(r, by, "", "Update session"))
	if errors.Is(err, session.ErrNone) {
		return errNoSession
	}
	if err != nil {
		return err
	}
	return a.writeSession(w, r, &s)
}

// deleteSession is DELETE /sessions/{id}; ending none is no error.
func (a *api) deleteSession(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := sessionID(r)
	if err != nil {
		return err
	}
	if err := a.Sessions.EndSession(r.Context(), id, "", a.onUser(r, by, "", "Delete session")); err != nil {
		return err
	}
	return accepted(w)
}

// revokeSession is POST /sessions/{id}/revoke.
func (a *api) revokeSession(w http.ResponseWriter, r *http.Request, by *caller) error {
	s, err := a.session(r)
	if err != nil {
		return err
	}
	if err := a.RefreshTokens.RevokeSession(r.Context(), s.ID, s.UserID, false, a.onUser(r, by, "", "Revokes a session")); err != nil {
		return err
	}
	return accepted(w)
}

// revocation is the body of POST /users/{id}/revoke-access.
var revocation = schema.Property{
	Types: schema.Object, Closed: true,
	Members: []schema.Property{
		{Name: "session_id", Types: sessionIDForm.Types, Max: sessionIDForm.Max, Description: sessionIDForm.Description},
		{Name: "preserve_refresh_tokens", Types: schema.Boolean, Description: "Whether to preserve the refresh tokens associated with the session."},
	},
}

// revokeAccess is POST /users/{id}/revoke-access: it ends the session that the
// body names, or all of them. A user who is not there has no access to lose.
func (a *api) revokeAccess(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	only, named, keep, err := revoked(r)
	if err != nil {
		return err
	}
	e := a.onUser(r, by, id, "Revokes selected resources from a user")
	if named {
		err = a.RefreshTokens.RevokeSession(r.Context(), only, string(id), keep, e)
	} else {
		err = a.RefreshTokens.RevokeAccess(r.Context(), string(id), keep, e)
	}
	if err != nil {
		return err
	}
	return accepted(w)
}

// revoked is the session that the body names, if there is a body and it names
// one, and whether the refresh tokens are to be kept.
func revoked(r *http.Request) (id string, named, keep bool, err error) {
	if r.ContentLength == 0 {
		return "", false, false, nil
	}
	members, err := web.ReadJSON(r)
	if err != nil {
		return "", false, false, err
	}
	var body object
	for _, m := range members {
		body.raw(m.Name, m.Value)
		switch m.Name {
		case "session_id":
			id, named = profile.TextOf(m.Value), true
		case "preserve_refresh_tokens":
			keep = string(m.Value) == "true"
		}
	}
	if len(members) == 0 {
		return "", false, false, nil
	}
	return id, named, keep, checkBody(revocation.Check("", body.end()))
}
