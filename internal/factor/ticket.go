package factor

import (
	"context"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/profile"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

// Ticket lets who holds it enroll an authenticator application, or a phone, for a
// user, once (POST /guardian/enrollments/ticket).
type Ticket struct {
	Hash   string `json:"-"` // of its secret
	UserID string `json:"-"`
	// Seed is the secret that the page shows. It is made with the ticket, so that
	// the page stays the same however often it is opened.
	Seed string `json:"seed"`
	// Kind is TOTP or Phone; empty: TOTP.
	Kind Kind `json:"kind,omitzero"`
	// Phone is the number that was typed, to which the code with the secret was sent.
	Phone  string `json:"phone,omitzero"`
	Secret string `json:"secret,omitzero"`
	// Multiple: also somebody who has one may enroll another.
	Multiple  bool  `json:"multiple,omitzero"`
	ExpiresAt int64 `json:"-"` // microseconds
}

// TicketLifetime of an enrollment ticket, microseconds: that of the other tickets.
const TicketLifetime = 432000 * 1_000_000

// TicketPath is where a ticket is redeemed.
const TicketPath = "/u/mfa-enrollment-ticket"

// ErrTicket says that there is no such ticket, or it is over.
var ErrTicket = errs.New(errs.Invalid, "", "Access expired.")

// TicketRequest is what a body asks for.
type TicketRequest struct {
	Email    string // where the link is sent; empty: to the user's own address
	SendMail bool
	Language string
	Multiple bool
	Kind     Kind // TOTP or Phone
}

// NewTicket makes a ticket and returns its secret and its URL.
func (s *Service) NewTicket(ctx context.Context, u *user.User, r TicketRequest, e audit.Event) (id, link string, err error) {
	now := s.Now().UnixMicro()
	secret := token.NewSecret()
	t := Ticket{Hash: token.HashOf(secret), UserID: string(u.ID), Seed: NewSeed(), Kind: r.Kind, Multiple: r.Multiple, ExpiresAt: now + TicketLifetime}
	link = s.PublicURL + TicketPath + "?ticket=" + secret
	var letters []letter.Letter
	if r.SendMail {
		to := r.Email
		if to == "" {
			to = u.Profile.Text(profile.Email)
		}
		if to != "" {
			letters = []letter.Letter{{
				Template: letter.EnrollmentEmail, To: to, UserID: string(u.ID), ConnectionID: u.Primary().ConnectionID,
				Language: r.Language, URL: link, Lifetime: TicketLifetime / 1_000_000,
			}}
		}
	}
	return secret, link, s.Store.SaveEnrollmentTicket(ctx, t, letters, e)
}

// Ticket finds what a ticket is good for, and changes nothing. ErrTicket.
func (s *Service) Ticket(ctx context.Context, secret string) (Ticket, *user.User, error) {
	t, err := s.Store.EnrollmentTicket(ctx, token.HashOf(secret), s.Now().UnixMicro())
	if err != nil {
		return Ticket{}, nil, err
	}
	u, err := s.Users.User(ctx, user.ID(t.UserID))
	if errs.KindOf(err) == errs.NotFound || err == nil && u.Profile.True(profile.Blocked) {
		return Ticket{}, nil, ErrTicket
	}
	return t, u, err
}

// Redeem takes the application of a ticket, once its first code is right. Errors:
// ErrTicket, and those of EnrollTOTP.
func (s *Service) Redeem(ctx context.Context, t Ticket, u *user.User, code string, a Actor) (recovery string, err error) {
	if err := s.guess(ctx, u, a, Guessing); err != nil {
		return "", err
	}
	typed, ok := typedCode(code)
	step, match := matchingStep(t.Seed, typed, s.Now().Unix())
	if !ok || !match {
		return "", s.wrong(ctx, u, a, audit.FactorFailed, TOTP)
	}
	if err := s.SpendTicket(ctx, t); err != nil {
		return "", err
	}
	return s.enroll(ctx, u, Factor{Kind: TOTP, Detail: Detail{Secret: t.Seed}}, step, a)
}

// SendTicketCode sends a code to the number that the page of a ticket was told.
// Errors: those of SendCode, ErrTicket.
func (s *Service) SendTicketCode(ctx context.Context, t Ticket, u *user.User, phone string, a Actor) (Ticket, error) {
	secret, err := s.SendCode(ctx, u, Enrolling(Phone, phone), a)
	if err != nil {
		return t, err
	}
	t.Phone, t.Secret = phone, secret
	return t, s.Store.UpdateEnrollmentTicket(ctx, t, s.Now().UnixMicro())
}

// RedeemPhone takes the phone of a ticket, once its first code is right. Errors:
// ErrTicket, and those of EnrollCode.
func (s *Service) RedeemPhone(ctx context.Context, t Ticket, u *user.User, code string, a Actor) (recovery string, err error) {
	to := Enrolling(Phone, t.Phone)
	if err := s.rightCode(ctx, u, to, t.Secret, code, a); err != nil {
		return "", err
	}
	if err := s.SpendTicket(ctx, t); err != nil {
		return "", err
	}
	return s.enroll(ctx, u, Factor{Kind: Phone, Detail: Detail{Address: t.Phone}}, 0, a)
}

// SpendTicket uses it up: of any number of calls one succeeds. ErrTicket.
func (s *Service) SpendTicket(ctx context.Context, t Ticket) error {
	ok, err := s.Store.TakeEnrollmentTicket(ctx, t.Hash, s.Now().UnixMicro())
	if err == nil && !ok {
		return ErrTicket
	}
	return err
}
