package op

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/passwordless"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/web"
)

// Failures of POST /mfa/associate (reference/authentication.md §3.10).
var (
	errFactorTypes = errs.New(errs.Invalid, "invalid_request", "Unsupported authenticator_types or oob_channels.")
	errFactorPhone = errs.New(errs.Invalid, "invalid_request", "phone_number must be in E.164 format.")
	errFactorEmail = errs.New(errs.Invalid, "invalid_request", "email must be a valid email address.")
)

// association is the answer of POST /mfa/associate, members in the recorded order.
type association struct {
	Type          string   `json:"authenticator_type"`
	BindingMethod string   `json:"binding_method,omitempty"`
	Secret        string   `json:"secret,omitempty"`
	BarcodeURI    string   `json:"barcode_uri,omitempty"`
	RecoveryCodes []string `json:"recovery_codes,omitempty"`
	Channel       string   `json:"oob_channel,omitempty"`
	OOBCode       string   `json:"oob_code,omitempty"`
}

// associate is POST /mfa/associate.
func (e *Endpoints) associate(w http.ResponseWriter, r *http.Request) error {
	h, err := e.mfaHolder(r, scopeEnroll, true)
	if err != nil {
		return err
	}
	p, err := web.Params(r)
	if err != nil {
		return err
	}
	kind, address, err := wantedFactor(p)
	if err != nil {
		return err
	}
	ctx := r.Context()
	made, err := e.d.Factors.Associate(ctx, h.user, kind, address, h.proven, factor.Actor{Actor: h.actor, Language: requestLanguage(r)})
	if errors.Is(err, factor.ErrEnrolled) {
		return e.refusedFactor(ctx, h, factor.ErrEnrolled)
	}
	if err != nil {
		return err
	}
	out := association{Type: "oob", BindingMethod: "prompt", OOBCode: made.Secret}
	switch kind {
	case factor.TOTP:
		issuer, err := e.d.Factors.Issuer(ctx)
		if err != nil {
			return err
		}
		seed := made.Factor.Detail.Secret
		out = association{Type: "otp", Secret: seed, BarcodeURI: factor.SeedURI(seed, issuer, factor.AccountOf(h.user))}
	case factor.Phone:
		out.Channel = "sms"
	default:
		out.Channel = "email"
	}
	if made.Recovery != "" {
		out.RecoveryCodes = []string{made.Recovery}
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, out)
	return nil
}

// words reads a parameter that is a JSON array of strings or words with blanks
// between them.
func words(s string) []string {
	var list []string
	if strings.HasPrefix(s, "[") {
		if json.Unmarshal([]byte(s), &list) != nil {
			return nil
		}
		return list
	}
	return strings.Fields(s)
}

// wantedFactor is the rule of which factor a body of /mfa/associate asks for.
func wantedFactor(p map[string]string) (factor.Kind, string, error) {
	types := words(p["authenticator_types"])
	if len(types) == 0 {
		return "", "", errMissing("authenticator_types")
	}
	if slices.Contains(types, "otp") {
		return factor.TOTP, "", nil
	}
	if !slices.Contains(types, "oob") {
		return "", "", errFactorTypes
	}
	channels := words(p["oob_channels"])
	switch {
	case len(channels) == 0:
		return "", "", errMissing("oob_channels")
	case slices.Contains(channels, "sms"):
		phone, ok := passwordless.Recipient(profile.PasswordlessSMS, p["phone_number"])
		if !ok {
			return "", "", errFactorPhone
		}
		return factor.Phone, phone, nil
	case slices.Contains(channels, "email"):
		if !schema.IsEmail(p["email"]) {
			return "", "", errFactorEmail
		}
		return factor.Email, p["email"], nil
	}
	return "", "", errFactorTypes
}
