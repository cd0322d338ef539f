package user

import (
	"context"
	"time"

	"mangrove/internal/connection"
	"mangrove/internal/passwd"
)

// OldPassword is a password that was replaced by another.
type OldPassword struct {
	Hash  string
	SetAt int64 // microseconds
}

// Retirement is a password that a change replaces, to be remembered. The zero
// Retirement is none.
type Retirement struct {
	ConnectionID string
	OldPassword
	// Keep is how many are kept of this user and connection, the newest.
	Keep int
}

// history is the passwords that identity i must not have again, newest first, of
// a policy that remembers n: the present one, and those that it replaced.
func (s *Service) history(ctx context.Context, u *User, i, n int) ([]OldPassword, error) {
	if n <= 0 {
		return nil, nil
	}
	var list []OldPassword
	if p := u.passwordAt(i); p.Hash != "" {
		list = append(list, OldPassword{p.Hash, u.passwordSince(i)})
	}
	if n > len(list) {
		old, err := s.Users.OldPasswords(ctx, u.ID, u.Identities[i].ConnectionID, n-len(list))
		if err != nil {
			return nil, err
		}
		list = append(list, old...)
	}
	return list, nil
}

// passwordSince is when the password of identity i was set.
func (u *User) passwordSince(i int) int64 {
	if at := u.passwordAt(i).SetAt; at != 0 {
		return at
	}
	return u.CreatedAt
}

// notAgain refuses a password of the history. Each comparison takes a turn of its
// own, so that a long history does not keep others from theirs.
func (s *Service) notAgain(ctx context.Context, n int, history []OldPassword, password string) error {
	for _, old := range history {
		used, _, err := s.Hashing.Verify(ctx, old.Hash, password)
		if err != nil {
			return err
		}
		if used {
			return passwd.Reused(n, time.Duration(s.Now().UnixMicro()-old.SetAt)*time.Microsecond)
		}
	}
	return nil
}

// retired is what a change of the password of identity i leaves to be remembered.
// It is called inside the change, on the password as it is then.
func (u *User) retired(i int, c *connection.Connection) Retirement {
	p, n := u.passwordAt(i), c.PasswordPolicy().History
	if p.Hash == "" || n < 2 {
		return Retirement{}
	}
	return Retirement{c.ID, OldPassword{p.Hash, u.passwordSince(i)}, n - 1}
}

// nextPassword applies policy and history of the connection to a new password of
// identity i, and hashes it. The policy comes first: it costs nothing.
func (s *Service) nextPassword(ctx context.Context, c *connection.Connection, u *User, i int, password string) (Password, error) {
	if err := checkPassword(c, password, u.profileAt(i)); err != nil {
		return Password{}, err
	}
	n := c.PasswordPolicy().History
	history, err := s.history(ctx, u, i, n)
	if err != nil {
		return Password{}, err
	}
	if err := s.notAgain(ctx, n, history, password); err != nil {
		return Password{}, err
	}
	return s.hashed(ctx, password)
}
