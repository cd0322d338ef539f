package legal

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// Level of assurance, in the words of the eIDAS regulation.
type Level uint8

// The levels, in their order.
const (
	Unknown Level = iota // nobody said
	Low
	Substantial
	High
)

var levels = [...]string{"", "low", "substantial", "high"}

// String is the word for it; empty: unknown.
func (l Level) String() string { return levels[min(int(l), len(levels)-1)] }

// ParseLevel reads a level as claims have it: a word in any case, or the last part
// of an address (https://data.gov.dk/concept/core/nsis/Substantial).
func ParseLevel(text string) Level {
	word := strings.ToLower(last(text))
	for i, w := range levels {
		if w == word {
			return Level(i)
		}
	}
	return Unknown
}

// Assurance is how a person has shown who they are.
type Assurance struct {
	ACR   string `json:"acr"`
	Level string `json:"level,omitzero"` // low, substantial, high; empty: nobody said
}

// Why an answer is refused.
var (
	ErrSilent  = errors.New("the answer does not say how the person signed in")
	ErrOther   = errors.New("the person signed in by another eID than was asked for")
	ErrWeaker  = errors.New("the person signed in at a lower level of assurance than was asked for")
	errNoClaim = errors.New("the claims cannot be read")
)

// said is what a payload says about assurance.
type said struct {
	acrs  []string // of eIDs, without doubles
	level Level    // by claims; Unknown: none
}

// Read is the assurance that a stored or received payload shows; ok is false when
// it shows none.
func Read(payload []byte) (a Assurance, ok bool) {
	s, err := listen(payload)
	if err != nil || len(s.acrs) == 0 {
		return Assurance{}, false
	}
	_, m, _ := of(s.acrs[0])
	level := m.Level
	if s.level != Unknown {
		level = s.level
	}
	return Assurance{s.acrs[0], level.String()}, true
}

// Check decides whether an answer is what was asked for: by the same eID, and at
// no lower level. Of several words about the level the lowest counts. silent lets
// an answer pass that says nothing.
func Check(asked string, payload []byte, silent bool) error {
	s, err := listen(payload)
	if err != nil {
		return err
	}
	if len(s.acrs) == 0 {
		if silent {
			return nil
		}
		return ErrSilent
	}
	for _, acr := range s.acrs {
		if err := fits(asked, acr); err != nil {
			return err
		}
	}
	if _, m, ok := of(asked); ok && s.level != Unknown && s.level < m.Level {
		return ErrWeaker
	}
	return nil
}

// fits compares two acrs.
func fits(asked, got string) error {
	if got == asked {
		return nil
	}
	want, wanted, known := of(asked)
	have, had, ok := of(got)
	switch {
	case !known && strings.HasPrefix(got, asked+":"):
		return nil
	case !known, !ok, want.ID != have.ID:
		return ErrOther
	case had.Level < wanted.Level:
		return ErrWeaker
	}
	return nil
}

// listen reads the members of a payload that speak of assurance. Providers of the
// older protocols name their claims by addresses, of which the last part counts.
func listen(payload []byte) (said, error) {
	var s said
	var members map[string]json.RawMessage
	if len(payload) == 0 {
		return s, nil
	}
	if json.Unmarshal(payload, &members) != nil {
		return s, errNoClaim
	}
	levels := map[string]Level{}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		word, value := last(name), text(members[name])
		switch word {
		case "acr", "authenticationtype", "authenticationmethod":
			if v := InValues(value); v != "" && !slices.Contains(s.acrs, v) {
				s.acrs = append(s.acrs, v)
			}
		case "loA", "ial", "aal":
			l, had := ParseLevel(value), levels[word]
			if had == Unknown || l != Unknown && l < had {
				levels[word] = l
			}
		}
	}
	s.level = levels["loA"]
	if s.level == Unknown && levels["ial"] != Unknown && levels["aal"] != Unknown {
		s.level = min(levels["ial"], levels["aal"])
	}
	return s, nil
}

// text is a string, or the first of an array of them.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil && len(list) > 0 && json.Unmarshal(list[0], &s) == nil {
		return s
	}
	return ""
}

// last is what follows the last slash.
func last(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
