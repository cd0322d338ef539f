package consent

import (
	"slices"
	"testing"
)

func TestNeeded(t *testing.T) {
	first := func(change func(*Facts)) Facts {
		f := Facts{FirstParty: true, Verifiable: true, SkipsFirstParty: true, Scope: []string{"openid", "read:a"}, APIScope: []string{"read:a"}}
		change(&f)
		return f
	}
	third := func(change func(*Facts)) Facts {
		f := Facts{Verifiable: true, SkipsFirstParty: true, Scope: []string{"openid", "read:a"}, APIScope: []string{"read:a"}}
		change(&f)
		return f
	}
	for _, row := range []struct {
		name string
		f    Facts
		want bool
	}{
		{"zero: a third party nobody knows", Facts{}, true},
		{"first party", first(func(*Facts) {}), false},
		{"first party, asked to ask", first(func(f *Facts) { f.Asked = true }), true},
		{"first party on the person's machine", first(func(f *Facts) { f.Verifiable = false }), true},
		{"first party on the person's machine, allowed", first(func(f *Facts) { f.Verifiable, f.Known, f.Allowed = false, true, []string{"read:a"} }), false},
		{"first party on the person's machine, allowed less", first(func(f *Facts) { f.Verifiable, f.Known, f.Allowed = false, true, []string{"openid"} }), true},
		{"first party on the person's machine, profile alone", first(func(f *Facts) { f.Verifiable, f.APIScope = false, nil }), false},
		{"first party, the API wants to be asked", first(func(f *Facts) { f.SkipsFirstParty = false }), true},
		{"first party, the API wants to be asked, allowed", first(func(f *Facts) { f.SkipsFirstParty, f.Known, f.Allowed = false, true, []string{"read:a"} }), false},
		{"first party, the API wants to be asked, none of its scopes", first(func(f *Facts) { f.SkipsFirstParty, f.APIScope = false, nil }), false},
		{"third party", third(func(*Facts) {}), true},
		{"third party, profile alone", third(func(f *Facts) { f.Scope, f.APIScope = []string{"openid"}, nil }), true},
		{"third party without scopes, first time", third(func(f *Facts) { f.Scope, f.APIScope = nil, nil }), true},
		{"third party without scopes, known", third(func(f *Facts) { f.Scope, f.APIScope, f.Known = nil, nil, true }), false},
		{"third party, allowed", third(func(f *Facts) { f.Known, f.Allowed = true, []string{"read:a", "openid", "more"} }), false},
		{"third party, allowed less", third(func(f *Facts) { f.Known, f.Allowed = true, []string{"read:a"} }), true},
		{"third party, allowed, asked to ask", third(func(f *Facts) { f.Known, f.Allowed, f.Asked = true, f.Scope, true }), true},
	} {
		if got := Needed(row.f); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

func TestYes(t *testing.T) {
	q := Question{UserID: "u", ClientID: "c", API: "a", Audience: "https://a", Scope: []Scope{{"openid", ""}, {"read:a", "Read"}}}
	c := q.Yes(7)
	if len(c.ID) != 24 || c.UserID != "u" || c.ClientID != "c" || c.API != "a" || c.Audience != "https://a" || c.CreatedAt != 7 || !slices.Equal(c.Scope, []string{"openid", "read:a"}) {
		t.Errorf("%+v", c)
	}
	if got := Add([]string{"b", "a"}, []string{"c", "a"}); !slices.Equal(got, []string{"b", "a", "c"}) {
		t.Errorf("Add: %v", got)
	}
}
