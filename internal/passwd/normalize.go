package passwd

import "golang.org/x/text/unicode/norm"

// Normalize gives each password one spelling: keyboards and systems write the
// same letters in different code points (NFKC, as NIST SP 800-63B-4 has it).
// Hash, Verify and Policy.Check do it themselves, so that every door does.
func Normalize(password string) string { return norm.NFKC.String(password) }
