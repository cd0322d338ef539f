package store

import "mangrove/internal/user"

// glob is a pattern as characters, anyText and anyRune among them.
type glob []rune

const (
	anyText rune = -1
	anyRune rune = -2
)

func newGlob(l *user.Lookup) glob {
	var g glob
	for i, piece := range l.Pattern {
		if i > 0 {
			if i-1 < len(l.Single) && l.Single[i-1] {
				g = append(g, anyRune)
			} else {
				g = append(g, anyText)
			}
		}
		g = append(g, []rune(piece)...)
	}
	return g
}

// matches goes back only to the last anyText: what an earlier one took stays.
func (g glob) matches(s string) bool {
	text := []rune(s)
	at, star, resume := 0, -1, 0
	for i := 0; i < len(text); {
		switch {
		case at < len(g) && g[at] == anyText:
			star, resume = at, i
			at++
		case at < len(g) && (g[at] == anyRune || g[at] == text[i]):
			at++
			i++
		case star >= 0:
			resume++
			at, i = star+1, resume
		default:
			return false
		}
	}
	for at < len(g) && g[at] == anyText {
		at++
	}
	return at == len(g)
}
