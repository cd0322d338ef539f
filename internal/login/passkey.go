package login

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"mangrove/internal/connection"
	"mangrove/internal/factor"
	"mangrove/internal/page"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/user"
)

const (
	passkeyPath    = "/u/login/passkey"
	passkeyNewPath = "/u/passkey-enrollment"
)

// scratchPasskey is the ceremony of the identifier page.
const scratchPasskey = "passkey"

func (f *Flow) passkeys(c *connection.Connection) bool {
	return f.d.Factors != nil && f.d.Factors.Keys != nil && c.PasskeysEnabled()
}

// offerPasskey is the page that offers to make a passkey; empty: there is no reason to.
func (f *Flow) offerPasskey(r *http.Request, p *pass, u *user.User) (string, error) {
	if f.d.Factors == nil || !slices.Contains(p.prog.Methods, session.Password) {
		return "", nil
	}
	c, err := f.connection(r.Context(), p.prog.ConnectionID)
	if c == nil || !f.passkeys(c) || !c.PasskeyOffered() {
		return "", err
	}
	ok, err := f.d.Factors.OfferPasskey(r.Context(), u)
	if err != nil || !ok {
		return "", err
	}
	return passkeyNewPath, nil
}

// passkeyChallenge is the JSON of PublicKeyCredentialRequestOptions for the
// identifier page; empty: no passkeys.
func (f *Flow) passkeyChallenge(r *http.Request, p *pass, c *connection.Connection) (string, error) {
	if !f.passkeys(c) {
		return "", nil
	}
	var begun factor.Ceremony
	ok, err := p.prog.get(scratchPasskey, &begun)
	if err != nil || ok {
		return begun.Options, err
	}
	if begun, err = f.d.Factors.BeginPasskey(); err != nil {
		return "", err
	}
	return begun.Options, f.remember(r.Context(), p, scratchPasskey, begun)
}

// enterPasskey is POST /u/login/passkey?state=… with passkey, the JSON of a
// PublicKeyCredential.
func (f *Flow) enterPasskey(w http.ResponseWriter, r *http.Request, form url.Values) error {
	p, ws, done, err := f.atSignIn(w, r)
	if done || err != nil {
		return err
	}
	return f.signInPasskey(w, r, p, ws, form.Get("passkey"))
}

// signInPasskey signs in whose passkey answered the page's challenge. The passkey
// has seen its owner, so that it is both factors.
func (f *Flow) signInPasskey(w http.ResponseWriter, r *http.Request, p *pass, ws []way, answer string) error {
	database := offered(ws, p.prog.ConnectionID).database
	if database == nil || !f.passkeys(database.c) {
		return f.refuse(w, r, p, errDisabled)
	}
	var begun factor.Ceremony
	if _, err := p.prog.get(scratchPasskey, &begun); err != nil {
		return err
	}
	// A challenge is good for one answer, right or wrong.
	if err := f.remember(r.Context(), p, scratchPasskey, nil); err != nil {
		return err
	}
	u, err := f.d.Factors.CheckPasskey(r.Context(), begun.Session, answer, f.shows(r, p))
	if err == nil && !hasIdentity(u, database.c) {
		err = factor.ErrWrong
	}
	switch {
	case errors.Is(err, factor.ErrWrong):
		f.refused(r, p.req.ClientID, database.c, "A passkey was not accepted.")
		return f.askIdentifier(w, r, http.StatusBadRequest, p, ws, p.prog.Identifier, page.PasskeyFailed)
	case err != nil:
		return err
	case u.Profile.True(profile.Blocked):
		f.refused(r, p.req.ClientID, database.c, user.ErrBlocked.Text)
		return f.end(w, r, p, errBlocked)
	}
	if err := f.d.Factors.SignedIn(r.Context(), u, database.c, f.shows(r, p)); err != nil {
		return err
	}
	return f.proven(w, r, p, u, database.c, session.Key, session.MFA)
}

// atOffer opens a login that has come to the offer of a passkey, with all proofs
// that are due.
func (f *Flow) atOffer(w http.ResponseWriter, r *http.Request) (p *pass, u *user.User, done bool, err error) {
	if p, err = f.opened(r); err != nil {
		return nil, nil, false, err
	}
	if u, err = f.person(r.Context(), p); err != nil {
		return nil, nil, false, err
	}
	path, err := f.secondFactor(r, p, u)
	if err != nil {
		return nil, nil, false, err
	}
	if path == "" {
		if path, err = f.offerPasskey(r, p, u); err != nil {
			return nil, nil, false, err
		}
	}
	switch {
	case path == passkeyNewPath && !p.prog.done(stepPasskey):
		return p, u, false, nil
	case path != "" && path != passkeyNewPath:
		redirect(w, r, at(path, p.id))
		return nil, nil, true, nil
	}
	return nil, nil, true, f.skip(w, r, p, stepPasskey)
}

// showPasskeyOffer is GET /u/passkey-enrollment?state=….
func (f *Flow) showPasskeyOffer(w http.ResponseWriter, r *http.Request) error {
	p, u, done, err := f.atOffer(w, r)
	if done || err != nil {
		return err
	}
	return f.offerNewKey(w, r, http.StatusOK, p, u, factor.Passkey, passkeyNewPath, "")
}

// answerPasskeyOffer is the form of that page: passkey, or skip=1.
func (f *Flow) answerPasskeyOffer(w http.ResponseWriter, r *http.Request, form url.Values) error {
	p, u, done, err := f.atOffer(w, r)
	if done || err != nil {
		return err
	}
	if form.Get("skip") == "1" {
		if err := f.d.Factors.Declined(r.Context(), u); err != nil {
			return err
		}
		return f.skip(w, r, p, stepPasskey)
	}
	var c factor.Ceremony
	if _, err := p.prog.get(scratchKey, &c); err != nil {
		return err
	}
	_, err = f.d.Factors.EnrollKey(r.Context(), u, factor.Passkey, c.Session, form.Get("passkey"), f.shows(r, p))
	if problem, status, ok := factorProblem(err, page.PasskeyFailed); ok {
		return f.offerNewKey(w, r, status, p, u, factor.Passkey, passkeyNewPath, problem)
	}
	if err != nil {
		return err
	}
	return f.skip(w, r, p, stepPasskey)
}

// hasIdentity reports whether the user has an identity of the connection.
func hasIdentity(u *user.User, c *connection.Connection) bool {
	return slices.ContainsFunc(u.Identities, func(id user.Identity) bool { return id.ConnectionID == c.ID })
}
