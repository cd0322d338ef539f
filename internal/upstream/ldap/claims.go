package ldap

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	ldapv3 "github.com/go-ldap/ldap/v3"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
	"mangrove/internal/upstream"
)

// ownDN stands for the DN of the entry among the sources of attributes.
const ownDN = "dn"

// defaultFields are what the reference's connector makes of an entry
// (reference/connections.md §4.7). Of several sources the first that is there counts.
var defaultFields = func() map[string][]string {
	m := map[string][]string{
		profile.Name: {"displayName"}, profile.GivenName: {"givenName"}, profile.FamilyName: {"sn"},
		profile.Nickname: {"sAMAccountName", "cn", "commonName"},
		profile.Email:    {"mail"}, emails: {"mail"}, "organizationUnits": {ownDN},
	}
	for _, name := range strings.Fields(`dn st description postalCode telephoneNumber distinguishedName co department
		company mailNickname sAMAccountName sAMAccountType userPrincipalName manager`) {
		m[name] = []string{name}
	}
	return m
}()

const (
	emails     = "emails"
	groupsName = "groups"
	guid       = "objectGUID"
)

// idAttributes are what a person is known by, the first that is there.
func (o *options) idAttributes() []string {
	if o.IDAttribute != "" {
		return []string{o.IDAttribute}
	}
	return []string{guid, "uid", "cn"}
}

// wanted are the LDAP attributes that are asked for.
func (o *options) wanted(f filter) []string {
	list := slices.Concat(o.idAttributes(), []string{"uid"}, stateAttributes, f.attributes())
	for _, field := range o.Fields {
		list = append(list, field.Sources...)
	}
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(name string) bool { return name == ownDN })
}

// texts are the values of an attribute that are text; binary ones are none.
func texts(e *ldapv3.Entry, name string) []string {
	values := []string{e.DN}
	if name != ownDN {
		values = slices.Clone(e.GetEqualFoldAttributeValues(name))
	}
	return slices.DeleteFunc(values, func(s string) bool { return s == "" || !utf8.ValidString(s) })
}

// subject is what the person is known by; the entry may change its name and place.
func (o *options) subject(e *ldapv3.Entry) (string, error) {
	for _, name := range o.idAttributes() {
		if strings.EqualFold(name, guid) {
			if id, ok := guidText(e.GetRawAttributeValue(name), e.GetEqualFoldRawAttributeValue(name)); ok {
				return id, nil
			}
			continue
		}
		switch list := texts(e, name); len(list) {
		case 0:
		case 1:
			return list[0], nil
		default:
			// Which one comes first is up to the server, at every login anew.
			return "", errors.New("the attribute that identifies people has several values")
		}
	}
	return "", errors.New("the entry has no attribute that identifies it")
}

// guidText is the text form of an objectGUID: the first three parts are stored with
// the last byte first (MS-DTYP §2.3.4).
func guidText(values ...[]byte) (string, bool) {
	for _, b := range values {
		if len(b) != 16 {
			continue
		}
		b = slices.Clone(b)
		slices.Reverse(b[0:4])
		slices.Reverse(b[4:6])
		slices.Reverse(b[6:8])
		h := hex.EncodeToString(b)
		return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-"), true
	}
	return "", false
}

// claims makes of an entry and its groups what a login says.
func (o *options) claims(c *connection.Connection, e *ldapv3.Entry, groups []string) (profile.Claims, error) {
	subject, err := o.subject(e)
	if err != nil {
		return profile.Claims{}, upstream.ErrRefused.Because(err)
	}
	raw := strictjson.Document{}
	if id, ok := guidText(e.GetEqualFoldRawAttributeValue(guid)); ok {
		raw[guid] = profile.Text(id)
	}
	list := []profile.Change{{Name: groupsName, Value: array(groups)}}
	for _, f := range o.Fields {
		for _, source := range f.Sources {
			values := texts(e, source)
			if len(values) == 0 {
				continue
			}
			raw[source] = scalar(values)
			list = append(list, profile.Change{Name: f.Name, Value: valueOf(f.Name, values)})
			break
		}
	}
	return profile.Claims{Subject: subject, Attributes: upstream.Vouch(list, c.Upstream()), Raw: raw.Encode()}, nil
}

// valueOf is an attribute of one or more values: those that a profile has once are
// the first, emails is an array, the others are arrays where there are several.
func valueOf(name string, values []string) profile.Value {
	switch {
	case name == emails:
		return array(values)
	case name == profile.EmailVerified, name == profile.PhoneVerified:
		return upstream.ProofText(profile.Text(values[0]))
	case name == profile.Email, profile.IsRootAttribute(name):
		return profile.Text(values[0])
	}
	return scalar(values)
}

func scalar(values []string) profile.Value {
	if len(values) == 1 {
		return profile.Text(values[0])
	}
	return array(values)
}

func array(values []string) json.RawMessage {
	if values == nil {
		values = []string{}
	}
	b, err := jsonv2.Marshal(values)
	if err != nil {
		panic(err) // they are valid UTF-8: texts has looked
	}
	return b
}
