package user

import (
	"strings"
	"time"
)

const noDate = "expected a date: YYYY, YYYY-MM, YYYY-MM-DD, or ISO 8601 with a time"

// dateForms are the spellings of a date, and how long what each of them means is.
var dateForms = []struct {
	layout string
	end    func(time.Time) time.Time
}{
	{"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
	{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
	{"2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	{"2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
	{"2006-01-02T15:04Z07:00", func(t time.Time) time.Time { return t.Add(time.Minute) }},
	{"2006-01-02T15:04:05", func(t time.Time) time.Time { return t.Add(time.Second) }},
	{"2006-01-02T15:04:05Z07:00", func(t time.Time) time.Time { return t.Add(time.Second) }},
}

// period is the time that a date stands for: from begin up to, not including,
// end, microseconds. A date without a zone is in UTC. A form that leaves out parts
// means all that they could be; the finest is the millisecond, as shown.
func period(s string) (begin, end int64, ok bool) {
	for _, f := range dateForms {
		t, err := time.Parse(f.layout, s)
		if err != nil {
			continue
		}
		until := f.end(t)
		// time.Parse takes a fraction behind the seconds of any layout.
		if digits := fractionDigits(s); digits > 0 {
			part := time.Second
			for range min(digits, 3) {
				part /= 10
			}
			t = t.Truncate(part)
			until = t.Add(part)
		}
		return t.UnixMicro(), until.UnixMicro(), true
	}
	return 0, 0, false
}

func fractionDigits(s string) int {
	_, fraction, _ := strings.Cut(strings.ReplaceAll(s, ",", "."), ".")
	return len(fraction) - len(strings.TrimLeft(fraction, "0123456789"))
}
