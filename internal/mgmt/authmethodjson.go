package mgmt

import (
	"encoding/base64"
	"encoding/json"

	"mangrove/internal/factor"
)

// methodJSON is the wire form.
func methodJSON(f *factor.Factor) []byte {
	var o object
	o.text("id", f.ID())
	o.text("type", string(f.Kind))
	o.raw("confirmed", truth(f.Confirmed))
	if f.Detail.Name != "" {
		o.text("name", f.Detail.Name)
	}
	switch f.Kind {
	case factor.Phone:
		phoneJSON(&o, f)
		preferred := f.Detail.Preferred
		if preferred == "" {
			preferred = "sms"
		}
		o.text("preferred_authentication_method", preferred)
		o.text("phone_number", f.Shown())
	case factor.Email:
		o.text("email", f.Shown())
	}
	if c := f.Detail.Credential; c != nil {
		keyJSON(&o, f.Kind, c)
	}
	o.text("created_at", iso(f.CreatedAt))
	o.text("enrolled_at", iso(f.CreatedAt))
	if f.LastAuth != 0 {
		o.text("last_auth_at", iso(f.LastAuth))
	}
	return o.end()
}

// phoneJSON adds how a phone is challenged.
func phoneJSON(o *object, f *factor.Factor) {
	var sms object
	sms.text("type", "sms")
	sms.text("id", "sms|"+f.Device)
	o.raw("authentication_methods", array([]json.RawMessage{sms.end()}))
}

// keyJSON adds the members of a WebAuthn credential.
func keyJSON(o *object, k factor.Kind, c *factor.Credential) {
	o.text("key_id", base64.RawURLEncoding.EncodeToString(c.ID))
	o.text("public_key", base64.StdEncoding.EncodeToString(c.PublicKey))
	o.text("relying_party_identifier", c.RPID)
	if k != factor.Passkey {
		return
	}
	device := "single_device"
	if c.BackupEligible {
		device = "multi_device"
	}
	o.text("credential_device_type", device)
	o.raw("credential_backed_up", truth(c.BackedUp))
	o.text("user_agent", c.UserAgent)
	o.text("user_handle", c.UserHandle)
	o.texts("transports", c.Transports)
}

func methodList(fs []factor.Factor) []byte {
	out := make([]json.RawMessage, len(fs))
	for i := range fs {
		out[i] = methodJSON(&fs[i])
	}
	return array(out)
}

// madeJSON is the wire form of a method that was just made: with what was sent.
func madeJSON(f *factor.Factor) []byte {
	var o object
	o.text("id", f.ID())
	o.text("type", string(f.Kind))
	if f.Detail.Name != "" {
		o.text("name", f.Detail.Name)
	}
	switch f.Kind {
	case factor.TOTP:
		o.text("totp_secret", f.Detail.Secret)
	case factor.Phone:
		o.text("phone_number", f.Detail.Address)
		phoneJSON(&o, f)
		if f.Detail.Preferred != "" {
			o.text("preferred_authentication_method", f.Detail.Preferred)
		}
	case factor.Email:
		o.text("email", f.Detail.Address)
	}
	o.text("created_at", iso(f.CreatedAt))
	return o.end()
}
