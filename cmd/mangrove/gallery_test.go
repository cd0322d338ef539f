package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestGalleryFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pages")
	if status, out, stderr := program("gallery", "--out", dir); status != 0 || !strings.Contains(out, " pages in ") {
		t.Fatalf("status %d: %s%s", status, out, stderr)
	}
	for _, name := range []string{"index.html", "plain/en/identifier.html", "branded/de/consent.html"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Contains(b, []byte("</html>")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGalleryServed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, told := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- (&galleryCommand{Listen: "127.0.0.1:0"}).Run(ctx, streams{told, io.Discard})
	}()
	line := make([]byte, 200)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	url := regexp.MustCompile(`http://\S+/`).FindString(string(line[:n]))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("identifier-hostile")) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
