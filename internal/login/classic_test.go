package login

import (
	"maps"
	"slices"
	"testing"
)

// What a wctx says could as well have come in a query: it survives the strict
// reader of forms, name by name.
func FuzzRequestOf(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `[]`, `{"client_id":"c","state":"s"}`, `{"a":"1","a":"2"}`, `{"a":1,"b":null,"c":"x"}`, `{"":"x"}`, `{"a":"\u0000"}`, `{"a":"\ud800"}`,
		`{"redirect_uri":"https://a.example/?x=1&y=2#f","scope":"openid profile"}`, `{"a":{"b":"c"}}`, "{\"a\":\"\xc3\x28\"}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, wctx string) {
		v, err := requestOf(wctx)
		if err != nil {
			if v != nil {
				t.Errorf("refused, and yet %v", v)
			}
			return
		}
		again, err := strict(v.Encode())
		if err != nil || !maps.EqualFunc(v, again, slices.Equal[[]string]) {
			t.Errorf("%v, and as a form %v, %v", v, again, err)
		}
	})
}

func TestRequestOf(t *testing.T) {
	v, err := requestOf(`{"client_id":"c","state":"a b","max_age":1,"nonce":null}`)
	if err != nil || v.Encode() != "client_id=c&state=a+b" {
		t.Errorf("%v, %v", v, err)
	}
	if v, err := requestOf(`{"client_id":"c","client_id":"d"}`); err == nil {
		t.Errorf("%v", v)
	}
}
