package socialtest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"mangrove/internal/upstream/social"
)

// temporary is a temporary credential (RFC 5849 §2.1).
type temporary struct{ secret, callback, verifier string }

// serveOAuth1 answers the requests of OAuth 1.0a; false: name is none of them.
// It checks signatures by itself, from the text of RFC 5849 §3.4.
func (d *Double) serveOAuth1(w http.ResponseWriter, r *http.Request, name string) bool {
	switch name {
	case "request":
		d.oauth1Request(w, r)
	case "authorize":
		d.oauth1Authorize(w, r)
	case "token":
		d.oauth1Token(w, r)
	default:
		d.oauth1Question(w, r, name)
	}
	return true
}

func (d *Double) oauth1Request(w http.ResponseWriter, r *http.Request) {
	p, wrong := d.signed(r, "", "")
	if wrong == "" && (r.Method != http.MethodPost || p.Get("oauth_callback") == "" || p.Has("oauth_token")) {
		wrong = "no POST with a callback and without a token"
	}
	d.mu.Lock()
	callback := d.callback
	d.mu.Unlock()
	if wrong == "" && !strings.HasPrefix(p.Get("oauth_callback"), callback+"?state=") {
		wrong = "oauth_callback is " + p.Get("oauth_callback")
	}
	if wrong != "" {
		d.complain(w, http.StatusUnauthorized, "request: %s", wrong)
		return
	}
	token, secret := rand.Text(), rand.Text()
	d.mu.Lock()
	d.temporaries[token] = temporary{secret: secret, callback: p.Get("oauth_callback")}
	d.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
	_, _ = io.WriteString(w, url.Values{"oauth_token": {token}, "oauth_token_secret": {secret}, "oauth_callback_confirmed": {"true"}}.Encode())
}

// oauth1Authorize is the person's consent. What the browser brings back is kept
// as the answer for an empty state: the request has none.
func (d *Double) oauth1Authorize(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("oauth_token")
	d.mu.Lock()
	t, ok := d.temporaries[token]
	t.verifier = rand.Text()
	d.temporaries[token] = t
	d.mu.Unlock()
	if wrong := differs(d.insists.Authorize, r.URL.Query().Get, "authorize:"); !ok || wrong != "" {
		d.complain(w, http.StatusBadRequest, "authorize: %v %s", ok, wrong)
		return
	}
	back, err := url.Parse(t.callback)
	if err != nil {
		d.complain(w, http.StatusBadRequest, "authorize: %v", err)
		return
	}
	q := back.Query()
	q.Set("oauth_token", token)
	q.Set("oauth_verifier", t.verifier)
	back.RawQuery = q.Encode()
	d.mu.Lock()
	d.sent[""] = q
	d.mu.Unlock()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (d *Double) oauth1Token(w http.ResponseWriter, r *http.Request) {
	claimed := oauthParams(r)
	d.mu.Lock()
	t, ok := d.temporaries[claimed.Get("oauth_token")]
	delete(d.temporaries, claimed.Get("oauth_token"))
	set, mode := d.set, d.rude["token"]
	d.mu.Unlock()
	p, wrong := d.signed(r, claimed.Get("oauth_token"), t.secret)
	switch {
	case !ok:
		wrong = "unknown temporary credential"
	case wrong == "" && (t.verifier == "" || p.Get("oauth_verifier") != t.verifier):
		wrong = "oauth_verifier"
	}
	if wrong != "" {
		d.complain(w, http.StatusUnauthorized, "token: %s", wrong)
		return
	}
	b, ok := d.fixture(set, "token.txt", trip{})
	if !ok {
		d.complain(w, http.StatusNotFound, "%s/%d has no token.txt", d.Case, set)
		return
	}
	answer, err := url.ParseQuery(string(b))
	if err != nil {
		d.complain(w, http.StatusInternalServerError, "token.txt: %v", err)
		return
	}
	if mode == NoID {
		for name := range lastSteps(social.Find(d.Strategy, d.options).Map.ID) {
			answer.Del(name)
		}
	}
	w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
	_, _ = io.WriteString(w, answer.Encode())
}

// oauth1Question is a request with token credentials.
func (d *Double) oauth1Question(w http.ResponseWriter, r *http.Request, name string) {
	d.mu.Lock()
	set, mode := d.set, d.rude[name]
	d.mu.Unlock()
	rule, ok := d.insists.Endpoints[name]
	if !ok {
		d.complain(w, http.StatusNotFound, "there is no endpoint %s", name)
		return
	}
	b, _ := d.fixture(set, "token.txt", trip{})
	credentials, err := url.ParseQuery(string(b))
	if err != nil {
		d.complain(w, http.StatusInternalServerError, "token.txt: %v", err)
		return
	}
	if _, wrong := d.signed(r, credentials.Get("oauth_token"), credentials.Get("oauth_token_secret")); wrong != "" {
		d.complain(w, http.StatusUnauthorized, "%s: %s", name, wrong)
		return
	}
	if wrong := differs(rule.Params, r.URL.Query().Get, name+":"); wrong != "" {
		d.complain(w, http.StatusBadRequest, "%s", wrong)
		return
	}
	d.answer(w, set, name, trip{}, mode)
}

// oauthParams are those of the Authorization header (RFC 5849 §3.5.1).
func oauthParams(r *http.Request) url.Values {
	p := url.Values{}
	list, ok := strings.CutPrefix(r.Header.Get("Authorization"), "OAuth ")
	if !ok {
		return p
	}
	for part := range strings.SplitSeq(list, ",") {
		name, quoted, _ := strings.Cut(strings.TrimSpace(part), "=")
		v, err := url.PathUnescape(strings.Trim(quoted, `"`))
		if err == nil && name != "realm" {
			p.Add(name, v)
		}
	}
	return p
}

// signed checks the signature of a request; wrong says what is not right.
func (d *Double) signed(r *http.Request, token, secret string) (p url.Values, wrong string) {
	p = oauthParams(r)
	at, err := strconv.ParseInt(p.Get("oauth_timestamp"), 10, 64)
	age := d.clock().Sub(time.Unix(at, 0)).Abs()
	nonce := p.Get("oauth_nonce")
	d.mu.Lock()
	seen := d.nonces[nonce]
	d.nonces[nonce] = true
	d.mu.Unlock()
	switch {
	case p.Get("oauth_consumer_key") != ClientID:
		return p, "oauth_consumer_key"
	case p.Get("oauth_token") != token:
		return p, "oauth_token"
	case p.Get("oauth_version") != "1.0" || p.Get("oauth_signature_method") != "HMAC-SHA1":
		return p, "version or method"
	case err != nil || age > 5*time.Minute:
		return p, "oauth_timestamp"
	case len(nonce) < 16 || seen:
		return p, "oauth_nonce"
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil {
		return p, "body"
	}
	var form url.Values
	if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		if form, err = url.ParseQuery(string(body)); err != nil {
			return p, "body"
		}
	}
	mac := hmac.New(sha1.New, []byte(percent(ClientSecret)+"&"+percent(secret)))
	_, _ = io.WriteString(mac, BaseString(r.Method, "http://"+r.Host+r.URL.EscapedPath(), p, r.URL.Query(), form))
	sent, err := base64.StdEncoding.DecodeString(p.Get("oauth_signature"))
	if err != nil || !hmac.Equal(sent, mac.Sum(nil)) {
		return p, "oauth_signature"
	}
	return p, ""
}

// BaseString is what is signed (RFC 5849 §3.4.1.1). address is without its query.
func BaseString(method, address string, lists ...url.Values) string {
	var pairs [][2]string
	for _, list := range lists {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			for _, v := range list[name] {
				if name != "oauth_signature" && name != "realm" {
					pairs = append(pairs, [2]string{percent(name), percent(v)})
				}
			}
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		return strings.Compare(a[0]+"\x00"+a[1], b[0]+"\x00"+b[1])
	})
	joined := make([]string, len(pairs))
	for i, p := range pairs {
		joined[i] = p[0] + "=" + p[1]
	}
	return strings.ToUpper(method) + "&" + percent(address) + "&" + percent(strings.Join(joined, "&"))
}

// percent is the encoding of RFC 5849 §3.6.
func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
