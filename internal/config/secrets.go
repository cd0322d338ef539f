package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Keys are the keys that seal secrets in the database: those of the
// environment, or of the file secrets.key in the data directory (one base64
// key a line, the first seals). Without either the file is made, readable by
// its owner alone; that is refused when fresh is false, because a database
// that is there already was sealed by a key that is now missing.
func (c Config) Keys(fresh bool) ([][]byte, error) {
	if len(c.SecretsKeys) > 0 {
		return c.SecretsKeys, nil
	}
	path := c.KeysFile()
	b, err := os.ReadFile(path)
	switch {
	case err == nil:
		keys, err := decodeKeys(string(b), "\n")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return keys, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case !fresh:
		return nil, fmt.Errorf("%s is missing, and MANGROVE_SECRETS_KEY is not set: the secrets in the database cannot be read without it", path)
	}
	key := make([]byte, 32)
	rand.Read(key)
	if err := c.MakeData(); err != nil {
		return nil, err
	}
	if err := writeNew(path, base64.StdEncoding.EncodeToString(key)+"\n"); err != nil {
		return nil, err
	}
	return [][]byte{key}, nil
}

// KeysFile is where the keys are when the environment has none.
func (c Config) KeysFile() string { return filepath.Join(c.Data, "secrets.key") }

// MakeData makes the data directory, for its owner alone.
func (c Config) MakeData() error { return os.MkdirAll(c.Data, 0o700) }

// writeNew writes a file that must not be there yet, and waits for the disk:
// whatever gets sealed by the key is worthless without it.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}
