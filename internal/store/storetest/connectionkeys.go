package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"mangrove/internal/connection"
	"mangrove/internal/store"
)

func runConnectionKeys(t *testing.T, open func(testing.TB) *store.Store) {
	plain := func(id, state string) connection.Key {
		return connection.Key{
			ID: id, Alg: "RS256", Private: []byte("private " + id), Cert: []byte("cert"), State: state,
			CurrentSince: day + 1, CurrentUntil: day + 2, CreatedAt: day,
		}
	}
	with := func(keys ...connection.Key) func([]connection.Key) ([]connection.Key, error) {
		return func([]connection.Key) ([]connection.Key, error) { return keys, nil }
	}
	t.Run("what is returned is kept", func(t *testing.T) {
		s := open(t)
		must(t, s.CreateConnection(bg, conn("con_1", "one", "oidc"), event("")))
		must(t, s.CreateConnection(bg, conn("con_2", "two", "okta"), event("")))
		want := []connection.Key{plain("a", connection.KeyCurrent), plain("b", connection.KeyNext)}
		must(t, second(s.UpdateConnectionKeys(bg, "con_1", with(want...), event(""))))
		must(t, second(s.UpdateConnectionKeys(bg, "con_2", with(plain("z", connection.KeyCurrent)), event(""))))
		keys, err := s.ConnectionKeys(bg, "con_1")
		if must(t, err); !reflect.DeepEqual(keys, want) {
			t.Errorf("got %+v", keys)
		}
		want = []connection.Key{plain("b", connection.KeyCurrent), plain("c", connection.KeyNext)}
		must(t, second(s.UpdateConnectionKeys(bg, "con_1", with(want...), event(""))))
		keys, err = s.ConnectionKeys(bg, "con_1")
		if must(t, err); !reflect.DeepEqual(keys, want) {
			t.Errorf("after the change: %+v", keys)
		}
		c, err := s.Connection(bg, "con_1")
		if must(t, err); c.Version != 1 {
			t.Errorf("the connection is in version %d", c.Version)
		}
		keys, err = s.ConnectionKeys(bg, "con_2")
		if must(t, err); len(keys) != 1 || keys[0].ID != "z" {
			t.Errorf("the other connection has %+v", keys)
		}
	})
	t.Run("a refused change changes nothing", func(t *testing.T) {
		s := open(t)
		no := errors.New("no")
		must(t, s.CreateConnection(bg, conn("con_1", "one", "oidc"), event("")))
		refuse := func([]connection.Key) ([]connection.Key, error) {
			return []connection.Key{plain("a", connection.KeyCurrent)}, no
		}
		if _, err := s.UpdateConnectionKeys(bg, "con_1", refuse, event("")); !errors.Is(err, no) {
			t.Error(err)
		}
		if _, err := s.UpdateConnectionKeys(bg, "con_x", with(plain("a", connection.KeyCurrent)), event("")); !errors.Is(err, connection.ErrNotFound) {
			t.Errorf("no connection: %v", err)
		}
		for _, id := range []string{"con_1", "con_x"} {
			if keys, err := s.ConnectionKeys(bg, id); err != nil || len(keys) != 0 {
				t.Errorf("%v, %v", keys, err)
			}
		}
	})
	t.Run("one change after the other", func(t *testing.T) {
		s := open(t)
		must(t, s.CreateConnection(bg, conn("con_1", "one", "oidc"), event("")))
		got := race(8, func(i int) error {
			return second(s.UpdateConnectionKeys(bg, "con_1", func(old []connection.Key) ([]connection.Key, error) {
				if len(old) > 0 {
					return old, nil
				}
				return []connection.Key{plain(fmt.Sprint(i), connection.KeyCurrent)}, nil
			}, event("")))
		})
		if got["ok"] != 8 {
			t.Errorf("got %v", got)
		}
		if keys, err := s.ConnectionKeys(bg, "con_1"); err != nil || len(keys) != 1 {
			t.Errorf("%v, %v", keys, err)
		}
	})
	t.Run("keys go with their connection", func(t *testing.T) {
		s := open(t)
		must(t, s.CreateConnection(bg, conn("con_1", "one", "oidc"), event("")))
		must(t, second(s.UpdateConnectionKeys(bg, "con_1", with(plain("a", connection.KeyCurrent)), event(""))))
		must(t, s.DeleteConnection(bg, "con_1", 0, day, event("")))
		if keys, err := s.ConnectionKeys(bg, "con_1"); err != nil || len(keys) != 0 {
			t.Errorf("%v, %v", keys, err)
		}
	})
}
