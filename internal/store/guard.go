package store

import (
	"context"
	"errors"

	"mangrove/internal/audit"
	"mangrove/internal/guard"
	"mangrove/internal/user"
)

var _ guard.Store = (*Store)(nil)

const (
	// Counts, unless there are as many already: then no row comes back.
	countFailure = `INSERT INTO login_failures (subject, address, identifier, connection_id, failures, last_at) VALUES (?, ?, ?, ?, 1, ?)
		ON CONFLICT (subject, address) DO UPDATE SET identifier = excluded.identifier, connection_id = excluded.connection_id,
		failures = CASE WHEN login_failures.last_at <= ? THEN 1 ELSE login_failures.failures + 1 END, last_at = excluded.last_at
		WHERE login_failures.failures < ? OR login_failures.last_at <= ? RETURNING failures`
	lastFailure = `SELECT last_at FROM login_failures WHERE subject = ? AND address = ?`
	// Draws, unless the bucket is empty: then no row comes back.
	draw = `INSERT INTO throttles (bucket, who, full_at) VALUES (?, ?, ?)
		ON CONFLICT (bucket, who) DO UPDATE SET full_at = CASE WHEN throttles.full_at > ? THEN throttles.full_at ELSE ? END + ?
		WHERE throttles.full_at <= ? RETURNING full_at`
	fullAt     = `SELECT full_at FROM throttles WHERE bucket = ? AND who = ?`
	refund     = `UPDATE throttles SET full_at = full_at - ? WHERE bucket = ? AND who = ?`
	forgive    = `DELETE FROM login_failures WHERE subject = ? AND address = ?`
	forgiveAll = `DELETE FROM login_failures WHERE subject = ?`
	blocksOf   = `SELECT identifier, address, connection_id FROM login_failures WHERE subject = ? AND failures >= ? AND last_at > ? ORDER BY last_at DESC, address LIMIT 1000`
	retire     = `INSERT INTO password_history (user_id, connection_id, set_at, hash) VALUES (?, ?, ?, ?) ON CONFLICT (user_id, connection_id, set_at) DO UPDATE SET hash = excluded.hash`
	forgetOld  = `DELETE FROM password_history WHERE user_id = ? AND connection_id = ? AND set_at NOT IN
		(SELECT h.set_at FROM password_history h WHERE h.user_id = ? AND h.connection_id = ? ORDER BY h.set_at DESC LIMIT ?)`
	oldPasswords = `SELECT hash, set_at FROM password_history WHERE user_id = ? AND connection_id = ? ORDER BY set_at DESC LIMIT ?`
)

// loginThrottle is the bucket that user.Forgiveness.Refund is of.
const loginThrottle = "login"

// CountAttempt counts all or, when it refuses, nothing.
func (s *Store) CountAttempt(ctx context.Context, c guard.Count) (got guard.Counted, err error) {
	err = s.write(ctx, func(t tx) error {
		got = guard.Counted{}
		if c.Limit.Burst > 0 {
			var ok bool
			if got.FullAt, ok, err = drawn(t, loginThrottle, c.Network, c.Limit, c.At); err != nil {
				return err
			}
			if got.Empty = !ok; got.Empty && c.RefuseAddress {
				return errUnchanged
			}
		}
		if c.MaxAttempts == 0 {
			return nil
		}
		found, err := one(t, countFailure, args(c.Subject, c.Address, c.Identifier, c.ConnectionID, c.At, c.Forgotten, c.MaxAttempts, c.Forgotten), &got.Failures)
		if err != nil || found {
			return err
		}
		if _, err := one(t, lastFailure, args(c.Subject, c.Address), &got.LastAt); err != nil {
			return err
		}
		if c.RefuseAccount {
			return errUnchanged
		}
		return nil
	})
	if errors.Is(err, errUnchanged) {
		err = nil
	}
	return got, err
}

// Untouched reports whether an attempt would be the first of its account, and its
// address is far from being refused: half of its bucket is there.
func (s *Store) Untouched(ctx context.Context, c guard.Count) (untouched bool, err error) {
	err = s.read(ctx, func(r reader) error {
		var at int64
		counted, err := one(r, lastFailure, args(c.Subject, c.Address), &at)
		if untouched = !counted; err != nil || counted || c.Limit.Burst == 0 {
			return err
		}
		at = 0
		_, err = one(r, fullAt, args(loginThrottle, c.Network), &at)
		untouched = at-c.At <= c.Limit.Burst/2*c.Limit.Every.Microseconds()
		return err
	})
	return untouched && err == nil, err
}

// drawn takes a token; of an empty bucket it tells when it is full again.
func drawn(t tx, bucket, who string, l guard.Limit, at int64) (full int64, ok bool, err error) {
	every := l.Every.Microseconds()
	room := (l.Burst - 1) * every
	ok, err = one(t, draw, args(bucket, who, at+every, at, at, every, at+room), &full)
	if err != nil || ok {
		return full, ok, err
	}
	_, err = one(t, fullAt, args(bucket, who), &full)
	return full, false, err
}

// Draw takes a token from a bucket.
func (s *Store) Draw(ctx context.Context, bucket, who string, l guard.Limit, at int64) (full int64, ok bool, err error) {
	err = s.write(ctx, func(t tx) (err error) {
		full, ok, err = drawn(t, bucket, who, l, at)
		return err
	})
	return full, ok, err
}

// Bucket is when a bucket will be full; zero: it is.
func (s *Store) Bucket(ctx context.Context, bucket, who string) (full int64, err error) {
	err = s.read(ctx, func(r reader) error {
		_, err := one(r, fullAt, args(bucket, who), &full)
		return err
	})
	return full, err
}

// Refill fills the buckets of that name.
func (s *Store) Refill(ctx context.Context, buckets []string, who string, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		for _, b := range buckets {
			if err := t.send(nil, `DELETE FROM throttles WHERE bucket = ? AND who = ?`, b, who); err != nil {
				return err
			}
		}
		return s.record(t, e)
	})
}

// Forgive takes back what was counted.
func (s *Store) Forgive(ctx context.Context, f user.Forgiveness) error {
	return s.write(ctx, func(t tx) error {
		if f.Subject != "" && f.Address != user.EveryAddress {
			// The others that are under way stay counted.
			err := t.send(nil, `UPDATE login_failures SET failures = failures - 1 WHERE subject = ? AND address = ? AND failures > 0`, f.Subject, f.Address)
			if err != nil {
				return err
			}
		}
		return refunded(t, f)
	})
}

// forgiven takes back what a change or a right password ends.
func forgiven(t tx, f user.Forgiveness) error {
	switch {
	case f.Subject == "":
	case f.Address == user.EveryAddress:
		if err := t.send(nil, forgiveAll, f.Subject); err != nil {
			return err
		}
	default:
		if err := t.send(nil, forgive, f.Subject, f.Address); err != nil {
			return err
		}
	}
	for _, subject := range f.Names {
		if err := t.send(nil, forgiveAll, subject); err != nil {
			return err
		}
	}
	return refunded(t, f)
}

func refunded(t tx, f user.Forgiveness) error {
	if f.Refund == 0 {
		return nil
	}
	return t.send(nil, refund, f.Refund, loginThrottle, f.Network)
}

// Blocks are the subject's counters with at least that many failures.
func (s *Store) Blocks(ctx context.Context, subject string, failures, since int64) (list []guard.Block, err error) {
	err = s.read(ctx, func(r reader) error {
		list = nil
		return r.query(blocksOf, args(subject, failures, since), func(r row) error {
			var b guard.Block
			err := r.Scan(&b.Identifier, &b.Address, &b.ConnectionID)
			list = append(list, b)
			return err
		})
	})
	return list, err
}

// ReleaseLogins forgives the subjects everywhere, and uses up a ticket.
func (s *Store) ReleaseLogins(ctx context.Context, subjects []string, r user.Redemption, e audit.Event) error {
	return s.write(ctx, func(t tx) error {
		if err := takeTicket(t, r); err != nil {
			return err
		}
		for _, subject := range subjects {
			if err := t.send(nil, forgiveAll, subject); err != nil {
				return err
			}
		}
		return s.record(t, e)
	})
}

// retired remembers a password that a change replaced.
func retired(t tx, id string, r user.Retirement) error {
	if r.Hash == "" {
		return nil
	}
	if err := t.send(nil, retire, id, r.ConnectionID, r.SetAt, r.Hash); err != nil {
		return err
	}
	return t.send(nil, forgetOld, id, r.ConnectionID, id, r.ConnectionID, int64(r.Keep))
}

// OldPasswords are the user's former passwords at a connection, the newest first.
func (s *Store) OldPasswords(ctx context.Context, id user.ID, connectionID string, limit int) (list []user.OldPassword, err error) {
	err = s.read(ctx, func(r reader) error {
		list = nil
		return r.query(oldPasswords, args(string(id), connectionID, int64(limit)), func(r row) error {
			var p user.OldPassword
			err := r.Scan(&p.Hash, &p.SetAt)
			list = append(list, p)
			return err
		})
	})
	return list, err
}
