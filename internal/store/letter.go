package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"mangrove/internal/audit"
	"mangrove/internal/letter"
	"mangrove/internal/tenant"
)

const (
	insertLetter = `INSERT INTO letters (letter_id, user_id, letter, created_at, due_at, fence) VALUES (?, ?, ?, ?, ?, 0)`
	dueLetter    = `SELECT l.letter_id FROM letters l WHERE l.due_at <= ? ORDER BY l.due_at LIMIT 1`
	// claimLetter asks again what the subquery asked: when two nodes chose the same
	// letter, the second finds it taken.
	claimLetter = `UPDATE letters SET due_at = ?, fence = fence + 1 WHERE letter_id = (` + dueLetter + `) AND due_at <= ?
		RETURNING letter_id, letter, created_at, fence`
	postponeLetter = `UPDATE letters SET due_at = ? WHERE letter_id = ? AND fence = ?`
	deleteLetter   = `DELETE FROM letters WHERE letter_id = ? AND fence = ?`
)

// OnLetters has fn called whenever letters were queued here, once they are durable. It
// must not block, and is set before the store is used.
func (s *Store) OnLetters(fn func()) { s.queued = fn }

// queueLetters brings letters on their way with the transaction that causes them.
func (s *Store) queueLetters(t tx, letters []letter.Letter) error {
	if len(letters) > 0 && s.queued != nil {
		t.committed(s.queued)
	}
	now := s.micros()
	for i := range letters {
		b, err := json.Marshal(&letters[i])
		if err != nil {
			return err
		}
		id := "ltr_" + rand.Text()
		if err := t.send(nil, insertLetter, id, letters[i].UserID, s.seal(b, "letters", id), now, now); err != nil {
			return err
		}
	}
	return nil
}

// SendLetters queues letters that belong to no other change.
func (s *Store) SendLetters(ctx context.Context, letters []letter.Letter, events ...audit.Event) error {
	return s.write(ctx, func(t tx) error {
		if err := s.queueLetters(t, letters); err != nil {
			return err
		}
		return s.record(t, events...)
	})
}

// ClaimLetter leases the letter that is due for the longest time; nil: none is.
func (s *Store) ClaimLetter(ctx context.Context, now, until int64) (q *letter.Queued, err error) {
	// Idle nodes ask all the time: that must not be a write.
	var found bool
	err = s.read(ctx, func(r reader) error {
		var id string
		found, err = one(r, dueLetter, args(now), &id)
		return err
	})
	if err != nil || !found {
		return nil, err
	}
	var sealed []byte
	for range tries { // another node may take the one that we choose
		err = s.write(ctx, func(t tx) error {
			q = &letter.Queued{}
			found, err := one(t, claimLetter, args(until, now, now), &q.ID, &sealed, &q.CreatedAt, &q.Fence)
			if err != nil || found {
				return err
			}
			var id string
			if more, err := one(t, dueLetter, args(now), &id); err != nil {
				return err
			} else if more {
				return errAgain
			}
			return errUnchanged
		})
		if !errors.Is(err, errAgain) {
			break
		}
	}
	if errors.Is(err, errAgain) || errors.Is(err, errUnchanged) {
		return nil, nil //nolint:nilnil // there is no letter
	}
	if err != nil {
		return nil, err
	}
	b, err := s.open(sealed, "letters", q.ID)
	if err == nil {
		err = json.Unmarshal(b, &q.Letter)
	}
	if err != nil {
		return nil, fmt.Errorf("letter %s: %w", q.ID, err)
	}
	return q, nil
}

// PostponeLetter makes a claimed letter due later; one that is another's stays.
func (s *Store) PostponeLetter(ctx context.Context, q *letter.Queued, until int64) error {
	return s.write(ctx, func(t tx) error { return t.send(nil, postponeLetter, until, q.ID, q.Fence) })
}

// FinishLetter removes a claimed letter; letter.ErrTaken when it is another's.
func (s *Store) FinishLetter(ctx context.Context, q *letter.Queued, events ...audit.Event) error {
	return s.write(ctx, func(t tx) error {
		n, err := t.exec(deleteLetter, q.ID, q.Fence)
		if err != nil {
			return err
		}
		if n == 0 {
			return letter.ErrTaken
		}
		return s.record(t, events...)
	})
}

// mailDocument is the name of a document among those of the tenant.
func mailDocument(name string) tenant.Name { return tenant.Name("mail/" + name) }

// mailSettings are all that a letter may need of the documents.
type mailSettings map[string]json.RawMessage

// MailDocument reads a document; nil: it was never set. It may be a second old.
func (s *Store) MailDocument(ctx context.Context, name string) (json.RawMessage, error) {
	v, err := s.cache.mail.get(name, func() (*mailSettings, error) {
		doc, err := s.TenantDocument(ctx, mailDocument(name))
		return &mailSettings{name: doc}, err
	})
	if err != nil {
		return nil, err
	}
	return (*v)[name], nil
}

// UpdateMailDocument runs fn on the locked document and keeps the result; nil
// removes it.
func (s *Store) UpdateMailDocument(ctx context.Context, name string, fn func(json.RawMessage) (json.RawMessage, error), e audit.Event) (json.RawMessage, error) {
	defer s.cache.mail.drop()
	return s.UpdateTenantDocument(ctx, mailDocument(name), fn, e)
}
