package passwd

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// maxCrypt is how long a password may be for crypt: its work grows with the length.
// libxcrypt has the same limit.
const maxCrypt = 512

// itoa64 is the alphabet of crypt(3), in the order of its values.
const itoa64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// crypt reads the hashes of crypt(3) and of those who write like it: $1$ and $apr1$
// (MD5), $5$ and $6$ (SHA-2), $P$ and $H$ (phpass: WordPress, phpBB), $S$ (Drupal 7),
// $wp$2y$ (WordPress since 6.8) and bcrypt_sha256$$2b$ (Django).
func crypt(text string) (matcher, error) {
	match, err := cryptForm(text)
	if err != nil {
		return nil, err
	}
	return func(password []byte) bool { return len(password) <= maxCrypt && match(password) }, nil
}

func cryptForm(text string) (matcher, error) {
	switch {
	case strings.HasPrefix(text, "$1$"):
		return md5Crypt(text, "$1$")
	case strings.HasPrefix(text, "$apr1$"):
		return md5Crypt(text, "$apr1$")
	case strings.HasPrefix(text, "$5$"):
		return shaCrypt(text, "$5$", sha256.New, sha256Order)
	case strings.HasPrefix(text, "$6$"):
		return shaCrypt(text, "$6$", sha512.New, sha512Order)
	case strings.HasPrefix(text, "$P$"), strings.HasPrefix(text, "$H$"):
		return phpass(text, md5.New, 34)
	case strings.HasPrefix(text, "$S$"):
		return phpass(text, sha512.New, 55)
	case strings.HasPrefix(text, "$wp$2"):
		return overBcrypt(strings.TrimPrefix(text, "$wp"), wordPress)
	case strings.HasPrefix(text, "bcrypt_sha256$$2"):
		return overBcrypt(strings.TrimPrefix(text, "bcrypt_sha256$"), django)
	}
	return nil, refuse("FORMAT", "hash.value", "Not a hash of crypt that is known here")
}

// overBcrypt is bcrypt of a digest of the password.
func overBcrypt(hash string, digest func(password []byte) []byte) (matcher, error) {
	if _, err := bcryptCost(hash); err != nil {
		return nil, err
	}
	return func(password []byte) bool {
		return bcrypt.CompareHashAndPassword([]byte(hash), digest(password)) == nil
	}, nil
}

// wordPress is what WordPress gives to bcrypt. It trims what PHP calls blank.
func wordPress(password []byte) []byte {
	mac := hmac.New(sha512.New384, []byte("wp-sha384"))
	mac.Write(bytes.Trim(password, " \n\r\t\v\x00"))
	return []byte(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

func django(password []byte) []byte {
	d := sha256.Sum256(password)
	return []byte(hex.EncodeToString(d[:]))
}

// phpass reads $P$Bssssssss and a hash: the letter is the base-2 logarithm of the
// rounds, behind it are eight characters of salt. All of it has size characters; what
// of the hash is beyond them was cut off.
func phpass(text string, d func() hash.Hash, size int) (matcher, error) {
	if len(text) != size {
		return nil, refuse("FORMAT", "hash.value", "The hash has %d characters, expected %d", len(text), size)
	}
	cost := strings.IndexByte(itoa64, text[3])
	if cost < 7 || strings.Trim(text[12:], itoa64) != "" {
		return nil, refuse("FORMAT", "hash.value", "Not a hash of phpass")
	}
	if cost > maxPhpassCost {
		return nil, refuse("MAXIMUM", "hash.value", "The cost %d of phpass is greater than maximum %d", cost, maxPhpassCost)
	}
	salt, want := []byte(text[4:12]), []byte(text[12:])
	return func(password []byte) bool {
		h := d()
		h.Write(salt)
		h.Write(password)
		got := h.Sum(nil)
		for range 1 << cost {
			h.Reset()
			h.Write(got)
			h.Write(password)
			got = h.Sum(got[:0])
		}
		return equal(want, littleEndian64(got)[:len(want)])
	}, nil
}

// littleEndian64 encodes three bytes as four characters, the lowest bits first.
func littleEndian64(b []byte) []byte {
	var out []byte
	for i := 0; i < len(b); i += 3 {
		group := b[i:min(i+3, len(b))]
		v := uint32(0)
		for j, x := range group {
			v |= uint32(x) << (8 * j)
		}
		for range len(group) + 1 {
			out = append(out, itoa64[v&63])
			v >>= 6
		}
	}
	return out
}

// inOrder is littleEndian64 of the bytes of a digest in the order of their crypt:
// groups of three, the last of a group being its lowest.
func inOrder(sum []byte, order []byte) []byte {
	b := make([]byte, len(order))
	for i, from := range order {
		b[i] = sum[from]
	}
	return littleEndian64(b)
}

// The orders in which crypt(3) writes the bytes of a digest.
var (
	md5Order    = []byte{12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11}
	sha256Order = []byte{
		20, 10, 0, 11, 1, 21, 2, 22, 12, 23, 13, 3, 14, 4, 24, 5, 25, 15,
		26, 16, 6, 17, 7, 27, 8, 28, 18, 29, 19, 9, 30, 31,
	}
	sha512Order = []byte{
		42, 21, 0, 1, 43, 22, 23, 2, 44, 45, 24, 3, 4, 46, 25, 26, 5, 47, 48, 27, 6, 7, 49, 28, 29, 8, 50,
		51, 30, 9, 10, 52, 31, 32, 11, 53, 54, 33, 12, 13, 55, 34, 35, 14, 56, 57, 36, 15, 16, 58, 37, 38, 17, 59,
		60, 39, 18, 19, 61, 40, 41, 20, 62, 63,
	}
)

// md5Crypt reads $1$salt$hash; a salt has at most eight bytes.
func md5Crypt(text, magic string) (matcher, error) {
	salt, want, ok := strings.Cut(strings.TrimPrefix(text, magic), "$")
	if !ok || len(want) != 22 || len(salt) > 8 || strings.Trim(want, itoa64) != "" {
		return nil, refuse("FORMAT", "hash.value", "Not a hash of md5crypt (%ssalt$hash)", magic)
	}
	return func(password []byte) bool {
		inner := md5.New()
		inner.Write(password)
		inner.Write([]byte(salt))
		inner.Write(password)
		alternate := inner.Sum(nil)

		h := md5.New()
		h.Write(password)
		h.Write([]byte(magic))
		h.Write([]byte(salt))
		h.Write(repeated(alternate, len(password)))
		for n := len(password); n > 0; n >>= 1 {
			if n&1 == 1 {
				h.Write([]byte{0})
			} else {
				h.Write(password[:1])
			}
		}
		sum := h.Sum(nil)
		for i := range 1000 {
			h.Reset()
			round(h, i, sum, password, []byte(salt))
			sum = h.Sum(sum[:0])
		}
		return equal([]byte(want), inOrder(sum, md5Order))
	}, nil
}

// round is one of the many rounds that both kinds of crypt(3) have.
func round(h hash.Hash, i int, sum, password, salt []byte) {
	if i&1 == 1 {
		h.Write(password)
	} else {
		h.Write(sum)
	}
	if i%3 != 0 {
		h.Write(salt)
	}
	if i%7 != 0 {
		h.Write(password)
	}
	if i&1 == 1 {
		h.Write(sum)
	} else {
		h.Write(password)
	}
}

// repeated is b over and over, n bytes of it.
func repeated(b []byte, n int) []byte {
	return bytes.Repeat(b, n/len(b)+1)[:n]
}

// shaCrypt reads $6$rounds=5000$salt$hash (U. Drepper, Unix crypt using SHA-256 and
// SHA-512); a salt has at most 16 bytes.
func shaCrypt(text, magic string, d func() hash.Hash, order []byte) (matcher, error) {
	malformed := refuse("FORMAT", "hash.value", "Not a hash of sha-crypt (%srounds=…$salt$hash)", magic)
	rest, rounds := strings.TrimPrefix(text, magic), 5000
	if number, behind, ok := strings.Cut(strings.TrimPrefix(rest, "rounds="), "$"); ok && strings.HasPrefix(rest, "rounds=") {
		n, err := strconv.ParseUint(number, 10, 31)
		if err != nil {
			return nil, malformed
		}
		rest, rounds = behind, max(int(n), 1000)
	}
	if rounds > maxCryptRounds {
		return nil, refuse("MAXIMUM", "hash.value", "sha-crypt with %d rounds costs more than maximum %d", rounds, maxCryptRounds)
	}
	text64 := (len(order)*8 + 5) / 6
	salt, want, ok := strings.Cut(rest, "$")
	if !ok || len(want) != text64 || len(salt) > 16 || strings.Trim(want, itoa64) != "" {
		return nil, malformed
	}
	return func(password []byte) bool {
		return equal([]byte(want), inOrder(shaRounds(d, rounds, password, []byte(salt)), order))
	}, nil
}

func shaRounds(d func() hash.Hash, rounds int, password, salt []byte) []byte {
	h := d()
	h.Write(password)
	h.Write(salt)
	h.Write(password)
	alternate := h.Sum(nil)

	h.Reset()
	h.Write(password)
	h.Write(salt)
	h.Write(repeated(alternate, len(password)))
	for n := len(password); n > 0; n >>= 1 {
		if n&1 == 1 {
			h.Write(alternate)
		} else {
			h.Write(password)
		}
	}
	result := h.Sum(nil)

	h.Reset()
	for range len(password) {
		h.Write(password)
	}
	p := repeated(h.Sum(nil), len(password))

	h.Reset()
	for range 16 + int(result[0]) {
		h.Write(salt)
	}
	s := repeated(h.Sum(nil), len(salt))

	for i := range rounds {
		h.Reset()
		round(h, i, result, p, s)
		result = h.Sum(result[:0])
	}
	return result
}
