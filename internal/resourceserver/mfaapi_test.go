package resourceserver

import (
	"slices"
	"testing"
)

func TestMFAAPI(t *testing.T) {
	api := MFAAPI("https://id.example")
	s := api.Settings()
	if api.Identifier != "https://id.example/mfa/" || s.TokenLifetime != MFALifetime || s.TokenLifetimeForWeb != MFALifetime || s.AllowOfflineAccess ||
		s.EnforcePolicies || s.System || s.SigningAlg != "RS256" || s.UserPolicy != AllowAll || s.ClientPolicy != DenyAll ||
		!slices.Equal(s.ScopeValues(), []string{"enroll", "read:authenticators", "remove:authenticators"}) {
		t.Errorf("%+v", s)
	}
}
