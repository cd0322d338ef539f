package passwd

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The vectors: passwords hashed with Python's hashlib and hmac, OpenSSL 3, and
// libxcrypt's crypt(3); the argon2 ones are from the test of the reference
// implementation (phc-winner-argon2, src/test.c).
const word = "pässwörd Ω"

var vectors = []struct{ name, object, password string }{
	{"argon2id", `{"algorithm":"argon2","hash":{"value":"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"}}`, "password"},
	{"argon2i", `{"algorithm":"argon2","hash":{"value":"$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8","encoding":"utf8"}}`, "password"},
	{"bcrypt 2y", `{"algorithm":"bcrypt","hash":{"value":"$2y$06$abcdefghijklmnopqrstuuweFluOTZuQ0Boo1w.y.les8URrwaTdW"}}`, "correct horse é"},
	{"bcrypt, salt before", `{"algorithm":"bcrypt","hash":{"value":"$2a$05$abcdefghijklmnopqrstuuUneklQEwwJWtD.tlijCVwrQKUc9NbNG"},"salt":{"value":"salty"}}`, "pw"},
	{"bcrypt, salt behind", `{"algorithm":"bcrypt","hash":{"value":"$2a$05$abcdefghijklmnopqrstuuUneklQEwwJWtD.tlijCVwrQKUc9NbNG"},"salt":{"value":"pw","position":"suffix"}}`, "salty"},
	{"bcrypt, long salt behind", `{"algorithm":"bcrypt","hash":{"value":"$2b$05$abcdefghijklmnopqrstuu7vyCpaZlHiSrcaFPwj/Gj9.767a5zv2"},"salt":{"value":"` + strings.Repeat("s", 80) + `","position":"suffix"}}`, "pw"},
	{"md4", `{"algorithm":"md4","hash":{"value":"d24dcd6cbb22492346c3788107cd48ec","encoding":"hex"},"salt":{"value":"NaCl"}}`, word},
	{"md5 prefix", `{"algorithm":"md5","hash":{"value":"AEA6D98BD4B3B95B5D9D6EF1224309FF","encoding":"hex"},"salt":{"value":"NaCl","position":"prefix","encoding":"utf8"}}`, word},
	{"md5 suffix", `{"algorithm":"md5","hash":{"value":"C60x1E94RO8oCCVB1/dbnw==","encoding":"base64"},"salt":{"value":"73616C7401ff","encoding":"hex","position":"suffix"}}`, word},
	{"sha1 prefix", `{"algorithm":"sha1","hash":{"value":"29e4d29fb77504048b625525082475c68c40a62f","encoding":"hex"},"salt":{"value":"TmFDbA","encoding":"base64"}}`, word},
	{"sha1 suffix", `{"algorithm":"sha1","hash":{"value":"awggp3Mj9B93GDHPllaxcOEMEHk","encoding":"base64"},"salt":{"value":"c2FsdAH_","encoding":"base64","position":"suffix"}}`, word},
	{"sha256 prefix", `{"algorithm":"sha256","hash":{"value":"71e6e86407b442ed369b697950aee5724e4edb98dbca5ddb1573535c1dc13d74","encoding":"hex"},"salt":{"value":"NaCl"}}`, word},
	{"sha256 suffix", `{"algorithm":"sha256","hash":{"value":"odPb4ewVGF7ktfWJyTI-jx5-d6JSdhXL2IN9ndKvasU","encoding":"base64"},"salt":{"value":"c2FsdAH/","encoding":"base64","position":"suffix"}}`, word},
	{"sha512 prefix", `{"algorithm":"sha512","hash":{"value":"dbbc86e6fa4f1f8d40153b6a904943ea412657cee9322665997eae713df551ccb46656268622b1d901cc531027262f06be27063a5714b05c2bee1469c7cafc51","encoding":"hex"},"salt":{"value":"NaCl"}}`, word},
	{"sha512 suffix", `{"algorithm":"sha512","hash":{"value":"LB6rcMij69tgMV07FgSp1rGGQeGK5kq3fZLUhh/fUZcsJ/uWkcjGzB/q6SrtlF/91YG5Dlukm1JKp6tcPMWBxg==","encoding":"base64"},"salt":{"value":"73616c7401ff","encoding":"hex","position":"suffix"}}`, word},
	{"utf16le", `{"algorithm":"sha256","hash":{"value":"4cb4fea82d7055590aa1e327bc2de785b8efa7c3242a25ceded28efdde3a347f","encoding":"hex"},"password":{"encoding":"utf16le"}}`, word},
	{"ucs2, beyond the first plane", `{"algorithm":"sha256","hash":{"value":"fdca968b9be94965d6f808e24c7d0f35d8cf8a5c5a18485be0260adb298143f1","encoding":"hex"},"password":{"encoding":"ucs2"}}`, "a😀"},
	{"latin1", `{"algorithm":"sha256","hash":{"value":"0867ec9e47b8dba41b8b911df1bbbeac602b2e7fb28a90b334502f19e2da471d","encoding":"hex"},"password":{"encoding":"latin1"}}`, "pässwörd"},
	{"binary", `{"algorithm":"sha256","hash":{"value":"0867ec9e47b8dba41b8b911df1bbbeac602b2e7fb28a90b334502f19e2da471d","encoding":"hex"},"password":{"encoding":"binary"}}`, "pässwörd"},
	{"ascii", `{"algorithm":"sha256","hash":{"value":"0867ec9e47b8dba41b8b911df1bbbeac602b2e7fb28a90b334502f19e2da471d","encoding":"hex"},"password":{"encoding":"ascii"}}`, "pässwörd"},
	{"hmac md4", hmacOf("md4", "de8e5e919ec8145a202d4355bd5f2e3b"), word},
	{"hmac md5", hmacOf("md5", "9a958870ca695d780cd82896b57edb6d"), word},
	{"hmac ripemd160", hmacOf("ripemd160", "a135b3f13ee6ff355bb29e7b4b3449561b0670d9"), word},
	{"hmac sha1", hmacOf("sha1", "52b319c555432e3c54692c12e4960e0b03aa68d4"), word},
	{"hmac sha224", hmacOf("sha224", "59f5ad0d794b654af666647e57e948d30b9e40b9aea3b1bb2b2ef34c"), word},
	{"hmac sha256", hmacOf("sha256", "8fde0299f163636e80dcdf2929ac52481df93c2746bc6d6f46c6b2bcddb27e75"), word},
	{"hmac sha384", hmacOf("sha384", "675dd141aeeb6ceb8affd66cba9f10f4316553905068c380c195675aa0525f2ed7fde793f9ceeee7aa7adeef7bef5c88"), word},
	{"hmac sha512", hmacOf("sha512", "f0224ee988d2e5812c3a2dcd2799d4326912acc8dbd5feff84d38430d7b18d9a5d1b288b4f34f0c4ca11c56c86f9f3dfbde3bc3401082b8fe11eae852651e94c"), word},
	{"hmac, key in hex", `{"algorithm":"hmac","hash":{"value":"j94CmfFjY26A3N8pKaxSSB35PCdGvG1vRsayvN2yfnU","encoding":"base64","digest":"sha256","key":{"value":"6b6579e282ac","encoding":"hex"}},"salt":{"value":"NaCl"}}`, word},
	{"ldap md5", ldapOf("MD5", "44sBc6OhQ6ISZesWSX/J0Q=="), word},
	{"ldap smd5", ldapOf("SMD5", "C60x1E94RO8oCCVB1/dbn3NhbHQB/w=="), word},
	{"ldap sha", ldapOf("SHA", "vDORzvRa6d4jrkguHXd+NbQPFQw="), word},
	{"ldap ssha", ldapOf("ssha", "awggp3Mj9B93GDHPllaxcOEMEHlzYWx0Af8="), word},
	{"ldap sha224", ldapOf("SHA224", "zJg9wMJPxtvUn+fcmFwJA/jfV/TCG7yW/20Hwg=="), word},
	{"ldap ssha224", ldapOf("SSHA224", "qx7ksAC5RnEkzxQ94tJo/VIwW4LLZwLGa1tHcnNhbHQB/w=="), word},
	{"ldap ssha256", ldapOf("SSHA256", "odPb4ewVGF7ktfWJyTI+jx5+d6JSdhXL2IN9ndKvasVzYWx0Af8="), word},
	{"ldap ssha384", ldapOf("SSHA384", "J0B2N18AvGgjYD1u2mCx59b+G1FdBRHAZFG8hBBwiiWmp8SlUOXG7zfX3cBhNu3Gc2FsdAH/"), word},
	{"ldap sha512", ldapOf("SHA512", "7dA+cj6GsnkFjK6EXUKF544XmF/ou5ySGlsHVVPVGFDiYW5GjPTBFadWfJZmLNvXhrFDMnJN4p8F/emydaC0Yg=="), word},
	{"ldap ssha512", ldapOf("SSHA512", "LB6rcMij69tgMV07FgSp1rGGQeGK5kq3fZLUhh/fUZcsJ/uWkcjGzB/q6SrtlF/91YG5Dlukm1JKp6tcPMWBxnNhbHQB/w=="), word},
	{"pbkdf2 sha1, four blocks", pbkdf2Of("sha1$i=1000,l=64", "ue73GvIHwFLR1qvRqGy6dBcL7I6FlCefM2z8zhylRz3GN3FHAV8yAHWq/uznZPBXGyl9dLsmHQlQi9jWxWDo0w"), word},
	{"pbkdf2 sha256", pbkdf2Of("sha256$i=1000,l=32", "/FVLYwhWBII4PgXwzx8G+p6wRt3wLyCNqf8wtc3JIMg"), word},
	{"pbkdf2 RSA-SHA256", pbkdf2Of("RSA-SHA256$l=32,i=1000", "/FVLYwhWBII4PgXwzx8G+p6wRt3wLyCNqf8wtc3JIMg"), word},
	{"pbkdf2 sha256WithRSAEncryption", pbkdf2Of("sha256WithRSAEncryption$i=1000,l=32", "/FVLYwhWBII4PgXwzx8G+p6wRt3wLyCNqf8wtc3JIMg"), word},
	{"pbkdf2 defaults", pbkdf2Of("sha512", "s18rBH39n5zta3ZurJFa7kfVEi0jbWis1qVWFItDfwLhpr5yFuL6XOLxD7kvBo/BnpLn22TEbDAbcrMwcCpq5g"), word},
	{"pbkdf2 sha384", pbkdf2Of("sha384$i=2,l=48", "Yp30My0YgpJEaBZvo0iN9A1nnfja+I08OwmAsfc37fM7nBACZovEOcxJL9zQbnEb"), word},
	{"pbkdf2 sha224", pbkdf2Of("sha224$i=5", "jcIciEUPgrAo/8BfIFN/FzVvqM0a1On9PTBGk2wxR2xjWvBm8ZdPvN6O7YW7PI4xCvpWQWV7o7Z2a99Fxjx1ng"), word},
	{"pbkdf2 md4", pbkdf2Of("md4$i=10,l=16", "qEjtDIgGNOUz0DJjEzs4wQ"), word},
	{"pbkdf2 md5", pbkdf2Of("md5$i=10,l=16", "Jog5iyla4RafPjz7LVkqhQ"), word},
	{"pbkdf2 ripemd160WithRSA", pbkdf2Of("ripemd160WithRSA$i=10,l=20", "jSlfYN5lU4XAtTJMdfX+66H1d6E"), word},
	{"pbkdf2 sha3-256", pbkdf2Of("sha3-256$i=10,l=32", "7FtSqDwWSui17t3yAyUO8SkrrcP/hYfhD5XMaztTVMA"), word},
	{"pbkdf2 sha512-256", pbkdf2Of("RSA-SHA512/256$i=10,l=32", "WE0c4VcUJcDK+6bxQ7f5d1UgJdA8W//E7zCJUdPpHTw"), word},
	{"scrypt defaults", `{"algorithm":"scrypt","hash":{"value":"1c02bb21e4cca72d3a9643899e04ea0a4385e84937f16782cac062fb5acb1cc97f542a78c8126172335a93870fca4fdfa6d139c56b0cfe0629313d3d15a9f1b8","encoding":"hex"},"salt":{"value":"NaCl"},"keylen":64}`, word},
	{"scrypt", `{"algorithm":"scrypt","hash":{"value":"7IdFipPJR22_Y3r4hk-Iat_XT1CJj93XzCD_AJbRqv8=","encoding":"base64"},"salt":{"value":"c2FsdAH/","encoding":"base64"},"keylen":32,"cost":1024,"blockSize":4,"parallelization":2}`, word},
}

func hmacOf(digest, hex string) string {
	return fmt.Sprintf(`{"algorithm":"hmac","hash":{"value":%q,"encoding":"hex","digest":%q,"key":{"value":"key€"}},"salt":{"value":"NaCl"}}`, hex, digest)
}

func ldapOf(scheme, text string) string {
	return fmt.Sprintf(`{"algorithm":"ldap","hash":{"value":"{%s}%s"}}`, scheme, text)
}

func pbkdf2Of(digest, text string) string {
	return fmt.Sprintf(`{"algorithm":"pbkdf2","hash":{"value":"$pbkdf2-%s$c2FsdAH/$%s"}}`, digest, text)
}

func TestCustomVectors(t *testing.T) {
	for _, c := range vectors {
		t.Run(c.name, func(t *testing.T) {
			stored, err := ParseCustom([]byte(c.object))
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if ok, rehash := Verify(stored, c.password); !ok || !rehash {
				t.Errorf("right password: %v, rehash %v", ok, rehash)
			}
			wrongs := []string{c.password + "x", "", strings.ToUpper(c.password), "Ā" + c.password}
			if strings.Contains(c.name, "defaults") {
				wrongs = wrongs[:1] // these are slow on purpose
			}
			for _, wrong := range wrongs {
				if ok, _ := Verify(stored, wrong); ok {
					t.Errorf("%q passed", wrong)
				}
			}
			again, err := ParseCustom([]byte(stored))
			if err != nil || again != stored {
				t.Errorf("the stored form reads back as %s, %v", again, err)
			}
		})
	}
}

func TestCustomRefused(t *testing.T) {
	md5 := `"hash":{"value":"aea6d98bd4b3b95b5d9d6ef1224309ff","encoding":"hex"}`
	argon := func(s string) string { return `{"algorithm":"argon2","hash":{"value":"` + s + `"}}` }
	scrypt := func(s string) string {
		return `{"algorithm":"scrypt","hash":{"value":"7IdFipPJR22/Y3r4hk+Iat/XT1CJj93XzCD/AJbRqv8=","encoding":"base64"},` + s + `}`
	}
	const phc = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, c := range []struct{ name, object, code, path, text string }{
		{"no object", `[]`, "INVALID_TYPE", "", "Expected type object but found type array"},
		{"null", `null`, "INVALID_TYPE", "", "Expected type object but found type null"},
		{"no algorithm", `{` + md5 + `}`, "OBJECT_REQUIRED", "", "Missing required property: algorithm"},
		{"unknown algorithm", `{"algorithm":"rot13",` + md5 + `}`, "ENUM_MISMATCH", "algorithm", "No enum match"},
		{"whirlpool", `{"algorithm":"whirlpool",` + md5 + `}`, "ENUM_MISMATCH", "algorithm", "No enum match"},
		{"algorithm of another type", `{"algorithm":1,` + md5 + `}`, "INVALID_TYPE", "algorithm", "Expected type string but found type number"},
		{"name in capitals", `{"Algorithm":"md5",` + md5 + `}`, "OBJECT_REQUIRED", "", "algorithm"},
		{"no hash", `{"algorithm":"md5"}`, "OBJECT_REQUIRED", "", "Missing required property: hash"},
		{"extra", `{"algorithm":"md5",` + md5 + `,"x":1,"a":2}`, "OBJECT_ADDITIONAL_PROPERTIES", "", "Additional properties not allowed: a,x"},
		{"extra in hash", `{"algorithm":"md5","hash":{"value":"a","x":1}}`, "OBJECT_ADDITIONAL_PROPERTIES", "hash", "x"},
		{"extra in salt", `{"algorithm":"md5",` + md5 + `,"salt":{"value":"a","x":1}}`, "OBJECT_ADDITIONAL_PROPERTIES", "salt", "x"},
		{"salt without value", `{"algorithm":"md5",` + md5 + `,"salt":{}}`, "OBJECT_REQUIRED", "salt", "value"},
		{"salt position", `{"algorithm":"md5",` + md5 + `,"salt":{"value":"a","position":"middle"}}`, "ENUM_MISMATCH", "salt.position", "prefix, suffix"},
		{"salt not of its encoding", `{"algorithm":"md5",` + md5 + `,"salt":{"value":"xyz","encoding":"hex"}}`, "FORMAT", "salt.value", "salt"},
		{"password encoding", `{"algorithm":"md5",` + md5 + `,"password":{"encoding":"ebcdic"}}`, "ENUM_MISMATCH", "password.encoding", "utf16le"},
		{"empty hash", `{"algorithm":"md5","hash":{"value":"","encoding":"hex"}}`, "MIN_LENGTH", "hash.value", "too short"},
		{"hash too short", `{"algorithm":"md5","hash":{"value":"aea6","encoding":"hex"}}`, "FORMAT", "hash.value", "2 bytes, expected 16"},
		{"hash without encoding", `{"algorithm":"md5","hash":{"value":"aea6d98bd4b3b95b5d9d6ef1224309ff"}}`, "ENUM_MISMATCH", "hash.encoding", "hex or base64"},
		{"hash not of its encoding", `{"algorithm":"md5","hash":{"value":"zz","encoding":"hex"}}`, "FORMAT", "hash.value", "encoding"},
		{"base64 with a break", `{"algorithm":"md5","hash":{"value":"C60x1E94RO8o\nCCVB1/dbnw==","encoding":"base64"}}`, "FORMAT", "hash.value", "encoding"},
		{"digest without hmac", `{"algorithm":"md5","hash":{"value":"aea6d98bd4b3b95b5d9d6ef1224309ff","encoding":"hex","digest":"md5"}}`, "NOT_PASSED", "hash", "hmac only"},
		{"keylen without scrypt", `{"algorithm":"md5",` + md5 + `,"keylen":16}`, "NOT_PASSED", "", "scrypt only"},
		{"1 MB hash", `{"algorithm":"md5","hash":{"value":"` + strings.Repeat("a", 1<<20) + `","encoding":"hex"}}`, "MAX_LENGTH", "", "longer"},
		{"hash over 4 KiB", `{"algorithm":"md5","hash":{"value":"` + strings.Repeat("a", 4097) + `","encoding":"hex"}}`, "MAX_LENGTH", "hash.value", "maximum 4096"},

		{"bcrypt cost 31", `{"algorithm":"bcrypt","hash":{"value":"$2b$31$abcdefghijklmnopqrstuuweFluOTZuQ0Boo1w.y.les8URrwaTdW"}}`, "MAXIMUM", "", "31"},
		{"bcrypt 2x", `{"algorithm":"bcrypt","hash":{"value":"$2x$06$abcdefghijklmnopqrstuuweFluOTZuQ0Boo1w.y.les8URrwaTdW"}}`, "FORMAT", "", "bcrypt"},
		{"bcrypt in hex", `{"algorithm":"bcrypt","hash":{"value":"$2b$06$abcdefghijklmnopqrstuuweFluOTZuQ0Boo1w.y.les8URrwaTdW","encoding":"hex"}}`, "ENUM_MISMATCH", "hash.encoding", "utf8"},

		{"argon2d", argon("$argon2d$v=19$m=65536,t=2,p=1" + phc), "FORMAT", "hash.value", "argon2d is not supported"},
		{"argon2 of version 16", argon("$argon2i$v=16$m=65536,t=2,p=1" + phc), "FORMAT", "hash.value", "only v=19"},
		{"argon2 without version", argon("$argon2i$m=65536,t=2,p=1" + phc), "FORMAT", "hash.value", "version 16"},
		{"argon2 of 4 GiB", argon("$argon2id$v=19$m=4194304,t=2,p=1" + phc), "MAXIMUM", "hash.value", "memory"},
		{"argon2 of a million passes", argon("$argon2id$v=19$m=64,t=1000000,p=1" + phc), "MAXIMUM", "hash.value", "time"},
		{"argon2 of 255 threads", argon("$argon2id$v=19$m=65536,t=2,p=255" + phc), "MAXIMUM", "hash.value", "parallelism"},
		{"argon2, no passes", argon("$argon2id$v=19$m=65536,t=0,p=1" + phc), "FORMAT", "hash.value", "Not an argon2"},
		{"argon2, no p", argon("$argon2id$v=19$m=65536,t=1" + phc), "FORMAT", "hash.value", "Not an argon2"},
		{"argon2, twice t", argon("$argon2id$v=19$m=65536,t=1,t=2,p=1" + phc), "FORMAT", "hash.value", "Not an argon2"},
		{"argon2, odd number", argon("$argon2id$v=19$m=+65536,t=1,p=1" + phc), "FORMAT", "hash.value", "Not an argon2"},
		{"argon2, huge number", argon("$argon2id$v=19$m=99999999999999999999,t=1,p=1" + phc), "FORMAT", "hash.value", "Not an argon2"},
		{"argon2 without hash", argon("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$"), "FORMAT", "hash.value", "Not an argon2"},
		{"argon2 with salt object", `{"algorithm":"argon2","hash":{"value":"x"},"salt":{"value":"a"}}`, "NOT_PASSED", "salt", "not allowed"},

		{"hmac without key", `{"algorithm":"hmac","hash":{"value":"aea6d98bd4b3b95b5d9d6ef1224309ff","encoding":"hex","digest":"md5"}}`, "OBJECT_REQUIRED", "hash", "key"},
		{"hmac whirlpool", hmacOf("whirlpool", strings.Repeat("ab", 64)), "ENUM_MISMATCH", "hash.digest", "whirlpool is not supported"},
		{"hmac of no digest", hmacOf("", strings.Repeat("ab", 64)), "ENUM_MISMATCH", "hash.digest", "one of"},

		{"ldap crypt", ldapOf("CRYPT", "abc"), "FORMAT", "hash.value", "not supported"},
		{"ldap without scheme", `{"algorithm":"ldap","hash":{"value":"44sBc6OhQ6ISZesWSX/J0Q=="}}`, "FORMAT", "hash.value", "Not an LDAP hash"},
		{"ldap unsalted with salt", ldapOf("MD5", "C60x1E94RO8oCCVB1/dbn3NhbHQB/w=="), "FORMAT", "hash.value", "form"},
		{"ldap too short", ldapOf("SSHA", "44sBc6OhQ6ISZesWSX/J0Q=="), "FORMAT", "hash.value", "form"},

		{"pbkdf2 of 10^9", pbkdf2Of("sha256$i=1000000000,l=32", "/FVLYwhWBII4PgXwzx8G+p6wRt3wLyCNqf8wtc3JIMg"), "MAXIMUM", "hash.value", "iterations"},
		{"pbkdf2 whirlpool", pbkdf2Of("whirlpool$i=1,l=32", "/FVLYwhWBII4PgXwzx8G+p6wRt3wLyCNqf8wtc3JIMg"), "ENUM_MISMATCH", "hash.value", "not supported"},
		{"pbkdf2 mdc2", pbkdf2Of("mdc2$i=1,l=32", "/FVLYwhWBII4PgXwzx8G+p6wRt3wLyCNqf8wtc3JIMg"), "ENUM_MISMATCH", "hash.value", "not supported"},
		{"pbkdf2, no rounds", pbkdf2Of("sha256$i=0,l=32", "/FVLYwhWBII4PgXwzx8G+p6wRt3wLyCNqf8wtc3JIMg"), "FORMAT", "hash.value", "Not a pbkdf2"},
		{"pbkdf2 of other length", pbkdf2Of("sha256$i=1000,l=31", "/FVLYwhWBII4PgXwzx8G+p6wRt3wLyCNqf8wtc3JIMg"), "FORMAT", "hash.value", "32 bytes"},
		{"pbkdf2 of no length", pbkdf2Of("sha256$i=1000,l=0", ""), "FORMAT", "hash.value", "0 bytes"},
		{"pbkdf2, other text", `{"algorithm":"pbkdf2","hash":{"value":"pbkdf2:sha256:1$a$b"}}`, "FORMAT", "hash.value", "Not a pbkdf2"},

		{"scrypt of 2^30", scrypt(`"keylen":32,"cost":1073741824`), "MAXIMUM", "cost", "memory"},
		{"scrypt of a huge block", scrypt(`"keylen":32,"blockSize":9000000000000000000`), "MAXIMUM", "cost", "memory"},
		{"scrypt of many lanes", scrypt(`"keylen":32,"cost":131072,"parallelization":16`), "MAXIMUM", "parallelization", "too much"},
		{"scrypt, no power of two", scrypt(`"keylen":32,"cost":1000`), "NOT_PASSED", "cost", "power of two"},
		{"scrypt cost 1", scrypt(`"keylen":32,"cost":1`), "NOT_PASSED", "cost", "power of two"},
		{"scrypt without keylen", scrypt(`"cost":1024`), "OBJECT_REQUIRED", "", "keylen"},
		{"scrypt keylen 0", scrypt(`"keylen":0`), "MINIMUM", "keylen", "minimum 1"},
		{"scrypt keylen 1", scrypt(`"keylen":1`), "MINIMUM", "keylen", "minimum 8"},
		{"scrypt keylen of another type", scrypt(`"keylen":"32"`), "INVALID_TYPE", "keylen", "integer"},
		{"scrypt keylen 1.5", scrypt(`"keylen":1.5`), "INVALID_TYPE", "keylen", "integer"},
		{"scrypt of other length", scrypt(`"keylen":31`), "FORMAT", "hash.value", "32 bytes, expected 31"},
	} {
		stored, err := ParseCustom([]byte(c.object))
		var r *Refused
		if !errors.As(err, &r) || r.Code != c.code || r.Path != c.path || !strings.Contains(r.Text, c.text) {
			t.Errorf("%s: %q, %#v; want %s at %q with %q", c.name, stored, err, c.code, c.path, c.text)
		}
		if ok, _ := Verify(c.object, ""); ok {
			t.Errorf("%s: verified from the store", c.name)
		}
	}
}

// What an encoding does not have must not be cut down to what it has: Ł is
// U+0141, whose low byte is A.
func TestPasswordEncodingDoesNotFold(t *testing.T) {
	stored, err := ParseCustom([]byte(`{"algorithm":"md5","hash":{"value":"7fc56270e7a70fa81a5935b72eacbe29","encoding":"hex"},"password":{"encoding":"latin1"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := Verify(stored, "A"); !ok {
		t.Error("A was refused")
	}
	if ok, _ := Verify(stored, "Ł"); ok {
		t.Error("Ł passed for A")
	}
}

// The laws: whatever is accepted stays within the ceilings, is stored in one
// spelling, and does not verify passwords that nobody chose. Costly forms are
// checked for their ceilings only, so that the fuzzer is not slow.
func FuzzParseCustom(f *testing.F) {
	for _, c := range vectors {
		f.Add([]byte(c.object), c.password)
	}
	f.Fuzz(func(t *testing.T, object []byte, password string) {
		stored, err := ParseCustom(object)
		if err != nil {
			var r *Refused
			if !errors.As(err, &r) || r.Code == "" || r.Text == "" {
				t.Fatalf("odd error %#v", err)
			}
			return
		}
		if again, err := ParseCustom([]byte(stored)); err != nil || again != stored {
			t.Fatalf("%s reads back as %s, %v", stored, again, err)
		}
		var c custom
		if err := json.Unmarshal([]byte(stored), &c); err != nil {
			t.Fatal(err)
		}
		switch c.Algorithm {
		case "argon2", "bcrypt", "pbkdf2", "scrypt":
			return
		}
		if ok, _ := Verify(stored, password); ok {
			if other, _ := Verify(stored, password+"\x01"); other {
				t.Fatalf("%s verifies %q and more", stored, password)
			}
		}
	})
}
