package mgmt

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"testing"

	"mangrove/internal/client"
)

func TestCredentialStory(t *testing.T) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	must(t, err)
	text, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	must(t, err)
	const all = "create:clients update:clients read:clients create:client_credentials read:client_credentials update:client_credentials delete:client_credentials"
	body := func(more string) string { return `{"credential_type":"public_key","pem":` + string(text) + more + `}` }
	onEngines(t, func(t *testing.T, w *world) {
		kept := w.story(t, []step{
			{name: "client", scopes: all, method: "POST", path: "/clients", body: `{"name":"by key"}`, status: 201, keep: "client_id", as: "client"},
			{name: "none", scopes: all, method: "GET", path: "/clients/$client/credentials?include_totals=true&per_page=50", status: 200, has: []string{"[]"}},
			{name: "no client", scopes: all, method: "GET", path: "/clients/nobody/credentials", status: 404, has: []string{"inexistent_client"}},
			{name: "create for nobody", scopes: all, method: "POST", path: "/clients/nobody/credentials", body: body(""), status: 404, has: []string{"inexistent_client"}},
			{name: "create", scopes: all, method: "POST", path: "/clients/$client/credentials", body: body(`,"name":"first","kid":"kid-0123456789","alg":"PS256"`), status: 201,
				has: []string{`"name":"first"`, `"kid":"kid-0123456789"`, `"alg":"PS256"`, `"credential_type":"public_key"`, `"created_at":"2`, `"id":"cred_`}, hasNot: []string{"pem", "expires_at"}, keep: "id", as: "credential"},
			{name: "the same kid", scopes: all, method: "POST", path: "/clients/$client/credentials", body: body(`,"kid":"kid-0123456789"`), status: 409, has: []string{"A credential with the same kid already exists."}},
			{name: "no key", scopes: all, method: "POST", path: "/clients/$client/credentials", body: `{"credential_type":"public_key","pem":"x"}`, status: 400, has: []string{"The PEM of the credential is not usable"}},
			{name: "list", scopes: all, method: "GET", path: "/clients/$client/credentials", status: 200, has: []string{`[{"id":"$credential"`}},
			{name: "get", scopes: all, method: "GET", path: "/clients/$client/credentials/$credential", status: 200, has: []string{`{"id":"$credential"`}},
			{name: "of another client", scopes: all, method: "GET", path: "/clients/" + machineID + "/credentials/$credential", status: 404, has: []string{"The credential does not exist."}},
			{name: "end", scopes: all, method: "PATCH", path: "/clients/$client/credentials/$credential", body: `{"expires_at":"2040-01-02T03:04:05.678Z"}`, status: 200, has: []string{`"expires_at":"2040-01-02T03:04:05.678Z"`}},
			{name: "name", scopes: all, method: "PATCH", path: "/clients/$client/credentials/$credential", body: `{"name":"x"}`, status: 400, has: []string{"Additional properties not allowed: name"}},
			{name: "use it", scopes: all, method: "PATCH", path: "/clients/$client", body: `{"client_authentication_methods":{"private_key_jwt":{"credentials":[{"id":"$credential"}]}}}`, status: 200,
				has: []string{`"client_authentication_methods":{"private_key_jwt":{"credentials":[{"id":"$credential"}]}}`}},
			{name: "use another", scopes: all, method: "PATCH", path: "/clients/$client", body: `{"client_authentication_methods":{"private_key_jwt":{"credentials":[{"id":"cred_1111111111111111111111"}]}}}`, status: 400,
				has: []string{"client_authentication_methods names a credential that does not exist."}},
			{name: "delete", scopes: all, method: "DELETE", path: "/clients/$client/credentials/$credential", status: 204},
			{name: "delete again", scopes: all, method: "DELETE", path: "/clients/$client/credentials/$credential", status: 404},
			{name: "not used any more", scopes: all, method: "GET", path: "/clients/$client", status: 200, has: []string{`"private_key_jwt":{"credentials":[]}`}},
			{name: "with a key from the start", scopes: all, method: "POST", path: "/clients", body: `{"name":"k","client_authentication_methods":{"private_key_jwt":{"credentials":[` + body("") + `]}}}`, status: 201,
				has: []string{`"private_key_jwt":{"credentials":[{"id":"cred_`}, hasNot: []string{"BEGIN"}, keep: "client_id", as: "second"},
			{name: "its key", scopes: all, method: "GET", path: "/clients/$second/credentials", status: 200, has: []string{`"alg":"RS256"`}},
		})
		c, err := w.store.Client(t.Context(), kept["client"])
		if err != nil || c.Settings().AuthMethod != client.AuthPrivateKeyJWT {
			t.Errorf("%+v, %v", c, err)
		}
	})
}
