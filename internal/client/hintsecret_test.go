package client

import (
	"encoding/json"
	"testing"
)

func TestHintSecret(t *testing.T) {
	s := shelf{}
	for id, doc := range map[string]string{
		"keyed":  `{"jwt_configuration":{"alg":"HS256"},"token_endpoint_auth_method":"client_secret_post"}`,
		"signed": `{"jwt_configuration":{"alg":"RS256"},"token_endpoint_auth_method":"client_secret_post"}`,
		"unset":  `{}`,
		"public": `{"jwt_configuration":{"alg":"HS256"},"token_endpoint_auth_method":"none"}`,
	} {
		s[id] = &Client{ID: id, Secret: "the secret", Doc: json.RawMessage(doc)}
	}
	for id, want := range map[string]string{"keyed": "the secret", "signed": "", "unset": "", "public": "", "nobody": ""} {
		if got, err := HintSecret(s)(t.Context(), id); got != want || err != nil {
			t.Errorf("%s: %q, %v", id, got, err)
		}
	}
}
