package mgmt

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/errs"
	"mangrove/internal/schema"
)

func queryFrom(raw string) *query { return queryOf(httptest.NewRequest("GET", "/?"+raw, nil)) }

func TestPagingParameters(t *testing.T) {
	for _, row := range []struct {
		raw   string
		want  paging
		wrong string // part of the refusal
	}{
		{"", paging{perPage: 50, take: 50}, ""},
		{"page=2&per_page=10&include_totals=true", paging{page: 2, perPage: 10, totals: true, take: 50}, ""},
		{"per_page=0", paging{perPage: 0, take: 50}, ""},
		{"per_page=100", paging{perPage: 100, take: 50}, ""},
		{"take=2&include_totals=true", paging{perPage: 50, totals: true, take: 2, checkpoint: true}, ""},
		{"from=abc", paging{perPage: 50, take: 50, from: "abc", checkpoint: true}, ""},
		{"from=", paging{perPage: 50, take: 50}, ""},
		{"unknown=1", paging{perPage: 50, take: 50}, ""},
		{"per_page=101", paging{}, "Query validation error: 'Value 101 is greater than maximum 100' on property per_page"},
		{"per_page=-1", paging{}, "Value -1 is less than minimum 0"},
		{"per_page=abc", paging{}, "Expected type integer but found type string"},
		{"per_page=1e9", paging{}, "Expected type integer but found type string"},
		{"per_page=", paging{}, "Expected type integer but found type string"},
		{"per_page=%2B5", paging{}, "Expected type integer but found type string"},
		{"per_page=99999999999999999999", paging{}, "Expected type integer but found type string"},
		{"page=1&page=2", paging{}, "Expected type integer but found type array' on property page"},
		{"page=999999999", paging{}, "greater than maximum"},
		{"take=0", paging{}, "less than minimum 1"},
		{"include_totals=yes", paging{}, "Expected type boolean but found type string' on property include_totals"},
		{"include_totals=true&include_totals=true", paging{}, "found type array"},
		{"from=%00", paging{}, "Query validation error"},
		{"from=%c3%28", paging{}, "Query validation error"},
		{"%zz=1", paging{}, "Query validation error"},
	} {
		t.Run(row.raw, func(t *testing.T) {
			q := queryFrom(row.raw)
			got := q.paging()
			refused(t, q.err(), "invalid_query_string", row.wrong)
			if row.wrong == "" && got != row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}

// refused checks the text and code of an error; an empty text means no error.
func refused(t *testing.T, err error, code, text string) {
	t.Helper()
	if text == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	if err == nil {
		t.Errorf("accepted; want %q", text)
		return
	}
	if e := public(err); e.Code != code || !strings.Contains(e.Text, text) || e.Kind == errs.Internal {
		t.Errorf("got %s %q; want %s %q", e.Code, e.Text, code, text)
	}
}

func TestListParameter(t *testing.T) {
	item := schema.Property{Name: "strategy", Enum: []string{"auth0", "email", "sms"}}
	for _, row := range []struct {
		raw   string
		want  []string
		wrong string
	}{
		{"", nil, ""},
		{"strategy=auth0", []string{"auth0"}, ""},
		{"strategy=auth0&strategy=email", []string{"auth0", "email"}, ""},
		{"strategy[0]=auth0&strategy[1]=email", []string{"auth0", "email"}, ""},
		{"strategy%5B1%5D=email&strategy%5B0%5D=auth0", []string{"auth0", "email"}, ""},
		{"strategy[]=auth0&strategy[]=sms", []string{"auth0", "sms"}, ""},
		{"strategy=bogus", nil, "on property strategy[0]"},
		{"strategy[0]=auth0&strategy[0]=email", nil, "found type array"},
		{"strategy[x]=auth0", nil, "Expected type array"},
		{"strategy[-1]=auth0", nil, "Expected type array"},
		{"strategy[00]=auth0", nil, "Expected type array"},
		{"strategy[99999]=auth0", nil, "Expected type array"},
	} {
		t.Run(row.raw, func(t *testing.T) {
			q := queryFrom(row.raw)
			got := q.list(item)
			refused(t, q.err(), "invalid_query_string", row.wrong)
			if row.wrong == "" && !slices.Equal(got, row.want) {
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}

func TestEnvelope(t *testing.T) {
	items := []byte(`[{"a":1}]`)
	for _, row := range []struct {
		name string
		p    paging
		next string
		want string
	}{
		{"bare", paging{perPage: 50}, "", `[{"a":1}]`},
		{"totals", paging{page: 3, perPage: 5, totals: true}, "", `{"start":15,"limit":5,"total":7,"users":[{"a":1}]}`},
		{"checkpoint", paging{checkpoint: true, take: 1, totals: true}, "abc", `{"users":[{"a":1}],"next":"abc"}`},
		{"last checkpoint", paging{checkpoint: true, take: 1}, "", `{"users":[{"a":1}]}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := string(row.p.envelope("users", items, 7, row.next)); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestCursor(t *testing.T) {
	a := &api{Deps: Deps{CursorKey: []byte("k")}}
	good := a.cursor("connections?strategy=auth0", "con_1")
	edited := []byte(good)
	edited[len(edited)-1] ^= 1
	other := &api{Deps: Deps{CursorKey: []byte("l")}}
	for _, row := range []struct {
		name, list, from, want string
		refused                bool
	}{
		{"own", "connections?strategy=auth0", good, "con_1", false},
		{"none", "connections", "", "", false},
		{"another filter", "connections?strategy=sms", good, "", true},
		{"another list", "clients", good, "", true},
		{"edited", "connections?strategy=auth0", string(edited), "", true},
		{"another key", "connections?strategy=auth0", other.cursor("connections?strategy=auth0", "con_1"), "", true},
		{"an id as it is", "connections?strategy=auth0", "con_1234567890123456", "", true},
		{"no base64", "connections?strategy=auth0", "***", "", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := a.after(row.list, row.from)
			if (err != nil) != row.refused || got != row.want {
				t.Errorf("got %q, %v", got, err)
			}
			if err != nil {
				refused(t, err, "invalid_query_string", "on property from")
			}
		})
	}
}

// The law: a cursor is what we would make of the id that it gives, or refused.
func FuzzCursor(f *testing.F) {
	a := &api{Deps: Deps{CursorKey: []byte("k")}}
	f.Add(a.cursor("l", "con_1"))
	f.Add("AAAA")
	f.Add("")
	f.Fuzz(func(t *testing.T, from string) {
		id, err := a.after("l", from)
		if err == nil && from != "" && a.cursor("l", id) != from {
			t.Fatalf("%q gave %q", from, id)
		}
	})
}
