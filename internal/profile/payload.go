package profile

import (
	"slices"
	"strings"

	"mangrove/internal/schema"
)

// Kept is the payload of a provider as it may be stored: without the members that
// the connection's deny list names, which must not be stored anywhere
// (reference/connections.md §3.8). raw is a JSON object; what is left keeps its spelling.
func Kept(raw Value, deny []string) Value {
	if len(raw) == 0 || len(deny) == 0 {
		return raw
	}
	hit := false
	out := []byte{'{'}
	for m := range schema.Members(raw) {
		if Denied(deny, m.Name()) {
			hit = true
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, m.Key...), ':'), m.Value...)
	}
	if !hit {
		return raw
	}
	return append(out, '}')
}

// Denied reports whether a deny list has the name, or the last segment of a name
// that is an address: the older protocols call a claim so, and its attribute by that
// segment.
func Denied(deny []string, name string) bool {
	return len(deny) > 0 && (slices.Contains(deny, name) || slices.Contains(deny, name[strings.LastIndexByte(name, '/')+1:]))
}
