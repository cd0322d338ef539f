package page

import "net/http"

// VerifyEmail asks the owner of an address for the one press of a button that
// verifies it: a link alone does not, since mail scanners follow links.
type VerifyEmail struct {
	Action string // where the form goes, a path of ours
	// ResultURL is where its answer may lead; empty: nowhere.
	ResultURL string
}

// VerifyEmail draws it.
func (p *Renderer) VerifyEmail(w http.ResponseWriter, v VerifyEmail) error {
	return p.draw(w, http.StatusOK, "verifyemail.html", "Verify your email address", v, policy{targets: []string{v.ResultURL}})
}

// NewPassword is the form for a new password.
type NewPassword struct {
	Action    string // where the form goes, a path of ours
	ResultURL string // as in VerifyEmail
	// Problem is why the last try failed; empty: there was none.
	Problem string
	// Rules are what the password has to be; empty: not told.
	Rules string
}

// NewPassword draws it.
func (p *Renderer) NewPassword(w http.ResponseWriter, status int, v NewPassword) error {
	title := "Change your password"
	if v.Problem != "" {
		title = "Error: " + title // read first by a screen reader
	}
	return p.draw(w, status, "newpassword.html", title, v, policy{targets: []string{v.ResultURL}})
}

// Done says that something was done, and what follows.
type Done struct{ Title, Text string }

// Done draws it.
func (p *Renderer) Done(w http.ResponseWriter, d Done) error {
	return p.draw(w, http.StatusOK, "done.html", d.Title, d, policy{})
}
