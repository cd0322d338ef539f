package socialtest

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"

	"mangrove/internal/upstream/social"
)

// Mode is a way of being rude.
type Mode uint8

// The ways.
const (
	Polite      Mode = iota
	Hang             // no answer until the caller gives up
	Garbage          // no JSON
	Huge             // 50 MB
	Loop             // a redirect to itself
	Failure          // status 500
	Refusal          // the provider's error, status 400
	QuietError       // the provider's error, status 200
	WrongType        // a token of another type
	NoID             // nobody is named
	LongName         // a name of 10,000 characters
	ControlName      // a name with control characters
)

// hugeAnswer is the length of what Huge sends, in bytes.
const hugeAnswer = 50 << 20

// Rude makes endpoints (token, profile, …) behave badly from now on; without
// endpoints all that follow the authorization.
func (d *Double) Rude(mode Mode, endpoints ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(endpoints) == 0 {
		endpoints = append(endpoints, "token", "jwks", "user")
		for name := range d.insists.Endpoints {
			endpoints = append(endpoints, name)
		}
	}
	for _, e := range endpoints {
		d.rude[e] = mode
	}
}

// misbehave answers rudely and reports whether it has.
func (d *Double) misbehave(w http.ResponseWriter, r *http.Request, name string, mode Mode) bool {
	w.Header().Set("Content-Type", "application/json")
	switch mode {
	case Hang:
		select {
		case <-r.Context().Done():
		case <-d.closed:
		}
	case Garbage:
		_, _ = io.WriteString(w, "<html>\x00{{{ \xff not what you asked for")
	case Huge:
		block := strings.Repeat("x", 1<<20)
		_, _ = io.WriteString(w, `{"access_token":"`)
		for range hugeAnswer / len(block) {
			if _, err := io.WriteString(w, block); err != nil {
				return true
			}
		}
		_, _ = io.WriteString(w, `"}`)
	case Loop:
		http.Redirect(w, r, "/"+name, http.StatusFound)
	case Failure:
		w.WriteHeader(http.StatusInternalServerError)
	case Refusal, QuietError:
		if mode == Refusal {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = io.WriteString(w, `{"error":"invalid_grant","error_description":"the code of ada@x.example is spent"}`)
	default:
		w.Header().Del("Content-Type")
		return false
	}
	return true
}

// bend changes an answer by the mode.
func (d *Double) bend(b []byte, mode Mode) []byte {
	var m social.Mapping
	if p := social.Find(d.Strategy, d.options); p != nil {
		m = p.Map
	}
	switch mode {
	case WrongType:
		return rewrite(b, func(member string, v any, _ int) (any, bool) {
			if member == "token_type" {
				return "mac", true
			}
			return v, true
		}, map[string]any{"token_type": "mac"})
	case NoID:
		ids := lastSteps(m.ID)
		for _, name := range d.insists.IDs {
			ids[name] = true
		}
		return rewrite(b, func(member string, v any, _ int) (any, bool) { return v, !ids[member] }, nil)
	case LongName, ControlName:
		bad := strings.Repeat("ä", 10_000)
		if mode == ControlName {
			bad = "Ada\u001b[31m Lovelace\u202e"
		}
		names := map[string]bool{}
		for _, f := range m.Fields {
			if f.Name == "name" {
				names = lastSteps(f.From)
			}
		}
		// Only the outermost: what is called so further inside is another thing's name.
		outermost := math.MaxInt
		rewrite(b, func(member string, v any, depth int) (any, bool) {
			if _, text := v.(string); text && names[member] {
				outermost = min(outermost, depth)
			}
			return v, true
		}, nil)
		return rewrite(b, func(member string, v any, depth int) (any, bool) {
			if _, text := v.(string); text && names[member] && depth == outermost {
				return bad, true
			}
			return v, true
		}, nil)
	}
	return b
}

// lastSteps are the names of the members in which paths end.
func lastSteps(from string) map[string]bool {
	names := map[string]bool{}
	for _, p := range strings.FieldsFunc(from, func(r rune) bool { return strings.ContainsRune("|+ :", r) }) {
		names[p[strings.LastIndexByte(p, '.')+1:]] = true
	}
	return names
}

// rewrite walks all members of all objects; change says what becomes of one and
// whether it stays; depth is 0 at the first level. add are further members there.
func rewrite(b []byte, change func(member string, v any, depth int) (any, bool), add map[string]any) []byte {
	var doc any
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if d.Decode(&doc) != nil {
		return b
	}
	var walk func(v any, depth int) any
	walk = func(v any, depth int) any {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				if next, stays := change(name, inner, depth); stays {
					v[name] = walk(next, depth+1)
				} else {
					delete(v, name)
				}
			}
		case []any:
			for i := range v {
				v[i] = walk(v[i], depth+1)
			}
		}
		return v
	}
	doc = walk(doc, 0)
	if root, ok := doc.(map[string]any); ok {
		for name, v := range add {
			root[name] = v
		}
	}
	out, err := json.Marshal(doc)
	if err != nil {
		return b
	}
	return out
}
