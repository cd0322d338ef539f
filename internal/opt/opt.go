package opt

import "encoding/json"

// Value is absent (the zero Value), null, or holds a T.
type Value[T any] struct {
	v     T
	state state
}

type state uint8

const (
	absent state = iota
	null
	present
)

// Of holds v.
func Of[T any](v T) Value[T] { return Value[T]{v: v, state: present} }

// Null is an explicit null.
func Null[T any]() Value[T] { return Value[T]{state: null} }

// IsZero reports absence; `json:",omitzero"` then leaves the member out.
func (o Value[T]) IsZero() bool { return o.state == absent }

// IsNull reports an explicit null.
func (o Value[T]) IsNull() bool { return o.state == null }

// Get is the value, and whether there is one.
func (o Value[T]) Get() (T, bool) { return o.v, o.state == present }

// Or is the value, or fallback where there is none.
func (o Value[T]) Or(fallback T) T {
	if o.state == present {
		return o.v
	}
	return fallback
}

// UnmarshalJSON is called for members that are there, null included.
func (o *Value[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*o = Null[T]()
		return nil
	}
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*o = Of(v)
	return nil
}

// MarshalJSON writes null for null and for absent.
func (o Value[T]) MarshalJSON() ([]byte, error) {
	if o.state != present {
		return []byte("null"), nil
	}
	return json.Marshal(o.v)
}
