package script

import (
	"context"
	"crypto/pbkdf2"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/blowfish" //nolint:staticcheck // what bcrypt is made of
	"golang.org/x/crypto/scrypt"
)

// The ceilings of passwd/parse.go: what a script may have derived from a password.
const (
	maxBcryptCost  = 14
	maxRounds      = 5_000_000 // PBKDF2: iterations times blocks of output
	maxScryptBytes = 128 << 20 // 128·N·r
	maxScryptWork  = 4 << 20   // N·r·p
	maxArgonKiB    = 256 << 10
	maxArgonTime   = 16
	maxThreads     = 16
	maxDerived     = 4 << 10 // bytes of output
)

// derivation is what js/4_crypto.js and its neighbours ask for.
type derivation struct {
	Kind     string `json:"kind"` // bcrypt, bcrypt.compare, pbkdf2, scrypt, argon2, argon2.verify
	Password []byte `json:"password"`
	Salt     []byte `json:"salt"`
	// Hash is a salt or a hash as bcrypt and argon2 write them.
	Hash   string `json:"hash"`
	Digest string `json:"digest"`
	Rounds int    `json:"rounds"` // iterations, or argon2's time
	Length int    `json:"length"` // bytes of output
	N      int    `json:"n"`      // of scrypt; argon2's memory in KiB
	R      int    `json:"r"`
	P      int    `json:"p"`
}

// derive has what is asked done beside JavaScript; its answer becomes an event.
func (r *run) derive(id int, what string) error {
	if err := r.derives(); err != nil {
		return err
	}
	r.beside(id, func(ctx context.Context) string { return r.derived(ctx, what) })
	return nil
}

// deriveNow has it done while JavaScript waits, which does not count as its work.
func (r *run) deriveNow(what string) (any, error) {
	if err := r.derives(); err != nil {
		return nil, err
	}
	r.busy.stop()
	defer r.busy.start()
	done := make(chan string, 1)
	go func() { done <- r.derived(r.ctx, what) }()
	select {
	case answer := <-done:
		return answer, nil
	case <-r.ctx.Done(): // it cannot be stopped; nobody waits for it
		r.late = true
		r.vm.Interrupt()
		return nil, errInterrupted
	}
}

func (r *run) derives() error {
	if r.derivations++; r.derivations > r.limits.Hashes {
		return r.stop(tooMuch("more than %d password hashes", r.limits.Hashes))
	}
	return nil
}

// derived waits for one of the few places in which hashes are computed, after one of
// those of its script.
func (r *run) derived(ctx context.Context, what string) string {
	return outsideAnswer(guarded(func() (json.RawMessage, error) {
		var d derivation
		if json.Unmarshal([]byte(what), &d) != nil {
			return nil, errors.New("the arguments cannot be read")
		}
		for _, place := range []chan struct{}{r.hashing, r.engine.hashing} {
			select {
			case place <- struct{}{}:
				defer func() { <-place }()
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		v, err := d.do()
		if err != nil {
			return nil, err
		}
		return json.Marshal(v)
	}))
}

// do computes: a bool, a text, or bytes as {"$bytes": Base64}.
func (d *derivation) do() (any, error) {
	switch d.Kind {
	case "bcrypt":
		return d.bcrypt()
	case "bcrypt.compare":
		hashed, err := d.bcrypt()
		if err != nil {
			var dear *DatabaseError
			if errors.As(err, &dear) {
				return nil, err
			}
			return false, nil // what is no hash matches nothing
		}
		return len(d.Hash) == 60 && subtle.ConstantTimeCompare([]byte(hashed), []byte(d.Hash)) == 1, nil
	case "pbkdf2":
		return packedBytes(d.pbkdf2())
	case "scrypt":
		return packedBytes(d.scrypt())
	case "argon2":
		return packedBytes(d.argon2())
	case "argon2.verify":
		return d.verifyArgon2()
	}
	return nil, errors.New("unknown derivation")
}

// packedBytes is the form of a Buffer (database.go).
func packedBytes(b []byte, err error) (any, error) {
	return map[string][]byte{"$bytes": b}, err
}

// tooDear refuses what would take too long.
func tooDear(format string, args ...any) error {
	return &DatabaseError{Message: fmt.Sprintf(format, args...), Members: map[string]any{"code": "ERR_OUT_OF_RANGE", "name": "RangeError"}}
}

// bcryptText is bcrypt's own Base64.
var bcryptText = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)

// bcrypt hashes with the salt that is written in Hash ($2b$10$ and 22 characters, and
// whatever follows). As the modules of that name do, it takes 72 bytes of a password.
func (d *derivation) bcrypt() (string, error) {
	h := d.Hash
	if len(h) < 29 || h[:2] != "$2" || !strings.ContainsRune("aby", rune(h[2])) || h[3] != '$' || h[6] != '$' {
		return "", errors.New("Invalid salt. Salt must be in the form of: $Vers$log2(NumRounds)$saltvalue")
	}
	cost, err := strconv.Atoi(h[4:6])
	if err != nil || cost < 4 || cost > 31 || h[4] < '0' || h[4] > '9' {
		return "", errors.New("Invalid salt. Salt must be in the form of: $Vers$log2(NumRounds)$saltvalue")
	}
	if cost > maxBcryptCost {
		return "", tooDear("bcrypt cost %d is more than %d, the most that scripts can use here", cost, maxBcryptCost)
	}
	salt, err := bcryptText.DecodeString(h[7:29])
	if err != nil {
		return "", errors.New("Invalid salt. Salt must be in the form of: $Vers$log2(NumRounds)$saltvalue")
	}
	key := append(append(make([]byte, 0, len(d.Password)+1), d.Password...), 0)
	c, err := blowfish.NewSaltedCipher(key, salt)
	if err != nil {
		return "", err
	}
	for range 1 << cost {
		blowfish.ExpandKey(key, c)
		blowfish.ExpandKey(salt, c)
	}
	text := []byte("OrpheanBeholderScryDoubt")
	for i := 0; i < len(text); i += 8 {
		for range 64 {
			c.Encrypt(text[i:i+8], text[i:i+8])
		}
	}
	return h[:7] + bcryptText.EncodeToString(salt) + bcryptText.EncodeToString(text[:23]), nil
}

func (d *derivation) pbkdf2() ([]byte, error) {
	mk, ok := hashOf(d.Digest)
	if !ok {
		return nil, &DatabaseError{Message: "Invalid digest: " + clip(d.Digest, 40), Members: map[string]any{"code": "ERR_CRYPTO_INVALID_DIGEST", "name": "TypeError"}}
	}
	if d.Rounds < 1 || d.Length < 0 {
		return nil, outOfRange("iterations and keylen")
	}
	blocks := (d.Length + mk().Size() - 1) / mk().Size()
	if d.Length > maxDerived || d.Rounds > maxRounds || d.Rounds*max(blocks, 1) > maxRounds {
		return nil, tooDear("PBKDF2 of %d iterations for %d bytes is more than scripts can use here", d.Rounds, d.Length)
	}
	if d.Length == 0 {
		return nil, nil
	}
	return pbkdf2.Key(func() hash.Hash { return mk() }, string(d.Password), d.Salt, d.Rounds, d.Length)
}

func outOfRange(what string) error {
	return &DatabaseError{Message: "The value of " + what + " is out of range.", Members: map[string]any{"code": "ERR_OUT_OF_RANGE", "name": "RangeError"}}
}

func (d *derivation) scrypt() ([]byte, error) {
	const most = 1 << 30 // keeps the products below within an int64
	if d.N < 2 || bits.OnesCount(uint(d.N)) != 1 || d.R < 1 || d.P < 1 || d.N > most || d.R > most || d.P > most || d.Length < 0 {
		return nil, &DatabaseError{Message: "Invalid scrypt params", Members: map[string]any{"code": "ERR_CRYPTO_INVALID_SCRYPT_PARAMS", "name": "RangeError"}}
	}
	// By division: the product of three may be more than an integer holds.
	if d.R > maxScryptBytes/128/d.N || d.P > maxScryptWork/d.N/d.R || d.P > maxThreads || d.Length > maxDerived {
		return nil, tooDear("scrypt with N=%d, r=%d, p=%d is more than scripts can use here", d.N, d.R, d.P)
	}
	if d.Length == 0 {
		return nil, nil
	}
	return scrypt.Key(d.Password, d.Salt, d.N, d.R, d.P, d.Length)
}

// argon2 has memory in N, time in Rounds, threads in P, and i or id in Digest.
func (d *derivation) argon2() ([]byte, error) {
	if d.Rounds < 1 || d.P < 1 || d.N < 8*d.P || d.Length < 4 || len(d.Salt) < 8 {
		return nil, outOfRange("memoryCost, timeCost, parallelism, hashLength or salt")
	}
	if d.Rounds > maxArgonTime || d.P > maxThreads || d.N > maxArgonKiB || d.Length > maxDerived {
		return nil, tooDear("argon2 with m=%d, t=%d, p=%d is more than scripts can use here", d.N, d.Rounds, d.P)
	}
	switch d.Digest {
	case "i":
		return argon2.Key(d.Password, d.Salt, uint32(d.Rounds), uint32(d.N), uint8(d.P), uint32(d.Length)), nil //nolint:gosec // bounded above
	case "id":
		return argon2.IDKey(d.Password, d.Salt, uint32(d.Rounds), uint32(d.N), uint8(d.P), uint32(d.Length)), nil //nolint:gosec // bounded above
	}
	return nil, errors.New("argon2d is not available in scripts here; argon2i and argon2id are")
}

// verifyArgon2 reads $argon2id$v=19$m=65536,t=3,p=4$salt$hash.
func (d *derivation) verifyArgon2() (bool, error) {
	parts := strings.Split(d.Hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[2] != "v=19" {
		return false, errors.New("pchstr must contain a $ as first char")
	}
	of := derivation{Password: d.Password, Digest: strings.TrimPrefix(parts[1], "argon2")}
	for _, one := range strings.Split(parts[3], ",") {
		name, value, _ := strings.Cut(one, "=")
		n, err := strconv.Atoi(value)
		if err != nil {
			return false, errors.New("the parameters of the hash cannot be read")
		}
		switch name {
		case "m":
			of.N = n
		case "t":
			of.Rounds = n
		case "p":
			of.P = n
		default:
			return false, errors.New("the parameters of the hash cannot be read")
		}
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return false, errors.New("the hash cannot be read")
	}
	if of.Salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return false, errors.New("the salt cannot be read")
	}
	of.Length = len(want)
	got, err := of.argon2()
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// bcryptSalt is a fresh salt as bcrypt writes one.
func (r *run) bcryptSalt(rounds int, minor string) (any, error) {
	b := make([]byte, 16)
	if _, err := io.ReadFull(r.engine.rand, b); err != nil {
		return nil, err
	}
	if minor != "a" && minor != "b" {
		return nil, errors.New(`minor must be either "a" or "b"`)
	}
	return fmt.Sprintf("$2%s$%02d$%s", minor, min(max(rounds, 4), 31), bcryptText.EncodeToString(b)), nil
}
