package server

import (
	"context"
	"net/netip"

	"mangrove/internal/mail"
	"mangrove/internal/outbound"
)

// mailer writes and sends letters. Where the operator names no server, a tenant's
// provider may come at any time.
func (s *Server) mailer(ctx context.Context) (*mail.Post, error) {
	post := &mail.Post{
		From: s.cfg.MailFrom, Operator: s.cfg.MailOperator, Settings: s.store, Tenant: s.store, Clients: s.store, Connections: s.store,
		Users: s.store, PublicURL: s.cfg.PublicURL, Now: s.now, Log: s.log,
		Reach: func(a netip.Addr) bool { return outbound.Reachable(a, s.cfg.OutboundAllow) },
	}
	if s.cfg.Mail.Configured() {
		post.Sender = mail.New(s.cfg.Mail, s.cfg.Data, s.log)
	}
	return post, post.Refresh(ctx)
}

// mailChanged looks for a provider at once, for those who ask whether mails can be sent.
func (s *Server) mailChanged(ctx context.Context) {
	if err := s.post.Refresh(ctx); err != nil {
		s.log.ErrorContext(ctx, "the mail provider cannot be read", "error", err)
	}
}
