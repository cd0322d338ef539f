package store

import "crypto/rand"

// randomText is n random alphanumerics.
func randomText(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	out := make([]byte, 0, n)
	var b [32]byte
	for len(out) < n {
		_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
		for _, v := range b {
			if v < 248 && len(out) < n { // 4 × 62: every letter is as likely
				out = append(out, letters[v%62])
			}
		}
	}
	return string(out)
}
