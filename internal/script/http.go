package script

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// request is what js/5_http.js sends.
type request struct {
	Method  string      `json:"method"`
	URL     string      `json:"url"`
	Headers [][2]string `json:"headers"`
	Body    *string     `json:"body"` // Base64
	Timeout float64     `json:"timeout"`
	Follow  bool        `json:"follow"`
}

// response is what it gets: an error with a code, or the answer.
type response struct {
	Error      string         `json:"error,omitempty"`
	Code       string         `json:"code,omitempty"`
	Status     int            `json:"status"`
	StatusText string         `json:"statusText"`
	Headers    map[string]any `json:"headers"`
	URL        string         `json:"url"`
	Body       string         `json:"body"` // Base64
}

// send starts a request; its answer becomes the event of that number.
func (r *run) send(id int, what string) error {
	var q request
	if err := json.Unmarshal([]byte(what), &q); err != nil {
		return errors.New("request cannot be read")
	}
	r.beside(id, func(ctx context.Context) string {
		b, err := json.Marshal(r.engine.answer(ctx, q))
		if err != nil { // of texts and numbers there is none
			return `{"error":"answer cannot be read"}`
		}
		return string(b)
	})
	return nil
}

// answer does one request. The texts of its errors say what kind of failure it
// was and nothing of what was sent or who answered.
func (e *Engine) answer(ctx context.Context, q request) response {
	if q.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(min(q.Timeout, 1e6))*time.Millisecond)
		defer cancel()
	}
	var body io.Reader
	if q.Body != nil {
		b, err := base64.StdEncoding.DecodeString(*q.Body)
		if err != nil {
			return response{Error: "body cannot be read"}
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, q.Method, q.URL, body)
	if err != nil {
		return response{Error: "Invalid URL or method", Code: "ERR_INVALID_URL"}
	}
	for _, h := range q.Headers {
		switch name := strings.ToLower(h[0]); name {
		case "host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "upgrade", "trailer":
			// the transport's own
		default:
			req.Header.Add(name, h[1])
		}
	}
	if req.Header.Get("User-Agent") == "" { // Go would name itself
		req.Header.Set("User-Agent", "Mangrove")
	}
	client := *e.client
	if !q.Follow {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	resp, err := client.Do(req)
	if err != nil {
		return unreachable(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or is of no use
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return unreachable(ctx, err)
	}
	headers := map[string]any{}
	for name, values := range resp.Header {
		if name = strings.ToLower(name); name == "set-cookie" {
			headers[name] = values
		} else {
			headers[name] = strings.Join(values, ", ")
		}
	}
	return response{
		Status: resp.StatusCode, StatusText: http.StatusText(resp.StatusCode), Headers: headers,
		URL: resp.Request.URL.String(), Body: base64.StdEncoding.EncodeToString(got),
	}
}

// unreachable leaves the URL out, which may hold a token.
func unreachable(ctx context.Context, err error) response {
	if ctx.Err() != nil {
		return response{Error: "The request took too long", Code: "ETIMEDOUT"}
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return response{Error: "The request took too long", Code: "ETIMEDOUT"}
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	code := "ECONNREFUSED"
	var guarded interface{ Internal() bool }
	if errors.As(err, &guarded) && guarded.Internal() {
		code = "EACCES"
	}
	return response{Error: "The request failed: " + clip(err.Error(), 200), Code: code}
}
