package sms

import (
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/liquid"
	"mangrove/internal/passwordless"
)

// defaultTemplate is the message of a connection that has none of its own.
const defaultTemplate = "Your verification code is: @@password@@"

// maxBody bounds a message, in bytes: the longest that the gateways take.
const maxBody = 1600

// body is the words of a message. A template that cannot be rendered gives way to
// the default: its author's mistake should not keep people out.
func body(o connection.SMSOptions, t passwordless.Text) (text string, err error) {
	switch {
	case o.Template == "":
	case o.Liquid:
		text, err = render(o.Template, variables(o, t))
	default:
		text = macros(o.Template, t)
	}
	if strings.TrimSpace(text) == "" || err != nil {
		text = macros(defaultTemplate, t)
	}
	if len(text) > maxBody {
		text = strings.ToValidUTF8(text[:maxBody], "")
	}
	return text, err
}

// macros replaces what md_with_macros knows. Values are put in once and not
// looked at again: a name that looks like a macro stays a name (security.md 118).
func macros(template string, t passwordless.Text) string {
	return strings.NewReplacer(
		"@@password@@", t.Code,
		"@@code@@", t.Code,
		"@@application.name@@", t.Application,
		"@@phone_number@@", t.To,
		"@@request_language@@", t.Language,
	).Replace(template)
}

func render(template string, vars map[string]any) (string, error) {
	t, err := liquid.Parse(template)
	if err != nil {
		return "", err
	}
	return t.Render(vars, liquid.Limits{Output: 4 * maxBody})
}

// variables are those of a liquid template.
func variables(o connection.SMSOptions, t passwordless.Text) map[string]any {
	return map[string]any{
		"password":         t.Code,
		"code":             t.Code,
		"phone_number":     t.To,
		"application":      map[string]any{"name": t.Application},
		"connection":       map[string]any{"name": o.Name},
		"request_language": t.Language,
	}
}
