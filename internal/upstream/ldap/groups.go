package ldap

import (
	"errors"
	"slices"
	"strings"

	ldapv3 "github.com/go-ldap/ldap/v3"
)

// Limits of groups.
const (
	maxGroups    = 10_000
	groupsPage   = 500
	groupsPages  = 2 * maxGroups / groupsPage // a server may send pages that are not full
	groupsAtOnce = 25                         // asked for in one filter of a walk
	groupsDepth  = 16                         // of groups in groups
)

const (
	// inChain is the rule by which an Active Directory looks through groups itself.
	inChain       = "1.2.840.113556.1.4.1941"
	activeFilter  = "(member:" + inChain + ":=" + place + ")"
	memberFilter  = "(|(member=" + place + ")(uniqueMember=" + place + "))"
	accountFilter = "(memberUid=" + place + ")"
)

// groups are the values of the group attribute of every group that somebody is in,
// directly or through other groups, sorted, each once; of more than maxGroups groups
// the first. Where the server does not look through groups itself, they are walked
// up, however they are knotted.
func (d *directory) groups(l *link, k kind, person *ldapv3.Entry) ([]string, error) {
	text := d.GroupFilter
	if text == "" && k.Active {
		text = activeFilter
	}
	w := walk{link: l, base: d.GroupBase, attribute: d.GroupAttribute, seen: map[string]bool{}}
	err := w.climb(text, person)
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	slices.Sort(w.names)
	return slices.Compact(w.names), nil
}

// errEnough ends a walk at its limits.
var errEnough = errors.New("more groups than are read")

// walk gathers groups.
type walk struct {
	link            *link
	base, attribute string
	seen            map[string]bool // DNs, folded
	names           []string
}

func (w *walk) climb(text string, person *ldapv3.Entry) error {
	if strings.Contains(text, inChain) {
		_, err := w.ask(fill(text, person.DN))
		return err
	}
	first := text
	if text == "" {
		text, first = memberFilter, memberFilter
		if uid := person.GetEqualFoldAttributeValues("uid"); len(uid) == 1 { // groups of POSIX systems
			first = "(|" + memberFilter + fill(accountFilter, uid[0]) + ")"
		}
	}
	next, err := w.ask(fill(first, person.DN))
	for depth := 1; err == nil && len(next) > 0; depth++ {
		if depth == groupsDepth {
			return errEnough
		}
		var above []string
		for chunk := range slices.Chunk(next, groupsAtOnce) {
			var found []string
			if found, err = w.ask(anyFilter(text, chunk)); err != nil {
				return err
			}
			above = append(above, found...)
		}
		next = above
	}
	return err
}

func anyFilter(text string, dns []string) string {
	var b strings.Builder
	b.WriteString("(|")
	for _, dn := range dns {
		b.WriteString(fill(text, dn))
	}
	b.WriteByte(')')
	return b.String()
}

// ask reads the groups of a filter, a page at a time, and returns the DNs of those
// that were not seen before.
func (w *walk) ask(filter string) (fresh []string, err error) {
	paging := ldapv3.NewControlPaging(groupsPage)
	for range groupsPages {
		found, err := w.link.Search(&ldapv3.SearchRequest{
			BaseDN: w.base, Scope: ldapv3.ScopeWholeSubtree, DerefAliases: ldapv3.NeverDerefAliases,
			Filter: filter, Attributes: []string{w.attribute}, Controls: []ldapv3.Control{paging},
		})
		limited := resultOf(err) == ldapv3.LDAPResultSizeLimitExceeded // the server's own limit
		if err != nil && !limited {
			return nil, answered("search of groups", err)
		}
		for _, e := range found.Entries {
			if len(w.seen) == maxGroups {
				w.link.spent = true // the server may have more pages in store
				return fresh, errEnough
			}
			if key := spelled(e.DN); !w.seen[key] {
				w.seen[key] = true
				fresh = append(fresh, e.DN)
				w.names = append(w.names, texts(e, w.attribute)...)
			}
		}
		if limited {
			w.link.spent = true
			return fresh, errEnough
		}
		next, _ := ldapv3.FindControl(found.Controls, ldapv3.ControlTypePaging).(*ldapv3.ControlPaging)
		if next == nil || len(next.Cookie) == 0 {
			return fresh, nil
		}
		paging.SetCookie(next.Cookie)
	}
	w.link.spent = true
	return fresh, errEnough
}
