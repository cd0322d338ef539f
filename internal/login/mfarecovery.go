package login

import (
	"net/http"
	"net/url"

	"mangrove/internal/page"
	"mangrove/internal/session"
)

// shownRecovery is a recovery code that has to be seen before the login goes on,
// and the proofs that were given. It is written by the server alone, once they were.
type shownRecovery struct {
	Code    string   `json:"code"`
	Methods []string `json:"methods"`
}

// enrolled goes on after an enrollment: first the recovery code is shown, if there
// is one.
func (f *Flow) enrolled(w http.ResponseWriter, r *http.Request, p *pass, recovery string, methods ...string) error {
	methods = append(methods, session.MFA)
	if recovery == "" {
		return f.confirmed(w, r, p, methods...)
	}
	p.prog.Scratch = nil
	if err := p.prog.put(scratchRecovery, shownRecovery{recovery, methods}); err != nil {
		return err
	}
	return f.lead(w, r, p, recoveryShownPath)
}

// newRecovery opens a login whose recovery code has to be seen.
func (f *Flow) newRecovery(r *http.Request) (*pass, shownRecovery, error) {
	var s shownRecovery
	p, err := f.opened(r)
	if err != nil {
		return nil, s, err
	}
	ok, err := p.prog.get(scratchRecovery, &s)
	if err == nil && !ok {
		err = errExpired
	}
	return p, s, err
}

// showNewRecovery is GET /u/mfa-recovery-code-enrollment?state=….
func (f *Flow) showNewRecovery(w http.ResponseWriter, r *http.Request) error {
	p, s, err := f.newRecovery(r)
	if err != nil {
		return err
	}
	return f.show(w, r, http.StatusOK, page.RecoveryCode{Frame: f.frame(p), Action: at(recoveryShownPath, p.id), Code: s.Code})
}

// savedRecovery is the form of that page: saved=1.
func (f *Flow) savedRecovery(w http.ResponseWriter, r *http.Request, form url.Values) error {
	p, s, err := f.newRecovery(r)
	if err != nil {
		return err
	}
	if form.Get("saved") != "1" {
		return f.show(w, r, http.StatusBadRequest, page.RecoveryCode{
			Frame: f.frame(p), Action: at(recoveryShownPath, p.id), Code: s.Code, Problem: page.MissingInput,
		})
	}
	return f.confirmed(w, r, p, s.Methods...)
}
