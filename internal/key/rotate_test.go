package key

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
)

// states are the ids and states of keys, in order.
func states(keys []Key) string {
	var b strings.Builder
	for _, k := range keys {
		b.WriteString(k.ID + ":" + k.State + " ")
	}
	return strings.TrimSpace(b.String())
}

func of(text string) (keys []Key) {
	for _, f := range strings.Fields(text) {
		id, state, _ := strings.Cut(f, ":")
		keys = append(keys, Key{ID: id, State: state, Since: 1})
	}
	return keys
}

func TestRotate(t *testing.T) {
	for _, row := range []struct{ before, after string }{
		{"a:current", "a:previous x:current y:next"},
		{"a:current b:next", "a:previous b:current x:next"},
		{"a:previous b:current c:next d:revoked", "a:previous b:previous c:current d:revoked x:next"},
		{"a:current b:current", "a:previous b:previous x:current y:next"},
		{"a:next b:next", "a:current b:previous x:next"},
		{"", "x:current y:next"},
	} {
		before := of(row.before)
		got := rotate(before, [2]Key{{ID: "x"}, {ID: "y"}}, 9)
		if states(got) != row.after || states(before) != row.before {
			t.Errorf("%s: %s", row.before, states(got))
		}
		for _, k := range got {
			moved := !strings.Contains(" "+row.before+" ", " "+k.ID+":"+k.State+" ")
			if moved != (k.Since == 9) {
				t.Errorf("%s: %s since %d", row.before, k.ID, k.Since)
			}
		}
	}
}

func TestRevoke(t *testing.T) {
	for _, row := range []struct {
		before, id, after string
		err               error
	}{
		{"a:current b:previous", "b", "a:current b:revoked", nil},
		{"a:current b:next", "b", "a:current b:revoked", nil},
		{"a:current b:revoked", "b", "a:current b:revoked", nil},
		{"a:current b:previous", "a", "", errCurrent},
		{"a:current", "c", "", ErrNoSuchKey},
	} {
		got, err := revoke(of(row.before), row.id, 9)
		if !errors.Is(err, row.err) || states(got) != row.after {
			t.Errorf("%s, %s: %s, %v", row.before, row.id, states(got), err)
		}
	}
}

// A key that signs no more is published until the last token it signed has ended.
func TestAfterlife(t *testing.T) {
	ended := time.Unix(1_800_000_000, 0)
	for _, row := range []struct {
		state string
		since int64
		after time.Duration
		want  bool
	}{
		{Current, ended.UnixMicro(), 1000 * Afterlife, true},
		{Next, ended.UnixMicro(), 1000 * Afterlife, true},
		{Previous, ended.UnixMicro(), 0, true},
		{Previous, ended.UnixMicro(), Afterlife - time.Microsecond, true},
		{Previous, ended.UnixMicro(), Afterlife, false},
		{Previous, 0, 1000 * Afterlife, true}, // nobody noted when it ended
		{Revoked, ended.UnixMicro(), 0, false},
	} {
		if got := verifies(Key{State: row.state, Since: row.since}, ended.Add(row.after)); got != row.want {
			t.Errorf("%+v: %v", row, got)
		}
	}
}

// cabinet is a Keeper in memory.
type cabinet struct{ keys []Key }

func (c *cabinet) Keys(context.Context) ([]Key, error) { return c.keys, nil }

func (c *cabinet) UpdateKeys(_ context.Context, fn func([]Key) ([]Key, error), e audit.Event) ([]Key, error) {
	asked := e.Type == audit.APIOperation && e.At > 0 && e.Description != ""
	if nobody := e.Type == "" && e.At == 0 && e.Description == ""; !asked && !nobody {
		return nil, errors.New("no proper record")
	}
	if _, err := fn(c.keys); err != nil {
		return nil, err
	}
	keys, err := fn(c.keys)
	if err == nil {
		c.keys = keys
	}
	return keys, err
}

// What verifies tokens may keep the published keys: the key of the first rotation
// is among them before it signs.
func TestPrepare(t *testing.T) {
	ctx := t.Context()
	at := time.Unix(1_800_000_000, 0)
	c := &cabinet{keys: []Key{generated(t)}}
	ring := NewRing(c, func() time.Time { return at })
	s := &Service{Store: c, Ring: ring, Host: "id.example.test", Now: func() time.Time { return at }}
	for range 2 {
		if err := s.Prepare(ctx); err != nil {
			t.Fatal(err)
		}
		if len(c.keys) != 2 || c.keys[0].State != Current || c.keys[1].State != Next {
			t.Fatalf("prepared: %s", states(c.keys))
		}
	}
	kept, prepared := string(ring.JWKS(ctx)), c.keys[1].ID
	if _, err := s.Rotate(ctx, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	if k, err := s.Get(ctx, prepared); err != nil || k.State != Current || !strings.Contains(kept, prepared) {
		t.Errorf("%v: %s signs, %s was published", err, states([]Key{k}), kept)
	}
}

// security.md 62: what a key signed stays valid over rotations, and ends when the
// key is revoked.
func TestRotationOnTheRing(t *testing.T) {
	ctx := t.Context()
	at := time.Unix(1_800_000_000, 0)
	c := &cabinet{keys: []Key{generated(t)}}
	ring := NewRing(c, func() time.Time { return at })
	if err := ring.Load(ctx); err != nil {
		t.Fatal(err)
	}
	s := &Service{Store: c, Ring: ring, Host: "id.example.test", Now: func() time.Time { return at }}
	first := c.keys[0].ID
	signed, err := ring.Sign(ctx, "JWT", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	input, signature := split(t, signed)
	next, err := s.Rotate(ctx, audit.Event{})
	if err != nil || next.State != Next {
		t.Fatalf("%+v, %v", next.State, err)
	}
	if jwks := string(ring.JWKS(ctx)); strings.Count(jwks, `"kid"`) != 3 || !strings.Contains(jwks, next.ID) || !strings.Contains(jwks, first) || !strings.Contains(jwks, `"alg":"RS256"`) {
		t.Errorf("published: %s", jwks)
	}
	if bare := string(ring.BareJWKS(ctx)); strings.Count(bare, `"kid"`) != 3 || strings.Contains(bare, `"alg"`) {
		t.Errorf("without alg: %s", bare)
	}
	second, err := ring.Sign(ctx, "JWT", []byte("{}"))
	if err != nil || strings.HasPrefix(second, strings.SplitN(signed, ".", 2)[0]) {
		t.Errorf("the old key signs: %v", err)
	}
	if err := ring.Verify(ctx, first, input, signature); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
	list, err := s.List(ctx)
	if err != nil || len(list) != 3 || list[0].State != Current || list[1].ID != next.ID || list[2].ID != first {
		t.Errorf("%s, %v", states(list), err)
	}
	if _, err := s.Revoke(ctx, list[0].ID, audit.Event{}); !errors.Is(err, errCurrent) {
		t.Errorf("the current one: %v", err)
	}
	if _, err := s.Revoke(ctx, "none", audit.Event{}); !errors.Is(err, ErrNoSuchKey) {
		t.Errorf("none: %v", err)
	}
	if k, err := s.Revoke(ctx, first, audit.Event{}); err != nil || k.State != Revoked {
		t.Fatal(err)
	}
	if err := ring.Verify(ctx, first, input, signature); !errors.Is(err, ErrUnknown) {
		t.Errorf("after the revocation: %v", err)
	}
	if k, err := s.Get(ctx, first); err != nil || k.State != Revoked {
		t.Errorf("%s, %v", k.State, err)
	}
	if _, err := s.Get(ctx, "none"); !errors.Is(err, ErrNoSuchKey) {
		t.Error(err)
	}
}
