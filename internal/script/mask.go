package script

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// minSecret is the length below which a text cannot be masked: it would be found
// everywhere.
const minSecret = 4

// mask hides the secrets of a run in the words of its script. It is made when there are
// any.
type mask struct {
	secrets []string
	with    func() *strings.Replacer
}

// newMask knows each secret as it is, in small letters and in capitals, and as it looks
// in JSON, in a URL, in hexadecimal and in Base64, there also behind other bytes
// (user:password of a header).
func newMask(secrets []string) mask {
	return mask{secrets, sync.OnceValue(func() *strings.Replacer { return hider(secrets) })}
}

func hider(secrets []string) *strings.Replacer {
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
		add(quoted(s, true))
		add(quoted(s, false))
		query := strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
		add(url.QueryEscape(s))
		add(query)
		add(url.PathEscape(s))
		add(unreserved.Replace(query))
		add(hex.EncodeToString([]byte(s)))
		add(strings.ToUpper(hex.EncodeToString([]byte(s))))
		add(strings.ToUpper(s))
		add(strings.ToLower(s))
		add(base64.StdEncoding.EncodeToString([]byte(s)))
		for before := range 3 {
			for _, form := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				if within := encodedWithin(form, s, before); len(within) >= minSecret {
					add(within)
				}
			}
		}
	}
	// A secret within another must not leave the rest of the longer one readable.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	pairs := make([]string, 0, 2*len(forms))
	for _, f := range forms {
		pairs = append(pairs, f, "****")
	}
	return strings.NewReplacer(pairs...)
}

// unreserved is what encodeURIComponent leaves as it is.
var unreserved = strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*")

// quoted is a text within JSON, as Go writes it for HTML or as JavaScript does.
func quoted(s string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	if e.Encode(s) != nil { // of a text: cannot be
		return s
	}
	return b.String()[1 : b.Len()-len("\"\n")]
}

// encodedWithin are the digits that a text has in Base64 behind so many other bytes,
// without those that it shares with its neighbours.
func encodedWithin(form *base64.Encoding, s string, before int) string {
	all := form.EncodeToString([]byte("xxx"[:before] + s))
	return all[(before*8+5)/6 : (before+len(s))*8/6]
}

// Hide returns a function that puts **** in the place of secrets, in each of the forms
// in which a run's own are masked.
func Hide(secrets []string) func(string) string { return newMask(secrets).hide }

func (m mask) hide(s string) string {
	if s != "" && slices.Contains(m.secrets, s) { // one that is too short to be found
		return "****"
	}
	return m.with().Replace(s)
}
