package tdstest

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// reader takes a request apart. It panics past its end.
type reader struct{ rest []byte }

func (r *reader) take(n int) []byte {
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) u8() byte    { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

// value reads the type of a parameter and its value.
func (r *reader) value() any {
	kind := r.u8()
	switch kind {
	case 0x1F:
		return nil
	case 0x26, 0x68, 0x6D, 0x6F, 0x24: // integers, bits, floats, datetimes, identifiers
		r.u8()
		return fixed(kind, r.take(int(r.u8())))
	case 0x28: // date
		return fixed(kind, r.take(int(r.u8())))
	case 0x29, 0x2A, 0x2B: // time, datetime2, datetimeoffset
		scale := r.u8()
		return moment(kind, scale, r.take(int(r.u8())))
	case 0xE7, 0xEF, 0xA7, 0xAF, 0xA5, 0xAD:
		return r.long(kind)
	}
	panic(fmt.Sprintf("type %#x", kind))
}

// long reads texts and bytes.
func (r *reader) long(kind byte) any {
	size := r.u16()
	bytes := kind == 0xA5 || kind == 0xAD
	if !bytes {
		r.take(5) // the collation
	}
	var b []byte
	if size == 0xFFFF { // in parts
		if r.u64() == math.MaxUint64 {
			return nil
		}
		for n := r.u32(); n > 0; n = r.u32() {
			b = append(b, r.take(int(n))...)
		}
	} else {
		n := r.u16()
		if n == 0xFFFF {
			return nil
		}
		b = append(b, r.take(int(n))...)
	}
	switch {
	case bytes:
		return append([]byte{}, b...)
	case kind == 0xE7 || kind == 0xEF:
		return fromUCS2(b)
	}
	return string(b)
}

func fixed(kind byte, b []byte) any {
	if len(b) == 0 {
		return nil
	}
	var wide [8]byte
	copy(wide[:], b)
	n := binary.LittleEndian.Uint64(wide[:])
	switch kind {
	case 0x68:
		return n != 0
	case 0x6D:
		if len(b) == 4 {
			return float64(math.Float32frombits(uint32(n)))
		}
		return math.Float64frombits(n)
	case 0x6F:
		days, ticks := int32(n), n>>32
		return time.Date(1900, 1, 1+int(days), 0, 0, 0, 0, time.UTC).Add(time.Duration(ticks) * time.Second / 300)
	case 0x24:
		return append([]byte{}, b...)
	case 0x28:
		return firstDay.AddDate(0, 0, int(n))
	}
	shift := 64 - 8*len(b)
	return int64(n<<shift) >> shift
}

var firstDay = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)

func moment(kind, scale byte, b []byte) any {
	if len(b) == 0 {
		return nil
	}
	var ticks [8]byte
	clock := len(b)
	switch kind {
	case 0x2A:
		clock -= 3
	case 0x2B:
		clock -= 5
	}
	copy(ticks[:], b[:clock])
	t := firstDay
	if kind != 0x29 {
		t = t.AddDate(0, 0, int(b[clock])|int(b[clock+1])<<8|int(b[clock+2])<<16)
	}
	return t.Add(time.Duration(binary.LittleEndian.Uint64(ticks[:])) * time.Duration(math.Pow10(9-int(scale))))
}

// encode writes the columns and the rows of a set.
func (s Set) encode() []byte {
	out := binary.LittleEndian.AppendUint16([]byte{0x81}, uint16(len(s.Columns)))
	for _, c := range s.Columns {
		out = append(out, 0, 0, 0, 0, 9, 0)
		out = append(out, types[c.Type]...)
		name := ucs2(c.Name)
		out = append(append(out, byte(len(name)/2)), name...)
	}
	for _, row := range s.Rows {
		out = append(out, 0xD1)
		for i, v := range row {
			out = append(out, encode(s.Columns[i].Type, v)...)
		}
	}
	return out
}

var types = map[string][]byte{
	"int": {0x26, 4}, "bigint": {0x26, 8}, "bit": {0x68, 1}, "float": {0x6D, 8}, "decimal": {0x6A, 17, 38, 2},
	"nvarchar": {0xE7, 0xFF, 0xFF, 9, 4, 0xD0, 0, 52}, "varbinary": {0xA5, 0xFF, 0xFF},
	"datetime": {0x6F, 8}, "datetime2": {0x2A, 7}, "date": {0x28}, "time": {0x29, 7}, "uniqueidentifier": {0x24, 16},
}

// encode writes a value. It panics where a test gives one that its column cannot have.
func encode(kind string, v any) []byte {
	if v == nil {
		if kind == "nvarchar" || kind == "varbinary" {
			return binary.LittleEndian.AppendUint64(nil, math.MaxUint64)
		}
		return []byte{0}
	}
	short := func(b []byte) []byte { return append([]byte{byte(len(b))}, b...) }
	le := binary.LittleEndian
	switch kind {
	case "int":
		return short(le.AppendUint32(nil, uint32(v.(int64))))
	case "bigint":
		return short(le.AppendUint64(nil, uint64(v.(int64))))
	case "bit":
		if v.(bool) {
			return []byte{1, 1}
		}
		return []byte{1, 0}
	case "float":
		return short(le.AppendUint64(nil, math.Float64bits(v.(float64))))
	case "decimal":
		return short(decimal(v.(string)))
	case "nvarchar":
		return parts(ucs2(v.(string)))
	case "varbinary":
		return parts(v.([]byte))
	case "uniqueidentifier":
		return short(v.([]byte))
	}
	t := v.(time.Time).UTC()
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	clock := le.AppendUint64(nil, uint64(t.Sub(midnight)/100))[:5]
	// Durations reach no further than 292 years.
	days := le.AppendUint32(nil, uint32(midnight.Unix()/86400-firstDay.Unix()/86400))[:3]
	switch kind {
	case "datetime":
		from := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).Unix() / 86400
		return short(le.AppendUint32(le.AppendUint32(nil, uint32(midnight.Unix()/86400-from)), uint32(t.Sub(midnight)*300/time.Second)))
	case "datetime2":
		return short(append(clock, days...))
	case "date":
		return short(days)
	case "time":
		return short(clock)
	}
	panic("type " + kind)
}

// parts is a long value in one part.
func parts(b []byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(b)))
	if len(b) > 0 {
		out = append(binary.LittleEndian.AppendUint32(out, uint32(len(b))), b...)
	}
	return append(out, 0, 0, 0, 0)
}

// decimal with two digits behind the point.
func decimal(s string) []byte {
	digits := strings.Replace(strings.TrimPrefix(s, "-"), ".", "", 1)
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		panic("decimal " + s)
	}
	out := make([]byte, 17)
	if !strings.HasPrefix(s, "-") {
		out[0] = 1
	}
	for i, b := range n.Bytes() {
		out[len(n.Bytes())-i] = b
	}
	return out
}
