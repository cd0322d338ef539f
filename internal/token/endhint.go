package token

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"strings"
)

// EndHint reads an ID token that comes back to end a session: it has to be ours,
// of whichever client, and may have expired (OpenID Connect RP-Initiated Logout §2).
func (v *Verifier) EndHint(ctx context.Context, raw string) (clientID, sid string, err error) {
	c, err := v.returned(ctx, raw)
	if err != nil {
		return "", "", err
	}
	return c.Audience[0], c.SessionID, nil
}

// returned reads an ID token that comes back as a hint, of one client. One that is
// signed with HS256 could be the client's own work: it proves no more than that
// the client asks, which is all that a hint is for.
func (v *Verifier) returned(ctx context.Context, raw string) (*claims, error) {
	if len(raw) > MaxLength {
		return nil, ErrMalformed
	}
	j, err := parse(raw)
	if err != nil {
		return nil, err
	}
	read := v.signedBy
	if j.alg == HS256 {
		read = v.keyed
	}
	c, err := read(ctx, j)
	if err != nil {
		return nil, err
	}
	// Only an ID token names nobody as the one who asked for it.
	if c.Party != "" || c.ClientID != "" || c.Subject == "" || len(c.Audience) != 1 {
		return nil, ErrMalformed
	}
	return c, nil
}

// keyed reads a JWT that is keyed with the secret of the client that it is for.
func (v *Verifier) keyed(ctx context.Context, j jws) (*claims, error) {
	if v.HintSecret == nil {
		return nil, ErrMalformed
	}
	c, err := v.claimsOf(j)
	if err != nil {
		return nil, err
	}
	// Nothing is proven yet: no store looks for such a name.
	if len(c.Audience) != 1 || strings.IndexByte(c.Audience[0], 0) >= 0 {
		return nil, ErrMalformed
	}
	secret, err := v.HintSecret(ctx, c.Audience[0])
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(j.input)
	if secret == "" || !hmac.Equal(mac.Sum(nil), j.signature) {
		return nil, ErrSignature
	}
	return c, nil
}
