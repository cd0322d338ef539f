package browsertest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"mangrove/internal/parttest"
)

// EnvBrowser is the directory test/browser with its packages installed. drive.mjs
// looks for Chromium itself.
const EnvBrowser = "MANGROVE_TEST_BROWSER"

// Options of a browser. The zero value is a light desktop in English.
type Options struct {
	NoScript bool   `json:"noScript,omitzero"`
	Dark     bool   `json:"dark,omitzero"`
	Locale   string `json:"locale,omitzero"` // sent as Accept-Language; empty: en-GB
	Width    int    `json:"width,omitzero"`  // CSS pixels; 0: 1280
	Height   int    `json:"height,omitzero"` // 0: 800
}

// Browser is a browser with one window and cookies of its own. It reaches
// loopback alone and takes any certificate. It is no use to two goroutines at
// once; every method ends the test when it cannot be done within 20 seconds.
// Selectors are those of Playwright: CSS, text=…, role=button[name="…"].
type Browser struct {
	t     testing.TB
	in    io.Writer
	lines *bufio.Reader
}

// Open starts a browser, which ends with the test. Without the parts the test is
// skipped, or fails where parts are required.
func Open(t testing.TB, o Options) *Browser {
	t.Helper()
	dir := parttest.Need(t, "browser", EnvBrowser)
	options, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	// t.Context() would end before the clean-up, which asks the browser to leave.
	cmd := exec.CommandContext(context.Background(), "node", filepath.Join(dir, "drive.mjs"))
	cmd.Env = append(os.Environ(), "OPTIONS="+string(options))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting the browser: %v", err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		impatient := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer impatient.Stop()
		_ = cmd.Wait()
	})
	b := &Browser{t: t, in: in, lines: bufio.NewReader(out)}
	b.answer("open", nil)
	return b
}

// do sends a command and reads its answer into out, which may be nil.
func (b *Browser) do(name string, out any, with ...any) {
	b.t.Helper()
	line, err := json.Marshal(struct {
		Do   string `json:"do"`
		With []any  `json:"with,omitempty"`
	}{name, with})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(line, '\n')); err != nil {
		b.t.Fatalf("the browser is gone: %v", err)
	}
	b.answer(name, out)
}

func (b *Browser) answer(name string, out any) {
	b.t.Helper()
	line, err := b.lines.ReadBytes('\n')
	if err != nil {
		b.t.Fatalf("%s: the browser is gone: %v", name, err)
	}
	var a struct {
		Value json.RawMessage
		Error string
	}
	if err := json.Unmarshal(line, &a); err != nil {
		b.t.Fatalf("%s: %q: %v", name, line, err)
	}
	if a.Error != "" {
		b.t.Fatal(a.Error)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(a.Value, out); err != nil {
		b.t.Fatalf("%s answers %s: %v", name, a.Value, err)
	}
}

// Goto opens a URL and returns the status of the last answer.
func (b *Browser) Goto(url string) (status int) {
	b.t.Helper()
	b.do("goto", &status, url)
	return status
}

// Back goes back in the history and returns where that is.
func (b *Browser) Back() (url string) {
	b.t.Helper()
	b.do("back", &url)
	return url
}

// URL is where the browser is.
func (b *Browser) URL() (url string) {
	b.t.Helper()
	b.do("url", &url)
	return url
}

// WaitURL waits until the browser is where the URL begins with prefix.
func (b *Browser) WaitURL(prefix string) (url string) {
	b.t.Helper()
	b.do("waitURL", &url, prefix)
	return url
}

// Fill replaces what is in a field.
func (b *Browser) Fill(selector, value string) {
	b.t.Helper()
	b.do("fill", nil, selector, value)
}

// Check ticks a checkbox.
func (b *Browser) Check(selector string) {
	b.t.Helper()
	b.do("check", nil, selector)
}

// Click clicks what leads nowhere else.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	b.do("click", nil, selector)
}

// Follow clicks a link or a button and waits for the page behind it, whose URL it
// returns.
func (b *Browser) Follow(selector string) (url string) {
	b.t.Helper()
	b.do("follow", &url, selector)
	return url
}

// Press presses a key, such as Tab or Enter.
func (b *Browser) Press(key string) {
	b.t.Helper()
	b.do("press", nil, key)
}

// Wait waits until something is there and can be seen.
func (b *Browser) Wait(selector string) {
	b.t.Helper()
	b.do("wait", nil, selector)
}

// Count counts elements.
func (b *Browser) Count(selector string) (n int) {
	b.t.Helper()
	b.do("count", &n, selector)
	return n
}

// Text is the text of the first element as it is seen.
func (b *Browser) Text(selector string) (text string) {
	b.t.Helper()
	b.do("text", &text, selector)
	return text
}

// Value is what is in a field.
func (b *Browser) Value(selector string) (value string) {
	b.t.Helper()
	b.do("value", &value, selector)
	return value
}

// Eval evaluates JavaScript in the page, outside of its policy, and reads the
// value, as JSON, into out.
func (b *Browser) Eval(source string, out any) {
	b.t.Helper()
	b.do("eval", out, source)
}

// Look changes how the page is seen: dark or light, the size of the window in CSS
// pixels, forced colours.
func (b *Browser) Look(dark bool, width, height int, forced bool) {
	b.t.Helper()
	b.do("look", nil, dark, width, height, forced)
}

// Violation of a rule of accessibility.
type Violation struct {
	Rule, Help, Why string
	Where           []string // selectors
}

// Axe checks the page for accessibility, by the rules that are named; none: all.
func (b *Browser) Axe(rules ...string) (found []Violation) {
	b.t.Helper()
	b.do("axe", &found, rules)
	return found
}

// Shot writes a picture of the whole page, as PNG.
func (b *Browser) Shot(path string) {
	b.t.Helper()
	b.do("shot", nil, path)
}

// Complaints are the errors and warnings of the console since the last call, what
// the content security policy refused among them.
func (b *Browser) Complaints() (texts []string) {
	b.t.Helper()
	b.do("complaints", &texts)
	return texts
}

// Cookie is a cookie that the browser has.
type Cookie struct {
	Name, Value, Domain, Path, SameSite string
	HTTPOnly, Secure                    bool
	Expires                             float64 // seconds; -1: with the browser
}

// Cookies are all that the browser has.
func (b *Browser) Cookies() (all []Cookie) {
	b.t.Helper()
	b.do("cookies", &all)
	return all
}

// Forget removes all cookies.
func (b *Browser) Forget() {
	b.t.Helper()
	b.do("forget", nil)
}

// SecurityKey plugs a key in that has no PIN and is touched whenever it asks.
func (b *Browser) SecurityKey() {
	b.t.Helper()
	b.do("securityKey", nil)
}

// Authenticator gives the window a passkey provider that says yes to everything.
func (b *Browser) Authenticator() {
	b.t.Helper()
	b.do("authenticator", nil)
}
