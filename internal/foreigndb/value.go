package foreigndb

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// pgTypes are the names of the types that PostgreSQL brings along, by their numbers.
var pgTypes = map[uint32]string{
	16: "bool", 17: "bytea", 18: "char", 19: "name", 20: "int8", 21: "int2", 23: "int4", 25: "text", 26: "oid", 114: "json", 142: "xml",
	650: "cidr", 700: "float4", 701: "float8", 790: "money", 829: "macaddr", 869: "inet", 1042: "bpchar", 1043: "varchar",
	1082: "date", 1083: "time", 1114: "timestamp", 1184: "timestamptz", 1186: "interval", 1266: "timetz", 1560: "bit", 1562: "varbit",
	1700: "numeric", 2950: "uuid", 3802: "jsonb",
	1000: "bool[]", 1005: "int2[]", 1007: "int4[]", 1009: "text[]", 1014: "bpchar[]", 1015: "varchar[]", 1016: "int8[]",
	1021: "float4[]", 1022: "float8[]", 1231: "numeric[]", 2951: "uuid[]", 199: "json[]", 3807: "jsonb[]",
}

// pgTypeName is the name of a type; of one that was made in the database, its number.
func pgTypeName(oid uint32) string {
	if name := pgTypes[oid]; name != "" {
		return name
	}
	return strconv.FormatUint(uint64(oid), 10)
}

// pgValue is a value out of its text. What has no form among those of Result.Rows, and
// what cannot be read, stays text: dates, infinite times, NaN and arrays are.
func pgValue(oid uint32, text string) any {
	switch pgTypes[oid] {
	case "bool":
		return text == "t"
	case "int2", "int4", "int8", "oid":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case "float4", "float8":
		if f, err := strconv.ParseFloat(text, 64); err == nil && f-f == 0 {
			return f
		}
	case "bytea":
		if b, ok := pgBytes(text); ok {
			return b
		}
	case "timestamptz":
		for _, layout := range []string{"2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.999999-07:00", "2006-01-02 15:04:05.999999-07:00:00"} {
			if at, err := time.Parse(layout, text); err == nil {
				return at.UTC()
			}
		}
	case "timestamp": // of no place: taken for UTC
		if at, err := time.Parse("2006-01-02 15:04:05.999999", text); err == nil {
			return at
		}
	}
	return text
}

// pgBytes reads both forms of bytea.
func pgBytes(text string) ([]byte, bool) {
	if digits, ok := strings.CutPrefix(text, `\x`); ok {
		b, err := hex.DecodeString(digits)
		return b, err == nil
	}
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '\\':
			b = append(b, text[i])
		case strings.HasPrefix(text[i:], `\\`):
			b = append(b, '\\')
			i++
		case i+3 < len(text):
			n, err := strconv.ParseUint(text[i+1:i+4], 8, 8)
			if err != nil {
				return nil, false
			}
			b = append(b, byte(n))
			i += 3
		default:
			return nil, false
		}
	}
	return b, true
}

// firstWord of a statement or a command tag.
func firstWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return word
}
