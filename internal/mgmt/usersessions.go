package mgmt

import (
	"encoding/json"
	"errors"
	"net/http"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
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

// checkpoint reads from and take for a list that has no other paging.
func (a *api) checkpoint(q *query, list string) (after string, take int, err error) {
	q.totals() // accepted; these lists have no total
	take = q.number("take", "Number of results per page. Defaults to 50.", 1, MaxPage, 50)
	from := q.text(schema.Property{Name: "from", Description: "An optional cursor from which to start the selection (exclusive)."})
	if err := q.err(); err != nil {
		return "", 0, err
	}
	after, err = a.after(list, from)
	return after, take, err
}

// userSessions is GET /users/{id}/sessions.
func (a *api) userSessions(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	list := listName("users/sessions", string(id))
	after, take, err := a.checkpoint(queryOf(r), list)
	if err != nil {
		return err
	}
	behind, ok := session.ParseMark(after)
	if !ok {
		return errQuery
	}
	if _, err := a.existingUser(r); err != nil {
		return err
	}
	live, more, err := session.List(r.Context(), a.Sessions, string(id), behind, take, a.Now().UnixMicro())
	if err != nil {
		return err
	}
	shown := make([]json.RawMessage, len(live))
	for i := range live {
		if shown[i], err = a.sessionJSON(r, &live[i]); err != nil {
			return err
		}
	}
	next := ""
	if more {
		last := live[len(live)-1]
		next = a.cursor(list, session.Mark{CreatedAt: last.CreatedAt, ID: last.ID}.String())
	}
	p := paging{checkpoint: true}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, p.envelope("sessions", array(shown), 0, next))
	return nil
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
	e := by.event(r)
	e.Type, e.At, e.Description, e.UserID = audit.APIOperation, a.Now().UnixMicro(), description, string(id)
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

// getSession is GET /sessions/{id}.
func (a *api) getSession(w http.ResponseWriter, r *http.Request, _ *caller) error {
	s, err := a.session(r)
	if err != nil {
		return err
	}
	b, err := a.sessionJSON(r, &s)
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(b))
	return nil
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

// sessionJSON is the wire form.
func (a *api) sessionJSON(r *http.Request, s *session.Session) ([]byte, error) {
	c, err := a.ConnectionStore.Connection(r.Context(), s.ConnectionID)
	if err != nil && !errors.Is(err, connection.ErrNotFound) {
		return nil, err
	}
	strategy := connection.Strategy{}
	if err == nil {
		strategy, _ = connection.StrategyOf(c.Strategy)
	}
	var methods []json.RawMessage
	for _, m := range signals(s.Methods, strategy) {
		var o object
		o.text("name", m.name)
		o.text("timestamp", iso(s.AuthTime))
		if m.factor != "" {
			o.text("type", m.factor)
		}
		methods = append(methods, o.end())
	}
	var authentication, device, cookie object
	authentication.raw("methods", array(methods))
	for _, d := range [][2]string{
		{"initial_user_agent", s.Device.InitialUserAgent}, {"initial_ip", s.Device.InitialIP},
		{"last_user_agent", s.Device.LastUserAgent}, {"last_ip", s.Device.LastIP},
	} {
		if d[1] != "" {
			device.text(d[0], d[1])
		}
	}
	var clients []json.RawMessage
	for _, id := range s.Clients {
		var o object
		o.text("client_id", id)
		clients = append(clients, o.end())
	}
	mode := "persistent"
	if !s.Persistent {
		mode = "non-persistent"
	}
	cookie.text("mode", mode)
	var o object
	o.text("id", s.ID)
	o.text("user_id", s.UserID)
	o.text("created_at", iso(s.CreatedAt))
	o.text("updated_at", iso(s.LastSeen))
	o.text("authenticated_at", iso(s.AuthTime))
	o.text("idle_expires_at", iso(s.IdleUntil))
	o.text("expires_at", iso(s.ExpiresAt))
	o.text("last_interacted_at", iso(s.LastSeen))
	o.raw("device", device.end())
	o.raw("clients", array(clients))
	o.raw("authentication", authentication.end())
	o.raw("cookie", cookie.end())
	return o.end(), nil
}

// signal is one proof as a session shows it; factor is set for a second one.
type signal struct{ name, factor string }

// signals words the proofs that a session began with: federated, passkey, pwd,
// sms, email, and mfa with its factor. A session of before they were kept shows
// what its connection tells.
func signals(methods []string, s connection.Strategy) (list []signal) {
	if len(methods) == 0 {
		switch {
		case s.Name == "":
			return nil
		case s.Group == connection.DatabaseGroup:
			return []signal{{"pwd", ""}}
		case s.Group == connection.PasswordlessGroup:
			return []signal{{s.Name, ""}}
		}
		return []signal{{"federated", ""}}
	}
	factors := map[string]string{
		session.OTP: "otp", session.SMSCode: "phone", session.EmailCode: "email", session.Key: "webauthn", session.Recovery: "recovery-code",
	}
	names := map[string]string{
		session.Password: "pwd", session.SMSCode: "sms", session.EmailCode: "email", session.Key: "passkey", session.Upstream: "federated",
	}
	for i, m := range methods {
		switch {
		case m == session.MFA: // says that there was one; which, the others say
		case i == 0:
			list = append(list, signal{names[m], ""})
		default:
			list = append(list, signal{"mfa", factors[m]})
		}
	}
	return list
}
