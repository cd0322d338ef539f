package storetest

import (
	"context"
	"slices"
	"sync"

	"mangrove/internal/audit"
	"mangrove/internal/connection"
	"mangrove/internal/letter"
	"mangrove/internal/passwordless"
	"mangrove/internal/store"
)

// Mailbox is a store that remembers the one-time codes and links that are sent,
// and the SMS gateway beside it.
type Mailbox struct {
	*store.Store
	// Broken is what the gateway answers.
	Broken error

	mu      sync.Mutex
	letters []letter.Letter
	texts   []passwordless.Text
}

// IssueCode is the store's.
func (m *Mailbox) IssueCode(ctx context.Context, c *passwordless.Code, now int64, b []passwordless.Budget, letters []letter.Letter, e audit.Event) error {
	if err := m.Store.IssueCode(ctx, c, now, b, letters, e); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.letters = append(m.letters, letters...)
	return nil
}

// SendText is the gateway.
func (m *Mailbox) SendText(_ context.Context, _ *connection.Connection, t passwordless.Text) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.texts = append(m.texts, t)
	return m.Broken
}

// Letters are the mails so far.
func (m *Mailbox) Letters() []letter.Letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.letters)
}

// Texts are the text messages so far.
func (m *Mailbox) Texts() []passwordless.Text {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.texts)
}
