package server

import (
	"context"
	"path/filepath"
	"time"

	"mangrove/internal/outbound"
	"mangrove/internal/passwordless"
	"mangrove/internal/sms"
)

// smsTimeout is how long a gateway may take (reference/connections.md §6.4).
const smsTimeout = 30 * time.Second

// texter sends text messages.
func (s *Server) texter() *sms.Post {
	p := &sms.Post{Client: outbound.New(s.cfg.OutboundAllow, outbound.WithTimeout(smsTimeout)), Log: s.log, Now: s.now}
	if s.cfg.SMSDirectory {
		p.Directory = filepath.Join(s.cfg.Data, "sms")
	}
	return p
}

// factorTexter sends the codes of second factors by the options of the connection
// named sms.
func (s *Server) factorTexter() func(ctx context.Context, phone, code, language string) error {
	post := s.texter()
	return func(ctx context.Context, phone, code, language string) error {
		c, err := s.store.ConnectionByName(ctx, "sms")
		if err != nil {
			return err
		}
		return post.SendText(ctx, c, passwordless.Text{To: phone, Code: code, Language: language})
	}
}
