package profile

import (
	"bytes"
	"slices"
	"strings"
)

// draft is a profile that a rule is working on. It copies the list once, at the
// first change, so that a rule which finds nothing to do costs nothing.
type draft struct {
	Profile
	owned bool
}

func (d *draft) own() {
	if !d.owned {
		attrs := make([]Attribute, len(d.attrs), len(d.attrs)+4)
		copy(attrs, d.attrs)
		d.attrs, d.owned = attrs, true
	}
}

// set as Profile.Set: null removes, an equal value keeps its source.
func (d *draft) set(name string, v Value, src Source) {
	if v == nil || IsNull(v) {
		d.remove(name)
		return
	}
	i, ok := d.find(name)
	if ok && bytes.Equal(d.attrs[i].Value, v) {
		return
	}
	d.own()
	if ok {
		d.attrs[i].Value, d.attrs[i].Source = v, src
		return
	}
	d.attrs = slices.Insert(d.attrs, i, Attribute{name, v, src})
}

func (d *draft) remove(name string) {
	if i, ok := d.find(name); ok {
		d.own()
		d.attrs = slices.Delete(d.attrs, i, i+1)
	}
}

// Diff lists the names whose values differ between two profiles, sorted.
func Diff(before, after Profile) []string {
	var names []string
	a, b := before.attrs, after.attrs
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Name < b[0].Name:
			names, a = append(names, a[0].Name), a[1:]
		case len(a) == 0 || b[0].Name < a[0].Name:
			names, b = append(names, b[0].Name), b[1:]
		default:
			if !bytes.Equal(a[0].Value, b[0].Value) {
				names = append(names, a[0].Name)
			}
			a, b = a[1:], b[1:]
		}
	}
	return names
}

// lower is the value of a string in lower case.
func lower(v Value) Value {
	s := TextOf(v)
	if l := strings.ToLower(s); l != s {
		return Text(l)
	}
	return v
}
