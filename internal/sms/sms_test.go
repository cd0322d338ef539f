package sms

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/outbound"
	"mangrove/internal/passwordless"
)

var (
	moment  = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	message = passwordless.Text{To: "+4790000000", Code: "135791", Application: "Tide & Tables", Language: "de", IP: "203.0.113.9", UserAgent: "Browser/1"}
)

// office is a provider that remembers what it was sent, and a Post that reaches it.
type office struct {
	*Post
	url    string
	status int
	header http.Header
	path   string
	body   string
	log    bytes.Buffer
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{status: http.StatusOK}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		o.header, o.path, o.body = r.Header, r.URL.Path, string(b)
		w.WriteHeader(o.status)
		_, _ = io.WriteString(w, "internal answer")
	}))
	t.Cleanup(server.Close)
	o.url = server.URL
	o.Post = &Post{
		Client: outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, outbound.WithTimeout(5*time.Second)), Twilio: server.URL,
		Log: slog.New(slog.NewTextHandler(&o.log, nil)), Now: func() time.Time { return moment },
	}
	return o
}

func sms(t *testing.T, options map[string]any) *connection.Connection {
	t.Helper()
	raw, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	return &connection.Connection{ID: "con_sms", Name: "sms", Strategy: "sms", Options: raw}
}

func (o *office) silent(t *testing.T) {
	t.Helper()
	for _, secret := range []string{message.To, message.Code, "internal answer", "tok", "s3cret"} {
		if strings.Contains(o.log.String(), secret) {
			t.Errorf("the log says %q: %s", secret, o.log.String())
		}
	}
}

func TestWayOf(t *testing.T) {
	for _, row := range []struct {
		name      string
		o         connection.SMSOptions
		directory string
		want      way
	}{
		{"nothing", connection.SMSOptions{}, "", nowhere},
		{"files", connection.SMSOptions{}, "d", toFiles},
		{"twilio by default", connection.SMSOptions{TwilioSID: "AC", TwilioToken: "t", From: "+1"}, "d", byTwilio},
		{"twilio by service", connection.SMSOptions{Provider: "twilio", TwilioSID: "AC", TwilioToken: "t", MessagingServiceSID: "MG"}, "", byTwilio},
		{"twilio without sender", connection.SMSOptions{TwilioSID: "AC", TwilioToken: "t"}, "", nowhere},
		{"twilio without token", connection.SMSOptions{Provider: "twilio", TwilioSID: "AC", From: "+1"}, "d", toFiles},
		{"gateway", connection.SMSOptions{Provider: "sms_gateway", GatewayURL: "https://g", TwilioSID: "AC", TwilioToken: "t", From: "+1"}, "d", byGateway},
		{"gateway without address", connection.SMSOptions{Provider: "sms_gateway", TwilioSID: "AC", TwilioToken: "t", From: "+1"}, "", nowhere},
		{"an address alone", connection.SMSOptions{GatewayURL: "https://g"}, "", nowhere},
	} {
		if got := wayOf(row.o, row.directory); got != row.want {
			t.Errorf("%s: %d", row.name, got)
		}
	}
}

func TestBody(t *testing.T) {
	named := message
	named.Application = "@@password@@ {{ code }}"
	for _, row := range []struct {
		name   string
		o      connection.SMSOptions
		t      passwordless.Text
		want   string
		failed bool
	}{
		{"default", connection.SMSOptions{}, message, "Your verification code is: 135791", false},
		{"macros", connection.SMSOptions{Template: "@@application.name@@: @@password@@ (@@code@@) {{ code }}"}, message, "Tide & Tables: 135791 (135791) {{ code }}", false},
		{"liquid", connection.SMSOptions{Liquid: true, Template: "{{ application.name }}: {% if request_language == 'de' %}Ihr Code{% endif %} {{ code }} @@code@@"}, message, "Tide & Tables: Ihr Code 135791 @@code@@", false},
		{"no second evaluation of macros", connection.SMSOptions{Template: "@@application.name@@ @@code@@"}, named, "@@password@@ {{ code }} 135791", false},
		{"no second evaluation of liquid", connection.SMSOptions{Liquid: true, Template: "{{ application.name }} {{ code }}"}, named, "@@password@@ {{ code }} 135791", false},
		{"broken liquid", connection.SMSOptions{Liquid: true, Template: "{% if %}"}, message, "Your verification code is: 135791", true},
		{"endless liquid", connection.SMSOptions{Liquid: true, Template: "{% for i in (1..100000000) %}x{% endfor %}"}, message, "Your verification code is: 135791", true},
		{"empty", connection.SMSOptions{Template: " "}, message, "Your verification code is: 135791", false},
	} {
		got, err := body(row.o, row.t)
		if got != row.want || (err != nil) != row.failed {
			t.Errorf("%s: %q, %v", row.name, got, err)
		}
	}
	if got, _ := body(connection.SMSOptions{Template: strings.Repeat("é", 2000)}, message); len(got) != maxBody {
		t.Errorf("a message of %d bytes", len(got))
	}
}

func TestTwilio(t *testing.T) {
	o := newOffice(t)
	o.status = http.StatusCreated
	c := sms(t, map[string]any{"twilio_sid": "AC1", "twilio_token": "tok", "from": "+1555", "template": "@@code@@"})
	if err := o.SendText(t.Context(), c, message); err != nil {
		t.Fatal(err)
	}
	if want := "Basic " + base64.StdEncoding.EncodeToString([]byte("AC1:tok")); o.header.Get("Authorization") != want ||
		o.path != "/2010-04-01/Accounts/AC1/Messages.json" || o.body != "Body=135791&From=%2B1555&To=%2B4790000000" {
		t.Errorf("%s %s %v", o.path, o.body, o.header)
	}
	c = sms(t, map[string]any{"provider": "twilio", "twilio_sid": "AC1", "twilio_token": "tok", "from": "+1555", "messaging_service_sid": "MG1", "template": "@@code@@"})
	if err := o.SendText(t.Context(), c, message); err != nil || o.body != "Body=135791&MessagingServiceSid=MG1&To=%2B4790000000" {
		t.Errorf("%s %v", o.body, err)
	}
	o.silent(t)
}

func TestGateway(t *testing.T) {
	o := newOffice(t)
	options := map[string]any{
		"provider": "sms_gateway", "gateway_url": o.url + "/send", "from": "+1555", "template": "code @@code@@", "forward_req_info": true,
		"gateway_authentication": map[string]any{"method": "bearer", "subject": "urn:sub", "audience": "urn:aud", "secret": "s3cret"},
	}
	if err := o.SendText(t.Context(), sms(t, options), message); err != nil {
		t.Fatal(err)
	}
	if want := `{"recipient":"+4790000000","body":"code 135791","sender":"+1555","req":{"ip":"203.0.113.9","user-agent":"Browser/1"}}`; o.body != want || o.path != "/send" {
		t.Errorf("%s %s", o.path, o.body)
	}
	verify := func(secret string) {
		t.Helper()
		token := strings.TrimPrefix(o.header.Get("Authorization"), "Bearer ")
		part := strings.Split(token, ".")
		m := hmac.New(sha256.New, []byte(secret))
		_, _ = io.WriteString(m, part[0]+"."+part[1])
		if len(part) != 3 || part[2] != base64.RawURLEncoding.EncodeToString(m.Sum(nil)) {
			t.Errorf("token %s", token)
		}
		claims, _ := base64.RawURLEncoding.DecodeString(part[1])
		if want := `{"sub":"urn:sub","aud":"urn:aud","iat":1777896000,"exp":1777896300}`; string(claims) != want {
			t.Errorf("claims %s", claims)
		}
	}
	verify("s3cret")
	for _, encoded := range []string{"c2VjcmV0Pz4_", "c2VjcmV0Pz4/", "c2VjcmV0Pz4_=="} {
		options["gateway_authentication"] = map[string]any{"subject": "urn:sub", "audience": "urn:aud", "secret": encoded, "secret_base64_encoded": true}
		if err := o.SendText(t.Context(), sms(t, options), message); err != nil {
			t.Fatal(err)
		}
		verify("secret?>?")
	}
	delete(options, "gateway_authentication")
	delete(options, "forward_req_info")
	delete(options, "from")
	if err := o.SendText(t.Context(), sms(t, options), message); err != nil || o.body != `{"recipient":"+4790000000","body":"code 135791"}` || o.header.Get("Authorization") != "" {
		t.Errorf("%s %v %v", o.body, o.header, err)
	}
	o.silent(t)
}

// TestFailures are the texts of reference/connections.md §6.4.
func TestFailures(t *testing.T) {
	o := newOffice(t)
	gateway := map[string]any{"provider": "sms_gateway", "gateway_url": o.url}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	silent := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	defer slow.Close()
	defer close(silent)
	for _, row := range []struct {
		name    string
		options map[string]any
		status  int
		want    string
	}{
		{"not 200", gateway, 202, "Unexpected response while calling the SMS gateway: 202"},
		{"500", gateway, 500, "Unexpected response while calling the SMS gateway: 500"},
		{"401", gateway, 401, "Authentication failed while calling the SMS gateway: 401"},
		{"twilio 401", map[string]any{"twilio_sid": "AC1", "twilio_token": "tok", "from": "+1"}, 401, "Authentication failed while calling the SMS gateway: 401"},
		{"twilio 400", map[string]any{"twilio_sid": "AC1", "twilio_token": "tok", "from": "+1"}, 400, "Unexpected response while calling the SMS gateway: 400"},
		{"redirect", gateway, 302, "Unexpected response while calling the SMS gateway: 302"},
		{"closed", map[string]any{"provider": "sms_gateway", "gateway_url": closed.URL}, 0, "Unable to reach the SMS gateway."},
		{"internal", map[string]any{"provider": "sms_gateway", "gateway_url": "http://10.0.0.1/"}, 0, "Unable to reach the SMS gateway."},
		{"no URL", map[string]any{"provider": "sms_gateway", "gateway_url": "http://%zz"}, 0, "Unable to reach the SMS gateway."},
		{"no web", map[string]any{"provider": "sms_gateway", "gateway_url": "file:///etc/passwd"}, 0, "Unable to reach the SMS gateway."},
		{"bad secret", map[string]any{"provider": "sms_gateway", "gateway_url": o.url, "gateway_authentication": map[string]any{"secret": "%", "secret_base64_encoded": true}}, 0, "The secret of gateway_authentication is not base64."},
		{"nothing configured", map[string]any{}, 0, "The connection has no SMS provider."},
	} {
		o.status = row.status
		err := o.SendText(t.Context(), sms(t, row.options), message)
		var e *errs.Error
		if !errors.As(err, &e) || e.Text != row.want || e.Code != "sms_provider_error" || e.Kind != errs.Invalid {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	client := *o.Client
	client.Timeout = time.Millisecond
	o.Client = &client
	err := o.SendText(t.Context(), sms(t, map[string]any{"provider": "sms_gateway", "gateway_url": slow.URL}), message)
	if errs.From(err).Text != "Timeout while calling the SMS gateway: ETIMEDOUT" {
		t.Errorf("%v", err)
	}
	o.silent(t)
}

func TestDirectory(t *testing.T) {
	o := newOffice(t)
	o.Directory = filepath.Join(t.TempDir(), "sms")
	if err := o.SendText(t.Context(), sms(t, map[string]any{}), message); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(o.Directory, "20260504T120000.000000Z-*.txt"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil || string(b) != "To: +4790000000\n\nYour verification code is: 135791\n" {
		t.Errorf("%q, %v", b, err)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	o.silent(t)
}
