package passwd

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrNoPassword is of a text that stands for no password at all: nothing, or one of the
// marks that begin with ! or * (Django, shadow files).
var ErrNoPassword = errors.New("this text stands for no password")

// ParseText reads the text that another application has in its column of password
// hashes, where the text itself says how it was made, and returns the stored form.
// Errors: ErrNoPassword; *Refused.
//
//	$2a$ $2b$ $2y$                         bcrypt; also {bcrypt}$2a$… and bcrypt$$2b$… (Spring, Django)
//	$argon2id$ $argon2i$                   also argon2$argon2id$… and {argon2}$argon2id$…
//	$pbkdf2-sha256$i=…,l=…$salt$hash       PHC
//	$pbkdf2-sha256$29000$salt$hash         Passlib; $pbkdf2$ is SHA-1
//	$scrypt$ln=16,r=8,p=1$salt$hash        Passlib
//	pbkdf2_sha256$600000$salt$hash         Django; also scrypt$, sha1$, md5$, bcrypt_sha256$$
//	pbkdf2:sha256:600000$salt$hex          Werkzeug; also scrypt:32768:8:1$ and sha256$salt$hex
//	AQAAAAE… AAAAA…                        ASP.NET Identity, versions 3 and 2
//	{SSHA}… {SHA256}… {CRYPT}$6$…          RFC 2307
//	$1$ $apr1$ $5$ $6$ $P$ $H$ $S$ $wp$2y$ crypt, phpass, Drupal 7, WordPress
//	{"algorithm":…}                        custom_password_hash
//	32, 40, 64 or 128 digits of hex        MD5, SHA-1, SHA-256, SHA-512 of the password alone
func ParseText(text string) (stored string, err error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "", text[0] == '!', text[0] == '*':
		return "", ErrNoPassword
	case len(text) > maxStored:
		return "", refuse("MAX_LENGTH", "", "The hash is longer than %d bytes", maxStored)
	case strings.HasPrefix(text, `{"`):
		return ParseCustom([]byte(text))
	}
	c, ok := foreign(text)
	if !ok {
		return "", refuse("FORMAT", "", "The hash is of no form that is known here")
	}
	if c.Algorithm == "bcrypt" {
		return ParseBcrypt(c.Hash.Value)
	}
	object, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return ParseCustom(object)
}

// foreign finds what a text is by how it begins. What it makes of it may still be refused.
func foreign(text string) (*custom, bool) {
	switch {
	case text[0] == '$':
		return modular(text)
	case text[0] == '{':
		return braced(text)
	case strings.Contains(text, ":") && strings.Contains(text, "$"):
		return werkzeug(text)
	case strings.Contains(text, "$"):
		return dollars(text)
	}
	if c, ok := plainHex(text); ok {
		return c, true
	}
	return aspnet(text)
}

func texted(algorithm, value string) *custom {
	return &custom{Algorithm: algorithm, Hash: customHash{Value: value}}
}

// modular reads what begins with a $.
func modular(text string) (*custom, bool) {
	name, rest, _ := strings.Cut(text[1:], "$")
	switch {
	case name == "2a", name == "2b", name == "2y":
		return texted("bcrypt", text), true
	case strings.HasPrefix(name, "argon2"):
		return texted("argon2", text), true
	case slices.Contains([]string{"1", "apr1", "5", "6", "P", "H", "S", "wp"}, name):
		return texted("crypt", text), true
	case name == "scrypt":
		return passlibScrypt(rest)
	case name == "pbkdf2":
		return passlibPBKDF2("sha1", rest)
	case strings.HasPrefix(name, "pbkdf2-"):
		if first, _, _ := strings.Cut(rest, "$"); first != "" && strings.Trim(first, "0123456789") == "" {
			return passlibPBKDF2(strings.TrimPrefix(name, "pbkdf2-"), rest)
		}
		return texted("pbkdf2", text), true
	}
	return nil, false
}

// derived is a hash of PBKDF2 in the form of PHC.
func derived(digest string, rounds uint64, salt, hash []byte) *custom {
	b64 := base64.RawStdEncoding.EncodeToString
	return texted("pbkdf2", fmt.Sprintf("$pbkdf2-%s$i=%d,l=%d$%s$%s", digest, rounds, len(hash), b64(salt), b64(hash)))
}

func memoryHard(n, r, p uint64, salt, hash []byte) *custom {
	if n > maxScryptMemory || r > maxScryptMemory || p > maxScryptWork {
		return nil
	}
	b64 := base64.StdEncoding.EncodeToString
	return &custom{
		Algorithm: "scrypt", Hash: customHash{Value: b64(hash), Encoding: "base64"},
		Salt:   &customSalt{Value: b64(salt), Encoding: "base64"},
		KeyLen: len(hash), Cost: int(n), BlockSize: int(r), Parallelization: int(p),
	}
}

// adapted decodes the base64 of Passlib, which has a point for the plus.
func adapted(text string) ([]byte, bool) { return decodeBase64(strings.ReplaceAll(text, ".", "+")) }

func passlibPBKDF2(digest, rest string) (*custom, bool) {
	parts := strings.Split(rest, "$")
	if len(parts) != 3 {
		return nil, false
	}
	rounds, err := strconv.ParseUint(parts[0], 10, 31)
	salt, ok := adapted(parts[1])
	hash, ok2 := adapted(parts[2])
	return derived(digest, rounds, salt, hash), err == nil && ok && ok2
}

func passlibScrypt(rest string) (*custom, bool) {
	parts := strings.Split(rest, "$")
	if len(parts) != 3 {
		return nil, false
	}
	numbers, ok := parameters(parts[0], "ln", "r", "p")
	salt, ok2 := adapted(parts[1])
	hash, ok3 := adapted(parts[2])
	if !ok || !ok2 || !ok3 || numbers["ln"] < 1 || numbers["ln"] > 30 || numbers["r"] < 1 || numbers["p"] < 1 {
		return nil, false
	}
	c := memoryHard(1<<numbers["ln"], uint64(numbers["r"]), uint64(numbers["p"]), salt, hash)
	return c, c != nil
}

// braced reads {SCHEME}text: those of RFC 2307, and of Spring Security where the text
// says all.
func braced(text string) (*custom, bool) {
	scheme, rest, ok := strings.Cut(text[1:], "}")
	if !ok || rest == "" {
		return nil, false
	}
	scheme = strings.ToLower(scheme)
	switch kind, _, _ := strings.Cut(scheme, "@"); kind {
	case "crypt", "bcrypt", "argon2":
		if rest[0] != '$' {
			return nil, false
		}
		return modular(rest)
	}
	if digest, ok := strings.CutPrefix(scheme, "pbkdf2"); ok {
		if digest = strings.TrimPrefix(digest, "-"); digest == "" {
			digest = "sha1"
		}
		return passlibPBKDF2(digest, rest)
	}
	return texted("ldap", text), true
}

// dollars reads name$…$… as Django writes it, and the older ones of Werkzeug.
func dollars(text string) (*custom, bool) {
	name, rest, _ := strings.Cut(text, "$")
	parts := strings.Split(rest, "$")
	switch name {
	case "argon2":
		return modular("$" + rest)
	case "bcrypt":
		return texted("bcrypt", rest), true
	case "bcrypt_sha256":
		return texted("crypt", text), true
	case "pbkdf2_sha256", "pbkdf2_sha1", "pbkdf2_sha512":
		if len(parts) != 3 {
			return nil, false
		}
		rounds, err := strconv.ParseUint(parts[0], 10, 31)
		hash, ok := decodeBase64(parts[2])
		return derived(strings.TrimPrefix(name, "pbkdf2_"), rounds, []byte(parts[1]), hash), err == nil && ok
	case "scrypt":
		if len(parts) != 5 {
			return nil, false
		}
		hash, ok := decodeBase64(parts[4])
		return scryptText(parts[0], parts[2], parts[3], parts[1], hash, ok)
	case "md5", "sha1": // of salt and password
		if len(parts) != 2 {
			return nil, false
		}
		c := &custom{Algorithm: name, Hash: customHash{Value: parts[1], Encoding: "hex"}}
		if parts[0] != "" {
			c.Salt = &customSalt{Value: parts[0]}
		}
		return c, true
	case "sha224", "sha256", "sha384", "sha512": // of Werkzeug: the salt is the key of HMAC
		if len(parts) != 2 || parts[0] == "" {
			return nil, false
		}
		return hmacHex(name, parts[0], parts[1]), true
	}
	return nil, false
}

func hmacHex(digest, key, hash string) *custom {
	return &custom{Algorithm: "hmac", Hash: customHash{Value: hash, Encoding: "hex", Digest: digest, Key: &customKey{Value: key}}}
}

// scryptText takes numbers as they are written, and the salt as text.
func scryptText(n, r, p, salt string, hash []byte, ok bool) (*custom, bool) {
	var numbers [3]uint64
	for i, s := range []string{n, r, p} {
		v, err := strconv.ParseUint(s, 10, 31)
		if err != nil || v == 0 {
			return nil, false
		}
		numbers[i] = v
	}
	c := memoryHard(numbers[0], numbers[1], numbers[2], []byte(salt), hash)
	return c, ok && c != nil
}

// werkzeug reads method:parameters$salt$hex. Without its rounds a method is not known:
// their default has changed.
func werkzeug(text string) (*custom, bool) {
	parts := strings.Split(text, "$")
	if len(parts) != 3 {
		return nil, false
	}
	method := strings.Split(parts[0], ":")
	hash, ok := decode("hex", parts[2])
	switch {
	case method[0] == "pbkdf2" && len(method) == 3:
		rounds, err := strconv.ParseUint(method[2], 10, 31)
		return derived(method[1], rounds, []byte(parts[1]), hash), ok && err == nil
	case method[0] == "scrypt" && len(method) == 4:
		return scryptText(method[1], method[2], method[3], parts[1], hash, ok)
	}
	return nil, false
}

// plainHex is a digest of the password alone.
func plainHex(text string) (*custom, bool) {
	hash, ok := decode("hex", text)
	if !ok {
		return nil, false
	}
	algorithm := map[int]string{16: "md5", 20: "sha1", 32: "sha256", 64: "sha512"}[len(hash)]
	return &custom{Algorithm: algorithm, Hash: customHash{Value: text, Encoding: "hex"}}, algorithm != ""
}

// aspnet reads the password hashes of ASP.NET Core Identity: a byte that says which
// version, and behind it the parameters, the salt and the hash, all in base64.
func aspnet(text string) (*custom, bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	switch b[0] {
	case 0: // PBKDF2 with SHA-1, 1,000 rounds, 16 bytes of salt, 32 of hash
		if len(b) != 1+16+32 {
			return nil, false
		}
		return derived("sha1", 1000, b[1:17], b[17:]), true
	case 1: // digest, rounds and size of the salt, four bytes each
		if len(b) < 13 {
			return nil, false
		}
		digests := []string{"sha1", "sha256", "sha512"}
		digest, rounds, size := binary.BigEndian.Uint32(b[1:]), binary.BigEndian.Uint32(b[5:]), uint64(binary.BigEndian.Uint32(b[9:]))
		if digest >= uint32(len(digests)) || size > uint64(len(b)-13) {
			return nil, false
		}
		return derived(digests[digest], uint64(rounds), b[13:13+size], b[13+size:]), true
	}
	return nil, false
}
