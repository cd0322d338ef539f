package mgmt

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"

	"mangrove/internal/errs"
)

// A gzip file may unpack to mostUnpacked times its size; what is below
// unpackedFloor is no danger to anybody.
const (
	mostUnpacked  = 20
	unpackedFloor = 32 << 20
)

var (
	errBomb       = errs.New(errs.TooLarge, "", "The file unpacks to more than %d times its size.", mostUnpacked)
	errBrokenGzip = errs.New(errs.Invalid, "invalid_body", "The gzip file is broken or incomplete.")
)

// unpacked is the text of a file that may be packed by gzip, which its first
// two bytes tell: no text of rows begins with them.
func unpacked(file io.Reader) (io.Reader, error) {
	packed := &counter{in: file}
	head := bufio.NewReader(packed)
	if b, _ := head.Peek(2); string(b) != "\x1f\x8b" {
		return head, nil
	}
	u := &unpacker{packed: packed}
	var err error
	if u.text, err = gzip.NewReader(head); err != nil {
		return nil, u.failure()
	}
	return u, nil
}

// counter counts what was read, and remembers how reading failed.
type counter struct {
	in  io.Reader
	n   int64
	err error // other than io.EOF
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// unpacker reads the members of a gzip file one after the other.
type unpacker struct {
	packed *counter
	text   *gzip.Reader
	n      int64
}

func (u *unpacker) Read(b []byte) (int, error) {
	n, err := u.text.Read(b)
	if u.n += int64(n); u.n > unpackedFloor+mostUnpacked*u.packed.n {
		return 0, errBomb
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = u.failure()
	}
	return n, err
}

// failure tells a broken upload from a broken file. It has no cause: one that is
// an unexpected end would be taken for the end of the file.
func (u *unpacker) failure() error {
	if u.packed.err != nil {
		return u.packed.err
	}
	return errBrokenGzip
}
