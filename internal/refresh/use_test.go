package refresh

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mangrove/internal/client"
)

const (
	second = int64(1_000_000)
	now    = 1000 * second
)

func TestJudge(t *testing.T) {
	rotating := func(leeway int64) client.RefreshToken { return client.RefreshToken{Rotating: true, Leeway: leeway} }
	fresh := []Leaf{{Hash: "a"}}
	rotated := []Leaf{{Hash: "a", SpentAt: now - 5*second}, {Hash: "b", Parent: "a"}}
	for _, row := range []struct {
		name   string
		token  Token
		leaf   string
		policy client.RefreshToken
		want   Verdict
	}{
		{"not rotating", Token{Leaves: fresh}, "a", client.RefreshToken{}, Keep},
		{"rotating", Token{Leaves: fresh}, "a", rotating(0), Rotate},
		{"another secret of the family", Token{Leaves: fresh}, "x", rotating(0), Reused},
		{"another secret, not rotating", Token{Leaves: fresh}, "x", client.RefreshToken{}, Reused},
		{"another secret of what is over", Token{Leaves: fresh, ExpiresAt: now}, "x", rotating(0), Over},
		{"the newest", Token{Leaves: rotated}, "b", rotating(10), Rotate},
		{"predecessor within leeway", Token{Leaves: rotated}, "a", rotating(10), Rotate},
		{"predecessor at the end of leeway", Token{Leaves: rotated}, "a", rotating(5), Reused},
		{"predecessor, leeway was taken away", Token{Leaves: rotated}, "a", rotating(0), Reused},
		{"predecessor, rotation was switched off", Token{Leaves: rotated}, "a", client.RefreshToken{Leeway: 10}, Rotate},
		{"absolute end", Token{Leaves: fresh, ExpiresAt: now}, "a", rotating(0), Over},
		{"before it", Token{Leaves: fresh, ExpiresAt: now + 1}, "a", rotating(0), Rotate},
		{"idle end", Token{Leaves: fresh, IdleUntil: now}, "a", rotating(0), Over},
		{"before it", Token{Leaves: fresh, IdleUntil: now + 1}, "a", rotating(0), Rotate},
		{"the user lost it", Token{Leaves: fresh, EndedAt: 1}, "a", rotating(0), Over},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := row.token.Judge(row.leaf, row.policy, now); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
		})
	}
}

// The law of rotation: at leeway 0 the newest secret alone is good, and with
// leeway the immediate predecessor too, until its successor was used.
func TestRotationModel(t *testing.T) {
	for _, leeway := range []int64{0, 30} {
		for seed := range uint64(200) {
			r := rand.New(rand.NewPCG(seed, uint64(leeway)))
			policy := client.RefreshToken{Rotating: true, Leeway: leeway}
			at := now
			family := Token{Leaves: []Leaf{{Hash: "0"}}}
			type known struct {
				parent  int
				spentAt int64 // zero: good
			}
			issued := []known{{parent: -1}}
			superseded := map[int]bool{}
			for range 40 {
				at += r.Int64N(20) * second
				n := r.IntN(len(issued))
				if r.IntN(3) > 0 { // mostly what a client would do
					n = len(issued) - 1
				}
				want := Rotate
				if k := issued[n]; k.spentAt != 0 && (superseded[n] || at >= k.spentAt+leeway*second) {
					want = Reused
				}
				leaf := strconv.Itoa(n)
				got := family.Judge(leaf, policy, at)
				gaveWay := !slices.ContainsFunc(family.Leaves, func(l Leaf) bool { return l.Hash == leaf }) && issued[n].spentAt == 0
				if got != want && (!gaveWay || got != Reused) {
					t.Fatalf("seed %d, leeway %d: secret %d is %s, want %s", seed, leeway, n, got, want)
				}
				if got == Reused {
					break // the family is gone
				}
				family.Leaves = Rotated(family.Leaves, leaf, strconv.Itoa(len(issued)), leeway, at)
				if issued[n].spentAt == 0 {
					issued[n].spentAt = at
				}
				if p := issued[n].parent; p >= 0 {
					superseded[p] = true
				}
				issued = append(issued, known{parent: n})
				if len(family.Leaves) > maxLeaves || leeway == 0 && len(family.Leaves) != 1 {
					t.Fatalf("%d leaves are kept", len(family.Leaves))
				}
			}
		}
	}
}

func TestTimes(t *testing.T) {
	for _, row := range []struct {
		name          string
		policy        client.RefreshToken
		expires, idle int64
	}{
		{"for ever", client.RefreshToken{Lifetime: 5, IdleLifetime: 3, InfiniteLifetime: true, InfiniteIdleLifetime: true}, 0, 0},
		{"non-expiring, whatever the numbers", client.RefreshToken{Lifetime: 5, IdleLifetime: 3}, 0, 0},
		{"both", client.RefreshToken{Expiring: true, Lifetime: 5, IdleLifetime: 3}, now + 5*second, now + 3*second},
		{"absolute alone", client.RefreshToken{Expiring: true, Lifetime: 5, IdleLifetime: 3, InfiniteIdleLifetime: true}, now + 5*second, 0},
		{"idle alone", client.RefreshToken{Expiring: true, Lifetime: 5, IdleLifetime: 3, InfiniteLifetime: true}, 0, now + 3*second},
	} {
		t.Run(row.name, func(t *testing.T) {
			var v Token
			v.Begin(Secret{"f", "l"}, row.policy, now)
			if v.ExpiresAt != row.expires || v.IdleUntil != row.idle || !v.Live(now) || v.Hash != "f" || v.Leaves[0].Hash != "l" {
				t.Errorf("%+v", v)
			}
			x := v.Exchanged("l", "m", row.policy, now+2*second)
			if row.idle != 0 && x.IdleUntil != now+5*second || row.idle == 0 && x.IdleUntil != 0 {
				t.Errorf("idle end after an exchange: %d", x.IdleUntil)
			}
		})
	}
}

func TestKeptUntil(t *testing.T) {
	for _, row := range []struct{ expires, idle, want int64 }{
		{0, 0, 0}, {keptDay + 1, 0, 2 * keptDay}, {0, keptDay - 1, keptDay}, {5 * keptDay, keptDay, 2 * keptDay}, {keptDay, 5 * keptDay, 2 * keptDay},
	} {
		if got := KeptUntil(row.expires, row.idle); got != row.want {
			t.Errorf("%+v: %d", row, got)
		}
	}
	// An exchange moves it only when the day changes.
	v := Token{Leaves: []Leaf{{Hash: "a"}}, IdleUntil: keptDay + 10}
	p := client.RefreshToken{Expiring: true, InfiniteLifetime: true, IdleLifetime: 1}
	if x := v.Exchanged("a", "", p, keptDay+20); x.KeptUntil != 0 || x.Rotated {
		t.Errorf("within the day: %+v", x)
	}
	if x := v.Exchanged("a", "", p, 3*keptDay); x.KeptUntil != 4*keptDay {
		t.Errorf("another day: %+v", x)
	}
}

func TestGives(t *testing.T) {
	v := Token{Audience: "api", Scope: []string{"openid", "offline_access", "read:a", "write:a"}}
	policies := []client.RefreshPolicy{{Audience: "other", Scope: []string{"read:o", "write:o"}}}
	for _, row := range []struct {
		name     string
		ask      Ask
		policies []client.RefreshPolicy
		audience string
		scope    string
		ok       bool
	}{
		{"nothing", Ask{}, nil, "api", "openid offline_access read:a write:a", true},
		{"less", Ask{Scope: []string{"read:a"}}, nil, "api", "read:a", true},
		{"more", Ask{Scope: []string{"read:a", "admin"}}, nil, "api", "read:a", true},
		{"another", Ask{Scope: []string{"admin"}}, nil, "api", "", true},
		{"its own API", Ask{Audience: "api"}, policies, "api", "openid offline_access read:a write:a", true},
		{"another API, no policies", Ask{Audience: "other"}, nil, "api", "openid offline_access read:a write:a", true},
		{"another API", Ask{Audience: "other"}, policies, "other", "openid offline_access read:o write:o", true},
		{"another API, less", Ask{Audience: "other", Scope: []string{"read:o", "read:a"}}, policies, "other", "read:o", true},
		{"an API that no policy lists", Ask{Audience: "third"}, policies, "", "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			g, ok := v.Gives(row.ask, row.policies)
			if ok != row.ok || g.Audience != row.audience || strings.Join(g.Scope, " ") != row.scope {
				t.Errorf("%+v, %v", g, ok)
			}
		})
	}
}
