//go:build unix

package foreigndb

import (
	"errors"
	"syscall"
)

// quiet reports whether there is nothing to read from a socket, and it is open.
func quiet(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return errors.Is(err, syscall.EAGAIN)
}
