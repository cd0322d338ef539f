package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// fay is who signs in by a code and stays signed in.
const fay = "fay@example.com"

// byCode lets somebody sign in by a code that comes by mail, and the application
// stay signed in by refresh tokens.
func (c *cast) byCode(ctx context.Context, p *play) error {
	if _, err := p.make(ctx, "POST", "/api/v2/connections", "the connection for codes by mail", http.StatusCreated, object(
		"name", "email", "strategy", "email", "enabled_clients", []string{p.app.id},
		"options", document{"name": "email", "brute_force_protection": true})); err != nil {
		return err
	}
	body := object("client_id", p.app.id, "client_secret", p.app.secret, "connection", "email", "email", fay, "send", "code")
	p.request("POST", "/passwordless/start", jsonLines(object("client_id", p.app.id, "client_secret", "…", "connection", "email", "email", fay, "send", "code")))
	a, err := p.send(ctx, "POST", "/passwordless/start", "application/json", "", body)
	if err != nil {
		return err
	}
	p.status(a.status, "")
	if err := a.want(http.StatusOK); err != nil {
		return err
	}
	code, err := p.mailedCode(ctx, fay)
	if err != nil {
		return err
	}
	p.indented("The mail to " + fay + " holds a code of six digits.")

	other := "000000"
	if code == other {
		other = "000001"
	}
	wrong, err := p.byOTP(ctx, other)
	if err != nil {
		return err
	}
	p.expect(wrong.status == http.StatusForbidden && wrong.document().text("error") == "invalid_grant",
		"another code is refused: %s", wrong.document().text("error_description"))
	first, err := p.byOTP(ctx, code)
	if err != nil {
		return err
	}
	if err := first.want(http.StatusOK); err != nil {
		return err
	}
	again, err := p.byOTP(ctx, code)
	if err != nil {
		return err
	}
	p.expect(again.status == http.StatusForbidden, "the right code signs in, once")

	who, err := p.userinfo(ctx, first)
	if err != nil {
		return err
	}
	u, err := p.user(ctx, who.text("sub"))
	if err != nil {
		return err
	}
	p.showRoots(u)
	p.expectRoots(u, map[string]string{"name": fay, "nickname": "fay", "picture": or(u.text("picture"), "made up")},
		"the first code makes the user: name, nickname and picture are made up, once")
	p.expect(u["email_verified"] == true, "the e-mail address is verified: who has the code reads its mails")

	edited, err := p.api(ctx, "PATCH", userPath(u.text("user_id")), object("name", "Fay Ray", "given_name", "Fay", "family_name", "Ray"))
	if err != nil {
		return err
	}
	want := textsOf(u)
	want["name"], want["given_name"], want["family_name"] = "Fay Ray", "Fay", "Ray"
	p.expectRoots(edited.document(), want, "the Management API edits the root attributes, as for every user of ours")
	return p.refresh(ctx, first, want)
}

// refresh exchanges the refresh token of an answer, and tries it again.
func (p *play) refresh(ctx context.Context, before answer, want map[string]string) error {
	p.say("The application exchanges its refresh token, without the person:")
	after, err := p.byRefreshToken(ctx, before)
	if err != nil {
		return err
	}
	if err := after.want(http.StatusOK); err != nil {
		return err
	}
	claims, err := p.userinfo(ctx, after)
	if err != nil {
		return err
	}
	p.expectRoots(claims, want, "the claims are the root attributes as they are now")
	stolen, err := p.byRefreshToken(ctx, before)
	if err != nil {
		return err
	}
	p.expect(stolen.status == http.StatusForbidden, "the old refresh token, used again, is taken for stolen: %s", stolen.document().text("error_description"))
	dead, err := p.byRefreshToken(ctx, after)
	if err != nil {
		return err
	}
	p.expect(dead.status == http.StatusForbidden, "and the one that came of it is over, too")
	return nil
}

func (p *play) byOTP(ctx context.Context, code string) (answer, error) {
	a, err := p.form(ctx, "/oauth/token", url.Values{
		"grant_type": {"http://auth0.com/oauth/grant-type/passwordless/otp"}, "realm": {"email"}, "username": {fay}, "otp": {code},
		"scope": {"openid profile email offline_access"}, "client_id": {p.app.id}, "client_secret": {p.app.secret},
	})
	p.brief("POST", "/oauth/token", a.status, p.style(dim, "a code for tokens"))
	return a, err
}

func (p *play) byRefreshToken(ctx context.Context, from answer) (answer, error) {
	a, err := p.form(ctx, "/oauth/token", url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {from.document().text("refresh_token")},
		"client_id": {p.app.id}, "client_secret": {p.app.secret},
	})
	p.brief("POST", "/oauth/token", a.status, p.style(dim, "a refresh token for new tokens"))
	return a, err
}

// userinfo is what the application is told with the access token of an answer.
func (p *play) userinfo(ctx context.Context, tokens answer) (document, error) {
	a, err := p.send(ctx, "GET", "/userinfo", "", tokens.document().text("access_token"), nil)
	if err != nil {
		return nil, err
	}
	p.brief("GET", "/userinfo", a.status, p.style(dim, "the application knows who it is"))
	return a.document(), a.want(http.StatusOK)
}

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// mailedCode waits for the mail with a code to somebody.
func (p *play) mailedCode(ctx context.Context, to string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	poll := time.NewTicker(25 * time.Millisecond)
	defer poll.Stop()
	for {
		files, err := filepath.Glob(filepath.Join(p.mails, "*.eml"))
		if err != nil {
			return "", err
		}
		for _, name := range files {
			// A file that is being written has no code yet.
			if text, err := mailText(name, to); err == nil {
				if code := sixDigits.FindString(text); code != "" {
					return code, nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no mail with a code came: %w", ctx.Err())
		case <-poll.C:
		}
	}
}

// mailText is the plain text of a mail to somebody.
func mailText(file, to string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	m, err := mail.ReadMessage(f)
	if err != nil {
		return "", err
	}
	if !strings.Contains(m.Header.Get("To"), to) {
		return "", errors.New("this mail is to somebody else")
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return "", err
	}
	part, err := multipart.NewReader(m.Body, params["boundary"]).NextPart()
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(part)
	return string(b), err
}
