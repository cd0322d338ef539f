package action

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/strictjson"
)

// The limits of a webhook.
const (
	hookTime    = 10 * time.Second
	hookAnswer  = 100 << 10 // bytes
	hooksAtOnce = 64        // of all connections; the others wait, within their time
)

// SignatureHeader proves to a webhook who calls: t=<seconds since 1970>,v1=<hex>, where
// v1 is the HMAC-SHA256, keyed with options.webhook.secret, of the time as it is there, a
// dot, and the body.
const SignatureHeader = "Mangrove-Signature"

// hookBody is what a webhook is sent.
type hookBody struct {
	Action     customdb.Action `json:"action"`
	Connection struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"connection"`
	Args    json.RawMessage `json:"args"`
	Context struct{}        `json:"context"`
}

// webhook runs an action by a POST to options.webhook.url:
//
//	{"action":"login","connection":{"id":"con_…","name":"shop"},
//	 "args":{"identifier":"ada@shop.example","password":"…"},"context":{}}
//
// The members of args are the parameters of the action. An answer is what a script would
// give its callback:
//
//	200, 201                      the body, JSON
//	204                           null
//	401, 403, 404, 409, 422       {"error": …, "code", "message", "user_id"}, see ofHook
//
// Everything else is no answer, and so is a redirect.
func (r *Runner) webhook(ctx context.Context, c *connection.Connection, o *customdb.Options, call customdb.Call) (customdb.Answer, error) {
	body, err := hookRequest(c, call)
	if err != nil {
		return customdb.Answer{}, err
	}
	within, cancel := context.WithTimeout(ctx, hookTime)
	defer cancel()
	select {
	case r.hooks <- struct{}{}:
		defer func() { <-r.hooks }()
	case <-within.Done():
		return customdb.Answer{}, unanswered(ctx, within.Err(), "busy: too many webhooks are waited for")
	}
	q, err := http.NewRequestWithContext(within, http.MethodPost, o.WebhookURL, bytes.NewReader(body))
	if err != nil {
		return customdb.Answer{}, broken("the address of the webhook is no URL", "")
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Accept", "application/json")
	q.Header.Set("User-Agent", "Mangrove")
	if o.WebhookSecret != "" {
		q.Header.Set(SignatureHeader, Sign(o.WebhookSecret, r.now(), body))
	}
	resp, err := r.web.Do(q)
	if err != nil {
		return customdb.Answer{}, unanswered(ctx, err, "the webhook cannot be reached")
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or is of no use
	if resp.ContentLength > hookAnswer {
		return customdb.Answer{}, tooLarge()
	}
	got, err := io.ReadAll(io.LimitReader(resp.Body, hookAnswer+1))
	switch {
	case err != nil:
		return customdb.Answer{}, unanswered(ctx, err, "the answer of the webhook cannot be read")
	case len(got) > hookAnswer:
		return customdb.Answer{}, tooLarge()
	}
	return readHook(call.Action, resp.StatusCode, got)
}

func hookRequest(c *connection.Connection, call customdb.Call) ([]byte, error) {
	members := make([]strictjson.Member, 0, len(call.Args))
	for _, a := range call.Args {
		members = append(members, strictjson.Member{Name: a.Name, Value: a.Value})
	}
	b := hookBody{Action: call.Action, Args: strictjson.Join(members)}
	b.Connection.ID, b.Connection.Name = c.ID, c.Name
	return json.Marshal(b)
}

// Sign is the value of SignatureHeader.
func Sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// unredirected is client where the answer to a redirect is the redirect: what is sent to
// a webhook is meant for nobody else.
func unredirected(client *http.Client) *http.Client {
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// unanswered says why there is no answer. The URL stays out of it, which may hold a token.
func unanswered(ctx context.Context, err error, message string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	var timeout interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return broken(message, fmt.Sprintf("no answer within %s", hookTime))
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return broken(message, err.Error())
}

func tooLarge() error {
	return broken("the answer of the webhook is too large", fmt.Sprintf("more than %d bytes", hookAnswer))
}

// readHook reads an answer.
func readHook(a customdb.Action, status int, body []byte) (customdb.Answer, error) {
	switch status {
	case http.StatusNoContent:
		return customdb.Answer{Value: null}, nil
	case http.StatusOK, http.StatusCreated:
		value, err := strictjson.Compact(body)
		if err != nil {
			return customdb.Answer{}, broken("the answer of the webhook is no JSON", started(status, body))
		}
		return customdb.Answer{Value: value}, nil
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity:
		if answer, err := ofHook(a, strictjson.ParseDocument(body)); answer != nil || err != nil {
			return customdb.Answer{Value: answer}, err
		}
	}
	return customdb.Answer{}, broken("the webhook gave no answer that it may give", started(status, body))
}

// ofHook reads a refusal: by its word, not by its status. nil, nil: it is none.
//
//	wrong_credentials  WrongUsernameOrPasswordError(user_id, message)
//	not_found          nobody is known; of delete: nothing is left to do
//	user_exists        ValidationError("user_exists", message)
//	validation         ValidationError(code, message)
//	unauthorized       UnauthorizedError(message): the person sees it
//	failed             Error(message)
func ofHook(a customdb.Action, d strictjson.Document) (answer json.RawMessage, err error) {
	f := &customdb.Failure{Message: d.Text("message")}
	word := d.Text("error")
	switch word {
	case "wrong_credentials":
		f.Kind, f.UserID = customdb.Wrong, named(d["user_id"])
	case "not_found":
		switch a {
		case customdb.Login, customdb.GetUser:
			f.Kind = customdb.Wrong
		case customdb.Delete:
			return null, nil // what was asked for is so
		default:
			f.Kind = customdb.Failed
		}
		if f.Message == "" {
			f.Message = "nobody is known by this identifier"
		}
	case "user_exists":
		f.Kind, f.Code = customdb.Invalid, word
	case "validation":
		f.Kind, f.Code = customdb.Invalid, d.Text("code")
		if f.Code == "" {
			f.Code = "validation_error"
		}
	case "unauthorized":
		f.Kind = customdb.Unauthorized
	case "failed":
		f.Kind = customdb.Failed
	default:
		return nil, nil
	}
	if f.Kind == customdb.Invalid && f.Message == "" {
		f.Message = f.Code
	}
	return nil, f
}

// started is how an unreadable answer starts, for the operator alone.
func started(status int, body []byte) string {
	const most = 200
	text := fmt.Sprintf("status %d", status)
	if s := strings.ToValidUTF8(string(body[:min(len(body), most)]), ""); s != "" {
		text += ": " + s
	}
	return text
}
