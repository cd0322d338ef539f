package store

import (
	"context"
	"encoding/json"
	"fmt"

	"mangrove/internal/audit"
	"mangrove/internal/letter"
	"mangrove/internal/passwordless"
)

const (
	codeColumns = `local_id, code_hash, client_id, tries, doc, expires_at, kept_until`
	issueCode   = `INSERT INTO passwordless_codes (connection_id, recipient, ` + codeColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (connection_id, recipient) DO UPDATE SET local_id = excluded.local_id, code_hash = excluded.code_hash,
		client_id = excluded.client_id, tries = excluded.tries, doc = excluded.doc, expires_at = excluded.expires_at,
		kept_until = excluded.kept_until`
	selectSentCode = `SELECT ` + codeColumns + ` FROM passwordless_codes WHERE connection_id = ? AND recipient = ?`
	// The count comes first: of any number of guesses at once, limit see the code.
	tryCode = `UPDATE passwordless_codes SET tries = tries + 1 WHERE connection_id = ? AND recipient = ? AND expires_at > ? AND tries < ?
		RETURNING ` + codeColumns
	forgiveTry = `UPDATE passwordless_codes SET tries = tries - 1 WHERE connection_id = ? AND recipient = ? AND code_hash = ? AND tries > 0`
	takeCode   = `DELETE FROM passwordless_codes WHERE connection_id = ? AND recipient = ? AND code_hash = ?`
	forgetCode = `DELETE FROM passwordless_codes WHERE local_id = ? AND connection_id = ?`

	// One more use moves the moment, unless that is too far away already.
	spendBudget = `INSERT INTO passwordless_budgets (name, full_at) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET full_at = ? + CASE WHEN passwordless_budgets.full_at > ? THEN passwordless_budgets.full_at ELSE ? END
		WHERE passwordless_budgets.full_at <= ?`
	budgetFullAt = `SELECT full_at FROM passwordless_budgets WHERE name = ?`
)

// sentLink is what no query asks for.
type sentLink struct {
	Link    bool              `json:"link,omitzero"`
	Params  map[string]string `json:"params,omitzero"`
	Browser string            `json:"browser,omitzero"`
}

func codePlace(connectionID, recipient string) string { return connectionID + "/" + recipient }

// IssueCode replaces the recipient's code and brings its letters on their way.
func (s *Store) IssueCode(ctx context.Context, c *passwordless.Code, now int64, budgets []passwordless.Budget, letters []letter.Letter, e audit.Event) error {
	doc, err := json.Marshal(sentLink{c.Link, c.Params, c.Browser})
	if err != nil {
		return err
	}
	sealed := s.seal(doc, "passwordless_codes", codePlace(c.ConnectionID, c.Recipient))
	return s.write(ctx, func(t tx) error {
		for _, b := range budgets {
			if err := spend(t, b, now); err != nil {
				return err
			}
		}
		err := t.send(nil, issueCode, c.ConnectionID, c.Recipient, c.LocalID, c.Hash, c.ClientID, c.Tries, sealed, c.ExpiresAt, c.KeptUntil)
		if err != nil {
			return err
		}
		if err := s.queueLetters(t, letters); err != nil {
			return err
		}
		return s.record(t, e)
	})
}

// SpendBudgets uses each of them once, or none.
func (s *Store) SpendBudgets(ctx context.Context, budgets []passwordless.Budget, now int64) error {
	return s.write(ctx, func(t tx) error {
		for _, b := range budgets {
			if err := spend(t, b, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// spend uses a budget once.
func spend(t tx, b passwordless.Budget, now int64) error {
	n, err := t.exec(spendBudget, b.Name, now+b.Every, b.Every, now, now, now+b.Slack())
	if err != nil || n > 0 {
		return err
	}
	var full int64
	if _, err := one(t, budgetFullAt, args(b.Name), &full); err != nil {
		return err
	}
	wait := b.Wait(full, now)
	return &passwordless.Limited{Budget: b, After: wait, Until: now + wait}
}

// Code finds the last code of a recipient.
func (s *Store) Code(ctx context.Context, connectionID, recipient string) (c passwordless.Code, err error) {
	err = s.read(ctx, func(r reader) error {
		c, err = s.sentCode(r, selectSentCode, connectionID, recipient)
		return err
	})
	return c, err
}

// TryCode counts a guess at the code, and shows it.
func (s *Store) TryCode(ctx context.Context, connectionID, recipient string, now, limit int64) (c passwordless.Code, err error) {
	err = s.write(ctx, func(t tx) error {
		c, err = s.sentCode(t, tryCode, connectionID, recipient, now, limit)
		return err
	})
	if err != nil {
		return passwordless.Code{}, err
	}
	return c, nil
}

func (s *Store) sentCode(r reader, q, connectionID, recipient string, more ...any) (passwordless.Code, error) {
	c := passwordless.Code{ConnectionID: connectionID, Recipient: recipient}
	var sealed []byte
	found, err := one(r, q, append(args(connectionID, recipient), more...),
		&c.LocalID, &c.Hash, &c.ClientID, &c.Tries, &sealed, &c.ExpiresAt, &c.KeptUntil)
	if err != nil {
		return passwordless.Code{}, err
	}
	if !found {
		return passwordless.Code{}, passwordless.ErrNone
	}
	doc, err := s.open(sealed, "passwordless_codes", codePlace(connectionID, recipient))
	if err != nil {
		return passwordless.Code{}, fmt.Errorf("one-time code: %w", err)
	}
	var d sentLink
	if err := json.Unmarshal(doc, &d); err != nil {
		return passwordless.Code{}, fmt.Errorf("stored one-time code: %w", err)
	}
	c.Link, c.Params, c.Browser = d.Link, d.Params, d.Browser
	return c, nil
}

// ForgiveTry takes one guess back.
func (s *Store) ForgiveTry(ctx context.Context, connectionID, recipient, hash string) error {
	return s.writePlain(ctx, func(t tx) error { return t.send(nil, forgiveTry, connectionID, recipient, hash) })
}

// TakeCode gives the code to one caller.
func (s *Store) TakeCode(ctx context.Context, connectionID, recipient, hash string) error {
	return s.write(ctx, func(t tx) error {
		n, err := t.exec(takeCode, connectionID, recipient, hash)
		if err == nil && n == 0 {
			return passwordless.ErrNone
		}
		return err
	})
}
