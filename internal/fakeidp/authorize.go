package fakeidp

import (
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// authorize answers GET /authorize. Requests that name no known client and
// redirect URI get a plain error, as a real provider's would.
func (i *IdP) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	c, ok := i.client(q.Get("client_id"))
	redirect := q.Get("redirect_uri")
	if !ok || !slices.Contains(c.RedirectURIs, redirect) {
		http.Error(w, "unknown client or redirect_uri", http.StatusBadRequest)
		return
	}
	if q.Get("deny") != "" {
		i.answer(w, r, q, url.Values{"error": {"access_denied"}, "error_description": {"The person said no."}})
		return
	}
	kind := q.Get("response_type")
	if (kind != "code" && kind != "id_token") || !slices.Contains(strings.Fields(q.Get("scope")), "openid") {
		i.answer(w, r, q, url.Values{"error": {"invalid_request"}})
		return
	}
	sub := q.Get("person")
	if i.o.Interactive && sub == "" {
		i.choose(w, q)
		return
	}
	if sub == "" {
		i.mu.Lock()
		sub = i.next
		i.mu.Unlock()
	}
	if _, known := i.person(sub); !known {
		i.answer(w, r, q, url.Values{"error": {"access_denied"}, "error_description": {"Nobody by that name."}})
		return
	}
	g := &grant{
		client: c.ID, redirect: redirect, nonce: q.Get("nonce"), subject: sub,
		challenge: q.Get("code_challenge"), method: q.Get("code_challenge_method"),
	}
	if kind == "id_token" {
		i.answer(w, r, q, url.Values{"id_token": {i.idToken(g)}})
		return
	}
	code := random()
	i.mu.Lock()
	i.codes[code] = g
	i.mu.Unlock()
	i.answer(w, r, q, url.Values{"code": {code}})
}

// answer sends values back to the client, by redirect or by a form that submits itself.
func (i *IdP) answer(w http.ResponseWriter, r *http.Request, q, values url.Values) {
	if s := q.Get("state"); s != "" {
		values.Set("state", s)
	}
	switch {
	case i.is(WrongIssParameter):
		values.Set("iss", "https://someone-else.example")
	case !i.is(NoIssParameter):
		values.Set("iss", i.Issuer())
	}
	if q.Get("response_mode") == "form_post" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = formPage.Execute(w, struct {
			Action string
			Fields url.Values
		}{q.Get("redirect_uri"), values}) // the client went away
		return
	}
	to, err := url.Parse(q.Get("redirect_uri"))
	if err != nil {
		http.Error(w, "redirect_uri", http.StatusBadRequest)
		return
	}
	query := to.Query()
	maps.Copy(query, values)
	to.RawQuery = query.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound)
}

// logout answers GET /logout: it signs everybody out and sends the browser where
// the request says. A real provider would know the addresses beforehand.
func (i *IdP) logout(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	to, err := url.Parse(q.Get("post_logout_redirect_uri"))
	if _, known := i.client(q.Get("client_id")); err != nil || to.Host == "" || !known {
		http.Error(w, "unknown client or post_logout_redirect_uri", http.StatusBadRequest)
		return
	}
	if s := q.Get("state"); s != "" {
		query := to.Query()
		query.Set("state", s)
		to.RawQuery = query.Encode()
	}
	http.Redirect(w, r, to.String(), http.StatusFound)
}

// choose shows the people.
func (i *IdP) choose(w http.ResponseWriter, q url.Values) {
	type choice struct{ Name, URL string }
	link := func(name, value string) string {
		with := maps.Clone(q)
		with.Set(name, value)
		return "?" + with.Encode()
	}
	i.mu.Lock()
	subs := slices.Sorted(maps.Keys(i.people))
	i.mu.Unlock()
	var list []choice
	for _, sub := range subs {
		claims, _ := i.person(sub)
		name, _ := claims["name"].(string)
		if name == "" {
			name = sub
		}
		list = append(list, choice{name, link("person", sub)})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = choicePage.Execute(w, struct { // the client went away
		People []choice
		Deny   string
	}{list, link("deny", "1")})
}

var choicePage = template.Must(template.New("choose").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Who are you?</title>
<style>body{font:1rem/1.6 system-ui,sans-serif;max-width:28rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}
li{margin:.5rem 0}a{display:block;padding:.6rem 1rem;border:1px solid;border-radius:.4rem;text-decoration:none}</style></head>
<body><main><h1>Who are you?</h1><p>This provider stands in for a company's own. It asks for no password.</p>
<ul>{{range .People}}<li><a href="{{.URL}}">{{.Name}}</a></li>{{end}}<li><a href="{{.Deny}}">Nobody: refuse</a></li></ul></main></body></html>
`))

var formPage = template.Must(template.New("form").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>One moment</title></head>
<body><main><h1>One moment</h1><form id="answer" method="post" action="{{.Action}}">
{{range $name, $values := .Fields}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}<button>Continue</button></form></main>
<script>document.getElementById("answer").submit()</script></body></html>
`))
