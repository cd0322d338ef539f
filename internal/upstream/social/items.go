package social

import (
	jsonv2 "github.com/go-json-experiment/json"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// Items of a JSON array; nil for everything else.
func Items(v profile.Value) []profile.Value {
	var list []profile.Value
	if len(v) == 0 || v[0] != '[' || jsonv2.Unmarshal(v, &list) != nil {
		return nil
	}
	return list
}

// number is a JSON number; zero for everything else.
func number(v profile.Value) float64 {
	var n float64
	if jsonv2.Unmarshal(v, &n) != nil {
		return 0
	}
	return n
}

// chooseEmail is the item of a list of addresses that is marked as the main one;
// nil: the list has none.
func (a *Answers) chooseEmail(list, address, mark string) strictjson.Document {
	for _, item := range Items(a.Profile[list]) {
		if d := strictjson.ParseDocument(item); d.Flag(mark) && d.Text(address) != "" {
			return d
		}
	}
	return nil
}
