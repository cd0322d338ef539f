package server

import (
	"mangrove/internal/job"
	"mangrove/internal/mail"
)

// mailer sends the mails of jobs; nil when no mail server is configured.
func (s *Server) mailer() job.Mailer {
	if !s.cfg.Mail.Configured() {
		return nil
	}
	return &mail.Post{Sender: mail.New(s.cfg.Mail, s.cfg.Data, s.log), From: s.cfg.MailFrom, Operator: s.cfg.MailOperator}
}
