package login

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/approval"
	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/page"
	onetime "mangrove/internal/passwordless"
	"mangrove/internal/ticket"
	"mangrove/internal/web"
)

var errForeign = errs.New(errs.Forbidden, "access_denied", "This request came from another site.")

// submitted answers a form of one of our pages.
type submitted func(w http.ResponseWriter, r *http.Request, form url.Values) error

// route is a page: show answers GET, take answers POST. Nil: there is no such method.
type route struct {
	path string
	show web.Handler
	take submitted
}

// Mount adds the routes.
func (f *Flow) Mount(r chi.Router) {
	for _, p := range slices.Concat(f.firstFactorPages(), f.secondFactorPages(), f.decisionPages(), f.linkPages()) {
		if p.show != nil {
			r.Get(p.path, web.Serve(p.show, f.fail).ServeHTTP)
		}
		if p.take != nil {
			r.Post(p.path, web.Serve(f.ours(p.take), f.fail).ServeHTTP)
		}
	}
	// Providers come back with a form of their own.
	back := web.Serve(f.comeBack, f.fail).ServeHTTP
	r.Get(callbackPath, back)
	r.Post(callbackPath, back)
	out := web.Serve(f.signOut, f.fail).ServeHTTP
	r.Get(signOutPath, out)
	r.Post(signOutPath, out)
	f.mountClassic(r)
}

// firstFactorPages ask who somebody is, and for a proof.
func (f *Flow) firstFactorPages() []route {
	return []route{
		{signInPath, f.showSignIn, f.checkPassword(true)},
		{identifierPath, f.showIdentifier, f.identify},
		{passwordPath, f.showPassword, f.checkPassword(false)},
		{signupPath, f.showSignUp, f.signUp},
		{connectionPath, f.chooseConnection, nil},
		{passkeyPath, nil, f.enterPasskey},
		{emailCodePath, f.showCode, f.enterCode},
		{smsCodePath, f.showCode, f.enterCode},
		{forgotPath, f.showForgot, f.forgot},
		{sentPath, f.showSent, nil},
	}
}

// secondFactorPages ask for a second factor, enroll one, or offer a passkey.
func (f *Flow) secondFactorPages() []route {
	return []route{
		{otpPath, f.showOTP, f.enterOTP},
		{recoveryPath, f.showRecovery, f.enterRecovery},
		{mfaEmailPath, f.showFactorCode(factor.Email), f.enterFactorCode(factor.Email)},
		{mfaSMSPath, f.showFactorCode(factor.Phone), f.enterFactorCode(factor.Phone)},
		{keyPath, f.showKey, f.enterKey},
		{chooseFactorPath, f.showFactorChoice, nil},
		{otpEnrollPath, f.showOTPEnrollment, f.enrollOTP},
		{mfaEmailNewPath, f.showEmailEnrollment, f.enrollEmail},
		{mfaSMSNewPath, f.showPhoneEnrollment, f.enrollPhone},
		{roamingEnrollPath, f.showKeyEnrollment(factor.Roaming), f.enrollKey(factor.Roaming)},
		{platformNewPath, f.showKeyEnrollment(factor.Platform), f.enrollKey(factor.Platform)},
		{recoveryShownPath, f.showNewRecovery, f.savedRecovery},
		{passkeyNewPath, f.showPasskeyOffer, f.answerPasskeyOffer},
	}
}

// decisionPages ask a person who is signed in.
func (f *Flow) decisionPages() []route {
	return []route{
		{consentPath, f.showConsent, f.decideConsent},
		{activatePath, f.showActivate, f.activate},
		{deviceConfirmPath, f.showDevice, f.decideDevice},
		{deviceDonePath, f.told(page.ToldDeviceDone), nil},
		{deviceDeniedPath, f.told(page.ToldDeviceDenied), nil},
		{decisionPath, f.showApproval, f.decideApproval},
		{approvedPath, f.told(page.ToldApproved), nil},
		{approvalOverPath, f.told(page.ToldApprovalOver), nil},
		{approvalDeniedPath, f.told(page.ToldApprovalDenied), nil},
		{approvalOtherPath, f.told(page.ToldApprovalOther), nil},
		{logoutPath, f.showLogout, f.logout},
	}
}

// linkPages are behind links of mails.
func (f *Flow) linkPages() []route {
	return []route{
		{verifyPath, f.showPress(ticket.VerifyEmail), f.press(f.d.Tickets.Verify)},
		{unblockPath, f.showPress(ticket.Unblock), f.press(f.d.Tickets.Release)},
		{resetPath, f.showReset, f.reset},
		{factor.TicketPath, f.showEnrollment, f.enroll},
		{onetime.VerifyPath, f.followLink, f.pressLink},
		{approval.Path, f.openApproval, nil},
	}
}

// ours lets only forms of our own pages in.
func (f *Flow) ours(take submitted) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !f.sameSite(r) {
			return errForeign
		}
		form, err := postForm(w, r)
		if err != nil {
			return err
		}
		return take(w, r, form)
	}
}

// sameSite refuses a form that another site posted. The pages' referrer policy
// makes browsers send Origin: null with our own forms, and where they send no
// Sec-Fetch-Site either (plain http, old browsers) only the state can tell: it
// is a secret, bound to the browser's cookie.
func (f *Flow) sameSite(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null" {
		return true
	}
	return f.origin.Check(r) == nil
}

// told is a page that says what came of something.
func (f *Flow) told(kind page.ToldKind) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return f.show(w, r, http.StatusOK, page.Told{Kind: kind})
	}
}
