package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/device"
)

// showCode has a device show a code.
func (r *rig) showCode(hash, userCode string) {
	r.t.Helper()
	err := r.store.SaveDevice(r.t.Context(), device.Code{
		Hash: hash, UserCode: userCode, ClientID: appID, Scope: []string{"openid"}, State: device.Pending, ExpiresAt: r.now().Add(device.Lifetime).UnixMicro(),
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// typeCode opens the page and types a code.
func (b *browser) typeCode(code string) answer {
	b.r.t.Helper()
	p := b.get("/activate")
	if p.status != http.StatusOK || p.at.Path != "/activate" {
		b.r.t.Fatalf("%d %s %s", p.status, p.at, p.body)
	}
	return b.post(action(b.r.t, p.body), url.Values{"user_code": {code}})
}

// toConfirmation types the code and signs in.
func (b *browser) toConfirmation(code string) answer {
	b.r.t.Helper()
	p := b.typeCode(code)
	if p.at.Path != "/u/device/confirmation" {
		p = b.enter(p, "ada@example.test", password)
	}
	if p.status != http.StatusOK || p.at.Path != "/u/device/confirmation" {
		b.r.t.Fatalf("%d %s %s", p.status, p.at, p.body)
	}
	return p
}

func TestDevice(t *testing.T) {
	r := newRig(t)
	r.database()
	id := r.person("ada@example.test")
	r.showCode("d1", "BCDF-GHJK")
	b := r.browser()
	p := b.toConfirmation(" bcdf ghjk")
	if !strings.Contains(p.body, "BCDF-GHJK") || !strings.Contains(p.body, "Tide &lt;Tables&gt;") {
		t.Errorf("what is confirmed is not shown: %s", p.body)
	}
	to := action(t, p.body)
	// Nothing but one of the two answers counts, from this browser and site alone.
	if a := b.post(to, url.Values{"decision": {"maybe"}}); a.status != http.StatusBadRequest || a.at.Query().Has("user") {
		t.Errorf("maybe: %d", a.status)
	}
	if a := b.postWith(to, "application/x-www-form-urlencoded", "decision=accept", map[string]string{"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}); a.status != http.StatusForbidden {
		t.Errorf("from another site: %d", a.status)
	}
	if a := r.browser().post(to, url.Values{"decision": {"accept"}}); a.status != http.StatusBadRequest || a.at.Query().Has("user") {
		t.Errorf("another browser: %d", a.status)
	}
	if a := b.post(to, url.Values{"decision": {"accept"}}); a.at.Query().Get("user") != string(id) {
		t.Errorf("accepted: %d %s", a.status, a.at)
	}
	if a := b.post(to, url.Values{"decision": {"accept"}}); a.at.Query().Has("user") {
		t.Error("accepted twice")
	}

	// The session that is there serves the next device, and the person still confirms.
	r.showCode("d2", "LMNP-QRST")
	p = b.typeCode("LMNP-QRST")
	if p.at.Path != "/u/device/confirmation" || !strings.Contains(p.body, "LMNP-QRST") {
		t.Fatalf("%d %s", p.status, p.at)
	}
	if a := b.post(action(t, p.body), url.Values{"decision": {"deny"}}); a.at.Query().Get("error") != "access_denied" || a.at.Query().Get("error_description") != "User cancelled the confirmation prompt." {
		t.Errorf("denied: %s", a.at)
	}
}

func TestDeviceLink(t *testing.T) {
	r := newRig(t)
	r.database()
	r.person("ada@example.test")
	r.showCode("d1", "BCDF-GHJK")
	b := r.browser()
	p := b.get("/activate?user_code=BCDF-GHJK")
	// The address alone starts nothing (RFC 8628 §5.4).
	if p.at.Path != "/activate" || fields(t, p.body).Get("user_code") != "BCDFGHJK" {
		t.Fatalf("%s %v", p.at, fields(t, p.body))
	}
	p = b.enter(b.post(action(t, p.body), fields(t, p.body)), "ada@example.test", password)
	if p.at.Path != "/u/device/confirmation" {
		t.Errorf("confirmed by a link: %d %s", p.status, p.at)
	}
	p = b.get("/activate?user_code=" + url.QueryEscape(`"><script>alert(1)</script>`))
	if strings.Contains(p.body, "<script>alert") {
		t.Errorf("%s", p.body)
	}
	for path, text := range map[string]string{"/device/success": "200", "/device/failure": "200"} {
		if a := b.get(path); a.status != http.StatusOK {
			t.Errorf("%s: %d, want %s", path, a.status, text)
		}
	}
}

// security.md 79: guesses at user codes.
func TestDeviceGuesses(t *testing.T) {
	r := newRig(t)
	r.database()
	r.showCode("d1", "BCDF-GHJK")
	r.showCode("d2", "LMNP-QRST")
	b := r.browser()
	for range device.MaxGuesses {
		if a := b.typeCode("XXXX-XXXX"); a.status != http.StatusBadRequest || a.at.Path != "/activate" {
			t.Fatalf("%d %s", a.status, a.at)
		}
	}
	a := b.typeCode("BCDF-GHJK")
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("the right one after too many wrong ones: %d", a.status)
	}
	r.mu.Lock()
	wrong := 0
	for _, e := range r.events {
		if e.Type == audit.DeviceNotActivated {
			wrong++
		}
	}
	r.mu.Unlock()
	if wrong != device.MaxGuesses {
		t.Errorf("%d wrong codes are on record", wrong)
	}
	r.pass(device.GuessWindow)
	if a := b.typeCode("BCDF-GHJK"); a.at.Path == "/activate" {
		t.Errorf("later: %d", a.status)
	}
	r.pass(device.Lifetime)
	if a := b.typeCode("LMNP-QRST"); a.status != http.StatusBadRequest || a.at.Path != "/activate" {
		t.Errorf("expired: %d %s", a.status, a.at)
	}
}
