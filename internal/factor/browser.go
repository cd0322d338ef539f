package factor

import (
	"context"

	"mangrove/internal/audit"
	"mangrove/internal/token"
)

// TrustLifetime is how long a browser is not asked again, microseconds.
const TrustLifetime = 30 * 24 * 3600 * 1_000_000

// Trust remembers a browser that showed a second factor. The secret is for its
// cookie.
func (s *Service) Trust(ctx context.Context, userID string) (string, error) {
	secret := token.NewSecret()
	return secret, s.Store.TrustBrowser(ctx, token.HashOf(secret), userID, s.Now().UnixMicro()+TrustLifetime)
}

// Trusted reports whether the browser with that secret is trusted for the user.
func (s *Service) Trusted(ctx context.Context, secret, userID string) (bool, error) {
	if secret == "" {
		return false, nil
	}
	return s.Store.BrowserTrusted(ctx, token.HashOf(secret), userID, s.Now().UnixMicro())
}

// Forget ends the trust in all browsers of a user.
func (s *Service) Forget(ctx context.Context, userID string, events ...audit.Event) error {
	return s.Store.ForgetBrowsers(ctx, userID, events...)
}
