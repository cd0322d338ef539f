package mgmt

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/profile"
	"mangrove/internal/resourceserver"
	"mangrove/internal/token"
	"mangrove/internal/user"
)

func managementScopes() []string {
	var list []string
	for _, s := range resourceserver.ManagementScopes() {
		list = append(list, s.Value)
	}
	return list
}

// concrete is a path of the route whose ids are of the right form and belong to
// nobody.
func concrete(rt route) string {
	id := "auth0%7Cnobody"
	switch {
	case strings.HasPrefix(rt.path, "/jobs/"):
		id = "job_0000000000000000"
	case strings.HasPrefix(rt.path, "/connections/"):
		id = "con_0000000000000000"
	case strings.HasPrefix(rt.path, "/client-grants/"):
		id = "cgr_0000000000000000"
	}
	parts := strings.Split(rt.path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			parts[i] = id
		}
	}
	return strings.Join(parts, "/")
}

// broken are headers that are no good on any route: security.md items 1 to 4, 8.
func broken(t *testing.T, w *world) map[string]struct {
	header, text string
	status       int
} {
	t.Helper()
	good := w.machine(t, "read:users")
	head, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	encode := base64.RawURLEncoding.EncodeToString
	strangers := &token.Issuer{Keys: newRing(t, otherKey(), w.clock.now), URL: publicURL + "/", Now: w.clock.now}
	foreign, err := strangers.AccessToken(t.Context(), token.Access{Subject: machineID + "@clients", ClientID: machineID, Audience: []string{audienceID}, Lifetime: time.Hour})
	must(t, err)
	noSlash := &token.Issuer{Keys: w.keys, URL: publicURL, Now: w.clock.now}
	otherIssuer, err := noSlash.AccessToken(t.Context(), token.Access{Subject: machineID + "@clients", ClientID: machineID, Audience: []string{audienceID}, Lifetime: time.Hour})
	must(t, err)
	idToken, err := w.issuer.IDToken(t.Context(), token.Identity{Subject: string(w.ann), ClientID: machineID, Lifetime: time.Hour, SessionID: "sid"})
	must(t, err)
	type row = struct {
		header, text string
		status       int
	}
	return map[string]row{
		"none":                   {"", "Missing authentication", 401},
		"basic":                  {"Basic YTpi", "Bad HTTP authentication header format", 400},
		"alone":                  {"Bearer", "Bad HTTP authentication header format", 400},
		"nonsense":               {"Bearer x.y.z", "Invalid token", 401},
		"one part":               {"Bearer xyz", "Invalid token", 401},
		"alg none":               {"Bearer " + encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + payload + ".", "Invalid token", 401},
		"alg HS256":              {"Bearer " + encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + payload + "." + signature, "Invalid token", 401},
		"payload edited":         {"Bearer " + head + "." + encode([]byte(`{"iss":"x"}`)) + "." + signature, "Invalid signature received for JSON Web Token validation", 401},
		"another's key":          {"Bearer " + foreign, "Invalid signature received for JSON Web Token validation", 401},
		"issuer without slash":   {"Bearer " + otherIssuer, "Invalid token", 401},
		"another API's":          {"Bearer " + w.sign(t, token.Access{Subject: machineID + "@clients", Audience: []string{"https://other.example/"}}), "Bad audience: https://other.example/", 401},
		"ID token":               {"Bearer " + idToken, "Invalid token", 401},
		"client that is no more": {"Bearer " + w.sign(t, token.Access{Subject: "gone@clients", ClientID: "gone"}), "Invalid token", 401},
		"user that is no more":   {"Bearer " + w.of(t, "auth0|gone", "read:current_user"), "Invalid token", 401},
	}
}

func TestEveryRouteAsksWhoCalls(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		rows := broken(t, w)
		old := w.machine(t, "read:users create:users update:users delete:users")
		for _, rt := range w.api.routes() {
			for name, row := range rows {
				t.Run(rt.method+" "+rt.path+" "+name, func(t *testing.T) {
					var headers []string
					if row.header != "" {
						headers = []string{"Authorization", row.header}
					}
					rec := w.call(t, rt.method, concrete(rt)+"?access_token="+old, "", "{}", headers...)
					answers(t, rec, row.status, []string{row.text}, nil)
					if row.status == 401 {
						answers(t, rec, 401, []string{`"attributes":{"error":"` + row.text}, []string{"errorCode"})
						if !strings.HasPrefix(rec.Header().Get("WWW-Authenticate"), "Bearer") {
							t.Error("no challenge")
						}
					}
				})
			}
		}
		w.clock.forward(2 * time.Hour)
		answers(t, w.call(t, "GET", "/users/auth0%7Cann", old, ""), 401, []string{"Expired token received for JSON Web Token validation"}, nil)
	})
}

// Scope comes before form and before existence, so a refusal tells nothing.
func TestEveryRouteAsksForItsScope(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		for _, rt := range w.api.routes() {
			if len(rt.scopes) == 0 {
				t.Errorf("%s %s has no scope", rt.method, rt.path)
				continue
			}
			others := slices.DeleteFunc(managementScopes(), func(s string) bool { return slices.Contains(rt.scopes, s) })
			lacking := w.machine(t, strings.Join(others, " "))
			for _, body := range []string{"{}", `{"nonsense`} {
				t.Run(rt.method+" "+rt.path+" "+body, func(t *testing.T) {
					rec := w.call(t, rt.method, concrete(rt), lacking, body)
					answers(t, rec, 403, []string{
						`"message":"Insufficient scope, expected any of: ` + strings.Join(rt.scopes, ",") + `"`, `"errorCode":"insufficient_scope"`,
					}, nil)
				})
			}
			for _, scope := range rt.scopes {
				t.Run(rt.method+" "+rt.path+" with "+scope, func(t *testing.T) {
					rec := w.call(t, rt.method, concrete(rt), w.machine(t, scope), "{}")
					if rec.Code >= 500 || rec.Code == 401 || strings.Contains(rec.Body.String(), "expected any of: "+strings.Join(rt.scopes, ",")) {
						t.Errorf("%d %s", rec.Code, rec.Body)
					}
				})
			}
		}
	})
}

func TestRouteScopesExist(t *testing.T) {
	known := managementScopes()
	for _, rt := range (&api{}).routes() {
		for _, s := range rt.scopes {
			if !slices.Contains(known, s) {
				t.Errorf("%s %s: nobody can be granted %s", rt.method, rt.path, s)
			}
		}
	}
}

// A user's own token reaches that user alone, whatever scopes it carries.
func TestOwnTokens(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		all := strings.Join(managementScopes(), " ")
		own := w.of(t, w.ann, all)
		for _, row := range []struct {
			name, method, path, body string
			status                   int
			has                      []string
		}{
			{"reads itself", "GET", "/users/auth0%7Cann", "", 200, []string{`"name":"Ann"`}},
			{"reads another", "GET", "/users/google-oauth2%7C117", "", 403, []string{"User to be acted on does not match subject in bearer token."}},
			{"reads nobody", "GET", "/users/auth0%7Cnobody", "", 403, []string{"does not match subject"}},
			{"edits its metadata", "PATCH", "/users/auth0%7Cann", `{"user_metadata":{"b":2}}`, 200, []string{`"user_metadata":{"a":1,"b":2}`}},
			{"edits its name", "PATCH", "/users/auth0%7Cann", `{"user_metadata":{},"name":"x"}`, 403, []string{"You cannot update the following fields: name"}},
			{"edits its app_metadata", "PATCH", "/users/auth0%7Cann", `{"app_metadata":{"plan":"gold"}}`, 403, []string{"fields: app_metadata"}},
			{"unblocks itself", "PATCH", "/users/auth0%7Cann", `{"blocked":false,"email_verified":true}`, 403, []string{"fields: blocked, email_verified"}},
			{"edits another", "PATCH", "/users/google-oauth2%7C117", `{"user_metadata":{"b":2}}`, 403, []string{"does not match subject"}},
			{"searches", "GET", "/users-by-email?email=gus@example.com", "", 403, []string{"Insufficient scope"}},
			{"creates", "POST", "/users", `{"connection":"Users"}`, 403, []string{"Insufficient scope"}},
			{"deletes another", "DELETE", "/users/google-oauth2%7C117", "", 403, []string{"does not match subject"}},
		} {
			t.Run(row.name, func(t *testing.T) {
				answers(t, w.call(t, row.method, row.path, own, row.body), row.status, row.has, []string{"upstream-secret"})
			})
		}
		machine := w.machine(t, "update:users")
		answers(t, w.call(t, "PATCH", "/users/auth0%7Cann", machine, `{"blocked":true}`), 200, []string{`"blocked":true`}, nil)
		answers(t, w.call(t, "GET", "/users/auth0%7Cann", own, ""), 401, []string{"Invalid token"}, nil)
		answers(t, w.call(t, "PATCH", "/users/auth0%7Cann", machine, `{"blocked":false}`), 200, nil, nil)
		answers(t, w.call(t, "DELETE", "/users/auth0%7Cann", own, ""), 204, nil, nil)
		answers(t, w.call(t, "GET", "/users/auth0%7Cann", own, ""), 401, []string{"Invalid token"}, nil)
	})
}

func TestTokenOfADeletedClient(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "read:users")
		answers(t, w.call(t, "GET", "/users/auth0%7Cann", bearer, ""), 200, nil, nil)
		must(t, w.store.DeleteClient(t.Context(), machineID, audit.Event{Type: audit.APIOperation, At: at}))
		answers(t, w.call(t, "GET", "/users/auth0%7Cann", bearer, ""), 401, []string{"Invalid token"}, nil)
	})
}

func TestRouting(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		bearer := w.machine(t, "read:users delete:users")
		const notFound = `{"statusCode":404,"error":"Not Found","message":"Not Found"}`
		for _, row := range []struct {
			method, path string
			status       int
			text         string
		}{
			{"GET", "/nothing", 404, notFound},
			{"GET", "", 404, notFound},
			{"GET", "/", 404, notFound},
			{"GET", "/users/", 404, notFound},
			{"GET", "//users/auth0%7Cann", 404, notFound},
			{"GET", "/Users/auth0%7Cann", 404, notFound},
			{"PUT", "/users/auth0%7Cann", 404, notFound},
			{"GET", "/users/auth0%7Cann/", 404, notFound},
			{"GET", "/users/../users/auth0%7Cann", 404, notFound},
			{"GET", "/users/auth0%7Cann", 200, `"user_id":"auth0|ann"`},
			{"GET", "/users/auth0|ann", 200, `"user_id":"auth0|ann"`},
			{"HEAD", "/users/auth0|ann", 200, ""},
			{"GET", "/users/auth0%257Cann", 400, "Path validation error: 'Object didn't pass validation for format user-id: auth0%7Cann' on property id"},
			{"GET", "/users/ann", 400, `"errorCode":"invalid_uri"`},
			{"GET", "/users/auth0%7Cann%2F..%2Fbob", 404, "inexistent_user"},
			{"GET", "/users/..%2fusers", 400, "invalid_uri"},
			{"GET", "/users/auth0%7C%00", 400, "invalid_uri"},
			{"GET", "/users/auth0%7C%ff", 400, "invalid_uri"},
			{"GET", "/users/auth0%7C" + strings.Repeat("x", 10_000), 404, "inexistent_user"},
			{"DELETE", "/users/auth0%7C%00", 400, "invalid_uri"},
			{"GET", "/jobs/job_x", 400, "Path validation error: 'String does not match pattern ^job_[A-Za-z0-9]{16}$: job_x' on property id"},
			{"GET", "/jobs/job_0000000000000000", 404, "Job not found."},
			{"GET", "/jobs/job_0000000000000000/errors", 404, "The job does not exist"},
		} {
			t.Run(row.method+" "+row.path, func(t *testing.T) {
				answers(t, w.call(t, row.method, row.path, bearer, ""), row.status, []string{row.text}, nil)
			})
		}
		// Methods are what they are, whatever a header says.
		rec := w.call(t, "GET", "/users/auth0%7Cann", bearer, "", "X-HTTP-Method-Override", "DELETE")
		answers(t, rec, 200, []string{`"user_id":"auth0|ann"`}, nil)
		w.stored(t, w.ann)
	})
}

// The law: whatever the id is, the call is answered by the route of one user,
// with that user or a refusal.
func FuzzUserID(f *testing.F) {
	w := newWorld(f)
	bearer := w.machine(f, "read:users")
	for _, s := range []string{"auth0|ann", "auth0%7Cann", "a/b", "..%2f", "%25", "\x00", "\xff", "auth0|\r\n", "|", "job_1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if id == "" {
			return
		}
		rec := w.call(t, "GET", "/users/"+strings.ReplaceAll(url.PathEscape(id), ".", "%2e"), bearer, "")
		body := rec.Body.String()
		switch {
		case rec.Code == http.StatusOK:
			v, err := w.store.View(t.Context(), user.ID(id))
			if err != nil || !strings.HasPrefix(body, `{"user_id":`+string(profile.Text(string(v.ID)))) {
				t.Fatalf("%q: %s", id, body)
			}
		case rec.Code == http.StatusNotFound && strings.Contains(body, `"errorCode":"inexistent_user"`):
		case rec.Code == http.StatusBadRequest && strings.Contains(body, `"errorCode":"invalid_uri"`):
		default:
			t.Fatalf("%q: %d %s", id, rec.Code, body)
		}
	})
}

// A path that is no id at all still ends at a route or at the 404 of the family.
func FuzzPath(f *testing.F) {
	w := newWorld(f)
	bearer := w.machine(f, "read:users")
	for _, s := range []string{"/users/auth0|ann", "/users/%2e%2e/jobs", "/users//x", "/jobs/%00", "/;/users"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(Prefix + path)
		if err != nil || u.Host != "" {
			return
		}
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.URL = u
		r.Header.Set("Authorization", "Bearer "+bearer)
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		if rec.Code >= 500 || rec.Header().Get("Content-Type") == "" {
			t.Fatalf("%q: %d %s", path, rec.Code, rec.Body)
		}
	})
}
