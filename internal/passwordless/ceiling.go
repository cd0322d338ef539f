package passwordless

import (
	"context"

	"mangrove/internal/profile"
)

// SpendText counts a text message that is none of ours, the code of a second
// factor, against the same ceilings: of its number, of the tenant, and of the
// address from which somebody named the number (empty: the number was known).
// Errors: *Limited; then nothing was counted.
func (s *Service) SpendText(ctx context.Context, ip, phone string) error {
	list := budgets(profile.PasswordlessSMS, ip, hasher(s.Key).recipient("", phone), s.smsPerHour())
	if ip == "" {
		list = list[1:]
	}
	return s.Store.SpendBudgets(ctx, list, s.Now().UnixMicro())
}
