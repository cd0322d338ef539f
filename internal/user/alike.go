package user

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// alike is the one form in which names are counted of which only somebody else knows
// whose they are. Databases commonly compare without accents and case, pass over what
// nobody can see, and scripts take blanks away: one person must not have as many
// attempts as a name has spellings. That two people may share a count is the cheaper
// mistake.
func alike(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.In(r, unicode.M, unicode.C, unicode.Z):
			return -1
		case r == 'ı': // no other small letter, and the capital of both is I
			return 'i'
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, norm.NFKD.String(name))
}
