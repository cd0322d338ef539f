package page

import (
	"fmt"
	"math"
)

// colour is one of sRGB, 8 bits a channel.
type colour struct{ r, g, b uint8 }

var (
	white = colour{255, 255, 255}
	black = colour{}
	// ink is what dark text is written in.
	ink = colour{0x14, 0x1b, 0x18}
)

// legible is the contrast that text needs (WCAG 2.2, 1.4.3), visible the one of
// the bounds of a control (1.4.11).
const (
	legible = 4.5
	visible = 3.0
)

// parseColour reads #rgb and #rrggbb; false: it is neither.
func parseColour(s string) (colour, bool) {
	if len(s) != 4 && len(s) != 7 || s[0] != '#' {
		return colour{}, false
	}
	digits := make([]uint8, 0, 6)
	for i := 1; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return colour{}, false
		}
		digits = append(digits, c)
	}
	if len(digits) == 3 {
		return colour{digits[0] * 17, digits[1] * 17, digits[2] * 17}, true
	}
	return colour{digits[0]<<4 | digits[1], digits[2]<<4 | digits[3], digits[4]<<4 | digits[5]}, true
}

// String is #rrggbb.
func (c colour) String() string { return fmt.Sprintf("#%02x%02x%02x", c.r, c.g, c.b) }

// luminance is the relative luminance, 0 to 1 (WCAG 2.2).
func (c colour) luminance() float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.r) + 0.7152*linear(c.g) + 0.0722*linear(c.b)
}

// contrast of two colours, 1 to 21 (WCAG 2.2).
func contrast(a, b colour) float64 {
	la, lb := a.luminance(), b.luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// mix is a with a share of b, 0 to 1.
func mix(a, b colour, share float64) colour {
	channel := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + (float64(y)-float64(x))*share)) }
	return colour{channel(a.r, b.r), channel(a.g, b.g), channel(a.b, b.b)}
}

// readable is the colour of text on a ground: white where that is legible,
// dark otherwise, and black where nothing less will do.
func readable(ground colour) colour {
	for _, c := range []colour{white, ink} {
		if contrast(c, ground) >= legible {
			return c
		}
	}
	return black
}

// against is c, as little darker or lighter as makes it stand out from all
// grounds by the contrast least. Where no colour does, it is the one that comes closest.
func against(c colour, least float64, grounds ...colour) colour {
	worst := func(c colour) float64 {
		w := math.Inf(1)
		for _, g := range grounds {
			w = min(w, contrast(c, g))
		}
		return w
	}
	end := black
	if worst(white) > worst(black) {
		end = white
	}
	for share := 0.0; share < 1; share += 0.02 {
		if m := mix(c, end, share); worst(m) >= least {
			return m
		}
	}
	return end
}

// dusk is a ground as it is in the dark: its hue, hardly any light.
func dusk(c colour) colour {
	for c.luminance() > 0.012 {
		c = mix(c, black, 0.1)
	}
	return c
}
