package profile

import "testing"

// reference/users.md §4.5; the column "kept" is what a profile shows of user_metadata and app_metadata.
func TestMerge(t *testing.T) {
	for _, row := range []struct{ old, patch, user, app string }{
		{``, `{"a":1}`, `{"a":1}`, `{"a":1}`},
		{`{"a":1,"b":2}`, `{"b":3,"c":4}`, `{"a":1,"b":3,"c":4}`, `{"a":1,"b":3,"c":4}`},
		{`{"a":{"x":1,"y":2}}`, `{"a":{"x":9}}`, `{"a":{"x":9}}`, `{"a":{"x":9}}`},
		{`{"baz":"q","foo":"b"}`, `{"baz":null,"foo":"c"}`, `{"foo":"c"}`, `{"foo":"c"}`},
		{`{"a":1}`, `{}`, `{}`, ``},
		{``, `{}`, `{}`, ``},
		{`{"a":1}`, `{"a":null}`, `{}`, ``},
		{``, `{"a":null}`, ``, ``},
		{`{}`, `{"a":null}`, `{}`, ``},
		{`{"a":1}`, `{"a":{"b":null}}`, `{"a":{"b":null}}`, `{"a":{"b":null}}`},
		{`{"a":1}`, `{"a":null,"b":[null]}`, `{"b":[null]}`, `{"b":[null]}`},
		{`{"a":"}\"{","b":1}`, `{"c":"\\"}`, `{"a":"}\"{","b":1,"c":"\\"}`, `{"a":"}\"{","b":1,"c":"\\"}`},
		{`{"a":1.10}`, `{"b":1e400}`, `{"a":1.10,"b":1e400}`, `{"a":1.10,"b":1e400}`},
	} {
		var old Value
		if row.old != "" {
			old = Value(row.old)
		}
		got := Merge(old, Value(row.patch))
		if u := keepMetadata(UserMetadata, got); string(u) != row.user {
			t.Errorf("user_metadata %s + %s\n got %s\nwant %s", row.old, row.patch, u, row.user)
		}
		if a := keepMetadata(AppMetadata, got); string(a) != row.app {
			t.Errorf("app_metadata %s + %s\n got %s\nwant %s", row.old, row.patch, a, row.app)
		}
		if string(old) != row.old {
			t.Errorf("the old object became %s", old)
		}
	}
}

func TestMember(t *testing.T) {
	o := Value(`{"a":{"b":1},"c":"d"}`)
	if string(Member(o, "a")) != `{"b":1}` || string(Member(o, "c")) != `"d"` || Member(o, "b") != nil || Member(nil, "a") != nil {
		t.Error("a member is missing, or one too many")
	}
}
