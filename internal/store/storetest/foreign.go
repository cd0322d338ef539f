package storetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/job"
	"mangrove/internal/session"
	"mangrove/internal/store"
)

// runForeign: a session knows the one at the provider that it came from, and the
// provider ends exactly those that it names.
func runForeign(t *testing.T, open func(testing.TB) *store.Store) {
	const elsewhere = "con_elsewhere0000001"
	made := func(t *testing.T) *store.Store {
		t.Helper()
		s := open(t)
		for _, v := range []session.Session{
			{Hash: "h1", ID: "s1", UserID: "u1", ConnectionID: upstream, Foreign: session.Foreign{Name: "<NameID>pia</NameID>", Index: "i1"}},
			{Hash: "h2", ID: "s2", UserID: "u1", ConnectionID: upstream, Foreign: session.Foreign{Name: "<NameID>pia</NameID>", Index: "i2", IDToken: "h.p.s"}},
			{Hash: "h3", ID: "s3", UserID: "u1", ConnectionID: upstream, Foreign: session.Foreign{Name: "<NameID>pia</NameID>"}},
			{Hash: "h4", ID: "s4", UserID: "u2", ConnectionID: upstream, Foreign: session.Foreign{Name: "<NameID>bo</NameID>", Index: "i1"}},
			{Hash: "h5", ID: "s5", UserID: "u1", ConnectionID: elsewhere, Foreign: session.Foreign{Name: "<NameID>pia</NameID>", Index: "i1"}},
			{Hash: "h6", ID: "s6", UserID: "u3", ConnectionID: upstream},
		} {
			v.ExpiresAt, v.IdleUntil = day+100, day+100
			must(t, s.CreateSession(bg, v))
		}
		return s
	}
	all := []string{"h1", "h2", "h3", "h4", "h5", "h6"}
	for _, row := range []struct {
		name  string
		whose session.Whose
		ends  []string
	}{
		{"all of a name", session.Whose{ConnectionID: upstream, Name: "<NameID>pia</NameID>"}, []string{"h1", "h2", "h3"}},
		{"one of a name", session.Whose{ConnectionID: upstream, Name: "<NameID>pia</NameID>", Indexes: []string{"i1"}}, []string{"h1"}},
		{"two of a name", session.Whose{ConnectionID: upstream, Name: "<NameID>pia</NameID>", Indexes: []string{"i1", "i2", "i2", "i9"}}, []string{"h1", "h2"}},
		{"of an index that is empty", session.Whose{ConnectionID: upstream, Name: "<NameID>pia</NameID>", Indexes: []string{""}}, nil},
		{"another's index", session.Whose{ConnectionID: upstream, Name: "<NameID>bo</NameID>", Indexes: []string{"i2"}}, nil},
		{"of another connection", session.Whose{ConnectionID: elsewhere, Name: "<NameID>pia</NameID>"}, []string{"h5"}},
		{"nobody", session.Whose{ConnectionID: upstream, Name: "<NameID>eve</NameID>"}, nil},
		{"no name", session.Whose{ConnectionID: upstream, Indexes: []string{"i1"}}, nil},
		{"one browser's", session.Whose{ConnectionID: upstream, Hash: "h6"}, []string{"h6"}},
		{"one browser's, of another connection", session.Whose{ConnectionID: elsewhere, Hash: "h6"}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := made(t)
			n, err := s.EndByProvider(bg, row.whose, audit.Event{Type: audit.LogoutOK, At: day})
			must(t, err)
			if n != len(row.ends) {
				t.Errorf("ended %d, want %d", n, len(row.ends))
			}
			for _, hash := range all {
				_, err := s.Session(bg, hash, day)
				if gone := errors.Is(err, session.ErrNone); gone != slices.Contains(row.ends, hash) {
					t.Errorf("%s: %v", hash, err)
				}
			}
			if got, err := s.CountEvents(bg, audit.Span{Type: audit.LogoutOK, Limit: 9}); err != nil || got != len(row.ends) {
				t.Errorf("%d events, %v, want %d", got, err, len(row.ends))
			}
		})
	}
	t.Run("read again", func(t *testing.T) {
		s := made(t)
		v, err := s.Session(bg, "h2", day)
		must(t, err)
		if want := (session.Foreign{Name: "<NameID>pia</NameID>", Index: "i2", IDToken: "h.p.s"}); v.Foreign != want {
			t.Errorf("%+v", v.Foreign)
		}
		if v, err = s.Session(bg, "h6", day); err != nil || v.Foreign != (session.Foreign{}) {
			t.Errorf("none: %+v, %v", v.Foreign, err)
		}
	})
	t.Run("clients are told", func(t *testing.T) {
		s := made(t)
		must(t, s.CreateClient(bg, &client.Client{ID: "app", Doc: json.RawMessage(`{"oidc_logout":{"backchannel_logout_urls":["https://app.example.test/"]}}`)}, event("")))
		must(t, s.CreateClient(bg, &client.Client{ID: "deaf", Doc: json.RawMessage(`{"oidc_logout":{"backchannel_logout_urls":["https://deaf.example.test/"],"backchannel_logout_initiators":{"mode":"custom","selected_initiators":["rp-logout"]}}}`)}, event("")))
		must(t, s.AddSessionClient(bg, "s1", "app", day, day+100))
		must(t, s.AddSessionClient(bg, "s1", "deaf", day, day+100))
		must(t, s.AddSessionClient(bg, "s2", "app", day, day+100))
		_, err := s.EndByProvider(bg, session.Whose{ConnectionID: upstream, Name: "<NameID>pia</NameID>", Indexes: []string{"i1"}}, audit.Event{Type: audit.LogoutOK})
		must(t, err)
		j, _, err := s.Claim(bg, "me", day, day+100, job.BackchannelLogout)
		must(t, err)
		if j == nil || !bytes.Contains(j.Params, []byte(`"s1"`)) || !strings.Contains(string(j.Params), `"app"`) {
			t.Fatalf("told: %v", j)
		}
		if j, _, err = s.Claim(bg, "me", day, day+100, job.BackchannelLogout); err != nil || j != nil {
			t.Errorf("told more: %v, %v", j, err)
		}
	})
}
