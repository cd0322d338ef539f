package connection

import (
	"encoding/json"
	"testing"
)

func TestTitles(t *testing.T) {
	for _, row := range []struct{ strategy, name, extra, want string }{
		{"google-oauth2", "google-oauth2", `{}`, "Google"},
		{"google-oauth2", "google-oauth2", `{"display_name":"Mail"}`, "Mail"},
		{"google-oauth2", "partners", `{}`, "partners"},
		{"samlp", "samlp", `{}`, "samlp"},
		{"oidc", "github", `{}`, "github"},
	} {
		c := &Connection{Strategy: row.strategy, Name: row.name, Extra: json.RawMessage(row.extra)}
		if got := c.DisplayName(); got != row.want {
			t.Errorf("%+v: %q", row, got)
		}
	}
	for _, name := range social {
		if titles[name] == "" {
			t.Errorf("the button of %s would show its internal name", name)
		}
	}
}
