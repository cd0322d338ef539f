package profile

import (
	"bytes"

	"mangrove/internal/schema"
)

// equal reports whether two values say the same. The order of members is nobody's
// wish: a provider that writes an object anew in another order has changed nothing.
// Numbers and texts are compared as they are written.
func equal(a, b Value) bool {
	switch {
	case bytes.Equal(a, b):
		return true
	case len(a) == 0 || len(b) == 0 || a[0] != b[0]:
		return false
	case a[0] == '{':
		return sameMembers(a, b)
	case a[0] == '[':
		return sameElements(a, b)
	}
	return false
}

func sameMembers(a, b Value) bool {
	of := map[string]Value{}
	count := 0
	for m := range schema.Members(a) {
		of[keyOf(m)] = m.Value
		count++
	}
	if len(of) != count {
		return false // doubled members: nobody knows which counts
	}
	for m := range schema.Members(b) {
		count--
		if v, ok := of[keyOf(m)]; !ok || !equal(v, m.Value) {
			return false
		}
	}
	return count == 0
}

// keyOf is the name of a member; one that is no text stands for itself, as written.
func keyOf(m schema.Member) string {
	if name := m.Name(); name != "" {
		return name
	}
	return string(m.Key)
}

func sameElements(a, b Value) bool {
	var of []Value
	for _, e := range schema.Elements(a) {
		of = append(of, e)
	}
	n := 0
	for i, e := range schema.Elements(b) {
		if i >= len(of) || !equal(of[i], e) {
			return false
		}
		n++
	}
	return n == len(of)
}
