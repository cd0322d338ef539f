package legal

import (
	"slices"
	"strings"
)

// EID is an electronic identity of a country, as brokers offer it.
type EID struct {
	ID      string // se-bankid
	Country string // ISO 3166-1 alpha-2; empty: several
	Name    string // as people know it
	// Methods are the ways to use it; the first is the one that is asked for when
	// nothing else is.
	Methods []Method
	Claims  []Claim // beside Common
}

// Method is one acr of an eID.
type Method struct {
	ACR string
	// Level is the least that the method has; Unknown: only its answer tells.
	Level Level
	Name  string
}

// Claim is something that an eID says about a person.
type Claim struct {
	Name string
	// Attribute is its name in the profile. It differs where the claim's own name is
	// one that no provider may bring.
	Attribute string
	// National is a number that the state gave: stored only where that was asked for.
	National bool
}

// Common are claims that all eIDs send.
var Common = claims("name given_name family_name birthdate country identityscheme authenticationtype nameidentifier")

func claims(words string) []Claim {
	var list []Claim
	for _, w := range strings.Fields(words) {
		name, attribute, ok := strings.Cut(w, ":")
		if !ok {
			attribute = name
		}
		list = append(list, Claim{Name: name, Attribute: attribute, National: slices.Contains(NationalIdentifiers, name)})
	}
	return list
}

// NationalIdentifiers are the names by which eIDs and their brokers send numbers
// that states gave to people. A connection to an eID does not store them unless its
// non_persistent_attrs says so.
var NationalIdentifiers = []string{
	"ssn", "socialno", "cprNumberIdentifier", "hetu", "satu", "bsn", "pid", "nin", "nnin", "personnummer", "fodselsnummer",
	"personal_number", "personalNumber", "personalIdentityNumber", "personal_identity_number", "nationalIdentifier", "national_identifier",
	"national_id", "nationalId", "nationalNumber", "national_number", "national_registration_number", "nationalRegistrationNumber", "rrn",
	"cpr", "cprNumber", "cpr_number", "dk.cpr", "signicat.national_id", "dk:gov:saml:attribute:CprNumberIdentifier",
	"urn:oid:1.2.246.21", "urn:oid:1.2.752.29.4.13", "BENationalNumber",
}

const urn = "urn:grn:authn:"

// table is reference/connections.md §4.9, by country. Levels are those of the eIDAS
// regulation, as the schemes are notified or registered in their countries; where
// that depends on the person's registration they are not known before the answer.
var table = []EID{
	{"be-eid", "BE", "Belgian eID", []Method{
		{urn + "be:eid:verified", High, "card"},
	}, claims("ssn")},
	{"de-personalausweis", "DE", "German Personalausweis", []Method{
		{urn + "de:personalausweis", High, "card"},
	}, claims("address")},
	{"dk-mitid", "DK", "Danish MitID", []Method{
		{urn + "dk:mitid:substantial", Substantial, "substantial"},
		{urn + "dk:mitid:low", Low, "low"},
		{urn + "dk:mitid:high", High, "high"},
	}, claims("uuid:mitid_uuid cprNumberIdentifier cprNumberStatus age loA ial aal fal address address_details")},
	{"dk-mitid-business", "DK", "Danish MitID Erhverv", []Method{
		{urn + "dk:mitid:business", Unknown, "business"},
	}, claims(`uuid:mitid_uuid cprNumberIdentifier loA ial aal fal cvrNumberIdentifier 2.5.4.10:organization_name
		ridNumberIdentifier productionUnit seNumber employee companySignatory`)},
	{"fi-ftn", "FI", "Finnish Trust Network", []Method{
		{urn + "fi:all", Substantial, "any"},
		{urn + "fi:bankid", Substantial, "bank"},
		{urn + "fi:bank-id", Substantial, "bank, older name"},
		{urn + "fi:mobile-id", Substantial, "mobile certificate"},
	}, claims("hetu satu")},
	{"itsme", "", "itsme", []Method{
		{urn + "itsme:basic", Unknown, "basic"},
		{urn + "itsme:advanced", High, "advanced"},
	}, claims("email phone_number address")},
	{"nl-digid", "NL", "Dutch DigiD", []Method{
		{urn + "nl:digid:substantial", Substantial, "substantial"},
		{urn + "nl:digid:basic", Low, "basic"},
		{urn + "nl:digid:middle", Low, "middle"},
		{urn + "nl:digid:high", High, "high"},
	}, claims("bsn")},
	{"no-bankid", "NO", "Norwegian BankID", []Method{
		{urn + "no:bankid", Substantial, "the person's choice"},
		{urn + "no:bankid:substantial", Substantial, "biometric"},
		{urn + "no:bankid:high", High, "high"},
		{urn + "no:bankid:central", High, "on paper or token, older name"},
		{urn + "no:bankid:mobile", High, "mobile, older name"},
	}, claims("uniqueuserid socialno certissuer certsubject email phone_number")},
	{"no-vipps", "NO", "Norwegian Vipps", []Method{
		{urn + "no:vipps", Low, "app"},
	}, claims("socialno email phone_number address")},
	{"se-bankid", "SE", "Swedish BankID", []Method{
		{urn + "se:bankid", Substantial, "the person's choice"},
		{urn + "se:bankid:same-device", Substantial, "same device"},
		{urn + "se:bankid:another-device", Substantial, "another device"},
		{urn + "se:bankid:another-device:qr", Substantial, "another device, QR code"},
	}, claims("ssn ipaddress")},
	{"se-freja", "SE", "Swedish Freja eID", []Method{
		{urn + "se:frejaid", Unknown, "app"},
	}, claims("ssn email")},
}

// EIDs are all that are known, by their id.
func EIDs() []EID { return slices.Clone(table) }

// Find is the eID of that id.
func Find(id string) (EID, bool) {
	for _, e := range table {
		if e.ID == id {
			return e, true
		}
	}
	return EID{}, false
}

// Method is the method of that acr; the first one for the empty acr.
func (e EID) Method(acr string) (Method, bool) {
	for i, m := range e.Methods {
		if m.ACR == acr || acr == "" && i == 0 {
			return m, true
		}
	}
	return Method{}, false
}

// Renamed reports whether a claim has another name in the profile.
func (e EID) Renamed() bool {
	return slices.ContainsFunc(e.Claims, func(c Claim) bool { return c.Attribute != c.Name })
}

// of finds the eID and the method of an acr. An acr that refines a known one, as
// brokers add devices and dialects, has its level.
func of(acr string) (e EID, m Method, ok bool) {
	best := -1
	for _, candidate := range table {
		for _, method := range candidate.Methods {
			if (acr == method.ACR || strings.HasPrefix(acr, method.ACR+":")) && len(method.ACR) > best {
				e, m, best = candidate, method, len(method.ACR)
			}
		}
	}
	return e, m, best >= 0
}
