package store

import (
	"context"
	"encoding/json"
	"fmt"

	"mangrove/internal/approval"
	"mangrove/internal/audit"
	"mangrove/internal/letter"
)

const (
	insertApproval = `INSERT INTO approvals (request_hash, link_hash, client_id, user_id, session_id, state, doc, polled_at, expires_at, kept_until)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	approvalColumns = `request_hash, link_hash, client_id, user_id, session_id, state, doc, polled_at, expires_at`
	// lockApproval locks a row without changing it.
	lockApproval         = `UPDATE approvals SET state = state WHERE request_hash = ? RETURNING ` + approvalColumns
	selectApproval       = `SELECT ` + approvalColumns + ` FROM approvals WHERE request_hash = ?`
	selectApprovalByLink = `SELECT ` + approvalColumns + ` FROM approvals WHERE link_hash = ?`
	updateApproval       = `UPDATE approvals SET session_id = ?, state = ?, doc = ?, polled_at = ? WHERE request_hash = ?`
	// What most polls change.
	touchApproval  = `UPDATE approvals SET polled_at = ? WHERE request_hash = ?`
	endApprovalsOf = `DELETE FROM approvals WHERE session_id <> '' AND user_id IN `
	endApprovalsIn = `DELETE FROM approvals WHERE user_id = ? AND session_id = ?`
)

// storedApproval is what no query asks for.
type storedApproval struct {
	Scope        []string `json:"scope,omitzero"`
	Audience     string   `json:"audience,omitzero"`
	Message      string   `json:"message"`
	ConnectionID string   `json:"connection_id,omitzero"`
	AuthTime     int64    `json:"auth_time,omitzero"`
	Methods      []string `json:"methods,omitzero"`
}

func (s *Store) approvalDoc(r *approval.Request) ([]byte, error) {
	doc, err := json.Marshal(storedApproval{r.Scope, r.Audience, r.Message, r.ConnectionID, r.AuthTime, r.Methods})
	return s.seal(doc, "approvals", r.Hash), err
}

func (s *Store) readApproval(r reader, q, key string) (approval.Request, error) {
	var a approval.Request
	var sealed []byte
	found, err := one(r, q, args(key), &a.Hash, &a.LinkHash, &a.ClientID, &a.UserID, &a.SessionID, (*string)(&a.State), &sealed, &a.PolledAt, &a.ExpiresAt)
	if err == nil && !found {
		err = approval.ErrNone
	}
	if err != nil {
		return approval.Request{}, err
	}
	doc, err := s.open(sealed, "approvals", a.Hash)
	if err != nil {
		return approval.Request{}, fmt.Errorf("request for approval: %w", err)
	}
	var d storedApproval
	if err := json.Unmarshal(doc, &d); err != nil {
		return approval.Request{}, fmt.Errorf("stored request for approval: %w", err)
	}
	a.Scope, a.Audience, a.Message, a.ConnectionID, a.AuthTime, a.Methods = d.Scope, d.Audience, d.Message, d.ConnectionID, d.AuthTime, d.Methods
	return a, nil
}

// SaveApproval keeps a new request and brings its letters on their way.
func (s *Store) SaveApproval(ctx context.Context, r approval.Request, letters []letter.Letter, events ...audit.Event) error {
	doc, err := s.approvalDoc(&r)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t tx) error {
		err := t.send(nil, insertApproval, r.Hash, r.LinkHash, r.ClientID, r.UserID, r.SessionID, string(r.State), doc,
			r.PolledAt, r.ExpiresAt, r.ExpiresAt+approval.Stay.Microseconds())
		if err != nil {
			return err
		}
		if err := s.queueLetters(t, letters); err != nil {
			return err
		}
		return s.record(t, events...)
	})
}

// ChangeApproval runs fn on the locked request and saves the result.
func (s *Store) ChangeApproval(ctx context.Context, hash string, fn func(*approval.Request) ([]audit.Event, error)) error {
	return s.write(ctx, func(t tx) error {
		r, err := s.readApproval(t, lockApproval, hash)
		if err != nil {
			return err
		}
		state := r.State
		events, err := fn(&r)
		if err != nil {
			return err
		}
		if r.State == state {
			err = t.send(nil, touchApproval, r.PolledAt, hash)
		} else {
			var doc []byte
			if doc, err = s.approvalDoc(&r); err != nil {
				return err
			}
			err = t.send(nil, updateApproval, r.SessionID, string(r.State), doc, r.PolledAt, hash)
		}
		if err != nil {
			return err
		}
		return s.record(t, events...)
	})
}

// Approval finds a request, whatever became of it.
func (s *Store) Approval(ctx context.Context, hash string) (a approval.Request, err error) {
	return s.approvalBy(ctx, selectApproval, hash)
}

// ApprovalByLink finds a request by the hash of its link's secret.
func (s *Store) ApprovalByLink(ctx context.Context, linkHash string) (approval.Request, error) {
	return s.approvalBy(ctx, selectApprovalByLink, linkHash)
}

func (s *Store) approvalBy(ctx context.Context, q, key string) (a approval.Request, err error) {
	err = s.read(ctx, func(r reader) error {
		a, err = s.readApproval(r, q, key)
		return err
	})
	return a, err
}
