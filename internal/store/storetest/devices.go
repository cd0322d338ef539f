package storetest

import (
	"errors"
	"reflect"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/device"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

func runDevices(t *testing.T, open func(testing.TB) *store.Store) {
	code := device.Code{
		Hash: "d", UserCode: "ABCD-EFGH", ClientID: "c", Scope: []string{"openid", "read:a"}, Audience: "api", State: device.Pending, ExpiresAt: day + 100,
	}

	t.Run("comes back as it went", func(t *testing.T) {
		s := open(t)
		must(t, s.SaveDevice(bg, code))
		for _, find := range []func() (device.Code, error){
			func() (device.Code, error) { return s.Device(bg, "d") },
			func() (device.Code, error) { return s.DeviceByUserCode(bg, "ABCDEFGH") },
			func() (device.Code, error) { return s.DeviceByUserCode(bg, "abcd efgh") },
		} {
			if got, err := find(); err != nil || !reflect.DeepEqual(got, code) {
				t.Errorf("%+v, %v", got, err)
			}
		}
		for _, err := range []error{second(s.Device(bg, "x")), second(s.DeviceByUserCode(bg, "XXXX")), second(s.DeviceByUserCode(bg, "")),
			s.ChangeDevice(bg, "x", func(*device.Code) ([]audit.Event, error) { return nil, nil })} {
			if !errors.Is(err, device.ErrUnknown) {
				t.Error(err)
			}
		}
		same := code
		same.Hash, same.UserCode = "e", "abcdefgh"
		if err := s.SaveDevice(bg, same); !errors.Is(err, device.ErrTaken) {
			t.Errorf("a code in use: %v", err)
		}
	})

	t.Run("changes", func(t *testing.T) {
		s := open(t)
		must(t, s.SaveDevice(bg, code))
		must(t, s.ChangeDevice(bg, "d", func(c *device.Code) ([]audit.Event, error) {
			c.PolledAt = day + 1
			return nil, nil
		}))
		failure := errors.New("no")
		if err := s.ChangeDevice(bg, "d", func(c *device.Code) ([]audit.Event, error) {
			c.State = device.Denied
			return []audit.Event{event("auth0|u")}, failure
		}); !errors.Is(err, failure) {
			t.Error(err)
		}
		want := code
		want.State, want.UserID, want.SessionID, want.ConnectionID, want.AuthTime, want.Methods, want.PolledAt =
			device.Approved, "auth0|u", "sid", "con", day, []string{"pwd"}, day+1
		must(t, s.ChangeDevice(bg, "d", func(c *device.Code) ([]audit.Event, error) {
			if c.State != device.Pending || c.PolledAt != day+1 {
				t.Errorf("before: %+v", c)
			}
			*c = want
			return []audit.Event{event("auth0|u")}, nil
		}))
		if got, err := s.Device(bg, "d"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
		if types := logTypesOf(t, s, "auth0|u"); len(types) != 1 {
			t.Errorf("recorded %q", types)
		}
	})

	t.Run("one of twenty at once gets the tokens", func(t *testing.T) {
		s := open(t)
		approved := code
		approved.State, approved.UserID = device.Approved, "auth0|u"
		must(t, s.SaveDevice(bg, approved))
		got := race(20, func(int) error {
			var verdict error
			err := s.ChangeDevice(bg, "d", func(c *device.Code) ([]audit.Event, error) {
				verdict = c.Poll("c", day)
				return nil, nil
			})
			return errors.Join(err, verdict)
		})
		if got["ok"] != 1 || got[device.ErrUnknown.Error()] != 19 {
			t.Errorf("outcomes: %v", got)
		}
	})

	t.Run("guesses", func(t *testing.T) {
		s := open(t)
		for _, step := range []struct {
			origin            string
			n, now, end, want int64
		}{
			{"a", 1, day, day + 10, 1}, {"a", 1, day + 9, day + 19, 2}, {"b", 1, day, day + 10, 1}, {"a", -1, day + 9, day + 19, 1},
			{"a", 1, day + 10, day + 20, 1}, {"a", 1, day + 19, day + 29, 2},
		} {
			if got, err := s.CountGuess(bg, step.origin, step.n, step.now, step.end); err != nil || got != step.want {
				t.Errorf("%+v: %d, %v", step, got, err)
			}
		}
		race(20, func(int) error { return second(s.CountGuess(bg, "c", 1, day, day+10)) })
		if got, err := s.CountGuess(bg, "c", 0, day, day+10); err != nil || got != 20 {
			t.Errorf("twenty at once: %d, %v", got, err)
		}
	})

	t.Run("ends", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("one", ""))
		approved, pending := code, code
		approved.State, approved.UserID = device.Approved, "auth0|one"
		pending.Hash, pending.UserCode = "e", "XXXX-XXXX"
		must(t, s.SaveDevice(bg, approved))
		must(t, s.SaveDevice(bg, pending))
		must(t, s.DeleteUser(bg, "auth0|one", 0, user.Effect{}))
		if _, err := s.Device(bg, "d"); !errors.Is(err, device.ErrUnknown) {
			t.Errorf("of a user who is gone: %v", err)
		}
		stay := device.Stay.Microseconds()
		must(t, s.Sweep(bg, pending.ExpiresAt+stay-1))
		_, err := s.Device(bg, "e")
		must(t, err)
		must(t, s.Sweep(bg, pending.ExpiresAt+stay))
		if _, err := s.Device(bg, "e"); !errors.Is(err, device.ErrUnknown) {
			t.Errorf("after the sweep: %v", err)
		}
	})
}
