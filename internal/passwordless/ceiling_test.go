package passwordless

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// till keeps the names of the budgets that were spent.
type till struct {
	desk
	spent []string
}

func (l *till) SpendBudgets(_ context.Context, budgets []Budget, now int64) error {
	for _, b := range budgets {
		l.spent = append(l.spent, fmt.Sprintf("%s %d at %d", b.Name, b.Burst, now))
	}
	return nil
}

func TestSpendText(t *testing.T) {
	l := &till{}
	s := &Service{Store: l, Key: []byte("k"), SMSPerHour: 7, Now: func() time.Time { return time.UnixMicro(9) }}
	number := hasher(s.Key).recipient("", "+15551239167")
	for _, row := range []struct{ ip, want string }{
		{"192.0.2.1", "ip 192.0.2.1 50 at 9, sms " + number + " 10 at 9, sms 7 at 9"},
		{"", "sms " + number + " 10 at 9, sms 7 at 9"},
	} {
		l.spent = nil
		if err := s.SpendText(t.Context(), row.ip, "+15551239167"); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(l.spent, ", "); got != row.want {
			t.Errorf("%q: %s", row.ip, got)
		}
	}
}
