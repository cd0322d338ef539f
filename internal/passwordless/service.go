package passwordless

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/letter"
	"mangrove/internal/profile"
	"mangrove/internal/user"
)

// Users is what the use cases ask of user.Service.
type Users interface {
	FindPasswordless(ctx context.Context, c *connection.Connection, recipient string) (*user.User, string, error)
	SignInPasswordless(ctx context.Context, c *connection.Connection, recipient, local string, a user.Actor) (*user.User, error)
}

// Identities tells whether an id is somebody's.
type Identities interface {
	HasIdentity(ctx context.Context, connectionID, subject string) (bool, error)
}

// Text is one text message with a code.
type Text struct {
	To, Code    string
	Application string // name of the client
	Language    string
	// IP and UserAgent of whoever asked for it.
	IP, UserAgent string
}

// Texter sends text messages by what the connection's options say. Errors are
// *errs.Error with the code sms_provider_error (reference/connections.md §6.4),
// and may be told.
type Texter interface {
	SendText(ctx context.Context, c *connection.Connection, t Text) error
}

// textTimeout bounds the sending of a text message (reference/connections.md §6.4).
const textTimeout = 30 * time.Second

// VerifyPath is where links lead.
const VerifyPath = "/passwordless/verify_redirect"

// Service is the use cases. All fields are required but SMSPerHour and Wait.
type Service struct {
	Store      Store
	Users      Users
	Identities Identities
	Texts      Texter
	// Key keys the hashes: 32 bytes that are not in the database.
	Key []byte
	// PublicURL is the server's address without a slash at its end.
	PublicURL string
	Now       func() time.Time
	// SMSPerHour is the tenant's ceiling; zero: DefaultSMSCeiling.
	SMSPerHour int64
	// Wait waits, or ends with the context; nil: a timer.
	Wait func(ctx context.Context, d time.Duration)

	mu   sync.Mutex
	last map[string]sent // by connection id
}

// sent is how the last text message of a connection went.
type sent struct {
	took time.Duration
	err  error
}

// Request asks for a code or a link.
type Request struct {
	Connection *connection.Connection // of a passwordless class
	// Recipient is of the form that Recipient returns.
	Recipient   string
	ClientID    string
	Application string // the client's name
	// Link: an e-mail with a link instead of a code. Params are the parameters of
	// the authorization request that it answers.
	Link   bool
	Params map[string]string
	// Browser is the hash of the cookie of the browser that asks; empty: unknown.
	Browser  string
	Language string
}

// Start sends a code or a link and returns the local id of the user, or of the
// user to be. Whether there is such a user, whether it is blocked, and whether it
// may sign up, changes neither answer nor effort, only what is sent
// (security.md 73). Errors: *Limited; those of Texter.
func (s *Service) Start(ctx context.Context, r Request, a user.Actor) (localID string, err error) {
	c, now := r.Connection, s.Now()
	u, local, err := s.Users.FindPasswordless(ctx, c, r.Recipient)
	if err != nil {
		return "", err
	}
	o := c.CodeOptions()
	code := &Code{
		ConnectionID: c.ID, Recipient: hasher(s.Key).recipient(c.ID, r.Recipient), LocalID: local, ClientID: r.ClientID,
		Link: r.Link, Params: r.Params, Browser: r.Browser,
		ExpiresAt: now.UnixMicro() + o.Lifetime*1_000_000, KeptUntil: now.UnixMicro() + Remembered,
	}
	if u == nil {
		if code.LocalID, err = s.reserved(ctx, c, code.Recipient); err != nil {
			return "", err
		}
	}
	secret := newDigits(o.Length)
	if r.Link {
		secret = newLinkCode()
	}
	e := audit.Event{
		Type: audit.CodeSent, At: now.UnixMicro(), ClientID: r.ClientID, Connection: c.Name, ConnectionID: c.ID,
		IP: a.IP, UserAgent: a.UserAgent,
	}
	if r.Link {
		e.Type = audit.LinkSent
	}
	if u != nil {
		e.UserID = string(u.ID)
	}
	hash := hasher(s.Key).code(code, secret)
	mails := s.letters(r, u, secret, o.Lifetime, code.ExpiresAt)
	why := withheld(u != nil, u != nil && u.Profile.True(profile.Blocked), c.Signup().Disabled)
	if why == nil {
		code.Hash = hash
	} else {
		mails, e.Type, e.Description = nil, audit.LoginFailed, why.Text
	}
	spend := budgets(c.Class(), a.IP, code.Recipient, s.smsPerHour())
	if err := s.Store.IssueCode(ctx, code, now.UnixMicro(), spend, mails, e); err != nil {
		return "", err
	}
	if c.Class() == profile.PasswordlessSMS {
		t := Text{To: r.Recipient, Code: secret, Application: r.Application, Language: r.Language, IP: a.IP, UserAgent: a.UserAgent}
		if err := s.text(ctx, c, t, why == nil); err != nil {
			return "", err
		}
	}
	return code.LocalID, nil
}

func (s *Service) smsPerHour() int64 {
	if s.SMSPerHour > 0 {
		return s.SMSPerHour
	}
	return DefaultSMSCeiling
}

// reserved is the id that somebody new would get: that of the start before, as
// long as nobody else has it.
func (s *Service) reserved(ctx context.Context, c *connection.Connection, recipient string) (string, error) {
	old, err := s.Store.Code(ctx, c.ID, recipient)
	if errors.Is(err, ErrNone) {
		return user.NewPasswordlessID(), nil
	}
	if err != nil {
		return "", err
	}
	taken, err := s.Identities.HasIdentity(ctx, c.ID, old.LocalID)
	if taken {
		return user.NewPasswordlessID(), err
	}
	return old.LocalID, err
}

// letters is the mail of a start; none for text messages.
func (s *Service) letters(r Request, u *user.User, secret string, lifetime, expires int64) []letter.Letter {
	if r.Connection.Class() != profile.PasswordlessEmail {
		return nil
	}
	l := letter.Letter{
		Template: letter.Passwordless, To: r.Recipient, ConnectionID: r.Connection.ID, ClientID: r.ClientID,
		Language: r.Language, Lifetime: lifetime, ExpiresAt: expires, Vars: map[string]string{"send": "code"},
	}
	if u != nil {
		l.UserID = string(u.ID)
	}
	if r.Link {
		l.URL, l.Vars["send"] = s.link(r, secret), "link"
	} else {
		l.Code = secret
	}
	return []letter.Letter{l}
}

// link has the parameters that the reference's has. Of them the address and the
// code count: the request was kept when the link was asked for.
func (s *Service) link(r Request, secret string) string {
	v := url.Values{}
	for _, name := range []string{"scope", "response_type", "redirect_uri", "audience", "state"} {
		if p := r.Params[name]; p != "" {
			v.Set(name, p)
		}
	}
	v.Set("verification_code", secret)
	v.Set("connection", r.Connection.Name)
	v.Set("client_id", r.ClientID)
	v.Set("email", r.Recipient)
	return s.PublicURL + VerifyPath + "?" + v.Encode()
}

// text sends a text message. Where none may be sent it takes as long, and ends,
// as the last one of the connection did.
func (s *Service) text(ctx context.Context, c *connection.Connection, t Text, really bool) error {
	if !really {
		s.mu.Lock()
		was := s.last[c.ID]
		s.mu.Unlock()
		s.wait(ctx, was.took)
		return was.err
	}
	ctx, cancel := context.WithTimeout(ctx, textTimeout)
	defer cancel()
	began := time.Now()
	err := s.Texts.SendText(ctx, c, t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[string]sent{}
	}
	s.last[c.ID] = sent{time.Since(began), err}
	return err
}

func (s *Service) wait(ctx context.Context, d time.Duration) {
	if s.Wait != nil {
		s.Wait(ctx, d)
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Attempt is a code that somebody shows.
type Attempt struct {
	Connection *connection.Connection
	// Recipient is as it was typed or sent.
	Recipient, Code string
	// ClientID is the client for which it was sent.
	ClientID string
	// Link: the code came by a link.
	Link bool
}

// Check reports whether the code is right, without using it up, whatever client
// it was sent for. It counts as a guess unless it is. Errors: those of Redeem but
// the user's.
func (s *Service) Check(ctx context.Context, a Attempt) error {
	code, _, err := s.try(ctx, a)
	if err != nil {
		return err
	}
	return s.Store.ForgiveTry(ctx, code.ConnectionID, code.Recipient, code.Hash)
}

// Redeem uses the code up and signs its owner in, which makes the user at the
// first time. Errors: Wrong, ErrExpired, ErrTries; user.ErrBlocked,
// user.ErrSignupDisabled. Refusals are not recorded: the caller does.
func (s *Service) Redeem(ctx context.Context, a Attempt, by user.Actor) (*user.User, error) {
	code, recipient, err := s.try(ctx, a)
	if err != nil {
		return nil, err
	}
	if code.ClientID != a.ClientID {
		return nil, Wrong(a.Connection.Class())
	}
	err = s.Store.TakeCode(ctx, code.ConnectionID, code.Recipient, code.Hash)
	if errors.Is(err, ErrNone) {
		return nil, Wrong(a.Connection.Class())
	}
	if err != nil {
		return nil, err
	}
	return s.Users.SignInPasswordless(ctx, a.Connection, recipient, code.LocalID, by)
}

// Pending is a link that waits to be followed, for whoever holds its code: what
// it asks for, and the browser that asked. ok is false for everything else.
func (s *Service) Pending(ctx context.Context, a Attempt) (c Code, ok bool, err error) {
	recipient, ok := Recipient(a.Connection.Class(), a.Recipient)
	if !ok {
		return Code{}, false, nil
	}
	c, err = s.Store.Code(ctx, a.Connection.ID, hasher(s.Key).recipient(a.Connection.ID, recipient))
	if errors.Is(err, ErrNone) {
		return Code{}, false, nil
	}
	// Of a code of a few digits nothing is told here: guesses are counted.
	ok = err == nil && c.Link && c.ClientID == a.ClientID && c.ExpiresAt > s.Now().UnixMicro() && hasher(s.Key).right(&c, a.Code)
	return c, ok, err
}

// try counts the guess first and judges it then, so that of any number of
// guesses at once MaxTries are judged (security.md 80).
func (s *Service) try(ctx context.Context, a Attempt) (Code, string, error) {
	wrong := Wrong(a.Connection.Class())
	recipient, ok := Recipient(a.Connection.Class(), a.Recipient)
	if !ok {
		return Code{}, "", wrong
	}
	id, key, now := a.Connection.ID, hasher(s.Key).recipient(a.Connection.ID, recipient), s.Now().UnixMicro()
	c, err := s.Store.TryCode(ctx, id, key, now, MaxTries)
	if errors.Is(err, ErrNone) {
		switch c, err = s.Store.Code(ctx, id, key); {
		case errors.Is(err, ErrNone):
			return Code{}, "", wrong
		case err != nil:
			return Code{}, "", err
		}
		if why := whyNot(c, now); why != nil {
			return Code{}, "", why
		}
		return Code{}, "", wrong
	}
	if err != nil {
		return Code{}, "", err
	}
	if !hasher(s.Key).right(&c, guess(a.Code)) || c.Link != a.Link {
		return Code{}, "", wrong
	}
	return c, recipient, nil
}
