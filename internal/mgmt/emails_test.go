package mgmt

import (
	"net/http"
	"strings"
	"testing"

	"mangrove/internal/audit"
)

const (
	allTemplates  = "create:email_templates read:email_templates update:email_templates"
	allProviders  = "create:email_provider read:email_provider update:email_provider delete:email_provider"
	wholeTemplate = `{"template":"verify_email","body":"<a href='{{ url }}'>go</a>","from":"id@example.com","subject":"s","syntax":"liquid","enabled":true,"resultUrl":null}`
)

func TestEmailTemplateStory(t *testing.T) {
	onResources(t, func(t *testing.T, w *world) {
		const path = "/email-templates/verify_email"
		w.story(t, []step{
			{name: "none yet", scopes: allTemplates, method: "GET", path: path, status: 404, has: []string{`"message":"The template does not exist.","errorCode":"inexistent_email_template"`}},
			{name: "none to change", scopes: allTemplates, method: "PATCH", path: path, body: `{"enabled":false}`, status: 404, has: []string{"inexistent_email_template"}},
			{name: "none to replace", scopes: allTemplates, method: "PUT", path: path, body: wholeTemplate, status: 404, has: []string{"inexistent_email_template"}},
			{name: "unknown name", scopes: allTemplates, method: "GET", path: "/email-templates/nope", status: 400, has: []string{"Path validation error: 'No enum match for: nope' on property templateName (Template name.", `"errorCode":"invalid_uri"`}},
			{name: "create", scopes: allTemplates, method: "POST", path: "/email-templates", body: wholeTemplate, status: 200,
				has: []string{`"template":"verify_email"`, `"body":"<a href='{{ url }}'>go</a>"`, `"resultUrl":null`, `"enabled":true`}},
			{name: "again", scopes: allTemplates, method: "POST", path: "/email-templates", body: wholeTemplate, status: 409, has: []string{`"message":"Template verify_email already exists."`}},
			{name: "broken", scopes: allTemplates, method: "PATCH", path: path, body: `{"body":"x\n{% if x %}"}`, status: 400,
				has: []string{"The body is not a Liquid template: tag {% if x %} not closed, line:2, col:1", `"errorCode":"invalid_body"`}},
			{name: "unchanged", scopes: allTemplates, method: "GET", path: path, status: 200, has: []string{`"body":"<a href='{{ url }}'>go</a>"`}},
			{name: "patch", scopes: allTemplates, method: "PATCH", path: path, body: `{"enabled":false,"urlLifetimeInSeconds":60}`, status: 200, has: []string{`"enabled":false`, `"urlLifetimeInSeconds":60`, `"subject":"s"`}},
			{name: "put", scopes: allTemplates, method: "PUT", path: path, body: wholeTemplate, status: 200, has: []string{`"enabled":true`}, hasNot: []string{"urlLifetimeInSeconds"}},
			{name: "read scope", scopes: "read:email_templates", method: "PATCH", path: path, body: `{"enabled":false}`, status: 403, has: []string{"expected any of: update:email_templates"}},
			{name: "no scope", scopes: "read:users", method: "GET", path: path, status: 403, has: []string{"expected any of: read:email_templates"}},
		})
	})
}

func TestEmailProviderStory(t *testing.T) {
	onResources(t, func(t *testing.T, w *world) {
		const path = "/emails/provider"
		const smtp = `{"name":"smtp","default_from_address":"id@example.com","credentials":{"smtp_host":"mail.example","smtp_port":2525,"smtp_user":"us","smtp_pass":"canary-secret"}}`
		w.story(t, []step{
			{name: "none yet", scopes: allProviders, method: "GET", path: path, status: 404, has: []string{`"message":"There is not a configured email provider","errorCode":"inexistent_email_provider"`}},
			{name: "none to change", scopes: allProviders, method: "PATCH", path: path, body: `{"enabled":false}`, status: 404, has: []string{"inexistent_email_provider"}},
			{name: "one we do not speak to", scopes: allProviders, method: "POST", path: path, body: `{"name":"ses","credentials":{"accessKeyId":"a"}}`, status: 400, has: []string{"The email provider ses is not available."}},
			{name: "create", scopes: allProviders, method: "POST", path: path, body: smtp, status: 201, has: []string{`"name":"smtp"`, `"smtp_host":"mail.example"`, `"enabled":true`}, hasNot: []string{"canary", "smtp_pass"}},
			{name: "again", scopes: allProviders, method: "POST", path: path, body: smtp, status: 409, has: []string{"Email provider is already configured."}, hasNot: []string{"canary"}},
			{name: "get", scopes: allProviders, method: "GET", path: path, status: 200, has: []string{`{"enabled":true,"name":"smtp"}`}},
			{name: "get more", scopes: allProviders, method: "GET", path: path + "?fields=name,credentials,default_from_address&include_fields=true", status: 200,
				has: []string{`"smtp_user":"us"`, `"default_from_address":"id@example.com"`}, hasNot: []string{"canary", "enabled"}},
			{name: "elsewhere, without the password", scopes: allProviders, method: "PATCH", path: path, body: `{"credentials":{"smtp_host":"evil.example"}}`, status: 400, has: []string{"smtp_user and smtp_pass, or neither"}},
			{name: "patch", scopes: allProviders, method: "PATCH", path: path, body: `{"enabled":false}`, status: 200, has: []string{`"enabled":false`, `"smtp_host":"mail.example"`}, hasNot: []string{"canary"}},
			{name: "read scope", scopes: "read:email_provider", method: "DELETE", path: path, status: 403, has: []string{"expected any of: delete:email_provider"}},
			{name: "delete", scopes: allProviders, method: "DELETE", path: path, status: 204},
			{name: "delete again", scopes: allProviders, method: "DELETE", path: path, status: 204},
			{name: "gone", scopes: allProviders, method: "GET", path: path, status: 404},
		})
	})
}

// A change of a template leaves its record, a refusal none of a change.
func TestEmailRecords(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct {
		body string
		want int
	}{{wholeTemplate, 1}, {wholeTemplate, 1}, {`{}`, 1}} {
		w.call(t, http.MethodPost, "/email-templates", w.machine(t, allTemplates), row.body)
		list, err := w.store.Events(t.Context(), audit.Span{Limit: 50})
		must(t, err)
		n := 0
		for _, e := range list {
			if strings.Contains(e.Description, "email template") {
				n++
			}
		}
		if n != row.want {
			t.Errorf("%d records after %s", n, row.body)
		}
	}
}
