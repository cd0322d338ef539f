package liquid

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// through is item.a.b.
func through(item any, path string) any {
	v := valueOf(item)
	for name := range strings.SplitSeq(path, ".") {
		v = member(v, markup(name))
	}
	return v
}

func mapMember(_ *context, v any, a arguments) (any, error) {
	list := listOf(v)
	out := make([]any, len(list))
	for i := range list {
		out[i] = through(list[i], a.text(0))
	}
	return out, nil
}

// sorted sorts by a member, or by the items themselves; nil comes last.
func sorted(order func(a, b any) int) filter {
	return func(c *context, v any, a arguments) (any, error) {
		list := listOf(v)
		if err := c.spend(64 * len(list)); err != nil {
			return nil, err
		}
		type keyed struct{ key, item any }
		all := make([]keyed, len(list))
		for i := range list {
			all[i] = keyed{valueOf(list[i]), list[i]}
			if truthy(a.at(0)) && a.text(0) != "" {
				all[i].key = through(list[i], a.text(0))
			}
		}
		slices.SortStableFunc(all, func(x, y keyed) int {
			switch {
			case x.key == nil && y.key == nil:
				return 0
			case x.key == nil:
				return 1
			case y.key == nil:
				return -1
			}
			return order(x.key, y.key)
		})
		out := make([]any, len(all))
		for i := range all {
			out[i] = all[i].item
		}
		return out, nil
	}
}

// end0 is the first or the last item, or character.
func end0(v any, at float64) any {
	if list, ok := v.([]any); ok {
		return element(list, at)
	}
	s, ok := v.(string)
	if m, ours := v.(markup); ours {
		s, ok = string(m), true
	}
	if !ok || s == "" {
		return ""
	}
	if at < 0 {
		_, n := utf8.DecodeLastRuneInString(s)
		return s[len(s)-n:]
	}
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}

func join(c *context, v any, a arguments) (any, error) {
	list, by := listOf(v), any(markup(" "))
	if a.at(0) != nil {
		by = asText(a.at(0))
	}
	if err := c.room(weight(v) + len(list)*len(display(by))); err != nil {
		return nil, err
	}
	parts := make([]any, 0, 2*len(list))
	for i, e := range list {
		if i > 0 {
			parts = append(parts, by)
		}
		switch e := valueOf(e).(type) {
		case nil:
		case string, markup:
			parts = append(parts, e)
		default:
			parts = append(parts, script(e))
		}
	}
	return c.mix(parts...), nil
}

func reverse(_ *context, v any, _ arguments) (any, error) {
	list := slices.Clone(listOf(v))
	slices.Reverse(list)
	return list, nil
}

func concat(c *context, v any, a arguments) (any, error) {
	x, y := listOf(v), listOf(a.at(0))
	if err := c.room(16 * (len(x) + len(y))); err != nil {
		return nil, err
	}
	return slices.Concat(x, y), nil
}

func compact(_ *context, v any, _ arguments) (any, error) {
	return slices.DeleteFunc(slices.Clone(listOf(v)), func(e any) bool { return e == nil }), nil
}

// uniq keeps the first of equal items; lists and objects are equal to nothing.
func uniq(_ *context, v any, _ arguments) (any, error) {
	seen := map[any]bool{}
	return slices.DeleteFunc(slices.Clone(listOf(v)), func(e any) bool {
		key := valueOf(e)
		if s, ok := textOf(key); ok {
			key = s
		}
		switch key.(type) {
		case []any, map[string]any:
			return false
		}
		was := seen[key]
		seen[key] = true
		return was
	}), nil
}

func size(_ *context, v any, _ arguments) (any, error) {
	if list, ok := v.([]any); ok {
		return float64(len(list)), nil
	}
	switch v.(type) {
	case string, markup:
		return float64(units(display(v))), nil
	}
	return 0.0, nil
}
