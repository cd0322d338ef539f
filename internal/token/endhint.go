package token

import "context"

// EndHint reads an ID token that comes back to end a session: it has to be ours,
// of whichever client, and may have expired (OpenID Connect RP-Initiated Logout §2).
func (v *Verifier) EndHint(ctx context.Context, raw string) (clientID, sid string, err error) {
	if len(raw) > MaxLength {
		return "", "", ErrMalformed
	}
	c, err := v.signed(ctx, raw)
	if err != nil {
		return "", "", err
	}
	// Only an ID token names nobody as the one who asked for it.
	if c.Party != "" || c.ClientID != "" || c.Subject == "" || len(c.Audience) != 1 {
		return "", "", ErrMalformed
	}
	return c.Audience[0], c.SessionID, nil
}
