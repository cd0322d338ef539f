package storetest

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"

	"mangrove/internal/session"
	"mangrove/internal/store"
	"mangrove/internal/token"
)

func runTokens(t *testing.T, open func(testing.TB) *store.Store) {
	code := token.Code{
		Hash: "hash", ClientID: "c", UserID: "auth0|u", SessionID: "sid", RedirectURI: "https://app/cb", Scope: "openid", Requested: "openid x",
		Audience: "api", Nonce: "n", Challenge: "ch", Method: "S256", AuthTime: day, WantsAuthTime: true, ExpiresAt: day + 10,
	}

	t.Run("with a code the client is noted", func(t *testing.T) {
		s := open(t)
		noting := code
		noting.NoteUntil = day + 100
		must(t, s.SaveCode(bg, noting))
		noting.Hash, noting.NoteUntil = "other", day+200 // noting twice is no error
		must(t, s.SaveCode(bg, noting))
		silent := code
		silent.Hash, silent.ClientID = "silent", "d"
		must(t, s.SaveCode(bg, silent))
		if got, err := s.SessionClients(bg, "sid"); err != nil || len(got) != 1 || got[0] != "c" {
			t.Errorf("%v, %v", got, err)
		}
		if got, err := s.RedeemCode(bg, "hash", day); err != nil || got != code {
			t.Errorf("got %+v, %v", got, err)
		}
	})

	t.Run("a code is redeemed once", func(t *testing.T) {
		s := open(t)
		must(t, s.SaveCode(bg, code))
		got, err := s.RedeemCode(bg, "hash", day)
		if err != nil || got != code {
			t.Errorf("got %+v, %v", got, err)
		}
		must(t, s.SaveOpaque(bg, token.Opaque{Hash: "o", UserID: "auth0|u", ClientID: "c", Scope: "openid", CodeHash: "hash", ExpiresAt: day + 10}))
		must(t, s.SaveOpaque(bg, token.Opaque{Hash: "p", UserID: "auth0|u", ExpiresAt: day + 10}))
		o, err := s.Opaque(bg, "o", day)
		if err != nil || o.UserID != "auth0|u" || o.ClientID != "c" || o.Scope != "openid" || o.CodeHash != "hash" || o.ExpiresAt != day+10 {
			t.Errorf("opaque %+v, %v", o, err)
		}
		if _, err := s.RedeemCode(bg, "hash", day); !errors.Is(err, token.ErrCode) {
			t.Errorf("again: %v", err)
		}
		if _, err := s.Opaque(bg, "o", day); !errors.Is(err, token.ErrToken) {
			t.Errorf("a token of a code that was used twice: %v", err)
		}
		must(t, s.SaveOpaque(bg, token.Opaque{Hash: "q", CodeHash: "hash", ExpiresAt: day + 10}))
		if _, err := s.Opaque(bg, "q", day); !errors.Is(err, token.ErrToken) {
			t.Errorf("a token saved after the second use: %v", err)
		}
		_, err = s.Opaque(bg, "p", day)
		must(t, err)
	})

	t.Run("fifty at once", func(t *testing.T) {
		s := open(t)
		must(t, s.SaveCode(bg, code))
		got := race(50, func(int) error { return second(s.RedeemCode(bg, "hash", day)) })
		if got["ok"] != 1 || got[token.ErrCode.Error()] != 49 {
			t.Errorf("outcomes: %v", got)
		}
	})

	t.Run("expiry and strangers", func(t *testing.T) {
		s := open(t)
		must(t, s.SaveCode(bg, code))
		must(t, s.SaveOpaque(bg, token.Opaque{Hash: "o", ExpiresAt: day}))
		for _, err := range []error{second(s.RedeemCode(bg, "hash", day+10)), second(s.RedeemCode(bg, "none", day))} {
			if !errors.Is(err, token.ErrCode) {
				t.Errorf("code: %v", err)
			}
		}
		for _, err := range []error{second(s.Opaque(bg, "o", day)), second(s.Opaque(bg, "none", day))} {
			if !errors.Is(err, token.ErrToken) {
				t.Errorf("token: %v", err)
			}
		}
		_, err := s.RedeemCode(bg, "hash", day+9)
		must(t, err)
	})
}

func runSessions(t *testing.T, open func(testing.TB) *store.Store) {
	t.Run("sessions", func(t *testing.T) {
		s := open(t)
		v := session.Session{
			Hash: "h", ID: "sid", UserID: "auth0|u", ConnectionID: ourConnection, AuthTime: day, CreatedAt: day + 1, LastSeen: day + 2,
			ExpiresAt: day + 100, IdleUntil: day + 50, Methods: []string{session.Password, session.MFA}, Persistent: true,
			Device: session.Device{InitialIP: "192.0.2.1", InitialUserAgent: "first", LastIP: "192.0.2.1", LastUserAgent: "first"},
		}
		must(t, s.CreateSession(bg, v))
		if got, err := s.Session(bg, "h", day+49); err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("got %+v, %v", got, err)
		}
		if _, err := s.Session(bg, "h", day+50); !errors.Is(err, session.ErrNone) {
			t.Errorf("idle: %v", err)
		}
		must(t, s.TouchSession(bg, "h", day+49, day+200, "192.0.2.9", "later"))
		if got, err := s.Session(bg, "h", day+99); err != nil || got.LastSeen != day+49 || got.IdleUntil != day+200 ||
			got.Device != (session.Device{InitialIP: "192.0.2.1", InitialUserAgent: "first", LastIP: "192.0.2.9", LastUserAgent: "later"}) {
			t.Errorf("touched: %+v, %v", got, err)
		}
		if _, err := s.Session(bg, "h", day+100); !errors.Is(err, session.ErrNone) {
			t.Errorf("over: %v", err)
		}
		must(t, s.AddSessionClient(bg, "sid", "b", day+3, day+100))
		must(t, s.AddSessionClient(bg, "sid", "a", day+4, day+100))
		must(t, s.AddSessionClient(bg, "sid", "b", day+5, day+100))
		must(t, s.AddSessionClient(bg, "other", "c", day+5, day+100))
		if got, err := s.Session(bg, "h", day); err != nil || !slices.Equal(got.Clients, []string{"b", "a"}) {
			t.Errorf("clients: %+v, %v", got.Clients, err)
		}
		must(t, s.DeleteSession(bg, "h"))
		must(t, s.DeleteSession(bg, "h"))
		if got, err := s.SessionClients(bg, "sid"); err != nil || !slices.Equal(got, []string{"b", "a"}) {
			t.Errorf("clients of one that ended: %v, %v", got, err)
		}
		must(t, s.Sweep(bg, day+101))
		if got, err := s.SessionClients(bg, "sid"); err != nil || len(got) != 0 {
			t.Errorf("swept: %v, %v", got, err)
		}
		must(t, s.TouchSession(bg, "h", day, day+200, "", ""))
		if _, err := s.Session(bg, "h", day); !errors.Is(err, session.ErrNone) {
			t.Errorf("deleted: %v", err)
		}
	})

	t.Run("login transactions", func(t *testing.T) {
		s := open(t)
		v := session.Transaction{Hash: "h", Browser: "b", ClientID: "c", Request: json.RawMessage(`{"a":1}`), CreatedAt: day, ExpiresAt: day + 10}
		must(t, s.SaveTransaction(bg, v))
		v.Progress = json.RawMessage(`{"nonce":"n"}`)
		must(t, s.SaveTransaction(bg, v))
		got, err := s.Transaction(bg, "h", day)
		if err != nil || string(got.Progress) != string(v.Progress) || string(got.Request) != string(v.Request) || got.Browser != "b" || got.ExpiresAt != day+10 {
			t.Errorf("got %+v, %v", got, err)
		}
		if _, err := s.TakeTransaction(bg, "h", day+10); !errors.Is(err, session.ErrNone) {
			t.Errorf("over: %v", err)
		}
		taken := race(20, func(int) error { return second(s.TakeTransaction(bg, "h", day)) })
		if taken["ok"] != 1 || taken[session.ErrNone.Error()] != 19 {
			t.Errorf("outcomes: %v", taken)
		}
	})

	t.Run("the sweep takes what is over and no more", func(t *testing.T) {
		s := open(t)
		must(t, s.SaveCode(bg, token.Code{Hash: "old", ExpiresAt: day}))
		must(t, s.SaveCode(bg, token.Code{Hash: "new", ExpiresAt: day + 1}))
		must(t, s.SaveOpaque(bg, token.Opaque{Hash: "new", ExpiresAt: day + 1}))
		must(t, s.CreateSession(bg, session.Session{Hash: "new", ExpiresAt: day + 1, IdleUntil: day + 1}))
		must(t, s.SaveTransaction(bg, session.Transaction{Hash: "new", ExpiresAt: day + 1}))
		for i, hash := range numbered("old%d", 20) {
			must(t, s.CreateSession(bg, session.Session{Hash: hash, ExpiresAt: day - int64(i), IdleUntil: day * 2}))
		}
		must(t, s.Sweep(bg, day))
		_, e1 := s.RedeemCode(bg, "new", day)
		_, e2 := s.Opaque(bg, "new", day)
		_, e3 := s.Session(bg, "new", day)
		_, e4 := s.Transaction(bg, "new", day)
		for i, err := range []error{e1, e2, e3, e4} {
			if err != nil {
				t.Errorf("case %d: %v", i, err)
			}
		}
		if _, err := s.Session(bg, "old3", day-5); !errors.Is(err, session.ErrNone) {
			t.Errorf("an old session is there: %v", err)
		}
		// A used code that is swept is unknown, and unknown codes kill nothing.
		if _, err := s.RedeemCode(bg, "old", day-5); !errors.Is(err, token.ErrCode) {
			t.Errorf("an old code: %v", err)
		}
	})
}
