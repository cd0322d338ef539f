package server_test

import (
	"crypto/tls"
	"encoding/base64"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"mangrove/internal/store/storetest"
	"mangrove/internal/upstream/idptest"
)

// document is what a provider of SAML or WS-Federation sends by way of the browser.
type document struct{ answer idptest.Answer }

func (d document) text(t *testing.T) string {
	t.Helper()
	if posted := d.answer.Form.Get("SAMLResponse"); posted != "" {
		raw, err := base64.StdEncoding.DecodeString(posted)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	return d.answer.Form.Get("wresult")
}

func (d document) with(text string) idptest.Answer {
	v := url.Values{}
	for name, values := range d.answer.Form {
		switch name {
		case "SAMLResponse":
			values = []string{base64.StdEncoding.EncodeToString([]byte(text))}
		case "wresult":
			values = []string{text}
		}
		v[name] = values
	}
	return idptest.Answer{URL: d.answer.URL, Form: v}
}

var (
	signatureTag = regexp.MustCompile(`(?s)<(\w+:)?Signature[ >].*</(\w+:)?Signature>`)
	assertionTag = regexp.MustCompile(`(?s)<(\w+:)?Assertion[ >].*</(\w+:)?Assertion>`)
	conditions   = regexp.MustCompile(`(?s)<(\w+:)?Conditions[ >].*</(\w+:)?Conditions>`)
	audienceTag  = regexp.MustCompile(`urn:auth0:[^<]*<`)
	issuers      = regexp.MustCompile(`urn:mangrove:test:(samlp|wsfed)`)
	recipients   = regexp.MustCompile(` Recipient="[^"]*"`)
	answered     = regexp.MustCompile(`InResponseTo="[^"]*"`)
	until        = regexp.MustCompile(`NotOnOrAfter="[^"]*"`)
	from         = regexp.MustCompile(`NotBefore="[^"]*"`)
	ids          = regexp.MustCompile(` (ID|AssertionID)="[^"]*"`)
)

// signedAgain changes the assertion of a document and has a key sign it, so that all
// but the change is right.
func signedAgain(t *testing.T, text string, by idptest.KeyPair, change func(assertion string) string) string {
	t.Helper()
	assertion := signatureTag.ReplaceAllString(assertionTag.FindString(text), "")
	doc := etree.NewDocument()
	if err := doc.ReadFromString(change(assertion)); err != nil {
		t.Fatal(err)
	}
	ctx := dsig.NewDefaultSigningContext(dsig.TLSCertKeyStore(tls.Certificate{Certificate: [][]byte{by.Certificate.Raw}, PrivateKey: by.Key}))
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if doc.Root().SelectAttr("AssertionID") != nil {
		ctx.IdAttribute = "AssertionID"
	}
	signed, err := ctx.SignEnveloped(doc.Root())
	if err != nil {
		t.Fatal(err)
	}
	out := etree.NewDocument()
	out.SetRoot(signed)
	s, err := out.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	at := assertionTag.FindStringIndex(text)
	return text[:at[0]] + s + text[at[1]:]
}

// security.md 99–104: documents that were really tampered with, through the whole
// server: nobody signs in, the stored profile stays whole, and it is on record.
func TestTamperedDocuments(t *testing.T) {
	parts := samlParts(t)
	stranger := idptest.NewKeyPair(t, "stranger")
	replace := func(old, now string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, now, 1) }
	}
	each := func(r *regexp.Regexp, now string) func(string) string {
		return func(s string) string { return r.ReplaceAllString(s, now) }
	}
	same := func(s string) string { return s }
	again := func(by idptest.KeyPair, change func(string) string) func(string) string {
		return func(s string) string { return signedAgain(t, s, by, change) }
	}
	// doubled puts a forged assertion beside the genuine one.
	doubled := func(before bool) func(string) string {
		return func(s string) string {
			at := assertionTag.FindStringIndex(s)
			genuine := s[at[0]:at[1]]
			evil := strings.ReplaceAll(ids.ReplaceAllString(signatureTag.ReplaceAllString(genuine, ""), ` $1="_evil"`), ">Carol<", ">Mallory<")
			if before {
				return s[:at[0]] + evil + s[at[0]:]
			}
			return s[:at[1]] + evil + s[at[1]:]
		}
	}
	rows := []struct {
		name   string
		change func(string) string
		in     bool   // the login goes on, with the profile as it was
		only   string // of a strategy
	}{
		{"nothing", same, true, ""},
		{"signed again", again(parts.KeyPair, same), true, ""},
		{"a comment within a name", replace(">Carol<", ">Ca<!-- x -->rol<"), true, ""},
		{"a comment within who it is", replace(">carol<", ">ca<!---->rol<"), true, ""},
		{"another name", replace(">Carol<", ">Mallory<"), false, ""},
		{"another person", replace(">carol<", ">admin<"), false, ""},
		{"another person in the end", replace(">carol<", ">carol<!---->.evil<"), false, ""},
		{"no signature", each(signatureTag, ""), false, ""},
		{"another ID", each(ids, ` $1="_other"`), false, ""},
		{"a stranger's signature", again(stranger, same), false, ""},
		{"a stranger's signature over another person", again(stranger, replace(">carol<", ">admin<")), false, ""},
		{"a forged assertion before", doubled(true), false, ""},
		{"a forged assertion behind", doubled(false), false, ""},
		{"SHA-1", replace("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"), false, ""},
		{"HMAC", replace("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"), false, ""},
		{"a DTD", func(s string) string { return `<!DOCTYPE r [<!ENTITY e "Mallory">]>` + s }, false, ""},
		{"an entity", func(s string) string {
			return `<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>` + strings.Replace(s, ">Carol<", ">&b;<", 1)
		}, false, ""},
		{"half of it", func(s string) string { return s[:len(s)/2] }, false, ""},
		{"deep", func(string) string { return strings.Repeat("<a>", 20_000) + strings.Repeat("</a>", 20_000) }, false, ""},
		{"another audience", again(parts.KeyPair, each(audienceTag, "urn:auth0:other<")), false, ""},
		{"another issuer", again(parts.KeyPair, each(issuers, "urn:other")), false, ""},
		{"another recipient", again(parts.KeyPair, each(recipients, ` Recipient="https://other.example/login/callback"`)), false, "samlp"},
		{"another request", again(parts.KeyPair, each(answered, `InResponseTo="_other"`)), false, "samlp"},
		{"over", again(parts.KeyPair, each(until, `NotOnOrAfter="2020-01-01T00:00:00Z"`)), false, ""},
		{"not yet", again(parts.KeyPair, each(from, `NotBefore="2090-01-01T00:00:00Z"`)), false, ""},
		{"no conditions", again(parts.KeyPair, each(conditions, "")), false, ""},
	}
	for strategy, options := range map[string]map[string]any{
		"samlp": {"metadataUrl": parts.SAMLMetadata()}, "adfs": {"adfs_server": parts.WSFedMetadata()},
	} {
		t.Run(strategy, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite)
			w.laid(strategy, "carols", options, nil)
			a := w.newApplication("carols")
			id := strategy + "|carols|carol"
			var whole map[string]any
			for _, row := range rows {
				if row.only != "" && row.only != strategy {
					continue
				}
				b := w.newBrowser()
				trip := away("carol")(a, b, "carols")
				text := document{trip.answer}.text(t)
				changed := row.change(text)
				if row.name != "nothing" && changed == text {
					t.Fatalf("%s: nothing was changed: %.2000s", row.name, text)
				}
				records := len(w.failures())
				query, page, at := b.hand(document{trip.answer}.with(changed))
				if row.in {
					if in, refused := a.exchange(orFatal(t, query, page, at), trip.verifier); in == nil || in.subject != id || in.claims["name"] != "Carol" {
						t.Errorf("%s: %v %v", row.name, in, refused)
					}
					whole = lasting(w.profileOf(id))
					continue
				}
				if query.Get("error") != "access_denied" || query.Get("error_description") != "The identity provider's answer was not accepted." {
					t.Errorf("%s: told %v at %s %.200s", row.name, query, at, page)
				}
				if len(w.failures()) <= records {
					t.Errorf("%s: left no record", row.name)
				}
				if a.signedIn(b) {
					t.Errorf("%s: the browser has a session", row.name)
				}
				if now := lasting(w.profileOf(id)); !reflect.DeepEqual(now, whole) {
					t.Errorf("%s: the profile is %v", row.name, now)
				}
			}
			if status, body := w.call("GET", "/api/v2/users?include_totals=true", ""); status != 200 || !strings.Contains(body, `"total":1`) {
				t.Errorf("somebody else is there: %d %.500s", status, body)
			}
			w.stop()
			for _, said := range []string{"Mallory", "Carol", "SignatureValue"} {
				if strings.Contains(w.logs.String(), said) {
					t.Errorf("the process log repeats %s", said)
				}
			}
		})
	}
}

// lasting is a profile without what a login records, and without the time of it.
func lasting(p map[string]any) map[string]any {
	for _, name := range []string{"updated_at", "last_login", "logins_count"} {
		delete(p, name)
	}
	return p
}
