package op

import (
	"net/http"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/web"
)

var errAuthenticator = errs.New(errs.NotFound, "invalid_request", "The authenticator does not exist.")

// authenticatorJSON is the wire form of a factor, members in the recorded order.
type authenticatorJSON struct {
	ID      string `json:"id"`
	Type    string `json:"authenticator_type"`
	Active  bool   `json:"active"`
	Channel string `json:"oob_channel,omitempty"`
	Name    string `json:"name,omitempty"`
}

// authenticatorOf shows a factor; false: it is not one of this resource.
func authenticatorOf(f *factor.Factor) (authenticatorJSON, bool) {
	a := authenticatorJSON{ID: f.ID(), Active: f.Confirmed}
	switch f.Kind {
	case factor.TOTP:
		a.Type, a.Name = "otp", f.Detail.Name
	case factor.Phone:
		a.ID, a.Type, a.Channel, a.Name = "sms|"+f.Device, "oob", "sms", f.Shown()
	case factor.Email:
		a.Type, a.Channel, a.Name = "oob", "email", f.Shown()
	case factor.Recovery:
		a.Type = "recovery-code"
	case factor.Roaming, factor.Platform:
		a.Type, a.Name = string(f.Kind), f.Detail.Name
	default:
		return authenticatorJSON{}, false
	}
	return a, true
}

// authenticators is GET /mfa/authenticators.
func (e *Endpoints) authenticators(w http.ResponseWriter, r *http.Request) error {
	h, err := e.mfaHolder(r, "read:authenticators", true)
	if err != nil {
		return err
	}
	all, err := e.d.Factors.All(r.Context(), h.user)
	if err != nil {
		return err
	}
	out := []authenticatorJSON{}
	for i := range all {
		if a, ok := authenticatorOf(&all[i]); ok {
			out = append(out, a)
		}
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, out)
	return nil
}

// removeAuthenticator is DELETE /mfa/authenticators/{id}.
func (e *Endpoints) removeAuthenticator(w http.ResponseWriter, r *http.Request) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	h, err := e.mfaHolder(r, "remove:authenticators", false)
	if err != nil {
		return err
	}
	ctx := r.Context()
	all, err := e.d.Factors.All(ctx, h.user)
	if err != nil {
		return err
	}
	if !h.proven && len(factor.Seconds(all)) > 0 {
		return e.refusedFactor(ctx, h, errFactorProof)
	}
	for i := range all {
		shown, ok := authenticatorOf(&all[i])
		if !ok || shown.ID != id {
			continue
		}
		event := e.event(audit.Unenrolled, h.actor)
		event.UserID, event.Description = string(h.user.ID), "Removed by its owner"
		if err := e.d.Factors.Unenroll(ctx, h.user, []factor.Factor{all[i]}, factor.Actor{Actor: h.actor, Language: requestLanguage(r)}, event); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return errAuthenticator
}
