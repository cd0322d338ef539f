package profile

import "testing"

// What a link keeps of each attribute, and what a user of its own has again.
func TestLinkedAndAlone(t *testing.T) {
	said := Source{Origin: FromManagement, Connection: "con_1", Actor: "client", At: 7}
	made := Source{Origin: FromDefault, Connection: "con_1", At: 7}
	upstream := Source{Origin: FromUpstream, Connection: "con_1", At: 8}
	unlink := Source{Origin: FromManagement, Connection: "con_1", Actor: "admin", At: 99}
	own := Connection{Name: "Users", Class: Database}
	for _, tc := range []struct {
		name   string
		c      Connection
		before Profile
		kept   string
		alone  string
	}{
		{
			"what was said stays, what was made up is made up again", own,
			Of(
				Attribute{Email, Text("b@example.com"), said}, Attribute{EmailVerified, Bool(true), said},
				Attribute{Name, Text("b@example.com"), made}, Attribute{Nickname, Text("b"), made},
				Attribute{Picture, Text("https://example.com/b.png"), said}, Attribute{GivenName, Text("Bo"), said},
			),
			"email email_verified given_name picture",
			`email="b@example.com" email_verified=true given_name="Bo" name="b@example.com" nickname="b" picture="https://example.com/b.png"`,
		},
		{
			"metadata and a block belong to the user", own,
			Of(
				Attribute{Username, Text("bo"), said}, Attribute{Name, Text("Bo"), said}, Attribute{Nickname, Text("Bo"), said},
				Attribute{Picture, Text("https://example.com/b.png"), said}, Attribute{Blocked, Bool(true), said},
				Attribute{UserMetadata, Value(`{"a":1}`), said}, Attribute{AppMetadata, Value(`{"a":1}`), said},
			),
			"name nickname picture username",
			`name="Bo" nickname="Bo" picture="https://example.com/b.png" username="bo"`,
		},
		{
			"what an upstream brought along", Connection{Name: "acme", Class: Enterprise, NonPersistent: []string{Picture}},
			Of(
				Attribute{Email, Text("B@example.com"), upstream}, Attribute{EmailVerified, Bool(false), made},
				Attribute{"groups", Value(`["x"]`), upstream}, Attribute{Name, Text("Bo"), upstream}, Attribute{Nickname, Text("B"), made},
			),
			"email email_verified groups name",
			`email="B@example.com" email_verified=false groups=["x"] name="Bo" nickname="B"`,
		},
		{
			"a proof comes and goes with its address", Connection{Name: "acme", Class: Social, NonPersistent: []string{Picture, Name, Nickname}},
			Of(Attribute{Email, Text("b@example.com"), said}, Attribute{PhoneVerified, Bool(true), said}),
			"email phone_verified",
			`email="b@example.com" email_verified=false`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			kept := Linked(tc.before)
			names := ""
			for _, a := range kept.All() {
				names += " " + a.Name
				if was, _ := tc.before.Get(a.Name); a.Source != was.Source {
					t.Errorf("%s: source %+v, was %+v", a.Name, a.Source, was.Source)
				}
			}
			if names != " "+tc.kept {
				t.Errorf("kept%s, want %s", names, tc.kept)
			}
			alone := ""
			for _, a := range Alone(tc.c, kept, unlink, Defaults{}).All() {
				alone += " " + a.Name + "=" + string(a.Value)
				want := Source{Origin: FromDefault, Connection: "con_1", Actor: "admin", At: 99}
				if had, ok := kept.Get(a.Name); ok {
					want = had.Source
				}
				if a.Source != want {
					t.Errorf("%s: source %+v, want %+v", a.Name, a.Source, want)
				}
			}
			if alone != " "+tc.alone {
				t.Errorf("alone%s\nwant  %s", alone, tc.alone)
			}
		})
	}
}

// The law: linking and unlinking changes no value that anybody said.
func TestAloneKeepsWhatLinkedKept(t *testing.T) {
	src := Source{Origin: FromManagement, At: 1}
	p, err := Create(Connection{Class: Database, Name: "Users"}, []Change{
		{Email, Text("ann@example.com")}, {Name, Text("Ann")}, {UserMetadata, Value(`{"a":1}`)},
	}, src, Defaults{})
	if err != nil {
		t.Fatal(err)
	}
	q := Alone(Connection{Class: Database, Name: "Users"}, Linked(p), src, Defaults{})
	if diff := Diff(p, q); len(diff) != 1 || diff[0] != UserMetadata {
		t.Errorf("changed: %v", diff)
	}
}
