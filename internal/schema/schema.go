package schema

import (
	"regexp"
	"strings"
)

// Type is a set of JSON types. The zero Type is any type, as in JSON Schema.
type Type uint8

// The JSON types.
const (
	String Type = 1 << iota
	Boolean
	Integer
	Number
	Object
	Array
	Null
)

// typeNames is in the order of the bits.
var typeNames = []string{"string", "boolean", "integer", "number", "object", "array", "null"}

// String lists the names, comma-joined, as z-schema prints a list of types.
func (t Type) String() string {
	var names []string
	for i, n := range typeNames {
		if t&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return strings.Join(names, ",")
}

// Format is a named string format.
type Format string

// The formats in use.
const (
	FormatEmail     Format = "email"      // local part ≤ 64, whole ≤ 254, no controls or blanks, one @
	FormatStrictURI Format = "strict-uri" // absolute http or https URI, at most 2048 bytes
	FormatURL       Format = "url"        // the same by the contract's other name
	FormatUserID    Format = "user-id"    // has a vertical bar
	// FormatUserIDMaxLength is FormatUserID of at most 1024 bytes.
	FormatUserIDMaxLength Format = "user-id-with-max-length"
	FormatDateTime        Format = "date-time" // RFC 3339

	FormatURIOrEmpty   Format = "absolute-uri-or-empty"       // FormatStrictURI or nothing
	FormatHTTPSOrEmpty Format = "absolute-https-uri-or-empty" // the same with https
	FormatHTTPSOrNull  Format = "strict-https-uri-or-null"    // https
	FormatEmailOrEmpty Format = "email-or-empty"
	FormatColorOrNull  Format = "html-color-or-null" // #rgb or #rrggbb
	FormatACR          Format = "acr"                // a name or URN without blanks, at most 256 bytes
	FormatIPv4         Format = "ipv4"
	FormatIPv6         Format = "ipv6"
	FormatIPv4Range    Format = "cidr"
	FormatIPv6Range    Format = "ipv6_cidr"
)

// Property describes one value.
type Property struct {
	Name        string
	Description string // printed in parentheses behind the path, as the contract words it
	Types       Type
	// Min and Max bound the length of a string in characters, the items of an
	// array, the members of an object, or the value of a number. Max 0: no bound.
	// So a number is never negative unless Min says so.
	Min, Max int
	Pattern  *regexp.Regexp
	// PatternText is printed instead of Pattern where the reference's text differs.
	PatternText string
	Format      Format
	Enum        []string
	Items       *Property  // of an array
	Members     []Property // of an object
	Required    []string
	// Closed refuses members that are not in Members.
	Closed bool
	// NoControls refuses control characters, bidi overrides and line separators,
	// and text that has nothing visible.
	NoControls bool
	Unique     bool // array items must differ
}
