package liquid

import (
	"maps"
	"math"
	"slices"
	"strconv"
)

// member is v[key].
func member(v, key any) any {
	name, named := textOf(key)
	n, numbered := key.(float64)
	switch v := v.(type) {
	case *turns:
		if named {
			return v.member(name)
		}
	case map[string]any:
		if !named {
			name = script(key)
		}
		if e, ok := v[name]; ok {
			return valueOf(e)
		}
		if named && name == "size" {
			return float64(len(v))
		}
	case []any:
		if numbered {
			return element(v, n)
		}
		switch name {
		case "size", "length":
			return float64(len(v))
		case "first":
			return element(v, 0)
		case "last":
			return element(v, -1)
		}
		if i, ok := position(name); ok && i < len(v) {
			return valueOf(v[i])
		}
	case string, markup:
		s, _ := textOf(v)
		if numbered {
			name = numberText(n)
		}
		switch name {
		case "size", "length":
			return float64(units(s))
		}
		if i, ok := position(name); ok {
			r := []rune(s)
			if i >= len(r) {
				return nil
			}
			if _, ours := v.(markup); ours {
				return markup(r[i : i+1])
			}
			return string(r[i : i+1])
		}
	}
	return nil
}

// position reads the name of an element, such as "0".
func position(name string) (int, bool) {
	i, err := strconv.Atoi(name)
	return i, err == nil && i >= 0 && strconv.Itoa(i) == name
}

func element(list []any, at float64) any {
	if at < 0 {
		at += float64(len(list))
	}
	if at != math.Trunc(at) || at < 0 || at >= float64(len(list)) {
		return nil
	}
	return valueOf(list[int(at)])
}

// items is what a loop goes through: a map's members are pairs, by name.
func items(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case string:
		if v != "" {
			return []any{v}
		}
	case markup:
		if v != "" {
			return []any{v}
		}
	case map[string]any:
		list := make([]any, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			list = append(list, []any{k, v[k]})
		}
		return list
	}
	return nil
}

// listOf is what a filter of lists goes through.
func listOf(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}
