package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mangrove/internal/fakeidp"
)

// database is the connection that the first start creates.
const database = "Username-Password-Authentication"

// password of everybody in the database.
const password = "correct-Horse-7-battery"

// roots are the root attributes, in the order in which people read them.
var roots = []string{"name", "given_name", "family_name", "nickname", "picture"}

// play is what the acts share.
type play struct {
	*printer
	http     *http.Client
	base     string // the server's public URL
	upstream *fakeidp.IdP

	clientID, clientSecret string // the management client
	token                  string // for the Management API
	app                    application
	databaseID             string
	mails                  string // directory of those that the server wrote

	requests, checks, failed int
}

// act is one part of the mission. An error ends the act, not the play.
type act struct {
	title string
	run   func(context.Context, *play) error
}

// run plays the acts and reports how many checks failed; an act that broke off
// counts as one.
func (p *play) run(ctx context.Context, acts []act) error {
	for i, a := range acts {
		p.act(i+1, a.title)
		if err := a.run(ctx, p); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			p.expect(false, "%v", err)
		}
	}
	if p.failed > 0 {
		return fmt.Errorf("%d of %d checks failed", p.failed, p.checks)
	}
	return nil
}

// expect checks one thing and says so.
func (p *play) expect(ok bool, format string, args ...any) {
	p.checks++
	if !ok {
		p.failed++
	}
	p.check(ok, fmt.Sprintf(format, args...))
}

// expectRoots compares the five root attributes; the empty text means absent.
func (p *play) expectRoots(d document, want map[string]string, meaning string) {
	var wrong []string
	for _, name := range roots {
		_, present := d[name]
		if got := d.text(name); got != want[name] || present != (want[name] != "") {
			if present {
				got = fmt.Sprintf("%q", got)
			}
			wrong = append(wrong, fmt.Sprintf("%s is %s and should be %s", name, or(got, "absent"), or(want[name], "absent")))
		}
	}
	if len(wrong) > 0 {
		meaning += ": " + strings.Join(wrong, "; ")
	}
	p.expect(len(wrong) == 0, "%s", meaning)
}

func or(s, empty string) string {
	if s == "" {
		return empty
	}
	return s
}

// document is a JSON object.
type document map[string]any

func (d document) text(name string) string { s, _ := d[name].(string); return s }

// object is a JSON object whose members keep their order: names and values in turn.
func object(pairs ...any) json.RawMessage {
	var b bytes.Buffer
	for i := 0; i+1 < len(pairs); i += 2 {
		b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		fmt.Fprintf(&b, "%q:", pairs[i])
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(pairs[i+1]); err != nil {
			panic(err) // our own literals
		}
		b.Truncate(b.Len() - 1) // the encoder's line end
	}
	b.WriteByte('}')
	return b.Bytes()
}

// answer to a request.
type answer struct {
	status int
	body   []byte
}

func (a answer) document() document {
	var d document
	if json.Unmarshal(a.body, &d) != nil {
		return document{}
	}
	return d
}

// want is an error when the status is another.
func (a answer) want(status int) error {
	if a.status == status {
		return nil
	}
	return fmt.Errorf("status %d instead of %d: %s", a.status, status, short(string(a.body), 300))
}

// send sends a request without printing it; body may be nil.
func (p *play) send(ctx context.Context, method, path, contentType, bearer string, body []byte) (answer, error) {
	p.requests++
	req, err := http.NewRequestWithContext(ctx, method, p.base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := p.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, b}, err
}

// api calls the Management API; body may be nil. It prints request and status.
func (p *play) api(ctx context.Context, method, path string, body json.RawMessage) (answer, error) {
	p.request(method, path, jsonLines(body))
	a, err := p.quiet(ctx, method, path, body)
	if err == nil {
		p.status(a.status, "")
	}
	return a, err
}

// quiet is api without printing.
func (p *play) quiet(ctx context.Context, method, path string, body json.RawMessage) (answer, error) {
	contentType := ""
	if body != nil {
		contentType = "application/json"
	}
	return p.send(ctx, method, path, contentType, p.token, body)
}

func jsonLines(body json.RawMessage) []string {
	if body == nil {
		return nil
	}
	return wrapJSON(body, width-9)
}

// form posts a form to the Authentication API, without printing it.
func (p *play) form(ctx context.Context, path string, values url.Values) (answer, error) {
	return p.send(ctx, "POST", path, "application/x-www-form-urlencoded", "", []byte(values.Encode()))
}

func userPath(id string) string { return "/api/v2/users/" + url.PathEscape(id) }

// user reads a user and prints the request.
func (p *play) user(ctx context.Context, id string) (document, error) {
	a, err := p.api(ctx, "GET", userPath(id), nil)
	if err != nil {
		return nil, err
	}
	return a.document(), a.want(http.StatusOK)
}

// peek reads a user without a word.
func (p *play) peek(ctx context.Context, id string) (document, error) {
	a, err := p.quiet(ctx, "GET", userPath(id), nil)
	if err != nil {
		return nil, err
	}
	return a.document(), a.want(http.StatusOK)
}

// usersByEmail are the users with an e-mail address.
func (p *play) usersByEmail(ctx context.Context, email string) ([]document, error) {
	a, err := p.api(ctx, "GET", "/api/v2/users-by-email?email="+url.QueryEscape(email), nil)
	if err != nil {
		return nil, err
	}
	var list []document
	if err := json.Unmarshal(a.body, &list); err != nil {
		return nil, err
	}
	return list, a.want(http.StatusOK)
}

// showRoots prints the root attributes of a user.
func (p *play) showRoots(d document) {
	rows := [][]cell{{{"user_id", dim}, {d.text("user_id"), ""}}}
	for _, name := range roots {
		value := cell{"–", dim}
		if s := d.text(name); s != "" {
			value = cell{short(s, width-23), green}
		}
		rows = append(rows, []cell{{name, bold}, value})
	}
	p.table([]string{"", ""}, rows)
}

// compare prints what a login did: what was there, what the upstream says now,
// what is there now.
func (p *play) compare(was, said, is document) {
	const cut = 20 // three of them fit a line
	text := func(d document, name string) string { return short(or(d.text(name), "–"), cut) }
	var rows [][]cell
	for _, name := range append(slices.Clone(roots), "email") {
		r := []cell{{name, bold}, {text(was, name), ""}, {text(said, name), ""}, {text(is, name), ""}, {"", dim}}
		switch {
		case was.text(name) == is.text(name) && is.text(name) == said.text(name):
			r[4].text = "unchanged"
		case was.text(name) == is.text(name):
			r[3].sgr, r[4].text = green, "kept"
		case is.text(name) == "":
			r[3].sgr, r[4].text = yellow, "removed"
		default:
			r[3].sgr, r[4].text = yellow, "replaced"
		}
		rows = append(rows, r)
	}
	p.table([]string{"attribute", "was", "the upstream says", "is", ""}, rows)
}

// upload posts a file of users and waits for the job. It prints both.
func (p *play) upload(ctx context.Context, rows []json.RawMessage) (document, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range [][2]string{{"connection_id", p.databaseID}, {"external_id", "demo"}, {"send_completion_email", "false"}} {
		if err := w.WriteField(f[0], f[1]); err != nil {
			return nil, err
		}
	}
	part, err := w.CreateFormFile("users", "users.json")
	if err != nil {
		return nil, err
	}
	if err := json.NewEncoder(part).Encode(rows); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	p.request("POST", "/api/v2/jobs/users-imports", append([]string{"multipart/form-data: connection_id, external_id, and users.json:"}, fileLines(rows)...))
	a, err := p.send(ctx, "POST", "/api/v2/jobs/users-imports", w.FormDataContentType(), p.token, b.Bytes())
	if err != nil {
		return nil, err
	}
	p.status(a.status, "the file is stored; the work begins")
	if err := a.want(http.StatusAccepted); err != nil {
		return nil, err
	}
	return p.await(ctx, a.document())
}

func fileLines(rows []json.RawMessage) []string {
	var lines []string
	for i, r := range rows {
		text := wrapJSON(r, width-12)
		for j, l := range text {
			lead, end := "  ", ""
			if i == 0 && j == 0 {
				lead = "[ "
			}
			if j == len(text)-1 {
				end = map[bool]string{true: " ]", false: ","}[i == len(rows)-1]
			}
			lines = append(lines, lead+l+end)
		}
	}
	return lines
}

// profile is what the upstream says of a person.
type profile struct {
	subject string
	claims  map[string]any
}

func (p *play) tellUpstream(who profile) { p.upstream.SetPerson(who.subject, who.claims) }
