package profile

import "slices"

// Linked is what an identity keeps of its user's profile when it is linked to
// another user, and what the first identity of a user with several shows of its
// own (reference/users.md §1.5, §3.7): what speaks about the person. Metadata and
// a block belong to the user. A name, nickname or picture that nobody said is not
// kept; it is made up again when it is needed. Sources stay.
func Linked(p Profile) Profile {
	out := make([]Attribute, 0, len(p.attrs))
	for _, a := range p.attrs {
		if local(a.Name) || a.Source.Origin == FromDefault && slices.Contains(generated, a.Name) {
			continue
		}
		out = append(out, a)
	}
	return Profile{out}
}

// Alone is the profile of an identity that becomes a user of its own again. data
// is what the identity kept, c its connection. Values and their sources stay;
// what every user has is made up where it is missing, src saying by whom. There
// is no metadata.
func Alone(c Connection, data Profile, src Source, d Defaults) Profile {
	next := draft{Profile: data}
	for _, pair := range proofs {
		switch {
		case !next.Has(pair.address):
			next.remove(pair.proof)
		case !next.Has(pair.proof):
			next.set(pair.proof, Bool(false), madeUp(src))
		}
	}
	for _, name := range generated {
		if !next.Has(name) && !c.denies(name) {
			next.set(name, d.value(name, next.Profile, gravatar), madeUp(src))
		}
	}
	return next.Profile
}
