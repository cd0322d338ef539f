package script

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/ripemd160" //nolint:staticcheck // old stores hash with it
)

// host is everything that the library can ask of Go; the script has no way to
// it but through the library. A non-nil error is thrown in JavaScript.
func (r *run) host(args []any) (any, error) {
	op, _ := at[string](args, 0)
	switch op {
	case "derive", "http", "db.open", "db.do":
		if err := r.hold(number(args, 1), args); err != nil {
			return nil, err
		}
	}
	switch op {
	case "settle":
		r.settled, r.outcome = true, text(args, 1)
		r.vm.Interrupt() // what the script does after its answer is of no use
	case "log":
		r.log(text(args, 1), text(args, 2))
	case "utf8":
		return base64.StdEncoding.EncodeToString([]byte(text(args, 1))), nil
	case "text":
		b, err := base64.StdEncoding.DecodeString(text(args, 1))
		return strings.ToValidUTF8(string(b), "\uFFFD"), err
	case "hash":
		return digest(text(args, 1), nil, text(args, 2))
	case "hmac":
		key, err := base64.StdEncoding.DecodeString(text(args, 2))
		if err != nil {
			return nil, err
		}
		return digest(text(args, 1), key, text(args, 3))
	case "derive":
		return nil, r.derive(number(args, 1), text(args, 2))
	case "derive.now":
		return r.deriveNow(text(args, 1))
	case "salt":
		return r.bcryptSalt(number(args, 1), text(args, 2))
	case "cipher":
		return r.newCipher(text(args, 1))
	case "cipher.update":
		return r.ciphered(number(args, 1), text(args, 2))
	case "cipher.final":
		return r.finalCipher(number(args, 1), text(args, 2))
	case "random":
		return r.random(number(args, 1))
	case "url":
		return splitURL(text(args, 1), text(args, 2)), nil
	case "timer":
		if r.set++; r.set > r.limits.Timers {
			return nil, r.stop(tooMuch("more than %d timers", r.limits.Timers))
		}
		r.timers.add(number(args, 1), time.Now().Add(time.Duration(number(args, 2))*time.Millisecond))
	case "clear":
		r.timers.remove(number(args, 1))
	case "http":
		if r.asked++; r.asked > r.limits.Requests {
			return nil, r.stop(tooMuch("more than %d requests", r.limits.Requests))
		}
		return nil, r.send(number(args, 1), text(args, 2))
	case "file":
		return r.file(text(args, 1))
	case "soon":
		r.soon = true
	case "db.open":
		return nil, r.openDatabase(number(args, 1), number(args, 2), text(args, 3), text(args, 4))
	case "db.do":
		return nil, r.askDatabase(number(args, 1), number(args, 2), text(args, 3), text(args, 4))
	case "db.close":
		return nil, r.closeDatabase(number(args, 1), number(args, 2))
	default:
		return nil, errors.New("unknown operation")
	}
	return nil, nil
}

// hold counts what goes outside until its answer is there: the engine's own bound does
// not see it.
func (r *run) hold(id int, args []any) error {
	if r.held == nil {
		r.held = map[int]int{}
	}
	for i := range args {
		r.held[id] += len(text(args, i))
	}
	if r.holding += r.held[id]; r.holding > r.limits.Memory {
		return r.stop(tooMuch("more than %d bytes under way", r.limits.Memory))
	}
	return nil
}

// stop ends the run: the script cannot catch what follows.
func (r *run) stop(f *Failure) error {
	r.fatal = f
	r.vm.Interrupt()
	return f
}

func at[T any](args []any, i int) (v T, ok bool) {
	if i < len(args) {
		v, ok = args[i].(T)
	}
	return v, ok
}

func text(args []any, i int) string {
	s, _ := at[string](args, i)
	return s
}

func number(args []any, i int) int {
	if n, ok := at[int](args, i); ok {
		return n
	}
	f, _ := at[float64](args, i)
	return int(min(max(f, 0), 1<<31))
}

func (r *run) log(level, words string) {
	words = r.mask.hide(words)
	if left := r.limits.Console - r.consoled; len(words) > left {
		words = clip(words, max(left, 0))
	}
	if r.consoled >= r.limits.Console {
		return
	}
	r.consoled += len(words) + 16 // what a line costs besides its text
	r.console = append(r.console, Line{level, words})
}

var hashes = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
	"sha512224": sha512.New512_224, "sha512256": sha512.New512_256, "ripemd160": ripemd160.New, "rmd160": ripemd160.New,
	"sha3224": func() hash.Hash { return sha3.New224() }, "sha3256": func() hash.Hash { return sha3.New256() },
	"sha3384": func() hash.Hash { return sha3.New384() }, "sha3512": func() hash.Hash { return sha3.New512() },
}

// hashOf knows sha256, SHA-256, sha3-256, sha512/256 and RSA-SHA256.
func hashOf(alg string) (func() hash.Hash, bool) {
	name := strings.NewReplacer("-", "", "/", "").Replace(strings.ToLower(alg))
	mk, ok := hashes[strings.TrimPrefix(name, "rsa")]
	return mk, ok
}

// digest of Base64, in Base64; key nil: without a key.
func digest(alg string, key []byte, data string) (any, error) {
	make, ok := hashOf(alg)
	if !ok {
		return nil, fmt.Errorf("digest method not supported: %s", clip(alg, 40))
	}
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, err
	}
	h := make()
	if key != nil {
		h = hmac.New(make, key)
	}
	h.Write(b)
	return base64.StdEncoding.EncodeToString(h.Sum(nil)), nil
}

// maxRandom is how many bytes a script gets at once.
const maxRandom = 64 << 10

func (r *run) random(n int) (any, error) {
	if n < 0 || n > maxRandom {
		return nil, fmt.Errorf("at most %d random bytes at once", maxRandom)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r.engine.rand, b); err != nil {
		return nil, err
	}
	return base64.StdEncoding.EncodeToString(b), nil
}

// splitURL are the members of a URL object as JSON, or empty for what is no URL.
func splitURL(to, base string) string {
	u, err := url.Parse(strings.TrimSpace(to))
	if err != nil {
		return ""
	}
	if base != "" {
		from, err := url.Parse(base)
		if err != nil || !from.IsAbs() {
			return ""
		}
		u = from.ResolveReference(u)
	}
	if !u.IsAbs() {
		return ""
	}
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	if scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		port = ""
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	both := host
	if port != "" {
		both += ":" + port
	}
	web := scheme == "http" || scheme == "https"
	if web && host == "" {
		return ""
	}
	path := u.EscapedPath()
	if path == "" && web {
		path = "/"
	}
	if u.Opaque != "" {
		path = u.Opaque
	}
	parts := map[string]string{
		"protocol": scheme + ":", "host": both, "hostname": host, "port": port, "pathname": path,
		"search": before("?", u.RawQuery), "hash": before("#", u.EscapedFragment()), "username": "", "password": "", "origin": "null",
	}
	if web {
		parts["origin"] = scheme + "://" + both
	}
	var user string
	if u.User != nil {
		user, parts["username"] = u.User.String()+"@", url.PathEscape(u.User.Username())
		password, _ := u.User.Password()
		parts["password"] = url.PathEscape(password)
	}
	slashes := "//"
	if u.Opaque != "" {
		slashes = ""
	}
	parts["href"] = scheme + ":" + slashes + user + both + path + parts["search"] + parts["hash"]
	b, err := json.Marshal(parts)
	if err != nil {
		return ""
	}
	return string(b)
}

func before(mark, s string) string {
	if s == "" {
		return ""
	}
	return mark + s
}
