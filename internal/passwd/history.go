package passwd

import (
	"fmt"
	"time"
)

// Reused is the refusal of one of the last n passwords, which was set that long
// ago (reference/authentication.md §5.2).
func Reused(n int, ago time.Duration) *Weak {
	return &Weak{
		Name: "PasswordHistoryError", Message: "Password has previously been used",
		Description: fmt.Sprintf("You may not reuse any of the last %d passwords. This password was used %s.", n, since(ago)),
	}
}

// since words a duration in the reference's manner: "a day ago".
func since(d time.Duration) string {
	const day = 24 * time.Hour
	round := func(unit time.Duration) int { return int((d + unit/2) / unit) }
	switch {
	case d < 45*time.Second:
		return "a few seconds ago"
	case d < 90*time.Second:
		return "a minute ago"
	case d < 45*time.Minute:
		return fmt.Sprintf("%d minutes ago", round(time.Minute))
	case d < 90*time.Minute:
		return "an hour ago"
	case d < 22*time.Hour:
		return fmt.Sprintf("%d hours ago", round(time.Hour))
	case d < 36*time.Hour:
		return "a day ago"
	case d < 26*day:
		return fmt.Sprintf("%d days ago", round(day))
	case d < 45*day:
		return "a month ago"
	case d < 320*day:
		return fmt.Sprintf("%d months ago", max(2, round(30*day)))
	case d < 548*day:
		return "a year ago"
	}
	return fmt.Sprintf("%d years ago", max(2, round(365*day)))
}
