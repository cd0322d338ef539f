package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/strictjson"
)

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// spkiPEM is the PEM of any public key.
func spkiPEM(t testing.TB, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return block("PUBLIC KEY", der)
}

func TestNewCredential(t *testing.T) {
	k := testKey()
	der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "c"}, NotAfter: end}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, pkcs1, certificate := block("PUBLIC KEY", der), block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&k.PublicKey)), block("CERTIFICATE", cert)
	for _, row := range []struct {
		name, body, wrong string
		expires           int64
	}{
		{"SPKI", `{"credential_type":"public_key","pem":` + quote(spki) + `}`, "", 0},
		{"with CRLF", `{"credential_type":"public_key","pem":` + quote(strings.ReplaceAll(spki, "\n", "\r\n")) + `}`, "", 0},
		{"PKCS #1", `{"credential_type":"public_key","pem":` + quote(pkcs1) + `}`, "", 0},
		{"certificate", `{"credential_type":"public_key","pem":` + quote(certificate) + `}`, "", 0},
		{"end of a certificate", `{"credential_type":"public_key","parse_expiry_from_cert":true,"pem":` + quote(certificate) + `}`, "", end.UnixMicro()},
		{"end", `{"credential_type":"public_key","expires_at":"2029-01-01T00:00:00.000Z","pem":` + quote(spki) + `}`, "", time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()},
		{"end long ago", `{"credential_type":"public_key","expires_at":"1960-01-01T00:00:00Z","pem":` + quote(spki) + `}`, "", 1},
		{"no type", `{"pem":` + quote(spki) + `}`, "Missing required property: credential_type", 0},
		{"mTLS", `{"credential_type":"x509_cert","pem":` + quote(certificate) + `}`, "Only credentials of the type public_key are available", 0},
		{"no key", `{"credential_type":"public_key"}`, "Missing required property: pem", 0},
		{"nonsense", `{"credential_type":"public_key","pem":"x"}`, "it has to be one block", 0},
		{"two keys", `{"credential_type":"public_key","pem":` + quote(spki+spki) + `}`, "it has to be one block", 0},
		{"a private key", `{"credential_type":"public_key","pem":` + quote(block("PRIVATE KEY", private)) + `}`, "it is neither a public key nor a certificate", 0},
		{"broken", `{"credential_type":"public_key","pem":` + quote(block("PUBLIC KEY", der[:40])) + `}`, "it cannot be read", 0},
		{"a short key", `{"credential_type":"public_key","pem":` + quote(spkiPEM(t, &short.PublicKey)) + `}`, "RSA keys have 2048 to 4096 bits", 0},
		{"an elliptic curve", `{"credential_type":"public_key","pem":` + quote(spkiPEM(t, &elliptical.PublicKey)) + `}`, "it is not an RSA key", 0},
		{"an algorithm without a key pair", `{"credential_type":"public_key","alg":"HS256","pem":` + quote(spki) + `}`, "No enum match for: HS256", 0},
		{"a short kid", `{"credential_type":"public_key","kid":"x","pem":` + quote(spki) + `}`, "String is too short (1 chars), minimum 10", 0},
		{"a kid with a slash", `{"credential_type":"public_key","kid":"0123456789/","pem":` + quote(spki) + `}`, "String does not match pattern", 0},
		{"unknown member", `{"credential_type":"public_key","x":1,"pem":` + quote(spki) + `}`, "Additional properties not allowed: x", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := newCredential(json.RawMessage(row.body), "", 5)
			if row.wrong != "" {
				if err == nil || !strings.Contains(text(err), row.wrong) {
					t.Errorf("got %q, want %q", text(err), row.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(text(err))
			}
			if !slices.Equal(c.Public, der) || c.Alg != "RS256" || c.ExpiresAt != row.expires || c.CreatedAt != 5 || !regexp.MustCompile(`^[0-9a-zA-Z-_]{43}$`).MatchString(c.KID) || !credentialID.MatchString(c.ID) {
				t.Errorf("%+v", c)
			}
		})
	}
}

func TestCredentialEnds(t *testing.T) {
	for _, row := range []struct {
		ends, now int64
		want      bool
	}{{0, 1 << 60, true}, {10, 9, true}, {10, 10, false}, {10, 11, false}} {
		if got := (&Credential{ExpiresAt: row.ends}).Valid(row.now); got != row.want {
			t.Errorf("%+v: %v", row, got)
		}
	}
}

// One way of authentication at a time: what a body sets takes the place of the other.
func TestAuthenticationMethods(t *testing.T) {
	const a, b = "cred_1111111111111111111111", "cred_2222222222222222222222"
	methods := func(ids ...string) string {
		for i, id := range ids {
			ids[i] = `{"id":"` + id + `"}`
		}
		return `{"private_key_jwt":{"credentials":[` + strings.Join(ids, ",") + `]}}`
	}
	for _, row := range []struct{ name, patch, wrong, method, credentials string }{
		{"by key", `{"client_authentication_methods":` + methods(a, b) + `}`, "", AuthPrivateKeyJWT, a + " " + b},
		{"and no secret", `{"token_endpoint_auth_method":null,"client_authentication_methods":` + methods(a) + `}`, "", AuthPrivateKeyJWT, a},
		{"by no key", `{"client_authentication_methods":` + methods() + `}`, "", AuthPrivateKeyJWT, ""},
		{"back to a secret", `{"client_authentication_methods":null,"token_endpoint_auth_method":"client_secret_basic"}`, "", AuthBasic, ""},
		{"to no secret", `{"token_endpoint_auth_method":"none"}`, "", AuthNone, ""},
		{"both", `{"token_endpoint_auth_method":"none","client_authentication_methods":` + methods(a) + `}`, "cannot be specified together", AuthPost, ""},
		{"mTLS", `{"client_authentication_methods":{"tls_client_auth":{"credentials":[]}}}`, "there is no mTLS here", AuthPost, ""},
		{"two methods", `{"client_authentication_methods":{"tls_client_auth":{"credentials":[]},"private_key_jwt":{"credentials":[]}}}`, "Too many properties defined (2), maximum 1", AuthPost, ""},
		{"no list", `{"client_authentication_methods":{"private_key_jwt":{}}}`, "Missing required property: credentials", AuthPost, ""},
		{"no id", `{"client_authentication_methods":` + methods("x") + `}`, "credential-id: x", AuthPost, ""},
		{"a key in the place of an id", `{"client_authentication_methods":{"private_key_jwt":{"credentials":[{"pem":"x"}]}}}`, "Missing required property: id", AuthPost, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newService()
			c, err := s.Create(t.Context(), members(t, `{"name":"x","token_endpoint_auth_method":"client_secret_post"}`), audit.Event{})
			if err != nil {
				t.Fatal(text(err))
			}
			_, err = s.Patch(t.Context(), c.ID, members(t, row.patch), audit.Event{})
			if (err != nil) != (row.wrong != "") || !strings.Contains(text(err), row.wrong) {
				t.Errorf("%q, want %q", text(err), row.wrong)
			}
			now, err := s.Store.Client(t.Context(), c.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got := now.Settings(); got.AuthMethod != row.method || strings.Join(got.Credentials, " ") != row.credentials {
				t.Errorf("%s: %s, %v", now.Doc, got.AuthMethod, got.Credentials)
			}
		})
	}
}

func TestCredentialsWithANewClient(t *testing.T) {
	s := newService()
	whole := `{"credential_type":"public_key","name":"k","pem":` + quote(spkiPEM(t, &testKey().PublicKey)) + `}`
	c, err := s.Create(t.Context(), members(t, `{"name":"x","client_authentication_methods":{"private_key_jwt":{"credentials":[`+whole+`]}}}`), audit.Event{})
	if err != nil {
		t.Fatal(text(err))
	}
	if len(c.Credentials) != 1 || c.Credentials[0].Name != "k" || !slices.Equal(c.Settings().Credentials, []string{c.Credentials[0].ID}) || strings.Contains(string(c.Doc), "BEGIN") {
		t.Errorf("%s, %+v", c.Doc, c.Credentials)
	}
	for wrong, body := range map[string]string{
		"Missing required property: credential_type": `{"private_key_jwt":{"credentials":[{"id":"cred_1111111111111111111111"}]}}`,
		"there is no mTLS here":                      `{"tls_client_auth":{"credentials":[]}}`,
		"it has to be one block":                     `{"private_key_jwt":{"credentials":[{"credential_type":"public_key","pem":"x"}]}}`,
	} {
		before := len(s.Store.(shelf))
		_, err := s.Create(t.Context(), members(t, `{"name":"x","client_authentication_methods":`+body+`}`), audit.Event{})
		if !strings.Contains(text(err), wrong) || len(s.Store.(shelf)) != before {
			t.Errorf("%q, want %q", text(err), wrong)
		}
	}
}

func TestWithoutCredential(t *testing.T) {
	for _, row := range []struct{ doc, id, want string }{
		{`{"a":1}`, "x", `{"a":1}`},
		{`{"client_authentication_methods":{"private_key_jwt":{"credentials":[{"id":"x"},{"id":"y"}]}}}`, "x", `{"client_authentication_methods":{"private_key_jwt":{"credentials":[{"id":"y"}]}}}`},
		{`{"client_authentication_methods":{"private_key_jwt":{"credentials":[{"id":"x"}]}}}`, "x", `{"client_authentication_methods":{"private_key_jwt":{"credentials":[]}}}`},
		{`{"client_authentication_methods":{"private_key_jwt":{"credentials":[{"id":"x"}]}}}`, "y", `{"client_authentication_methods":{"private_key_jwt":{"credentials":[{"id":"x"}]}}}`},
	} {
		if got := WithoutCredential(json.RawMessage(row.doc), row.id); string(got) != row.want {
			t.Errorf("%s without %s: %s", row.doc, row.id, got)
		}
	}
}

// Law: what is accepted is an RSA key of a usable length, in the one form that is
// kept of it.
func FuzzParsePublicKey(f *testing.F) {
	f.Add(spkiPEM(f, &testKey().PublicKey))
	f.Add(block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&testKey().PublicKey)))
	f.Add("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")
	f.Fuzz(func(t *testing.T, s string) {
		der, _, err := parsePublicKey(s)
		if err != nil {
			return
		}
		parsed, err := x509.ParsePKIXPublicKey(der)
		key, ok := parsed.(*rsa.PublicKey)
		if err != nil || !ok || key.N.BitLen() < leastBits || key.N.BitLen() > mostBits {
			t.Fatalf("%v, %v", parsed, err)
		}
		again, _, err := parsePublicKey(block("PUBLIC KEY", der))
		if err != nil || !slices.Equal(again, der) {
			t.Errorf("does not come back: %v", err)
		}
	})
}

// drawer is a CredentialStore in memory of one client's.
type drawer struct {
	CredentialStore
	list []*Credential
}

func (d *drawer) CreateCredential(_ context.Context, c *Credential, e audit.Event) error {
	if e.Type != audit.APIOperation || e.At == 0 || e.Description == "" {
		panic("no proper record")
	}
	d.list = append(d.list, c)
	return nil
}

func (d *drawer) UpdateCredential(_ context.Context, _, id string, fn func(*Credential) error, _ audit.Event) (*Credential, error) {
	for _, c := range d.list {
		if c.ID == id {
			return c, fn(c)
		}
	}
	return nil, ErrNoCredential
}

func TestCredentialPatch(t *testing.T) {
	d := &drawer{}
	s := &CredentialService{Store: d, Clients: shelf{}, Now: func() time.Time { return time.UnixMicro(9) }}
	body, err := strictjson.Object([]byte(`{"credential_type":"public_key","pem":` + quote(spkiPEM(t, &testKey().PublicKey)) + `}`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Create(t.Context(), "c", body, audit.Event{})
	if err != nil || c.ClientID != "c" {
		t.Fatal(text(err))
	}
	for _, row := range []struct {
		body, wrong string
		ends        int64
	}{
		{`{"expires_at":"1970-01-01T00:00:01Z"}`, "", 1_000_000},
		{`{}`, "Too few properties defined (0), minimum 1", 1_000_000},
		{`{"expires_at":"soon"}`, "validation for format date-time: soon", 1_000_000},
		{`{"name":"x"}`, "Additional properties not allowed: name", 1_000_000},
		{`{"expires_at":null}`, "", 0},
	} {
		_, err := s.Patch(t.Context(), "c", c.ID, members(t, row.body), audit.Event{})
		if (err != nil) != (row.wrong != "") || !strings.Contains(text(err), row.wrong) || d.list[0].ExpiresAt != row.ends {
			t.Errorf("%s: %q, ends %d", row.body, text(err), d.list[0].ExpiresAt)
		}
	}
	for _, err := range []error{second(s.List(t.Context(), "none")), second(s.Get(t.Context(), "none", "x"))} {
		if text(err) != ErrNotFound.Text {
			t.Error(err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
