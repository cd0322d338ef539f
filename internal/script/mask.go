package script

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// minSecret is the length below which a text cannot be masked: it would be found
// everywhere.
const minSecret = 4

// mask hides the secrets of a run in the words of its script.
type mask struct{ with *strings.Replacer }

// newMask knows each secret as it is and as it looks in JSON, in a URL and in
// Base64.
func newMask(secrets []string) mask {
	var forms []string
	add := func(s string) {
		if !slices.Contains(forms, s) {
			forms = append(forms, s)
		}
	}
	for _, s := range secrets {
		if len(s) < minSecret {
			continue
		}
		add(s)
		quoted, err := json.Marshal(s)
		if err == nil {
			add(string(quoted[1 : len(quoted)-1]))
		}
		add(url.QueryEscape(s))
		add(strings.ReplaceAll(url.QueryEscape(s), "+", "%20"))
		add(url.PathEscape(s))
		add(base64.StdEncoding.EncodeToString([]byte(s)))
	}
	// A secret within another must not leave the rest of the longer one readable.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	pairs := make([]string, 0, 2*len(forms))
	for _, f := range forms {
		pairs = append(pairs, f, "****")
	}
	return mask{strings.NewReplacer(pairs...)}
}

func (m mask) hide(s string) string { return m.with.Replace(s) }
