package factor

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

// Credential is what is kept of a WebAuthn credential: all of it is public.
type Credential struct {
	ID             []byte   `json:"id"`
	PublicKey      []byte   `json:"public_key"` // COSE
	Transports     []string `json:"transports,omitzero"`
	AAGUID         []byte   `json:"aaguid,omitzero"`
	SignCount      uint32   `json:"sign_count,omitzero"`
	BackupEligible bool     `json:"backup_eligible,omitzero"`
	BackedUp       bool     `json:"backed_up,omitzero"`
	RPID           string   `json:"rp_id"`
	UserHandle     string   `json:"user_handle,omitzero"` // base64url
	UserAgent      string   `json:"user_agent,omitzero"`  // of the browser that made it
}

// FingerprintOf is the fingerprint of a credential's id, whose length is up to
// the authenticator.
func FingerprintOf(credentialID []byte) string { return token.HashOf(string(credentialID)) }

// Keys is WebAuthn for one relying party.
type Keys struct {
	w      *webauthn.WebAuthn
	config webauthn.Config
}

// NewKeys makes the relying party of the host of the public URL. It fails for
// hosts that WebAuthn knows no relying party for, such as an IP address.
func NewKeys(publicURL string) (*Keys, error) {
	u, err := url.Parse(publicURL)
	if err != nil {
		return nil, err
	}
	config := webauthn.Config{RPID: u.Hostname(), RPDisplayName: u.Hostname(), RPOrigins: []string{u.Scheme + "://" + u.Host}}
	w, err := webauthn.New(&config)
	if err != nil {
		return nil, err
	}
	return &Keys{w, config}, nil
}

// RPID is the domain that credentials are for.
func (k *Keys) RPID() string { return k.config.RPID }

// at is the relying party for answers that come from other origins, too.
func (k *Keys) at(origins []string) (*webauthn.WebAuthn, error) {
	if len(origins) == 0 {
		return k.w, nil
	}
	config := k.config
	config.RPOrigins = slices.Concat(config.RPOrigins, origins)
	return webauthn.New(&config)
}

// owner is a user as the library wants to see one.
type owner struct {
	handle      []byte
	name        string
	credentials []webauthn.Credential
}

func (o *owner) WebAuthnID() []byte                         { return o.handle }
func (o *owner) WebAuthnName() string                       { return o.name }
func (o *owner) WebAuthnDisplayName() string                { return o.name }
func (o *owner) WebAuthnCredentials() []webauthn.Credential { return o.credentials }

func (c *Credential) record() webauthn.Credential {
	r := webauthn.Credential{
		ID: c.ID, PublicKey: c.PublicKey, AttestationType: "none", AttestationFormat: "none",
		Flags:         webauthn.CredentialFlags{UserPresent: true, BackupEligible: c.BackupEligible, BackupState: c.BackedUp},
		Authenticator: webauthn.Authenticator{AAGUID: c.AAGUID, SignCount: c.SignCount},
	}
	for _, t := range c.Transports {
		r.Transport = append(r.Transport, protocol.AuthenticatorTransport(t))
	}
	return r
}

// owner gathers the confirmed keys of a user that match.
func (s *Service) owner(ctx context.Context, u *user.User, match func(Kind) bool) (*owner, []Factor, error) {
	all, err := s.All(ctx, u)
	if err != nil {
		return nil, nil, err
	}
	handle, err := s.Store.UserHandle(ctx, string(u.ID), token.NewSecret())
	if err != nil {
		return nil, nil, err
	}
	o := &owner{name: AccountOf(u)}
	if o.handle, err = base64.RawURLEncoding.DecodeString(handle); err != nil {
		return nil, nil, fmt.Errorf("stored user handle: %w", err)
	}
	var keys []Factor
	for _, f := range all {
		if f.Detail.Credential != nil && f.Confirmed && match(f.Kind) {
			keys = append(keys, f)
			o.credentials = append(o.credentials, f.Detail.Credential.record())
		}
	}
	return o, keys, nil
}

// Ceremony is one exchange with an authenticator: Options go to the browser,
// Session stays here, and is good for one answer.
type Ceremony struct {
	Options string          `json:"options"`
	Session json.RawMessage `json:"session"`
}

func ceremony(options any, session *webauthn.SessionData) (Ceremony, error) {
	o, err := json.Marshal(options)
	if err != nil {
		return Ceremony{}, err
	}
	b, err := json.Marshal(session)
	return Ceremony{string(o), b}, err
}

// BeginKey asks for a key that the user has enrolled as a second factor. ErrNone:
// there is none.
func (s *Service) BeginKey(ctx context.Context, u *user.User) (Ceremony, error) {
	if s.Keys == nil {
		return Ceremony{}, ErrNone
	}
	o, keys, err := s.owner(ctx, u, secondKey)
	if err != nil {
		return Ceremony{}, err
	}
	if len(keys) == 0 {
		return Ceremony{}, ErrNone
	}
	a, session, err := s.Keys.w.BeginLogin(o, webauthn.WithUserVerification(protocol.VerificationPreferred))
	if err != nil {
		return Ceremony{}, err
	}
	return ceremony(a.Response, session)
}

func secondKey(k Kind) bool { return k == Roaming || k == Platform }

// CheckKey checks the answer of a key. Errors: ErrWrong, ErrLimited.
func (s *Service) CheckKey(ctx context.Context, u *user.User, session json.RawMessage, response string, a Actor) error {
	if err := s.guess(ctx, u, a, Guessing); err != nil {
		return err
	}
	failed := func() error { return s.wrong(ctx, u, a, audit.FactorFailed, Roaming) }
	begun, parsed, ok := s.answer(session, response)
	if !ok {
		return failed()
	}
	o, keys, err := s.owner(ctx, u, secondKey)
	if err != nil {
		return err
	}
	c, err := s.Keys.w.ValidateLogin(o, begun, parsed)
	if err != nil || c.Authenticator.CloneWarning {
		return failed()
	}
	return s.used(ctx, u, a, keys, c)
}

func (s *Service) answer(session json.RawMessage, response string) (webauthn.SessionData, *protocol.ParsedCredentialAssertionData, bool) {
	var begun webauthn.SessionData
	if s.Keys == nil || len(session) == 0 || json.Unmarshal(session, &begun) != nil {
		return begun, nil, false
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(response))
	return begun, parsed, err == nil
}

// used keeps what an answer tells of a key: its count, and whether it was backed up.
func (s *Service) used(ctx context.Context, u *user.User, a Actor, keys []Factor, c *webauthn.Credential) error {
	i := slices.IndexFunc(keys, func(f Factor) bool { return string(f.Detail.Credential.ID) == string(c.ID) })
	if i < 0 {
		return s.wrong(ctx, u, a, audit.FactorFailed, Roaming)
	}
	f := keys[i]
	credential := *f.Detail.Credential
	credential.SignCount, credential.BackedUp = c.Authenticator.SignCount, c.Flags.BackupState
	f.Detail.Credential, f.LastAuth = &credential, s.Now().UnixMicro()
	change := s.proven(u, a, &f)
	change.Update = &f
	return s.tried(ctx, u, a, audit.FactorFailed, f.Kind, s.Store.ChangeFactors(ctx, change))
}

// BeginEnrollKey asks for a new key or passkey. A passkey is discoverable and
// proves that its owner was there; keys that the user has are not offered again.
func (s *Service) BeginEnrollKey(ctx context.Context, u *user.User, k Kind) (Ceremony, error) {
	if s.Keys == nil || !k.Key() {
		return Ceremony{}, ErrUnservable
	}
	o, _, err := s.owner(ctx, u, Kind.Key)
	if err != nil {
		return Ceremony{}, err
	}
	created, session, err := s.Keys.w.BeginRegistration(o,
		webauthn.WithExclusions(webauthn.Credentials(o.credentials).CredentialDescriptors()),
		webauthn.WithConveyancePreference(protocol.PreferNoAttestation),
		webauthn.WithAuthenticatorSelection(selection(k)))
	if err != nil {
		return Ceremony{}, err
	}
	return ceremony(created.Response, session)
}

// selection is which authenticators may answer for a kind.
func selection(k Kind) protocol.AuthenticatorSelection {
	switch k {
	case Passkey:
		return protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: protocol.VerificationRequired,
		}
	case Platform:
		return protocol.AuthenticatorSelection{AuthenticatorAttachment: protocol.Platform, UserVerification: protocol.VerificationRequired}
	default:
		return protocol.AuthenticatorSelection{AuthenticatorAttachment: protocol.CrossPlatform, UserVerification: protocol.VerificationDiscouraged}
	}
}

// EnrollKey takes a new key. Errors: ErrWrong, ErrExists, ErrMany, ErrLimited.
func (s *Service) EnrollKey(ctx context.Context, u *user.User, k Kind, session json.RawMessage, response string, a Actor) (recovery string, err error) {
	if err := s.guess(ctx, u, a, Guessing); err != nil {
		return "", err
	}
	failed := func() (string, error) { return "", s.wrong(ctx, u, a, audit.FactorFailed, k) }
	var begun webauthn.SessionData
	if s.Keys == nil || len(session) == 0 || json.Unmarshal(session, &begun) != nil {
		return failed()
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(response))
	if err != nil {
		return failed()
	}
	o, _, err := s.owner(ctx, u, Kind.Key)
	if err != nil {
		return "", err
	}
	c, err := s.Keys.w.CreateCredential(o, begun, parsed)
	if err != nil {
		return failed()
	}
	return s.enroll(ctx, u, s.Keys.factor(k, c, o.handle, a), 0, a)
}

// factor is what is kept of a new credential.
func (k *Keys) factor(kind Kind, c *webauthn.Credential, handle []byte, a Actor) Factor {
	credential := &Credential{
		ID: c.ID, PublicKey: c.PublicKey, AAGUID: c.Authenticator.AAGUID, SignCount: c.Authenticator.SignCount,
		BackupEligible: c.Flags.BackupEligible, BackedUp: c.Flags.BackupState, RPID: k.RPID(),
		UserHandle: base64.RawURLEncoding.EncodeToString(handle), UserAgent: a.UserAgent,
	}
	for _, t := range c.Transport {
		credential.Transports = append(credential.Transports, string(t))
	}
	return Factor{Kind: kind, Fingerprint: FingerprintOf(c.ID), Detail: Detail{Credential: credential}}
}

// BeginPasskey asks whoever is there for a passkey.
func (s *Service) BeginPasskey() (Ceremony, error) {
	if s.Keys == nil {
		return Ceremony{}, ErrUnservable
	}
	a, session, err := s.Keys.w.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return Ceremony{}, err
	}
	return ceremony(a.Response, session)
}

// CheckPasskey finds whose passkey answered. ErrWrong says the same for a key that
// nobody has and for a wrong signature. An answer whose count did not grow comes
// of a copy of the key and is refused. origins are those from which the answer may
// come, beside our own.
func (s *Service) CheckPasskey(ctx context.Context, session json.RawMessage, response string, a Actor, origins ...string) (*user.User, error) {
	begun, parsed, ok := s.answer(session, response)
	if !ok {
		return nil, ErrWrong
	}
	w, err := s.Keys.at(origins)
	if err != nil {
		return nil, err
	}
	var u *user.User
	var keys []Factor
	var failure error // of ours
	c, err := w.ValidateDiscoverableLogin(func(_, handle []byte) (webauthn.User, error) {
		id, err := s.Store.UserOfHandle(ctx, base64.RawURLEncoding.EncodeToString(handle))
		if err == nil {
			u, err = s.Users.User(ctx, user.ID(id))
		}
		var o *owner
		if err == nil {
			o, keys, err = s.owner(ctx, u, func(k Kind) bool { return k == Passkey })
		}
		if err != nil && !errors.Is(err, ErrNone) && !errors.Is(err, user.ErrNotFound) {
			failure = err
		}
		return o, err
	}, begun, parsed)
	switch {
	case failure != nil:
		return nil, failure
	case u == nil:
		return nil, ErrWrong
	case err != nil, c.Authenticator.CloneWarning:
		return nil, s.wrong(ctx, u, a, audit.FactorFailed, Passkey)
	}
	return u, s.used(ctx, u, a, keys, c)
}

// SignedIn records a sign-in by passkey.
func (s *Service) SignedIn(ctx context.Context, u *user.User, c *connection.Connection, a Actor) error {
	kind := audit.LoginOK
	if a.LoginEvent != "" {
		kind = a.LoginEvent
	}
	e := s.event(kind, u, a, "")
	e.Connection, e.ConnectionID = c.Name, c.ID
	login := user.Logins{Last: e.At, IP: a.IP, Count: 1}
	return s.Users.RecordLogin(ctx, u.ID, login, "", "", user.Effect{Events: []audit.Event{e}})
}

// offerAgain is how long somebody who did not want a passkey is left alone.
const offerAgain = 30 * 24 * 3600 * 1_000_000

// OfferPasskey reports whether to offer a passkey now: the user has none and was
// not asked of late. Asking counts from then on.
func (s *Service) OfferPasskey(ctx context.Context, u *user.User) (bool, error) {
	if s.Keys == nil {
		return false, nil
	}
	all, err := s.All(ctx, u)
	if err != nil || slices.ContainsFunc(all, func(f Factor) bool { return f.Kind == Passkey }) || len(all) >= MaxFactors {
		return false, err
	}
	at, err := s.Store.OfferedAt(ctx, string(u.ID))
	return err == nil && (at == 0 || s.Now().UnixMicro()-at >= offerAgain), err
}

// Declined remembers that the user did not want a passkey.
func (s *Service) Declined(ctx context.Context, u *user.User) error {
	return s.Store.SetOfferedAt(ctx, string(u.ID), s.Now().UnixMicro())
}
