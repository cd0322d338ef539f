package web

import (
	"errors"
	"io"
	"maps"
	"net/http/httptest"
	"strings"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/strictjson"
)

// endless is a body without an end.
type endless struct{ read int64 }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	e.read += int64(len(b))
	return len(b), nil
}

func TestReadJSON(t *testing.T) {
	for _, row := range []struct {
		name, contentType, body string
		kind                    errs.Kind // when an *errs.Error
		malformed               bool
	}{
		{name: "plain", contentType: "application/json", body: `{"a":1}`},
		{name: "with charset", contentType: "application/json; charset=utf-8", body: `{"a":1}`},
		{name: "charset in capitals", contentType: "Application/JSON;charset=UTF-8", body: `{"a":1}`},
		{name: "other charset", contentType: "application/json; charset=utf-16", body: `{"a":1}`, kind: errs.Unsupported},
		{name: "form", contentType: "application/x-www-form-urlencoded", body: `a=1`, kind: errs.Unsupported},
		{name: "text", contentType: "text/plain", body: `{"a":1}`, kind: errs.Unsupported},
		{name: "no type", body: `{"a":1}`, kind: errs.Unsupported},
		{name: "empty", contentType: "application/json", malformed: true},
		{name: "array", contentType: "application/json", body: `[]`, malformed: true},
		{name: "string", contentType: "application/json", body: `"x"`, malformed: true},
		{name: "two objects", contentType: "application/json", body: `{"a":1}{"a":1}`, malformed: true},
		{name: "text behind", contentType: "application/json", body: `{"a":1} x`, malformed: true},
		{name: "double key", contentType: "application/json", body: `{"a":1,"\u0061":2}`, malformed: true},
		{name: "bad UTF-8", contentType: "application/json", body: "{\"a\":\"\xc3\x28\"}", malformed: true},
		{name: "NUL", contentType: "application/json", body: `{"a":"\u0000"}`, malformed: true},
		{name: "too deep", contentType: "application/json", body: `{"a":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`, malformed: true},
		{name: "just fits", contentType: "application/json", body: `{"a":"` + strings.Repeat("x", MaxBody-8) + `"}`},
		{name: "one too many", contentType: "application/json", body: `{"a":"` + strings.Repeat("x", MaxBody-7) + `"}`, kind: errs.TooLarge},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(row.name, func(t *testing.T) {
				r := httptest.NewRequest("POST", "/", strings.NewReader(row.body))
				if row.contentType != "" {
					r.Header.Set("Content-Type", row.contentType)
				}
				if chunked {
					r.ContentLength = -1
				}
				m, err := ReadJSON(r)
				var e *errs.Error
				var bad *strictjson.Error
				switch {
				case row.malformed:
					if !errors.As(err, &bad) {
						t.Errorf("got %v, want a *strictjson.Error", err)
					}
				case row.kind != errs.Internal:
					if !errors.As(err, &e) || e.Kind != row.kind {
						t.Errorf("got %v, want kind %d", err, row.kind)
					}
				case err != nil || len(m) != 1 || m[0].Name != "a":
					t.Errorf("got %v, %v", m, err)
				}
			})
		}
	}
}

func TestReadJSONStopsReading(t *testing.T) {
	body := &endless{}
	r := httptest.NewRequest("POST", "/", io.NopCloser(body))
	r.Header.Set("Content-Type", "application/json")
	r.ContentLength = -1
	if _, err := ReadJSON(r); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if body.read > 3*MaxBody {
		t.Errorf("%d bytes were read", body.read)
	}
}

func TestReadJSONRefusesCompressedBodies(t *testing.T) {
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{"a":1}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Content-Encoding", "gzip")
	if _, err := ReadJSON(r); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestParams(t *testing.T) {
	const form, json = "application/x-www-form-urlencoded", "application/json"
	for _, row := range []struct {
		name, contentType, body string
		want                    map[string]string
		refused                 bool
	}{
		{"form", form, "grant_type=password&scope=a+b&x=%C3%A9", map[string]string{"grant_type": "password", "scope": "a b", "x": "é"}, false},
		{"form without value", form, "a&b=", map[string]string{"a": "", "b": ""}, false},
		{"empty", form, "", map[string]string{}, false},
		{"repeated", form, "a=1&b=2&a=1", nil, true},
		{"repeated by another spelling", form, "a=1&%61=2", nil, true},
		{"broken encoding", form, "a=%zz", nil, true},
		{"NUL", form, "a=%00", nil, true},
		{"NUL in a name", form, "%00=a", nil, true},
		{"bad UTF-8", form, "a=%c3%28", nil, true},
		{"too many", form, strings.Repeat("a&", 1)[:0] + many(maxParams+1), nil, true},
		{"JSON", json, `{"a":"x\"y","n":5,"b":true,"o":{"k":1},"z":null}`, map[string]string{"a": `x"y`, "n": "5", "b": "true", "o": `{"k":1}`}, false},
		{"JSON scope", json, `{"scope":["a"]}`, map[string]string{"scope": `["a"]`}, false},
		{"JSON scope of null", json, `{"scope":null}`, map[string]string{}, false},
		{"JSON scope of a number", json, `{"scope":5}`, nil, true},
		{"JSON scope of a boolean", json, `{"scope":true}`, nil, true},
		{"JSON repeated", json, `{"a":"1","a":"1"}`, nil, true},
		{"other type", "text/plain", "a=1", nil, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/?query=1", strings.NewReader(row.body))
			r.Header.Set("Content-Type", row.contentType)
			got, err := Params(r)
			if (err != nil) != row.refused || !maps.Equal(got, row.want) {
				t.Errorf("got %v, %v; want %v", got, err, row.want)
			}
		})
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("p")
		b.WriteString(strings.Repeat("x", i))
		b.WriteString("&")
	}
	return b.String()
}

// The law: what is read, written again and read once more is the same, and no
// value holds NUL or broken text.
func FuzzFormParams(f *testing.F) {
	for _, s := range []string{"a=1&b=2", "a=%00", "a=1&a=2", "%c3%28", "a+b=c%2Bd", "&&=&"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := FormParams(s)
		if err != nil {
			if errs.KindOf(err) != errs.Invalid {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		again, err := FormParams(encodeForm(m))
		if err != nil || !maps.Equal(m, again) {
			t.Fatalf("%q: %v became %v, %v", s, m, again, err)
		}
		for k, v := range m {
			if !text(k) || !text(v) {
				t.Fatalf("%q: %q=%q got through", s, k, v)
			}
		}
	})
}
