package upstream

import (
	"strings"
	"testing"
)

func TestKeyAdvice(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		says   string
	}{
		{401, "invalid_client", "jwks.json"},
		{401, "", "jwks.json"},
		{400, "invalid_grant", "redirect address"},
	} {
		if got := KeyAdvice(c.status, c.code); !strings.Contains(got, c.says) || strings.Contains(got, "client_secret") {
			t.Errorf("%d %q: %q", c.status, c.code, got)
		}
	}
}

func TestTokenAdvice(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		says   []string // none: nothing
	}{
		{401, "invalid_client", []string{": invalid_client: ", "client_secret", "expired"}},
		{400, "unauthorized_client", []string{": unauthorized_client: ", "client_id"}},
		{200, "incorrect_client_credentials", []string{"client_secret"}},
		{400, "invalid_grant", []string{": invalid_grant: ", "redirect address"}},
		{200, "redirect_uri_mismatch", []string{"redirect address"}},
		{400, "invalid_scope", []string{": invalid_scope"}},
		{401, "", []string{"client_secret"}},
		{401, "Ann Lee said no", []string{"client_secret"}},
		{400, "Ann Lee said no", nil},
		{500, "", nil},
	} {
		got := TokenAdvice(c.status, c.code)
		if len(c.says) == 0 && got != "" || strings.Contains(got, "Ann") {
			t.Errorf("%d %q: %q", c.status, c.code, got)
		}
		for _, want := range c.says {
			if !strings.Contains(got, want) {
				t.Errorf("%d %q: %q lacks %q", c.status, c.code, got, want)
			}
		}
	}
}
