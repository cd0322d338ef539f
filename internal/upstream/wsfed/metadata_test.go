package wsfed

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"mangrove/internal/upstream/idptest"
)

func TestParseMetadata(t *testing.T) {
	const endpoint = "https://adfs.example/adfs/ls/"
	one, two := testKeys(t), idptest.NewKeyPair(t, "next")
	doc := idptest.FederationMetadata(providerID, endpoint, one, two, one)
	m, err := parseMetadata([]byte(doc))
	if err != nil || m.issuer != providerID || m.endpoint != endpoint || len(m.certs) != 2 || !m.certs[0].Equal(one.Certificate) || !m.certs[1].Equal(two.Certificate) {
		t.Fatalf("%+v %v", m, err)
	}
	replace := func(old, text string) string {
		if !strings.Contains(doc, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(doc, old, text, 1)
	}
	const begin, end = `<RoleDescriptor `, `</RoleDescriptor>`
	role := doc[strings.Index(doc, begin) : strings.Index(doc, end)+len(end)]
	application := strings.NewReplacer("SecurityTokenServiceType", "ApplicationServiceType", endpoint, "https://application.example/").Replace(role)
	if m, err := parseMetadata([]byte("\ufeff" + replace(begin, application+begin))); err != nil || m.endpoint != endpoint || len(m.certs) != 2 {
		t.Errorf("beside the role of an application: %+v %v", m, err)
	}
	for name, bad := range map[string]string{
		"not XML":            "metadata",
		"another document":   `<a/>`,
		"no entity":          replace(` entityID="`+providerID+`"`, ""),
		"no role":            strings.Replace(doc, role, "", 1),
		"an application":     strings.Replace(doc, role, application, 1),
		"no key":             strings.ReplaceAll(doc, `use="signing"`, `use="encryption"`),
		"a broken key":       replace("<X509Certificate>", "<X509Certificate>AAAA"),
		"no endpoint":        strings.ReplaceAll(doc, "PassiveRequestorEndpoint>", "Passive>"),
		"a plain endpoint":   replace(endpoint, "http://adfs.example/"),
		"a script":           replace(endpoint, "javascript:alert(1)"),
		"a DOCTYPE":          "<!DOCTYPE a>" + doc,
		"more than 128 KB":   doc + strings.Repeat("\n", maxMetadata),
		"more than 20 certs": idptest.FederationMetadata(providerID, endpoint, manyKeys(t)...),
	} {
		if m, err := parseMetadata([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func manyKeys(t *testing.T) []idptest.KeyPair {
	t.Helper()
	var list []idptest.KeyPair
	for range maxKeys + 1 {
		k := testKeys(t)
		copied := *k.Certificate
		copied.Raw = append([]byte(nil), copied.Raw...)
		copied.Raw[len(copied.Raw)-1] ^= byte(len(list)) // another signature, another certificate
		k.Certificate = &copied
		list = append(list, k)
	}
	return list
}

func TestThumbprints(t *testing.T) {
	cert := testKeys(t).Certificate
	long := sha256.Sum256(cert.Raw)
	for _, row := range []struct {
		list []string
		want bool
	}{
		{[]string{thumbprint(cert)}, true},
		{[]string{" " + strings.ToUpper(thumbprint(cert))}, true},
		{[]string{hex.EncodeToString(long[:])}, true},
		{[]string{thumbprint(cert)[:20], ""}, false},
		{nil, false},
	} {
		if got := thumbprintsOf(row.list).has(cert); got != row.want {
			t.Errorf("%q: %v", row.list, got)
		}
	}
}

// The law: metadata that is accepted has an issuer, a key and an address to which
// people may be sent; nothing panics.
func FuzzMetadata(f *testing.F) {
	f.Add(idptest.FederationMetadata(providerID, "https://adfs.example/", testKeys(f)))
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parseMetadata([]byte(s))
		if err != nil {
			return
		}
		if _, err := endpointOf(trust{endpoint: m.endpoint}); err != nil || m.issuer == "" || len(m.certs) == 0 {
			t.Errorf("%+v", m)
		}
	})
}
