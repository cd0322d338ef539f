package fakeidp

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// token answers POST /token: an authorization code, once, to its own client.
func (i *IdP) token(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "not a form")
		return
	}
	c, ok := i.authenticate(r)
	if !ok {
		refuse(w, http.StatusUnauthorized, "invalid_client", "wrong client or secret")
		return
	}
	if r.PostForm.Get("grant_type") != "authorization_code" {
		refuse(w, http.StatusBadRequest, "unsupported_grant_type", "only codes")
		return
	}
	i.mu.Lock()
	g := i.codes[r.PostForm.Get("code")]
	fresh := g != nil && !g.used
	if g != nil {
		g.used = true
	}
	i.mu.Unlock()
	if !fresh || g.client != c.ID || g.redirect != r.PostForm.Get("redirect_uri") || !g.proven(r.PostForm.Get("code_verifier")) {
		refuse(w, http.StatusBadRequest, "invalid_grant", "code")
		return
	}
	access := random()
	i.mu.Lock()
	i.access[access] = g.subject
	i.mu.Unlock()
	body := map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": random(),
	}
	if !i.is(NoIDToken) {
		body["id_token"] = i.idToken(g)
	}
	writeJSON(w, http.StatusOK, body)
}

// authenticate finds the client by Basic or by the form, whichever is accepted.
func (i *IdP) authenticate(r *http.Request) (Client, bool) {
	method := "client_secret_post"
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if assertion := r.PostForm.Get("client_assertion"); assertion != "" {
		c, ok := i.client(id)
		return c, ok && c.Keys != nil && secret == "" && i.asserts(c, r.PostForm.Get("client_assertion_type"), assertion)
	}
	if user, pass, ok := r.BasicAuth(); ok {
		var err1, err2 error
		method = "client_secret_basic"
		id, err1 = url.QueryUnescape(user)
		secret, err2 = url.QueryUnescape(pass)
		if err1 != nil || err2 != nil {
			return Client{}, false
		}
	}
	c, ok := i.client(id)
	if !ok || c.Keys != nil || c.Secret != secret {
		return Client{}, false
	}
	return c, c.Secret == "" || slices.Contains(i.o.AuthMethods, method)
}

// proven checks PKCE; a verifier without a challenge is refused, too (RFC 9700 §4.8.2).
func (g *grant) proven(verifier string) bool {
	switch {
	case g.challenge == "":
		return verifier == ""
	case g.method == "S256":
		sum := sha256.Sum256([]byte(verifier))
		return base64.RawURLEncoding.EncodeToString(sum[:]) == g.challenge
	}
	return verifier == g.challenge
}

// userinfo answers with all that is known of the person.
func (i *IdP) userinfo(w http.ResponseWriter, r *http.Request) {
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	i.mu.Lock()
	sub, ok := i.access[bearer]
	i.mu.Unlock()
	if !ok {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		refuse(w, http.StatusUnauthorized, "invalid_token", "unknown token")
		return
	}
	claims, _ := i.person(sub)
	if i.is(OtherSubject) {
		claims["sub"] = sub + "-other"
	}
	writeJSON(w, http.StatusOK, claims)
}

// idToken makes the ID token of a grant, rudely if need be.
func (i *IdP) idToken(g *grant) string {
	now := i.o.Now()
	claims, _ := i.person(g.subject)
	claims["iss"] = i.Issuer()
	claims["aud"] = g.client
	claims["iat"] = now.Unix()
	claims["exp"] = now.Add(time.Hour).Unix()
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	i.mu.Lock()
	mode, key, issue := i.mode, i.key, i.o.Issue
	i.mu.Unlock()
	if issue != nil {
		issue(claims)
	}
	mode.spoil(claims, now)
	payload, err := json.Marshal(claims)
	if err != nil {
		panic("fakeidp: claims of a person do not encode: " + err.Error())
	}
	switch mode {
	case DoubledClaim:
		payload = append([]byte(`{"sub":"someone-else",`), payload[1:]...)
	case Unsigned:
		return unsigned(payload, key.public.KeyID)
	case Encrypted:
		return encrypted(payload)
	case HMAC:
		return key.hmacked(payload)
	case OtherKey:
		other := newKey(i.o.Alg)
		return other.sign(payload, other.public.KeyID, false)
	case ForgedKey:
		return newKey(i.o.Alg).sign(payload, key.public.KeyID, false)
	case HeaderKey:
		return newKey(i.o.Alg).sign(payload, key.public.KeyID, true)
	case NoKeyID:
		return key.sign(payload, "", false)
	}
	return key.sign(payload, key.public.KeyID, false)
}
