package script

import (
	"bytes"
	"testing"
)

// FuzzDerive: no arguments make a derivation panic, and what is derived twice is equal.
func FuzzDerive(f *testing.F) {
	f.Add(uint8(0), []byte("p"), []byte("salt"), "$2b$04$CCCCCCCCCCCCCCCCCCCCC.", "", 1, 1, 1, 1, 1)
	f.Add(uint8(1), []byte("U*U"), []byte(nil), "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "", 0, 0, 0, 0, 0)
	f.Add(uint8(2), []byte("p"), []byte("s"), "", "sha3-256", 3, 70, 0, 0, 0)
	f.Add(uint8(3), []byte("p"), []byte("s"), "", "", 0, 64, 16, 8, 1)
	f.Add(uint8(4), []byte("p"), []byte("saltsalt"), "", "id", 1, 32, 64, 0, 4)
	f.Add(uint8(5), []byte("p"), []byte(nil), "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAA", "", 0, 0, 0, 0, 0)
	kinds := []string{"bcrypt", "bcrypt.compare", "pbkdf2", "scrypt", "argon2", "argon2.verify", "other"}
	f.Fuzz(func(t *testing.T, kind uint8, password, salt []byte, hash, digest string, rounds, length, n, r, p int) {
		if len(hash) > 6 && hash[4:6] > "05" && hash[4:6] < "15" {
			t.Skip("slow")
		}
		// What the ceilings refuse is tried as it is, what they allow only where it is cheap.
		cheap := func(v, most int) int {
			if v > most && v < 1<<30 {
				return v % most
			}
			return v
		}
		d := derivation{
			Kind: kinds[int(kind)%len(kinds)], Password: password, Salt: salt, Hash: hash, Digest: digest,
			Rounds: cheap(rounds, 8), Length: cheap(length, 200), N: cheap(n, 512), R: cheap(r, 16), P: cheap(p, 4),
		}
		if d.Kind == "argon2.verify" {
			d.Hash = clip(hash, 60)
			if bytes.Contains([]byte(hash), []byte("m=")) {
				d.Kind = "other"
			}
		}
		one, err1 := d.do()
		two, err2 := d.do()
		if (err1 == nil) != (err2 == nil) || err1 == nil && !same(one, two) {
			t.Errorf("%+v: %v, %v; %v, %v", d, one, err1, two, err2)
		}
	})
}

func same(a, b any) bool {
	m, ok := a.(map[string][]byte)
	if !ok {
		return a == b
	}
	return bytes.Equal(m["$bytes"], b.(map[string][]byte)["$bytes"])
}

// FuzzCipher: what is encrypted in two steps is what is encrypted in one, and opens
// again; and no input makes a decryption panic.
func FuzzCipher(f *testing.F) {
	f.Add("aes-128-cbc", bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 16), []byte("0123456789abcdef0"), uint8(3), true)
	f.Add("aes-256-gcm", bytes.Repeat([]byte{1}, 32), []byte{2}, []byte("text"), uint8(0), false)
	f.Add("aes-192-ctr", bytes.Repeat([]byte{1}, 24), bytes.Repeat([]byte{2}, 16), []byte("text"), uint8(0), false)
	f.Fuzz(func(t *testing.T, algorithm string, key, iv, data []byte, at uint8, plain bool) {
		spec := cipherSpec{Algorithm: algorithm, Key: key, IV: iv}
		run := func(decrypt bool, end ending, parts ...[]byte) (out, tag []byte, err error) {
			spec.Decrypt = decrypt
			c, err := newCiphering(spec)
			if err != nil {
				return nil, nil, err
			}
			for _, p := range parts {
				b, err := c.update(bytes.Clone(p))
				if err != nil {
					return nil, nil, err
				}
				out = append(out, b...)
			}
			b, tag, err := c.final(end)
			return append(out, b...), tag, err
		}
		end := ending{Plain: plain, AAD: iv}
		_, _, _ = run(true, end, data)
		whole, tag, err := run(false, end, data)
		cut := min(int(at), len(data))
		parts, tag2, err2 := run(false, end, data[:cut], data[cut:])
		if (err == nil) != (err2 == nil) || !bytes.Equal(whole, parts) || !bytes.Equal(tag, tag2) {
			t.Fatalf("%x %x %v; %x %x %v", whole, tag, err, parts, tag2, err2)
		}
		if err != nil {
			return
		}
		end.Tag = tag
		back, _, err := run(true, end, whole[:min(cut, len(whole))], whole[min(cut, len(whole)):])
		if err != nil || !bytes.Equal(back, data) {
			t.Fatalf("%x, %v; want %x", back, err, data)
		}
	})
}
