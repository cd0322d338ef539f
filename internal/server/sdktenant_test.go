package server_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/auth0/go-auth0/management"
)

// The settings of an installation, as the official SDK and the tools built on it
// read and write them.
func TestSDKTenant(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		check := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		fresh, err := w.sdk.Tenant.Read(ctx)
		check("tenant", err)
		if fresh.GetSessionLifetime() != 168 || fresh.GetIdleSessionLifetime() != 72 || fresh.GetSandboxVersion() == "" {
			t.Errorf("fresh %v", fresh)
		}
		check("update tenant", w.sdk.Tenant.Update(ctx, &management.Tenant{
			FriendlyName: ptr("Acme"), SessionLifetime: ptr(12.0), EnabledLocales: &[]string{"de", "en"},
			Flags: &management.TenantFlags{RevokeRefreshTokenGrant: ptr(true)}, SessionCookie: &management.TenantSessionCookie{Mode: ptr("non-persistent")},
		}))
		now, err := w.sdk.Tenant.Read(ctx)
		check("read tenant", err)
		if now.GetFriendlyName() != "Acme" || now.GetSessionLifetime() != 12 || !now.GetFlags().GetRevokeRefreshTokenGrant() || !now.GetFlags().GetEnableSSO() ||
			now.GetSessionCookie().GetMode() != "non-persistent" || !slices.Equal(now.GetEnabledLocales(), []string{"de", "en"}) {
			t.Errorf("tenant %v", now)
		}
		if err := w.sdk.Tenant.Update(ctx, &management.Tenant{PictureURL: ptr("javascript:alert(1)")}); statusOf(err) != 400 {
			t.Errorf("a script: %v", err)
		}

		check("branding", w.sdk.Branding.Update(ctx, &management.Branding{Colors: &management.BrandingColors{Primary: ptr("#123456")}, LogoURL: ptr("https://x.example/l.png")}))
		branding, err := w.sdk.Branding.Read(ctx)
		check("read branding", err)
		if branding.GetColors().GetPrimary() != "#123456" || branding.GetLogoURL() != "https://x.example/l.png" {
			t.Errorf("branding %v", branding)
		}
		if _, err := w.sdk.BrandingTheme.Default(ctx); statusOf(err) != 404 {
			t.Errorf("theme: %v", err)
		}
		if _, err := w.sdk.Branding.UniversalLogin(ctx); statusOf(err) != 404 {
			t.Errorf("template: %v", err)
		}
		check("template", w.sdk.Branding.SetUniversalLogin(ctx, &management.BrandingUniversalLogin{Body: ptr("{%- auth0:head -%}{%- auth0:widget -%}")}))
		template, err := w.sdk.Branding.UniversalLogin(ctx)
		check("read template", err)
		if !strings.Contains(template.GetBody(), "auth0:widget") {
			t.Errorf("template %v", template)
		}
		check("no template", w.sdk.Branding.DeleteUniversalLogin(ctx))

		check("prompts", w.sdk.Prompt.Update(ctx, &management.Prompt{IdentifierFirst: ptr(false)}))
		prompts, err := w.sdk.Prompt.Read(ctx)
		check("read prompts", err)
		if prompts.GetIdentifierFirst() || prompts.UniversalLoginExperience != "new" {
			t.Errorf("prompts %v", prompts)
		}
		check("texts", w.sdk.Prompt.SetCustomText(ctx, "login", "de", map[string]any{"login": map[string]any{"title": "Hallo"}}))
		texts, err := w.sdk.Prompt.CustomText(ctx, "login", "de")
		check("read texts", err)
		if texts["login"].(map[string]any)["title"] != "Hallo" {
			t.Errorf("texts %v", texts)
		}

		check("brute force", w.sdk.AttackProtection.UpdateBruteForceProtection(ctx, &management.BruteForceProtection{MaxAttempts: ptr(5)}))
		brute, err := w.sdk.AttackProtection.GetBruteForceProtection(ctx)
		check("read brute force", err)
		if brute.GetMaxAttempts() != 5 || !brute.GetEnabled() {
			t.Errorf("brute force %v", brute)
		}
		throttling, err := w.sdk.AttackProtection.GetSuspiciousIPThrottling(ctx)
		check("throttling", err)
		check("throttling, sent back", w.sdk.AttackProtection.UpdateSuspiciousIPThrottling(ctx, throttling))
		breached, err := w.sdk.AttackProtection.GetBreachedPasswordDetection(ctx)
		check("breached", err)
		check("breached, sent back", w.sdk.AttackProtection.UpdateBreachedPasswordDetection(ctx, breached))
		if err := w.sdk.AttackProtection.UpdateBreachedPasswordDetection(ctx, &management.BreachedPasswordDetection{Enabled: ptr(true)}); statusOf(err) != 400 {
			t.Errorf("breached, on: %v", err)
		}

		check("otp", w.sdk.Guardian.MultiFactor.OTP.Enable(ctx, true))
		check("policy", w.sdk.Guardian.MultiFactor.UpdatePolicy(ctx, &management.MultiFactorPolicies{"all-applications"}))
		factors, err := w.sdk.Guardian.MultiFactor.List(ctx)
		check("factors", err)
		for _, f := range factors {
			if f.GetEnabled() != (f.GetName() == "otp") {
				t.Errorf("factor %v", f)
			}
		}
		policies, err := w.sdk.Guardian.MultiFactor.Policy(ctx)
		check("policies", err)
		if len(*policies) != 1 {
			t.Errorf("policies %v", policies)
		}

		keys, err := w.sdk.SigningKey.List(ctx)
		check("keys", err)
		if len(keys) == 0 || !keys[0].GetCurrent() || keys[0].GetThumbprint() == "" {
			t.Errorf("keys %v", keys)
		}
		next, err := w.sdk.SigningKey.Rotate(ctx)
		check("rotate", err)
		read, err := w.sdk.SigningKey.Read(ctx, next.GetKID())
		check("read key", err)
		if !read.GetNext() {
			t.Errorf("next %v", read)
		}
		// The token of the SDK was signed with the key that is the previous one now.
		_, err = w.sdk.Tenant.Read(ctx)
		check("after the rotation", err)
		if _, err := w.sdk.SigningKey.Revoke(ctx, keys[0].GetKID()); err != nil {
			t.Errorf("revoke: %v", err)
		}
		if _, err := w.sdk.Tenant.Read(ctx); statusOf(err) != 401 {
			t.Errorf("with a token of the revoked key: %v", err)
		}
	})
}

// A client that has no secret but a key, as the official SDK uses it.
func TestSDKPrivateKeyJWT(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		check := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		check("key", err)
		public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
		check("public key", err)
		c := &management.Client{Name: ptr("by key"), AppType: ptr("non_interactive"), GrantTypes: &[]string{"client_credentials"}}
		check("client", w.sdk.Client.Create(ctx, c))
		audience := w.url + "/api/v2/"
		check("grant", w.sdk.ClientGrant.Create(ctx, &management.ClientGrant{ClientID: c.ClientID, Audience: ptr(audience), Scope: &[]string{"read:tenant_settings"}}))
		credential := &management.Credential{
			Name: ptr("first"), CredentialType: ptr("public_key"), Algorithm: ptr("RS256"),
			PEM: ptr(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))),
		}
		check("credential", w.sdk.Client.CreateCredential(ctx, c.GetClientID(), credential))
		check("use it", w.sdk.Client.Update(ctx, c.GetClientID(), &management.Client{ClientAuthenticationMethods: &management.ClientAuthenticationMethods{
			PrivateKeyJWT: &management.PrivateKeyJWT{Credentials: &[]management.Credential{{ID: credential.ID}}},
		}}))
		list, err := w.sdk.Client.ListCredentials(ctx, c.GetClientID())
		check("list", err)
		if len(list) != 1 || list[0].GetKeyID() == "" {
			t.Errorf("list %v", list)
		}
		host, err := url.Parse(w.url)
		check("host", err)
		newSDK := func() (*management.Management, error) {
			return management.New(host.Host, management.WithClient(w.client), management.WithClientCredentialsPrivateKeyJwt(w.ctx(), c.GetClientID(),
				string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})), "RS256"))
		}
		byKey, err := newSDK()
		check("SDK", err)
		_, err = byKey.Tenant.Read(ctx)
		check("by key", err)

		check("revoke", w.sdk.Client.DeleteCredential(ctx, c.GetClientID(), credential.GetID()))
		if byKey, err = newSDK(); err == nil {
			_, err = byKey.Tenant.Read(ctx)
		}
		if err == nil || !strings.Contains(err.Error(), "401") && !strings.Contains(err.Error(), "invalid_client") {
			t.Errorf("with a revoked key: %v", err)
		}
	})
}
