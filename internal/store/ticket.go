package store

import (
	"context"
	"encoding/json"
	"fmt"

	"mangrove/internal/audit"
	"mangrove/internal/job"
	"mangrove/internal/letter"
	"mangrove/internal/ticket"
	"mangrove/internal/user"
)

const (
	insertTicket = `INSERT INTO tickets (ticket_hash, purpose, user_id, connection_id, subject, doc, used_at, expires_at, kept_until)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (user_id, purpose, connection_id, subject) DO UPDATE SET ticket_hash = excluded.ticket_hash, doc = excluded.doc,
		used_at = excluded.used_at, expires_at = excluded.expires_at, kept_until = excluded.kept_until`
	selectTicket = `SELECT purpose, user_id, connection_id, subject, doc, used_at, expires_at, kept_until FROM tickets WHERE ticket_hash = ?`
	// Of any number of calls one finds the ticket fresh.
	useTicket    = `UPDATE tickets SET used_at = ? WHERE ticket_hash = ? AND used_at = 0 AND expires_at > ?`
	returnTicket = `UPDATE tickets SET used_at = 0 WHERE ticket_hash = ? AND used_at = ?`
	ticketIsUsed = `SELECT used_at FROM tickets WHERE ticket_hash = ? AND used_at <> 0`
)

// storedTicket is what no query asks for.
type storedTicket struct {
	Email         string `json:"email"`
	PasswordSetAt int64  `json:"password_set_at,omitzero"`
	ResultURL     string `json:"result_url,omitzero"`
	IncludeEmail  bool   `json:"include_email,omitzero"`
	MarksVerified bool   `json:"marks_verified,omitzero"`
}

// CreateTicket replaces the ticket of the same purpose, user and identity.
func (s *Store) CreateTicket(ctx context.Context, t *ticket.Ticket, e audit.Event) error {
	return s.SendTicket(ctx, t, nil, e)
}

// SendTicket is CreateTicket with letters; a nil ticket leaves the events.
func (s *Store) SendTicket(ctx context.Context, t *ticket.Ticket, letters []letter.Letter, events ...audit.Event) error {
	if t == nil {
		return s.AppendEvents(ctx, events...)
	}
	doc, err := json.Marshal(storedTicket{t.Email, t.PasswordSetAt, t.ResultURL, t.IncludeEmail, t.MarksVerified})
	if err != nil {
		return err
	}
	sealed := s.seal(doc, "tickets", t.Hash)
	return s.write(ctx, func(x tx) error {
		err := x.send(nil, insertTicket, t.Hash, string(t.Purpose), string(t.UserID), t.ConnectionID, t.Subject, sealed, t.UsedAt, t.ExpiresAt, t.KeptUntil)
		if err != nil {
			return err
		}
		if err := s.queueLetters(x, letters); err != nil {
			return err
		}
		return s.record(x, events...)
	})
}

// Ticket finds one by the hash of its secret, whatever became of it.
func (s *Store) Ticket(ctx context.Context, hash string) (*ticket.Ticket, error) {
	t := &ticket.Ticket{Hash: hash}
	var sealed []byte
	err := s.read(ctx, func(r reader) error {
		found, err := one(r, selectTicket, args(hash), (*string)(&t.Purpose), (*string)(&t.UserID), &t.ConnectionID, &t.Subject,
			&sealed, &t.UsedAt, &t.ExpiresAt, &t.KeptUntil)
		if err == nil && !found {
			return user.ErrTicketOver
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	doc, err := s.open(sealed, "tickets", hash)
	if err != nil {
		return nil, fmt.Errorf("ticket: %w", err)
	}
	var d storedTicket
	if err := json.Unmarshal(doc, &d); err != nil {
		return nil, fmt.Errorf("stored ticket: %w", err)
	}
	t.Email, t.PasswordSetAt, t.ResultURL = d.Email, d.PasswordSetAt, d.ResultURL
	t.IncludeEmail, t.MarksVerified = d.IncludeEmail, d.MarksVerified
	return t, nil
}

// takeTicket uses up the ticket of a change; none is none.
func takeTicket(t tx, r user.Redemption) error {
	if r.Ticket == "" {
		return nil
	}
	n, err := t.exec(useTicket, r.At, r.Ticket, r.At)
	if err != nil || n > 0 {
		return err
	}
	var at int64
	switch used, err := one(t, ticketIsUsed, args(r.Ticket), &at); {
	case err != nil:
		return err
	case used:
		return user.ErrTicketUsed
	}
	return user.ErrTicketOver
}

// TakeTicket uses up a ticket.
func (s *Store) TakeTicket(ctx context.Context, r user.Redemption) error {
	return s.write(ctx, func(t tx) error { return takeTicket(t, r) })
}

// ReturnTicket undoes TakeTicket.
func (s *Store) ReturnTicket(ctx context.Context, r user.Redemption) error {
	return s.write(ctx, func(t tx) error { return t.send(nil, returnTicket, r.Ticket, r.At) })
}

// queueMail makes the job of a verification mail that a change asks for.
func queueMail(t tx, m *user.VerificationMail) error {
	if m == nil {
		return nil
	}
	return t.send(nil, insertJob, jobRow(job.ForVerification(*m, ""))...)
}
