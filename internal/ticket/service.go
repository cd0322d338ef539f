package ticket

import (
	"context"
	"errors"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/connection"
	"mangrove/internal/customdb"
	"mangrove/internal/errs"
	"mangrove/internal/letter"
	"mangrove/internal/user"
)

// Redeemer is what a ticket can do to a user; *user.Service in production.
type Redeemer interface {
	VerifyEmail(ctx context.Context, id user.ID, p user.Proof, a user.Actor) (*user.User, error)
	ResetPassword(ctx context.Context, id user.ID, p user.Proof, password string, verifies bool, a user.Actor) (*user.User, error)
	// Newcomer is whom a custom database knows by an identifier, perhaps not saved yet,
	// and which identity is meant. user.ErrNotFound: nobody, or none is asked.
	Newcomer(ctx context.Context, c *connection.Connection, identifier string) (*user.User, int, error)
}

// Unblocker releases an account; *guard.Service in production.
type Unblocker interface {
	Unblock(ctx context.Context, id user.ID, p user.Proof, a user.Actor) error
}

// Service is the use cases. All fields are required but those that say so.
type Service struct {
	Store       Store
	Users       user.Store
	Connections connection.Store
	Clients     client.Store
	Redeemer    Redeemer
	// Unblocker is what a ticket of Unblock does; nil: nothing.
	Unblocker Unblocker
	// Throttle bounds RequestReset; nil: nothing does.
	Throttle Throttler
	// Terms is what the tenant wants of mailed links; nil: nothing.
	Terms func(ctx context.Context, template, clientID string) (letter.Terms, error)
	// Later runs what an answer must not wait for, since its time would tell; nil: at
	// once. The context of the work has the values of ctx, and not its end.
	Later func(ctx context.Context, work func(ctx context.Context))
	// PublicURL is the server's address without a slash at its end. Links are made
	// of it alone, whatever a request calls the server.
	PublicURL string
	Now       func() time.Time
}

// HasClient reports whether there is such a client.
func (s *Service) HasClient(ctx context.Context, id string) (bool, error) {
	_, err := s.Clients.Client(ctx, id)
	if errors.Is(err, client.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Create makes a ticket and returns its URL, the only place of its secret. by
// says who asks. Errors: user.ErrNotFound, *errs.Error.
func (s *Service) Create(ctx context.Context, p Purpose, r Request, by audit.Event) (string, error) {
	t, err := s.target(ctx, p, r)
	if err != nil {
		return "", err
	}
	if err := t.forTicket(p); err != nil {
		return "", err
	}
	if err := s.around(ctx, r); err != nil {
		return "", err
	}
	by.Type, by.Description = audit.APIOperation, "Create an email verification ticket"
	if p == ChangePassword {
		by.Description = "Create a password change ticket"
	}
	return s.create(ctx, p, t, r, by)
}

func (s *Service) create(ctx context.Context, p Purpose, t *target, r Request, e audit.Event) (string, error) {
	id := t.identity()
	e.At, e.Connection, e.ConnectionID = s.Now().UnixMicro(), id.Connection, id.ConnectionID
	if e.UserID == "" {
		e.UserID = string(t.user.ID)
	}
	k, url := s.make(p, t, r)
	if err := s.Store.CreateTicket(ctx, k, e); err != nil {
		return "", err
	}
	return url, nil
}

// make draws the secret of a new ticket, and is its URL.
func (s *Service) make(p Purpose, t *target, r Request) (*Ticket, string) {
	secret := newSecret()
	hash, _ := hashOf(secret)
	id, ends := t.identity(), s.Now().Add(r.Lifetime)
	// The fragment is the recorded one: with it a reader that appends to the link
	// spoils nothing.
	return &Ticket{
		Hash: hash, Purpose: p, UserID: t.user.ID, ConnectionID: id.ConnectionID, Subject: id.Subject,
		Email: t.email(), PasswordSetAt: t.user.Password.SetAt,
		ResultURL: r.ResultURL, IncludeEmail: r.IncludeEmail, MarksVerified: r.MarksVerified,
		ExpiresAt: ends.UnixMicro(), KeptUntil: ends.Add(remembered).UnixMicro(),
	}, s.PublicURL + p.path() + "?ticket=" + secret + "#"
}

// RequestMail judges POST /jobs/verification-email. Errors as Create's.
func (s *Service) RequestMail(ctx context.Context, r Request) (user.VerificationMail, error) {
	t, err := s.target(ctx, VerifyEmail, r)
	if err != nil {
		return user.VerificationMail{}, err
	}
	if err := t.forMail(); err != nil {
		return user.VerificationMail{}, err
	}
	if err := s.around(ctx, r); err != nil {
		return user.VerificationMail{}, err
	}
	id := t.identity()
	return user.VerificationMail{UserID: t.user.ID, ConnectionID: id.ConnectionID, Subject: id.Subject, ApplicationID: r.ClientID, At: s.Now().UnixMicro()}, nil
}

// Reasons why no verification mail is written.
var (
	ErrGone     = errs.New(errs.NotFound, "", "The user no longer has this identity.")
	ErrNeedless = errs.New(errs.Conflict, "", "The email address is already verified.")
)

// Write makes the ticket for a verification mail, and the mail. Errors: ErrGone,
// ErrNeedless.
func (s *Service) Write(ctx context.Context, m user.VerificationMail, terms letter.Terms) (letter.Letter, error) {
	u, err := s.Users.User(ctx, m.UserID)
	if errors.Is(err, user.ErrNotFound) {
		return letter.Letter{}, ErrGone
	}
	if err != nil {
		return letter.Letter{}, err
	}
	t := &target{user: u, at: -1}
	for i := range u.Identities {
		if u.Identities[i].ConnectionID == m.ConnectionID && u.Identities[i].Subject == m.Subject {
			t.at = i
		}
	}
	switch {
	case t.at < 0 || t.email() == "":
		return letter.Letter{}, ErrGone
	case u.EmailProved(t.at):
		return letter.Letter{}, ErrNeedless
	}
	r := Request{Lifetime: terms.Lifetime, ResultURL: terms.ResultURL, IncludeEmail: terms.IncludeEmail && terms.ResultURL != ""}
	if r.Lifetime <= 0 {
		r.Lifetime = DefaultLifetime
	}
	l := letter.Letter{
		Template: letter.VerifyEmail, To: t.email(), UserID: string(u.ID), ConnectionID: m.ConnectionID, ClientID: m.ApplicationID,
		Language: m.Language, Lifetime: int64(r.Lifetime / time.Second),
	}
	// The mail itself is what the tenant log tells; the ticket is a part of it.
	l.URL, err = s.create(ctx, VerifyEmail, t, r, audit.Event{})
	return l, err
}

// Look tells what a ticket would do, and changes nothing: mail scanners look,
// too. A Result with an Err is all that redeeming it would give.
func (s *Service) Look(ctx context.Context, p Purpose, secret string) (Result, error) {
	_, r, err := s.open(ctx, p, secret)
	return r, err
}

// open finds a ticket by its secret. The error is a failure of ours; everything
// that is wrong with the ticket is in the Result, and then there may be no ticket.
func (s *Service) open(ctx context.Context, p Purpose, secret string) (*Ticket, Result, error) {
	hash, ok := hashOf(secret)
	if !ok {
		return nil, Result{Purpose: p, Err: user.ErrTicketOver}, nil
	}
	t, err := s.Store.Ticket(ctx, hash)
	if err == nil && t.Purpose != p {
		err = user.ErrTicketOver
	}
	if errors.Is(err, user.ErrTicketOver) {
		return nil, Result{Purpose: p, Err: err}, nil
	}
	if err != nil {
		return nil, Result{}, err
	}
	r := Result{Purpose: p, Err: t.state(s.Now().UnixMicro()), to: t.ResultURL}
	if t.IncludeEmail {
		r.email = t.Email
	}
	return t, r, nil
}

// Verify redeems a ticket of VerifyEmail. What an external store has against it is in
// the Result.
func (s *Service) Verify(ctx context.Context, secret string, a user.Actor) (Result, error) {
	t, r, err := s.open(ctx, VerifyEmail, secret)
	if err != nil || r.Err != nil {
		return r, err
	}
	_, err = s.Redeemer.VerifyEmail(ctx, t.UserID, t.proof(), a)
	var there *customdb.Failure
	if errors.As(err, &there) {
		// An external store has refused the address, which the application is told.
		r.Err, r.address = err, t.Email
		return r, nil
	}
	return r.after(err)
}

// Reset redeems a ticket of ChangePassword. A password that the policy refuses is
// the error *passwd.Weak, and user.ErrBusy that of too many at once; the ticket
// can be tried again. So it is with the errors of user.Service about external stores.
func (s *Service) Reset(ctx context.Context, secret, password string, a user.Actor) (Result, error) {
	t, r, err := s.open(ctx, ChangePassword, secret)
	if err != nil || r.Err != nil {
		return r, err
	}
	_, err = s.Redeemer.ResetPassword(ctx, t.UserID, t.proof(), password, t.MarksVerified, a)
	return r.after(err)
}

// after is the result of a redemption that ended with err: the refusals of
// tickets are results.
func (r Result) after(err error) (Result, error) {
	for _, refusal := range []error{user.ErrTicketUsed, user.ErrTicketOver, user.ErrAlreadyVerified} {
		if errors.Is(err, refusal) {
			r.Err = refusal
			return r, nil
		}
	}
	return r, err
}
