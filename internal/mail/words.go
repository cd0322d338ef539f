package mail

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/language"

	"mangrove/internal/liquid"
)

// languages are those that our own letters are in; the first is the last resort.
var languages = []string{"en", "de", "es"}

// words are what our own letters say in a language; each text is Liquid.
type words struct {
	Units                map[string][2]string // day, hour, minute, second; one and more
	Hello, Copy, Support string
	Factors              map[string]string
	Letters              map[string]struct {
		Subject, Title string
		Text           []string
		Button         string
		After          []string
	}
}

var vocabulary = readWords()

func readWords() map[string]words {
	m := map[string]words{}
	for _, l := range languages {
		b, err := files.ReadFile("words/" + l + ".json")
		if err != nil {
			panic(err) // it is embedded
		}
		var w words
		if err := json.Unmarshal(b, &w); err != nil {
			panic(fmt.Errorf("words of %s: %w", l, err))
		}
		m[l] = w
	}
	return m
}

// maxWish is how much of a request's languages is read, bytes.
const maxWish = 256

// languageOf chooses a language for somebody who wishes for some, among those that
// the tenant enabled, of which the first is its own.
func languageOf(wish string, enabled []string) string {
	offered := enabled
	if len(offered) == 0 {
		offered = languages[:1]
	}
	tags := make([]language.Tag, len(offered))
	for i, l := range offered {
		tags[i] = language.Make(l)
	}
	at := 0
	if wishes, _, err := language.ParseAcceptLanguage(wish[:min(len(wish), maxWish)]); err == nil && len(wishes) > 0 {
		if _, i, sure := language.NewMatcher(tags).Match(wishes...); sure != language.No {
			at = i
		}
	}
	return offered[at]
}

// spoken is the language of ours that is nearest to a tenant's.
func spoken(chosen string) string { return languageOf(chosen, languages) }

// say fills a text of ours in.
func say(text string, vars map[string]any) (string, error) {
	t, err := liquid.Parse(text)
	if err != nil {
		return "", err
	}
	return t.Render(vars, liquid.Limits{})
}

// factors names kinds of factors, of which there are blanks between.
func (w words) factors(kinds string) string {
	names := strings.Fields(kinds)
	for i, k := range names {
		name, ok := w.Factors[k]
		if !ok {
			name = w.Factors["other"]
		}
		names[i] = name
	}
	return strings.Join(names, ", ")
}

// span says how long, in the largest unit that is exact.
func (w words) span(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := d / unit.of; n > 0 && d%unit.of == 0 {
			if n == 1 {
				return "1 " + w.Units[unit.name][0]
			}
			return fmt.Sprintf("%d %s", n, w.Units[unit.name][1])
		}
	}
	return d.String()
}
