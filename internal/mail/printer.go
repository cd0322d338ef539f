package mail

import (
	"context"
	"fmt"
	"io"
	"sync"
)

// printer writes each mail to where a developer looks. It is for a server that
// only this machine reaches: links and codes are secrets.
type printer struct {
	mu  sync.Mutex
	out io.Writer
}

// Send implements Sender.
func (p *printer) Send(_ context.Context, m Message) error {
	if _, err := compose(m); err != nil {
		return err
	}
	text := m.Text
	if text == "" {
		text = m.HTML
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := fmt.Fprintf(p.out, "---- mail to %s: %s\n%s\n----\n", m.To, m.Subject, text)
	return err
}
