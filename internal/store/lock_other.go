//go:build !unix || solaris || illumos || aix

package store

import "os"

// lockFile has no lock to offer here that ends with the process; SQLite's own
// locking then keeps two processes from harming the file.
func lockFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
}
