package mgmt

import (
	"crypto/sha1" //nolint:gosec // the wire's fingerprint is SHA-1
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"

	"mangrove/internal/key"
	"mangrove/internal/web"
)

// signingKeyRoutes are the keys that tokens are signed with (reference/authentication.md §1.2).
func (a *api) signingKeyRoutes() []route {
	read := oneOf("read:signing_keys")
	return []route{
		{"GET", "/keys/signing", read, a.listKeys},
		{"GET", "/keys/signing/{kid}", read, a.getKey},
		{"POST", "/keys/signing/rotate", oneOf("create:signing_keys", "update:signing_keys"), a.rotateKey},
		{"PUT", "/keys/signing/{kid}/revoke", oneOf("update:signing_keys"), a.revokeKey},
	}
}

func certificate(k *key.Key) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.Cert}))
}

// signingKeyJSON is the wire form. Nothing private is in it.
func signingKeyJSON(k *key.Key) (json.RawMessage, error) {
	pkcs7, err := key.PKCS7(k.Cert)
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum(k.Cert) //nolint:gosec // see the import
	thumbprint := strings.ToUpper(hex.EncodeToString(sum[:]))
	var fingerprint strings.Builder
	for i := 0; i < len(thumbprint); i += 2 {
		if i > 0 {
			fingerprint.WriteByte(':')
		}
		fingerprint.WriteString(thumbprint[i : i+2])
	}
	since := k.Since
	if since == 0 {
		since = k.CreatedAt
	}
	var o object
	o.text("kid", k.ID)
	o.text("cert", certificate(k))
	o.text("pkcs7", string(pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: pkcs7})))
	o.raw("current", truth(k.State == key.Current))
	o.raw("next", truth(k.State == key.Next))
	o.raw("previous", truth(k.State == key.Previous))
	o.raw("revoked", truth(k.State == key.Revoked))
	switch k.State {
	case key.Current:
		o.raw("current_since", stamp(since))
	case key.Previous:
		o.raw("current_until", stamp(since))
	case key.Revoked:
		o.raw("revoked_at", stamp(since))
	}
	o.text("fingerprint", fingerprint.String())
	o.text("thumbprint", thumbprint)
	return o.end(), nil
}

// keyAndCert is the answer to a change.
func keyAndCert(k *key.Key) json.RawMessage {
	var o object
	o.text("cert", certificate(k))
	o.text("kid", k.ID)
	return o.end()
}

// listKeys is GET /keys/signing.
func (a *api) listKeys(w http.ResponseWriter, r *http.Request, _ *caller) error {
	keys, err := a.Keys.List(r.Context())
	if err != nil {
		return err
	}
	items := make([]json.RawMessage, len(keys))
	for i := range keys {
		if items[i], err = signingKeyJSON(&keys[i]); err != nil {
			return err
		}
	}
	return shown(w, array(items))
}

// getKey is GET /keys/signing/{kid}.
func (a *api) getKey(w http.ResponseWriter, r *http.Request, _ *caller) error {
	id, err := web.Param(r, "kid")
	if err != nil {
		return err
	}
	k, err := a.Keys.Get(r.Context(), id)
	if err != nil {
		return err
	}
	doc, err := signingKeyJSON(&k)
	if err != nil {
		return err
	}
	return shown(w, doc)
}

// rotateKey is POST /keys/signing/rotate; a body is ignored. It answers with the
// key that is the next one now.
func (a *api) rotateKey(w http.ResponseWriter, r *http.Request, by *caller) error {
	k, err := a.Keys.Rotate(r.Context(), by.event(r))
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusCreated, web.TypeJSON, keyAndCert(&k))
	return nil
}

// revokeKey is PUT /keys/signing/{kid}/revoke; a body is ignored.
func (a *api) revokeKey(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "kid")
	if err != nil {
		return err
	}
	k, err := a.Keys.Revoke(r.Context(), id, by.event(r))
	if err != nil {
		return err
	}
	return shown(w, keyAndCert(&k))
}
