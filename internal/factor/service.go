package factor

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/letter"
	"mangrove/internal/tenant"
	"mangrove/internal/user"
)

// Service is the use cases. All fields are required but those that say so.
type Service struct {
	Store   Store
	Users   user.Store
	Tenant  tenant.Reader
	Letters letter.Queue
	Audit   audit.Sink
	Now     func() time.Time
	// DeviceKey is what user.Factors makes devices with, the same on every node.
	DeviceKey []byte
	// PublicURL is the server's address without a slash at its end.
	PublicURL string
	// SMS hands a code to the gateway; nil: there is none, and no phone can be asked.
	SMS func(ctx context.Context, phone, code, language string) error
	// CountSMS counts a text message to a phone against the ceilings of all messages;
	// ip is the address from which somebody named the number, empty for one that is
	// enrolled. Errors of kind errs.TooMany. Nil: nothing is counted.
	CountSMS func(ctx context.Context, ip, phone string) error
	// Keys speaks WebAuthn; nil: no keys and no passkeys.
	Keys *Keys
}

// Actor is who shows a factor: the client, the browser, and its languages.
type Actor struct {
	user.Actor
	Language string // of letters; empty: the tenant's
}

// All are the factors of a user: what an import brought first, then the enrolled
// ones, oldest first. Unconfirmed ones are among them.
func (s *Service) All(ctx context.Context, u *user.User) ([]Factor, error) {
	enrolled, err := s.Store.Factors(ctx, string(u.ID), s.Now().UnixMicro())
	if err != nil {
		return nil, err
	}
	return append(imported(u, s.DeviceKey), enrolled...), nil
}

// imported are the factors in the user's own row.
func imported(u *user.User, key []byte) []Factor {
	var out []Factor
	for _, v := range user.Factors(u, key) {
		f := Factor{UserID: string(u.ID), Device: v.Device, Kind: Kind(v.Kind), Imported: true, Confirmed: true, CreatedAt: u.CreatedAt}
		if f.Kind == TOTP {
			f.Detail.Secret = v.Value
		} else {
			f.Detail.Address = v.Value
		}
		out = append(out, f)
	}
	return out
}

func masked(k Kind, address string) string {
	if !k.OutOfBand() {
		return ""
	}
	return user.MaskedAddress(string(k), address)
}

// Enrollable are the kinds of second factors that may be enrolled now, in the
// order in which they are offered.
func (s *Service) Enrollable(ctx context.Context) ([]Kind, error) {
	t, err := s.Tenant.Settings(ctx)
	if err != nil {
		return nil, err
	}
	var out []Kind
	for _, row := range []struct {
		kind Kind
		on   bool
	}{
		{TOTP, t.MFA.OTP},
		{Phone, t.MFA.SMS && s.SMS != nil},
		{Email, t.MFA.Email},
		{Roaming, t.MFA.WebAuthnRoaming && s.Keys != nil},
		{Platform, t.MFA.WebAuthnPlatform && s.Keys != nil},
	} {
		if row.on {
			out = append(out, row.kind)
		}
	}
	return out, nil
}

// event starts a record.
func (s *Service) event(kind string, u *user.User, a Actor, k Kind) audit.Event {
	e := audit.Event{Type: kind, At: s.Now().UnixMicro(), ClientID: a.ClientID, UserID: string(u.ID), IP: a.IP, UserAgent: a.UserAgent}
	if len(u.Identities) > 0 {
		e.Connection, e.ConnectionID = u.Primary().Connection, u.Primary().ConnectionID
	}
	if k != "" {
		e.Details, _ = json.Marshal(map[string]string{"factor": string(k)}) // of strings: cannot fail
	}
	return e
}

// guess counts a try before anything is compared.
func (s *Service) guess(ctx context.Context, u *user.User, a Actor, kind GuessKind) error {
	ok, err := s.Store.TakeGuess(ctx, string(u.ID), kind, s.Now().UnixMicro())
	if err != nil || ok {
		return err
	}
	return s.limited(ctx, u, a)
}

// limited records that somebody did something too often.
func (s *Service) limited(ctx context.Context, u *user.User, a Actor) error {
	if err := s.Audit.AppendEvents(ctx, s.event(audit.FactorLimited, u, a, "")); err != nil {
		return err
	}
	return ErrLimited
}

// wrong records a failure.
func (s *Service) wrong(ctx context.Context, u *user.User, a Actor, event string, k Kind) error {
	if err := s.Audit.AppendEvents(ctx, s.event(event, u, a, k)); err != nil {
		return err
	}
	return ErrWrong
}

// tried is the outcome of a change that depends on something being there still.
func (s *Service) tried(ctx context.Context, u *user.User, a Actor, event string, k Kind, err error) error {
	if errors.Is(err, ErrNone) || errors.Is(err, ErrReplayed) {
		return s.wrong(ctx, u, a, event, k)
	}
	return err
}

// proven is the change that follows a factor that was shown: it is confirmed if
// it was not, and its owner is told then.
func (s *Service) proven(u *user.User, a Actor, f *Factor) Change {
	c := Change{UserID: string(u.ID), Device: f.Device, Forgive: true, Events: []audit.Event{s.event(audit.FactorOK, u, a, f.Kind)}}
	if !f.Confirmed {
		c.Confirm = f.Device
		c.Events = append(c.Events, s.event(audit.EnrollCompleted, u, a, f.Kind))
		c.Letters = told(u, a, f.Kind)
	}
	return c
}

// asked are the factors of a kind that can be shown now: confirmed ones, or, for
// somebody who has none at all, what waits to be confirmed.
func asked(all []Factor, match func(Kind) bool) []Factor {
	return of(all, match, len(Seconds(all)) == 0)
}

// of are the factors of a kind: those that wait to be confirmed, or the others.
func of(all []Factor, match func(Kind) bool, waiting bool) []Factor {
	return slices.DeleteFunc(slices.Clone(all), func(f Factor) bool {
		return !match(f.Kind) || f.Confirmed == waiting
	})
}

// choice is which factors a code may belong to.
type choice func(all []Factor, match func(Kind) bool) []Factor

// confirming is the choice of who confirms an enrollment. Whoever has a factor
// has shown it before (proven).
func confirming(proven bool) choice {
	return func(all []Factor, match func(Kind) bool) []Factor {
		if len(Seconds(all)) > 0 && !proven {
			return nil
		}
		return of(all, match, true)
	}
}
