package liquid

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// zoneOf is the zone that an argument of date names: minutes west of UTC, or
// its name; nil: UTC.
func zoneOf(v any) (*time.Location, error) {
	switch v := v.(type) {
	case nil:
		return time.UTC, nil
	case float64:
		if math.Abs(v) <= 24*60 {
			return time.FixedZone("", -60*int(v)), nil
		}
	case string, markup:
		if s := strings.ToUpper(display(v)); s == "UTC" || s == "GMT" {
			return time.FixedZone(s, 0), nil
		}
	}
	return nil, errZone
}

// The forms of a date that JavaScript reads. Without a zone, and all of a day, is UTC.
var layouts = []string{
	"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02T15:04",
	"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999 -0700", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04",
	"2006-01-02", "2006-01", "2006", "2006/1/2", "2006/1/2 15:04:05", "1/2/2006", "1/2/2006 15:04:05",
	"Jan 2, 2006", "January 2, 2006", "2 Jan 2006", "2 January 2006", "Jan 2 2006", "January 2 2006",
	time.RFC1123, time.RFC1123Z, "Mon, 2 Jan 2006 15:04:05 MST", "Mon Jan 2 2006 15:04:05", "2 Jan 2006 15:04:05 MST",
}

// dateOf reads a date: seconds since 1970, a text, or now.
func dateOf(v any, now time.Time) (time.Time, bool) {
	switch v := v.(type) {
	case float64:
		return seconds(v)
	case string, markup:
		s := display(v)
		if s == "now" || s == "today" {
			return now, !now.IsZero()
		}
		if s != "" && strings.Trim(s, "0123456789") == "" {
			return seconds(numberOf(s))
		}
		for _, l := range layouts {
			if t, err := time.Parse(l, s); err == nil {
				return t.Truncate(time.Millisecond), true
			}
		}
	}
	return time.Time{}, false
}

func seconds(f float64) (time.Time, bool) {
	if math.IsNaN(f) || math.Abs(f) > 8.64e12 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(math.Floor(f * 1000))), true
}

var directive = regexp.MustCompile(`%([-_0^#:]+)?(\d+)?([EO])?(.)`)

var widths = map[byte]int{
	'C': 2, 'd': 2, 'e': 2, 'H': 2, 'I': 2, 'j': 3, 'k': 2, 'l': 2, 'L': 3, 'm': 2, 'M': 2, 'S': 2, 'U': 2, 'W': 2, 'y': 2, 'Y': 4,
}

// strftime is Ruby's, as LiquidJS has it, in English.
func strftime(t time.Time, format string, zoned bool, most int) (any, error) {
	var b strings.Builder
	for {
		at := directive.FindStringSubmatchIndex(format)
		if at == nil {
			return b.String() + format, nil
		}
		b.WriteString(format[:at[0]])
		group := func(i int) string {
			if at[2*i] < 0 {
				return ""
			}
			return format[at[2*i]:at[2*i+1]]
		}
		width, err := strconv.Atoi("0" + group(2))
		if err != nil || b.Len()+width > most {
			return nil, ErrLimit
		}
		if s, ok := field(t, group(4), group(1), width, zoned); ok {
			b.WriteString(s)
		} else {
			b.WriteString(group(0))
		}
		format = format[at[1]:]
	}
}

// field is one directive: conversion, flags and width.
func field(t time.Time, conversion, flags string, width int, zoned bool) (string, bool) {
	s, ok := fieldValue(t, conversion, flags, width, zoned)
	if !ok {
		return "", false
	}
	char, n := byte('0'), widths[conversion[0]]
	if strings.Contains("aAbBceklpP", conversion) {
		char = ' '
	}
	if width > 0 {
		n = width
	}
	switch {
	case strings.Contains(flags, "^"):
		s = strings.ToUpper(s)
	case strings.Contains(flags, "#") && strings.ContainsAny(s, "abcdefghijklmnopqrstuvwxyz"):
		s = strings.ToUpper(s)
	case strings.Contains(flags, "#"):
		s = strings.ToLower(s)
	}
	switch {
	case strings.Contains(flags, "_"):
		char = ' '
	case strings.Contains(flags, "0"):
		char = '0'
	}
	if strings.Contains(flags, "-") {
		n = 0
	}
	sign := ""
	if char == '0' && strings.HasPrefix(s, "-") {
		sign, s, n = "-", s[1:], n-1
	}
	return sign + strings.Repeat(string(char), max(0, n-len(s))) + s, true
}

func fieldValue(t time.Time, conversion, flags string, width int, zoned bool) (string, bool) {
	hour12 := (t.Hour()+11)%12 + 1
	half := "AM"
	if t.Hour() >= 12 {
		half = "PM"
	}
	// Days before the first of that weekday belong to week 0.
	week := func(first int) int { return (t.YearDay() - 1 - (int(t.Weekday())-first+7)%7 + 7) / 7 }
	colon := ""
	if strings.Contains(flags, ":") {
		colon = ":"
	}
	clock := t.Format("3:04:05 PM")
	day := t.Format("1/2/2006")
	switch conversion {
	case "a":
		return t.Format("Mon"), true
	case "A":
		return t.Format("Monday"), true
	case "b", "h":
		return t.Format("Jan"), true
	case "B":
		return t.Format("January"), true
	case "c":
		return day + ", " + clock, true
	case "x":
		return day, true
	case "X":
		return clock, true
	case "N":
		if width == 0 {
			width = 9
		}
		ms := pad(t.Nanosecond()/1e6, 3)
		ms = ms[:min(width, 3)]
		return ms + strings.Repeat("0", width-len(ms)), true
	case "p":
		return half, true
	case "P":
		return strings.ToLower(half), true
	case "q":
		return ordinal(t.Day()), true
	case "z":
		return t.Format("-07" + colon + "00"), true
	case "Z":
		if !zoned {
			return "UTC", true
		}
		if name, _ := t.Zone(); name != "" {
			return name, true
		}
		return t.Format("-07" + colon + "00"), true
	case "t":
		return "\t", true
	case "n":
		return "\n", true
	case "%":
		return "%", true
	}
	n, ok := map[string]int{
		"C": int(math.Floor(float64(t.Year()) / 100)), "d": t.Day(), "e": t.Day(), "H": t.Hour(), "I": hour12, "j": t.YearDay(), "k": t.Hour(), "l": hour12,
		"L": t.Nanosecond() / 1e6, "m": int(t.Month()), "M": t.Minute(), "s": int(t.Unix()), "S": t.Second(), "u": (int(t.Weekday())+6)%7 + 1,
		"U": week(0), "w": int(t.Weekday()), "W": week(1), "y": (t.Year()%100 + 100) % 100, "Y": t.Year(),
	}[conversion]
	return strconv.Itoa(n), ok
}

func pad(n, width int) string {
	s := strconv.Itoa(n)
	return strings.Repeat("0", max(0, width-len(s))) + s
}

func ordinal(day int) string {
	if day >= 11 && day <= 13 {
		return "th"
	}
	switch day % 10 {
	case 1:
		return "st"
	case 2:
		return "nd"
	case 3:
		return "rd"
	}
	return "th"
}
