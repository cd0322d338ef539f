package mgmt

import (
	"net/http"

	"mangrove/internal/audit"
	"mangrove/internal/job"
	"mangrove/internal/ticket"
	"mangrove/internal/web"
)

// ticketRoutes are the links by which an owner of an e-mail address proves to be
// that (reference/users.md §3.10, §3.11).
func (a *api) ticketRoutes() []route {
	return []route{
		{"POST", "/tickets/email-verification", oneOf("create:user_tickets"), a.createTicket(ticket.VerifyEmail)},
		{"POST", "/tickets/password-change", oneOf("create:user_tickets"), a.createTicket(ticket.ChangePassword)},
		{"POST", "/jobs/verification-email", oneOf("update:users"), a.sendVerificationEmail},
	}
}

// createTicket is POST /tickets/{email-verification,password-change}.
func (a *api) createTicket(purpose ticket.Purpose) handler {
	return func(w http.ResponseWriter, r *http.Request, by *caller) error {
		members, err := web.ReadJSON(r)
		if err != nil {
			return err
		}
		req, err := ticket.ReadRequest(purpose, members)
		if err != nil {
			return err
		}
		url, err := a.Tickets.Create(r.Context(), purpose, req, by.event(r))
		if err != nil {
			return err
		}
		web.WriteJSON(w, http.StatusCreated, web.TypeJSON, struct {
			Ticket string `json:"ticket"`
		}{url})
		return nil
	}
}

// sendVerificationEmail is POST /jobs/verification-email.
func (a *api) sendVerificationEmail(w http.ResponseWriter, r *http.Request, by *caller) error {
	members, err := web.ReadJSON(r)
	if err != nil {
		return err
	}
	req, err := ticket.ReadMailRequest(members)
	if err != nil {
		return err
	}
	m, err := a.Tickets.RequestMail(r.Context(), req)
	if err != nil {
		return err
	}
	j := job.ForVerification(m, by.ClientID)
	e := by.event(r)
	e.Type, e.At, e.Description, e.UserID = audit.APIOperation, j.CreatedAt, "Create a job to send a verification email", string(m.UserID)
	if err := a.Jobs.CreateJob(r.Context(), j, e); err != nil {
		return err
	}
	if a.WakeJobs != nil {
		a.WakeJobs()
	}
	web.Note(r, "job", j.ID)
	web.WriteJSON(w, http.StatusCreated, web.TypeJSON, shownJob(j))
	return nil
}
