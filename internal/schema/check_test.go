package schema

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// Each row is a value, and what is said about it; an empty want is acceptance.
// Refused values stand beside a twin that is accepted.
func TestCheck(t *testing.T) {
	text := Property{Types: String, Min: 2, Max: 4, Description: "Short."}
	name := Property{Types: String | Null, Min: 1, Max: 300, NoControls: true}
	count := Property{Types: Integer, Min: 1, Max: 100}
	signed := Property{Types: Integer, Min: -5, Max: 5}
	free := Property{Types: Integer}
	ratio := Property{Types: Number}
	flag := Property{Types: Boolean}
	kind := Property{Types: String, Enum: []string{"a", "b"}}
	tel := Property{Types: String, Pattern: regexp.MustCompile(`^\+[0-9]{1,15}$`)}
	con := Property{Types: String, Pattern: regexp.MustCompile(`^x$`), PatternText: "an x"}
	list := Property{Types: Array, Min: 1, Max: 2, Unique: true, Items: &Property{Types: String, Min: 1}}
	body := Property{
		Types: Object, Closed: true, Required: []string{"name"},
		Members: []Property{{Name: "name", Types: String, Max: 3}, {Name: "in", Types: Object, Members: []Property{{Name: "list", Types: Array, Items: &flag}}}},
	}
	sized := Property{Types: Object, Min: 1, Max: 2}

	for _, row := range []struct {
		about string
		p     Property
		v     string
		want  string // code, path and message of each violation, by line
	}{
		{"text", text, `"abc"`, ""},
		{"code points count, not bytes", text, `"äöüß"`, ""},
		{"an escape is one character", text, `"\u00e4\n\"\\"`, ""},
		{"a pair of surrogates is one character", text, `"a\ud83d\ude00bc"`, ""},
		{"too short", text, `"a"`, "MIN_LENGTH v String is too short (1 chars), minimum 2"},
		{"too long", text, `"abcde"`, "MAX_LENGTH v String is too long (5 chars), maximum 4"},
		{"too long by code points", text, `"äöüßä"`, "MAX_LENGTH v String is too long (5 chars), maximum 4"},
		{"empty", text, `""`, "MIN_LENGTH v String is too short (0 chars), minimum 2"},
		{"number for text", text, `1`, "INVALID_TYPE v Expected type string but found type integer"},
		{"null for text", text, `null`, "INVALID_TYPE v Expected type string but found type null"},
		{"object for text", text, `{}`, "INVALID_TYPE v Expected type string but found type object"},
		{"array for text or null", name, `[]`, "INVALID_TYPE v Expected type string,null but found type array"},
		{"null where it may be", name, `null`, ""},
		{"nothing", text, ``, "INVALID_TYPE v Expected type string but found type undefined"},
		{"no JSON", text, `"a"b"`, "INVALID_TYPE v Expected type string but found type undefined"},
		{"invalid UTF-8", text, "\"\xc3\x28\"", "INVALID_TYPE v Expected type string but found type undefined"},

		{"300 characters", name, `"` + strings.Repeat("é", 300) + `"`, ""},
		{"301 characters", name, `"` + strings.Repeat("é", 301) + `"`, "MAX_LENGTH v String is too long (301 chars), maximum 300"},
		{"tab", name, `"a\tb"`, `FORMAT v Object didn't pass validation for format visible-text: a\tb`},
		{"NUL", name, `"a\u0000b"`, `FORMAT v Object didn't pass validation for format visible-text: a\x00b`},
		{"C1 control", name, "\"a\u0085b\"", `FORMAT v Object didn't pass validation for format visible-text: a\u0085b`},
		{"bidi override", name, `"abc\u202ecod"`, `FORMAT v Object didn't pass validation for format visible-text: abc\u202ecod`},
		{"bidi isolate", name, "\"a\u2067b\"", `FORMAT v Object didn't pass validation for format visible-text: a\u2067b`},
		{"line separator", name, "\"a\u2028b\"", `FORMAT v Object didn't pass validation for format visible-text: a\u2028b`},
		{"only zero width", name, `"\u200b\u200d"`, `FORMAT v Object didn't pass validation for format visible-text: \u200b\u200d`},
		{"only blanks", name, `"   "`, `FORMAT v Object didn't pass validation for format visible-text:    `},
		{"only a Hangul filler", name, `"\u3164"`, "FORMAT v Object didn't pass validation for format visible-text: \u3164"},
		{"a joiner inside a word", name, "\"\u0645\u06cc\u200c\u062e\"", ""},
		{"emoji of a family", name, "\"\U0001F468\u200d\U0001F469\u200d\U0001F467\"", ""},
		{"combining mark on a letter", name, "\"e\u0301\"", ""},
		{"right-to-left script", name, "\"\u05d3\u05d5\u05d3\"", ""},

		{"true", flag, `true`, ""},
		{"text is no boolean", flag, `"true"`, "INVALID_TYPE v Expected type boolean but found type string"},
		{"1 is no boolean", flag, `1`, "INVALID_TYPE v Expected type boolean but found type integer"},

		{"integer", count, `100`, ""},
		{"integer as 1.0", count, `1.0`, ""},
		{"integer as 1e2", count, `1e2`, ""},
		{"above", count, `101`, "MAXIMUM v Value 101 is greater than maximum 100"},
		{"above by the exponent", count, `1e18`, "MAXIMUM v Value 1e18 is greater than maximum 100"},
		{"beyond every float", count, `1e400`, "MAXIMUM v Value 1e400 is greater than maximum 100"},
		{"beyond every exponent", count, `1e99999999999999999999`, "MAXIMUM v Value 1e99999999999999999999 is greater than maximum 100"},
		{"below", count, `0`, "MINIMUM v Value 0 is less than minimum 1"},
		{"negative", count, `-1`, "MINIMUM v Value -1 is less than minimum 1"},
		{"negative where it may be", signed, `-5`, ""},
		{"negative beyond", signed, `-6`, "MINIMUM v Value -6 is less than minimum -5"},
		{"fraction for integer", count, `1.5`, "INVALID_TYPE v Expected type integer but found type number"},
		{"a fraction that a float64 would round away", count, `1.00000000000000000001`, "INVALID_TYPE v Expected type integer but found type number"},
		{"the largest safe integer", free, `9007199254740991`, ""},
		{"one more, which a float64 cannot tell", free, `9007199254740993`, "MAXIMUM v Value 9007199254740993 is greater than maximum 9007199254740991"},
		{"leading zero", free, `01`, "INVALID_TYPE v Expected type integer but found type undefined"},
		{"a number", ratio, `0.1`, ""},
		{"an integer is a number", ratio, `12`, ""},
		{"a number that no float64 holds", ratio, `1e309`, "MAXIMUM v Value 1e309 is greater than maximum 1.7976931348623157e+308"},

		{"one of the enum", kind, `"a"`, ""},
		{"none of the enum", kind, `"c"`, "ENUM_MISMATCH v No enum match for: c"},
		{"pattern", tel, `"+4790000000"`, ""},
		{"not the pattern", tel, `"123"`, `PATTERN v String does not match pattern ^\+[0-9]{1,15}$: 123`},
		{"a newline behind the pattern", tel, `"+1\n"`, `PATTERN v String does not match pattern ^\+[0-9]{1,15}$: +1\n`},
		{"pattern with a text of its own", con, `"y"`, `PATTERN v String does not match pattern an x: y`},

		{"array", list, `["a","b"]`, ""},
		{"array too short", list, `[]`, "ARRAY_LENGTH_SHORT v Array is too short (0), minimum 1"},
		{"array too long", list, `["a","b","c"]`, "ARRAY_LENGTH_LONG v Array is too long (3), maximum 2"},
		{"array items not unique", list, `["a","a"]`, "ARRAY_UNIQUE v Array items are not unique (indexes 0 and 1)"},
		{"array item", list, `["a",""]`, "MIN_LENGTH v[1] String is too short (0 chars), minimum 1"},

		{"object", body, `{"name":"a","in":{"list":[true],"other":1}}`, ""},
		{"blanks around members", body, ` { "name" : "a" } `, "INVALID_TYPE v Expected type object but found type undefined"},
		{"blanks inside", body, `{ "name" : "a" , "in" : { "list" : [ true , 1 ] } }`, "INVALID_TYPE v.in.list[1] Expected type boolean but found type integer"},
		{"missing and unknown members", body, `{"b":1,"a":2}`, "OBJECT_REQUIRED v Missing required property: name\nOBJECT_ADDITIONAL_PROPERTIES v Additional properties not allowed: b,a"},
		{"the escaped name is the name", body, `{"na\u006de":"a"}`, ""},
		{"nested", body, `{"name":"abcd","in":{"list":[true,0]}}`, "MAX_LENGTH v.name String is too long (4 chars), maximum 3\nINVALID_TYPE v.in.list[1] Expected type boolean but found type integer"},
		{"too few members", sized, `{}`, "OBJECT_PROPERTIES_MINIMUM v Too few properties defined (0), minimum 1"},
		{"too many members", sized, `{"a":1,"b":2,"c":3}`, "OBJECT_PROPERTIES_MAXIMUM v Too many properties defined (3), maximum 2"},

		{"a property without types takes any", Property{}, `{"a":[1e400]}`, ""},
	} {
		t.Run(row.about, func(t *testing.T) {
			var got []string
			for _, v := range row.p.Check("v", json.RawMessage(row.v)) {
				got = append(got, v.Code+" "+v.Path+" "+v.Message)
			}
			if g := strings.Join(got, "\n"); g != row.want {
				t.Errorf("%s\n got %s\nwant %s", row.v, g, row.want)
			}
		})
	}
}

func TestFormats(t *testing.T) {
	long := func(n int) string { return strings.Repeat("a", n) }
	for _, row := range []struct {
		format Format
		yes    []string
		no     []string
	}{
		{FormatEmail, []string{
			"a@b.co", "first.last+tag@sub.example.test", "o'neil@example.test", "ADMIN@Example.Test", "münch@exämple.test", "\u03ac@b.co", "иван@пример.рф", "用户@例子.公司",
			long(64) + "@example.test", "a@" + long(63) + "." + long(63) + "." + long(63) + "." + long(54) + ".test",
			"a@xn--bcher-kva.example", "1@2.x3",
		}, []string{
			"", "foo@", "@b.co", "foo", "a@b", "a b@c.de", "a@b c.de", "a@b@c.de", "a@@b.co", "a@b.co\r\nBcc:x@y.z", "a\x00@b.co",
			".a@b.co", "a.@b.co", "a..b@c.de", "a@.b.co", "a@b..co", "a@b.co.", "a@-b.co", "a@b-.co", "a@1.2.3.4", "a@[1.2.3.4]",
			`"a b"@c.de`, "a(comment)@b.co", "<a@b.co>", "a,b@c.de", "a@b_c.de", long(65) + "@example.test", long(64) + "@" + long(63) + "." + long(63) + "." + long(60) + ".com",
			"a@" + long(64) + ".test", "\u212a@b.co", "adm\u0131n@b.co", "e\u0301@b.co", "a\u202eb@c.de", "a\u200bb@c.de", "ａ@b.co", "a@ｂ.co", "a@b。co", "\u1f71@b.co", "\u00b5@b.co", "\ufb01@b.co", "a\u0301@b.co",
		}},
		{FormatStrictURI, []string{
			"http://a.example/x.png", "https://a.example", "HTTPS://a.example/", "https://a.example:8443/p?q=1#f", "https://[2001:db8::1]/x",
			"http://localhost:3000/me.png", "https://exämple.test/ü.png", "https://a.example/%20.png",
			"https://a.example/" + long(2048-18),
		}, []string{
			"", "javascript:alert(1)", "data:text/html,x", "//x", "/x.png", "x.png", "http:", "http://", "http:///x", "https:a.example", "ftp://a.example/x",
			"https://user:pw@a.example/", "https://a.example/a b", "https://a.example/\n", "https://a.example/\"onload=", "https://a.example/<x>",
			"https://a.example\\@b.example/", "https://a.example/%zz", " https://a.example/", "https://a.example:port/", "https://a$b/", "https://a.example/\u202e",
			"https://a.example/" + long(2048-17),
		}},
		{FormatUserID, []string{"auth0|1", "samlp|c|a|b"}, []string{"", "auth0", "auth0|\x00"}},
		{FormatDateTime, []string{"2024-02-29T10:00:00Z", "2024-02-29T10:00:00.123+01:00"}, []string{"", "2024-02-30T10:00:00Z", "2024-02-29", "1709200800"}},
		{FormatURIOrEmpty, []string{"", "http://a.example/x", "https://a.example"}, []string{"javascript:alert(1)", "data:text/html,x", "//x", "/x", " "}},
		{FormatHTTPSOrEmpty, []string{"", "https://a.example/x", "HTTPS://a.example"}, []string{"http://a.example", "https://", "https:a.example", "javascript:https://a.example"}},
		{FormatHTTPSOrNull, []string{"https://a.example/x"}, []string{"", "http://a.example", "https://u:p@a.example"}},
		{FormatEmailOrEmpty, []string{"", "a@b.co"}, []string{"a", "a@b.co\r\nBcc:x@y.z"}},
		{FormatColorOrNull, []string{"#fff", "#0A1b2C"}, []string{"", "#", "#ff", "#ffff", "#fffff", "#1234567", "#ggg", "red", "fff", "#fff;", "#fff\n", "#ff\u00e9"}},
		{FormatACR, []string{"urn:mace:incommon:iap:silver", "http://schemas.openid.net/pape/policies/2007/06/multi-factor", "1", long(256)}, []string{"", "a b", "a\n", "ä", "a\"b", long(257)}},
		{FormatIPv4, []string{"203.0.113.4"}, []string{"", "203.0.113", "203.0.113.256", "203.0.113.04", "::ffff:203.0.113.4", "203.0.113.0/24"}},
		{FormatIPv6, []string{"2001:db8::1", "::ffff:203.0.113.4"}, []string{"", "203.0.113.4", "fe80::1%eth0", "2001:db8::1::2", "2001:db8::/32"}},
		{FormatIPv4Range, []string{"10.0.0.0/8", "203.0.113.4/32"}, []string{"", "10.0.0.0", "10.0.0.0/33", "2001:db8::/32"}},
		{FormatIPv6Range, []string{"2001:db8::/32"}, []string{"", "2001:db8::", "2001:db8::/129", "10.0.0.0/8"}},
		{"nonsense", nil, []string{"x"}},
	} {
		for _, s := range row.yes {
			if !row.format.has(s) {
				t.Errorf("%s refuses %q", row.format, s)
			}
		}
		for _, s := range row.no {
			if row.format.has(s) {
				t.Errorf("%s accepts %q", row.format, s)
			}
		}
	}
}

// The recorded instances of reference/users.md §3.0 and §6.4, and the grammar around them.
func TestWording(t *testing.T) {
	v := Violation{Code: InvalidFormat, Message: "Object didn't pass validation for format email: ", Path: "groups[0].email", Description: "Google Workspace Directory group email."}
	none := NoneOf("", "", Missing("blocked"), Missing("email"))
	deep := NoneOf("x", "An x.", Missing("y"))
	for _, row := range []struct{ got, want string }{
		{v.Payload(), `Payload validation error: 'Object didn't pass validation for format email: ' on property groups[0].email (Google Workspace Directory group email).`},
		{v.Query(), `Query validation error: 'Object didn't pass validation for format email: ' on property groups[0].email (Google Workspace Directory group email).`},
		{
			Violation{Message: "Object didn't pass validation for format event-stream-id: est_x", Path: "id", Description: "Unique identifier for the event stream."}.URI(),
			`Path validation error: 'Object didn't pass validation for format event-stream-id: est_x' on property id (Unique identifier for the event stream).`,
		},
		{Violation{Message: "m", Path: "connection_id"}.Payload(), `Payload validation error: 'm' on property connection_id.`},
		{Missing("name").Payload(), `Payload validation error: 'Missing required property: name'.`},
		{Violation{Message: "Object didn't pass validation for format email: foo@", Path: "email", Description: "x"}.Row(), `Error in email property - Object didn't pass validation for format email: foo@`},
		{Missing("email").Row(), `Missing required property: email`},
		{none.Payload(), `Payload validation error: 'None of the valid schemas were met'. Inner errors: [ Payload validation error: 'Missing required property: blocked'. (also) Payload validation error: 'Missing required property: email'. ]`},
		{deep.Query(), `Query validation error: 'None of the valid schemas were met' on property x (An x). Inner errors: [ Query validation error: 'Missing required property: y'. ]`},
		{Error{v, none}.Error(), v.Payload()},
		{Additional("", "", "a", "b").Message, "Additional properties not allowed: a,b"},
	} {
		if row.got != row.want {
			t.Errorf("\n got %s\nwant %s", row.got, row.want)
		}
	}
}

func TestRefusalsStayShort(t *testing.T) {
	p := Property{Types: Object, Closed: true, Members: []Property{
		{Name: "e", Types: String, Format: FormatEmail},
		{Name: "l", Types: Array, Items: &Property{Types: String}},
	}}
	v := `{"e":"` + strings.Repeat("x", 1<<20) + `","l":[` + strings.Repeat("1,", 100_000) + `1]` + strings.Repeat(`,"u":1`, 100_000) + `}`
	got := p.Check("", json.RawMessage(v))
	if len(got) == 0 || len(got) > most {
		t.Fatalf("%d violations", len(got))
	}
	for _, x := range got {
		if len(x.Message) > 4096 {
			t.Errorf("a message of %d bytes", len(x.Message))
		}
	}
}

func TestInt(t *testing.T) {
	for v, want := range map[string]int64{
		"0": 0, "-0": 0, "0.0": 0, "0e9": 0, "7": 7, "-7": -7, "7.0": 7, "7e3": 7000, "7000e-3": 7, "9007199254740991": 9007199254740991, "1.5e1": 15,
	} {
		if n, ok := Int(json.RawMessage(v)); !ok || n != want {
			t.Errorf("%s is %d, %v", v, n, ok)
		}
	}
	for _, v := range []string{"", "1.5", "1e-1", "9007199254740992", "1e18", "1e400", "1e-400", "01", "+1", "1.", ".1", "1e", "0x1", `"1"`, "null", "-", "1 "} {
		if n, ok := Int(json.RawMessage(v)); ok {
			t.Errorf("%q is %d", v, n)
		}
	}
}

func TestMembersAndElements(t *testing.T) {
	var got []string
	for m := range Members(json.RawMessage(`{"a":{"x":["}"]},"b\"":[1,{"y":"]"}], "c" : null,"d":1.5e3}`)) {
		got = append(got, m.Name()+"="+string(m.Value))
	}
	for i, e := range Elements(json.RawMessage(`[[],{"a":[1]},"],", -1 ]`)) {
		got = append(got, string(rune('0'+i))+"="+string(e))
	}
	want := `a={"x":["}"]} b"=[1,{"y":"]"}] c=null d=1.5e3 0=[] 1={"a":[1]} 2="]," 3=-1`
	if g := strings.Join(got, " "); g != want {
		t.Errorf("\n got %s\nwant %s", g, want)
	}
}

func BenchmarkCheckText(b *testing.B) {
	p := Property{Types: String, Min: 1, Max: 300, NoControls: true}
	v := json.RawMessage(`"Ada Lovelace, Countess"`)
	b.ReportAllocs()
	for b.Loop() {
		if p.Check("name", v) != nil {
			b.Fatal("refused")
		}
	}
}
