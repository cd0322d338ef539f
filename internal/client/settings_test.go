package client

import (
	"encoding/json"
	"testing"
)

func TestThirdPartyControls(t *testing.T) {
	for _, row := range []struct {
		doc                 string
		strict, keepsErrors bool
	}{
		{`{}`, false, false},
		{`{"third_party_security_mode":"strict"}`, false, false}, // a first party
		{`{"is_first_party":false}`, false, false},
		{`{"is_first_party":false,"third_party_security_mode":"permissive","redirection_policy":"open_redirect_protection"}`, false, false},
		{`{"is_first_party":false,"third_party_security_mode":"strict"}`, true, true},
		{`{"is_first_party":false,"third_party_security_mode":"strict","redirection_policy":"allow_always"}`, true, false},
	} {
		s := (&Client{Doc: json.RawMessage(row.doc)}).Settings()
		if s.Strict != row.strict || s.KeepsErrors != row.keepsErrors {
			t.Errorf("%s: strict %v, keeps errors %v", row.doc, s.Strict, s.KeepsErrors)
		}
	}
}

func TestBackchannelTells(t *testing.T) {
	const to = `"backchannel_logout_urls":["https://a.example/"]`
	for _, row := range []struct {
		logout, initiator string
		want              bool
	}{
		{`{}`, "rp-logout", false},
		{`{"backchannel_logout_initiators":{"mode":"all"}}`, "rp-logout", false}, // no address
		{`{` + to + `}`, "rp-logout", true},
		{`{` + to + `}`, "idp-logout", true},
		{`{` + to + `}`, "password-changed", false},
		{`{` + to + `,"backchannel_logout_initiators":{"mode":"all"}}`, "password-changed", true},
		{`{` + to + `,"backchannel_logout_initiators":{"mode":"custom","selected_initiators":["session-revoked"]}}`, "session-revoked", true},
		{`{` + to + `,"backchannel_logout_initiators":{"mode":"custom","selected_initiators":["session-revoked"]}}`, "rp-logout", false},
		{`{` + to + `,"backchannel_logout_initiators":{"mode":"custom","selected_initiators":[]}}`, "rp-logout", false},
	} {
		s := (&Client{Doc: json.RawMessage(`{"oidc_logout":` + row.logout + `}`)}).Settings()
		if got := s.Backchannel.Tells(row.initiator); got != row.want {
			t.Errorf("%s, %s: %v", row.logout, row.initiator, got)
		}
	}
}

func TestPARExpiry(t *testing.T) {
	for doc, want := range map[string]int64{`{}`: 30, `{"par_request_expiry":null}`: 30, `{"par_request_expiry":600}`: 600} {
		if got := (&Client{Doc: json.RawMessage(doc)}).Settings().PARExpiry; got != want {
			t.Errorf("%s: %d", doc, got)
		}
	}
}
