package foreigndb

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// BSON in JSON, between js/6d_mongodb.js and here. Texts, booleans and null are
// themselves; a number that fits 32 bits and has no fraction is an int32, any other a
// double. Everything else is an array that begins with what it is:
//
//	["o", key, value, …]  a document, in its order
//	["a", value, …]       an array
//	["i", "hex"]          an ObjectId
//	["t", ms]             a date
//	["l", "digits"]       an int64
//	["d", "NaN"]          a double that JSON cannot write
//	["n", "1.50"]         a decimal
//	["b", "Base64", type] bytes
//	["r", pattern, flags] a regular expression
//	["s", t, i]           a timestamp
//
// So no text and no document, whoever wrote it, is ever taken for something else, which
// members named $oid or $date are in Extended JSON.

// maxMongoDepth is how deep documents may nest; the server's own limit is 100.
const maxMongoDepth = 100

var errMongoForm = errors.New("a value cannot be read")

// readMongoDocument reads a document.
func readMongoDocument(raw json.RawMessage) (bson.D, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, errMongoForm
	}
	read, err := readMongo(v, 0)
	if err != nil {
		return nil, err
	}
	d, ok := read.(bson.D)
	if !ok {
		return nil, errMongoForm
	}
	return d, nil
}

func readMongo(v any, depth int) (any, error) {
	switch v := v.(type) {
	case nil, bool, string:
		return v, nil
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 32); err == nil {
			return int32(n), nil
		}
		return v.Float64()
	case []any:
		if depth > maxMongoDepth {
			return nil, fmt.Errorf("a document nests deeper than %d", maxMongoDepth)
		}
		return readMongoTagged(v, depth)
	}
	return nil, errMongoForm
}

func readMongoTagged(v []any, depth int) (any, error) {
	if len(v) == 0 {
		return nil, errMongoForm
	}
	switch v[0] {
	case "o":
		d := make(bson.D, 0, len(v)/2)
		for i := 1; i+1 < len(v); i += 2 {
			key, ok := v[i].(string)
			if !ok {
				return nil, errMongoForm
			}
			if bytes.IndexByte([]byte(key), 0) >= 0 {
				return nil, errors.New("a key holds a zero byte")
			}
			value, err := readMongo(v[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			d = append(d, bson.E{Key: key, Value: value})
		}
		return d, nil
	case "a":
		a := make(bson.A, 0, len(v)-1)
		for _, item := range v[1:] {
			value, err := readMongo(item, depth+1)
			if err != nil {
				return nil, err
			}
			a = append(a, value)
		}
		return a, nil
	}
	return readMongoScalar(v)
}

func readMongoScalar(v []any) (any, error) {
	text := func(i int) string {
		if i >= len(v) {
			return ""
		}
		switch s := v[i].(type) {
		case string:
			return s
		case json.Number:
			return s.String()
		}
		return ""
	}
	number := func(i, bits int) uint64 {
		n, err := strconv.ParseUint(text(i), 10, bits)
		if err != nil {
			return 0
		}
		return n
	}
	switch v[0] {
	case "i":
		return bson.ObjectIDFromHex(text(1))
	case "t":
		ms, err := strconv.ParseFloat(text(1), 64)
		if err != nil || math.Abs(ms) > 8.64e15 { // as far as JavaScript's dates go
			return nil, errors.New("a date is none")
		}
		return bson.DateTime(int64(ms)), nil
	case "l":
		return strconv.ParseInt(text(1), 10, 64)
	case "d":
		return strconv.ParseFloat(text(1), 64)
	case "n":
		return bson.ParseDecimal128(text(1))
	case "b":
		b, err := base64.StdEncoding.DecodeString(text(1))
		return bson.Binary{Subtype: byte(number(2, 8)), Data: b}, err
	case "r":
		return bson.Regex{Pattern: text(1), Options: text(2)}, nil
	case "s":
		return bson.Timestamp{T: uint32(number(1, 32)), I: uint32(number(2, 32))}, nil
	}
	return nil, errMongoForm
}

// writeMongo writes a value that the server sent.
func writeMongo(v bson.RawValue) (json.RawMessage, error) { return appendMongo(nil, v, 0) }

func appendMongo(out []byte, v bson.RawValue, depth int) ([]byte, error) {
	if depth > 2*maxMongoDepth {
		return nil, errMongoForm
	}
	text := func(s string) []byte {
		b, err := json.Marshal(s)
		if err != nil { // of texts there is none
			return []byte(`""`)
		}
		return b
	}
	switch v.Type {
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		elements, err := bson.Raw(v.Value).Elements()
		if err != nil {
			return nil, errMongoForm
		}
		kind := `["o"`
		if v.Type == bson.TypeArray {
			kind = `["a"`
		}
		out = append(out, kind...)
		for _, e := range elements {
			out = append(out, ',')
			if v.Type != bson.TypeArray {
				out = append(append(out, text(e.Key())...), ',')
			}
			if out, err = appendMongo(out, e.Value(), depth+1); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	case bson.TypeString:
		return append(out, text(v.StringValue())...), nil
	case bson.TypeSymbol:
		s, _ := v.SymbolOK()
		return append(out, text(s)...), nil
	case bson.TypeJavaScript:
		s, _ := v.JavaScriptOK()
		return append(out, text(s)...), nil
	case bson.TypeBoolean:
		return strconv.AppendBool(out, v.Boolean()), nil
	case bson.TypeInt32:
		return strconv.AppendInt(out, int64(v.Int32()), 10), nil
	case bson.TypeInt64:
		return fmt.Appendf(out, `["l","%d"]`, v.Int64()), nil
	case bson.TypeDouble:
		f := v.Double()
		if math.IsNaN(f) {
			return append(out, `["d","NaN"]`...), nil
		}
		if math.IsInf(f, 0) {
			return fmt.Appendf(out, `["d","%s"]`, map[bool]string{true: "Infinity", false: "-Infinity"}[f > 0]), nil
		}
		return strconv.AppendFloat(out, f, 'g', -1, 64), nil
	case bson.TypeDecimal128:
		return fmt.Appendf(out, `["n",%s]`, text(v.Decimal128().String())), nil
	case bson.TypeObjectID:
		id := v.ObjectID()
		return fmt.Appendf(out, `["i","%s"]`, hex.EncodeToString(id[:])), nil
	case bson.TypeDateTime:
		return fmt.Appendf(out, `["t",%d]`, v.DateTime()), nil
	case bson.TypeBinary:
		kind, b := v.Binary()
		return fmt.Appendf(out, `["b","%s",%d]`, base64.StdEncoding.EncodeToString(b), kind), nil
	case bson.TypeRegex:
		pattern, flags := v.Regex()
		return fmt.Appendf(out, `["r",%s,%s]`, text(pattern), text(flags)), nil
	case bson.TypeTimestamp:
		t, i := v.Timestamp()
		return fmt.Appendf(out, `["s",%d,%d]`, t, i), nil
	}
	return append(out, "null"...), nil // null, undefined, and what no user has: MinKey, pointers, code with scope
}
