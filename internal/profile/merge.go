package profile

import (
	"bytes"

	"mangrove/internal/schema"
)

// Merge is a metadata object after a PATCH of it (reference/users.md §4.5):
//
//	member with a value   replaces the member of that name as a whole, or is added
//	member with null      removes the member
//	{}                    removes all members
//
// Only the first level is merged; a null further down is data. old is nil when
// there is no such object yet. Members keep their order, new ones come last.
// The result is nil when there is nothing to keep: an object that never was and
// got no member.
func Merge(old, patch Value) Value {
	if isEmptyObject(patch) {
		return emptyObject
	}
	var next []schema.Member
	at := map[string]int{}
	for m := range schema.Members(old) {
		at[m.Name()] = len(next)
		next = append(next, m)
	}
	for m := range schema.Members(patch) {
		name := m.Name()
		if i, ok := at[name]; ok {
			next[i].Value = m.Value
			continue
		}
		at[name] = len(next)
		next = append(next, m)
	}
	var b bytes.Buffer
	b.Grow(len(old) + len(patch))
	b.WriteByte('{')
	for _, m := range next {
		if IsNull(m.Value) {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.Write(m.Key)
		b.WriteByte(':')
		b.Write(m.Value)
	}
	b.WriteByte('}')
	if old == nil && b.Len() == len(emptyObject) {
		return nil
	}
	return b.Bytes()
}

var emptyObject = Value("{}")

func isEmptyObject(v Value) bool {
	for range schema.Members(v) {
		return false
	}
	return true
}

// keepMetadata is what is stored of a metadata object. The recordings treat the
// two differently: an emptied user_metadata is shown as {}, an emptied
// app_metadata is gone.
func keepMetadata(name string, v Value) Value {
	if name == AppMetadata && isEmptyObject(v) {
		return nil
	}
	return v
}

// Member is the value of one member of an object, nil where it has none.
func Member(object Value, name string) Value {
	for m := range schema.Members(object) {
		if m.Name() == name {
			return m.Value
		}
	}
	return nil
}
