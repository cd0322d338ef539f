package passwd

import (
	"testing"
	"time"
)

func TestSince(t *testing.T) {
	const day = 24 * time.Hour
	for _, row := range []struct {
		ago  time.Duration
		want string
	}{
		{-time.Hour, "a few seconds ago"},
		{0, "a few seconds ago"},
		{44 * time.Second, "a few seconds ago"},
		{45 * time.Second, "a minute ago"},
		{100 * time.Second, "2 minutes ago"},
		{44 * time.Minute, "44 minutes ago"},
		{50 * time.Minute, "an hour ago"},
		{100 * time.Minute, "2 hours ago"},
		{21 * time.Hour, "21 hours ago"},
		{22 * time.Hour, "a day ago"},
		{day, "a day ago"},
		{2 * day, "2 days ago"},
		{25 * day, "25 days ago"},
		{30 * day, "a month ago"},
		{46 * day, "2 months ago"},
		{200 * day, "7 months ago"},
		{365 * day, "a year ago"},
		{800 * day, "2 years ago"},
		{3650 * day, "10 years ago"},
	} {
		if got := since(row.ago); got != row.want {
			t.Errorf("%v: %q, want %q", row.ago, got, row.want)
		}
	}
}

func TestReused(t *testing.T) {
	got := Reused(2, 24*time.Hour)
	if got.Error() != "PasswordHistoryError: Password has previously been used" ||
		got.Description != "You may not reuse any of the last 2 passwords. This password was used a day ago." {
		t.Errorf("%v: %v", got, got.Description)
	}
}
