package mgmt

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/profile"
	"mangrove/internal/user"
)

func searchPath(q string, more ...string) string {
	return "/users?" + strings.Join(append([]string{"q=" + url.QueryEscape(q)}, more...), "&")
}

func TestSearchUsers(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		for _, row := range []struct {
			name, path, scopes string
			status             int
			has, hasNot        []string
		}{
			{"everybody", "/users", "read:users", 200, []string{`[{"user_id":"auth0|ann"`, `"user_id":"google-oauth2|117"`}, []string{"start", "upstream-secret"}},
			{"the order of members with totals", "/users?include_totals=true&per_page=1&fields=user_id", "read:users", 200,
				[]string{`{"start":0,"limit":1,"length":1,"users":[{"user_id":"auth0|ann"}],"total":2}`}, nil},
			{"second page", "/users?include_totals=true&per_page=1&page=1&fields=user_id", "read:users", 200,
				[]string{`{"start":1,"limit":1,"length":1,"users":[{"user_id":"google-oauth2|117"}],"total":2}`}, nil},
			{"past the end", "/users?include_totals=true&page=5&fields=user_id", "read:users", 200, []string{`{"start":250,"limit":50,"length":0,"users":[],"total":2}`}, nil},
			{"none of them, but how many", "/users?include_totals=true&per_page=0", "read:users", 200, []string{`{"start":0,"limit":0,"length":0,"users":[],"total":2}`}, nil},
			{"by e-mail, any case", searchPath(`email:"ANN@example.com"`, "fields=user_id", "search_engine=v3"), "read:users", 200, []string{`[{"user_id":"auth0|ann"}]`}, nil},
			{"by metadata", searchPath(`user_metadata.a:1`, "fields=user_id"), "read:users", 200, []string{`[{"user_id":"auth0|ann"}]`}, nil},
			{"by connection", searchPath(`identities.connection:"google"`, "fields=user_id"), "read:users", 200, []string{`[{"user_id":"google-oauth2|117"}]`}, nil},
			{"never signed in", searchPath(`NOT _exists_:logins_count OR logins_count:0`, "fields=user_id"), "read:users", 200, []string{`[{"user_id":"auth0|ann"}]`}, nil},
			{"sorted", "/users?sort=email:-1&fields=user_id", "read:users", 200, []string{`[{"user_id":"google-oauth2|117"},{"user_id":"auth0|ann"}]`}, nil},
			{"fields left out", searchPath(`email:ann*`, "fields=identities,picture,created_at,updated_at", "include_fields=false"), "read:users", 200,
				[]string{`[{"user_id":"auth0|ann","email":"ann@example.com"`}, []string{"identities", "created_at"}},
			{"with tokens", searchPath(`email:gus*`), "read:user_idp_tokens", 200, []string{"upstream-secret"}, nil},
			{"where it came from", searchPath(`email:gus*`, "include_provenance=true"), "read:users", 200,
				[]string{`"provenance":{"email":{"origin":"upstream","connection":"con_Google0000000000"`}, nil},
			{"engine 1", searchPath("a", "search_engine=v1"), "read:users", 400, []string{"You are not allowed to use search_engine=v1."}, nil},
			{"engine 2", searchPath("a", "search_engine=v2"), "read:users", 400, []string{"You are not allowed to use search_engine=v2. Use search_engine=v3 instead."}, nil},
			{"no such engine", searchPath("a", "search_engine=v9"), "read:users", 400, []string{"invalid_query_string", "search_engine"}, nil},
			{"the last page there is", "/users?page=9&per_page=100", "read:users", 200, []string{"[]"}, nil},
			{"beyond the window", "/users?page=10&per_page=100", "read:users", 400, []string{"You can only page through the first 1000 records. See https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation", `"errorCode":"invalid_paging"`}, nil},
			{"a page too large", "/users?per_page=101", "read:users", 400, []string{"invalid_query_string", "greater than maximum 100"}, nil},
			{"sorted by what is not sortable", "/users?sort=app_metadata.x:1", "read:users", 400, []string{"invalid_query_string"}, nil},
			{"sorted by two", "/users?sort=" + url.QueryEscape("email:1;drop:1"), "read:users", 400, []string{"invalid_query_string"}, nil},
			{"sorted checkpoints", "/users?take=1&sort=email:1", "read:users", 400, []string{"invalid_query_string"}, nil},
			{"a broken query", searchPath(`name:"`), "read:users", 400, []string{"The search query string has an error: ", " at position ", "invalid_query_string"}, nil},
			{"a query of 10,000 terms", searchPath(strings.Repeat("a OR ", 10_000) + "a"), "read:users", 400, []string{"invalid_query_string"}, nil},
			{"hidden members", searchPath(`password_hash:* OR identities.access_token:u* OR _exists_:password_hash`), "read:users", 200, []string{"[]"}, nil},
			{"without the scope", "/users", "read:connections", 403, []string{"expected any of: read:users,read:user_idp_tokens", "insufficient_scope"}, nil},
		} {
			t.Run(row.name, func(t *testing.T) {
				answers(t, w.call(t, "GET", row.path, w.machine(t, row.scopes), ""), row.status, row.has, row.hasNot)
			})
		}
	})
}

// TestSearchCheckpoints: from and take go through everybody, once, beyond the window.
func TestSearchCheckpoints(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		var want []string
		for i := range 12 {
			u, err := w.api.Users.Create(t.Context(), user.CreateRequest{Connection: "sms", UserID: fmt.Sprint("u", i), Changes: []profile.Change{
				{Name: "phone_number", Value: profile.Text(fmt.Sprintf("+1202555010%d", i))},
			}}, user.Actor{})
			must(t, err)
			want = append(want, string(u.ID))
		}
		bearer := w.machine(t, "read:users")
		path := searchPath("identities.connection:sms", "take=5")
		var got []string
		var first string
		for from := ""; ; {
			rec := w.call(t, "GET", path+from, bearer, "")
			answers(t, rec, 200, nil, []string{"start"})
			var page struct {
				Users []struct {
					ID string `json:"user_id"`
				}
				Next string
			}
			must(t, json.Unmarshal(rec.Body.Bytes(), &page))
			for _, u := range page.Users {
				got = append(got, u.ID)
			}
			if page.Next == "" {
				break
			}
			from = "&from=" + page.Next
			if first == "" {
				first = page.Next
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%v\nwant %v", got, want)
		}
		for name, path := range map[string]string{
			"edited":             path + "&from=x" + first,
			"of another query":   searchPath("email:*", "take=5", "from="+first),
			"of another list":    "/clients?take=5&from=" + first,
			"not of this server": path + "&from=MjAyMy0w",
		} {
			scopes := "read:users read:clients"
			t.Run(name, func(t *testing.T) {
				answers(t, w.call(t, "GET", path, w.machine(t, scopes), ""), 400, []string{"invalid_query_string"}, nil)
			})
		}
	})
}

// FuzzSearchQuery: whatever q is, it is answered or refused with a place; nothing else.
func FuzzSearchQuery(f *testing.F) {
	w := newWorld(f)
	bearer := w.machine(f, "read:users")
	for _, q := range []string{"", "*", "(", "AND", `name:"`, "[a TO", "_exists_:", `email:"ann@example.com" AND NOT blocked:true`, "updated_at:[2020 TO *]", `name:'; DROP TABLE users--`, "user_metadata.a:[1 TO 2]", `identities.profileData.x:\*`} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		rec := w.call(t, "GET", searchPath(q), bearer, "")
		switch rec.Code {
		case 200:
		case 400:
			if !strings.Contains(rec.Body.String(), "invalid_query_string") {
				t.Errorf("%q: %s", q, rec.Body)
			}
		default:
			t.Errorf("%q: %d %s", q, rec.Code, rec.Body)
		}
	})
}
