package page

import (
	"net/http"
	"strings"
)

// Sample is one page in one state.
type Sample struct {
	Name string
	Draw func(*Renderer, http.ResponseWriter) error
}

// Hostile is a text that tries to leave its place; every page of the gallery
// that shows a name is there with it.
const Hostile = "<img src=x onerror=alert(1)>\"'`></script>\u2028{{.}}</title>"

// Gallery is every page in every state, for tests, screenshots and eyes. No
// database is needed.
func Gallery() []Sample {
	signIn := func(name string, status int, s SignIn) Sample {
		return Sample{"signin-" + name, func(p *Renderer, w http.ResponseWriter) error { return p.SignIn(w, status, s) }}
	}
	fail := func(name string, status int, e Error) Sample {
		return Sample{"error-" + name, func(p *Renderer, w http.ResponseWriter) error { return p.Error(w, status, e) }}
	}
	form := SignIn{Application: "Tide Tables", Password: true, EmailOnly: true, Action: "/u/login?state=abc", ReturnTo: "https://app.example/cb"}
	with := func(change func(*SignIn)) SignIn {
		s := form
		change(&s)
		return s
	}
	buttons := []Button{
		{"Continue with Acme", "/u/login/connection?state=abc&connection=acme"},
		{"Continue with a directory whose name is very long indeed", "/u/login/connection?state=abc&connection=long"},
	}
	return []Sample{
		signIn("plain", 200, form),
		signIn("hint", 200, with(func(s *SignIn) { s.Identifier = "ada@example.test" })),
		signIn("username", 200, with(func(s *SignIn) { s.IdentifierLabel = "Username or email address"; s.EmailOnly = false })),
		signIn("wrong", 400, with(func(s *SignIn) { s.Identifier = "ada@example.test"; s.Problem = "Wrong email or password." })),
		signIn("busy", 429, with(func(s *SignIn) { s.Problem = "Too many sign-ins at once. Please try again in a moment." })),
		signIn("both", 200, with(func(s *SignIn) { s.Buttons = buttons })),
		signIn("upstream", 200, SignIn{Application: "Tide Tables", Buttons: buttons}),
		signIn("hostile", 400, SignIn{
			Application: Hostile, Password: true, Action: "/u/login?state=" + Hostile, IdentifierLabel: Hostile,
			Identifier: Hostile, Problem: Hostile, Buttons: []Button{{Hostile, "javascript:alert(1)"}}, ReturnTo: "https://a.example;script-src *",
		}),
		signIn("long", 200, SignIn{Application: strings.Repeat("Mangrove", 40), Password: true, Action: "/u/login"}),
		fail("plain", 400, Error{Text: "This sign-in page has expired."}),
		fail("full", 403, Error{Title: "Callback URL mismatch", Text: "The provided redirect_uri is not in the list of allowed callback URLs.", Code: "unauthorized_client", Reference: "01JD8ZK4"}),
		fail("hostile", 400, Error{Title: Hostile, Text: Hostile, Code: Hostile, Reference: Hostile}),
		{"signedout", func(p *Renderer, w http.ResponseWriter) error { return p.SignedOut(w) }},
		{"signout", func(p *Renderer, w http.ResponseWriter) error {
			return p.SignOut(w, SignOut{Action: "/v2/logout", Fields: []Field{{"client_id", "abc"}}, ReturnTo: "https://app.example/"})
		}},
		{"signout-hostile", func(p *Renderer, w http.ResponseWriter) error {
			return p.SignOut(w, SignOut{Action: "javascript:alert(1)", Fields: []Field{{Hostile, Hostile}}, ReturnTo: "javascript:alert(1)"})
		}},
		{"verifyemail", func(p *Renderer, w http.ResponseWriter) error {
			return p.VerifyEmail(w, VerifyEmail{Action: "/u/email-verification?ticket=abc", ResultURL: "https://app.example/done"})
		}},
		{"verifyemail-hostile", func(p *Renderer, w http.ResponseWriter) error {
			return p.VerifyEmail(w, VerifyEmail{Action: "javascript:alert(1)", ResultURL: "https://a.example;script-src *"})
		}},
		{"newpassword", func(p *Renderer, w http.ResponseWriter) error {
			return p.NewPassword(w, http.StatusOK, NewPassword{Action: "/u/reset-password?ticket=abc"})
		}},
		{"newpassword-weak", func(p *Renderer, w http.ResponseWriter) error {
			return p.NewPassword(w, http.StatusBadRequest, NewPassword{
				Action: "/u/reset-password?ticket=abc", Problem: "Password is too weak", Rules: "* At least 8 characters in length",
			})
		}},
		{"newpassword-hostile", func(p *Renderer, w http.ResponseWriter) error {
			return p.NewPassword(w, http.StatusBadRequest, NewPassword{Action: "javascript:alert(1)", Problem: Hostile, Rules: Hostile})
		}},
		{"done", func(p *Renderer, w http.ResponseWriter) error {
			return p.Done(w, Done{"Email verified", "Your email was verified. You can continue using the application."})
		}},
		{"done-hostile", func(p *Renderer, w http.ResponseWriter) error { return p.Done(w, Done{Hostile, Hostile}) }},
		{"formpost", func(p *Renderer, w http.ResponseWriter) error {
			return p.FormPost(w, FormPost{Action: "https://app.example/cb", Fields: []Field{{"code", "abc"}, {"state", "xyz"}}})
		}},
		{"formpost-hostile", func(p *Renderer, w http.ResponseWriter) error {
			return p.FormPost(w, FormPost{Action: "https://app.example/cb?a=\"><b>", Fields: []Field{{"state", Hostile}}})
		}},
	}
}
