package upstream

import (
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
)

func TestVouch(t *testing.T) {
	const never, always = connection.NeverTrustEmail, connection.AlwaysTrustEmail
	rows := []struct {
		options string
		email   string // empty: not sent
		said    string // empty: not sent
		want    string // empty: still not said
	}{
		{`{}`, "a@anywhere.example", "true", "true"},
		{`{}`, "a@anywhere.example", "", ""},
		{`{"domain_aliases":["x.example"]}`, "a@x.example", "true", "true"},
		{`{"domain_aliases":["y.example","X.Example"]}`, "a@x.example", "true", "true"},
		{`{"tenant_domain":"x.example"}`, "a@X.example", "true", "true"},
		{`{"tenant_domain":["x.example"]}`, "a@X.example", "true", "true"},
		{`{"domain_aliases":["x.example"]}`, "a@evil.example", "true", "false"},
		{`{"domain_aliases":["x.example"]}`, "a@sub.x.example", "true", "false"},
		{`{"domain_aliases":["x.example"]}`, "a@x.example@evil.example", "true", "false"},
		{`{"domain_aliases":["x.example"]}`, "x.example", "true", "false"}, // no address at all
		{`{"domain_aliases":["x.example"]}`, "a@evil.example", "", ""},
		{`{"domain_aliases":["x.example"]}`, "", "true", "true"}, // a proof of nothing; the engine drops it
		{`{"should_trust_email_verified_connection":"` + never + `"}`, "a@x.example", "true", "false"},
		{`{"should_trust_email_verified_connection":"` + never + `"}`, "a@x.example", "", "false"},
		{`{"should_trust_email_verified_connection":"` + always + `"}`, "a@x.example", "", "true"},
		{`{"should_trust_email_verified_connection":"` + always + `"}`, "a@x.example", "false", "true"},
		{`{"should_trust_email_verified_connection":"` + always + `"}`, "", "", ""},
		{`{"should_trust_email_verified_connection":"` + always + `","domain_aliases":["x.example"]}`, "a@y.example", "", "false"},
		{`{"should_trust_email_verified_connection":"sometimes"}`, "a@x.example", "true", "true"},
	}
	for _, row := range rows {
		c := &connection.Connection{Strategy: "samlp", Options: []byte(row.options)}
		var list []profile.Change
		if row.said != "" {
			list = append(list, profile.Change{Name: profile.EmailVerified, Value: profile.Value(row.said)})
		}
		if row.email != "" {
			list = append(list, profile.Change{Name: profile.Email, Value: profile.Text(row.email)})
		}
		got := ""
		for _, ch := range Vouch(list, c.Upstream()) {
			if ch.Name == profile.EmailVerified {
				got += string(ch.Value)
			}
		}
		if got != row.want {
			t.Errorf("%s, %q, said %q: %q, want %q", row.options, row.email, row.said, got, row.want)
		}
	}
}
