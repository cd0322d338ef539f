package mgmt

import (
	"encoding/json"
	"errors"
	"net/http"

	"mangrove/internal/connection"
	"mangrove/internal/session"
)

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
	if len(s.Metadata) > 0 {
		o.raw("session_metadata", s.Metadata)
	}
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
