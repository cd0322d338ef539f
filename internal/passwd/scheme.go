package passwd

import (
	"crypto/hmac"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/pbkdf2"
	"golang.org/x/crypto/scrypt"
)

// algorithms of custom_password_hash. crypt is ours.
var algorithms = []string{"argon2", "bcrypt", "crypt", "hmac", "ldap", "md4", "md5", "pbkdf2", "scrypt", "sha1", "sha256", "sha512"}

// matcher reports whether a password, encoded as bytes, is the one that was hashed.
type matcher func(password []byte) bool

// matcher decides all that can be decided without a password, so that what
// it returns cannot fail and cannot cost more than the ceilings.
func (c *custom) matcher() (matcher, error) {
	if err := c.allowed(); err != nil {
		return nil, err
	}
	switch c.Algorithm {
	case "argon2":
		return argon(c.Hash.Value)
	case "bcrypt":
		return c.bcrypt()
	case "crypt":
		return crypt(c.Hash.Value)
	case "hmac":
		return c.hmac()
	case "ldap":
		return ldap(c.Hash.Value)
	case "pbkdf2":
		return phcPBKDF2(c.Hash.Value)
	case "scrypt":
		return c.scrypt()
	default:
		return c.digest()
	}
}

// allowed refuses members that the algorithm has no use for.
func (c *custom) allowed() error {
	text := false // the hash is a text of its own form
	switch c.Algorithm {
	case "argon2", "crypt", "ldap", "pbkdf2":
		text = true
		if c.Salt != nil {
			return refuse("NOT_PASSED", "salt", "The salt of %s is part of its hash; a salt object is not allowed", c.Algorithm)
		}
	case "bcrypt":
		text = true
	}
	switch e := c.Hash.Encoding; {
	case text && e != "" && e != "utf8":
		return refuse("ENUM_MISMATCH", "hash.encoding", "The encoding of %s has to be utf8", c.Algorithm)
	case !text && e != "hex" && e != "base64":
		return refuse("ENUM_MISMATCH", "hash.encoding", "The encoding of %s has to be hex or base64", c.Algorithm)
	}
	if c.Algorithm != "hmac" && (c.Hash.Digest != "" || c.Hash.Key != nil) {
		return refuse("NOT_PASSED", "hash", "digest and key are for hmac only")
	}
	if c.Algorithm != "scrypt" && (c.KeyLen != 0 || c.Cost != 0 || c.BlockSize != 0 || c.Parallelization != 0) {
		return refuse("NOT_PASSED", "", "keylen, cost, blockSize and parallelization are for scrypt only")
	}
	return nil
}

// value is the hash's bytes; size is how many there have to be.
func (c *custom) value(size int) ([]byte, error) {
	b, ok := decode(c.Hash.Encoding, c.Hash.Value)
	if !ok {
		return nil, refuse("FORMAT", "hash.value", "The hash is not of its encoding")
	}
	if len(b) != size {
		return nil, refuse("FORMAT", "hash.value", "The hash has %d bytes, expected %d", len(b), size)
	}
	return b, nil
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

func sum(h hash.Hash, data []byte) []byte {
	h.Write(data)
	return h.Sum(nil)
}

// digest is one plain digest over salt and password.
func (c *custom) digest() (matcher, error) {
	return c.keyless(digests[c.Algorithm])
}

func (c *custom) hmac() (matcher, error) {
	if !slices.Contains([]string{"md4", "md5", "ripemd160", "sha1", "sha224", "sha256", "sha384", "sha512"}, c.Hash.Digest) {
		if c.Hash.Digest == "whirlpool" {
			return nil, refuse("ENUM_MISMATCH", "hash.digest", "The digest whirlpool is not supported here")
		}
		return nil, refuse("ENUM_MISMATCH", "hash.digest", "The digest of hmac has to be one of md4, md5, ripemd160, sha1, sha224, sha256, sha384, sha512")
	}
	if c.Hash.Key == nil {
		return nil, refuse("OBJECT_REQUIRED", "hash", "Missing required property: key")
	}
	key, ok := decode(or(c.Hash.Key.Encoding, "utf8"), c.Hash.Key.Value)
	if !ok {
		return nil, refuse("FORMAT", "hash.key.value", "The key is not of its encoding")
	}
	d := digests[c.Hash.Digest]
	return c.keyless(func() hash.Hash { return hmac.New(d, key) })
}

func (c *custom) keyless(h func() hash.Hash) (matcher, error) {
	want, err := c.value(h().Size())
	if err != nil {
		return nil, err
	}
	salt, err := c.salt()
	if err != nil {
		return nil, err
	}
	return func(password []byte) bool { return equal(want, sum(h(), c.salted(salt, password))) }, nil
}

func (c *custom) bcrypt() (matcher, error) {
	if _, err := bcryptCost(c.Hash.Value); err != nil {
		return nil, err
	}
	salt, err := c.salt()
	if err != nil {
		return nil, err
	}
	return func(password []byte) bool {
		all := c.salted(salt, password)
		if len(all) > MaxBytes {
			// bcrypt saw the first 72 bytes only. A salt may lose its end, a password may not.
			if len(password) > MaxBytes || c.Salt == nil || c.Salt.Position != "suffix" {
				return false
			}
			all = all[:MaxBytes]
		}
		return bcrypt.CompareHashAndPassword([]byte(c.Hash.Value), all) == nil
	}, nil
}

func (c *custom) scrypt() (matcher, error) {
	n, r, p := c.Cost, c.BlockSize, c.Parallelization
	if n == 0 {
		n = 16384
	}
	if r == 0 {
		r = 8
	}
	if p == 0 {
		p = 1
	}
	switch {
	case n < 2 || n&(n-1) != 0:
		return nil, refuse("NOT_PASSED", "cost", "The cost of scrypt has to be a power of two greater than one")
	case r > maxScryptMemory/128 || n > maxScryptMemory/128/r:
		return nil, refuse("MAXIMUM", "cost", "scrypt with this cost and blockSize needs more than %d bytes of memory", maxScryptMemory)
	case p > maxScryptThreads || p > maxScryptWork/(n*r):
		return nil, refuse("MAXIMUM", "parallelization", "scrypt with these parameters costs too much")
	case c.KeyLen == 0:
		return nil, refuse("OBJECT_REQUIRED", "", "Missing required property: keylen")
	case c.KeyLen < minDerived:
		return nil, refuse("MINIMUM", "keylen", "Value %d is less than minimum %d", c.KeyLen, minDerived)
	}
	want, err := c.value(c.KeyLen)
	if err != nil {
		return nil, err
	}
	salt, err := c.salt()
	if err != nil {
		return nil, err
	}
	return func(password []byte) bool {
		got, err := scrypt.Key(password, salt, n, r, p, len(want))
		return err == nil && equal(want, got)
	}, nil
}

// argon reads $argon2id$v=19$m=65536,t=3,p=4$salt$hash (the PHC string of RFC 9106's functions).
func argon(phc string) (matcher, error) {
	malformed := refuse("FORMAT", "hash.value", "Not an argon2 hash ($argon2id$v=19$m=…,t=…,p=…$salt$hash)")
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" {
		if len(parts) == 5 && strings.HasPrefix(phc, "$argon2") {
			return nil, refuse("FORMAT", "hash.value", "argon2 without v=19 is of version 16, which is not supported here")
		}
		return nil, malformed
	}
	switch {
	case parts[1] == "argon2d":
		return nil, refuse("FORMAT", "hash.value", "argon2d is not supported here, only argon2i and argon2id")
	case parts[1] != "argon2i" && parts[1] != "argon2id":
		return nil, malformed
	case parts[2] != "v=19":
		return nil, refuse("FORMAT", "hash.value", "This version of argon2 is not supported here, only v=19")
	}
	numbers, ok := parameters(parts[3], "m", "t", "p")
	if !ok || numbers["m"] < 1 || numbers["t"] < 1 || numbers["p"] < 1 {
		return nil, malformed
	}
	m, t, p := numbers["m"], numbers["t"], numbers["p"]
	switch {
	case m > maxArgonMemory:
		return nil, refuse("MAXIMUM", "hash.value", "argon2 memory %d KiB is greater than maximum %d", m, maxArgonMemory)
	case t > maxArgonTime:
		return nil, refuse("MAXIMUM", "hash.value", "argon2 time %d is greater than maximum %d", t, maxArgonTime)
	case p > maxArgonThreads:
		return nil, refuse("MAXIMUM", "hash.value", "argon2 parallelism %d is greater than maximum %d", p, maxArgonThreads)
	}
	salt, ok := decodeBase64(parts[4])
	want, ok2 := decodeBase64(parts[5])
	if !ok || !ok2 || len(want) < minDerived {
		return nil, malformed
	}
	derive := argon2.IDKey
	if parts[1] == "argon2i" {
		derive = argon2.Key
	}
	return func(password []byte) bool {
		return equal(want, derive(password, salt, uint32(t), uint32(m), uint8(p), uint32(len(want))))
	}, nil
}

// phcPBKDF2 reads $pbkdf2-sha512$i=100000,l=64$salt$hash; the parameters may be left out.
func phcPBKDF2(phc string) (matcher, error) {
	malformed := refuse("FORMAT", "hash.value", "Not a pbkdf2 hash ($pbkdf2-<digest>$i=…,l=…$salt$hash)")
	parts := strings.Split(phc, "$")
	if len(parts) == 4 {
		parts = []string{parts[0], parts[1], "", parts[2], parts[3]}
	}
	if len(parts) != 5 || parts[0] != "" || !strings.HasPrefix(parts[1], "pbkdf2-") {
		return nil, malformed
	}
	d, ok := openssl(strings.TrimPrefix(parts[1], "pbkdf2-"))
	if !ok {
		return nil, refuse("ENUM_MISMATCH", "hash.value", "The digest of this pbkdf2 hash is not supported here")
	}
	numbers, ok := parameters(parts[2], "i", "l")
	if !ok {
		return nil, malformed
	}
	rounds, length := 100_000, 64
	if n, ok := numbers["i"]; ok {
		rounds = n
	}
	if n, ok := numbers["l"]; ok {
		length = n
	}
	salt, ok := decodeBase64(parts[3])
	want, ok2 := decodeBase64(parts[4])
	if !ok || !ok2 || rounds < 1 {
		return nil, malformed
	}
	if len(want) != length || length < minDerived {
		return nil, refuse("FORMAT", "hash.value", "The pbkdf2 hash has %d bytes, expected l=%d and at least %d", len(want), length, minDerived)
	}
	size := d().Size()
	if blocks := (length + size - 1) / size; rounds > maxRounds/blocks {
		return nil, refuse("MAXIMUM", "hash.value", "pbkdf2 with %d iterations for %d bytes costs more than maximum %d", rounds, length, maxRounds)
	}
	return func(password []byte) bool { return equal(want, pbkdf2.Key(password, salt, rounds, length, d)) }, nil
}

// parameters reads a=1,b=2. Names that are not known, doubles and anything but
// plain decimal numbers make it false.
func parameters(s string, known ...string) (map[string]int, bool) {
	out := map[string]int{}
	if s == "" {
		return out, true
	}
	for part := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(part, "=")
		n, err := strconv.ParseUint(value, 10, 31)
		if _, double := out[name]; double || err != nil || value[0] == '0' && value != "0" {
			return nil, false
		}
		if !slices.Contains(known, name) {
			return nil, false
		}
		out[name] = int(n)
	}
	return out, true
}

// ldapSchemes are the RFC 2307 schemes: digest, and whether a salt follows it.
var ldapSchemes = map[string]struct {
	digest string
	salted bool
}{
	"md5": {"md5", false}, "smd5": {"md5", true},
	"sha": {"sha1", false}, "ssha": {"sha1", true},
	"sha1": {"sha1", false}, "ssha1": {"sha1", true},
	"sha224": {"sha224", false}, "ssha224": {"sha224", true},
	"sha256": {"sha256", false}, "ssha256": {"sha256", true},
	"sha384": {"sha384", false}, "ssha384": {"sha384", true},
	"sha512": {"sha512", false}, "ssha512": {"sha512", true},
}

// ldap reads {SSHA}base64(digest(password ‖ salt) ‖ salt).
func ldap(value string) (matcher, error) {
	name, text, ok := strings.Cut(strings.TrimPrefix(value, "{"), "}")
	if !ok || !strings.HasPrefix(value, "{") {
		return nil, refuse("FORMAT", "hash.value", "Not an LDAP hash ({SCHEME}base64)")
	}
	scheme, ok := ldapSchemes[strings.ToLower(name)]
	if !ok {
		return nil, refuse("FORMAT", "hash.value", "This LDAP scheme is not supported here")
	}
	// The alphabet of RFC 4648 §4 only: here, others would not be LDAP's.
	b, err := base64.StdEncoding.DecodeString(text)
	d := digests[scheme.digest]
	size := d().Size()
	if err != nil || strings.ContainsAny(text, "\r\n") || len(b) < size || !scheme.salted && len(b) != size {
		return nil, refuse("FORMAT", "hash.value", "The LDAP hash is not of its scheme's form")
	}
	want, salt := b[:size], b[size:]
	return func(password []byte) bool {
		h := d()
		h.Write(password)
		return equal(want, sum(h, salt))
	}, nil
}
