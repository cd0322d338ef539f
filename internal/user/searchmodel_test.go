package user

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mangrove/internal/profile"
	"mangrove/internal/query"
)

// Two ways to tell whether a user meets a query. The model reads the query and
// the user as JSON, as somebody with the documentation of the search and no index
// would. The other way is that of the index: SearchPlan on Terms.

// model is a user in the wire form: the values by their paths, where arrays are
// no level.
type model map[string][]any

func modelOf(t testing.TB, u *User) model {
	v := ViewOf(u)
	var wire map[string]any
	if err := json.Unmarshal(AppendWire(nil, &v, v.Identities), &wire); err != nil {
		t.Fatal(err)
	}
	m := model{}
	m.gather("", wire)
	if email, ok := wire["email"].(string); ok {
		_, domain, _ := strings.Cut(email, "@")
		m["email.domain"] = []any{domain}
	}
	return m
}

func (m model) gather(path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			m.gather(strings.TrimPrefix(path+"."+name, "."), member)
		}
	case []any:
		for _, e := range v {
			m.gather(path, e)
		}
	case nil:
	default:
		m[path] = append(m[path], v)
	}
}

var (
	modelFolded = regexp.MustCompile(`^(email|email\.domain|name|given_name|family_name|nickname)$`)
	modelText   = regexp.MustCompile(`^(username|user_id|phone_number|last_ip|identities\.(connection|provider|user_id))$`)
	modelTruth  = regexp.MustCompile(`^(email_verified|phone_verified|blocked|identities\.isSocial)$`)
	modelDate   = regexp.MustCompile(`^(created_at|updated_at|last_login)$`)
	modelTree   = regexp.MustCompile(`^(user_metadata|app_metadata|identities\.profileData)(\.|$)`)
	modelBare   = []string{"email", "name", "given_name", "family_name", "nickname", "username", "user_id", "phone_number"}

	// plainDate are the dates whose spelling is a beginning of the wire form.
	plainDate = regexp.MustCompile(`^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?)?)?)?$`)
)

// errNoOpinion: the model does not know the spelling of a date.
var errNoOpinion = errors.New("the model has no opinion")

func (m model) meets(n query.Node) bool {
	switch n := n.(type) {
	case query.And:
		all := true
		for _, part := range n {
			all = m.meets(part) && all
		}
		return all
	case query.Or:
		one := false
		for _, part := range n {
			one = m.meets(part) || one
		}
		return one
	case query.Not:
		return !m.meets(n.Node)
	case *query.Clause:
		return m.clause(n)
	}
	return true
}

func (m model) clause(c *query.Clause) bool {
	if c.Field == "_exists_" {
		return m.has(c.Value.Pieces[0])
	}
	if c.Field == "" {
		for _, name := range modelBare {
			if m.field(c, name) {
				return true
			}
		}
		return false
	}
	return m.field(c, c.Field)
}

func (m model) has(name string) bool {
	if !searchable(name) && name != "identities" {
		return false
	}
	for path, values := range m {
		if path != name && !strings.HasPrefix(path, name+".") {
			continue
		}
		for _, v := range values {
			if v != "" || modelTree.MatchString(path) {
				return true
			}
		}
	}
	return false
}

func searchable(name string) bool {
	for _, r := range []*regexp.Regexp{modelFolded, modelText, modelTruth, modelDate, modelTree} {
		if r.MatchString(name) {
			return true
		}
	}
	return name == "logins_count"
}

func (m model) field(c *query.Clause, name string) bool {
	if !searchable(name) {
		return false
	}
	if c.Range == nil && c.Value.Any() {
		return m.has(name)
	}
	for _, v := range m[name] {
		switch v := v.(type) {
		case string:
			switch {
			case modelDate.MatchString(name):
				if dateMeets(c, v) {
					return true
				}
			case modelFolded.MatchString(name):
				if v != "" && textMeets(c, v, strings.ToLower) {
					return true
				}
			case textMeets(c, v, func(s string) string { return s }):
				return true
			}
		case float64:
			if numberMeets(c, v) {
				return true
			}
		case bool:
			if s, exact := c.Value.Text(); c.Range == nil && exact && s == strconv.FormatBool(v) {
				return true
			}
		}
	}
	return false
}

func textMeets(c *query.Clause, v string, fold func(string) string) bool {
	v = fold(v)
	if r := c.Range; r != nil {
		if modelTree.MatchString(c.Field) && numericBounds(r) {
			return false
		}
		low, high := strings.Compare(fold(r.Low), v), strings.Compare(v, fold(r.High))
		return (r.LowUnbounded || low < 0 || low == 0 && !r.LowExclusive) && (r.HighUnbounded || high < 0 || high == 0 && !r.HighExclusive)
	}
	return wild(c.Value, v, fold)
}

// wild matches with all that could be at once: ends[i] says whether the pattern so
// far can end before character i.
func wild(p query.Pattern, v string, fold func(string) string) bool {
	text := []rune(v)
	ends := make([]bool, len(text)+1)
	ends[0] = true
	step := func(fits func(rune) bool) {
		next := make([]bool, len(ends))
		for i, r := range text {
			next[i+1] = ends[i] && fits(r)
		}
		ends = next
	}
	for i, piece := range p.Pieces {
		if i > 0 && p.Single[i-1] {
			step(func(rune) bool { return true })
		} else if i > 0 {
			for j := 1; j < len(ends); j++ {
				ends[j] = ends[j] || ends[j-1]
			}
		}
		for _, want := range fold(piece) {
			step(func(r rune) bool { return r == want })
		}
	}
	return ends[len(text)]
}

func jsonNumber(s string) (f float64, ok bool) {
	var v any
	if s != strings.TrimSpace(s) || json.Unmarshal([]byte(s), &v) != nil {
		return 0, false
	}
	f, ok = v.(float64)
	return f, ok
}

func numericBounds(r *query.Range) bool {
	_, low := jsonNumber(r.Low)
	_, high := jsonNumber(r.High)
	return (r.LowUnbounded || low) && (r.HighUnbounded || high)
}

func numberMeets(c *query.Clause, v float64) bool {
	if r := c.Range; r != nil {
		low, _ := jsonNumber(r.Low)
		high, _ := jsonNumber(r.High)
		return numericBounds(r) && (r.LowUnbounded || low < v || low == v && !r.LowExclusive) && (r.HighUnbounded || v < high || v == high && !r.HighExclusive)
	}
	s, exact := c.Value.Text()
	f, ok := jsonNumber(s)
	return exact && ok && f == v
}

// dateMeets compares a moment, cut to the parts that the bound has.
func dateMeets(c *query.Clause, v string) bool {
	cut := func(bound string) int {
		bound = strings.TrimSuffix(bound, "Z")
		if !plainDate.MatchString(bound) {
			panic(errNoOpinion)
		}
		return strings.Compare(v[:len(bound)], bound)
	}
	r := c.Range
	if r == nil {
		s, _ := c.Value.Text()
		return cut(s) == 0
	}
	met := true
	if !r.LowUnbounded {
		n := cut(r.Low)
		met = n > 0 || n == 0 && !r.LowExclusive
	}
	if !r.HighUnbounded {
		n := cut(r.High)
		met = (n < 0 || n == 0 && !r.HighExclusive) && met
	}
	return met
}

// matches is a plan answered from the index of one user.
func matches(p Plan, u *User, terms []Term) bool {
	switch p := p.(type) {
	case AllOf:
		for _, part := range p {
			if !matches(part, u, terms) {
				return false
			}
		}
		return true
	case AnyOf:
		for _, part := range p {
			if matches(part, u, terms) {
				return true
			}
		}
		return false
	case Except:
		return !matches(p.Plan, u, terms)
	case *Lookup:
		for _, t := range terms {
			if t.Path == p.Path && lookupMeets(p, t.Value) {
				return true
			}
		}
		return false
	}
	return true
}

// indexOf is what the index has of a user: the terms, and what is kept elsewhere.
func indexOf(u *User) []Term {
	terms := append(Terms(u), Term{"user_id", TextTerm(string(u.ID))}, Term{"updated_at", TimeTerm(max(u.UpdatedAt, u.Logins.Last))})
	if u.Logins.Count > 0 {
		terms = append(terms, Term{"last_login", TimeTerm(u.Logins.Last)}, Term{"logins_count", NumberTerm(float64(u.Logins.Count))}, Term{"last_ip", TextTerm(u.Logins.IP)})
	}
	return terms
}

func lookupMeets(l *Lookup, v string) bool {
	switch {
	case l.Exact != nil:
		for _, e := range l.Exact {
			if e == v {
				return true
			}
		}
		return false
	case l.Range != nil:
		b := l.Range
		return (b.Low == "" || v > b.Low || v == b.Low && !b.LowExclusive) && (b.High == "" || v < b.High || v == b.High && !b.HighExclusive)
	}
	re := "(?s)^s"
	for i, piece := range l.Pattern {
		switch {
		case i == 0:
		case l.Single != nil && l.Single[i-1]:
			re += "."
		default:
			re += ".*"
		}
		re += regexp.QuoteMeta(piece)
	}
	return regexp.MustCompile(re + "$").MatchString(v)
}

// day is a day of January 2020 in microseconds.
func day(n int64) int64 { return (1_577_836_800 + (n-1)*86_400) * 1_000_000 }

// searchUsers differ in whatever can be asked for.
func searchUsers() []*User {
	var users []*User
	for i, c := range []struct {
		attributes string
		identities []Identity
		updated    int64
		logins     Logins
	}{
		{`{}`, nil, day(1), Logins{}},
		{`{"email":"Ann@Example.com","email_verified":true,"name":"Ann Lee","given_name":"Ann","family_name":"Lee","nickname":"ann","username":"ann","blocked":false}`,
			nil, day(2), Logins{Last: day(3) + 250_999, IP: "10.0.0.1", Count: 1}},
		{`{"email":"bob@example.org","email_verified":false,"name":"Bob *","nickname":"b","picture":"https://x.example/bob.png","phone_number":"+4790","phone_verified":true,"blocked":true}`,
			nil, day(5), Logins{Last: day(4), IP: "10.0.0.2", Count: 12}},
		{`{"name":"Åse Ødegård","username":"Ann","user_metadata":{"color":"Red","no":5,"vip":true,"address":{"city":"Oslo","zip":"0150","gone":null},"tags":["a","b",["c"]],"none":[],"void":{}}}`,
			nil, day(6) + 1_000, Logins{}},
		{`{"name":"AND","user_metadata":{"color":"red","no":"5","vip":"true","address":[{"city":"Rome"},{"city":5}],"empty":""},"app_metadata":{"plan":"Gold","no":1.5,"since":"2020-01-02","list":[1,"x",false],"deep":{"a":{"b":-2}}}}`,
			nil, day(7), Logins{Last: day(20), IP: "::1", Count: 2}},
		{`{"name":"x","user_metadata":{},"app_metadata":{"plan":"Go","no":"b","neg":-1e3,"text":"` + strings.Repeat("long ", 500) + `","null":null}}`,
			nil, day(8), Logins{}},
		{`{"email":"ann@corp.example","name":"Ann \"Q\" \\ (x)\n?","locale":"en","upn":"ann"}`,
			[]Identity{
				{Provider: "google-oauth2", Connection: "google-oauth2", UserID: "Ab", IsSocial: true},
				{Provider: "auth0", Connection: "db", UserID: "2", ProfileData: profile.Of(
					profile.Attribute{Name: "email", Value: profile.Text("Ann@corp.example")},
					profile.Attribute{Name: "email_verified", Value: profile.Bool(true)},
					profile.Attribute{Name: "groups", Value: profile.Value(`["a",{"id":5}]`)},
				)},
			}, day(9), Logins{}},
		{`{"name":"` + strings.Repeat("ø", 300) + `","nickname":"o"}`, nil, day(9), Logins{}},
	} {
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(c.attributes), &members); err != nil {
			panic(err)
		}
		u := &User{ID: ID(fmt.Sprintf("auth0|%d", i)), CreatedAt: day(int64(i) + 1), UpdatedAt: c.updated, Logins: c.logins, Identities: c.identities}
		for name, v := range members {
			u.Profile.Set(name, v, profile.Source{})
		}
		if u.Identities == nil {
			u.Identities = []Identity{{Provider: "auth0", Connection: "db", UserID: strconv.Itoa(i)}}
		}
		users = append(users, u)
	}
	return users
}

// searchWorld is the users, each in both forms.
type searchWorld struct {
	users  []*User
	models []model
	terms  [][]Term
}

func newSearchWorld(t testing.TB) *searchWorld {
	w := &searchWorld{users: searchUsers()}
	for _, u := range w.users {
		w.models = append(w.models, modelOf(t, u))
		w.terms = append(w.terms, indexOf(u))
	}
	return w
}

// found is who meets the query by the index; it fails the test when the model
// finds others. ok is false when the query is refused, or the model cannot tell.
func (w *searchWorld) found(t testing.TB, q string) (found []int, ok bool) {
	n, err := query.Parse(q)
	if err != nil {
		return nil, false
	}
	p, err := SearchPlan(n)
	if err != nil {
		var e *query.Error
		if !errors.As(err, &e) || e.Text == "" || e.At < 0 || e.At > len(q) {
			t.Fatalf("%q: %v", q, err)
		}
		return nil, false
	}
	defer func() {
		if r := recover(); r == any(errNoOpinion) {
			found, ok = nil, false
		} else if r != nil {
			panic(r)
		}
	}()
	for i, u := range w.users {
		got, want := matches(p, u, w.terms[i]), w.models[i].meets(n)
		if got != want {
			t.Fatalf("%s\nuser %d: the index says %v, the model %v\nplan %s", q, i, got, want, spell(p))
		}
		if got {
			found = append(found, i)
		}
	}
	return found, true
}

func TestSearchFinds(t *testing.T) {
	w := newSearchWorld(t)
	for _, c := range []struct{ q, want string }{
		{`*`, `[0 1 2 3 4 5 6 7]`},
		{`email:"ANN@example.com"`, `[1]`},
		{`email:ann*`, `[1 6]`},
		{`email.domain:EXAMPLE.COM`, `[1]`},
		{`username:ann`, `[1]`},
		{`username:Ann`, `[3]`},
		{`name:ann`, `[]`},
		{`name:"ann lee"`, `[1]`},
		{`name:*lee`, `[1]`},
		{`name:*ØDE*`, `[3]`},
		{`name:"Bob *"`, `[2]`},
		{`name:?and`, `[]`},
		{`name:"AND"`, `[4]`},
		{`name:ø*øøø`, `[7]`},
		{`ann`, `[1]`},
		{`Ann`, `[1 3]`},
		{`lee`, `[1]`},
		{`red`, `[]`},
		{`email_verified:false OR NOT _exists_:email_verified`, `[0 2 3 4 5 6 7]`},
		{`blocked:true`, `[2]`},
		{`_exists_:blocked`, `[1 2]`},
		{`NOT _exists_:logins_count OR logins_count:0`, `[0 3 5 6 7]`},
		{`logins_count:[2 TO *]`, `[2 4]`},
		{`logins_count:{1 TO 12}`, `[4]`},
		{`created_at:2020-01-02`, `[1]`},
		{`created_at:[2020-01-02 TO 2020-01-04]`, `[1 2 3]`},
		{`created_at:{2020-01-02 TO 2020-01-04}`, `[2]`},
		{`last_login:"2020-01-03T00:00:00.250Z"`, `[1]`},
		{`updated_at:2020-01-03`, `[1]`},
		{`updated_at:2020-01-05`, `[2]`},
		{`updated_at:2020-01-04`, `[]`},
		{`updated_at:[2020-01-09 TO *]`, `[4 6 7]`},
		{`updated_at:[* TO 2020-01-03]`, `[0 1]`},
		{`updated_at:[2020-01-03 TO 2020-01-06}`, `[1 2]`},
		{`identities.connection:google-oauth2`, `[6]`},
		{`identities.isSocial:true`, `[6]`},
		{`identities.user_id:2`, `[2 6]`},
		{`identities.profileData.email:Ann*`, `[6]`},
		{`identities.profileData.groups.id:5`, `[6]`},
		{`_exists_:identities.profileData`, `[6]`},
		{`user_metadata.color:red`, `[4]`},
		{`user_metadata.no:5`, `[3 4]`},
		{`user_metadata.no:5.0`, `[3]`},
		{`user_metadata.vip:true`, `[3 4]`},
		{`user_metadata.address.city:5`, `[4]`},
		{`user_metadata.tags:c`, `[3]`},
		{`user_metadata.empty:""`, `[4]`},
		{`_exists_:user_metadata`, `[3 4]`},
		{`_exists_:user_metadata.address`, `[3 4]`},
		{`_exists_:user_metadata.address.gone`, `[]`},
		{`_exists_:user_metadata.none`, `[]`},
		{`_exists_:user_metadata.empty`, `[4]`},
		{`app_metadata.plan:Go*`, `[4 5]`},
		{`app_metadata.no:[1 TO *]`, `[4]`},
		{`app_metadata.no:[a TO *]`, `[5]`},
		{`app_metadata.since:[2020-01-01 TO 2020-01-31]`, `[4]`},
		{`app_metadata.deep.a.b:{* TO 0}`, `[4]`},
		{`app_metadata.neg:-1000`, `[5]`},
		{`app_metadata.text:long*`, `[5]`},
		{`app_metadata.text:"` + strings.Repeat("long ", 500) + `"`, `[5]`},
		{`app_metadata.text:"` + strings.Repeat("long ", 499) + `"`, `[]`},
		{`picture:*`, `[]`},
		{`locale:en`, `[]`},
		{`password_hash:*`, `[]`},
		{`-_exists_:email -name:x`, `[0 3 4 7]`},
	} {
		found, ok := w.found(t, c.q)
		if got := fmt.Sprint(found); !ok || got != c.want {
			t.Errorf("%s finds %s, want %s", c.q, got, c.want)
		}
	}
}

// vocabulary of random queries: mostly what somebody has, and what resembles it.
var (
	someFields = []string{
		"email", "email.domain", "name", "given_name", "family_name", "nickname", "username", "user_id", "phone_number", "last_ip",
		"email_verified", "phone_verified", "blocked", "logins_count", "created_at", "updated_at", "last_login", "picture", "locale",
		"identities.connection", "identities.provider", "identities.user_id", "identities.isSocial", "identities.profileData.email",
		"identities.profileData.groups", "user_metadata.color", "user_metadata.no", "user_metadata.vip", "user_metadata.address.city",
		"user_metadata.tags", "app_metadata.plan", "app_metadata.no", "app_metadata.since", "app_metadata.list", "app_metadata.deep.a.b",
		"app_metadata", "user_metadata.address", "password_hash", "organization_id",
	}
	someTexts = []string{
		`ann`, `Ann`, `"Ann@Example.com"`, `bob@example.org`, `"ann lee"`, `+4790`, `10.0.0.1`, `true`, `false`, `5`, `"5"`, `1.5`, `12`, `-2`,
		`2020`, `2020-01-03`, `2020-01`, `"2020-01-03T00:00:00.250Z"`, `red`, `Red`, `Oslo`, `Gold`, `x`, `a`, `db`, `auth0`, `"auth0|3"`, `""`,
	}
	somePatterns = []string{`*`, `a*`, `A*`, `*ann*`, `ann?*`, `?nn`, `*.com`, `*example*`, `G?ld`, `b*g`, `10.*`, `*lee`, `auth0|*`}
	someBounds   = []string{`*`, `*`, `1`, `2`, `5`, `12`, `2020-01-03`, `2020-01-05`, `2019`, `a`, `B`, `"2020-01-04T00:00Z"`}
)

func randomQuery(r *rand.Rand, depth int) string {
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	switch n := r.IntN(10); {
	case depth == 0 || n < 3:
		return pick(someFields) + ":" + pick(someTexts)
	case n == 3:
		return pick(someFields) + ":" + pick(somePatterns)
	case n == 4:
		return pick(someFields) + ":" + pick([]string{"[", "{"}) + pick(someBounds) + " TO " + pick(someBounds) + pick([]string{"]", "}"})
	case n == 5:
		return "_exists_:" + pick(someFields)
	case n == 6:
		return pick([]string{"ann", "Ann", "a*", `"bob@example.org"`, "*"})
	}
	a, b := randomQuery(r, depth-1), randomQuery(r, depth-1)
	return fmt.Sprintf(pick([]string{"NOT (%s) OR %s", "(%s) AND (%s)", "(%s) OR %s", "(%s) -(%s)", "+(%s) (%s)", "(%s) NOT (%s)", "%s %s"}), a, b)
}

// TestSearchModel asks the index and the model the same random questions.
func TestSearchModel(t *testing.T) {
	w := newSearchWorld(t)
	r := rand.New(rand.NewPCG(1, 2))
	asked, answered := 0, 0
	for range 4_000 {
		if found, ok := w.found(t, randomQuery(r, 3)); ok {
			asked++
			if len(found) > 0 && len(found) < len(w.users) {
				answered++
			}
		}
	}
	if asked < 1_000 || answered < asked/4 {
		t.Fatalf("%d questions, %d of them told users apart: too few to prove anything", asked, answered)
	}
}

// The laws: never a panic; a query gets a plan or a *query.Error with a place in
// it; and the plan, asked of the index, finds whom the model finds.
func FuzzSearchPlan(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		f.Add(randomQuery(r, 2))
	}
	f.Add(`updated_at:[2020-01-03T00:00:00.25 TO 2020-01-05}`)
	f.Add(`name:*ø?ø*`)
	f.Add(`app_metadata.no:{1 TO *] || user_metadata.address\.city:5`)
	w := newSearchWorld(f)
	f.Fuzz(func(t *testing.T, q string) { w.found(t, q) })
}

func BenchmarkSearchPlan(b *testing.B) {
	n, err := query.Parse(`(name:"jane smith" OR email:*example.com) AND created_at:[2020-01 TO *] -blocked:true`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := SearchPlan(n); err != nil {
			b.Fatal(err)
		}
	}
}
