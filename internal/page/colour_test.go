package page

import (
	"math"
	"testing"
)

func TestParseColour(t *testing.T) {
	for _, row := range []struct {
		text string
		want string // empty: refused
	}{
		{"#000", "#000000"},
		{"#fA3", "#ffaa33"},
		{"#17694a", "#17694a"},
		{"#17694A", "#17694a"},
		{"", ""}, {"#", ""}, {"17694a", ""}, {"#17694", ""}, {"#17694aff", ""}, {"#12345g", ""}, {"red", ""},
		{"#fff}", ""}, {"#;x}", ""}, {"é12", ""},
	} {
		c, ok := parseColour(row.text)
		if ok != (row.want != "") || ok && c.String() != row.want {
			t.Errorf("%q: %v %v, want %q", row.text, c, ok, row.want)
		}
	}
}

// The values are those of the WCAG's own examples and of other calculators.
func TestContrast(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want float64
	}{
		{"#000000", "#ffffff", 21},
		{"#ffffff", "#ffffff", 1},
		{"#767676", "#ffffff", 4.54},
		{"#777777", "#ffffff", 4.48},
		{"#ff0000", "#ffffff", 4.0},
		{"#0000ff", "#ffffff", 8.59},
	} {
		a, _ := parseColour(row.a)
		b, _ := parseColour(row.b)
		if got := contrast(a, b); math.Abs(got-row.want) > 0.005 {
			t.Errorf("%s on %s: %.3f, want %.2f", row.a, row.b, got, row.want)
		}
	}
}

func TestReadable(t *testing.T) {
	for ground, want := range map[string]string{
		"#ffffff": "#141b18", "#000000": "#ffffff", "#17694a": "#ffffff", "#ffd400": "#141b18", "#767676": "#ffffff", "#7a7a7a": "#000000",
	} {
		g, _ := parseColour(ground)
		if got := readable(g).String(); got != want {
			t.Errorf("on %s: %s, want %s", ground, got, want)
		}
	}
}

// every calls f with colours of the whole space.
func every(f func(colour)) {
	for r := 0; r < 256; r += 15 {
		for g := 0; g < 256; g += 15 {
			for b := 0; b < 256; b += 15 {
				f(colour{uint8(r), uint8(g), uint8(b)})
			}
		}
	}
}

// The law: whatever the colour of a brand, what is written in it or on it can be read.
func TestEveryBrandIsLegible(t *testing.T) {
	every(func(c colour) {
		if got := contrast(readable(c), c); got < legible {
			t.Fatalf("on %v: %.2f", c, got)
		}
		for _, dark := range []bool{false, true} {
			th := themeOf(c, c, dark)
			for _, pair := range []struct {
				what      string
				a, b      colour
				at, least float64
			}{
				{"button", th.onPrimary, th.primary, 0, legible},
				{"button under the pointer", th.onPrimary, th.hover, 0, legible},
				{"link", th.link, th.card, 0, legible},
				{"edge of a button", th.edge, th.card, 0, visible},
				{"text below the card", th.onGround, th.ground, 0, legible},
			} {
				if got := contrast(pair.a, pair.b); got < pair.least {
					t.Fatalf("%s of %v, dark %v: %v on %v is %.2f", pair.what, c, dark, pair.a, pair.b, got)
				}
			}
		}
	})
}
