package factor

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"mangrove/internal/token"
	"mangrove/internal/user"
)

// PasskeySession is a ceremony that an application began for somebody who is to
// be found by the answer, or for somebody new. Of its auth_session only the
// SHA-256 is kept. It is good for one answer.
type PasskeySession struct {
	Hash         string `json:"-"`
	ClientID     string `json:"-"`
	ExpiresAt    int64  `json:"-"` // microseconds
	ConnectionID string `json:"connection_id"`
	// Session is that of the ceremony.
	Session json.RawMessage `json:"session"`
	// New is the profile of somebody new, as sign-up takes it; nil: a sign-in.
	New json.RawMessage `json:"new,omitzero"`
	// Handle and Name are those under which the passkey of somebody new is made.
	Handle string `json:"handle,omitzero"` // base64url
	Name   string `json:"name,omitzero"`
}

// PasskeySessionLifetime is that of the ceremony, which its options tell (timeout);
// microseconds.
const PasskeySessionLifetime = 5 * 60 * 1_000_000

// AppChallenge begins a sign-in by passkey in an application and returns its
// auth_session and the options. Errors: ErrUnservable.
func (s *Service) AppChallenge(ctx context.Context, p PasskeySession) (secret, options string, err error) {
	c, err := s.BeginPasskey()
	if err != nil {
		return "", "", err
	}
	return s.keepSession(ctx, p, c)
}

// AppSignUp begins a sign-up by passkey: p has New and Name, the name that the
// authenticator shows. Nobody is created by it. Errors: ErrUnservable.
func (s *Service) AppSignUp(ctx context.Context, p PasskeySession) (secret, options string, err error) {
	if s.Keys == nil {
		return "", "", ErrUnservable
	}
	p.Handle = token.NewSecret()
	o, err := p.owner()
	if err != nil {
		return "", "", err
	}
	created, session, err := s.Keys.w.BeginRegistration(o,
		webauthn.WithConveyancePreference(protocol.PreferNoAttestation), webauthn.WithAuthenticatorSelection(selection(Passkey)))
	if err != nil {
		return "", "", err
	}
	c, err := ceremony(created.Response, session)
	if err != nil {
		return "", "", err
	}
	return s.keepSession(ctx, p, c)
}

func (p *PasskeySession) owner() (*owner, error) {
	handle, err := base64.RawURLEncoding.DecodeString(p.Handle)
	return &owner{handle: handle, name: p.Name}, err
}

func (s *Service) keepSession(ctx context.Context, p PasskeySession, c Ceremony) (secret, options string, err error) {
	secret = token.NewSecret()
	p.Hash, p.Session, p.ExpiresAt = token.HashOf(secret), c.Session, s.Now().UnixMicro()+PasskeySessionLifetime
	return secret, c.Options, s.Store.SavePasskeySession(ctx, p)
}

// TakeSession ends the ceremony of an auth_session, whatever comes of it. ErrNone:
// there is none of that client.
func (s *Service) TakeSession(ctx context.Context, secret, clientID string) (PasskeySession, error) {
	return s.Store.TakePasskeySession(ctx, token.HashOf(secret), clientID, s.Now().UnixMicro())
}

// NewPasskey reads the passkey that somebody new made and returns what stores the
// user with it (user.CreateRequest.Save). origins are those from which the answer
// may come, beside our own. Errors: ErrWrong; of the function ErrExists for a key
// that somebody has.
func (s *Service) NewPasskey(p PasskeySession, response string, a Actor, origins ...string) (func(context.Context, *user.User, user.Effect) error, error) {
	var begun webauthn.SessionData
	if s.Keys == nil || json.Unmarshal(p.Session, &begun) != nil {
		return nil, ErrWrong
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(response))
	if err != nil {
		return nil, ErrWrong
	}
	o, err := p.owner()
	if err != nil {
		return nil, err
	}
	w, err := s.Keys.at(origins)
	if err != nil {
		return nil, err
	}
	c, err := w.CreateCredential(o, begun, parsed)
	if err != nil {
		return nil, ErrWrong
	}
	return func(ctx context.Context, u *user.User, e user.Effect) error {
		now := s.Now().UnixMicro()
		f := s.Keys.factor(Passkey, c, o.handle, a)
		f.Device, f.Confirmed, f.CreatedAt, f.LastAuth = NewDevice(), true, now, now
		return s.Store.CreateUserWithKey(ctx, u, e, f, p.Handle)
	}, nil
}
