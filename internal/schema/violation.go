package schema

import "strings"

// Codes of violations, as an import job reports them (reference/users.md §6.4).
const (
	InvalidType         = "INVALID_TYPE"
	InvalidFormat       = "FORMAT"
	EnumMismatch        = "ENUM_MISMATCH"
	AnyOfMissing        = "ANY_OF_MISSING"
	ArrayLengthShort    = "ARRAY_LENGTH_SHORT"
	ArrayLengthLong     = "ARRAY_LENGTH_LONG"
	ArrayUnique         = "ARRAY_UNIQUE"
	Minimum             = "MINIMUM"
	Maximum             = "MAXIMUM"
	ObjectMinimum       = "OBJECT_PROPERTIES_MINIMUM"
	ObjectMaximum       = "OBJECT_PROPERTIES_MAXIMUM"
	ObjectRequired      = "OBJECT_REQUIRED"
	ObjectAdditional    = "OBJECT_ADDITIONAL_PROPERTIES"
	MinLength           = "MIN_LENGTH"
	MaxLength           = "MAX_LENGTH"
	PatternMismatch     = "PATTERN"
	NotPassed           = "NOT_PASSED" // a rule that z-schema has no word for
	noValidAlternative  = "None of the valid schemas were met"
	additionalTemplate  = "Additional properties not allowed: "
	missingPropTemplate = "Missing required property: "
)

// Violation is one thing that is wrong. Code is the z-schema code
// (MIN_LENGTH, INVALID_TYPE, …); Path is like user_metadata.a or scopes[0].value,
// empty for the value as a whole.
type Violation struct {
	Code        string
	Message     string
	Path        string
	Description string
	// Inner says, where no alternative fits, what is wrong with each of them.
	Inner []Violation
}

// Error is one or more violations. The reference shows the first.
type Error []Violation

func (e Error) Error() string {
	if len(e) == 0 {
		return "no violation"
	}
	return e[0].Payload()
}

// Missing is the violation of a property that has to be there.
func Missing(name string) Violation {
	return Violation{Code: ObjectRequired, Message: missingPropTemplate + name}
}

// Additional is the violation of members that have no business in the object at path.
func Additional(path, description string, names ...string) Violation {
	return Violation{
		Code: ObjectAdditional, Path: path, Description: description,
		Message: additionalTemplate + echo(strings.Join(names, ",")),
	}
}

// NoneOf is the violation of a value that meets none of its alternatives.
func NoneOf(path, description string, inner ...Violation) Violation {
	return Violation{Code: AnyOfMissing, Path: path, Description: description, Message: noValidAlternative, Inner: inner}
}

// Payload words the violation for a request body:
//
//	Payload validation error: '…' on property … (…).
func (v Violation) Payload() string { return v.text("Payload") }

// Query words it for a query parameter.
func (v Violation) Query() string { return v.text("Query") }

// URI words it for a path parameter.
func (v Violation) URI() string { return v.text("Path") }

// Row words it for an import row: Error in {path} property - …
func (v Violation) Row() string {
	if v.Path == "" {
		return v.Message
	}
	return "Error in " + v.Path + " property - " + v.Message
}

// text is the grammar of reference/users.md §3.0. Recorded answers print a
// description without the full stop that it has in the contract.
func (v Violation) text(where string) string {
	var b strings.Builder
	b.WriteString(where)
	b.WriteString(" validation error: '")
	b.WriteString(v.Message)
	b.WriteByte('\'')
	if v.Path != "" {
		b.WriteString(" on property ")
		b.WriteString(v.Path)
		if v.Description != "" {
			b.WriteString(" (")
			b.WriteString(strings.TrimSuffix(v.Description, "."))
			b.WriteByte(')')
		}
	}
	b.WriteByte('.')
	for i, in := range v.Inner {
		if i == 0 {
			b.WriteString(" Inner errors: [ ")
		} else {
			b.WriteString(" (also) ")
		}
		b.WriteString(in.text(where))
		if i == len(v.Inner)-1 {
			b.WriteString(" ]")
		}
	}
	return b.String()
}
