package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"mangrove/internal/audit"
	"mangrove/internal/client"
	"mangrove/internal/key"
	"mangrove/internal/store"
	"mangrove/internal/tenant"
)

func setDocument(t testing.TB, s *store.Store, name tenant.Name, doc string) {
	t.Helper()
	must(t, second(s.UpdateTenantDocument(bg, name, func(json.RawMessage) (json.RawMessage, error) {
		if doc == "" {
			return nil, nil
		}
		return json.RawMessage(doc), nil
	}, event(""))))
}

func runTenant(t *testing.T, open func(testing.TB) *store.Store) {
	t.Run("a document is set, changed, removed", func(t *testing.T) {
		s := open(t)
		for _, row := range []struct{ was, is string }{{"", `{"a":1}`}, {`{"a":1}`, `{"a":2}`}, {`{"a":2}`, ""}, {"", ""}, {"", `{"b":1}`}} {
			got, err := s.UpdateTenantDocument(bg, tenant.Tenant, func(old json.RawMessage) (json.RawMessage, error) {
				if string(old) != row.was || (old == nil) != (row.was == "") {
					t.Errorf("found %q, want %q", old, row.was)
				}
				if row.is == "" {
					return nil, nil
				}
				return json.RawMessage(row.is), nil
			}, event(""))
			if err != nil || string(got) != row.is {
				t.Errorf("%q, %v", got, err)
			}
			read, err := s.TenantDocument(bg, tenant.Tenant)
			if err != nil || string(read) != row.is || (read == nil) != (row.is == "") {
				t.Errorf("read %q, %v", read, err)
			}
		}
		if doc, err := s.TenantDocument(bg, tenant.Theme); err != nil || doc != nil {
			t.Errorf("another: %q, %v", doc, err)
		}
	})

	t.Run("a refused change changes nothing", func(t *testing.T) {
		s := open(t)
		no := errors.New("no")
		refuse := func(json.RawMessage) (json.RawMessage, error) { return nil, no }
		if _, err := s.UpdateTenantDocument(bg, tenant.Look, refuse, event("")); !errors.Is(err, no) {
			t.Fatal(err)
		}
		setDocument(t, s, tenant.Look, `{"a":1}`)
		if _, err := s.UpdateTenantDocument(bg, tenant.Look, refuse, event("")); !errors.Is(err, no) {
			t.Fatal(err)
		}
		if doc, err := s.TenantDocument(bg, tenant.Look); err != nil || string(doc) != `{"a":1}` {
			t.Errorf("%q, %v", doc, err)
		}
		if records, err := s.Events(bg, audit.Span{Limit: 10}); err != nil || len(records) != 1 {
			t.Errorf("%d records, %v", len(records), err)
		}
	})

	t.Run("no change is lost, not even the first", func(t *testing.T) {
		s := open(t)
		got := race(20, func(i int) error {
			return second(s.UpdateTenantDocument(bg, tenant.Tenant, func(old json.RawMessage) (json.RawMessage, error) {
				m := map[string]int{}
				if old != nil {
					if err := json.Unmarshal(old, &m); err != nil {
						return nil, err
					}
				}
				m[fmt.Sprint(i)] = i
				return json.Marshal(m)
			}, audit.Event{}))
		})
		doc, err := s.TenantDocument(bg, tenant.Tenant)
		must(t, err)
		var m map[string]int
		must(t, json.Unmarshal(doc, &m))
		if got["ok"] != 20 || len(m) != 20 {
			t.Errorf("%v, %s", got, doc)
		}
	})

	t.Run("settings follow the documents", func(t *testing.T) {
		s := open(t)
		fresh, err := s.Settings(bg)
		if err != nil || fresh.SessionLifetime != 168*3600 || !fresh.IdentifierFirst || fresh.MFA.OTP {
			t.Fatalf("%+v, %v", fresh, err)
		}
		setDocument(t, s, tenant.Tenant, `{"session_lifetime":1}`)
		setDocument(t, s, tenant.Factors, `{"otp":true}`)
		if now, err := s.Settings(bg); err != nil || now.SessionLifetime != 3600 || !now.MFA.OTP {
			t.Errorf("%+v, %v", now, err)
		}
		setDocument(t, s, tenant.TextsOf("login", "de"), `{"login":{"title":"Hallo"}}`)
		for _, row := range []struct{ prompt, language, want string }{{"login", "de", "Hallo"}, {"login", "en", ""}, {"login", "xx", ""}, {"x/login", "de", ""}} {
			texts, err := s.Texts(bg, row.prompt, row.language)
			if err != nil || texts["login"]["title"] != row.want || (texts == nil) != (row.want == "") {
				t.Errorf("%s %s: %v, %v", row.prompt, row.language, texts, err)
			}
		}
		setDocument(t, s, tenant.TextsOf("login", "de"), "")
		if texts, err := s.Texts(bg, "login", "de"); err != nil || texts != nil {
			t.Errorf("removed: %v, %v", texts, err)
		}
	})
}

func runCredentials(t *testing.T, open func(testing.TB) *store.Store) {
	credential := func(clientID, id string) *client.Credential {
		return &client.Credential{ID: id, ClientID: clientID, Name: "n", KID: "kid-of-" + id, Alg: "PS256", Public: []byte{0x30, 0, 1}, CreatedAt: day, UpdatedAt: day + 1, ExpiresAt: day + 2}
	}
	newClient := func(t *testing.T, s *store.Store, id string, with ...client.Credential) {
		t.Helper()
		must(t, s.CreateClient(bg, &client.Client{ID: id, Secret: "s", Name: id, Doc: json.RawMessage(`{}`), CreatedAt: day, UpdatedAt: day, Credentials: with}, event("")))
	}
	names := func(t *testing.T, s *store.Store, clientID string) (ids []string) {
		t.Helper()
		list, err := s.Credentials(bg, clientID)
		must(t, err)
		for _, c := range list {
			ids = append(ids, c.ID)
		}
		return ids
	}

	t.Run("made, read, changed, removed", func(t *testing.T) {
		s := open(t)
		newClient(t, s, "a")
		newClient(t, s, "b")
		must(t, s.CreateCredential(bg, credential("a", "1"), event("")))
		got, err := s.Credential(bg, "a", "1")
		if want := credential("a", "1"); err != nil || fmt.Sprint(*got) != fmt.Sprint(*want) {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := s.Credential(bg, "b", "1"); !errors.Is(err, client.ErrNoCredential) {
			t.Errorf("of another client: %v", err)
		}
		if err := s.CreateCredential(bg, credential("a", "1"), event("")); !errors.Is(err, client.ErrCredentialExists) {
			t.Errorf("the same kid: %v", err)
		}
		must(t, s.CreateCredential(bg, credential("b", "1"), event("")))
		if err := s.CreateCredential(bg, credential("none", "1"), event("")); !errors.Is(err, client.ErrNotFound) {
			t.Errorf("no client: %v", err)
		}
		changed, err := s.UpdateCredential(bg, "a", "1", func(c *client.Credential) error { c.ExpiresAt, c.UpdatedAt = 0, day+9; return nil }, event(""))
		if err != nil || changed.ExpiresAt != 0 {
			t.Errorf("%+v, %v", changed, err)
		}
		if c, err := s.Credential(bg, "a", "1"); err != nil || c.ExpiresAt != 0 || c.UpdatedAt != day+9 || c.Name != "n" {
			t.Errorf("%+v, %v", c, err)
		}
		for _, err := range []error{
			second(s.UpdateCredential(bg, "b", "2", func(*client.Credential) error { return nil }, event(""))),
			s.DeleteCredential(bg, "b", "2", event("")),
		} {
			if !errors.Is(err, client.ErrNoCredential) {
				t.Errorf("unknown: %v", err)
			}
		}
		must(t, s.DeleteCredential(bg, "a", "1", event("")))
		if len(names(t, s, "a")) != 0 || len(names(t, s, "b")) != 1 {
			t.Error("the wrong one is gone")
		}
		must(t, s.DeleteClient(bg, "b", event("")))
		if len(names(t, s, "b")) != 0 {
			t.Error("it outlives its client")
		}
	})

	t.Run("a client names what it has", func(t *testing.T) {
		s := open(t)
		newClient(t, s, "a", *credential("", "1"), *credential("", "2"))
		if got := names(t, s, "a"); !slices.Equal(got, []string{"1", "2"}) {
			t.Fatalf("with the client: %v", got)
		}
		name := func(doc string) error {
			return second(s.UpdateClient(bg, "a", func(c *client.Client) error { c.Doc = json.RawMessage(doc); return nil }, event("")))
		}
		const named = `{"client_authentication_methods":{"private_key_jwt":{"credentials":[{"id":"1"},{"id":"%s"}]}}}`
		if err := name(fmt.Sprintf(named, "3")); !errors.Is(err, client.ErrUnknownCredential) {
			t.Errorf("unknown: %v", err)
		}
		must(t, name(fmt.Sprintf(named, "2")))
		must(t, s.DeleteCredential(bg, "a", "1", event("")))
		if c, err := s.Client(bg, "a"); err != nil || !slices.Equal(c.Settings().Credentials, []string{"2"}) {
			t.Errorf("%s, %v", c.Doc, err)
		}
		must(t, s.DeleteCredential(bg, "a", "2", event("")))
		if c, err := s.Client(bg, "a"); err != nil || c.Settings().AuthMethod != client.AuthPrivateKeyJWT {
			t.Errorf("the last one is gone: %s, %v", c.Doc, err)
		}
	})

	t.Run("there is a limit", func(t *testing.T) {
		s := open(t)
		newClient(t, s, "a")
		for i := range client.MaxCredentials - 1 {
			must(t, s.CreateCredential(bg, credential("a", fmt.Sprint(i)), event("")))
		}
		got := race(4, func(i int) error { return s.CreateCredential(bg, credential("a", fmt.Sprint("x", i)), event("")) })
		if got["ok"] != 1 || len(names(t, s, "a")) != client.MaxCredentials {
			t.Errorf("%v", got)
		}
	})

	t.Run("an assertion is used once", func(t *testing.T) {
		s := open(t)
		used := errors.New("used")
		got := race(20, func(int) error {
			fresh, err := s.UseAssertion(bg, "hash", day+5)
			if err == nil && !fresh {
				err = used
			}
			return err
		})
		if got["ok"] != 1 || got["used"] != 19 {
			t.Errorf("%v", got)
		}
		must(t, s.Sweep(bg, day+4))
		if fresh, err := s.UseAssertion(bg, "hash", day+5); err != nil || fresh {
			t.Errorf("swept too early: %v, %v", fresh, err)
		}
		must(t, s.Sweep(bg, day+5))
		if fresh, err := s.UseAssertion(bg, "hash", day+5); err != nil || !fresh {
			t.Errorf("not swept: %v, %v", fresh, err)
		}
	})
}

func runKeys(t *testing.T, open func(testing.TB) *store.Store) {
	plain := func(id, state string) key.Key {
		return key.Key{ID: id, Alg: key.RS256, Private: []byte("private " + id), Cert: []byte("cert"), State: state, CreatedAt: day, Since: day + 1}
	}
	t.Run("states move and keys come", func(t *testing.T) {
		s := open(t)
		got, err := s.UpdateKeys(bg, func(old []key.Key) ([]key.Key, error) { return append(old, plain("a", key.Current)), nil }, event(""))
		if err != nil || len(got) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		must(t, second(s.UpdateKeys(bg, func(old []key.Key) ([]key.Key, error) {
			old[0].State, old[0].Since, old[0].Private = key.Previous, day+2, []byte("another")
			return append(old, plain("b", key.Current)), nil
		}, event(""))))
		keys, err := s.Keys(bg)
		must(t, err)
		want := []key.Key{plain("a", key.Previous), plain("b", key.Current)}
		want[0].Since = day + 2
		if !reflect.DeepEqual(keys, want) {
			t.Errorf("got %+v", keys)
		}
	})
	t.Run("a refused change changes nothing", func(t *testing.T) {
		s := open(t)
		no := errors.New("no")
		if _, err := s.UpdateKeys(bg, func([]key.Key) ([]key.Key, error) { return []key.Key{plain("a", key.Current)}, no }, event("")); !errors.Is(err, no) {
			t.Error(err)
		}
		if keys, err := s.Keys(bg); err != nil || len(keys) != 0 {
			t.Errorf("%v, %v", keys, err)
		}
	})
	t.Run("one change after the other", func(t *testing.T) {
		s := open(t)
		must(t, second(s.UpdateKeys(bg, func([]key.Key) ([]key.Key, error) { return []key.Key{plain("first", key.Current)}, nil }, event(""))))
		got := race(8, func(i int) error {
			return second(s.UpdateKeys(bg, func(old []key.Key) ([]key.Key, error) {
				for j := range old {
					old[j].State = key.Previous
				}
				return append(old, plain(fmt.Sprint(i), key.Current)), nil
			}, audit.Event{}))
		})
		keys, err := s.Keys(bg)
		must(t, err)
		current := slices.DeleteFunc(keys, func(k key.Key) bool { return k.State != key.Current })
		if got["ok"] != 8 || len(current) != 1 {
			t.Errorf("%v, %d current", got, len(current))
		}
	})
}
