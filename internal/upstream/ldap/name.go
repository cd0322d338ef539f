package ldap

import (
	"strings"
	"unicode"
	"unicode/utf8"

	ldapv3 "github.com/go-ldap/ldap/v3"
)

// Limits of what is typed, bytes.
const (
	maxName     = 1024
	maxPassword = 4096
)

// acceptable reports whether name and password may go to a server at all. A bind
// without a password succeeds whoever is named (RFC 4513 §5.1.2), and a NUL ends a
// text early in some servers.
func acceptable(name, password string) bool {
	return strings.TrimSpace(name) != "" && strings.TrimSpace(password) != "" &&
		len(name) <= maxName && len(password) <= maxPassword &&
		utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl) &&
		!strings.Contains(password, "\x00")
}

// kind of a server, as its root says.
type kind struct {
	Active bool // an Active Directory
	// NetBIOS and DNS are the names of an Active Directory's domain; empty: not known.
	NetBIOS, DNS string
}

// query is the filter that finds whom a name means; ok is false for a name of
// another domain.
//
//	Active Directory  sam            sAMAccountName
//	                  DOMAIN\sam     sAMAccountName
//	                  name@domain    userPrincipalName, mail, and sAMAccountName where
//	                                 domain is the directory's own
//	other servers     anything       uid, mail
//
// A user_filter of the connection takes the place of the attributes.
func (o *options) query(k kind, name string) (f filter, ok bool) {
	if domain, sam, cut := strings.Cut(name, `\`); cut && k.Active {
		// Any domain would do for the search: as many names for guesses at one password.
		if k.NetBIOS == "" || !strings.EqualFold(domain, k.NetBIOS) || strings.TrimSpace(sam) == "" {
			return filter{}, false
		}
		name = sam
		if o.UserFilter == nil {
			return anyOf(assertion{"sAMAccountName", sam}), true
		}
	}
	if o.UserFilter != nil {
		return o.UserFilter.of(name), true
	}
	if !k.Active {
		return anyOf(assertion{"uid", name}, assertion{"mail", name}), true
	}
	local, domain, isAddress := cutLast(name, "@")
	if !isAddress {
		return anyOf(assertion{"sAMAccountName", name}), true
	}
	list := []assertion{{"userPrincipalName", name}, {"mail", name}}
	if local != "" && strings.EqualFold(domain, k.DNS) {
		list = append(list, assertion{"sAMAccountName", local})
	}
	return anyOf(list...), true
}

// spelling is one text for the spellings of a name that mean the same whoever has
// it: by what becomes of guesses under one of them, nobody can tell whether anybody has.
func (o *options) spelling(k kind, name string) string {
	if !k.Active {
		return name
	}
	if domain, sam, cut := strings.Cut(name, `\`); cut && strings.EqualFold(domain, k.NetBIOS) {
		return sam
	}
	if local, domain, cut := cutLast(name, "@"); cut && o.UserFilter == nil && strings.EqualFold(domain, k.DNS) {
		return local
	}
	return name
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// dnsName is the domain that a DN of dc components means; empty: it has none.
func dnsName(dn string) string {
	parsed, err := ldapv3.ParseDN(dn)
	if err != nil {
		return ""
	}
	var labels []string
	for _, rdn := range parsed.RDNs {
		for _, a := range rdn.Attributes {
			if strings.EqualFold(a.Type, "dc") {
				labels = append(labels, a.Value)
			}
		}
	}
	return strings.Join(labels, ".")
}
