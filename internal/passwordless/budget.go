package passwordless

import (
	"time"

	"mangrove/internal/errs"
	"mangrove/internal/guard"
	"mangrove/internal/profile"
)

// Budget is one use of something that there is a limited number of: Burst at
// once, and one more per Every. It is kept as the moment at which all of them
// are there again, which moves by Every with each use.
type Budget struct {
	Name  string
	Burst int64
	Every int64 // microseconds
}

// Slack is how far in the future that moment may be for one more use.
func (b Budget) Slack() int64 { return (b.Burst - 1) * b.Every }

// Wait is how long until one more use, for a budget that is whole again at full.
func (b Budget) Wait(full, now int64) int64 { return max(0, full-b.Slack()-now) }

// Limited is the refusal of a budget that is used up.
type Limited struct {
	Budget Budget
	// The next try may succeed After microseconds, at Until.
	After, Until int64
}

// errLimited is its public side.
var errLimited = errs.New(errs.TooMany, "too_many_requests", "Too many codes were requested. Please try again later.")

func (*Limited) Error() string { return errLimited.Text }
func (*Limited) Unwrap() error { return errLimited }

// Seconds is After for a Retry-After header.
func (l *Limited) Seconds() int64 { return max(1, (l.After+999_999)/1_000_000) }

const hour = int64(time.Hour / time.Microsecond)

// Ceilings (reference/authentication.md §4.10; security.md 79). Those of e-mail
// and of the tenant are ours.
const (
	startsPerHour     = 50   // of one address of the network
	smsBurst          = 10   // to one number, and one more per hour
	mailBurst         = 10   // to one address, and ten more per hour
	DefaultSMSCeiling = 1000 // text messages of the whole tenant per hour
)

// budgets are what one start spends. Who is known and who is not spends the
// same: who counts cannot tell them apart.
func budgets(class profile.Class, ip, recipient string, smsPerHour int64) []Budget {
	list := []Budget{{Name: "ip " + guard.Network(ip), Burst: startsPerHour, Every: hour / startsPerHour}}
	if class == profile.PasswordlessSMS {
		return append(list,
			Budget{Name: "sms " + recipient, Burst: smsBurst, Every: hour},
			Budget{Name: "sms", Burst: smsPerHour, Every: hour / smsPerHour})
	}
	return append(list, Budget{Name: "email " + recipient, Burst: mailBurst, Every: hour / mailBurst})
}
