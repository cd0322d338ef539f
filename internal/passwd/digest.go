package passwd

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"hash"
	"strings"

	"golang.org/x/crypto/md4"       //nolint:staticcheck // people bring hashes of it; we never write one
	"golang.org/x/crypto/ripemd160" //nolint:staticcheck // the same
)

// digests are the functions that we have, by their plain names.
var digests = map[string]func() hash.Hash{
	"md4":        md4.New,
	"md5":        md5.New,
	"ripemd160":  ripemd160.New,
	"sha1":       sha1.New,
	"sha224":     sha256.New224,
	"sha256":     sha256.New,
	"sha384":     sha512.New384,
	"sha512":     sha512.New,
	"sha512-224": sha512.New512_224,
	"sha512-256": sha512.New512_256,
	"sha3-224":   func() hash.Hash { return sha3.New224() },
	"sha3-256":   func() hash.Hash { return sha3.New256() },
	"sha3-384":   func() hash.Hash { return sha3.New384() },
	"sha3-512":   func() hash.Hash { return sha3.New512() },
}

// openssl finds a digest by any name that OpenSSL gives it: sha256, RSA-SHA256,
// sha256WithRSAEncryption, ripemd160WithRSA, ssl3-sha1, rmd160.
func openssl(name string) (func() hash.Hash, bool) {
	n := strings.ToLower(name)
	n = strings.TrimSuffix(strings.TrimSuffix(n, "withrsaencryption"), "withrsa")
	n = strings.TrimPrefix(strings.TrimPrefix(n, "rsa-"), "ssl3-")
	switch n {
	case "ripemd", "rmd160":
		n = "ripemd160"
	case "sha1-2": // RSA-SHA1-2 is another number for the same thing
		n = "sha1"
	}
	n = strings.Replace(n, "sha512/", "sha512-", 1)
	d, ok := digests[n]
	return d, ok
}
