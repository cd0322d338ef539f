package profile

import (
	"slices"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/schema"
)

// NotAllowed is why an identifier is dropped that the connection does not have.
const NotAllowed = "not_allowed"

var errNoIdentifier = errs.New(errs.Forbidden, "access_denied", "The old database has no identifier of the person that a user of this connection can have.")

// Adopt decides the profile of somebody who comes out of an old store into one of
// ours (import mode; reference/connections.md §5.5). It is a first login of which
// everything is kept, with these differences:
//
//   - E-mail and username are kept in lower case, as those of every user of ours.
//   - A username or a phone number that users of the connection do not have is kept,
//     unless it looks like an identifier of another kind: that is dropped. Names are unique:
//     who cannot have one for that reason comes without it (AdoptBare).
//   - There must be an identifier, or the person could not sign in again. Neither its
//     form nor which one there is matters: what was good for years is not refused now.
//
// From then on the profile is edited like any other of ours.
func Adopt(c Connection, cl Claims, src Source, d Defaults) Outcome {
	return adopt(c, cl, src, d, func(ch Change) bool {
		return ch.Name == Username && c.foreign(Username) && mistakable(TextOf(ch.Value))
	})
}

// AdoptBare is Adopt without the identifiers that users of the connection do not have.
func AdoptBare(c Connection, cl Claims, src Source, d Defaults) Outcome {
	return adopt(c, cl, src, d, func(ch Change) bool { return c.foreign(ch.Name) })
}

func adopt(c Connection, cl Claims, src Source, d Defaults, unwanted func(Change) bool) Outcome {
	if err := cl.Check(); err != nil {
		return Outcome{Refusal: err}
	}
	if c.Class != ImportDatabase {
		return Outcome{Refusal: errNotCreatable}
	}
	c.Sync, c.SyncOf = EachLogin, nil
	l := login{Connection: c, src: src, first: true}
	l.hear(cl)
	l.said = slices.DeleteFunc(l.said, func(ch Change) bool {
		drop := unwanted(ch)
		if drop {
			l.drop(ch.Name, NotAllowed)
		}
		return drop
	})
	for i, ch := range l.said {
		l.said[i].Value = stored(c, ch.Name, ch.Value)
	}
	next := draft{Profile: l.merge(), owned: true}
	l.prove(&next)
	l.makeUp(&next, d)
	l.bring(&next, cl.Local)
	if !next.Has(Email) && (!next.Has(Username) || c.foreign(Username)) && (!next.Has(PhoneNumber) || c.foreign(PhoneNumber)) {
		return Outcome{Refusal: errNoIdentifier, Dropped: l.dropped}
	}
	return Outcome{Action: Created, Profile: next.Profile, Changed: Diff(l.before, next.Profile), Dropped: l.dropped}
}

// foreign reports an identifier, or the proof of one, that users of the connection do not
// have.
func (c Connection) foreign(name string) bool {
	return name == Username && !c.hasUsernames() || (name == PhoneNumber || name == PhoneVerified) && !c.hasPhones()
}

// HasForeign reports whether the profile has an identifier that users of the connection
// do not have.
func HasForeign(c Connection, p Profile) bool {
	return p.Has(Username) && c.foreign(Username) || p.Has(PhoneNumber) && c.foreign(PhoneNumber)
}

func (l *login) drop(name, why string) {
	l.dropped = append(l.dropped, Dropped{legible(name), why})
	slices.SortStableFunc(l.dropped, func(a, b Dropped) int { return strings.Compare(a.Name, b.Name) })
}

// bring takes over what a custom database says of the members that are otherwise the
// house's own:
//
//	                first login   later, each login           later, other modes
//	user_metadata   stored        keys that are not there     kept
//	app_metadata                  are added, others kept
//	blocked         stored        changed, unless somebody    kept
//	                              here has set it
//
// An administrator's word stays: the store that says blocked:false unblocks nobody who
// was blocked here.
func (l *login) bring(next *draft, local []Change) {
	if l.src.Origin != FromScript {
		return
	}
	for _, ch := range local {
		if IsNull(ch.Value) || !l.first && l.mode(ch.Name) != EachLogin {
			continue
		}
		if ch.Name == Blocked {
			l.bringBlocked(next, ch)
			continue
		}
		if ch.Name != UserMetadata && ch.Name != AppMetadata {
			continue
		}
		form := Form(AtCreate, ch.Name)
		wrong := form.Check(ch.Name, ch.Value)
		if len(wrong) == 0 {
			wrong = checkMetadata(form, ch)
		}
		if len(wrong) > 0 {
			l.drop(ch.Name, wrong[0].Code)
			continue
		}
		old := next.Value(ch.Name)
		if news := absent(old, ch.Value); news != nil {
			next.set(ch.Name, keepMetadata(ch.Name, Merge(old, news)), l.src)
		}
	}
}

func (l *login) bringBlocked(next *draft, ch Change) {
	if v := string(ch.Value); v != "true" && v != "false" {
		l.drop(Blocked, schema.InvalidType)
		return
	}
	old, had := next.Get(Blocked)
	switch {
	case had && old.Source.Origin != FromScript, !had && string(ch.Value) == "false":
	case !had || !equal(old.Value, ch.Value):
		next.set(Blocked, ch.Value, l.src)
	}
}

// absent are the members of said that old does not have, as a patch; nil: old has all
// of them.
func absent(old, said Value) Value {
	b := Value{'{'}
	for m := range schema.Members(said) {
		if IsNull(m.Value) || Member(old, m.Name()) != nil {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, m.Key...), ':'), m.Value...)
	}
	if b = append(b, '}'); len(b) == len(emptyObject) && old != nil {
		return nil
	}
	return b
}
