package tenant

import (
	"encoding/json"
	"maps"

	"mangrove/internal/strictjson"
)

// merge is the JSON merge patch of RFC 7396: objects are merged member by member,
// null removes, everything else replaces. Neither argument is changed.
func merge(target, patch strictjson.Document) strictjson.Document {
	out := maps.Clone(target)
	if out == nil {
		out = strictjson.Document{}
	}
	for name, v := range patch {
		switch {
		case string(v) == "null":
			delete(out, name)
		case v[0] == '{':
			out[name] = merge(out.Object(name), strictjson.ParseDocument(v)).Encode()
		default:
			out[name] = v
		}
	}
	return out
}

// without is the document without members below it; each path is their names
// from the outside in.
func without(doc strictjson.Document, paths ...[]string) strictjson.Document {
	out := maps.Clone(doc)
	for _, path := range paths {
		if len(path) == 1 {
			delete(out, path[0])
			continue
		}
		if inner := out.Object(path[0]); inner != nil {
			out[path[0]] = without(inner, path[1:]).Encode()
		}
	}
	return out
}

func raw(doc string) strictjson.Document { return strictjson.ParseDocument(json.RawMessage(doc)) }
