package storetest

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/errs"
	"mangrove/internal/factor"
	"mangrove/internal/letter"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

const annID = "auth0|ann"

func totpFactor(device string) factor.Factor {
	return factor.Factor{
		UserID: annID, Device: device, Kind: factor.TOTP, Confirmed: true, CreatedAt: day,
		Detail: factor.Detail{Name: "phone", Secret: "CANARYCANARYCANA"},
	}
}

func recoveryFactor(device, fingerprint string) factor.Factor {
	return factor.Factor{UserID: annID, Device: device, Kind: factor.Recovery, Fingerprint: fingerprint, Confirmed: true, CreatedAt: day}
}

func devices(t *testing.T, s *store.Store, now int64) []string {
	t.Helper()
	list, err := s.Factors(bg, annID, now)
	must(t, err)
	var out []string
	for _, f := range list {
		out = append(out, f.Device)
	}
	return out
}

func wantDevices(t *testing.T, s *store.Store, want ...string) {
	t.Helper()
	if got := devices(t, s, day); !slices.Equal(got, want) {
		t.Errorf("factors %q, want %q", got, want)
	}
}

func runFactors(t *testing.T, open func(testing.TB) *store.Store) {
	made := func(t *testing.T, fs ...factor.Factor) *store.Store {
		t.Helper()
		s := open(t)
		create(t, s, ourUser("ann", "ann@example.com"), ourUser("ben", "ben@example.com"))
		if len(fs) > 0 {
			must(t, s.ChangeFactors(bg, factor.Change{UserID: annID, Add: fs}))
		}
		return s
	}

	t.Run("kept as made", func(t *testing.T) {
		key := factor.Factor{
			UserID: annID, Device: "dev_b", Kind: factor.Passkey, Fingerprint: "fingerprint", Confirmed: true, CreatedAt: day + 1, LastAuth: day + 2,
			Detail: factor.Detail{Credential: &factor.Credential{ID: []byte{1}, PublicKey: []byte{2}, Transports: []string{"usb"}, SignCount: 7, RPID: "id"}},
		}
		s := made(t, key, totpFactor("dev_a"))
		wantDevices(t, s, "dev_a", "dev_b")
		got, err := s.FactorByFingerprint(bg, "fingerprint")
		must(t, err)
		if got.Device != "dev_b" || got.LastAuth != day+2 || got.Detail.Credential.SignCount != 7 || got.Kind != factor.Passkey {
			t.Errorf("%+v", got)
		}
		if _, err := s.FactorByFingerprint(bg, "nobody's"); !errors.Is(err, factor.ErrNone) {
			t.Errorf("of nobody: %v", err)
		}
		if _, err := s.FactorByFingerprint(bg, ""); !errors.Is(err, factor.ErrNone) {
			t.Errorf("of no fingerprint: %v", err)
		}
		list, err := s.Factors(bg, annID, day)
		must(t, err)
		if list[0].Detail.Secret != "CANARYCANARYCANA" || list[0].Detail.Name != "phone" {
			t.Errorf("%+v", list[0])
		}
	})
	t.Run("a fingerprint is somebody's alone", func(t *testing.T) {
		s := made(t, factor.Factor{UserID: annID, Device: "dev_a", Kind: factor.Passkey, Fingerprint: "fingerprint", Confirmed: true, CreatedAt: day})
		err := s.ChangeFactors(bg, factor.Change{UserID: "auth0|ben", Add: []factor.Factor{
			{UserID: "auth0|ben", Device: "dev_b", Kind: factor.Passkey, Fingerprint: "fingerprint", Confirmed: true, CreatedAt: day},
		}})
		if !errors.Is(err, factor.ErrExists) {
			t.Errorf("%v", err)
		}
		list, err := s.Factors(bg, "auth0|ben", day)
		if err != nil || len(list) != 0 {
			t.Errorf("ben has %v, %v", list, err)
		}
	})
	t.Run("a new enrollment replaces the one that waits", func(t *testing.T) {
		s := made(t)
		waiting := func(d string) factor.Change {
			f, r := totpFactor(d), recoveryFactor(d+"r", d)
			f.Confirmed, f.ExpiresAt, r.Confirmed, r.ExpiresAt = false, s0+10, false, s0+10
			return factor.Change{UserID: annID, Add: []factor.Factor{f, r}}
		}
		must(t, s.ChangeFactors(bg, waiting("dev_a")))
		must(t, s.ChangeFactors(bg, waiting("dev_b")))
		if got := devices(t, s, s0); !slices.Equal(got, []string{"dev_b", "dev_br"}) {
			t.Errorf("%q", got)
		}
		if err := s.ChangeFactors(bg, factor.Change{UserID: annID, Confirm: "dev_a"}); !errors.Is(err, factor.ErrNone) {
			t.Errorf("the first one: %v", err)
		}
		must(t, s.ChangeFactors(bg, factor.Change{UserID: annID, Confirm: "dev_b", Device: "dev_b"}))
		list, err := s.Factors(bg, annID, s0+100)
		must(t, err)
		if len(list) != 2 || !list[0].Confirmed || !list[1].Confirmed || list[0].LastAuth == 0 {
			t.Errorf("%+v", list)
		}
		if err := s.ChangeFactors(bg, factor.Change{UserID: annID, Confirm: "dev_b"}); !errors.Is(err, factor.ErrNone) {
			t.Errorf("twice: %v", err)
		}
	})
	t.Run("a time step counts once", func(t *testing.T) {
		s := made(t, totpFactor("dev_a"))
		step := func(n int64) error {
			return s.ChangeFactors(bg, factor.Change{UserID: annID, Device: "dev_a", Step: n, Events: []audit.Event{event(annID)}})
		}
		must(t, step(5))
		for _, n := range []int64{5, 4} {
			if err := step(n); !errors.Is(err, factor.ErrReplayed) {
				t.Errorf("step %d: %v", n, err)
			}
		}
		must(t, step(6))
		// An imported factor has no row of its own.
		must(t, s.ChangeFactors(bg, factor.Change{UserID: annID, Device: "dev_imported", Step: 5}))
		var won atomic.Int64
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if step(7) == nil {
					won.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("a step counted %d times", won.Load())
		}
	})
	t.Run("a recovery code is redeemed once", func(t *testing.T) {
		s := made(t, totpFactor("dev_a"), recoveryFactor("dev_r", "fingerprint"))
		redeem := func(owner, fingerprint, next string) error {
			f := recoveryFactor("dev_"+next, next)
			f.UserID = owner
			return s.ChangeFactors(bg, factor.Change{UserID: owner, Redeem: fingerprint, Add: []factor.Factor{f}})
		}
		if err := redeem("auth0|ben", "fingerprint", "x"); !errors.Is(err, factor.ErrNone) {
			t.Errorf("by somebody else: %v", err)
		}
		must(t, redeem(annID, "fingerprint", "y"))
		if err := redeem(annID, "fingerprint", "z"); !errors.Is(err, factor.ErrNone) {
			t.Errorf("twice: %v", err)
		}
		wantDevices(t, s, "dev_a", "dev_y")
		must(t, s.ChangeFactors(bg, factor.Change{UserID: annID, Add: []factor.Factor{recoveryFactor("dev_n", "n")}}))
		wantDevices(t, s, "dev_a", "dev_n")
	})
	t.Run("an update", func(t *testing.T) {
		s := made(t, totpFactor("dev_a"))
		f := totpFactor("dev_a")
		f.Detail.Name, f.LastAuth = "new", day+9
		must(t, s.ChangeFactors(bg, factor.Change{UserID: annID, Update: &f}))
		list, err := s.Factors(bg, annID, day)
		must(t, err)
		if list[0].Detail.Name != "new" || list[0].LastAuth != day+9 {
			t.Errorf("%+v", list[0])
		}
		f.Device = "dev_gone"
		if err := s.ChangeFactors(bg, factor.Change{UserID: annID, Update: &f}); !errors.Is(err, factor.ErrNone) {
			t.Errorf("of none: %v", err)
		}
	})
	t.Run("the last one takes the recovery code along", func(t *testing.T) {
		passkey := factor.Factor{UserID: annID, Device: "dev_k", Kind: factor.Passkey, Fingerprint: "k", Confirmed: true, CreatedAt: day + 1}
		s := made(t, totpFactor("dev_a"), totpFactor("dev_b"), passkey, recoveryFactor("dev_r", "fingerprint"))
		must(t, s.TrustBrowser(bg, "browser", annID, day+100))
		remove := func(want int, imported bool, d ...string) {
			t.Helper()
			n, err := s.RemoveFactors(bg, annID, d, imported, []letter.Letter{{Template: letter.FactorRemoved, UserID: annID}}, event(annID))
			if err != nil || n != want {
				t.Errorf("removed %d, %v", n, err)
			}
		}
		remove(1, false, "dev_a")
		wantDevices(t, s, "dev_b", "dev_r", "dev_k")
		remove(1, true, "dev_b")
		wantDevices(t, s, "dev_r", "dev_k")
		remove(0, false, "dev_b")
		wantDevices(t, s, "dev_k")
		if ok, err := s.BrowserTrusted(bg, "browser", annID, day); ok || err != nil {
			t.Errorf("the browser is trusted: %v", err)
		}
	})
	t.Run("with the imported ones", func(t *testing.T) {
		s := made(t, totpFactor("dev_a"), recoveryFactor("dev_r", "fingerprint"))
		clear := func(e user.Effect, left string) {
			t.Helper()
			_, err := s.UpdateUser(bg, annID, func(u *user.User) (user.Effect, error) {
				u.MFAFactors = nil
				if left != "" {
					u.MFAFactors = profile.Value(left)
				}
				return e, nil
			})
			must(t, err)
		}
		clear(user.Effect{}, `[{"totp":{"secret":"GEZDGNBVGY3TQOJQ"}}]`)
		clear(user.Effect{Unenrolls: []string{"dev_a"}}, `[{"totp":{"secret":"GEZDGNBVGY3TQOJQ"}}]`)
		wantDevices(t, s, "dev_r")
		clear(user.Effect{Unenrolls: []string{}}, "")
		wantDevices(t, s)
	})
	t.Run("guesses", func(t *testing.T) {
		s := made(t)
		taken := func(kind factor.GuessKind, at int64) bool {
			t.Helper()
			ok, err := s.TakeGuess(bg, annID, kind, at)
			must(t, err)
			return ok
		}
		full := int64(0)
		for i := range 14 {
			next, want := factor.Admit(full, day)
			full = next
			if got := taken(factor.Guessing, day); got != want {
				t.Errorf("guess %d: %t", i+1, got)
			}
		}
		if !taken(factor.Sending, day) {
			t.Error("the buckets are one")
		}
		if !taken(factor.Guessing, day+factor.Interval) || taken(factor.Guessing, day+factor.Interval) {
			t.Error("one comes back")
		}
		must(t, s.ChangeFactors(bg, factor.Change{UserID: annID, Forgive: true}))
		var won atomic.Int64
		var all sync.WaitGroup
		for range 60 {
			all.Go(func() {
				if ok, err := s.TakeGuess(bg, annID, factor.Guessing, day); ok && err == nil {
					won.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 10 {
			t.Errorf("of 60 guesses at once %d were let through", won.Load())
		}
	})
	t.Run("a code on its way", func(t *testing.T) {
		s := made(t)
		c := factor.Challenge{Hash: "a", UserID: annID, Device: "dev_a", CodeHash: "code", ExpiresAt: day + 10}
		must(t, s.SaveChallenge(bg, c))
		for range factor.CodeTries {
			if got, err := s.TryChallenge(bg, "a", day); err != nil || got != c {
				t.Errorf("%+v, %v", got, err)
			}
		}
		none := func(hash string, at int64) {
			t.Helper()
			if _, err := s.TryChallenge(bg, hash, at); !errors.Is(err, factor.ErrNone) {
				t.Errorf("%s: %v", hash, err)
			}
		}
		none("a", day)
		c.Hash = "b"
		must(t, s.SaveChallenge(bg, c))
		none("a", day)
		none("b", day+10)
		none("c", day)
		_, err := s.TryChallenge(bg, "b", day+9)
		must(t, err)
		first, err := s.TakeChallenge(bg, "b")
		must(t, err)
		again, err := s.TakeChallenge(bg, "b")
		if !first || again || err != nil {
			t.Errorf("taken %t, again %t, %v", first, again, err)
		}
	})
	t.Run("handles", func(t *testing.T) {
		s := made(t)
		must(t, s.SetOfferedAt(bg, annID, day))
		h, err := s.UserHandle(bg, annID, "handle")
		must(t, err)
		again, err := s.UserHandle(bg, annID, "other")
		if h != "handle" || again != h || err != nil {
			t.Errorf("%s %s %v", h, again, err)
		}
		id, err := s.UserOfHandle(bg, "handle")
		if id != annID || err != nil {
			t.Errorf("%s %v", id, err)
		}
		for _, h := range []string{"other", ""} {
			if _, err := s.UserOfHandle(bg, h); !errors.Is(err, factor.ErrNone) {
				t.Errorf("%q: %v", h, err)
			}
		}
		at, err := s.OfferedAt(bg, annID)
		none, err2 := s.OfferedAt(bg, "auth0|ben")
		if at != day || none != 0 || err != nil || err2 != nil {
			t.Errorf("%d %d %v %v", at, none, err, err2)
		}
	})
	t.Run("browsers", func(t *testing.T) {
		s := made(t)
		must(t, s.TrustBrowser(bg, "b", annID, day+10))
		trusted := func(want bool, hash, id string, at int64) {
			t.Helper()
			if ok, err := s.BrowserTrusted(bg, hash, id, at); ok != want || err != nil {
				t.Errorf("%s of %s: %t %v", hash, id, ok, err)
			}
		}
		trusted(true, "b", annID, day)
		trusted(false, "b", annID, day+10)
		trusted(false, "b", "auth0|ben", day)
		trusted(false, "c", annID, day)
		must(t, s.ForgetBrowsers(bg, annID, event(annID)))
		trusted(false, "b", annID, day)
		must(t, s.TrustBrowser(bg, "b", annID, day+10))
		_, err := s.UpdateUser(bg, annID, func(*user.User) (user.Effect, error) { return user.Effect{EndSessions: true}, nil })
		must(t, err)
		trusted(false, "b", annID, day)
	})
	t.Run("interrupted grants", func(t *testing.T) {
		s := made(t)
		m := factor.Token{Hash: "m", UserID: annID, ClientID: "c", Grant: factor.Grant{Type: "password", Scope: "openid", Methods: []string{"pwd"}}, ExpiresAt: day + 10, KeptUntil: day + 20}
		must(t, s.SaveMFAToken(bg, m, event(annID)))
		got, err := s.MFAToken(bg, "m")
		if err != nil || got.UserID != annID || got.Grant.Scope != "openid" || got.ExpiresAt != day+10 || len(got.Grant.Methods) != 1 {
			t.Errorf("%+v %v", got, err)
		}
		if _, err := s.MFAToken(bg, "n"); !errors.Is(err, factor.ErrMalformed) {
			t.Errorf("%v", err)
		}
		for i, at := range []int64{day + 10, day, day} {
			if ok, err := s.TakeMFAToken(bg, "m", at); ok != (i == 1) || err != nil {
				t.Errorf("taking %d: %t %v", i, ok, err)
			}
		}
	})
	t.Run("enrollment tickets", func(t *testing.T) {
		s := made(t)
		k := factor.Ticket{Hash: "k", UserID: annID, Seed: "CANARYCANARYCANA", Multiple: true, ExpiresAt: day + 10}
		must(t, s.SaveEnrollmentTicket(bg, k, nil, event(annID)))
		if got, err := s.EnrollmentTicket(bg, "k", day); err != nil || got != k {
			t.Errorf("%+v %v", got, err)
		}
		if _, err := s.EnrollmentTicket(bg, "k", day+10); !errors.Is(err, factor.ErrTicket) {
			t.Errorf("%v", err)
		}
		k.Kind, k.Phone, k.Secret = factor.Phone, "+15551239167", "s"
		if err := s.UpdateEnrollmentTicket(bg, k, day+10); !errors.Is(err, factor.ErrTicket) {
			t.Errorf("changed when it was over: %v", err)
		}
		must(t, s.UpdateEnrollmentTicket(bg, k, day))
		if got, err := s.EnrollmentTicket(bg, "k", day); err != nil || got != k {
			t.Errorf("%+v %v", got, err)
		}
		for i := range 2 {
			if ok, err := s.TakeEnrollmentTicket(bg, "k", day); ok != (i == 0) || err != nil {
				t.Errorf("%t %v", ok, err)
			}
		}
	})
	t.Run("passkey sessions", func(t *testing.T) {
		s := made(t)
		p := factor.PasskeySession{
			Hash: "p", ClientID: "app", ExpiresAt: day + 10, ConnectionID: "con", Session: json.RawMessage(`{"a":1}`), New: json.RawMessage(`{"b":2}`), Handle: "h", Name: "n",
		}
		must(t, s.SavePasskeySession(bg, p))
		for _, row := range []struct {
			client string
			at     int64
		}{{"other", day}, {"app", day + 10}} {
			if _, err := s.TakePasskeySession(bg, "p", row.client, row.at); !errors.Is(err, factor.ErrNone) {
				t.Errorf("by %s at %d: %v", row.client, row.at, err)
			}
		}
		var taken atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if got, err := s.TakePasskeySession(bg, "p", "app", day); err == nil && reflect.DeepEqual(got, p) {
					taken.Add(1)
				} else if !errors.Is(err, factor.ErrNone) {
					t.Errorf("%+v %v", got, err)
				}
			})
		}
		all.Wait()
		if taken.Load() != 1 {
			t.Errorf("taken %d times", taken.Load())
		}
		must(t, s.SavePasskeySession(bg, p))
		must(t, s.Sweep(bg, day+10))
		if _, err := s.TakePasskeySession(bg, "p", "app", day); !errors.Is(err, factor.ErrNone) {
			t.Errorf("swept: %v", err)
		}
	})
	t.Run("a user whose proof is a passkey", func(t *testing.T) {
		s := open(t)
		key := factor.Factor{
			Device: "dev_p", Kind: factor.Passkey, Fingerprint: "fingerprint", Confirmed: true, CreatedAt: day, Detail: factor.Detail{Credential: &factor.Credential{ID: []byte{1}}},
		}
		must(t, s.CreateUserWithKey(bg, ourUser("ann", "ann@example.com"), user.Effect{Events: []audit.Event{event(annID)}}, key, "handle"))
		wantDevices(t, s, "dev_p")
		if id, err := s.UserOfHandle(bg, "handle"); id != annID || err != nil {
			t.Errorf("%s %v", id, err)
		}
		if f, err := s.FactorByFingerprint(bg, "fingerprint"); f.UserID != annID || err != nil {
			t.Errorf("%+v %v", f, err)
		}
		// Either is refused alone, and then nothing of it is written.
		other := key
		other.Device, other.Fingerprint = "dev_q", "other"
		if err := s.CreateUserWithKey(bg, ourUser("ben", "ann@example.com"), user.Effect{}, other, "handle2"); !errors.Is(err, user.ErrExists) {
			t.Errorf("a taken address: %v", err)
		}
		if err := s.CreateUserWithKey(bg, ourUser("ben", "ben@example.com"), user.Effect{Events: []audit.Event{event("auth0|ben")}}, key, "handle2"); !errors.Is(err, factor.ErrExists) {
			t.Errorf("a taken key: %v", err)
		}
		if _, err := s.User(bg, "auth0|ben"); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("%v", err)
		}
		if _, err := s.UserOfHandle(bg, "handle2"); !errors.Is(err, factor.ErrNone) {
			t.Errorf("%v", err)
		}
	})
	t.Run("all of it goes with the user, or in time", func(t *testing.T) {
		fill := func(s *store.Store) {
			must(t, s.ChangeFactors(bg, factor.Change{UserID: annID, Add: []factor.Factor{totpFactor("dev_a")}, Device: "dev_a", Step: 1}))
			must(t, s.SaveChallenge(bg, factor.Challenge{Hash: "a", UserID: annID, Device: "dev_a", ExpiresAt: day + 10}))
			must(t, second(s.TakeGuess(bg, annID, factor.Guessing, day)))
			must(t, second(s.UserHandle(bg, annID, "handle")))
			must(t, s.TrustBrowser(bg, "b", annID, day+10))
			must(t, s.SaveMFAToken(bg, factor.Token{Hash: "m", UserID: annID, ExpiresAt: day + 5, KeptUntil: day + 10}))
			must(t, s.SaveEnrollmentTicket(bg, factor.Ticket{Hash: "k", UserID: annID, ExpiresAt: day + 10}, nil, event(annID)))
		}
		gone := func(s *store.Store, sweeps bool) {
			t.Helper()
			_, c := s.TryChallenge(bg, "a", day)
			_, m := s.MFAToken(bg, "m")
			_, k := s.EnrollmentTicket(bg, "k", day)
			trusted, err := s.BrowserTrusted(bg, "b", annID, day)
			must(t, err)
			_, h := s.UserOfHandle(bg, "handle")
			if errs.KindOf(c) != errs.NotFound || m == nil || k == nil || trusted || (h == nil) != sweeps || len(devices(t, s, day)) > 0 != sweeps {
				t.Errorf("left: %v %v %v %t %v %v", c, m, k, trusted, h, devices(t, s, day))
			}
		}
		s := made(t)
		fill(s)
		must(t, s.DeleteUser(bg, annID, 0, user.Effect{}))
		gone(s, false)
		s = made(t)
		fill(s)
		must(t, s.Sweep(bg, day+factor.Interval))
		gone(s, true)
	})
}

// s0 is later than the clock of any store under test.
const s0 = int64(4_000_000_000_000_000)
