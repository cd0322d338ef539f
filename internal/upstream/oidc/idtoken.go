package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/strictjson"
)

// skew is how far the provider's clock may be behind or ahead of ours.
const skew = time.Minute

// maxSubject is the length of a subject (OpenID Connect Core §2) in bytes.
const maxSubject = 255

var (
	errIssParameter = errors.New("iss parameter is not the connection's issuer, or is missing")
	errNoIDToken    = errors.New("no id_token")
	errEncrypted    = errors.New("id token: it is encrypted, which is not supported: have the provider sign it only")
	errEndSession   = errors.New("end_session_endpoint is not a URL")
	errSessionOver  = errors.New("id token: session_expiry is over, or is no time")
	errNonce        = errors.New("nonce is not the one that was sent")
)

// idToken is a verified ID token.
type idToken struct {
	subject string
	claims  []strictjson.Member // of the payload, in order
}

// foreign is what ending the provider's session needs. A token that is too long
// for the address of a browser is no hint.
func (t idToken) foreign(raw string) session.Foreign {
	sid, _ := text(member(t.claims, "sid"))
	if len(sid) > maxSubject {
		sid = ""
	}
	if len(raw) > maxHint {
		raw = ""
	}
	return session.Foreign{Name: t.subject, Index: sid, IDToken: raw}
}

// maxHint bounds id_token_hint in bytes: servers commonly take lines of 8 KiB.
const maxHint = 6 << 10

// expiry is when the provider's session ends (session_expiry, in seconds), in
// microseconds; zero: it does not say.
func (t idToken) expiry(now time.Time) (int64, error) {
	v := member(t.claims, "session_expiry")
	if v == nil || profile.IsNull(v) {
		return 0, nil
	}
	var seconds float64
	const furthest = 253402300800 // the year 10000
	if jsonv2.Unmarshal(v, &seconds) != nil || seconds <= float64(now.Unix()) || seconds >= furthest {
		return 0, errSessionOver
	}
	return int64(seconds) * 1_000_000, nil
}

// verify checks an ID token by OpenID Connect Core §3.1.3.7 and §3.2.2.11.
// Signature, audience and times are the library's work; what it leaves to its
// caller, or is lenient about, follows.
func (k *Connector) verify(ctx context.Context, o *connection.OIDCOptions, p provider, raw, nonce string) (idToken, error) {
	switch {
	case raw == "":
		return idToken{}, errRefused.Because(errNoIDToken)
	case strings.Count(raw, ".") == 4: // JWE compact serialization (RFC 7516 §7.1)
		return idToken{}, errRefused.Because(errEncrypted)
	}
	algs := allowed(o.IDTokenAlgs)
	if len(algs) == 0 {
		return idToken{}, errConfig.Because(errors.New("id_token_signed_response_algs allows none of our algorithms"))
	}
	now := k.now()
	keys := &remoteKeys{k: k, uri: p.JWKSURI}
	verifier := gooidc.NewVerifier(p.Issuer, keys, &gooidc.Config{
		ClientID: o.ClientID, SupportedSigningAlgs: algs,
		Now: func() time.Time { return now.Add(-skew) },
	})
	token, err := verifier.Verify(ctx, raw)
	if keys.fetch != nil {
		return idToken{}, keys.fetch
	}
	if err != nil {
		return idToken{}, failed(err)
	}
	var payload rawClaims
	if err := token.Claims(&payload); err != nil {
		return idToken{}, errRefused.Because(errors.New("id token: payload cannot be read"))
	}
	id, err := readIDToken(payload)
	if err != nil {
		return idToken{}, errRefused.Because(err)
	}
	if err := accept(payload, p.Issuer, o.ClientID, nonce, now); err != nil {
		return idToken{}, errRefused.Because(err)
	}
	return id, nil
}

// failed says which of the library's checks failed, without the values that its
// words quote.
func failed(err error) error {
	var expired *gooidc.TokenExpiredError
	switch text := err.Error(); {
	case errors.As(err, &expired):
		err = errors.New("expired: compare the clocks here and there")
	case strings.Contains(text, "different provider"):
		err = errors.New("iss is not the connection's issuer: compare options.issuer")
	case strings.Contains(text, "expected audience"):
		err = errors.New("aud does not name this client: compare options.client_id")
	case strings.Contains(text, "verify signature"):
		err = errNoKey
	case strings.Contains(text, "not before"):
		err = errors.New("not valid yet: compare the clocks here and there")
	case strings.Contains(text, "malformed jwt"):
		err = errors.New("not a token, or its algorithm is not in options.id_token_signed_response_algs")
	default:
		err = errors.New("claims cannot be read")
	}
	return errRefused.Because(fmt.Errorf("id token: %w", err))
}

// allowed narrows our algorithms to a connection's list.
func allowed(list []string) []string {
	var algs []string
	for _, a := range algorithms {
		if len(list) == 0 || slices.Contains(list, string(a)) {
			algs = append(algs, string(a))
		}
	}
	return algs
}

// rawClaims receives the payload as it is.
type rawClaims []byte

func (r *rawClaims) UnmarshalJSON(b []byte) error {
	*r = slices.Clone(b)
	return nil
}

// readIDToken reads payload strictly: doubled names, invalid UTF-8 and NUL are refused.
func readIDToken(payload []byte) (idToken, error) {
	claims, err := strictjson.Object(payload)
	if err != nil {
		return idToken{}, errors.New("id token: payload is not strict JSON")
	}
	subject, ok := text(member(claims, "sub"))
	if !ok || !validSubject(subject) {
		return idToken{}, errors.New("id token: sub is not a usable string")
	}
	return idToken{subject: subject, claims: claims}, nil
}

func validSubject(s string) bool {
	return s != "" && len(s) <= maxSubject && utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

// accept is the checks that the library leaves to us.
func accept(payload []byte, issuer, clientID, nonce string, now time.Time) error {
	var c struct {
		Issuer   string   `json:"iss"`
		Audience audience `json:"aud"`
		Party    *string  `json:"azp"`
		IssuedAt *float64 `json:"iat"`
		Nonce    string   `json:"nonce"`
	}
	if err := jsonv2.Unmarshal(payload, &c); err != nil {
		return errors.New("id token: a claim is of the wrong type")
	}
	switch {
	case c.Issuer != issuer: // the library lets Google's old form pass
		return errors.New("id token: iss is not the connection's issuer: compare options.issuer")
	case len(c.Audience) > 1 && c.Party == nil:
		return errors.New("id token: several audiences and no azp")
	case c.Party != nil && *c.Party != clientID:
		return errors.New("id token: azp is another client")
	case c.IssuedAt == nil:
		return errors.New("id token: no iat")
	case nonce == "" || subtle.ConstantTimeCompare([]byte(c.Nonce), []byte(nonce)) != 1:
		return errNonce
	}
	// The nonce is no older than the transaction, so neither is the token.
	const oldest = session.TransactionLifetime * time.Microsecond
	if age := float64(now.Unix()) - *c.IssuedAt; age > (oldest+skew).Seconds() || age < -skew.Seconds() {
		return errors.New("id token: iat is not of this login: compare the clocks here and there")
	}
	return nil
}

// audience is a string or an array of strings.
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if jsonv2.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return jsonv2.Unmarshal(b, (*[]string)(a))
}
