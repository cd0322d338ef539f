package storetest

import (
	"errors"
	"testing"

	"mangrove/internal/replay"
	"mangrove/internal/store"
)

func runReplay(t *testing.T, open func(testing.TB) *store.Store) {
	s := open(t)
	var memory replay.Memory = s
	again := errors.New("again")
	k := replay.Key("con_1", "_a")
	got := race(20, func(int) error {
		first, err := memory.Seen(bg, k, day+5)
		if err == nil && !first {
			err = again
		}
		return err
	})
	if got["ok"] != 1 || got["again"] != 19 {
		t.Errorf("%v", got)
	}
	for _, other := range []string{replay.Key("con_1", "_b"), replay.Key("con_2", "_a")} {
		if first, err := memory.Seen(bg, other, day+5); err != nil || !first {
			t.Errorf("another message: %v, %v", first, err)
		}
	}
	must(t, s.Sweep(bg, day+4))
	if first, err := memory.Seen(bg, k, day+5); err != nil || first {
		t.Errorf("forgotten too early: %v, %v", first, err)
	}
	must(t, s.Sweep(bg, day+5))
	if first, err := memory.Seen(bg, k, day+5); err != nil || !first {
		t.Errorf("not forgotten: %v, %v", first, err)
	}
}
