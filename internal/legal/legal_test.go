package legal

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	ids, acrs := map[string]bool{}, map[string]string{}
	for _, e := range EIDs() {
		if ids[e.ID] || e.Name == "" || len(e.Methods) == 0 || len(e.Country) != 0 && len(e.Country) != 2 {
			t.Errorf("%+v", e)
		}
		ids[e.ID] = true
		for _, m := range e.Methods {
			if was, ok := acrs[m.ACR]; ok || !IsACR(m.ACR) {
				t.Errorf("%s: acr %s, which is %q's too", e.ID, m.ACR, was)
			}
			acrs[m.ACR] = e.ID
			if seg := Segment(m.ACR); strings.ContainsAny(seg, "/+") || decoded(seg) != m.ACR {
				t.Errorf("%s is no segment of a path", seg)
			}
		}
		for _, c := range e.Claims {
			if strings.Contains(c.Attribute, ".") || c.Attribute == "uuid" || c.Attribute == "" {
				t.Errorf("%s: attribute %q", e.ID, c.Attribute)
			}
		}
	}
	for _, name := range []string{"ssn", "socialno", "cprNumberIdentifier", "hetu", "satu"} {
		if !slices.Contains(NationalIdentifiers, name) {
			t.Errorf("%s is not denied", name)
		}
	}
	if len(NationalIdentifiers) > 96 { // the length of a deny list
		t.Errorf("%d names", len(NationalIdentifiers))
	}
}

func TestSegment(t *testing.T) {
	for acr, want := range map[string]string{ // reference/connections.md §4.9
		"urn:grn:authn:no:bankid":             "dXJuOmdybjphdXRobjpubzpiYW5raWQ=",
		"urn:grn:authn:no:bankid:substantial": "dXJuOmdybjphdXRobjpubzpiYW5raWQ6c3Vic3RhbnRpYWw=",
		"urn:grn:authn:no:vipps":              "dXJuOmdybjphdXRobjpubzp2aXBwcw==",
		"urn:grn:authn:dk:mitid:substantial":  "dXJuOmdybjphdXRobjpkazptaXRpZDpzdWJzdGFudGlhbA==",
	} {
		if got := Segment(acr); got != want {
			t.Errorf("%s: %s", acr, got)
		}
	}
}

func TestInAddress(t *testing.T) {
	const no = "urn:grn:authn:no:bankid"
	for address, want := range map[string]string{
		"https://acme.example/dXJuOmdybjphdXRobjpubzpiYW5raWQ=/.well-known/openid-configuration":                      no,
		"https://acme.example/dXJuOmdybjphdXRobjpubzpiYW5raWQ%3D/oauth2/authorize":                                    no,
		"https://acme.example/dXJuOmdybjphdXRobjpubzpiYW5raWQ/oauth2/token":                                           no,
		"https://acme.example/a/b/dXJuOmdybjphdXRobjpubzpiYW5raWQ=/FederationMetadata/2007-06/FederationMetadata.xml": no,
		"https://acme.example/authorize?acr_values=urn:grn:authn:no:bankid":                                           no,
		"https://acme.example/authorize?acr_values=loa3+urn:grn:authn:no:bankid":                                      no,
		"https://acme.example/.well-known/openid-configuration":                                                       "",
		"https://acme.example/aGVsbG8=/x":                                                                             "",
		"https://acme.example/" + Segment("urn:grn:authn:"):                                                           "",
		"https://acme.example/" + Segment("urn:grn:authn:no bankid"):                                                  "",
		"acme.example": "",
		"":             "",
		"://":          "",
	} {
		if got := InAddress(address); got != want {
			t.Errorf("%s: %q", address, got)
		}
	}
}

func TestWithoutACR(t *testing.T) {
	for address, want := range map[string]string{
		"https://acme.example/dXJuOmdybjphdXRobjpubzpiYW5raWQ=":   "https://acme.example",
		"https://acme.example/t/dXJuOmdybjphdXRobjpubzpiYW5raWQ=": "https://acme.example/t",
		"https://acme.example/dXJuOmdybjphdXRobjpubzpiYW5raWQ=/x": "",
		"https://acme.example/tenant":                             "",
		"https://acme.example":                                    "",
		"":                                                        "",
	} {
		got, ok := WithoutACR(address)
		if got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", address, got, ok)
		}
	}
}

func TestCheck(t *testing.T) {
	const any, low, sub, high, qr = "urn:grn:authn:no:bankid", "urn:grn:authn:dk:mitid:low", "urn:grn:authn:dk:mitid:substantial",
		"urn:grn:authn:dk:mitid:high", "urn:grn:authn:se:bankid:another-device:qr"
	for _, row := range []struct {
		name, asked, payload string
		want                 error
	}{
		{"the same", sub, `{"acr":"` + sub + `"}`, nil},
		{"the same, in the broker's word", sub, `{"authenticationtype":"` + sub + `"}`, nil},
		{"the same, in the older protocols", sub, `{"http://schemas.example/claims/authenticationtype":["` + sub + `"]}`, nil},
		{"higher", sub, `{"acr":"` + high + `"}`, nil},
		{"lower", sub, `{"acr":"` + low + `"}`, ErrWeaker},
		{"lower, one of two", sub, `{"acr":"` + sub + `","authenticationtype":"` + low + `"}`, ErrWeaker},
		{"lower by claim", high, `{"acr":"` + high + `","loA":"SUBSTANTIAL"}`, ErrWeaker},
		{"lower by claim, in full", high, `{"acr":"` + high + `","loA":"https://data.gov.dk/concept/core/nsis/Low"}`, ErrWeaker},
		{"lower by its parts", high, `{"acr":"` + high + `","ial":"HIGH","aal":"LOW"}`, ErrWeaker},
		{"higher by claim", low, `{"acr":"` + low + `","loA":"HIGH"}`, nil},
		{"a part alone", high, `{"acr":"` + high + `","aal":"LOW"}`, nil},
		{"a level nobody knows", high, `{"acr":"` + high + `","loA":"GOLD"}`, nil},
		{"another eID", sub, `{"acr":"` + any + `"}`, ErrOther},
		{"another eID, in one of two", sub, `{"acr":"` + sub + `","authenticationtype":"` + any + `"}`, ErrOther},
		{"another way to use it", "urn:grn:authn:se:bankid:same-device", `{"acr":"` + qr + `"}`, nil},
		{"the person's choice", any, `{"acr":"urn:grn:authn:no:bankid:high"}`, nil},
		{"one of all", "urn:grn:authn:fi:all", `{"acr":"urn:grn:authn:fi:mobile-id"}`, nil},
		{"a refinement of what is known", sub, `{"acr":"` + sub + `:new"}`, nil},
		{"a refinement of less", sub, `{"acr":"` + low + `:new"}`, ErrWeaker},
		{"unknown and the same", "urn:grn:authn:xx:new", `{"acr":"urn:grn:authn:xx:new"}`, nil},
		{"unknown and refined", "urn:grn:authn:xx:new", `{"acr":"urn:grn:authn:xx:new:qr"}`, nil},
		{"unknown and another", "urn:grn:authn:xx:new", `{"acr":"urn:grn:authn:xx:newer"}`, ErrOther},
		{"known by something unknown", sub, `{"acr":"urn:grn:authn:xx:new"}`, ErrOther},
		{"nothing", sub, `{}`, ErrSilent},
		{"no payload", sub, ``, ErrSilent},
		{"an acr of another kind", sub, `{"acr":"urn:oasis:names:tc:SAML:2.0:ac:classes:Password"}`, ErrSilent},
		{"an acr of another type", sub, `{"acr":3,"authenticationtype":[7]}`, ErrSilent},
		{"no object", sub, `[]`, errNoClaim},
	} {
		if got := Check(row.asked, []byte(row.payload), false); !errors.Is(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
		if got := Check(row.asked, []byte(row.payload), true); errors.Is(row.want, ErrSilent) && got != nil {
			t.Errorf("%s, silence allowed: %v", row.name, got)
		}
	}
}

func TestRead(t *testing.T) {
	for payload, want := range map[string]Assurance{
		`{"acr":"urn:grn:authn:dk:mitid:substantial"}`:                                              {"urn:grn:authn:dk:mitid:substantial", "substantial"},
		`{"acr":"urn:grn:authn:dk:mitid:substantial","loA":"HIGH"}`:                                 {"urn:grn:authn:dk:mitid:substantial", "high"},
		`{"authenticationtype":"urn:grn:authn:dk:mitid:business","ial":"HIGH","aal":"SUBSTANTIAL"}`: {"urn:grn:authn:dk:mitid:business", "substantial"},
		`{"acr":"urn:grn:authn:se:frejaid"}`:                                                        {"urn:grn:authn:se:frejaid", ""},
		`{"acr":"urn:grn:authn:xx:new"}`:                                                            {"urn:grn:authn:xx:new", ""},
		`{"acr":"1"}`:                                                                               {},
		`{}`:                                                                                        {},
		`nonsense`:                                                                                  {},
	} {
		got, ok := Read([]byte(payload))
		if got != want || ok != (want != Assurance{}) {
			t.Errorf("%s: %+v, %v", payload, got, ok)
		}
	}
}

// FuzzCheck: what counts as the acr that was asked for is read as that acr, and an
// answer that is accepted at a known level is never read at a lower one.
func FuzzCheck(f *testing.F) {
	f.Add("urn:grn:authn:dk:mitid:substantial", `{"acr":"urn:grn:authn:dk:mitid:low","loA":"HIGH"}`)
	f.Add("urn:grn:authn:se:bankid", `{"x/authenticationtype":["urn:grn:authn:se:bankid:same-device"],"aal":"LOW","ial":"LOW"}`)
	f.Fuzz(func(t *testing.T, asked, payload string) {
		if Check(asked, []byte(payload), false) != nil {
			return
		}
		a, ok := Read([]byte(payload))
		if !ok {
			t.Fatal("accepted, and nothing was said")
		}
		if _, m, known := of(asked); known && ParseLevel(a.Level) < m.Level {
			t.Fatalf("asked %s, accepted %+v", asked, a)
		}
	})
}

// FuzzInAddress: what is found is an acr, and is found again in its own address.
func FuzzInAddress(f *testing.F) {
	f.Add("https://acme.example/dXJuOmdybjphdXRobjpubzpiYW5raWQ=/x?acr_values=a")
	f.Fuzz(func(t *testing.T, address string) {
		acr := InAddress(address)
		if acr == "" {
			return
		}
		if !IsACR(acr) || InAddress("https://acme.example/"+strings.ReplaceAll(Segment(acr), "/", "%2F")) != acr && !strings.ContainsAny(Segment(acr), "/") {
			t.Fatalf("%q of %q", acr, address)
		}
	})
}
