package outbound

import (
	"errors"
	"io"
	"net/http"
	"net/url"
)

// Refusals of a request or an answer.
var (
	// ErrURL: not http or https, no host, or user and password in the URL.
	ErrURL = errors.New("not a plain http(s) URL")
	// ErrTooLarge: the answer is longer than MaxBody.
	ErrTooLarge = errors.New("answer too large")
)

func checkURL(u *url.URL) error {
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil {
		return ErrURL
	}
	return nil
}

// limited checks the URL of every hop and bounds the answer's body.
type limited struct{ next http.RoundTripper }

func (l *limited) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := checkURL(r.URL); err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // a RoundTripper closes the body, errors included
		}
		return nil, err
	}
	resp, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > MaxBody {
		_ = resp.Body.Close()
		return nil, ErrTooLarge
	}
	resp.Body = &limitedBody{body: resp.Body, left: MaxBody}
	return resp, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the pool.
func (l *limited) CloseIdleConnections() {
	if c, ok := l.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

type limitedBody struct {
	body io.ReadCloser
	left int64
}

// Read answers ErrTooLarge rather than a clean end, so that a cut document is
// never taken for a whole one.
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}

func (b *limitedBody) Close() error { return b.body.Close() }
