package user

import (
	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/opt"
	"mangrove/internal/profile"
)

// Why a ticket is refused; the texts are those of the reference
// (reference/authentication.md §8.1).
var (
	ErrTicketUsed      = errs.New(errs.Invalid, "", "This URL can be used only once")
	ErrTicketOver      = errs.New(errs.Invalid, "", "Access expired.")
	ErrAlreadyVerified = errs.New(errs.Invalid, "", "This account is already verified.")
)

// Proof is what whoever holds a ticket has proved: to be the owner of an
// identity of a user, as both were when the ticket was made.
type Proof struct {
	Ticket                string // its hash; used up in the transaction of the change
	ConnectionID, Subject string // of the identity
	Email                 string
	// PasswordSetAt is Password.SetAt.
	PasswordSetAt int64
}

// Redemption is the use of a ticket; the zero Redemption is none.
type Redemption struct {
	Ticket string // hash
	At     int64  // microseconds
}

// identity is the index of the proof's identity. ErrTicketOver: the identity, its
// address or the user's password are no longer those that the ticket was made for.
func (p Proof) identity(u *User) (int, error) {
	for i := range u.Identities {
		if id := &u.Identities[i]; id.ConnectionID == p.ConnectionID && id.Subject == p.Subject {
			if p.Email == "" || u.EmailOf(i) != p.Email || u.Password.SetAt != p.PasswordSetAt {
				break
			}
			return i, nil
		}
	}
	return 0, ErrTicketOver
}

// elsewhere is identity for one of an external store, which alone knows the address.
func (p Proof) elsewhere(u *User) (int, error) {
	i := u.identityIndex(p.ConnectionID, p.Subject)
	if i < 0 || p.Email == "" || u.Password.SetAt != p.PasswordSetAt {
		return 0, ErrTicketOver
	}
	return i, nil
}

// profileOf is the profile of identity i, to be changed: of the first it is the user's.
func (u *User) profileOf(i int) *profile.Profile {
	if i == 0 {
		return &u.Profile
	}
	return &u.Identities[i].ProfileData
}

// EmailOf is the e-mail address of identity i; empty: it has none.
func (u *User) EmailOf(i int) string { return u.profileOf(i).Text(profile.Email) }

// EmailProved reports whether the address of identity i is verified.
func (u *User) EmailProved(i int) bool { return u.profileOf(i).True(profile.EmailVerified) }

// VerificationMail asks for a mail by which the owner of an identity can verify
// the address. It becomes a job of its own (job.ForVerification).
type VerificationMail struct {
	UserID                ID
	ConnectionID, Subject string // of the identity
	// ApplicationID is the client that the mail names; empty: none.
	ApplicationID string
	// At is when it was asked for, microseconds.
	At int64
	// Language is as letter.Letter has it.
	Language string
}

// mails reports whether mails can be sent now.
func (s *Service) mails() bool {
	return s.MailsReady != nil && s.MailsReady()
}

// asksVerification decides whether a user of ours with that profile is sent a
// verification mail (reference/users.md §1.9): what verify_email says; where it
// says nothing, somebody new with an unverified address.
func asksVerification(created bool, asked opt.Value[bool], p profile.Profile) bool {
	if !p.Has(profile.Email) {
		return false
	}
	return asked.Or(created && !p.True(profile.EmailVerified))
}

// verification is the mail for identity i, nil where none is due.
func (s *Service) verification(created bool, asked opt.Value[bool], class profile.Class, applicationID, language string, u *User, i int) *VerificationMail {
	if !s.mails() || !class.HasPasswords() || !asksVerification(created, asked, *u.profileOf(i)) {
		return nil
	}
	id := &u.Identities[i]
	return &VerificationMail{u.ID, id.ConnectionID, id.Subject, applicationID, s.Now().UnixMicro(), language}
}

// refused is the record of a ticket that was not redeemed.
func refused(e audit.Event, err error) audit.Event {
	e.Description = errs.From(err).Text
	return e
}

// Holds reports whether the proof is still one: ErrTicketOver when it is not.
func (p Proof) Holds(u *User) error {
	_, err := p.identity(u)
	return err
}
