package script

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
)

// ciphering is a Cipher or Decipher of a script.
type ciphering struct {
	spec  cipherSpec
	mode  cipher.BlockMode // of cbc
	flow  cipher.Stream    // of ctr
	aead  cipher.AEAD      // of gcm
	held  []byte           // of cbc: what makes no whole block yet
	whole []byte           // of gcm: everything so far
	ended bool
}

// cipherSpec is what js/4_crypto.js asks for.
type cipherSpec struct {
	Algorithm string `json:"algorithm"` // aes-256-cbc
	Key       []byte `json:"key"`
	IV        []byte `json:"iv"`
	Decrypt   bool   `json:"decrypt"`
}

// ending is what the last step of a cipher is told.
type ending struct {
	Plain bool   `json:"plain"` // no padding
	AAD   []byte `json:"aad"`
	Tag   []byte `json:"tag"`
}

// Bounds of a run: ciphers, and bytes that each of gcm takes.
const (
	maxCiphers  = 100
	maxCiphered = 1 << 20
)

// keyBytes are the algorithms, with the length of their keys.
var keyBytes = map[string]int{
	"aes-128-cbc": 16, "aes-192-cbc": 24, "aes-256-cbc": 32,
	"aes-128-ctr": 16, "aes-192-ctr": 24, "aes-256-ctr": 32,
	"aes-128-gcm": 16, "aes-192-gcm": 24, "aes-256-gcm": 32,
}

var (
	errWrongFinal = errors.New("wrong final block length")
	errBadDecrypt = errors.New("bad decrypt")
	errTag        = errors.New("Unsupported state or unable to authenticate data")
)

// newCipher begins one and returns its number.
func (r *run) newCipher(what string) (any, error) {
	var spec cipherSpec
	if json.Unmarshal([]byte(what), &spec) != nil {
		return nil, errors.New("the arguments cannot be read")
	}
	if len(r.ciphers) >= maxCiphers {
		return nil, r.stop(tooMuch("more than %d ciphers", maxCiphers))
	}
	c, err := newCiphering(spec)
	if err != nil {
		return nil, err
	}
	r.ciphers = append(r.ciphers, c)
	return len(r.ciphers) - 1, nil
}

func newCiphering(spec cipherSpec) (*ciphering, error) {
	size, ok := keyBytes[spec.Algorithm]
	if !ok {
		return nil, errors.New("Unknown cipher. Scripts here have aes-128, aes-192 and aes-256 in the modes cbc, ctr and gcm")
	}
	if len(spec.Key) != size {
		return nil, errors.New("Invalid key length")
	}
	block, err := aes.NewCipher(spec.Key)
	if err != nil {
		return nil, err
	}
	c := &ciphering{spec: spec}
	mode := spec.Algorithm[len("aes-256-"):]
	if mode != "gcm" && len(spec.IV) != aes.BlockSize || len(spec.IV) == 0 || len(spec.IV) > 128 {
		return nil, errors.New("Invalid initialization vector")
	}
	switch {
	case mode == "ctr":
		c.flow = cipher.NewCTR(block, spec.IV)
	case mode == "cbc" && spec.Decrypt:
		c.mode = cipher.NewCBCDecrypter(block, spec.IV)
	case mode == "cbc":
		c.mode = cipher.NewCBCEncrypter(block, spec.IV)
	default:
		c.aead, err = cipher.NewGCMWithNonceSize(block, len(spec.IV))
	}
	return c, err
}

func (r *run) cipher(n int) (*ciphering, error) {
	if n >= len(r.ciphers) || r.ciphers[n].ended {
		return nil, errTag
	}
	return r.ciphers[n], nil
}

// ciphered takes Base64 and returns as much of the other side, in Base64, as is certain.
func (r *run) ciphered(n int, data string) (any, error) {
	c, err := r.cipher(n)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, err
	}
	out, err := c.update(b)
	return base64.StdEncoding.EncodeToString(out), err
}

func (r *run) finalCipher(n int, what string) (any, error) {
	c, err := r.cipher(n)
	if err != nil {
		return nil, err
	}
	var end ending
	if json.Unmarshal([]byte(what), &end) != nil {
		return nil, errors.New("the arguments cannot be read")
	}
	c.ended = true
	out, tag, err := c.final(end)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.EncodeToString(out) + "." + base64.StdEncoding.EncodeToString(tag), nil
}

func (c *ciphering) update(b []byte) ([]byte, error) {
	switch {
	case c.flow != nil:
		c.flow.XORKeyStream(b, b)
		return b, nil
	case c.aead != nil:
		if len(c.whole)+len(b) > maxCiphered {
			return nil, errors.New("the data is larger than ciphers take here")
		}
		// Sealing is the stream that opening needs, too.
		done := len(c.whole)
		c.whole = append(c.whole, b...)
		return c.aead.Seal(nil, c.spec.IV, c.whole, nil)[done:len(c.whole)], nil
	}
	c.held = append(c.held, b...)
	n := len(c.held) / aes.BlockSize * aes.BlockSize
	if c.spec.Decrypt && n == len(c.held) && n > 0 {
		n -= aes.BlockSize // may be the last, with its padding
	}
	out := make([]byte, n)
	c.mode.CryptBlocks(out, c.held[:n])
	c.held = append([]byte(nil), c.held[n:]...)
	return out, nil
}

func (c *ciphering) final(end ending) (out, tag []byte, err error) {
	switch {
	case c.flow != nil:
		return nil, nil, nil
	case c.aead != nil && !c.spec.Decrypt:
		return nil, c.aead.Seal(nil, c.spec.IV, c.whole, end.AAD)[len(c.whole):], nil
	case c.aead != nil:
		if _, err := c.aead.Open(nil, c.spec.IV, append(bytes.Clone(c.whole), end.Tag...), end.AAD); err != nil || len(end.Tag) != c.aead.Overhead() {
			return nil, nil, errTag
		}
		return nil, nil, nil
	case !c.spec.Decrypt && !end.Plain:
		n := aes.BlockSize - len(c.held)
		c.held = append(c.held, bytes.Repeat([]byte{byte(n)}, n)...)
	}
	if len(c.held)%aes.BlockSize != 0 || c.spec.Decrypt && !end.Plain && len(c.held) == 0 {
		return nil, nil, errWrongFinal
	}
	out = make([]byte, len(c.held))
	c.mode.CryptBlocks(out, c.held)
	if !c.spec.Decrypt || end.Plain {
		return out, nil, nil
	}
	n := int(out[len(out)-1])
	if n == 0 || n > aes.BlockSize || !bytes.HasSuffix(out, bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, nil, errBadDecrypt
	}
	return out[:len(out)-n], nil, nil
}
