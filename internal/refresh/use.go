package refresh

import (
	"crypto/subtle"
	"slices"

	"mangrove/internal/client"
)

// Verdict is what a secret is good for.
type Verdict string

// The verdicts of Judge.
const (
	// Keep: the token is exchanged and stays as it is.
	Keep Verdict = "keep"
	// Rotate: it is exchanged, and a new secret takes its place.
	Rotate Verdict = "rotate"
	// Over: the token expired, was idle too long, or the user lost it.
	Over Verdict = "over"
	// Reused: the secret was good once. Somebody has a copy: the family has to go.
	Reused Verdict = "reused"
)

// maxLeaves bounds what leeway can add: the oldest gives way.
const maxLeaves = 8

// Judge decides about a secret of the family. A spent one may be used again for
// leeway, until its successor was used itself: an application that lost the
// answer tries once more, a thief comes later.
func (t *Token) Judge(leaf string, p client.RefreshToken, now int64) Verdict {
	at := slices.IndexFunc(t.Leaves, func(l Leaf) bool {
		return subtle.ConstantTimeCompare([]byte(l.Hash), []byte(leaf)) == 1
	})
	switch {
	case at < 0:
		if !t.Live(now) {
			return Over
		}
		return Reused
	case !t.Live(now):
		return Over
	case t.Leaves[at].SpentAt != 0 && now >= t.Leaves[at].SpentAt+micros(p.Leeway):
		return Reused
	case p.Rotating, t.Leaves[at].SpentAt != 0:
		return Rotate
	}
	return Keep
}

// Rotated is the leaves after the secret was exchanged for next. A spent leaf is
// kept while leeway may ask for it.
func Rotated(leaves []Leaf, leaf, next string, leeway, now int64) []Leaf {
	var used Leaf
	for _, l := range leaves {
		if l.Hash == leaf {
			used = l
		}
	}
	out := make([]Leaf, 0, len(leaves)+1)
	for _, l := range leaves {
		if l.Hash == leaf && l.SpentAt == 0 {
			l.SpentAt = now
		}
		// The successor of this one was just used: it cannot have been lost.
		superseded := l.SpentAt != 0 && l.Hash == used.Parent
		if superseded || l.SpentAt != 0 && now >= l.SpentAt+micros(leeway) {
			continue
		}
		out = append(out, l)
	}
	out = append(out, Leaf{Hash: next, Parent: leaf})
	return out[max(0, len(out)-maxLeaves):]
}

// Exchanged is the record of using the secret; next is the leaf that takes its
// place, empty for Keep.
func (t *Token) Exchanged(leaf, next string, p client.RefreshToken, now int64) Exchange {
	x := Exchange{Hash: t.Hash, At: now, IdleUntil: idleUntil(p, now)}
	if next != "" {
		x.Rotated, x.Before, x.After = true, t.Leaves, Rotated(t.Leaves, leaf, next, p.Leeway, now)
	}
	if k := KeptUntil(t.ExpiresAt, x.IdleUntil); k != KeptUntil(t.ExpiresAt, t.IdleUntil) {
		x.KeptUntil = k
	}
	return x
}
