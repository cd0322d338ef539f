package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// most violations that one check lists: enough for any person, and a body of
// 100,000 wrong items costs no more than one of 32.
const most = 32

// Check lists what is wrong with v; nothing when it is fine. path is that of v,
// empty for a whole body. v is valid JSON (see strictjson); bytes that are not
// JSON are refused where a scalar is expected and never make it panic.
func (p *Property) Check(path string, v json.RawMessage) []Violation {
	return p.check(path, v, nil)
}

// undefined is what JavaScript calls the type of what is not there.
const undefined = "undefined"

// check appends to out, as all below it do.
func (p *Property) check(path string, v json.RawMessage, out []Violation) []Violation {
	if len(out) >= most {
		return out
	}
	t, text := typeOf(v)
	if t == 0 || p.Types != 0 && p.Types&t == 0 && (t != Integer || p.Types&Number == 0) {
		found := undefined
		if t != 0 {
			found = t.String()
		}
		return p.violate(out, path, InvalidType, "Expected type %s but found type %s", p.Types, found)
	}
	switch t {
	case String:
		return p.checkText(path, text, out)
	case Integer, Number:
		return p.checkNumber(path, v, out)
	case Array:
		return p.checkArray(path, v, out)
	case Object:
		return p.checkObject(path, v, out)
	}
	return out
}

func (p *Property) violate(out []Violation, path, code, format string, args ...any) []Violation {
	if len(out) >= most {
		return out
	}
	return append(out, Violation{Code: code, Message: fmt.Sprintf(format, args...), Path: path, Description: p.Description})
}

// typeOf is the one type of v, 0 when v is not JSON, and the text that a string
// holds. Of objects and arrays only the brackets are looked at. 1.0 is an
// integer, as it is to every JavaScript client.
func typeOf(v json.RawMessage) (t Type, text string) {
	if len(v) == 0 {
		return 0, ""
	}
	switch v[0] {
	case '"':
		if s, ok := Text(v); ok {
			return String, s
		}
	case '{':
		if v[len(v)-1] == '}' {
			return Object, ""
		}
	case '[':
		if v[len(v)-1] == ']' {
			return Array, ""
		}
	case 't', 'f':
		if s := string(v); s == "true" || s == "false" {
			return Boolean, ""
		}
	case 'n':
		if string(v) == "null" {
			return Null, ""
		}
	default:
		if d, ok := parseDecimal(v); ok && d.isInteger() {
			return Integer, ""
		} else if ok {
			return Number, ""
		}
	}
	return 0, ""
}

func (p *Property) checkText(path, s string, out []Violation) []Violation {
	if p.Min > 0 || p.Max > 0 {
		n := length(s)
		if n < p.Min {
			out = p.violate(out, path, MinLength, "String is too short (%d chars), minimum %d", n, p.Min)
		}
		if p.Max > 0 && n > p.Max {
			out = p.violate(out, path, MaxLength, "String is too long (%d chars), maximum %d", n, p.Max)
		}
	}
	if len(p.Enum) > 0 && !slices.Contains(p.Enum, s) {
		out = p.violate(out, path, EnumMismatch, "No enum match for: %s", echo(s))
	}
	if p.Pattern != nil && !p.Pattern.MatchString(s) {
		text := p.PatternText
		if text == "" {
			text = p.Pattern.String()
		}
		out = p.violate(out, path, PatternMismatch, "String does not match pattern %s: %s", text, echo(s))
	}
	if p.Format != "" && !p.Format.has(s) {
		out = p.violate(out, path, InvalidFormat, "Object didn't pass validation for format %s: %s", p.Format, echo(s))
	}
	if p.NoControls && !Clean(s) {
		out = p.violate(out, path, InvalidFormat, "Object didn't pass validation for format visible-text: %s", echo(s))
	}
	return out
}

// checkNumber compares digit by digit. An integer must be one that every reader
// holds exactly, and a number one that a float64 can hold, whatever the bounds.
func (p *Property) checkNumber(path string, v json.RawMessage, out []Violation) []Violation {
	d, _ := parseDecimal(v)
	low, high := strconv.Itoa(p.Min), strconv.Itoa(p.Max)
	if p.Max == 0 {
		high = strconv.Itoa(safeInteger)
		if p.Types != 0 && p.Types&Number != 0 {
			high = "1.7976931348623157e+308"
		}
	}
	if p.Types == 0 {
		return out
	}
	if bound, _ := parseDecimal([]byte(low)); d.compare(bound) < 0 {
		out = p.violate(out, path, Minimum, "Value %s is less than minimum %s", echo(string(v)), low)
	}
	if bound, _ := parseDecimal([]byte(high)); d.compare(bound) > 0 {
		out = p.violate(out, path, Maximum, "Value %s is greater than maximum %s", echo(string(v)), high)
	}
	return out
}

func (p *Property) checkArray(path string, v json.RawMessage, out []Violation) []Violation {
	if p.Min > 0 || p.Max > 0 {
		n := size(v)
		if n < p.Min {
			out = p.violate(out, path, ArrayLengthShort, "Array is too short (%d), minimum %d", n, p.Min)
		}
		if p.Max > 0 && n > p.Max {
			return p.violate(out, path, ArrayLengthLong, "Array is too long (%d), maximum %d", n, p.Max)
		}
	}
	if p.Unique {
		first := map[string]int{}
		for i, e := range Elements(v) {
			if j, ok := first[string(e)]; ok {
				out = p.violate(out, path, ArrayUnique, "Array items are not unique (indexes %d and %d)", j, i)
				break
			}
			first[string(e)] = i
		}
	}
	if p.Items == nil {
		return out
	}
	for i, e := range Elements(v) {
		out = p.Items.check(path+"["+strconv.Itoa(i)+"]", e, out)
		if len(out) >= most {
			break
		}
	}
	return out
}

func (p *Property) checkObject(path string, v json.RawMessage, out []Violation) []Violation {
	if p.Min > 0 || p.Max > 0 {
		n := size(v)
		if n < p.Min {
			out = p.violate(out, path, ObjectMinimum, "Too few properties defined (%d), minimum %d", n, p.Min)
		}
		if p.Max > 0 && n > p.Max {
			out = p.violate(out, path, ObjectMaximum, "Too many properties defined (%d), maximum %d", n, p.Max)
		}
	}
	for _, name := range p.Required {
		if !hasMember(v, name) {
			out = p.violate(out, path, ObjectRequired, missingPropTemplate+"%s", name)
		}
	}
	if !p.Closed && len(p.Members) == 0 {
		return out
	}
	var unknown []string
	var wrong []Violation
	for m := range Members(v) {
		name := m.Name()
		member := p.member(name)
		switch {
		case member != nil:
			wrong = member.check(join(path, name), m.Value, wrong)
		case p.Closed && len(unknown) < most:
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		out = append(out, Additional(path, p.Description, unknown...))
	}
	out = append(out, wrong...)
	return out[:min(len(out), most)]
}

// member is the description of a member, nil when there is none.
func (p *Property) member(name string) *Property {
	for i := range p.Members {
		if p.Members[i].Name == name {
			return &p.Members[i]
		}
	}
	return nil
}

func hasMember(v json.RawMessage, name string) bool {
	for m := range Members(v) {
		if m.Name() == name {
			return true
		}
	}
	return false
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
