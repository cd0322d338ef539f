package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// The sealed form: one byte of format, four bytes of key id, twelve of nonce,
// then AES-256-GCM's ciphertext and tag.
const (
	format    = 1
	idSize    = 4
	nonceSize = 12
	tagSize   = 16
	headSize  = 1 + idSize + nonceSize
)

// ErrSealed is every failure to open: no such key, another place, changed
// bytes. Which of them it was would help nobody but an attacker.
var ErrSealed = errors.New("seal: the value does not open with these keys at this place")

// Box seals with its first key and opens with any of them.
type Box struct{ keys []boxKey }

type boxKey struct {
	id   [idSize]byte // the first bytes of a hash of the key, so that a rotated ring finds the right one
	aead cipher.AEAD
}

// New makes a box of 32-byte keys, the first of which seals.
func New(keys ...[]byte) (*Box, error) {
	if len(keys) == 0 {
		return nil, errors.New("seal: at least one key is needed")
	}
	b := &Box{}
	for i, k := range keys {
		if len(k) != KeySize {
			return nil, fmt.Errorf("seal: key %d has %d bytes; it must have %d", i+1, len(k), KeySize)
		}
		block, err := aes.NewCipher(k)
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		sum := sha256.Sum256(append([]byte("mangrove key id\x00"), k...))
		b.keys = append(b.keys, boxKey{id: [idSize]byte(sum[:]), aead: aead})
	}
	return b, nil
}

// Seal encrypts plain, bound to the place where it is kept (table and row id),
// so that it does not open elsewhere. Empty stays empty.
func (b *Box) Seal(plain []byte, place string) []byte {
	if len(plain) == 0 {
		return nil
	}
	k := &b.keys[0]
	out := make([]byte, headSize, headSize+len(plain)+tagSize)
	out[0] = format
	copy(out[1:], k.id[:])
	nonce := out[1+idSize : headSize]
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the program instead
	return k.aead.Seal(out, nonce, plain, []byte(place))
}

// Open is the reverse of Seal. What does not open is ErrSealed.
func (b *Box) Open(sealed []byte, place string) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	if len(sealed) < headSize+tagSize || sealed[0] != format {
		return nil, ErrSealed
	}
	id := [idSize]byte(sealed[1:])
	for i := range b.keys {
		if b.keys[i].id != id {
			continue
		}
		plain, err := b.keys[i].aead.Open(nil, sealed[1+idSize:headSize], sealed[headSize:], []byte(place))
		if err == nil {
			return plain, nil
		}
	}
	return nil, ErrSealed
}
