package user

import (
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/profile"
)

// reference/users.md §1.11.
func TestTaken(t *testing.T) {
	for _, row := range []struct {
		name  string
		names []string
		want  *errs.Error
	}{
		{"e-mail", []string{profile.GivenName, profile.Email}, ErrEmailTaken},
		{"phone number", []string{profile.PhoneNumber}, ErrTaken},
		{"either", []string{profile.Email, profile.PhoneNumber}, ErrTaken},
	} {
		t.Run(row.name, func(t *testing.T) {
			var changes []profile.Change
			for _, n := range row.names {
				changes = append(changes, profile.Change{Name: n})
			}
			if got := taken(changes); got != row.want {
				t.Errorf("%v, want %v", got, row.want)
			}
		})
	}
}
