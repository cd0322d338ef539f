package demo

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// maxHops is more redirects than any login takes.
const maxHops = 12

// signIn plays the browser of a person who signs in to the application through
// an upstream connection, then the application itself, and returns the user as
// the Management API shows it.
func (p *play) signIn(ctx context.Context, connection, person string) (document, error) {
	back, verifier, err := p.browse(ctx, connection, person)
	if err != nil {
		return nil, err
	}
	code := back.Get("code")
	if code == "" {
		return nil, fmt.Errorf("the login was refused: %s: %s", back.Get("error"), back.Get("error_description"))
	}
	a, err := p.form(ctx, "/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.app.callback},
		"code_verifier": {verifier}, "client_id": {p.app.id}, "client_secret": {p.app.secret},
	})
	if err != nil {
		return nil, err
	}
	p.brief("POST", "/oauth/token", a.status, p.style(dim, "the code becomes tokens"))
	if err := a.want(http.StatusOK); err != nil {
		return nil, err
	}
	who, err := p.userinfo(ctx, a)
	if err != nil {
		return nil, err
	}
	return p.user(ctx, who.text("sub"))
}

// browse follows the redirects from /authorize to the application, choosing
// the person at the upstream, and returns what the application gets.
func (p *play) browse(ctx context.Context, connection, person string) (back url.Values, verifier string, err error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, "", err
	}
	browser := &http.Client{Transport: p.http.Transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	verifier = rand.Text() + rand.Text()
	state := rand.Text()
	next := authorizeURL(p.base, p.app, state, verifier, connection)
	p.say("A browser, as " + person + ":")
	for range maxHops {
		if strings.HasPrefix(next, p.upstream.Issuer()+"/authorize?") {
			next += "&person=" + url.QueryEscape(person) // what a click on the name adds
		}
		p.requests++
		req, err := http.NewRequestWithContext(ctx, "GET", next, nil)
		if err != nil {
			return nil, "", err
		}
		res, err := browser.Do(req)
		if err != nil {
			return nil, "", err
		}
		page, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			return nil, "", err
		}
		to, err := res.Location()
		if err != nil { // no redirect
			return nil, "", fmt.Errorf("%s ended with status %d: %s", req.URL.Path, res.StatusCode, short(pageText(page), 300))
		}
		p.brief("GET", p.placeOf(req.URL), res.StatusCode, p.style(dim, "to "+p.destination(to)))
		if strings.HasPrefix(to.String(), p.app.callback+"?") {
			back = to.Query()
			if back.Get("state") != state {
				return nil, "", fmt.Errorf("the state that came back is not the one that was sent")
			}
			return back, verifier, nil
		}
		next = to.String()
	}
	return nil, "", fmt.Errorf("no end after %d redirects", maxHops)
}

// authorizeURL starts a login; an empty connection leaves the choice to the person.
func authorizeURL(base string, app application, state, verifier, connection string) string {
	challenge := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {app.id}, "redirect_uri": {app.callback},
		"scope": {"openid profile email"}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	if connection != "" {
		q.Set("connection", connection)
	}
	return base + "/authorize?" + q.Encode()
}

// placeOf names the address of a request, without what varies.
func (p *play) placeOf(u *url.URL) string {
	place := u.Path
	if c := u.Query().Get("connection"); c != "" {
		place += "?…&connection=" + c
	} else if u.RawQuery != "" {
		place += "?…"
	}
	if strings.HasPrefix(u.String(), p.upstream.Issuer()) {
		place = "upstream: " + place
	}
	return place
}

func (p *play) destination(u *url.URL) string {
	switch s := u.String(); {
	case strings.HasPrefix(s, p.app.callback):
		if u.Query().Has("error") {
			return "the application, with an error"
		}
		return "the application, with a code"
	case strings.HasPrefix(s, p.upstream.Issuer()):
		return "the upstream"
	}
	return "the server: " + u.Path
}

var markup = regexp.MustCompile(`(?s)<(style|script|head)\b.*?</(style|script|head)>|<[^>]*>`)

// pageText is what a page says.
func pageText(b []byte) string {
	return strings.Join(strings.Fields(markup.ReplaceAllString(string(b), " ")), " ")
}
