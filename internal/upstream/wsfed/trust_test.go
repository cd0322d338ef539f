package wsfed

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"mangrove/internal/outbound"
	"mangrove/internal/upstream"
	"mangrove/internal/upstream/idptest"
)

// directory serves federation metadata that changes.
type directory struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	body   string
	asked  int
}

func newDirectory(t *testing.T) *directory {
	t.Helper()
	d := &directory{status: http.StatusOK}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.asked++
		w.WriteHeader(d.status)
		_, _ = w.Write([]byte(d.body))
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *directory) says(status int, body string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status, d.body = status, body
}

func (d *directory) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

func describing(keys ...idptest.KeyPair) string {
	return idptest.FederationMetadata(providerID, "https://adfs.example/adfs/ls/", keys...)
}

// login signs in with the keys, with a token of its own.
func (r *rig) login(keys idptest.KeyPair, id string) error {
	r.t.Helper()
	f := newForge(r.t, r)
	f.keys, f.id = keys, id
	_, err := r.comeBack(result(f.response()))
	return err
}

// Keys change: a new one counts at once, an old one until they change again.
func TestRotation(t *testing.T) {
	a, b, c := testKeys(t), idptest.NewKeyPair(t, "b"), idptest.NewKeyPair(t, "c")
	d := newDirectory(t)
	d.says(http.StatusOK, describing(a))
	r := newRig(t, map[string]any{"adfs_server": d.URL + "/md"})
	try := func(keys idptest.KeyPair, id string, ok bool) {
		t.Helper()
		if err := r.login(keys, id); (err == nil) != ok {
			t.Errorf("%s: %v", id, err)
		}
	}
	try(a, "_1", true)
	try(a, "_2", true)
	try(b, "_3", false) // nobody knows it, and the metadata is not asked twice in a minute
	if d.count() != 1 {
		t.Errorf("asked %d times", d.count())
	}
	d.says(http.StatusOK, describing(b))
	r.pass(retryAfter)
	try(b, "_4", true) // found by asking again
	try(a, "_5", true) // one rotation back
	d.says(http.StatusOK, describing(c))
	r.pass(refreshAfter)
	try(c, "_6", true)
	try(b, "_7", true)
	try(a, "_8", false)
	if d.count() != 3 {
		t.Errorf("asked %d times", d.count())
	}
	// The provider is away: what is known goes on to count, and it is left in peace.
	d.says(http.StatusInternalServerError, "")
	r.pass(refreshAfter)
	try(c, "_9", true)
	r.pass(restAfter - 1)
	try(c, "_10", true)
	if d.count() != 4 {
		t.Errorf("asked %d times", d.count())
	}
	// A process that has just started has nothing but the options.
	r.fresh()
	try(c, "_11", false)
	r.options["signInEndpoint"], r.options["thumbprints"], r.options["issuer"] = "https://adfs.example/adfs/ls/", []string{thumbprint(c.Certificate)}, providerID
	r.options["prev_thumbprints"] = []string{thumbprint(b.Certificate)}
	try(c, "_12", true)
	try(b, "_13", true)
	try(a, "_14", false)
}

// Thumbprints stand for keys where there is no metadata.
func TestThumbprintsAlone(t *testing.T) {
	r := newRig(t, map[string]any{"signInEndpoint": "https://adfs.example/adfs/ls/?x=1", "thumbprints": []string{thumbprint(testKeys(t).Certificate)}})
	if err := r.login(testKeys(t), "_1"); err != nil {
		t.Error(err)
	}
	if err := r.login(idptest.NewKeyPair(t, "other"), "_2"); !errors.Is(err, upstream.ErrRefused.Because(nil)) {
		t.Error(err)
	}
	r.options["issuer"] = "urn:other"
	if err := r.login(testKeys(t), "_3"); !errors.Is(err, upstream.ErrRefused.Because(nil)) {
		t.Error(err)
	}
	if to, err := r.depart(start()); err != nil || to.Query().Get("x") != "1" {
		t.Error(to, err)
	}
}

func TestNotSetUp(t *testing.T) {
	for name, options := range map[string]map[string]any{
		"nothing":                {},
		"an endpoint alone":      {"signInEndpoint": "https://adfs.example/"},
		"thumbprints alone":      {"thumbprints": []string{strings.Repeat("a", 40)}},
		"a plain endpoint":       {"signInEndpoint": "http://adfs.example/", "thumbprints": []string{strings.Repeat("a", 40)}},
		"a server that is none":  {"adfs_server": "http://adfs.example/"},
		"metadata that is none":  {"fedMetadataXml": "<a/>"},
		"options of other types": {"adfs_server": 7, "thumbprints": "x", "fedMetadataXml": []int{1}},
	} {
		if to, err := newRig(t, options).depart(start()); !errors.Is(err, upstream.ErrConfig.Because(nil)) {
			t.Errorf("%s: %v %v", name, to, err)
		}
	}
}

// A provider that answers garbage, too much, or from inside, is not believed.
func TestRudeMetadata(t *testing.T) {
	d := newDirectory(t)
	for name, body := range map[string]string{"garbage": "\x00\xff", "50 MB": strings.Repeat("<a>", 50<<20/3), "a DOCTYPE": "<!DOCTYPE a>" + describing(testKeys(t))} {
		d.says(http.StatusOK, body)
		r := newRig(t, map[string]any{"adfs_server": d.URL + "/md"})
		if to, err := r.depart(start()); !errors.Is(err, upstream.ErrRefused.Because(nil)) && !errors.Is(err, upstream.ErrUnreachable.Because(nil)) {
			t.Errorf("%s: %v %v", name, to, err)
		}
	}
	asked := d.count()
	r := newRig(t, map[string]any{"adfs_server": d.URL + "/md"})
	r.connector.client = outbound.New(nil)
	if _, err := r.depart(start()); !errors.Is(err, outbound.ErrInternalAddress) || !errors.Is(err, upstream.ErrUnreachable.Because(nil)) || d.count() != asked {
		t.Errorf("%v, asked %d times", err, d.count()-asked)
	}
}

func TestSignInRequest(t *testing.T) {
	options := trusting(t)
	options["upstream_params"] = map[string]any{
		"whr": map[string]any{"value": "corp.example"}, "username": map[string]any{"alias": "login_hint"},
		"wreply": map[string]any{"value": "https://evil.example"}, "wctx": map[string]any{"value": "x"}, "wtrealm": map[string]any{"value": "x"},
	}
	r := newRig(t, options)
	s := start()
	s.LoginHint, s.Params = "pia@corp.example", url.Values{"prompt": {"login"}, "login_hint": {"pia@corp.example"}}
	to, err := r.depart(s)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"wa": {"wsignin1.0"}, "wtrealm": {ourRealm}, "wreply": {callbackURL}, "wctx": {"st.ate"}, "wfresh": {"0"},
		"whr": {"corp.example"}, "username": {"pia@corp.example"}, "login_hint": {"pia@corp.example"},
	}
	if to.Query().Encode() != want.Encode() || to.Host != "adfs.example" || to.Path != "/adfs/ls/" {
		t.Errorf("got %s", to)
	}
	r.options["entityId"] = "urn:corp"
	if to, err = r.depart(start()); err != nil || to.Query().Get("wtrealm") != "urn:corp" || to.Query().Has("wfresh") {
		t.Errorf("%v %v", to, err)
	}
}

// Entra ID signs for every tenant with the same keys: who issued it has to be known.
func TestEntra(t *testing.T) {
	r := newRig(t, map[string]any{"client_id": "app", "signInEndpoint": "https://login.example/wsfed", "thumbprints": []string{thumbprint(testKeys(t).Certificate)}})
	r.strategy = "waad"
	if to, err := r.depart(start()); !errors.Is(err, upstream.ErrConfig.Because(nil)) {
		t.Errorf("%v %v", to, err)
	}
	r.options["issuer"] = "https://sts.windows.net/t-1/"
	if to, err := r.depart(start()); err != nil || to.Query().Get("wtrealm") != "spn:app" {
		t.Errorf("%v %v", to, err)
	}
	f := newForge(t, r)
	f.audience, f.issuer = "spn:app", "https://sts.windows.net/t-1/"
	if _, err := r.comeBack(result(f.response())); err != nil {
		t.Error(err)
	}
	f.id, f.issuer = "_2", "https://sts.windows.net/t-2/"
	got, err := r.comeBack(result(f.response()))
	refused(t, got, err)
}

func TestAnswerSignOut(t *testing.T) {
	r := newRig(t, trusting(t))
	written := newRig(t, map[string]any{"signInEndpoint": "https://adfs.example/adfs/ls/"})
	for wreply, ok := range map[string]bool{
		"https://adfs.example/adfs/ls/?wa=wsignoutcleanup1.0": true,
		"https://adfs.example.evil.example/":                  false,
		"https://evil.example/adfs.example":                   false,
		"https://adfs.example@evil.example/":                  false,
		"http://adfs.example/":                                false,
		"//adfs.example/":                                     false,
		"javascript:alert(1)":                                 false,
		"":                                                    false,
	} {
		m := upstream.SignOutMessage{Params: url.Values{"wa": {"wsignoutcleanup1.0"}, "wreply": {wreply}}}
		d, got, err := r.connector.AnswerSignOut(t.Context(), r.connection(), m, upstream.SignOut{})
		if err != nil || got != ok || ok && d.URL != wreply {
			t.Errorf("%s: %v %v %v", wreply, d, got, err)
		}
		if of := r.connector.Speaks(m); of == nil || of(written.connection()) != (ok || wreply == "") {
			t.Errorf("%s: of whom?", wreply)
		}
	}
	if r.connector.Speaks(upstream.SignOutMessage{Params: url.Values{"wa": {"wsignin1.0"}}}) != nil {
		t.Error("a sign-in is no sign-out")
	}
}
