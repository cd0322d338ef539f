package mgmt

import (
	"crypto/sha1" //nolint:gosec // the wire's fingerprint is SHA-1
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/key"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/web"
)

// connectionKeyRoutes are the keys by which a connection proves itself to its
// provider (reference/connections.md §1.3).
func (a *api) connectionKeyRoutes() []route {
	rotate := oneOf("create:connections_keys", "update:connections_keys")
	return []route{
		{"GET", "/connections/{id}/keys", oneOf("read:connections_keys"), a.listConnectionKeys},
		{"POST", "/connections/{id}/keys", oneOf("create:connections_keys"), a.createConnectionKeys},
		{"POST", "/connections/{id}/keys/rotate", rotate, allOf(rotate, a.rotateConnectionKeys)},
	}
}

// signingAlg is the body of both POSTs, which may be missing or null
// (PostConnectionKeysRequestContent).
var signingAlg = schema.Property{
	Types: schema.Object | schema.Null, Closed: true,
	Members: []schema.Property{{
		Name: "signing_alg", Types: schema.String, Enum: connection.KeyAlgs(), Description: "Selected Signing Algorithm",
	}},
}

func readSigningAlg(r *http.Request) (string, error) {
	if r.ContentLength == 0 {
		return "", nil
	}
	body, err := readArray(r)
	if err != nil {
		return "", err
	}
	if err := checkBody(signingAlg.Check("", body)); err != nil {
		return "", err
	}
	return strictjson.ParseDocument(body).Text("signing_alg"), nil
}

// connectionKeyJSON is the wire form. Nothing private is in it.
func connectionKeyJSON(k *connection.Key, name string) (json.RawMessage, error) {
	pkcs7, err := key.PKCS7(k.Cert)
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum(k.Cert) //nolint:gosec // see the import
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = strings.ToUpper(hex.EncodeToString([]byte{b}))
	}
	var o object
	o.text("kid", k.ID)
	o.text("algorithm", k.Alg)
	o.text("key_use", "signing")
	o.text("subject_dn", "/CN="+name)
	o.text("cert", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.Cert})))
	o.text("pkcs", string(pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: pkcs7})))
	o.raw(k.State, truth(true))
	if k.CurrentSince != 0 {
		o.raw("current_since", stamp(k.CurrentSince))
	}
	if k.CurrentUntil != 0 {
		o.raw("current_until", stamp(k.CurrentUntil))
	}
	o.text("fingerprint", strings.Join(pairs, ":"))
	o.text("thumbprint", strings.Join(pairs, ""))
	return o.end(), nil
}

// connectionKeysJSON is the array of them.
func (a *api) connectionKeysJSON(r *http.Request, id string, keys []connection.Key) (json.RawMessage, error) {
	c, err := a.Connections.Get(r.Context(), id)
	if err != nil {
		return nil, err
	}
	items := make([]json.RawMessage, len(keys))
	for i := range keys {
		if items[i], err = connectionKeyJSON(&keys[i], c.Name); err != nil {
			return nil, err
		}
	}
	return array(items), nil
}

// listConnectionKeys is GET /connections/{id}/keys.
func (a *api) listConnectionKeys(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	keys, err := a.ConnectionKeys.List(r.Context(), id, by.event(r))
	if err != nil {
		return err
	}
	doc, err := a.connectionKeysJSON(r, id, keys)
	if err != nil {
		return err
	}
	return shown(w, doc)
}

// createConnectionKeys is POST /connections/{id}/keys.
func (a *api) createConnectionKeys(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	alg, err := readSigningAlg(r)
	if err != nil {
		return err
	}
	keys, err := a.ConnectionKeys.Create(r.Context(), id, alg, by.event(r))
	if err != nil {
		return err
	}
	doc, err := a.connectionKeysJSON(r, id, keys)
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusCreated, web.TypeJSON, doc)
	return nil
}

// rotateConnectionKeys is POST /connections/{id}/keys/rotate. It answers with the
// key that is the next one now.
func (a *api) rotateConnectionKeys(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := web.Param(r, "id")
	if err != nil {
		return err
	}
	alg, err := readSigningAlg(r)
	if err != nil {
		return err
	}
	k, err := a.ConnectionKeys.Rotate(r.Context(), id, alg, by.event(r))
	if err != nil {
		return err
	}
	c, err := a.Connections.Get(r.Context(), id)
	if err != nil {
		return err
	}
	doc, err := connectionKeyJSON(&k, c.Name)
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusCreated, web.TypeJSON, doc)
	return nil
}
