package login_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/oauth"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/upstream"
)

// asserter is a connector as those of SAML are to the flow: it leaves by a form,
// its state is a RelayState, and it may begin a login itself. What it is told as
// SAMLResponse is the person.
type asserter struct{ r *rig }

func (asserter) Depart(_ context.Context, _ *connection.Connection, s upstream.Start) (upstream.Departure, error) {
	return upstream.Departure{
		URL: "https://idp.example/sso", Form: url.Values{"SAMLRequest": {"request for " + s.LoginHint}, "RelayState": {s.State}},
		Pending: upstream.Pending{RequestID: "_1"},
	}, nil
}

func (asserter) Callback(_ context.Context, _ *connection.Connection, _ upstream.Start, p upstream.Pending, got url.Values) (upstream.Result, error) {
	if p.RequestID != "_1" {
		return upstream.Result{}, upstream.ErrRefused.Because(errors.New("another request"))
	}
	return asserted(got)
}

func (a asserter) Unsolicited(_ context.Context, _ *connection.Connection, _ upstream.Start, got url.Values) (upstream.Result, error) {
	if a.r.during != nil {
		a.r.during()
	}
	return asserted(got)
}

func asserted(got url.Values) (upstream.Result, error) {
	who := got.Get("SAMLResponse")
	if who == "nobody" {
		return upstream.Result{}, upstream.ErrRefused.Because(errors.New("no subject"))
	}
	return upstream.Result{
		Claims:  profile.Claims{Subject: who, Attributes: []profile.Change{{Name: profile.Name, Value: profile.Text(who)}}, Raw: profile.Value(`{}`)},
		Foreign: session.Foreign{Name: who, Index: "i1"},
	}, nil
}

// office knows whoever comes from this machine.
type office struct{}

func (office) Recognize(_ context.Context, c *connection.Connection, from netip.Addr) (upstream.Result, error) {
	if !from.IsLoopback() || c.Name == "elsewhere" {
		return upstream.Result{}, upstream.ErrUnknownPlace
	}
	return upstream.Result{Claims: profile.Claims{Subject: "front desk", Attributes: []profile.Change{{Name: profile.Name, Value: profile.Text("Front desk")}}, Raw: profile.Value(`{}`)}}, nil
}

const corpID = "con_corp000000000001"

func (r *rig) corp(options map[string]any) {
	r.connect(corpID, "corp", "samlp", options, `{"show_as_button":false}`)
}

// relayed reads the form that takes a browser away.
func relayed(t *testing.T, a answer) url.Values {
	t.Helper()
	if a.status != http.StatusOK || action(t, a.body) != "https://idp.example/sso" {
		t.Fatalf("no form that leaves: %d %.300s", a.status, a.body)
	}
	return fields(t, a.body)
}

// An e-mail domain leads to the provider that serves it, from the page for the
// identifier and from that with the password, which is not looked at.
func TestHomeRealmDiscovery(t *testing.T) {
	for _, first := range []bool{true, false} {
		r := newRig(t)
		if first {
			r.tenant = identifierFirst
		}
		r.database()
		r.corp(map[string]any{"domain_aliases": []string{"corp.example"}})
		b := r.browser()
		p := b.get("/authorize")
		if strings.Contains(p.body, "corp") {
			t.Errorf("a hidden connection is shown: %.300s", p.body)
		}
		form := url.Values{"username": {"Pia@Corp.example"}, "password": {"of the organisation"}}
		sent := relayed(t, b.post(action(t, p.body), form))
		if sent.Get("SAMLRequest") != "request for Pia@Corp.example" || len(sent.Get("RelayState")) > 80 {
			t.Errorf("sent %v", sent)
		}
		back := url.Values{"RelayState": {sent.Get("RelayState")}, "SAMLResponse": {"pia"}}
		b.post("/login/callback?connection=corp", back).wantUser(t, "samlp|corp|pia")
		b.post("/login/callback?connection=corp", back).wantPage(t, http.StatusBadRequest, "already used")

		p = b.get("/authorize")
		if next := b.post(action(t, p.body), url.Values{"username": {"x@elsewhere.example"}, "password": {"wrong"}}); strings.Contains(next.body, "idp.example") {
			t.Errorf("another domain was led away: %.300s", next.body)
		}
	}
}

// An answer that comes to the address of another connection is nobody's.
func TestAnswerAtAnotherAddress(t *testing.T) {
	r := newRig(t)
	r.database()
	r.corp(map[string]any{})
	b := r.browser()
	state := relayed(t, b.get("/authorize?connection=corp")).Get("RelayState")
	a := b.post("/login/callback?connection=db", url.Values{"RelayState": {state}, "SAMLResponse": {"pia"}})
	if a.app.Get("error") != "invalid_request" || !strings.Contains(a.app.Get("error_description"), "another connection") {
		t.Errorf("got %v", a.app)
	}
}

// A provider begins a login only where the connection says so, and only for the
// application that it names.
func TestLoginThatTheProviderBegan(t *testing.T) {
	enabled := func(more map[string]any) map[string]any {
		o := map[string]any{"enabled": true, "client_id": appID, "client_protocol": "oidc", "client_authorizequery": "response_type=code&scope=openid&state=theirs"}
		for k, v := range more {
			o[k] = v
		}
		return map[string]any{"idpinitiated": o}
	}
	for _, row := range []struct {
		name    string
		options map[string]any
		to      string
		who     string
		user    string
		errs    string // for the application
		page    string // instead of an answer
	}{
		{name: "allowed", options: enabled(nil), who: "pia", user: "samlp|corp|pia"},
		{name: "no protocol named", options: enabled(map[string]any{"client_protocol": ""}), who: "pia", user: "samlp|corp|pia"},
		{name: "not allowed", options: map[string]any{}, who: "pia", page: "not enabled"},
		{name: "switched off", options: enabled(map[string]any{"enabled": false}), who: "pia", page: "not enabled"},
		{name: "for nobody", options: enabled(map[string]any{"client_id": "unknown"}), who: "pia", page: "which application"},
		{name: "by a protocol that applications do not get", options: enabled(map[string]any{"client_protocol": "samlp"}), who: "pia", page: "which application"},
		{name: "an unreadable query", options: enabled(map[string]any{"client_authorizequery": "a=%zz"}), who: "pia", page: "which application"},
		{name: "refused by the connector", options: enabled(nil), who: "nobody", errs: "access_denied"},
		{name: "an unknown connection", options: enabled(nil), to: "/login/callback?connection=none", who: "pia", page: "expired"},
		{name: "no connection", options: enabled(nil), to: "/login/callback", who: "pia", page: "expired"},
		{name: "a connection of another kind", options: enabled(nil), to: "/login/callback?connection=db", who: "pia", page: "not enabled"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			r.database()
			r.corp(row.options)
			r.validate = func(v url.Values) (oauth.AuthorizeRequest, error) {
				if v.Has("state") || v.Get("client_id") != appID || v.Get("connection") != "corp" || v.Get("scope") != "openid" {
					t.Errorf("the request is %v", v)
				}
				return oauth.AuthorizeRequest{ClientID: appID, ResponseType: "code", ResponseMode: "query", RedirectURI: redirect, Scope: []string{"openid"}, Connection: "corp"}, nil
			}
			to := row.to
			if to == "" {
				to = "/login/callback?connection=corp"
			}
			b := r.browser()
			a := b.post(to, url.Values{"SAMLResponse": {row.who}, "RelayState": {"https://evil.example/"}})
			switch {
			case row.user != "":
				if a.app.Get("user") != row.user || a.app.Get("state") != "" {
					t.Errorf("got %v, %d %.200s", a.app, a.status, a.body)
				}
				if got := b.get("/whoami").body; got != row.user {
					t.Errorf("the session is %q's", got)
				}
			case row.page != "":
				a.wantPage(t, http.StatusBadRequest, row.page)
			default:
				if a.app.Get("error") != row.errs {
					t.Errorf("got %v, %d %.200s", a.app, a.status, a.body)
				}
			}
			if row.user == "" && b.get("/whoami").body != "" {
				t.Error("there is a session")
			}
		})
	}
}

// The connection may have been disabled for the application that it names.
func TestProviderBeginsForAnApplicationThatMayNot(t *testing.T) {
	r := newRig(t)
	r.corp(map[string]any{"idpinitiated": map[string]any{"enabled": true, "client_id": appID}})
	r.validate = func(url.Values) (oauth.AuthorizeRequest, error) {
		return oauth.AuthorizeRequest{ClientID: appID, ResponseType: "code", ResponseMode: "query", RedirectURI: redirect}, nil
	}
	r.change(corpID, func(c *connection.Connection) { c.EnabledClients = nil })
	a := r.browser().post("/login/callback?connection=corp", url.Values{"SAMLResponse": {"pia"}})
	if a.app.Get("error_description") != "the connection was disabled" {
		t.Errorf("got %v", a.app)
	}
}

// A request without a redirect address is for the first one of the application.
func TestWishFallsBackToTheFirstCallback(t *testing.T) {
	r := newRig(t)
	r.corp(map[string]any{"idpinitiated": map[string]any{"enabled": true, "client_id": "WithCallbacks", "client_authorizequery": "scope=openid%20email"}})
	err := r.store.CreateClient(t.Context(), &client.Client{ID: "WithCallbacks", Name: "W", Doc: json.RawMessage(`{"callbacks":["https://w.example/cb","https://w.example/2"]}`)}, audit.Event{})
	if err != nil {
		t.Fatal(err)
	}
	var asked url.Values
	r.validate = func(v url.Values) (oauth.AuthorizeRequest, error) {
		asked = v
		return oauth.AuthorizeRequest{}, &oauth.AuthorizeError{Code: "invalid_request", Description: "enough"}
	}
	r.browser().post("/login/callback?connection=corp", url.Values{"SAMLResponse": {"pia"}})
	if asked.Get("redirect_uri") != "https://w.example/cb" || asked.Get("response_type") != "code" || asked.Get("scope") != "openid email" {
		t.Errorf("asked %v", asked)
	}
}

// A network address signs in without a page, alone or beside others.
func TestPlace(t *testing.T) {
	r := newRig(t)
	r.connect("con_office0000000001", "office", "ip", map[string]any{}, `{"show_as_button":true}`)
	r.browser().get("/authorize").wantUser(t, "ip|front desk")
	r.database()
	b := r.browser()
	links := ways(t, b.get("/authorize").body)
	if len(links) != 1 {
		t.Fatalf("links %v", links)
	}
	b.get(links[0]).wantUser(t, "ip|front desk")
	r.connect("con_elsewhere0000001", "elsewhere", "ip", map[string]any{}, `{}`)
	if a := r.browser().get("/authorize?connection=elsewhere"); a.app.Get("error") != "access_denied" {
		t.Errorf("got %v", a.app)
	}
}
