package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/schema"
)

// Laws that hold for every sequence of changes, tried on random ones. A failure
// names its seed.

var lawValues = map[string][]string{
	Email:         {`"a@b.co"`, `"A@B.co"`, `"c@d.ef"`, `null`, `"x"`, `""`},
	EmailVerified: {`true`, `false`, `"true"`, `null`, `1`},
	Username:      {`"ada"`, `"ADA"`, `"b"`, `null`, `"a b"`},
	PhoneNumber:   {`"+1"`, `"+2"`, `null`, `"1"`},
	PhoneVerified: {`true`, `false`, `null`},
	Name:          {`"A"`, `"B"`, `null`, `""`, `"\u202e"`, `1`},
	GivenName:     {`"A"`, `null`, `{}`},
	FamilyName:    {`"A"`, `null`},
	Nickname:      {`"A"`, `"n"`, `null`, `[]`},
	Picture:       {`"https://a.example/"`, `"javascript:1"`, `null`},
	Blocked:       {`true`, `false`, `null`, `"yes"`},
	UserMetadata:  {`{}`, `{"a":1}`, `{"a":null}`, `{"b":{"c":null}}`, `null`, `[]`, `{"a.b":1}`},
	AppMetadata:   {`{}`, `{"a":1}`, `{"a":null}`, `{"user_id":1}`, `null`},
	"locale":      {`"en"`, `"de"`, `null`, `{"x":[null]}`},
	"groups":      {`["a"]`, `[]`, `null`},
	"user_id":     {`"x"`, `null`},
}

var lawNames = func() []string {
	var names []string
	for n := range lawValues {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}()

func randomChanges(r *rand.Rand, most int) []Change {
	var in []Change
	for _, i := range r.Perm(len(lawNames))[:r.IntN(most+1)] {
		v := lawValues[lawNames[i]]
		in = append(in, Change{lawNames[i], Value(v[r.IntN(len(v))])})
	}
	return in
}

func randomConnection(r *rand.Rand) Connection {
	modes := []Sync{"", EachLogin, FirstLogin, NeverLogin}
	c := []Connection{db, dbNames, flexible, imported, byEmail, bySMS, external, scripted, google, okta}[r.IntN(10)]
	c.Sync = modes[r.IntN(4)]
	c.Disabled = r.IntN(8) == 0
	c.ScriptChangesEmail, c.ScriptChangesUsername, c.ScriptChangesPhone = r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0
	c.ScriptVerifiesEmail = r.IntN(2) == 0
	if r.IntN(3) == 0 {
		c.SyncOf = map[string]Sync{lawNames[r.IntN(len(lawNames))]: modes[r.IntN(4)], Email: modes[r.IntN(4)]}
	}
	if r.IntN(3) == 0 {
		c.NonPersistent = []string{lawNames[r.IntN(len(lawNames))]}
	}
	return c
}

// sound is what every stored profile is: sorted, without null, metadata without
// null at the first level, each proof beside its address and only there.
func sound(p Profile) string {
	for i, a := range p.All() {
		switch {
		case i > 0 && p.All()[i-1].Name >= a.Name:
			return "not sorted: " + a.Name
		case len(a.Value) == 0 || IsNull(a.Value) || !json.Valid(a.Value):
			return "a bad value of " + a.Name
		case a.Source.Origin == "":
			return "no origin of " + a.Name
		case reserved[a.Name]:
			return "a reserved name: " + a.Name
		}
	}
	for _, name := range []string{UserMetadata, AppMetadata} {
		for m := range schema.Members(p.Value(name)) {
			if IsNull(m.Value) {
				return "null in " + name
			}
		}
	}
	if string(p.Value(AppMetadata)) == "{}" {
		return "an empty app_metadata"
	}
	for _, pair := range proofs {
		if p.Has(pair.proof) != p.Has(pair.address) {
			return pair.proof + " is not where its address is"
		}
	}
	return ""
}

func wireError(err error) bool {
	var bad schema.Error
	var e *errs.Error
	return errors.As(err, &bad) && len(bad) > 0 || errors.As(err, &e) && e.Kind != errs.Internal
}

func randomUser(t *testing.T, r *rand.Rand, c Connection) (Profile, bool) {
	if c.Class.Own() {
		origin := []Origin{FromSignup, FromManagement, FromImport}[r.IntN(3)]
		p, err := Create(c, randomChanges(r, 8), Source{Origin: origin}, Defaults{})
		if err != nil && !wireError(err) {
			t.Errorf("create fails with %v", err)
		}
		return p, err == nil
	}
	o := Login(c, nil, Claims{Subject: "1", Attributes: randomChanges(r, 12)}, Source{Origin: FromUpstream}, Defaults{})
	return o.Profile, o.Action == Created
}

func TestLaws(t *testing.T) {
	var edits, refused, logins, changed int
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := randomConnection(r)
		p, ok := randomUser(t, r, c)
		if !ok {
			continue
		}
		for step := range 4 {
			if s := sound(p); s != "" {
				t.Fatalf("seed %d, step %d: %s: %s", seed, step, s, shown(p))
			}
			was := shown(p)
			in := randomChanges(r, 3)
			if c.Class.Upstream() && r.IntN(2) == 0 {
				cl := Claims{Subject: "1", Attributes: in, Once: []string{lawNames[r.IntN(len(lawNames))]}}
				src := Source{Origin: FromUpstream, At: int64(step)}
				o := Login(c, &p, cl, src, Defaults{})
				again := Login(c, &o.Profile, cl, src, Defaults{})
				switch {
				case shown(p) != was:
					t.Fatalf("seed %d: a login writes on the profile it was given", seed)
				case again.Action != Unchanged || shown(again.Profile) != shown(o.Profile):
					t.Fatalf("seed %d: the same login again changes %v\n%s\n%s", seed, again.Changed, shown(o.Profile), shown(again.Profile))
				case (o.Action == Unchanged) != (shown(o.Profile) == was):
					t.Fatalf("seed %d: action %d", seed, o.Action)
				}
				for _, name := range o.Changed {
					if local(name) || c.SyncMode(name) == NeverLogin && !isProof(name) {
						t.Fatalf("seed %d: a login changed %s", seed, name)
					}
				}
				if p = o.Profile; o.Action == Updated {
					changed++
				}
				logins++
				continue
			}
			edits++
			next, names, err := Edit(c, p, in, EditOptions{Password: r.IntN(8) == 0}, Source{Origin: FromManagement, At: int64(step)})
			shuffled := slices.Clone(in)
			r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			switch {
			case shown(p) != was:
				t.Fatalf("seed %d: an edit writes on the profile it was given", seed)
			case err != nil && (!wireError(err) || shown(next) != was || names != nil):
				t.Fatalf("seed %d: a refused edit (%v) leaves %s of %s", seed, err, shown(next), was)
			case err == nil && !slices.Equal(names, Diff(p, next)):
				t.Fatalf("seed %d: changed %v", seed, names)
			}
			if err != nil {
				refused++
			} else if other, _, err := Edit(c, p, shuffled, EditOptions{}, Source{Origin: FromManagement}); err != nil || !other.Equal(next) {
				t.Fatalf("seed %d: in another order %s (%v), not %s", seed, shown(other), err, shown(next))
			}
			for _, name := range names {
				if c.Class.Upstream() && IsRootAttribute(name) && c.SyncMode(name) == EachLogin {
					t.Fatalf("seed %d: an edit changed %s, which is synced", seed, name)
				}
			}
			p = next
		}
	}
	if edits < 1000 || refused < 1000 || edits-refused < 1000 || logins < 1000 || changed < 1000 {
		t.Errorf("too little was tried: %d edits, %d refused, %d logins, %d changed", edits, refused, logins, changed)
	}
}

// Law: whatever a person is called, defaults are texts that PATCH would take,
// and the picture is an address.
func FuzzDefaults(f *testing.F) {
	for _, s := range []string{"ada@example.test", "Ada Lovelace", "", " ", "\u212a B", "é\u0301", "\xff\xfe", "4", "\U0001F468\u200d\U0001F469 x"} {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, email, name, username string) {
		cl := Claims{Subject: "1", Attributes: []Change{{Email, Text(email)}, {Name, Text(name)}, {Username, Text(username)}}}
		o := Login(okta, nil, cl, Source{Origin: FromUpstream}, Defaults{})
		if o.Action != Created || sound(o.Profile) != "" {
			t.Fatalf("action %d: %s", o.Action, sound(o.Profile))
		}
		for _, n := range generated {
			v := o.Profile.Value(n)
			if string(v) == `""` && n != Picture {
				continue // nothing to make it of
			}
			if bad := Form(AtPatch, n).Check(n, v); bad != nil {
				t.Errorf("%s %s: %s", n, v, bad[0].Message)
			}
		}
		// The initials of anything, read on its own.
		for _, s := range []string{email, name, username} {
			if x := initials(s); x != "default" && (len(x) > 2 || strings.Trim(x, "abcdefghijklmnopqrstuvwxyz") != "") {
				t.Errorf("initials of %q are %q", s, x)
			}
		}
	})
}

// Law: merging keeps valid JSON valid, leaves no null at the first level, and
// merging the same again changes nothing.
func FuzzMerge(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":{"c":null}}`), []byte(`{"a":null,"d":[1,"}"]}`))
	f.Add([]byte(`{}`), []byte(`{"\u0061":1,"a":2}`))
	f.Add([]byte(`{"`), []byte(`{"a":`))
	f.Fuzz(func(t *testing.T, old, patch []byte) {
		got := Merge(old, patch)
		if !json.Valid(old) || !json.Valid(patch) || old[0] != '{' || patch[0] != '{' {
			return
		}
		for m := range schema.Members(got) {
			if IsNull(m.Value) {
				t.Errorf("null in %s", got)
			}
		}
		if !json.Valid(got) {
			t.Errorf("%s + %s is %s", old, patch, got)
		}
		if again := Merge(got, patch); !bytes.Equal(again, got) {
			t.Errorf("%s + %s is %s, and then %s", old, patch, got, again)
		}
	})
}
