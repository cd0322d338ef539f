package action_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"mangrove/internal/action"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/strictjson"
)

// hooked is a connection whose actions are all run by a server.
func hooked(t *testing.T, h http.HandlerFunc) (*connection.Connection, *httptest.Server) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return hookedAt(t, s.URL+"/actions"), s
}

const hookSecret = "a secret of the webhook"

func hookedAt(t *testing.T, url string) *connection.Connection {
	t.Helper()
	return legacy(t, map[string]any{"webhook": map[string]any{"url": url, "secret": "${HOOK}", "actions": customdb.Actions}}, map[string]string{"HOOK": hookSecret})
}

// What a webhook is sent, and that the signature is of it.
func TestWebhookRequest(t *testing.T) {
	for _, call := range calls {
		t.Run(string(call.Action), func(t *testing.T) {
			var r *http.Request
			var body []byte
			c, _ := hooked(t, func(w http.ResponseWriter, q *http.Request) {
				r = q
				body, _ = io.ReadAll(q.Body)
				_, _ = io.WriteString(w, "true")
			})
			if _, err := runner().Run(t.Context(), c, call); err != nil {
				t.Fatal(err)
			}
			if r.Method != http.MethodPost || r.URL.Path != "/actions" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") != "Mangrove" {
				t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
			}
			d := strictjson.ParseDocument(body)
			if len(d) != 4 || d.Text("action") != string(call.Action) || string(d["connection"]) != `{"id":"con_legacy","name":"legacy"}` || string(d["context"]) != "{}" {
				t.Errorf("body %s", body)
			}
			args := d.Object("args")
			if len(args) != len(call.Args) {
				t.Errorf("args %s", d["args"])
			}
			for _, a := range call.Args {
				if string(args[a.Name]) != string(a.Value) {
					t.Errorf("%s is %s", a.Name, args[a.Name])
				}
			}
			mac := hmac.New(sha256.New, []byte(hookSecret))
			_, _ = fmt.Fprintf(mac, "%d.%s", noon.Unix(), body)
			want := "t=" + strconv.FormatInt(noon.Unix(), 10) + ",v1=" + hex.EncodeToString(mac.Sum(nil))
			if got := r.Header.Get(action.SignatureHeader); got != want {
				t.Errorf("signature %q, want %q", got, want)
			}
		})
	}
}

// Without a secret there is no signature: one that nobody can check proves nothing.
func TestWebhookWithoutSecret(t *testing.T) {
	var header http.Header
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { header = q.Header }))
	defer s.Close()
	c := legacy(t, map[string]any{"webhook": map[string]any{"url": s.URL, "actions": []string{"login"}}}, nil)
	_, _ = runner().Run(t.Context(), c, calls[0])
	if _, ok := header[action.SignatureHeader]; header == nil || ok {
		t.Errorf("%v", header)
	}
}

func TestWebhookAnswers(t *testing.T) {
	login, find, change, remove := calls[0], calls[1], calls[4], calls[8]
	for _, row := range []struct {
		name   string
		call   customdb.Call
		status int
		body   string
		want   string
		fails  customdb.Failure
	}{
		{"profile", login, 200, `{"user_id": 42}`, `{"user_id":42}`, customdb.Failure{}},
		{"created", change, 201, `true`, `true`, customdb.Failure{}},
		{"null", find, 200, `null`, `null`, customdb.Failure{}},
		{"no content", find, 204, ``, `null`, customdb.Failure{}},
		{"wrong", login, 401, `{"error":"wrong_credentials","user_id":"42","message":"no"}`, ``, customdb.Failure{Kind: customdb.Wrong, UserID: "42", Message: "no"}},
		{"wrong, a number", login, 401, `{"error":"wrong_credentials","user_id":42}`, ``, customdb.Failure{Kind: customdb.Wrong, UserID: "42"}},
		{"wrong, nobody", login, 403, `{"error":"wrong_credentials","user_id":null}`, ``, customdb.Failure{Kind: customdb.Wrong}},
		{"nobody at login", login, 404, `{"error":"not_found"}`, ``, customdb.Failure{Kind: customdb.Wrong, Message: "nobody is known by this identifier"}},
		{"nobody", find, 404, `{"error":"not_found","message":"no row"}`, ``, customdb.Failure{Kind: customdb.Wrong, Message: "no row"}},
		{"nobody to change", change, 404, `{"error":"not_found"}`, ``, customdb.Failure{Kind: customdb.Failed, Message: "nobody is known by this identifier"}},
		{"nobody to delete", remove, 404, `{"error":"not_found"}`, `null`, customdb.Failure{}},
		{"exists", calls[2], 409, `{"error":"user_exists","message":"is there"}`, ``, customdb.Failure{Kind: customdb.Invalid, Code: "user_exists", Message: "is there"}},
		{"invalid", calls[2], 422, `{"error":"validation","code":"too_long","message":"too long"}`, ``, customdb.Failure{Kind: customdb.Invalid, Code: "too_long", Message: "too long"}},
		{"invalid, no more", calls[2], 422, `{"error":"validation"}`, ``, customdb.Failure{Kind: customdb.Invalid, Code: "validation_error", Message: "validation_error"}},
		{"unauthorized", login, 403, `{"error":"unauthorized","message":"Ask your manager"}`, ``, customdb.Failure{Kind: customdb.Unauthorized, Message: "Ask your manager"}},
		{"failed", login, 409, `{"error":"failed","message":"locked table"}`, ``, customdb.Failure{Kind: customdb.Failed, Message: "locked table"}},

		{"a gateway's page", login, 404, `<html>nginx`, ``, customdb.Failure{Kind: customdb.Broken, Message: "the webhook gave no answer that it may give", Detail: "status 404: <html>nginx"}},
		{"a word of its own", login, 401, `{"error":"bad_signature"}`, ``, customdb.Failure{Kind: customdb.Broken, Message: "the webhook gave no answer that it may give", Detail: `status 401: {"error":"bad_signature"}`}},
		{"a refusal with success", login, 200, `{"error":"wrong_credentials"}`, `{"error":"wrong_credentials"}`, customdb.Failure{}},
		{"an error of the server", login, 500, `{"error":"wrong_credentials"}`, ``, customdb.Failure{Kind: customdb.Broken, Message: "the webhook gave no answer that it may give", Detail: `status 500: {"error":"wrong_credentials"}`}},
		{"a redirect", login, 302, ``, ``, customdb.Failure{Kind: customdb.Broken, Message: "the webhook gave no answer that it may give", Detail: "status 302"}},
		{"accepted", login, 202, `true`, ``, customdb.Failure{Kind: customdb.Broken, Message: "the webhook gave no answer that it may give", Detail: "status 202: true"}},
		{"no JSON", login, 200, `user_id=42`, ``, customdb.Failure{Kind: customdb.Broken, Message: "the answer of the webhook is no JSON", Detail: "status 200: user_id=42"}},
		{"nothing", login, 200, ``, ``, customdb.Failure{Kind: customdb.Broken, Message: "the answer of the webhook is no JSON", Detail: "status 200"}},
		{"a member twice", login, 200, `{"user_id":1,"user_id":2}`, ``, customdb.Failure{Kind: customdb.Broken, Message: "the answer of the webhook is no JSON", Detail: `status 200: {"user_id":1,"user_id":2}`}},
		{"half a character", login, 200, `{"user_id":"\ud800"}`, ``, customdb.Failure{Kind: customdb.Broken, Message: "the answer of the webhook is no JSON", Detail: `status 200: {"user_id":"\ud800"}`}},
		{"the secrets back", login, 401, `{"error":"failed","message":"got correct horse with a secret of the webhook"}`, ``, customdb.Failure{Kind: customdb.Failed, Message: "got **** with ****"}},
		{"the secrets back, unread", login, 400, `correct horse`, ``, customdb.Failure{Kind: customdb.Broken, Message: "the webhook gave no answer that it may give", Detail: "status 400: ****"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, _ := hooked(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(row.status)
				_, _ = io.WriteString(w, row.body)
			})
			answer, err := runner().Run(t.Context(), c, row.call)
			if row.fails.Kind == "" {
				if err != nil || string(answer.Value) != row.want {
					t.Errorf("%s, %v", answer.Value, err)
				}
				return
			}
			if f := failure(t, err); f.Kind != row.fails.Kind || f.UserID != row.fails.UserID || f.Code != row.fails.Code || f.Message != row.fails.Message || f.Detail != row.fails.Detail {
				t.Errorf("got  %+v\nwant %+v", *f, row.fails)
			}
		})
	}
}

// A redirect is not followed: what was sent is meant for nobody else.
func TestWebhookRedirect(t *testing.T) {
	var other atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { other.Add(1) }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		c, _ := hooked(t, func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, elsewhere.URL, status) })
		if _, err := runner().Run(t.Context(), c, calls[0]); failure(t, err).Kind != customdb.Broken {
			t.Errorf("%d: %v", status, err)
		}
	}
	if n := other.Load(); n != 0 {
		t.Errorf("followed %d times", n)
	}
}

// An answer of any length costs no more than one that may be.
func TestWebhookSize(t *testing.T) {
	for name, announced := range map[string]bool{"announced": true, "in chunks": false} {
		c, _ := hooked(t, func(w http.ResponseWriter, _ *http.Request) {
			if announced {
				w.Header().Set("Content-Length", strconv.Itoa(50<<20))
			}
			for range 50 {
				if _, err := w.Write([]byte(strings.Repeat("x", 1<<20))); err != nil {
					return
				}
			}
		})
		_, err := runner().Run(t.Context(), c, calls[0])
		if f := failure(t, err); f.Kind != customdb.Broken || strings.Contains(f.Detail, "xx") {
			t.Errorf("%s: %+v", name, *f)
		}
	}
	whole := `"` + strings.Repeat("x", 100<<10-2) + `"`
	c, _ := hooked(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, whole) })
	if answer, err := runner().Run(t.Context(), c, calls[0]); err != nil || string(answer.Value) != whole {
		t.Errorf("100 KB: %v", err)
	}
}

// security.md 95: an internal address is refused before anything is sent.
func TestWebhookInternal(t *testing.T) {
	var asked atomic.Int32
	c, _ := hooked(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	_, err := runnerWithin(nil).Run(t.Context(), c, calls[0])
	if f := failure(t, err); f.Kind != customdb.Broken || f.Message != "the webhook cannot be reached" || !strings.Contains(f.Detail, "--outbound-allow") {
		t.Errorf("%+v", *f)
	}
	if asked.Load() != 0 {
		t.Error("it was asked")
	}
}

func TestWebhookUnreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	url := s.URL
	s.Close()
	_, err := runner().Run(t.Context(), hookedAt(t, url+"/?token=visible-nowhere"), calls[0])
	f := failure(t, err)
	if f.Kind != customdb.Broken || f.Message != "the webhook cannot be reached" || strings.Contains(f.Error(), "visible-nowhere") {
		t.Errorf("%+v", *f)
	}
}

// Whoever gives up gets its own error, and does not wait for a server that drips.
func TestWebhookDrip(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := hooked(t, func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.WriteString(w, `{"user_id":`)
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-q.Context().Done()
	})
	if _, err := runner().Run(ctx, c, calls[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	late, over := context.WithTimeout(t.Context(), 1)
	defer over()
	<-late.Done()
	if _, err := runner().Run(late, c, calls[0]); failure(t, err).Kind != customdb.Broken {
		t.Errorf("%v", err)
	}
}

// The law: whatever a webhook answers is an answer that is strict JSON, or a failure.
func FuzzWebhookAnswer(f *testing.F) {
	for _, body := range []string{`{"user_id":42}`, `{"error":"wrong_credentials","user_id":-1}`, `{"error":"validation","code":7}`, `null`, `{"error":{}}`, `"\ud800"`} {
		f.Add(200, body)
		f.Add(401, body)
		f.Add(422, body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		for _, a := range customdb.Actions {
			answer, err := action.ReadHook(a, status, []byte(body))
			var fail *customdb.Failure
			switch {
			case err != nil && !errors.As(err, &fail):
				t.Fatalf("another error: %v", err)
			case err != nil && fail.Kind == "":
				t.Fatal("a failure of no kind")
			case err == nil && !json.Valid(answer.Value):
				t.Fatalf("answer %q", answer.Value)
			}
		}
	})
}
