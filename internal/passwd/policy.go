package passwd

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Policy is the strength policy of a connection.
type Policy struct {
	Level     string // none, low, fair, good, excellent; empty: good
	MinLength int    // 0: by level
	// Options is the newer password_options.complexity; nil: by level.
	Options *Complexity
	// Dictionary: refuse the 10,000 most frequent passwords and Custom; with Many
	// all that are known to be frequent.
	Dictionary, Many bool
	Custom           []string
	// History is how many passwords, the present one among them, a new one must
	// not be; zero: none. Whoever has their hashes checks it (Reused).
	History int
	// Personal: refuse passwords that contain one of Check's personal words.
	Personal bool
}

// Complexity is password_options.complexity of reference/connections.md §2.1.
type Complexity struct {
	MinLength  int      // 0: 15
	Types      []string // uppercase, lowercase, number, special
	ThreeOf4   bool
	Identical  bool // block more than two identical characters in a row
	Sequential bool // block sequences
	Truncate   bool // over 72 bytes: cut instead of refuse; we refuse all the same
}

// Weak is why a password is refused (reference/authentication.md §5.2).
type Weak struct {
	Name        string // PasswordStrengthError, PasswordDictionaryError, PasswordNoUserInfoError
	Message     string // "Password is too weak", …
	Description any    // the rules object (Rules) of a strength error, or a text
	Policy      string // rendered rules; strength errors only
}

func (w *Weak) Error() string { return w.Name + ": " + w.Message }

// Rules is the description of a strength error.
type Rules struct {
	Rules    []Rule `json:"rules"`
	Verified bool   `json:"verified"`
}

// Rule is one rule and whether the password keeps it. Format are the values for
// the printf verbs of Message.
type Rule struct {
	Message  string `json:"message"`
	Format   []any  `json:"format,omitempty"`
	Code     string `json:"code"`
	Items    []Item `json:"items,omitempty"`
	Verified bool   `json:"verified"`

	ok func(password string) bool
}

// Item is one kind of characters.
type Item struct {
	Message  string `json:"message"`
	Code     string `json:"code"`
	Verified bool   `json:"verified"`

	has func(c rune) bool
}

// The kinds of characters; ASCII only.
var (
	lowers   = Item{Message: "lower case letters (a-z)", Code: "lowerCase", has: func(c rune) bool { return c >= 'a' && c <= 'z' }}
	uppers   = Item{Message: "upper case letters (A-Z)", Code: "upperCase", has: func(c rune) bool { return c >= 'A' && c <= 'Z' }}
	numbers  = Item{Message: "numbers (i.e. 0-9)", Code: "numbers", has: func(c rune) bool { return c >= '0' && c <= '9' }}
	specials = Item{Message: "special characters (e.g. !@#$%^&*)", Code: "specialCharacters", has: func(c rune) bool {
		return strings.ContainsRune(" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", c)
	}}
)

// minPersonal is the shortest personal word that counts, in characters: nearly
// every password contains somebody's initial.
const minPersonal = 3

// Check returns nil or a *Weak. personal are words that the password must not
// contain (name, username, local part of the e-mail, …).
func (p Policy) Check(password string, personal []string) error {
	password = Normalize(password)
	rules := p.Rules()
	// What Hash cannot take is told only to those whom it concerns: the
	// reference's texts do not have it.
	never := func(string) bool { return false }
	if len(password) > MaxBytes {
		rules = append(rules, Rule{Message: "At most %d bytes in length", Format: []any{MaxBytes}, Code: "maxLength", ok: never})
	}
	if strings.Contains(password, "\x00") {
		rules = append(rules, Rule{Message: "No NUL character", Code: "noNUL", ok: never})
	}
	weak := false
	for i := range rules {
		r := &rules[i]
		for j := range r.Items {
			r.Items[j].Verified = strings.ContainsFunc(password, r.Items[j].has)
		}
		r.Verified = r.ok(password)
		weak = weak || !r.Verified
	}
	if weak {
		return &Weak{Name: "PasswordStrengthError", Message: "Password is too weak", Description: Rules{Rules: rules}, Policy: render(rules)}
	}
	words := usualWords
	if p.Many {
		words = manyWords
	}
	if p.Dictionary && inDictionary(password, words, p.Custom) {
		return &Weak{Name: "PasswordDictionaryError", Message: "Password is too common", Description: "Password is too common"}
	}
	if p.Personal && containsAny(password, personal) {
		return &Weak{Name: "PasswordNoUserInfoError", Message: "Password contains user information", Description: "Password contains user information"}
	}
	return nil
}

func containsAny(password string, words []string) bool {
	password = strings.ToLower(password)
	for _, w := range words {
		w = strings.ToLower(strings.TrimSpace(Normalize(w)))
		if utf8.RuneCountInString(w) >= minPersonal && strings.Contains(password, w) {
			return true
		}
	}
	return false
}

// Text is the policy as a sign-up form shows it.
func (p Policy) Text() string { return render(p.Rules()) }

// Rules are those of reference/authentication.md §5.1, none of them verified.
func (p Policy) Rules() []Rule {
	if p.Options != nil {
		return p.Options.rules()
	}
	length := func(n int) Rule {
		if p.MinLength > 0 {
			n = p.MinLength
		}
		return atLeast(n)
	}
	switch p.Level {
	case "none":
		if p.MinLength > 0 {
			return []Rule{atLeast(p.MinLength)}
		}
		return []Rule{{Message: "Non-empty password required", Code: "nonEmpty", ok: func(s string) bool { return s != "" }}}
	case "low":
		return []Rule{length(6)}
	case "fair":
		return []Rule{length(8), all(lowers, uppers, numbers)}
	case "excellent":
		return []Rule{length(10), threeOfFour(), identical()}
	default:
		return []Rule{length(8), threeOfFour()}
	}
}

func (c *Complexity) rules() []Rule {
	n := c.MinLength
	if n == 0 {
		n = 15
	}
	rules := []Rule{atLeast(n)}
	if c.ThreeOf4 {
		rules = append(rules, threeOfFour())
	} else {
		var items []Item
		for _, t := range []struct {
			name string
			item Item
		}{{"lowercase", lowers}, {"uppercase", uppers}, {"number", numbers}, {"special", specials}} {
			for _, wanted := range c.Types {
				if wanted == t.name {
					items = append(items, t.item)
					break
				}
			}
		}
		if len(items) > 0 {
			rules = append(rules, all(items...))
		}
	}
	if c.Identical {
		rules = append(rules, identical())
	}
	if c.Sequential {
		rules = append(rules, sequential())
	}
	return rules
}

// atLeast counts UTF-16 code units, as browsers and the reference do.
func atLeast(n int) Rule {
	return Rule{Message: "At least %d characters in length", Format: []any{n}, Code: "lengthAtLeast", ok: func(s string) bool {
		units := 0
		for _, c := range s {
			units++
			if c > 0xffff {
				units++
			}
		}
		return units >= n
	}}
}

func all(items ...Item) Rule {
	return Rule{Message: "Should contain:", Code: "shouldContain", Items: items, ok: kinds(items, len(items))}
}

func threeOfFour() Rule {
	items := []Item{lowers, uppers, numbers, specials}
	return Rule{Message: "Contain at least %d of the following %d types of characters:", Format: []any{3, 4}, Code: "containsAtLeast",
		Items: items, ok: kinds(items, 3)}
}

func kinds(items []Item, n int) func(string) bool {
	return func(s string) bool {
		found := 0
		for _, item := range items {
			if strings.ContainsFunc(s, item.has) {
				found++
			}
		}
		return found >= n
	}
}

func identical() Rule {
	return Rule{Message: `No more than %d identical characters in a row (e.g., "%s" not allowed)`, Format: []any{2, "aaa"}, Code: "identicalChars",
		ok: func(s string) bool { return longestRun(s, func(a, b rune) bool { return a == b }) <= 2 }}
}

// sequential looks at letters and digits of ASCII, in either direction and
// whatever their case.
func sequential() Rule {
	step := func(by rune) func(a, b rune) bool {
		return func(a, b rune) bool {
			alnum := func(c rune) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
			return alnum(a) && alnum(b) && b-a == by
		}
	}
	return Rule{Message: `No more than %d sequential characters in a row (e.g., "%s" not allowed)`, Format: []any{2, "abc"}, Code: "sequentialChars",
		ok: func(s string) bool {
			s = strings.ToLower(s)
			return longestRun(s, step(1)) <= 2 && longestRun(s, step(-1)) <= 2
		}}
}

// longestRun is the length of the longest stretch in which follows holds
// between all neighbours.
func longestRun(s string, follows func(a, b rune) bool) int {
	longest, run := 0, 0
	var before rune
	for _, c := range s {
		if run > 0 && follows(before, c) {
			run++
		} else {
			run = 1
		}
		before = c
		longest = max(longest, run)
	}
	return longest
}

// render writes the rules as §5.2 shows them.
func render(rules []Rule) string {
	var b strings.Builder
	for i, r := range rules {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("* ")
		fmt.Fprintf(&b, r.Message, r.Format...)
		for _, item := range r.Items {
			b.WriteString("\n * ")
			b.WriteString(item.Message)
		}
	}
	return b.String()
}
