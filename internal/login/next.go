package login

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"mangrove/internal/connection"
	"mangrove/internal/errs"
	"mangrove/internal/profile"
	"mangrove/internal/session"
	"mangrove/internal/user"
)

// step is what a login still lacks.
type step uint8

const (
	askSecondFactor step = iota
	offerKey             // a passkey, which the person may decline
	beginSession
	askConsent
	confirmDevice
	askApproval
	answerRequest
)

// facts of a login whose first factor is proven.
type facts struct {
	secondFactor bool // due, and not shown yet
	passkey      bool // may be offered
	session      bool // this login has its session, with all proofs in it
	consent      bool // missing
	device       bool // the login is for a device, and was not confirmed
	approval     bool // the login is for a request for approval, and was not decided
}

// following is the one place that decides what comes next. No session begins
// before the second factor, and nothing is given to an application before a session.
func following(c facts) step {
	switch {
	case c.secondFactor:
		return askSecondFactor
	case c.passkey:
		return offerKey
	case !c.session:
		return beginSession
	case c.consent:
		return askConsent
	case c.device:
		return confirmDevice
	case c.approval:
		return askApproval
	}
	return answerRequest
}

// The steps that can be passed over.
const (
	stepPasskey  = "passkey"
	stepDevice   = "device"
	stepApproval = "approval"
)

// proven goes on after a first factor: u showed, by those methods, to be
// themselves. u is not blocked, and their login is on record.
func (f *Flow) proven(w http.ResponseWriter, r *http.Request, p *pass, u *user.User, c *connection.Connection, methods ...string) error {
	if err := f.take(r.Context(), p); err != nil {
		return err
	}
	p.prog.UserID, p.prog.ConnectionID, p.prog.Methods, p.prog.AuthTime = string(u.ID), c.ID, methods, f.now()
	p.prog.SessionID, p.prog.Scratch = "", nil
	return f.goOn(w, r, p, u)
}

// confirmed goes on after a second factor.
func (f *Flow) confirmed(w http.ResponseWriter, r *http.Request, p *pass, methods ...string) error {
	u, err := f.person(r.Context(), p)
	if err != nil {
		return err
	}
	if err := f.take(r.Context(), p); err != nil {
		return err
	}
	for _, m := range methods {
		if !slices.Contains(p.prog.Methods, m) {
			p.prog.Methods = append(p.prog.Methods, m)
		}
	}
	// A session that was there does not have the proof: it gets another id.
	p.prog.SessionID, p.prog.Scratch = "", nil
	return f.goOn(w, r, p, u)
}

// skip marks a step as passed over and goes on.
func (f *Flow) skip(w http.ResponseWriter, r *http.Request, p *pass, step string) error {
	u, err := f.person(r.Context(), p)
	if err != nil {
		return err
	}
	if err := f.take(r.Context(), p); err != nil {
		return err
	}
	p.prog.Done = append(p.prog.Done, step)
	return f.goOn(w, r, p, u)
}

// person is the user of a login whose first factor is proven, as of now.
// errExpired: none is, or the user has gone or was blocked.
func (f *Flow) person(ctx context.Context, p *pass) (*user.User, error) {
	if p.prog.UserID == "" {
		return nil, errExpired
	}
	u, err := f.d.UserStore.User(ctx, user.ID(p.prog.UserID))
	switch {
	case errs.KindOf(err) == errs.NotFound:
		return nil, errExpired
	case err != nil:
		return nil, err
	case u.Profile.True(profile.Blocked):
		return nil, errExpired
	}
	return u, nil
}

// goOn takes the steps that need nobody, up to the first that does. p was taken,
// so nobody comes here twice with it.
func (f *Flow) goOn(w http.ResponseWriter, r *http.Request, p *pass, u *user.User) error {
	factorPath, err := f.secondFactor(r, p, u)
	if err != nil {
		return err
	}
	passkeyPath := ""
	if factorPath == "" && !p.prog.done(stepPasskey) && p.prog.SessionID == "" {
		if passkeyPath, err = f.offerPasskey(r, p, u); err != nil {
			return err
		}
	}
	known := facts{
		secondFactor: factorPath != "", passkey: passkeyPath != "", session: p.prog.SessionID != "",
		device:   p.req.DeviceCode != "" && !p.prog.done(stepDevice),
		approval: p.req.Approval != "" && !p.prog.done(stepApproval),
	}
	var s session.Session
	if following(known) == beginSession {
		if s, err = f.begin(w, r, p, u); err != nil {
			return err
		}
		p.prog.SessionID, known.session = s.ID, true
	} else if known.session {
		if s, err = f.own(r, p); err != nil {
			return err
		}
	}
	if known.session {
		if known.consent, err = f.consentNeeded(r, p, u); err != nil {
			return err
		}
	}
	switch following(known) {
	case askSecondFactor:
		return f.lead(w, r, p, factorPath)
	case offerKey:
		return f.lead(w, r, p, passkeyPath)
	case askConsent:
		return f.lead(w, r, p, consentPath)
	case confirmDevice:
		return f.lead(w, r, p, deviceConfirmPath)
	case askApproval:
		return f.lead(w, r, p, decisionPath)
	default:
		return f.d.Respond(w, r, p.req, s)
	}
}

// atEnd opens a login that lacks nothing but the person's decision: its session
// has begun, in this browser, with all proofs that are due.
func (f *Flow) atEnd(r *http.Request) (*pass, *user.User, error) {
	p, err := f.opened(r)
	if err != nil {
		return nil, nil, err
	}
	if p.prog.SessionID == "" {
		return nil, nil, errExpired
	}
	if _, err := f.own(r, p); err != nil {
		return nil, nil, err
	}
	u, err := f.person(r.Context(), p)
	if err != nil {
		return nil, nil, err
	}
	path, err := f.secondFactor(r, p, u)
	if err == nil && path != "" {
		err = errExpired
	}
	return p, u, err
}

// own is the session of this login, if it is still the browser's.
func (f *Flow) own(r *http.Request, p *pass) (session.Session, error) {
	s, err := f.Session(r)
	if errors.Is(err, session.ErrNone) || err == nil && s.ID != p.prog.SessionID {
		return session.Session{}, errExpired
	}
	return s, err
}

// lead sends the browser to a page of this login, under a new state.
func (f *Flow) lead(w http.ResponseWriter, r *http.Request, p *pass, path string) error {
	if err := f.renew(r.Context(), p); err != nil {
		return err
	}
	redirect(w, r, at(path, p.id))
	return nil
}

// at is a page's address with its state.
func at(path, state string) string { return path + "?state=" + url.QueryEscape(state) }
