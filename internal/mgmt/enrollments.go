package mgmt

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/profile"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
	"mangrove/internal/user"
	"mangrove/internal/web"
)

var (
	errNoEnrollment    = errs.New(errs.NotFound, "enrollment_not_found", "Enrollment not found")
	errTicketFactor    = errs.New(errs.Invalid, "invalid_body", "A ticket can enroll an authenticator application (otp) or, where text messages are switched on, a phone.")
	errAlreadyEnrolled = errs.New(errs.Conflict, "", "The user is already enrolled; allow_multiple_enrollments is not set.")
)

// enrollmentRoutes are second factors as enrollments (reference/users.md §3.13,
// authentication.md §7.6, §8.2).
func (a *api) enrollmentRoutes() []route {
	return []route{
		{"POST", "/users/{id}/authentication-methods", oneOf("create:authentication_methods"), a.createMethod},
		{"PUT", "/users/{id}/authentication-methods", oneOf("update:authentication_methods"), a.setMethodsOf},
		{"PATCH", "/users/{id}/authentication-methods/{method}", oneOf("update:authentication_methods"), a.changeMethod},
		{"POST", "/users/{id}/recovery-code-regeneration", oneOf("update:users"), a.regenerateRecovery},
		{"GET", "/guardian/enrollments/{id}", oneOf("read:guardian_enrollments"), a.getEnrollment},
		{"DELETE", "/guardian/enrollments/{id}", oneOf("delete:guardian_enrollments"), a.deleteEnrollment},
		{"POST", "/guardian/enrollments/ticket", oneOf("create:guardian_enrollment_tickets"), a.enrollmentTicket},
	}
}

// authMethod is how an enrollment names its kind; empty: it is none.
func authMethod(k factor.Kind) string {
	switch k {
	case factor.TOTP:
		return "authenticator"
	case factor.Phone:
		return "sms"
	case factor.Roaming, factor.Platform:
		return string(k)
	}
	return ""
}

// enrollmentJSON is the wire form (UsersEnrollment).
func enrollmentJSON(f *factor.Factor) []byte {
	var o object
	o.text("id", f.Device)
	o.text("status", "confirmed")
	o.text("type", authMethod(f.Kind))
	if f.Detail.Name != "" {
		o.text("name", f.Detail.Name)
	}
	if f.Kind == factor.Phone {
		o.text("phone_number", f.Shown())
	}
	o.text("auth_method", authMethod(f.Kind))
	o.text("enrolled_at", iso(f.CreatedAt))
	if f.LastAuth != 0 {
		o.text("last_auth", iso(f.LastAuth))
	}
	return o.end()
}

// enrollments is GET /users/{id}/enrollments.
func (a *api) enrollments(w http.ResponseWriter, r *http.Request, by *caller) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	if err := by.actsOn(id, readUsers); err != nil {
		return err
	}
	_, all, err := a.methods(r)
	if err != nil {
		return err
	}
	var out []json.RawMessage
	for i := range all {
		if authMethod(all[i].Kind) != "" {
			out = append(out, enrollmentJSON(&all[i]))
		}
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(array(out)))
	return nil
}

// enrollment is the one in the path. Those that an import brought are known by
// their user alone.
func (a *api) enrollment(r *http.Request) (*user.User, factor.Factor, error) {
	id, err := web.Param(r, "id")
	if err != nil {
		return nil, factor.Factor{}, err
	}
	f, err := a.Factors.Store.FactorByDevice(r.Context(), id)
	if errors.Is(err, factor.ErrNone) || err == nil && authMethod(f.Kind) == "" {
		return nil, factor.Factor{}, errNoEnrollment
	}
	if err != nil {
		return nil, factor.Factor{}, err
	}
	u, err := a.UserStore.User(r.Context(), user.ID(f.UserID))
	if errors.Is(err, user.ErrNotFound) {
		err = errNoEnrollment
	}
	return u, f, err
}

// getEnrollment is GET /guardian/enrollments/{id}.
func (a *api) getEnrollment(w http.ResponseWriter, r *http.Request, _ *caller) error {
	_, f, err := a.enrollment(r)
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, json.RawMessage(enrollmentJSON(&f)))
	return nil
}

// deleteEnrollment is DELETE /guardian/enrollments/{id}.
func (a *api) deleteEnrollment(w http.ResponseWriter, r *http.Request, by *caller) error {
	u, f, err := a.enrollment(r)
	if err != nil {
		return err
	}
	if err := a.Factors.Unenroll(r.Context(), u, []factor.Factor{f}, factor.Actor{}, a.unenrolled(r, by, u.ID, "Delete a multi-factor authentication enrollment")...); err != nil {
		return err
	}
	return none(w)
}

// regenerateRecovery is POST /users/{id}/recovery-code-regeneration.
func (a *api) regenerateRecovery(w http.ResponseWriter, r *http.Request, by *caller) error {
	u, _, err := a.methods(r)
	if err != nil {
		return err
	}
	code, err := a.Factors.Regenerate(r.Context(), u, a.onUser(r, by, u.ID, "Generate New Multi-factor Authentication Recovery Code"))
	if errors.Is(err, factor.ErrNone) {
		return errNoEnrollment
	}
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, struct {
		Code string `json:"recovery_code"`
	}{code})
	return nil
}

// ticketBody is the body of POST /guardian/enrollments/ticket.
var ticketBody = schema.Property{
	Types: schema.Object, Closed: true, Required: []string{"user_id"},
	Members: []schema.Property{
		{Name: "user_id", Types: schema.String, Format: schema.FormatUserID, Description: "user_id for the enrollment ticket"},
		{Name: "email", Types: schema.String, Format: schema.FormatEmail, Description: "alternate email to which the enrollment email will be sent. Optional - by default, the email will be sent to the user's default address"},
		{Name: "send_mail", Types: schema.Boolean, Description: "Send an email to the user to start the enrollment"},
		{Name: "email_locale", Types: schema.String, Max: 35, NoControls: true, Description: "Optional. Specify the locale of the enrollment email. Used with send_email."},
		{
			Name: "factor", Types: schema.String, Description: "Optional. Specifies which factor the user must enroll with.",
			Enum: []string{"push-notification", "phone", "email", "otp", "webauthn-roaming", "webauthn-platform"},
		},
		{Name: "allow_multiple_enrollments", Types: schema.Boolean, Description: "Optional. Allows a user who has previously enrolled in MFA to enroll with additional factors."},
	},
}

// ticketKind is what a ticket enrolls; empty: whatever is switched on, an
// application before a phone.
func (a *api) ticketKind(r *http.Request, name string) (factor.Kind, error) {
	if name == "otp" {
		return factor.TOTP, nil
	}
	if name != "" && name != "phone" {
		return "", errTicketFactor
	}
	kinds, err := a.Factors.Enrollable(r.Context())
	if err != nil {
		return "", err
	}
	switch phone := slices.Contains(kinds, factor.Phone); {
	case name == "phone" && !phone:
		return "", errTicketFactor
	case phone && (name == "phone" || !slices.Contains(kinds, factor.TOTP)):
		return factor.Phone, nil
	}
	return factor.TOTP, nil
}

// enrollmentTicket is POST /guardian/enrollments/ticket.
func (a *api) enrollmentTicket(w http.ResponseWriter, r *http.Request, by *caller) error {
	body, err := readBody(r, ticketBody)
	if err != nil {
		return err
	}
	d := strictjson.ParseDocument(body)
	kind, err := a.ticketKind(r, d.Text("factor"))
	if err != nil {
		return err
	}
	u, err := a.UserStore.User(r.Context(), user.ID(profile.TextOf(d["user_id"])))
	if err != nil {
		return err
	}
	all, err := a.Factors.All(r.Context(), u)
	if err != nil {
		return err
	}
	req := factor.TicketRequest{
		Email: d.Text("email"), SendMail: d.Flag("send_mail"), Language: d.Text("email_locale"), Multiple: d.Flag("allow_multiple_enrollments"), Kind: kind,
	}
	if len(factor.Seconds(all)) > 0 && !req.Multiple {
		return errAlreadyEnrolled
	}
	id, link, err := a.Factors.NewTicket(r.Context(), u, req, a.onUser(r, by, u.ID, "Create a multi-factor authentication enrollment ticket"))
	if err != nil {
		return err
	}
	web.WriteJSON(w, http.StatusOK, web.TypeJSON, struct {
		ID  string `json:"ticket_id"`
		URL string `json:"ticket_url"`
	}{id, link})
	return nil
}
