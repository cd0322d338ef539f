package strictjson

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestParseDocument(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{`{"b":1.50,"a":{"y": 2, "x":1}}`, `{"a":{"y":2,"x":1},"b":1.50}`},
		{`{"a":100000000000000000001,"A":null}`, `{"A":null,"a":100000000000000000001}`},
		{`{"<&>\u0041":"\u2028"}`, "{\"<&>A\":\"\u2028\"}"},
		{`{}`, `{}`},
		{``, ``}, {`null`, ``}, {`[]`, ``}, {`"{}"`, ``}, {`1`, ``}, {`true`, ``},
		{`{"a":1`, ``}, {`{"a":1,"a":2}`, ``}, {`{}{}`, ``},
	} {
		d := ParseDocument(json.RawMessage(c.in))
		want := c.out
		if want == "" {
			want = "{}" // nil encodes as an object too
		}
		if (d == nil) != (c.out == "") || string(d.Encode()) != want {
			t.Errorf("ParseDocument(%s) = %v, encoded %s; want %q", c.in, d, d.Encode(), c.out)
		}
	}
}

// Each row reads the member "m" in every way.
func TestDocumentReads(t *testing.T) {
	for _, c := range []struct {
		in     string
		has    bool
		text   string
		texts  []string
		flag   bool
		number int
		isInt  bool
		object string // empty: nil
	}{
		{in: `{}`},
		{in: `{"M":true}`},
		{in: `{"m":null}`},
		{in: `{"m":true}`, has: true, flag: true},
		{in: `{"m":false}`, has: true},
		{in: `{"m":"true"}`, has: true, text: "true"},
		{in: `{"m":""}`, has: true},
		{in: `{"m":"a\"\n\u0041é"}`, has: true, text: "a\"\nAé"},
		{in: `{"m":"15"}`, has: true, text: "15"},
		{in: `{"m":0}`, has: true, isInt: true},
		{in: `{"m":15}`, has: true, number: 15, isInt: true},
		{in: `{"m":-1}`, has: true, number: -1, isInt: true},
		{in: `{"m":15.0}`, has: true, number: 15, isInt: true},
		{in: `{"m":1e3}`, has: true, number: 1000, isInt: true},
		{in: `{"m":1.5}`, has: true},
		{in: `{"m":2147483648}`, has: true, number: 1 << 31, isInt: true},
		{in: `{"m":2147483649}`, has: true},
		{in: `{"m":-2147483649}`, has: true},
		{in: `{"m":1e400}`, has: true},
		{in: `{"m":[]}`, has: true},
		{in: `{"m":["a","","b"]}`, has: true, texts: []string{"a", "", "b"}},
		{in: `{"m":["a",1,null,true,["b"],{"c":"d"},"e"]}`, has: true, texts: []string{"a", "e"}},
		{in: `{"m":[ 1 , "a" ]}`, has: true, texts: []string{"a"}},
		{in: `{"m":[null]}`, has: true},
		{in: `{"m":{}}`, has: true, object: `{}`},
		{in: `{"m":{"b":"x","a":1}}`, has: true, object: `{"a":1,"b":"x"}`},
	} {
		d := ParseDocument(json.RawMessage(c.in))
		if d == nil {
			t.Fatalf("%s is no object", c.in)
		}
		if got := d.Has("m"); got != c.has {
			t.Errorf("%s: Has %v", c.in, got)
		}
		if got := d.Text("m"); got != c.text {
			t.Errorf("%s: Text %q, want %q", c.in, got, c.text)
		}
		if got := d.Texts("m"); !slices.Equal(got, c.texts) {
			t.Errorf("%s: Texts %q, want %q", c.in, got, c.texts)
		}
		if got := d.Flag("m"); got != c.flag {
			t.Errorf("%s: Flag %v", c.in, got)
		}
		if got, ok := d.Number("m"); got != c.number || ok != c.isInt {
			t.Errorf("%s: Number %d, %v; want %d, %v", c.in, got, ok, c.number, c.isInt)
		}
		if got := d.Object("m"); (got == nil) != (c.object == "") || got != nil && string(got.Encode()) != c.object {
			t.Errorf("%s: Object %s, want %q", c.in, got.Encode(), c.object)
		}
	}
}

func TestNilDocumentReads(t *testing.T) {
	var d Document
	_, isInt := d.Number("m")
	if d.Has("m") || d.Text("m") != "" || d.Texts("m") != nil || d.Flag("m") || isInt || d.Object("m").Object("m") != nil {
		t.Error("a nil Document has a member")
	}
}

func TestJoin(t *testing.T) {
	for _, c := range []struct {
		members []Member
		out     string
	}{
		{nil, `{}`},
		{[]Member{{"b", json.RawMessage(`1.0`)}, {"a", json.RawMessage(`{"x":[]}`)}}, `{"b":1.0,"a":{"x":[]}}`},
		{[]Member{{"", json.RawMessage(`null`)}, {"\"\\\n\x01<é", json.RawMessage(`""`)}}, `{"":null,"\"\\\n\u0001<é":""}`},
	} {
		if got := string(Join(c.members)); got != c.out {
			t.Errorf("Join(%v) = %s, want %s", c.members, got, c.out)
		}
		d := NewDocument(c.members)
		for _, m := range c.members {
			if v, ok := d[m.Name]; !ok || string(v) != string(m.Value) {
				t.Errorf("NewDocument(%v): member %q is %s", c.members, m.Name, v)
			}
		}
		if len(d) != len(c.members) {
			t.Errorf("NewDocument(%v) has %d members", c.members, len(d))
		}
	}
}
