package idptest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"mangrove/internal/parttest"
)

// SimpleSAML is a SimpleSAMLphp of its own, served by PHP's built-in server.
type SimpleSAML struct {
	t         testing.TB
	dir       string
	URL       string
	people    map[string]map[string][]string
	providers map[string]Provider
	realms    map[string]string
	KeyPair
}

// SimpleSAMLRealm is the name of the WS-Federation provider.
const SimpleSAMLRealm = "urn:mangrove:test:adfs"

// Provider is a SAML service provider that SimpleSAMLphp trusts.
type Provider struct {
	ACS string `json:"acs"`
	// Logout is where LogoutRequests and LogoutResponses go; empty: nowhere.
	Logout string `json:"logout,omitzero"`
	// CertPEM is the service provider's certificate: its requests have to be signed
	// by that, where Signed is set, and assertions are encrypted for it, where
	// Encrypt is set.
	CertPEM string `json:"cert,omitzero"`
	Signed  bool   `json:"signed,omitzero"`
	Encrypt bool   `json:"encrypt,omitzero"`
	// UnsignedAssertion and UnsignedResponse leave a signature out.
	UnsignedAssertion bool `json:"unsigned_assertion,omitzero"`
	UnsignedResponse  bool `json:"unsigned_response,omitzero"`
}

// StartSimpleSAML starts one; it ends with the test. carol (password carolpw) is
// there; SetPerson adds people, whose password is their name with "pw" behind it.
func StartSimpleSAML(t testing.TB) *SimpleSAML {
	t.Helper()
	home := parttest.Need(t, "SimpleSAMLphp", EnvSimpleSAML)
	if _, err := exec.LookPath("php"); err != nil {
		t.Fatalf("SimpleSAMLphp is there, but PHP is not: %v", err)
	}
	keys, err := ours()
	if err != nil {
		t.Fatal(err)
	}
	s := &SimpleSAML{
		t: t, dir: t.TempDir(), KeyPair: keys,
		people:    map[string]map[string][]string{},
		providers: map[string]Provider{},
		realms:    map[string]string{},
	}
	for _, d := range []string{"config", "metadata", "cert", "log", "data", "tmp"} {
		if err := os.Mkdir(filepath.Join(s.dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := keys.write(filepath.Join(s.dir, "cert")); err != nil {
		t.Fatal(err)
	}
	// Between asking for a port and taking it somebody else may take it.
	for range 5 {
		if s.start(home) {
			s.SetPerson("carol", map[string][]string{
				"uid": {"carol"}, "mail": {"carol@ex.example"}, "givenName": {"Carol"}, "sn": {"Lind"}, "groups": {"a", "b"},
			})
			s.save("providers.json", s.providers)
			s.save("realms.json", s.realms)
			return s
		}
	}
	t.Fatal("SimpleSAMLphp does not start")
	return nil
}

// start is false when the port was taken.
func (s *SimpleSAML) start(home string) bool {
	port, err := freePort(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	address := "127.0.0.1:" + strconv.Itoa(port)
	s.URL = "http://" + address
	for name, text := range map[string]string{
		"config/config.php":              configPHP,
		"config/authsources.php":         peoplePHP,
		"metadata/saml20-idp-hosted.php": idpPHP,
		"metadata/saml20-sp-remote.php":  providersPHP,
		"metadata/adfs-idp-hosted.php":   adfsPHP,
		"metadata/adfs-sp-remote.php":    realmsPHP,
	} {
		var b bytes.Buffer
		if err := template.Must(template.New(name).Parse(text)).Execute(&b, map[string]string{"URL": s.URL, "Realm": SimpleSAMLRealm}); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir, name), b.Bytes(), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	// PHP does not end with its standard input; the shell around it sees to that, and
	// ends with PHP.
	cmd := exec.CommandContext(context.Background(), "sh", "-c",
		`exec 3<&0; php -S "$0" -t "$1" 3<&- & p=$!; { cat <&3 >&2; kill $p; } 2>/dev/null & exec 3<&-; wait $p`, address, filepath.Join(home, "www"))
	cmd.Env = append(os.Environ(), "SIMPLESAMLPHP_CONFIG_DIR="+filepath.Join(s.dir, "config"))
	output := func(c *exec.Cmd) (io.Reader, error) { return c.StderrPipe() }
	up := false
	start(s.t, cmd, output, func(line string) bool {
		up = strings.Contains(line, "Development Server") && strings.Contains(line, "started")
		return up || strings.Contains(line, "Failed to listen")
	})
	return up
}

func freePort(ctx context.Context) (int, error) {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// SAMLMetadata is the address of the SAML provider's metadata, and its entity ID.
func (s *SimpleSAML) SAMLMetadata() string { return s.URL + "/saml2/idp/metadata.php" }

// SAMLEndpoint is where people sign in by SAML (Redirect and POST bindings).
func (s *SimpleSAML) SAMLEndpoint() string { return s.URL + "/saml2/idp/SSOService.php" }

// LogoutEndpoint is where they sign out by SAML (Redirect binding).
func (s *SimpleSAML) LogoutEndpoint() string { return s.URL + "/saml2/idp/SingleLogoutService.php" }

// WSFedEndpoint is where they do either by WS-Federation.
func (s *SimpleSAML) WSFedEndpoint() string { return s.URL + "/module.php/adfs/idp/prp.php" }

// WSFedMetadata is the metadata of the WS-Federation provider as a document: this
// SimpleSAMLphp serves none for it.
func (s *SimpleSAML) WSFedMetadata() string {
	return FederationMetadata(SimpleSAMLRealm, s.WSFedEndpoint(), s.KeyPair)
}

// FederationMetadata is the metadata of a WS-Federation provider with the keys.
func FederationMetadata(entity, endpoint string, keys ...KeyPair) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="%s">`+
		`<RoleDescriptor xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706" `+
		`xsi:type="fed:SecurityTokenServiceType" protocolSupportEnumeration="http://docs.oasis-open.org/wsfed/federation/200706">`, entity)
	for _, k := range keys {
		fmt.Fprintf(&b, `<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>%s`+
			`</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`, base64.StdEncoding.EncodeToString(k.Certificate.Raw))
	}
	fmt.Fprintf(&b, `<fed:PassiveRequestorEndpoint><EndpointReference xmlns="http://www.w3.org/2005/08/addressing"><Address>%s</Address>`+
		`</EndpointReference></fed:PassiveRequestorEndpoint></RoleDescriptor></EntityDescriptor>`, endpoint)
	return b.String()
}

// SetPerson says what is said about a person at their next login; nil removes the
// person. "uid" is the NameID; without it the name is.
func (s *SimpleSAML) SetPerson(name string, attributes map[string][]string) {
	s.t.Helper()
	if attributes == nil {
		delete(s.people, name)
	} else {
		copied := map[string][]string{"uid": {name}}
		for k, v := range attributes {
			copied[k] = v
		}
		s.people[name] = copied
	}
	list := map[string]map[string][]string{}
	for n, a := range s.people {
		list[n+":"+n+"pw"] = a
	}
	s.save("people.json", list)
}

// Trust makes a SAML service provider known by its entity ID.
func (s *SimpleSAML) Trust(entityID string, p Provider) {
	s.t.Helper()
	s.providers[entityID] = p
	s.save("providers.json", s.providers)
}

// TrustRealm makes a WS-Federation relying party known. wreply may name any
// address; reply is where the answer goes without it.
func (s *SimpleSAML) TrustRealm(realm, reply string) {
	s.t.Helper()
	s.realms[realm] = reply
	s.save("realms.json", s.realms)
}

// save replaces a file that PHP reads with every request.
func (s *SimpleSAML) save(name string, v any) {
	s.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	path := filepath.Join(s.dir, "data", name)
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.t.Fatal(err)
	}
}

const configPHP = `<?php
$home = dirname(__DIR__) . '/';
$config = [
    'baseurlpath' => '{{.URL}}/',
    'application' => ['baseURL' => '{{.URL}}/'],
    'certdir' => $home . 'cert/', 'loggingdir' => $home . 'log/', 'datadir' => $home . 'data/', 'tempdir' => $home . 'tmp',
    'logging.level' => SimpleSAML\Logger::NOTICE, 'logging.handler' => 'file', 'logging.logfile' => 'log.txt',
    'technicalcontact_name' => 'test', 'technicalcontact_email' => 'na@example.org', 'timezone' => 'UTC',
    'secretsalt' => 'only-for-tests', 'auth.adminpassword' => bin2hex(random_bytes(16)), 'trusted.url.domains' => null,
    'showerrors' => true, 'errorreporting' => false, 'production' => false,
    'enable.saml20-idp' => true, 'enable.adfs-idp' => true,
    'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true, 'adfs' => true],
    'session.duration' => 28800, 'session.cookie.name' => 'SSPSID', 'session.cookie.secure' => false,
    'session.cookie.samesite' => 'Lax', 'session.phpsession.cookiename' => 'SSPPHP', 'session.phpsession.savepath' => $home . 'tmp',
    'session.authtoken.cookiename' => 'SSPAuth', 'store.type' => 'phpsession',
    'language.available' => ['en'], 'language.default' => 'en', 'usenewui' => false, 'theme.use' => 'default',
    'template.cache' => $home . 'tmp', 'authproc.idp' => [],
    'metadatadir' => $home . 'metadata', 'metadata.sources' => [['type' => 'flatfile', 'directory' => $home . 'metadata']],
];
`

const peoplePHP = `<?php
$people = json_decode(file_get_contents(dirname(__DIR__) . '/data/people.json'), true);
$config = ['people' => ['exampleauth:UserPass'] + $people];
`

const idpPHP = `<?php
$metadata['{{.URL}}/saml2/idp/metadata.php'] = [
    'host' => '__DEFAULT__', 'privatekey' => 'idp.key', 'certificate' => 'idp.pem', 'auth' => 'people',
    'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    'NameIDFormat' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
    'authproc' => [3 => [
        'class' => 'saml:AttributeNameID', 'attribute' => 'uid', 'Format' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
    ]],
];
`

const adfsPHP = `<?php
$metadata['{{.Realm}}'] = [
    'host' => '__DEFAULT__', 'privatekey' => 'idp.key', 'certificate' => 'idp.pem', 'auth' => 'people',
    'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
];
`

const providersPHP = `<?php
$list = json_decode(file_get_contents(dirname(__DIR__) . '/data/providers.json'), true);
foreach ($list as $entity => $sp) {
    $bare = str_replace(["\n", '-----BEGIN CERTIFICATE-----', '-----END CERTIFICATE-----'], '', $sp['cert'] ?? '');
    $metadata[$entity] = [
        'AssertionConsumerService' => [[
            'Binding' => 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST', 'Location' => $sp['acs'], 'index' => 0, 'isDefault' => true,
        ]],
        'saml20.sign.assertion' => empty($sp['unsigned_assertion']),
        'saml20.sign.response' => empty($sp['unsigned_response']),
        'assertion.encryption' => !empty($sp['encrypt']),
        'redirect.sign' => true, 'validate.authnrequest' => !empty($sp['signed']),
        'validate.logout' => $bare !== '', 'sign.logout' => true,
    ];
    if ($bare !== '') {
        $metadata[$entity]['certData'] = $bare;
    }
    if (!empty($sp['logout'])) {
        $metadata[$entity]['SingleLogoutService'] = [[
            'Binding' => 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect', 'Location' => $sp['logout'],
        ]];
    }
}
`

const realmsPHP = `<?php
$list = json_decode(file_get_contents(dirname(__DIR__) . '/data/realms.json'), true);
foreach ($list as $realm => $reply) {
    $metadata[$realm] = ['prp' => $reply, 'simplesaml.nameidattribute' => 'uid', 'authproc' => []];
}
`
