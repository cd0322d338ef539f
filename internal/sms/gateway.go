package sms

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/passwordless"
)

// tokenLifetime of the JWT for a gateway: it is used at once.
const tokenLifetime = 5 * time.Minute

// gatewayBody is what a gateway is sent.
type gatewayBody struct {
	Recipient string       `json:"recipient"`
	Body      string       `json:"body"`
	Sender    string       `json:"sender,omitempty"`
	Req       *requestInfo `json:"req,omitempty"`
}

// requestInfo is who asked for the message (forward_req_info).
type requestInfo struct {
	IP        string `json:"ip"`
	UserAgent string `json:"user-agent"`
}

// gateway sends by the connection's own gateway.
func (p *Post) gateway(ctx context.Context, o connection.SMSOptions, t passwordless.Text, body string) error {
	b := gatewayBody{Recipient: t.To, Body: body, Sender: o.From}
	if o.ForwardRequestInfo {
		b.Req = &requestInfo{t.IP, t.UserAgent}
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.GatewayURL, bytes.NewReader(raw))
	if err != nil {
		return errUnreachable
	}
	r.Header.Set("Content-Type", "application/json")
	if o.Gateway.Secret != "" {
		token, err := gatewayToken(o.Gateway, p.Now())
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return p.do(r, func(status int) bool { return status == http.StatusOK })
}

// gatewayToken is a JWT signed with HS256. It is made by hand because libraries
// refuse the short secrets that the option allows.
func gatewayToken(a connection.GatewayAuthentication, now time.Time) (string, error) {
	secret := []byte(a.Secret)
	if a.SecretBase64 {
		var err error
		text := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(a.Secret, "="))
		if secret, err = base64.RawURLEncoding.DecodeString(text); err != nil {
			return "", providerError("The secret of gateway_authentication is not base64.")
		}
	}
	claims, err := json.Marshal(struct {
		Subject  string `json:"sub,omitempty"`
		Audience string `json:"aud"`
		IssuedAt int64  `json:"iat"`
		Expires  int64  `json:"exp"`
	}{a.Subject, a.Audience, now.Unix(), now.Add(tokenLifetime).Unix()})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	m := hmac.New(sha256.New, secret)
	_, _ = m.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil)), nil
}
