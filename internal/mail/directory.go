package mail

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// directory writes each mail to a file of its own, for development.
type directory struct {
	path string
	log  *slog.Logger
}

// Send implements Sender. The log names the file, which names nobody.
func (d *directory) Send(ctx context.Context, m Message) error {
	var b bytes.Buffer
	if err := write(&b, m); err != nil {
		return err
	}
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return err
	}
	name := filepath.Join(d.path, time.Now().UTC().Format("20060102T150405.000000Z")+"-"+rand.Text()[:6]+".eml")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		return err
	}
	d.log.InfoContext(ctx, "a mail was written instead of sent", "file", name)
	return nil
}
