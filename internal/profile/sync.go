package profile

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"mangrove/internal/errs"
	"mangrove/internal/schema"
)

// Claims is what an upstream said about a person, normalized by its connector.
type Claims struct {
	// Subject is what the provider calls the person; never empty.
	Subject string
	// Attributes by their names in the profile; email_verified is a boolean and
	// absent when the provider did not say. Values may be of any JSON type. Of
	// two with one name the later counts.
	Attributes []Change
	// Once are attributes that this provider is known to send only once: their
	// absence says nothing.
	Once []string
	// Local are user_metadata, app_metadata and blocked, which the contract of a custom
	// database alone lets somebody else bring (reference/connections.md §5.3).
	Local []Change
	// Raw is the payload as received, a compact JSON object.
	Raw Value
}

// Action is what a login does.
type Action uint8

// The actions.
const (
	Refused   Action = iota // nothing is written; see Outcome.Refusal
	Created                 // a new user with Outcome.Profile
	Updated                 // the profile changes to Outcome.Profile
	Unchanged               // nothing of the profile is written
)

// Outcome of a login.
type Outcome struct {
	Action  Action
	Profile Profile
	Changed []string // names, sorted
	// Dropped are the claims that no profile can hold (a name of 301 characters,
	// a picture that is no http address, an email_verified that is no boolean),
	// sorted by name. They count as not said.
	Dropped []Dropped
	Refusal error // *errs.Error, for Refused
}

// Dropped is one claim that no profile can hold, and why: a code of package schema.
type Dropped struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Login decides what an upstream login does. known is nil at a first login;
// for a login through a linked identity it is that identity's profile data.
//
// What happens to one attribute, by the mode that is in force for it
// (reference/connections.md §3.3, §3.4, §3.8):
//
//	                       each login          first login only    never on login
//	first login            set                 set                 user refused; by
//	                                                               attribute: not set
//	later, claim sent      overwritten         kept                kept
//	later, claim not sent  removed, or made    kept                kept
//	                       up again
//	later, not sent, but   kept                kept                kept
//	"once", or dropped, or
//	not from the upstream
//	on the deny list       never stored; what a login stored before is
//	                       removed                                 kept
//
// Whatever the mode: user_metadata, app_metadata, blocked and the server's own
// members are out of a login's reach; of a custom database, bring (adopt.go) says what
// it may do to the first three. email_verified speaks about the e-mail it
// came with: it is taken only together with that e-mail, is false when the
// e-mail is new and nothing was said, and goes when the e-mail goes. E-mail
// addresses are kept as received. name, nickname and picture are made up where
// the upstream did not send them.
//
// A login that changes no value is Unchanged, and then no source changes either.
func Login(c Connection, known *Profile, cl Claims, src Source, d Defaults) Outcome {
	if err := cl.Check(); err != nil {
		return Outcome{Refusal: err}
	}
	switch {
	case known == nil && (c.Sync == NeverLogin || !c.Class.Upstream()):
		return Outcome{Refusal: errs.New(errs.Forbidden, "access_denied", "The connection (%s) creates no users at login.", c.Name)}
	case !c.Class.Upstream():
		return Outcome{Action: Unchanged, Profile: *known}
	}
	l := login{Connection: c, src: src, first: known == nil}
	if l.Sync == "" {
		l.Sync = EachLogin
	}
	if known != nil {
		l.before = *known
	}
	l.hear(cl)
	next := draft{Profile: l.merge(), owned: true}
	l.prove(&next)
	l.makeUp(&next, d)
	l.bring(&next, cl.Local)
	o := Outcome{Action: Created, Profile: next.Profile, Changed: Diff(l.before, next.Profile), Dropped: l.dropped}
	switch {
	case l.first:
	case len(o.Changed) == 0:
		o.Action, o.Profile = Unchanged, l.before
	default:
		o.Action = Updated
	}
	return o
}

// Refusals of claims, whatever the connection.
var (
	errNobody  = errs.New(errs.Forbidden, "access_denied", "The identity provider did not say who signed in.")
	errSubject = errs.New(errs.Forbidden, "access_denied", "The identity provider names the person in a way that cannot be kept.")
)

// subjectMax bounds what a provider calls a person, in bytes.
const subjectMax = 255

// Check refuses claims about nobody, and a subject that no identity can have: one
// that is too long, or that a person could not read.
func (cl *Claims) Check() error {
	switch {
	case cl.Subject == "":
		return errNobody
	case len(cl.Subject) > subjectMax || !schema.Clean(cl.Subject):
		return errSubject
	}
	return nil
}

// login is one login while it is being decided.
type login struct {
	Connection
	src     Source
	first   bool
	before  Profile
	said    []Change // valid claims, sorted by name, each once
	silent  []string // absence of these says nothing
	dropped []Dropped
}

// hear keeps of the claims what a profile can hold.
func (l *login) hear(cl Claims) {
	l.said = make([]Change, 0, len(cl.Attributes))
	for _, ch := range cl.Attributes {
		if ch.Value == nil || IsNull(ch.Value) || local(ch.Name) || reserved[ch.Name] || l.denies(ch.Name) {
			continue
		}
		if why := unsayable(ch); why != "" {
			l.dropped = append(l.dropped, Dropped{legible(ch.Name), why})
			continue
		}
		l.said = append(l.said, ch)
	}
	slices.Reverse(l.said) // so that the stable sort puts the later of two first, and Compact keeps it
	slices.SortStableFunc(l.said, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	l.said = slices.CompactFunc(l.said, func(a, b Change) bool { return a.Name == b.Name })
	slices.SortStableFunc(l.dropped, func(a, b Dropped) int { return strings.Compare(a.Name, b.Name) })
	l.dropped = slices.CompactFunc(l.dropped, func(a, b Dropped) bool { return a.Name == b.Name })
	l.silent = cl.Once
	if len(l.dropped) > 0 {
		l.silent = slices.Clone(cl.Once)
		for _, d := range l.dropped {
			l.silent = append(l.silent, d.Name)
		}
	}
}

// claimNameMax and claimMax bound the names that claims bring along and the values
// of those without a form of their own, in bytes.
const (
	claimNameMax = 255
	claimMax     = 256 << 10
)

// unsayable says why a profile cannot hold the claim; empty: it can. Names of
// other attributes are free, as long as a person can read them; their values, as
// long as no text in them holds a NUL.
func unsayable(ch Change) string {
	if form := Form(AtLogin, ch.Name); form != nil {
		if v := form.Check(ch.Name, ch.Value); len(v) > 0 {
			return v[0].Code
		}
		return ""
	}
	switch {
	case ch.Name == "":
		return schema.MinLength
	case len(ch.Name) > claimNameMax, len(ch.Value) > claimMax:
		return schema.MaxLength
	case !schema.Clean(ch.Name), bytes.Contains(ch.Value, []byte(`\u0000`)):
		return schema.InvalidFormat
	}
	return ""
}

// legible is a name that a stranger chose, for a record.
func legible(name string) string {
	if !schema.Clean(name) {
		quoted := strconv.QuoteToASCII(name)
		name = quoted[1 : len(quoted)-1]
	}
	return cut(name)
}

// mode is SyncMode without a copy of the connection; it is asked for every name.
func (l *login) mode(name string) Sync {
	if len(l.SyncOf) == 0 && l.Sync != "" {
		return l.Sync
	}
	return l.Connection.SyncMode(name)
}

// claim is what the upstream said of name; nil: nothing.
func (l *login) claim(name string) Value {
	i, ok := slices.BinarySearchFunc(l.said, name, func(c Change, n string) int { return strings.Compare(c.Name, n) })
	if !ok {
		return nil
	}
	return l.said[i].Value
}

// denies reports whether a login must not store the attribute.
func (c *Connection) denies(name string) bool { return Denied(c.NonPersistent, name) }

// fromLogin reports whether a value is there because of a login, so that a
// login may take it away again. What an administrator or an import brought stays
// until the upstream says something else.
func fromLogin(s Source) bool {
	return s.Origin == FromUpstream || s.Origin == FromScript || s.Origin == FromDefault
}

// merge walks what is there and what was said, both sorted, and decides each
// name but the proofs, which prove settles afterwards.
func (l *login) merge() Profile {
	old, said := l.before.attrs, l.said
	out := make([]Attribute, 0, len(old)+len(said)+len(generated)+len(proofs))
	for len(old) > 0 || len(said) > 0 {
		if len(said) == 0 || len(old) > 0 && old[0].Name <= said[0].Name {
			a := old[0]
			old = old[1:]
			var v Value
			if len(said) > 0 && said[0].Name == a.Name {
				v, said = said[0].Value, said[1:]
			}
			if l.update(&a, v) {
				out = append(out, a)
			}
			continue
		}
		ch := said[0]
		said = said[1:]
		if l.adds(ch.Name) {
			out = append(out, Attribute{ch.Name, ch.Value, l.src})
		}
	}
	return Profile{out}
}

// adds reports whether a claim becomes an attribute that was not there.
func (l *login) adds(name string) bool {
	if isProof(name) {
		return false
	}
	switch l.mode(name) {
	case EachLogin:
		return true
	case FirstLogin:
		return l.first
	default:
		return false
	}
}

// update decides what becomes of an attribute that is there, of which the
// upstream said v (nil: nothing), and reports whether it stays.
func (l *login) update(a *Attribute, v Value) bool {
	mode := l.mode(a.Name)
	switch {
	case local(a.Name), isProof(a.Name), mode == NeverLogin:
		return true
	case l.denies(a.Name):
		return !fromLogin(a.Source)
	case mode == FirstLogin:
		return true
	case v != nil:
		if !equal(a.Value, v) {
			a.Value, a.Source = v, l.src
		}
		return true
	case slices.Contains(l.silent, a.Name), !fromLogin(a.Source):
		return true
	default: // what was made up may be made up again with the same result
		return a.Source.Origin == FromDefault && slices.Contains(generated, a.Name)
	}
}

// prove settles email_verified and phone_verified beside their addresses.
func (l *login) prove(next *draft) {
	for _, pair := range proofs {
		now, said := next.Value(pair.address), l.claim(pair.address)
		proof := l.claim(pair.proof)
		mode := l.mode(pair.proof)
		if mode == NeverLogin || said == nil || !equal(now, said) {
			proof = nil // not a login's to say, or said of another address
		}
		old, had := next.Get(pair.proof)
		switch {
		case now == nil:
			next.remove(pair.proof)
		case !equal(now, l.before.Value(pair.address)):
			next.remove(pair.proof) // the old proof is void, whoever gave it
			l.setProof(next, pair.proof, proof)
		case mode != EachLogin:
		case proof != nil, !had:
			l.setProof(next, pair.proof, proof)
		case said != nil && fromLogin(old.Source):
			l.setProof(next, pair.proof, nil)
		}
	}
}

func (l *login) setProof(next *draft, name string, v Value) {
	if v == nil {
		next.set(name, Bool(false), madeUp(l.src))
		return
	}
	next.set(name, v, l.src)
}

func isProof(name string) bool { return name == EmailVerified || name == PhoneVerified }

// makeUp fills in what the upstream did not send, and renews what was made up
// from claims that have changed since.
func (l *login) makeUp(next *draft, d Defaults) {
	// A name that was made up from an e-mail must not survive the e-mail's removal.
	purged := l.before.Has(Email) && !next.Has(Email) && l.denies(Email)
	for _, name := range generated {
		mode := l.mode(name)
		if mode == NeverLogin || l.denies(name) || mode == FirstLogin && !l.first && !purged {
			continue
		}
		a, has := next.Get(name)
		if !has && (l.first || mode == EachLogin) || has && a.Source.Origin == FromDefault && l.claim(name) == nil {
			next.set(name, d.value(name, next.Profile, gravatar), madeUp(l.src))
		}
	}
}
