package fakeidp

import (
	"io"
	"net/http"
	"slices"
	"time"
)

// Mode is one way of being rude.
type Mode uint8

// The modes. Polite and NoKeyID are right; everything else has to be refused.
const (
	Polite Mode = iota
	NoKeyID
	WrongNonce
	NoNonce
	WrongIssuer
	WrongAudience
	ManyAudiences // a second audience and no azp
	WrongParty    // azp names another client
	Expired
	NotYet      // nbf in an hour
	FutureIssue // iat in an hour
	StaleIssue  // iat yesterday, with a long life
	NoIssue     // no iat
	Unsigned    // alg none
	HMAC        // HS256 keyed with the public key
	OtherKey    // a key that is not in the set, under its own kid
	ForgedKey   // a key that is not in the set, under the right kid
	HeaderKey   // a key that the token itself brings
	NoSubject
	EmptySubject
	NumberSubject
	DoubledClaim // two sub
	Encrypted    // a JWE in place of a JWS
	NoIDToken
	OtherSubject // userinfo is of somebody else
	WrongDiscoveryIssuer
	WrongIssParameter
	NoIssParameter
	// The last ones are about transport; Rude may name the endpoints.
	Silent        // no answer until the client gives up
	Huge          // an answer without end
	RedirectLoop  // redirects to itself
	RedirectAway  // 307 to another host, which would take the secret along
	ServerFailure // status 500
	Garbage       // an answer that is no JSON
	Doubled       // an answer with a member twice
)

// Rude makes the provider misbehave from now on, until Rude(Polite). Modes of
// transport hold at the endpoints named; none named: everywhere but /authorize.
func (i *IdP) Rude(m Mode, endpoints ...string) {
	if len(endpoints) == 0 {
		endpoints = []string{Discovery, JWKS, Token, Userinfo, Logout}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mode, i.at = m, endpoints
}

func (i *IdP) is(m Mode) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.mode == m
}

// misbehave does what a mode of transport says and reports whether it answered.
func (i *IdP) misbehave(w http.ResponseWriter, r *http.Request, endpoint string) bool {
	i.mu.Lock()
	mode, here := i.mode, slices.Contains(i.at, endpoint)
	i.mu.Unlock()
	if !here {
		return false
	}
	switch mode {
	case Silent:
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client has gone
		<-r.Context().Done()
	case Huge:
		w.Header().Set("Content-Type", "application/json")
		block := make([]byte, 64<<10)
		for n := range block {
			block[n] = ' '
		}
		for r.Context().Err() == nil {
			if _, err := w.Write(block); err != nil {
				break
			}
		}
	case RedirectLoop:
		http.Redirect(w, r, r.URL.String(), http.StatusTemporaryRedirect)
	case RedirectAway:
		http.Redirect(w, r, "https://someone-else.example/", http.StatusTemporaryRedirect)
	case ServerFailure:
		refuse(w, http.StatusInternalServerError, "server_error", "out of order")
	case Garbage:
		_, _ = w.Write([]byte("<html>maintenance</html>")) // the client went away
	case Doubled:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"issuer":"a","issuer":"b","keys":[],"keys":[],"sub":"a","sub":"b","access_token":"a","access_token":"b","token_type":"Bearer"}`))
	default:
		return false
	}
	return true
}

// spoil makes the claims of an ID token wrong.
func (m Mode) spoil(claims map[string]any, now time.Time) {
	switch m {
	case WrongNonce:
		claims["nonce"] = random()
	case NoNonce:
		delete(claims, "nonce")
	case WrongIssuer:
		claims["iss"] = "https://someone-else.example"
	case WrongAudience:
		claims["aud"] = "someone-else"
	case ManyAudiences:
		claims["aud"] = []any{claims["aud"], "someone-else"}
	case WrongParty:
		claims["azp"] = "someone-else"
	case Expired:
		claims["exp"] = now.Add(-2 * time.Minute).Unix()
	case NotYet:
		claims["nbf"] = now.Add(time.Hour).Unix()
	case FutureIssue:
		claims["iat"] = now.Add(time.Hour).Unix()
	case StaleIssue:
		claims["iat"] = now.Add(-24 * time.Hour).Unix()
	case NoIssue:
		delete(claims, "iat")
	case NoSubject:
		delete(claims, "sub")
	case EmptySubject:
		claims["sub"] = ""
	case NumberSubject:
		claims["sub"] = 7
	}
}
