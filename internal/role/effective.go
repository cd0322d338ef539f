package role

import (
	"cmp"
	"slices"
)

// Types of a Source (reference/authentication.md §7.2).
const (
	Direct = "DIRECT"
	ByRole = "ROLE"
)

// Source says where a permission comes from; RoleID and RoleName are empty for Direct.
type Source struct{ Type, RoleID, RoleName string }

// Held is a permission that a user has, and from where: at least one source.
type Held struct {
	Permission
	Sources []Source
}

// Effective is what a user may do: each permission once, by API and name, with
// all its sources, the direct one first and then the roles in their order.
func Effective(direct []Permission, roles []Granted) []Held {
	at := make(map[Permission]int)
	var out []Held
	add := func(p Permission, s Source) {
		i, ok := at[p]
		if !ok {
			i = len(out)
			at[p] = i
			out = append(out, Held{Permission: p})
		}
		if !slices.Contains(out[i].Sources, s) {
			out[i].Sources = append(out[i].Sources, s)
		}
	}
	for _, p := range direct {
		add(p, Source{Type: Direct})
	}
	for _, g := range roles {
		for _, p := range g.Permissions {
			add(p, Source{ByRole, g.Role.ID, g.Role.Name})
		}
	}
	slices.SortFunc(out, func(a, b Held) int { return compare(a.Permission, b.Permission) })
	return out
}

func compare(a, b Permission) int {
	return cmp.Or(cmp.Compare(a.API, b.API), cmp.Compare(a.Name, b.Name))
}

// distinct is the list sorted, each item once.
func distinct[T comparable](list []T, compare func(a, b T) int) []T {
	slices.SortFunc(list, compare)
	return slices.Compact(list)
}

// cut is the items from offset, at most limit of them.
func cut[T any](list []T, offset, limit int) []T {
	from := min(max(offset, 0), len(list))
	return list[from:min(from+max(limit, 0), len(list))]
}
