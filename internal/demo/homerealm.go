package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// domain of the people who are led to the upstream by their address.
const domain = "acme.test"

// byAddress: whoever types an address of a domain is led to its provider.
func (c *cast) byAddress(ctx context.Context, p *play) error {
	conn, err := p.connection(ctx, firstLogin)
	if err != nil {
		return err
	}
	options, _ := conn["options"].(map[string]any)
	options["domain_aliases"] = []string{domain}
	if _, err := p.make(ctx, "PATCH", "/api/v2/connections/"+conn.text("id"), `options: domain_aliases ["`+domain+`"]`, http.StatusOK, object("options", options)); err != nil {
		return err
	}
	p.say("A browser, without a choice of connection. Somebody types an address of that domain:")
	to, err := p.typed(ctx, "anybody@"+domain)
	if err != nil {
		return err
	}
	p.expect(strings.HasPrefix(to, p.upstream.Issuer()+"/"), "the browser is sent to the upstream, before any password is asked for")
	return nil
}

// typed opens the sign-in page, enters an address, and returns where that leads.
func (p *play) typed(ctx context.Context, address string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	browser := &http.Client{Transport: p.http.Transport, Jar: jar}
	leads := ""
	browser.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if leads = r.URL.String(); strings.HasPrefix(leads, p.upstream.Issuer()) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	do := func(method, to, contentType, body, meaning string) (*url.URL, error) {
		p.requests++
		req, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
			req.Header.Set("Origin", p.base)
		}
		res, err := browser.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		p.brief(method, p.placeOf(req.URL), res.StatusCode, p.style(dim, meaning))
		return res.Request.URL, nil
	}
	at, err := do("GET", authorizeURL(p.base, p.app, "s", "v", ""), "", "", "the sign-in page")
	if err != nil {
		return "", err
	}
	_, err = do("POST", at.String(), "application/x-www-form-urlencoded", url.Values{"username": {address}, "state": {at.Query().Get("state")}}.Encode(), "the address is sent on")
	return leads, err
}

// unholdable: a claim that no profile can hold is dropped, and that is all.
func (c *cast) unholdable(ctx context.Context, p *play) error {
	if c.ada == nil {
		return fmt.Errorf("there is no user of the upstream")
	}
	before, err := p.peek(ctx, c.ada.text("user_id"))
	if err != nil {
		return err
	}
	says := changed(c.adaSays)
	says.claims["name"] = strings.Repeat("Ada ", 2500)
	says.claims["nickname"] = "queen"
	p.tellUpstream(says)
	p.say("The upstream sends a name of 10,000 characters, and another nickname.")
	after, err := p.signIn(ctx, eachLogin, says.subject)
	if err != nil {
		return err
	}
	p.compare(before, says.claims, after)
	want := textsOf(before)
	want["nickname"] = "queen"
	p.expectRoots(after, want, "the name counts as not said and is kept; the rest of the login goes on")
	a, err := p.api(ctx, "GET", "/api/v2/logs?per_page=5&sort=date:-1", nil)
	if err != nil {
		return err
	}
	var records []document
	if err := json.Unmarshal(a.body, &records); err != nil {
		return err
	}
	for _, r := range records {
		if r.text("type") == "w" {
			details, _ := json.Marshal(r["details"]) // it came from JSON
			p.indented(short(r.text("type")+": "+r.text("description"), width-12))
			p.indented(short(string(details), width-12))
			p.expect(strings.Contains(string(details), `"name"`), "the log says which attribute, and why")
			return nil
		}
	}
	p.expect(false, "the log has no record of it")
	return nil
}
