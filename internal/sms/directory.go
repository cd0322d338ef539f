package sms

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"

	"mangrove/internal/passwordless"
)

// file writes a message to a file of its own, for development. The log names the
// file, which names nobody.
func (p *Post) file(ctx context.Context, t passwordless.Text, body string) error {
	if err := os.MkdirAll(p.Directory, 0o700); err != nil {
		return err
	}
	name := filepath.Join(p.Directory, p.Now().UTC().Format("20060102T150405.000000Z")+"-"+rand.Text()[:6]+".txt")
	if err := os.WriteFile(name, []byte("To: "+t.To+"\n\n"+body+"\n"), 0o600); err != nil {
		return err
	}
	p.Log.InfoContext(ctx, "an SMS was written instead of sent", "file", name)
	return nil
}
