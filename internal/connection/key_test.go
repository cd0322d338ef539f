package connection

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
)

// drawer keeps the keys of one connection in memory.
type drawer struct {
	Store
	c      *Connection
	keys   []Key
	events []audit.Event
}

func (d *drawer) Connection(_ context.Context, id string) (*Connection, error) {
	if id != d.c.ID {
		return nil, ErrNotFound
	}
	return d.c, nil
}

func (d *drawer) ConnectionByName(_ context.Context, name string) (*Connection, error) {
	if name != d.c.Name {
		return nil, ErrNotFound
	}
	return d.c, nil
}

func (d *drawer) ConnectionKeys(context.Context, string) ([]Key, error) {
	return slices.Clone(d.keys), nil
}

func (d *drawer) UpdateConnectionKeys(_ context.Context, _ string, fn func([]Key) ([]Key, error), e audit.Event) ([]Key, error) {
	keys, err := fn(slices.Clone(d.keys))
	if err != nil {
		return nil, err
	}
	d.keys, d.events = keys, append(d.events, e)
	return slices.Clone(keys), nil
}

func newDrawer(strategy, options string) (*drawer, *KeyService) {
	d := &drawer{c: &Connection{ID: "con_1", Name: "acme", Strategy: strategy, Options: json.RawMessage(options)}}
	at := time.Unix(1_700_000_000, 0)
	return d, &KeyService{Store: d, Connections: d, Now: func() time.Time { at = at.Add(time.Second); return at }}
}

const byKey = `{"token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_signing_alg":"ES256"}`

func states(keys []Key) string {
	var list []string
	for _, k := range keys {
		list = append(list, k.State+" "+k.Alg)
	}
	return strings.Join(list, ", ")
}

func TestKeysComeWhenTheyAreNeeded(t *testing.T) {
	ctx := t.Context()
	d, s := newDrawer("okta", byKey)
	keys, err := s.List(ctx, "con_1", audit.Event{})
	if err != nil || states(keys) != "current ES256, next ES256" || keys[0].CurrentSince == 0 || keys[1].CurrentSince != 0 {
		t.Fatalf("%+v, %v", keys, err)
	}
	again, err := s.List(ctx, "con_1", audit.Event{})
	if err != nil || again[0].ID != keys[0].ID || len(d.events) != 1 || d.events[0].ConnectionID != "con_1" {
		t.Errorf("%v, %v, %v", again, err, d.events)
	}
	if k, err := s.Signing(ctx, d.c); err != nil || k.ID != keys[0].ID {
		t.Errorf("%v, %v", k.ID, err)
	}

	d, s = newDrawer("oidc", `{}`)
	if keys, err := s.List(ctx, "con_1", audit.Event{}); err != nil || len(keys) != 0 {
		t.Errorf("a connection without keys: %v, %v", keys, err)
	}
	for name, err := range map[string]error{"sign": second(s.Signing(ctx, d.c)), "publish": second(s.Published(ctx, "acme")), "nobody": second(s.Published(ctx, "other"))} {
		if !errors.Is(err, ErrNoKeys) {
			t.Errorf("%s: %v", name, err)
		}
	}
	keys, err = s.Create(ctx, "con_1", "PS384", audit.Event{}) // before the connection is set to use them
	if err != nil || states(keys) != "current PS384, next PS384" {
		t.Errorf("%v, %v", states(keys), err)
	}
	if _, err := s.Create(ctx, "con_1", "", audit.Event{}); !errors.Is(err, errKeysExist) || len(d.keys) != 2 {
		t.Errorf("twice: %v", err)
	}
	if keys, err := s.Published(ctx, "acme"); err != nil || len(keys) != 2 {
		t.Errorf("published: %v, %v", keys, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestRotation(t *testing.T) {
	ctx := t.Context()
	d, s := newDrawer("oidc", byKey)
	first, err := s.List(ctx, "con_1", audit.Event{})
	if err != nil {
		t.Fatal(err)
	}
	next, err := s.Rotate(ctx, "con_1", "RS256", audit.Event{})
	if err != nil || next.State != KeyNext || next.Alg != "RS256" {
		t.Fatalf("%+v, %v", next, err)
	}
	keys, _ := s.List(ctx, "con_1", audit.Event{})
	if states(keys) != "current ES256, previous ES256, next RS256" || keys[0].ID != first[1].ID || keys[1].ID != first[0].ID || keys[1].CurrentUntil == 0 {
		t.Errorf("%+v", keys)
	}
	doc, err := KeySet(keys)
	if err != nil || strings.Contains(string(doc), first[0].ID) || !strings.Contains(string(doc), first[1].ID) || !strings.Contains(string(doc), next.ID) {
		t.Errorf("%s, %v", doc, err)
	}
	if _, err := s.Rotate(ctx, "con_1", "", audit.Event{}); err != nil || len(d.keys) != 3 {
		t.Errorf("%v, %v", states(d.keys), err)
	}

	for _, row := range []struct {
		strategy, options string
		rotate, list      error
	}{
		{"oidc", `{}`, errNoKeyJWT, nil},
		{"okta", `{"token_endpoint_auth_method":"client_secret_post"}`, errNoKeyJWT, nil},
		{"waad", byKey, errNoRotation, errKeyStrategy},
		{"auth0", `{}`, errNoRotation, errKeyStrategy},
	} {
		d, s := newDrawer(row.strategy, row.options)
		if _, err := s.Rotate(ctx, "con_1", "", audit.Event{}); !errors.Is(err, row.rotate) {
			t.Errorf("%s: rotate: %v", row.strategy, err)
		}
		if _, err := s.List(ctx, "con_1", audit.Event{}); !errors.Is(err, row.list) {
			t.Errorf("%s: list: %v", row.strategy, err)
		}
		if row.list != nil {
			if _, err := s.Create(ctx, "con_1", "", audit.Event{}); !errors.Is(err, row.list) {
				t.Errorf("%s: create: %v", row.strategy, err)
			}
		}
		if len(d.keys) != 0 || len(d.events) != 0 {
			t.Errorf("%s: a refusal left %v", row.strategy, d.keys)
		}
	}
}

// What is published is what signs: each key by its public half, nothing private.
func TestKeySet(t *testing.T) {
	for _, alg := range KeyAlgs() {
		k, err := GenerateKey(alg, "acme", time.Unix(1_700_000_000, 0))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := KeySet([]Key{k})
		if err != nil {
			t.Fatal(err)
		}
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal(doc, &set); err != nil || len(set.Keys) != 1 {
			t.Fatalf("%s: %v", doc, err)
		}
		j := set.Keys[0]
		number := func(name string) *big.Int {
			s, _ := j[name].(string)
			b, err := base64.RawURLEncoding.DecodeString(s)
			if err != nil {
				t.Fatal(err)
			}
			return new(big.Int).SetBytes(b)
		}
		private, err := x509.ParsePKCS8PrivateKey(k.Private)
		if err != nil {
			t.Fatal(err)
		}
		switch p := private.(type) {
		case *rsa.PrivateKey:
			if j["kty"] != "RSA" || number("n").Cmp(p.N) != 0 || number("e").Int64() != int64(p.E) {
				t.Errorf("%s: %s", alg, doc)
			}
		case *ecdsa.PrivateKey:
			point, err := p.PublicKey.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if want := append(number("x").FillBytes(make([]byte, len(point)/2)), number("y").FillBytes(make([]byte, len(point)/2))...); string(want) != string(point[1:]) {
				t.Errorf("%s: %s", alg, doc)
			}
		}
		if j["kid"] != k.ID || j["alg"] != alg || j["use"] != "sig" || j["d"] != nil || j["p"] != nil {
			t.Errorf("%s: %s", alg, doc)
		}
	}
	if _, err := GenerateKey("HS256", "acme", time.Now()); err == nil {
		t.Error("HS256 has no key pair")
	}
}
