package wsfed

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/idptest"
)

func TestPrepare(t *testing.T) {
	a, b := testKeys(t), idptest.NewKeyPair(t, "b")
	d := newDirectory(t)
	d.says(http.StatusOK, describing(a))
	p := newRig(t, nil).connector.Preparer("adfs")
	prepare := func(stored, next string) (strictjson.Document, error) {
		t.Helper()
		return p.Prepare(t.Context(), "corp", strictjson.ParseDocument([]byte(stored)), strictjson.ParseDocument([]byte(next)))
	}
	check := func(got strictjson.Document, err error, want string) {
		t.Helper()
		if err != nil || string(got.Encode()) != want {
			t.Errorf("got  %s %v\nwant %s", got.Encode(), err, want)
		}
	}
	body := `{"adfs_server":"` + d.URL + `/md","thumbprints":[]}`
	first := `{"adfs_server":"` + d.URL + `/md","issuer":"` + providerID + `","signInEndpoint":"https://adfs.example/adfs/ls/","thumbprints":["` + thumbprint(a.Certificate) + `"]}`
	got, err := prepare(``, body)
	check(got, err, first)
	// Again, with nothing changed.
	got, err = prepare(first, first)
	check(got, err, first)
	// The keys have changed.
	d.says(http.StatusOK, describing(b))
	second := `{"adfs_server":"` + d.URL + `/md","issuer":"` + providerID + `","prev_thumbprints":["` + thumbprint(a.Certificate) +
		`"],"signInEndpoint":"https://adfs.example/adfs/ls/","thumbprints":["` + thumbprint(b.Certificate) + `"]}`
	got, err = prepare(first, first)
	check(got, err, second)
	got, err = prepare(second, body)
	check(got, err, second)
	// The provider is away: other options can be changed, the address cannot.
	d.says(http.StatusBadGateway, "")
	got, err = prepare(second, body)
	check(got, err, second)
	for _, bad := range []string{
		body, `{"adfs_server":"` + d.URL + `/other"}`, `{"adfs_server":"http://adfs.example/"}`, `{"fedMetadataXml":"<a/>"}`,
	} {
		stored := second
		if bad == body {
			stored = ``
		}
		got, err := prepare(stored, bad)
		var e *errs.Error
		if !errors.As(err, &e) || e.Kind != errs.Invalid || e.Code != "invalid_body" || strings.Contains(e.Text, d.URL) {
			t.Errorf("%s: %v %v", bad, got, err)
		}
	}
	// By hand.
	hand := `{"signInEndpoint":"https://adfs.example/","thumbprints":["` + thumbprint(a.Certificate) + `"]}`
	got, err = prepare(``, hand)
	check(got, err, hand)
	// In the body.
	inline := strictjson.Document{"fedMetadataXml": profile.Text(describing(a))}
	if got, err := p.Prepare(t.Context(), "corp", nil, inline); err != nil || got.Text("signInEndpoint") != "https://adfs.example/adfs/ls/" || !got.Has("fedMetadataXml") {
		t.Errorf("%s %v", got.Encode(), err)
	}
}

// stub is a connector that says that it was asked.
type stub struct{ upstream.Redirect }

var errStub = errors.New("stub")

func (stub) Depart(context.Context, *connection.Connection, upstream.Start) (upstream.Departure, error) {
	return upstream.Departure{}, errStub
}

type stubPreparer struct{}

func (stubPreparer) Prepare(_ context.Context, _ string, _, next strictjson.Document) (strictjson.Document, error) {
	next["scope"] = []byte(`["x"]`)
	return next, nil
}

func TestEither(t *testing.T) {
	r := newRig(t, trusting(t))
	r.strategy = "waad"
	r.options["client_id"], r.options["identity_api"] = "app", "azure-active-directory-v1.0"
	e := r.connector.Or(stub{})
	for protocol, federated := range map[string]bool{"": false, "openid-connect": false, "ws-federation": true} {
		r.options["waad_protocol"] = protocol
		d, err := e.Depart(t.Context(), r.connection(), start())
		if federated && (err != nil || !strings.Contains(d.URL, "wa=wsignin1.0")) || !federated && !errors.Is(err, errStub) {
			t.Errorf("%q: %v %v", protocol, d, err)
		}
		if _, ok, err := e.Leave(t.Context(), r.connection(), session.Foreign{}, start()); ok != federated || err != nil {
			t.Errorf("%q: %v %v", protocol, ok, err)
		}
		m := upstream.SignOutMessage{Params: url.Values{"wa": {"wsignoutcleanup1.0"}}}
		if of := e.Speaks(m); of == nil || of(r.connection()) != federated {
			t.Errorf("%q: sign-out", protocol)
		}
		if asked, err := e.ReadSignOut(t.Context(), r.connection(), m); err != nil || !asked.Here {
			t.Errorf("%q: %v %v", protocol, asked, err)
		}
		next := strictjson.ParseDocument(r.connection().Options)
		got, err := r.connector.PreparerOr(stubPreparer{}).Prepare(t.Context(), "corp", nil, next)
		if err != nil || !got.Has("scope") || got.Has("thumbprints") != federated {
			t.Errorf("%q: %s %v", protocol, got.Encode(), err)
		}
	}
	if e.Speaks(upstream.SignOutMessage{Params: url.Values{"SAMLRequest": {"x"}}}) != nil {
		t.Error("SAML is no WS-Federation")
	}
	if _, ok, err := e.AnswerSignOut(t.Context(), r.connection(), upstream.SignOutMessage{}, upstream.SignOut{}); ok {
		t.Error(ok, err)
	}
	r.options["waad_protocol"], r.options["use_wsfed"] = nil, true
	if _, err := e.Depart(t.Context(), r.connection(), start()); err != nil {
		t.Error(err)
	}
	r.options["identity_api"] = "microsoft-identity-platform-v2.0"
	if _, err := e.Depart(t.Context(), r.connection(), start()); !errors.Is(err, errStub) {
		t.Error(err)
	}
}
