package device

// Poll decides what a device is told, and changes the code accordingly: nil for
// an approved one, which is used up by it. The change stands also with a failure.
// What became of a code is told once.
func (c *Code) Poll(clientID string, now int64) error {
	if c.ClientID != clientID || c.State == Over {
		return ErrUnknown
	}
	if now >= c.ExpiresAt {
		c.State = Over
		return ErrExpired
	}
	if c.PolledAt != 0 && now-c.PolledAt < Interval.Microseconds() {
		return ErrSlowDown
	}
	c.PolledAt = now
	switch c.State {
	case Approved:
		c.State = Over
		return nil
	case Denied:
		c.State = Over
		return ErrDenied
	}
	return ErrPending
}
