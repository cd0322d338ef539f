package mgmt

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"mangrove/internal/strictjson"
)

// rudeIDs, rudeQueries and rudeBodies are of no use on any route (security.md
// items 19 to 29, 31 to 36).
var rudeIDs = []string{
	"%00", "auth0%7C%00", "auth0%7C%ff", "%C3%28", "..%2f..%2fusers", "%2e%2e", "%2525", "auth0%7C" + strings.Repeat("x", 10_000),
	strings.Repeat("%F0%9F%98%80", 300), "%0d%0aX:%20y", "auth0%7C'%20OR%201=1--", "*", "job_%C3%AAaaaaaaaaaaaaaaa", "%E2%80%AE",
}

var rudeQueries = []string{
	"page=0&page=1", "per_page=1&per_page=2", "per_page=101", "per_page=-1", "per_page=abc", "per_page=1e9", "per_page=99999999999999999999",
	"page=-1", "page=999999999999", "page=1000000&per_page=100", "take=0", "take=101", "take=1&take=2", "from=x", "from=%00", "from=%ff",
	"from=" + strings.Repeat("QUFB", 2000), "include_totals=1", "include_totals=true&include_totals=false", "q=%00", "q=%ff", "q=(", "q=a&q=b",
	"q=" + strings.Repeat("(", 5000), "q=name:%5B* TO", "sort=email:1;drop", "sort=email:1&sort=name:1", "fields=,,,", "fields=a&fields=b",
	"include_fields=x", "email=%00", "email=a&email=b", "identifier=%00&identifier=b", "name_filter=%ff", "name_filter=a&name_filter=b",
	"%zz", "type=x", "a%00=b", "search=%00", "include_provenance=1", "consider_brute_force_enablement=x",
}

func rudeBodies() []string {
	var many strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&many, `"k%d":1,`, i)
	}
	bodies := []string{
		``, `[]`, `"x"`, `null`, `{}{}`, `{} x`, `{"name":"a","name":"b"}`, `{"name":"a","n\u0061me":"b"}`, "{\"name\":\"\xc3\x28\"}",
		`{"name":"\ud800"}`, `{"name":"a\u0000b"}`, `{"a\u0000":1}`, `{"x":` + strings.Repeat("[", 10_000) + `}`, `{` + many.String() + `"z":1}`,
		`{"users":[` + strings.Repeat(`"auth0|nobody",`, 20_000) + `"auth0|x"]}`,
		`{"roles":[` + strings.Repeat(`"rol_0000000000000000",`, 20_000) + `"r"]}`,
	}
	names := strings.Fields(`users roles permissions user_id name identity ttl_sec limit fields session_id provider connection link_with
		result_url user_metadata email`)
	for _, v := range []string{
		`null`, `1`, `-1`, `1e400`, `1e18`, `"x"`, `{}`, `[]`, `[null]`, `[1]`, `[""]`, `["x"]`, `[{}]`, `true`,
		`"` + strings.Repeat("x", 100_000) + `"`, `{"__proto__":1,"a.b":2}`,
	} {
		all := `{"zzz":1`
		for _, name := range names {
			if all += `,"` + name + `":` + v; len(v) < 8 {
				bodies = append(bodies, `{"`+name+`":`+v+`}`)
			}
		}
		bodies = append(bodies, all+`}`)
	}
	return bodies
}

// about is a path of the route with that id, as it stands in a path.
func about(rt route, id string) string {
	return regexp.MustCompile(`\{\w+\}`).ReplaceAllLiteralString(rt.path, id)
}

// Whatever comes in, the answer is of the family, is no fault of ours, and has
// nothing of the database in it.
func TestNoInputIsOurFault(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, strings.Join(managementScopes(), " "))
		bodies := rudeBodies()
		for _, rt := range w.api.routes() {
			t.Run(rt.method+" "+rt.path, func(t *testing.T) {
				send := func(id, query, body string) {
					t.Helper()
					r := httptest.NewRequestWithContext(t.Context(), rt.method, Prefix+about(rt, id), strings.NewReader(body))
					r.URL.RawQuery = query
					r.Header.Set("Authorization", "Bearer "+bearer)
					r.Header.Set("Content-Type", "application/json")
					r.Header.Set("User-Agent", "rude\xff\xfe"+strings.Repeat("x", 10_000))
					rec := httptest.NewRecorder()
					switch w.ServeHTTP(rec, r); {
					case rec.Code >= 500:
						t.Errorf("%.60s?%.60s %.60s: %d %s", id, query, body, rec.Code, rec.Body)
					case rec.Code >= 400:
						answers(t, rec, rec.Code, nil, []string{"\ufffd", "\\u0000", "SQLSTATE", "constraint"})
					}
				}
				for _, id := range rudeIDs {
					send(id, "", "{}")
				}
				id := "auth0%7Cann"
				if rt.method == http.MethodDelete {
					id = "auth0%7Cnobody"
				}
				for _, query := range rudeQueries {
					send(id, query, "{}")
				}
				if rt.method != http.MethodGet {
					for _, body := range bodies {
						send(id, "", body)
					}
				}
			})
		}
		w.stored(t, w.gus)
	})
}

// rudeSearches are at the ends of what a search can say.
var rudeSearches = []string{
	`created_at:[0000 TO 9999]`, `updated_at:{9999-12-31 TO *]`, `last_login:0000`, `created_at:9999-12-31T23:59:59.999Z`, `date:[0000 TO 9999]`,
	`date:{9999-12-31 TO *]`, `date:[* TO 0000}`, `logins_count:1e308`, `logins_count:[-1e308 TO 1e308]`, `logins_count:{9223372036854775807 TO *]`,
	`logins_count:0.5`, `logins_count:-0`, `logins_count:1e999`, `user_id:["" TO ""]`, `user_id:[* TO ""}`, `user_id:*ann*`, `user_id:?uth0*`, `last_ip:*203*`,
	`last_ip:["" TO *]`, `name:*%_\*`, `name:["" TO *]`, `name:{* TO ""}`, `name:""`, `""`, `?`, `name:???*`, `_exists_:""`, `_exists_:"-email"`,
	`_exists_:user_metadata.`, `app_metadata.x:[* TO 5]`, `app_metadata.x:["" TO *]`, `app_metadata.:1`, `user_metadata..:1`, `user_metadata.a:1e308`,
	"name:􏿿*", "user_id:[􏿿 TO *]", "user_id:􏿿*", "user_agent:*􏿿", `identities:*`, `identities.profileData.:*`,
	`user_id:` + strings.Repeat("x", 16_000), `name:` + strings.Repeat("?", 16_000), `name:` + strings.Repeat("a*", 8_000),
	`name:(` + strings.Repeat("a ", 1_000) + `)`, strings.Repeat("(", 64) + "a" + strings.Repeat(")", 64), strings.Repeat("NOT(", 64) + "name:a" + strings.Repeat(")", 64),
}

func TestSearchesAtTheEnds(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "read:users read:logs")
		for _, q := range rudeSearches {
			for _, path := range []string{"/users?include_totals=true&q=", "/users?take=2&q=", "/users?sort=email:1&q=", "/users?include_totals=true&q=NOT+", "/logs?include_totals=true&q="} {
				if rec := w.call(t, "GET", path+url.QueryEscape(q), bearer, ""); rec.Code != 200 && rec.Code != 400 {
					t.Errorf("%s%.60s: %d %s", path, q, rec.Code, rec.Body)
				}
			}
		}
	})
}

// What nobody may ask for is refused by every list in the same words.
func TestEveryListHasBounds(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, strings.Join(managementScopes(), " "))
		rol := roleNamed(t, w, "Bounds")
		for _, list := range []string{
			"/users", "/users/auth0%7Cann/logs", "/users/auth0%7Cann/roles", "/users/auth0%7Cann/permissions", "/users/auth0%7Cann/organizations",
			"/users/auth0%7Cann/authentication-methods", "/roles", "/roles/" + rol + "/users", "/roles/" + rol + "/permissions", "/logs",
			"/connections", "/clients", "/client-grants", "/resource-servers",
		} {
			for query, text := range map[string]string{
				"per_page=101": "greater than maximum 100", "per_page=-1": "less than minimum", "per_page=abc": "Expected type integer",
				"per_page=1e9": "Expected type integer", "page=1&page=2": "found type array", "page=-1": "less than minimum",
				"include_totals=1": "Expected type boolean",
			} {
				answers(t, w.call(t, "GET", list+"?"+query, bearer, ""), 400, []string{text, `"errorCode":"invalid_query_string"`}, nil)
			}
			answers(t, w.call(t, "GET", list+"?per_page=1&page=0", bearer, ""), 200, nil, nil)
		}
		for _, list := range []string{
			"/users", "/users/auth0%7Cann/sessions", "/users/auth0%7Cann/refresh-tokens", "/roles/" + rol + "/users", "/logs",
			"/connections", "/clients", "/client-grants", "/resource-servers",
		} {
			foreign := w.api.cursor("another list", "1")
			for query, text := range map[string]string{
				"take=0": "less than minimum 1", "take=101": "greater than maximum 100", "take=1&take=2": "found type array",
				"take=1&from=" + foreign: "Invalid value", "take=1&from=AAAA": "Invalid value", "take=1&from=x&from=y": "found type array",
			} {
				answers(t, w.call(t, "GET", list+"?"+query, bearer, ""), 400, []string{text, `"errorCode":"invalid_query_string"`}, nil)
			}
			answers(t, w.call(t, "GET", list+"?take=1", bearer, ""), 200, nil, nil)
		}
	})
}

func roleNamed(t *testing.T, w *world, name string) string {
	t.Helper()
	rec := w.call(t, "POST", "/roles", w.machine(t, "create:roles"), `{"name":"`+name+`"}`)
	answers(t, rec, 200, nil, nil)
	_, members, err := strictjson.Split(rec.Body.Bytes())
	must(t, err)
	for _, m := range members {
		if m.Name == "id" {
			return strings.Trim(string(m.Value), `"`)
		}
	}
	t.Fatal("a role without id")
	return ""
}

// A user's own token, with every scope there is, opens the few routes of the
// current user alone, and there only for that user.
func TestOwnTokensOnEveryRoute(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		own := w.of(t, w.ann, strings.Join(managementScopes(), " "))
		before := w.stored(t, w.gus)
		var open []string
		for _, rt := range w.api.routes() {
			rec := w.call(t, rt.method, strings.Replace(about(rt, "google-oauth2%7C117"), "/identities/google-oauth2%7C117/", "/identities/github/", 1), own, `{"user_metadata":{}}`)
			// A credential is named by its own id, of which nobody's is another's.
			if rt.path != "/device-credentials/{id}" && rec.Code != http.StatusForbidden {
				t.Errorf("%s %s: %d %s", rt.method, rt.path, rec.Code, rec.Body)
			}
			if !strings.Contains(rec.Body.String(), "insufficient_scope") || !strings.Contains(rec.Body.String(), "expected any of") {
				open = append(open, rt.method+" "+rt.path)
			}
		}
		want := []string{
			"DELETE /device-credentials/{id}", "DELETE /users/{id}", "DELETE /users/{id}/identities/{provider}/{user_id}", "GET /users/{id}", "GET /users/{id}/enrollments",
			"PATCH /users/{id}", "POST /users/{id}/identities",
		}
		if slices.Sort(open); !slices.Equal(open, want) {
			t.Errorf("open to users: %v", open)
		}
		if w.stored(t, w.gus) != before {
			t.Error("another user was changed")
		}
	})
}

// All that is reached without the table, and so without its guard, is the
// download of an export, which proves itself.
func TestNothingIsMountedBesideTheTable(t *testing.T) {
	a := newWorld(t).api
	guarded := map[string]bool{}
	for _, rt := range a.routes() {
		guarded[rt.method+" "+rt.path] = true
		if rt.method == http.MethodGet {
			guarded["HEAD "+rt.path] = true
		}
	}
	var open []string
	must(t, chi.Walk(a.router(), func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if !guarded[method+" "+path] {
			open = append(open, method+" "+path)
		}
		delete(guarded, method+" "+path)
		return nil
	}))
	if slices.Sort(open); !slices.Equal(open, []string{"GET /jobs/{id}/download", "HEAD /jobs/{id}/download"}) || len(guarded) > 0 {
		t.Errorf("open: %v; not mounted: %v", open, guarded)
	}
}
