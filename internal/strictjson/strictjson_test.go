package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestCompact(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{` { "a" : [ 1 , 2.50 , -0 , 1E+2 , 123456789012345678901234567890 ] , "b" : null } `, `{"a":[1,2.50,-0,1E+2,123456789012345678901234567890],"b":null}`},
		{`"\u0041\/\u00e9\ud83d\ude00"`, `"A/é😀"`},
		{`"\u000a\u0009\u0022\u005C\u001F"`, `"\n\t\"\\\u001f"`},
		{`"<&>\u2028"`, "\"<&>\u2028\""},
		{"\"\x7f\"", "\"\x7f\""},
		{"true", "true"}, {" false\n", "false"}, {"\r\n\t null", "null"},
		{`[]`, `[]`}, {`{ }`, `{}`}, {`[ [ ] , { } ]`, `[[],{}]`},
		{`{"a":{"a":1},"b":{"a":1}}`, `{"a":{"a":1},"b":{"a":1}}`},
		{strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat("[", 64) + strings.Repeat("]", 64)},
	} {
		got, err := Compact([]byte(c.in))
		if err != nil || string(got) != c.out {
			t.Errorf("Compact(%s) = %s, %v; want %s", c.in, got, err, c.out)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		in, text string
		offset   int64
		syntax   bool
	}{
		{``, "unexpected end of the text", 0, true},
		{`  `, "unexpected end of the text", 2, true},
		{`{"a":1}{"b":2}`, "unexpected text after the value", 7, true},
		{`{"a":1} x`, "unexpected text after the value", 8, true},
		{`{"a":1,}`, "expected a member name", 7, true},
		{`{a:1}`, "expected a member name", 1, true},
		{`{"a" 1}`, "expected a colon", 5, true},
		{`{"a":1 "b":2}`, "expected a comma or the end of the object", 7, true},
		{`[1 2]`, "expected a comma or the end of the array", 3, true},
		{`[1,]`, "expected a value", 3, true},
		{`[01]`, "expected a comma or the end of the array", 2, true},
		{`[1.]`, "expected a digit", 3, true},
		{`[1e]`, "expected a digit", 3, true},
		{`[-]`, "expected a digit", 2, true},
		{`[+1]`, "expected a value", 1, true},
		{`tru`, "expected a value", 0, true},
		{`NaN`, "expected a value", 0, true},
		{"\"a\x00b\"", "control character in a string", 2, true},
		{"\"a\nb\"", "control character in a string", 2, true},
		{`"\x41"`, "unknown escape", 1, true},
		{`"\u12g4"`, "bad \\u escape", 1, true},
		{`"abc`, "unexpected end of the text", 4, true},
		{`"abc\`, "unexpected end of the text", 5, true},
		{"\xef\xbb\xbf{}", "expected a value", 0, true},

		{`{"a":1,"a":2}`, "duplicate member name", 7, false},
		{`{"a":1,"\u0061":2}`, "duplicate member name", 7, false},
		{`{"x":[{"a":1,"b":2,"a":3}]}`, "duplicate member name", 19, false},
		{`{"a":1,"a":2`, "unexpected end of the text", 12, true},
		{`"a\u0000b"`, "NUL in a string", 2, false},
		{`{"\u0000":1}`, "NUL in a string", 2, false},
		{`"\ud800"`, "lone surrogate", 1, false},
		{`"\ud800\u0041"`, "lone surrogate", 1, false},
		{`"\udc00\ud800"`, "lone surrogate", 1, false},
		{`"\ud800\ud800\udc00"`, "lone surrogate", 1, false},
		{"\"\xff\"", "invalid UTF-8", 1, false},
		{"\"\xed\xa0\x80\"", "invalid UTF-8", 1, false},
		{"\"\xc0\x80\"", "invalid UTF-8", 1, false},
		{strings.Repeat("[", 65) + strings.Repeat("]", 65), "nested too deeply", 64, false},
		{strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), "nested too deeply", 320, false},
	} {
		_, err := Compact([]byte(c.in))
		var e *Error
		if !errors.As(err, &e) || e.Text != c.text || e.Offset != c.offset || e.Syntax != c.syntax {
			t.Errorf("Compact(%.40q) = %+v; want %s at %d, syntax %v", c.in, err, c.text, c.offset, c.syntax)
		}
	}
}

func TestObject(t *testing.T) {
	got, err := Object([]byte(` { "b" : 1.0 , "a\n\u0041" : { "x" : "\u0079" } , "" : [ ] } `))
	if err != nil {
		t.Fatal(err)
	}
	want := []Member{{"b", json.RawMessage(`1.0`)}, {"a\nA", json.RawMessage(`{"x":"y"}`)}, {"", json.RawMessage(`[]`)}}
	if !slices.EqualFunc(got, want, func(a, b Member) bool { return a.Name == b.Name && bytes.Equal(a.Value, b.Value) }) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, in := range []string{`[]`, `"x"`, `1`, `null`} {
		if _, err := Object([]byte(in)); err == nil || err.Error() != "expected an object" {
			t.Errorf("Object(%s): %v", in, err)
		}
	}
	if m, err := Object([]byte(`{}`)); err != nil || len(m) != 0 {
		t.Errorf("Object({}) = %v, %v", m, err)
	}
}

// A value that is appended to must not reach into its neighbour.
func TestObjectValuesDoNotOverlap(t *testing.T) {
	got, err := Object([]byte(`{"a":1,"b":2}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = append(got[0].Value, "999999"...)
	if string(got[1].Value) != "2" {
		t.Errorf("b is %s after an append to a", got[1].Value)
	}
}

func TestManyNames(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{`)
	for i := range 20000 {
		fmt.Fprintf(&b, `"k%d":{"k":0},`, i)
	}
	text := b.String()
	m, err := Object([]byte(text + `"k":1}`))
	if err != nil || len(m) != 20001 {
		t.Fatalf("%d members, %v", len(m), err)
	}
	if _, err := Object([]byte(text + `"k777":1}`)); err == nil || err.Error() != "duplicate member name" {
		t.Errorf("a duplicate among 20,000 names: %v", err)
	}
	if _, err := Object([]byte(`{"k1":1,"k2":2}`)); err != nil {
		t.Errorf("names of an earlier text were remembered: %v", err)
	}
}

// The law: what jsontext accepts under RFC 7493 is what we accept, but for depth
// and NUL, and the canonical texts are the same bytes; encoding/json and Document
// read the same members; joining them gives the text; compacting twice changes
// nothing.
func FuzzObject(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":1,"b":[true,false,null,"x\u0041\n"]}`, `{"a":{"a":{"a":-1.5e+7}}}`, `{"\u0061":1,"a":2}`,
		`[1,2,{"x":"\ud83d\ude00"}]`, "\"\xff\"", `"\ud800"`, `{"a":"\u0000"}`, ` 1 `, `{"aaaaaaaaaaaaaaaa\"bbbbbbbb":"12345678\\"}`,
		strings.Repeat("[", 65), "{\"\x1f\":1}", "\"01234567\x80\"", "\"0123456\x1f\"",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		got, err := Compact(in)
		if !bytes.Equal(in, before) {
			t.Fatal("the input was changed")
		}
		want, werr := jsontext.AppendFormat(nil, in)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > int64(len(in)) || e.Text == "" {
				t.Fatalf("odd error %+v", err)
			}
			if werr == nil && e.Text != "nested too deeply" && e.Text != "NUL in a string" {
				t.Fatalf("refused (%v) what jsontext reads: %q", err, in)
			}
			if e.Syntax && json.Valid(in) {
				t.Fatalf("called a syntax error (%v), but it is JSON: %q", err, in)
			}
			if !e.Syntax && e.Text != "nested too deeply" && !json.Valid(in) {
				t.Fatalf("not called a syntax error (%v), but it is no JSON: %q", err, in)
			}
			return
		}
		if werr != nil || !bytes.Equal(got, want) {
			t.Fatalf("%q: got %q, jsontext %q, %v", in, got, want, werr)
		}
		again, err := Compact(got)
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("not stable: %q then %q, %v", got, again, err)
		}
		text, members, err := Split(in)
		if err == nil && !bytes.Equal(text, got) {
			t.Fatalf("Split has %q, Compact %q", text, got)
		}
		if got[0] != '{' {
			if err == nil {
				t.Fatalf("Object took %q", in)
			}
			return
		}
		var std map[string]json.RawMessage
		if json.Unmarshal(in, &std) != nil || err != nil || len(std) != len(members) {
			t.Fatalf("Object: %v, %v, encoding/json %v", members, err, std)
		}
		for _, m := range members {
			v, err := Compact(std[m.Name])
			if err != nil || !bytes.Equal(v, m.Value) {
				t.Fatalf("member %q is %q, encoding/json has %q (%v)", m.Name, m.Value, v, err)
			}
		}
		if joined := Join(members); !bytes.Equal(joined, got) {
			t.Fatalf("%q joined is %q", got, joined)
		}
		sameValue := func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }
		if d := ParseDocument(got); d == nil || !maps.EqualFunc(d, NewDocument(members), sameValue) {
			t.Fatalf("%q is the document %v", got, d)
		}
	})
}

// body is 1 KB of a user as clients send it.
var body = func() []byte {
	var b bytes.Buffer
	b.WriteString(`{"email":"ann@example.com", "email_verified": true, "user_id":"65f0c0ffee0123456789abcd","given_name":"Ann","family_name":"Lee","name":"Ann Lee","nickname":"ann","picture":"https://cdn.example.com/a.png","blocked":false,"app_metadata":{"plan":"gold","roles":["admin","editor","viewer"],"limits":{"a":1,"b":2.50,"c":300000000000000000001}},"user_metadata":{`)
	for i := range 20 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"key_%d":"a value, number %d é"`, i, i)
	}
	b.WriteString("}}")
	return b.Bytes()
}()

func BenchmarkObject(b *testing.B) {
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Object(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompact(b *testing.B) {
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compact(body); err != nil {
			b.Fatal(err)
		}
	}
}
