package consent

import "slices"

// Facts are what the rule needs to know.
type Facts struct {
	FirstParty bool
	// Asked: the application wants the person to be asked (prompt=consent).
	Asked bool
	// Verifiable: nobody but the application can answer at its redirect URI, or the
	// operator does not mind.
	Verifiable bool
	// SkipsFirstParty: the API asks nothing on behalf of verifiable first-party clients.
	SkipsFirstParty bool
	// Scope is what would be granted, APIScope that part of it which the API defines.
	Scope, APIScope []string
	// Known: the person allowed this client something for this API before, namely Allowed.
	Known   bool
	Allowed []string
}

// Needed decides whether the person has to be asked
// (reference/authentication.md §2.2, step 4).
func Needed(f Facts) bool {
	switch {
	case f.Asked:
		return true
	case !f.FirstParty:
		return !f.Known || !covers(f.Allowed, f.Scope)
	case len(f.APIScope) == 0:
		// Our own applications need no leave to know who signs in.
		return false
	case f.SkipsFirstParty && f.Verifiable:
		return false
	}
	return !covers(f.Allowed, f.APIScope)
}

func covers(allowed, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(s string) bool { return !slices.Contains(allowed, s) })
}
