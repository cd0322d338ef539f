package storetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

func exactly(path, value string) *user.Lookup {
	return &user.Lookup{Path: path, Exact: []string{value}}
}

func text(path, value string) *user.Lookup { return exactly(path, user.TextTerm(value)) }

// found is the ids that a plan finds, in their order.
func found(t testing.TB, s *store.Store, p user.Plan) []string {
	t.Helper()
	f, err := s.Search(bg, user.Search{Plan: p, Limit: 100, Total: true})
	must(t, err)
	if f.Total < len(f.Users) || len(f.Users) < 100 && f.Total != len(f.Users) {
		t.Errorf("total %d of %d users", f.Total, len(f.Users))
	}
	quick, err := s.Search(bg, user.Search{Plan: p, Limit: 100})
	must(t, err)
	if got, want := ids(quick.Users), ids(f.Users); !slices.Equal(got, want) {
		t.Errorf("without a total %v, with it %v", got, want)
	}
	return ids(f.Users)
}

func finds(t testing.TB, s *store.Store, p user.Plan, want ...string) {
	t.Helper()
	got := found(t, s, p)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%+v finds %v, want %v", p, got, want)
	}
}

// runSearch: the index is what the users are, whichever way they changed, as
// soon as the change was answered.
func runSearch(t *testing.T, open func(testing.TB) *store.Store) {
	t.Run("follows every change", func(t *testing.T) {
		s := open(t)
		finds(t, s, user.Everybody{})
		create(t, s, ourUser("a", "Ann@Example.test"), ourUser("b", ""))
		finds(t, s, user.Everybody{}, "auth0|a", "auth0|b")
		finds(t, s, text("email", "ann@example.test"), "auth0|a")
		finds(t, s, text("email.domain", "example.test"), "auth0|a")
		finds(t, s, text("user_id", "auth0|a"), "auth0|a")
		finds(t, s, &user.Lookup{Path: "user_id", Pattern: []string{"auth0|", ""}}, "auth0|a", "auth0|b")
		finds(t, s, &user.Lookup{Path: "user_id", Pattern: []string{"", "0|b"}}, "auth0|b")
		finds(t, s, exactly(user.PathExists, "-email"), "auth0|b")
		finds(t, s, user.Except{Plan: exactly(user.PathExists, "-email")}, "auth0|a")

		_, err := s.UpdateUser(bg, "auth0|a", set(profile.Name, "Ann Lee"))
		must(t, err)
		finds(t, s, text("name", "ann lee"), "auth0|a")
		_, err = s.UpdateUser(bg, "auth0|a", set(profile.Name, "Ann Kay"))
		must(t, err)
		finds(t, s, text("name", "ann lee"))
		finds(t, s, text("name", "ann kay"), "auth0|a")
		_, err = s.UpdateUser(bg, "auth0|a", func(u *user.User) (user.Effect, error) {
			u.Profile.Remove(profile.Name)
			u.Profile.Set(profile.UserMetadata, profile.Value(`{"color":"red","n":[5,{"x":true}]}`), src(day))
			return user.Effect{}, nil
		})
		must(t, err)
		finds(t, s, text("name", "ann kay"))
		finds(t, s, text("user_metadata.color", "red"), "auth0|a")
		finds(t, s, exactly("user_metadata.n", user.NumberTerm(5)), "auth0|a")
		finds(t, s, exactly("user_metadata.n.x", user.BoolTerm(true)), "auth0|a")
		finds(t, s, exactly(user.PathExists, "user_metadata.n"), "auth0|a")

		finds(t, s, exactly(user.PathExists, user.LoggedIn))
		must(t, s.RecordLogin(bg, "auth0|b", user.Logins{Last: day + 5_000, IP: "192.0.2.7", Count: 1}, "", "", user.Effect{}))
		finds(t, s, exactly(user.PathExists, user.LoggedIn), "auth0|b")
		finds(t, s, text("last_ip", "192.0.2.7"), "auth0|b")
		finds(t, s, exactly("logins_count", user.NumberTerm(1)), "auth0|b")
		finds(t, s, exactly("last_login", user.TimeTerm(day+5_000)), "auth0|b")
		finds(t, s, exactly("updated_at", user.TimeTerm(day+5_000)), "auth0|b")
		must(t, s.RecordLogin(bg, "auth0|b", user.Logins{Last: day + 9_000, IP: "192.0.2.8", Count: 1}, "", "", user.Effect{}))
		finds(t, s, text("last_ip", "192.0.2.7"))
		finds(t, s, exactly("logins_count", user.NumberTerm(2)), "auth0|b")

		u := upstreamUser("9", "gus@example.test")
		_, err = s.Federate(bg, upstream, "9", user.Logins{Last: day, IP: "192.0.2.9", Count: 1},
			func(*user.User) (*user.User, user.Effect, error) { return u, user.Effect{}, nil })
		must(t, err)
		finds(t, s, text("identities.connection", "google"), "google-oauth2|9")
		finds(t, s, exactly("identities.isSocial", user.BoolTerm(true)), "google-oauth2|9")
		finds(t, s, exactly(user.PathExists, user.LoggedIn), "auth0|b", "google-oauth2|9")

		for _, id := range []user.ID{"auth0|a", "auth0|b", "google-oauth2|9"} {
			must(t, s.DeleteUser(bg, id, 0, user.Effect{}))
		}
		finds(t, s, user.Everybody{})
	})
	t.Run("follows an import", func(t *testing.T) {
		s := open(t)
		must(t, s.CreateConnection(bg, conn(ourConnection, "users", "auth0"), event("")))
		create(t, s, ourUser("a", "a@example.test"), ourUser("c", "c@example.test"))
		must(t, s.CreateJob(bg, newJob("job_1"), event("")))
		l := claim(t, s, "n", day)
		named := func(name string) func(*user.User) (user.Effect, error) {
			return func(u *user.User) (user.Effect, error) {
				u.Profile.Set(profile.Name, profile.Text(name), src(day+1))
				return user.Effect{}, nil
			}
		}
		rows := []job.Row{
			{Number: 1, New: ourUser("x", "a@example.test"), Upsert: named("Same")},
			{Number: 2, New: ourUser("b", "b@example.test"), Upsert: named("Same")},
			{Number: 3, New: ourUser("y", "c@example.test"), Upsert: named("Same")},
		}
		res, err := s.ImportBatch(bg, l, newJob("job_1"), rows, nil, 1, day)
		if err != nil || res.Inserted != 1 || res.Updated != 2 {
			t.Fatalf("%+v, %v", res, err)
		}
		finds(t, s, text("name", "same"), "auth0|a", "auth0|c")
		finds(t, s, exactly(user.PathExists, "-name"), "auth0|b")
		finds(t, s, text("email", "b@example.test"), "auth0|b")
	})
	t.Run("a refused change leaves the index alone", func(t *testing.T) {
		s := open(t)
		create(t, s, ourUser("a", "a@example.test"), ourUser("b", "b@example.test"))
		_, err := s.UpdateUser(bg, "auth0|b", func(u *user.User) (user.Effect, error) {
			u.Profile.Set(profile.Name, profile.Text("New"), src(day))
			u.Profile.Set(profile.Email, profile.Text("a@example.test"), src(day))
			return user.Effect{}, nil
		})
		if err == nil {
			t.Fatal("a taken e-mail was accepted")
		}
		finds(t, s, text("name", "new"))
		finds(t, s, text("email", "b@example.test"), "auth0|b")
	})
	t.Run("changes at the same time", func(t *testing.T) {
		s := open(t)
		const n = 60
		got := race(n, func(i int) error {
			u := ourUser(fmt.Sprint(i), fmt.Sprintf("u%d@example.test", i))
			u.Profile.Set(profile.Nickname, profile.Text("nick"), src(day))
			if err := s.CreateUser(bg, u, user.Effect{}); err != nil {
				return err
			}
			if i%3 == 0 {
				return s.DeleteUser(bg, u.ID, 0, user.Effect{})
			}
			_, err := s.UpdateUser(bg, u.ID, set(profile.Nickname, fmt.Sprintf("nick %d", i%2)))
			return err
		})
		if got["ok"] != n {
			t.Fatal(got)
		}
		if f := found(t, s, text("nickname", "nick")); len(f) != 0 {
			t.Errorf("old values find %v", f)
		}
		if f := found(t, s, user.AnyOf{text("nickname", "nick 0"), text("nickname", "nick 1")}); len(f) != n*2/3 {
			t.Errorf("found %d of %d", len(f), n*2/3)
		}
	})
	t.Run("model", func(t *testing.T) { SearchModel(t, open(t)) })
}

// SearchModel compares searches with a slow evaluator, while users change.
func SearchModel(t *testing.T, s *store.Store) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	var known []*user.User
	for i := range 300 {
		u := randomUser(rnd, i)
		create(t, s, u)
		known = append(known, u)
	}
	for round := range 120 {
		at := rnd.IntN(len(known))
		switch now := randomUser(rnd, 1000+round); rnd.IntN(4) {
		case 0:
			must(t, s.DeleteUser(bg, known[at].ID, 0, user.Effect{}))
			known = slices.Delete(known, at, at+1)
		default:
			u, err := s.UpdateUser(bg, known[at].ID, func(u *user.User) (user.Effect, error) {
				u.Profile, u.UpdatedAt = now.Profile, now.UpdatedAt
				return user.Effect{}, nil
			})
			must(t, err)
			known[at] = u
		}
		checkSearch(t, s, known, randomPlan(rnd, 3), rnd)
	}
}

func checkSearch(t *testing.T, s *store.Store, known []*user.User, p user.Plan, rnd *rand.Rand) {
	t.Helper()
	var want []string
	for _, u := range known {
		if evaluate(p, u) {
			want = append(want, string(u.ID))
		}
	}
	slices.Sort(want)
	f, err := s.Search(bg, user.Search{Plan: p, Limit: 1000, Total: true})
	must(t, err)
	inOrder := ids(f.Users)
	got := slices.Sorted(slices.Values(inOrder))
	if !slices.Equal(got, want) || f.Total != len(want) {
		t.Fatalf("%s:\nfinds %d: %v\nwants %d: %v", show(p), f.Total, got, len(want), want)
	}
	// Page by page, both ways, is the same list.
	var pages, marks []string
	step := 1 + rnd.IntN(40)
	for offset := 0; ; offset += step {
		f, err := s.Search(bg, user.Search{Plan: p, Offset: offset, Limit: step})
		must(t, err)
		if len(f.Users) == 0 {
			break
		}
		pages = append(pages, ids(f.Users)...)
	}
	after := int64(0)
	for {
		f, err := s.Search(bg, user.Search{Plan: p, After: after, Limit: step})
		must(t, err)
		marks = append(marks, ids(f.Users)...)
		if after = f.Next; after == 0 {
			break
		}
	}
	if !slices.Equal(pages, inOrder) || !slices.Equal(marks, inOrder) {
		t.Fatalf("%s: in steps of %d\nwhole %v\npages %v\nmarks %v", show(p), step, inOrder, pages, marks)
	}
	field := []string{"email", "name", "created_at", "updated_at", "user_id", "blocked"}[rnd.IntN(6)]
	f, err = s.Search(bg, user.Search{Plan: p, Limit: 1000, SortBy: field, Descending: rnd.IntN(2) == 0})
	must(t, err)
	if got := slices.Sorted(slices.Values(ids(f.Users))); !slices.Equal(got, want) {
		t.Fatalf("%s sorted by %s finds %v, wants %v", show(p), field, got, want)
	}
}

func show(p user.Plan) string {
	if l, ok := p.(*user.Lookup); ok {
		return fmt.Sprintf("%+v", *l)
	}
	switch p := p.(type) {
	case user.AllOf:
		parts := make([]string, len(p))
		for i, q := range p {
			parts[i] = show(q)
		}
		return "all(" + strings.Join(parts, ", ") + ")"
	case user.AnyOf:
		parts := make([]string, len(p))
		for i, q := range p {
			parts[i] = show(q)
		}
		return "any(" + strings.Join(parts, ", ") + ")"
	case user.Except:
		return "not " + show(p.Plan)
	}
	return reflect.TypeOf(p).Name()
}

var (
	someNames  = []string{"Ann", "ann", "Bob", "Bobby", "Zoë", "ann lee", "日本", `50%_"x`}
	someColors = []string{`"red"`, `"RED"`, `"blue"`, "5", `"5"`, "true", `"true"`, "-2.5", "null", "[]", `["red",7]`, `{"deep":"red"}`}
)

func randomUser(rnd *rand.Rand, i int) *user.User {
	u := ourUser(fmt.Sprint(i), fmt.Sprintf("%d@%d.test", i, rnd.IntN(5)))
	pick := func(list []string) string { return list[rnd.IntN(len(list))] }
	if rnd.IntN(3) > 0 {
		u.Profile.Set(profile.Name, profile.Text(pick(someNames)), src(day))
	}
	if rnd.IntN(2) > 0 {
		u.Profile.Set(profile.FamilyName, profile.Text(pick(someNames)), src(day))
	}
	if rnd.IntN(2) > 0 {
		u.Profile.Set(profile.Blocked, profile.Bool(rnd.IntN(2) > 0), src(day))
	}
	if rnd.IntN(4) > 0 {
		u.Profile.Set(profile.AppMetadata, profile.Value(`{"c":`+pick(someColors)+`,"d":`+pick(someColors)+`}`), src(day))
	}
	u.CreatedAt = day + int64(rnd.IntN(10))*1_000_000
	u.UpdatedAt = u.CreatedAt + int64(rnd.IntN(10))*1_000_000
	return u
}

func randomPlan(rnd *rand.Rand, depth int) user.Plan {
	if depth > 0 {
		switch rnd.IntN(5) {
		case 0, 1:
			list := make(user.AllOf, rnd.IntN(4))
			for i := range list {
				list[i] = randomPlan(rnd, depth-1)
			}
			return list
		case 2:
			list := make(user.AnyOf, rnd.IntN(4))
			for i := range list {
				list[i] = randomPlan(rnd, depth-1)
			}
			return list
		case 3:
			return user.Except{Plan: randomPlan(rnd, depth-1)}
		}
	}
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	name := strings.ToLower(pick(someNames...))
	field := pick("name", "family_name", "app_metadata.c")
	at := day + int64(rnd.IntN(12))*1_000_000
	switch rnd.IntN(9) {
	case 0:
		return user.Everybody{}
	case 1:
		return exactly("blocked", user.BoolTerm(rnd.IntN(2) > 0))
	case 2:
		return exactly(user.PathExists, pick("-name", "family_name", "app_metadata", "app_metadata.c", "app_metadata.c.deep"))
	case 3:
		return &user.Lookup{Path: "app_metadata.c", Exact: []string{user.TextTerm("5"), user.NumberTerm(5), user.TextTerm("red"), user.BoolTerm(true)}[rnd.IntN(4):]}
	case 4:
		return &user.Lookup{Path: field, Pattern: []string{string([]rune(name)[:1]), ""}}
	case 5:
		return &user.Lookup{Path: field, Pattern: [][]string{{"", "nn", ""}, {"", "b"}, {"a", "e", ""}, {"", ""}, {"", "e", "e"}}[rnd.IntN(5)]}
	case 6:
		return &user.Lookup{Path: field, Pattern: []string{"", "n", ""}, Single: []bool{true, rnd.IntN(2) > 0}}
	case 7:
		return &user.Lookup{Path: pick("created_at", "updated_at"), Range: &user.Bounds{
			Low: []string{"", user.TimeTerm(at)}[rnd.IntN(2)], High: user.TimeTerm(at + int64(rnd.IntN(5))*1_000_000),
			LowExclusive: rnd.IntN(2) > 0, HighExclusive: rnd.IntN(2) > 0,
		}}
	}
	return &user.Lookup{Path: "app_metadata.c", Range: &user.Bounds{Low: user.NumberTerm(-3), High: []string{"", user.NumberTerm(5)}[rnd.IntN(2)], HighExclusive: true}}
}

// evaluate is the slow truth: a plan on everything that is known of one user.
func evaluate(p user.Plan, u *user.User) bool {
	switch p := p.(type) {
	case user.Everybody:
		return true
	case user.Except:
		return !evaluate(p.Plan, u)
	case user.AllOf:
		return !slices.ContainsFunc(p, func(q user.Plan) bool { return !evaluate(q, u) })
	case user.AnyOf:
		return slices.ContainsFunc(p, func(q user.Plan) bool { return evaluate(q, u) })
	}
	l := p.(*user.Lookup)
	terms := user.Terms(u)
	terms = append(terms, user.Term{Path: "updated_at", Value: user.TimeTerm(max(u.UpdatedAt, u.Logins.Last))})
	return slices.ContainsFunc(terms, func(t user.Term) bool { return t.Path == l.Path && meets(l, t.Value) })
}

func meets(l *user.Lookup, v string) bool {
	switch {
	case len(l.Exact) > 0:
		return slices.Contains(l.Exact, v)
	case l.Range != nil:
		b := l.Range
		kind := (b.Low + b.High)[:1]
		return v[:1] == kind &&
			(b.Low == "" || v > b.Low || v == b.Low && !b.LowExclusive) &&
			(b.High == "" || v < b.High || v == b.High && !b.HighExclusive)
	}
	return v[:1] == "s" && pieces(v[1:], l.Pattern, l.Single)
}

// pieces tries every way to fill the gaps.
func pieces(s string, list []string, single []bool) bool {
	if !strings.HasPrefix(s, list[0]) {
		return false
	}
	rest := []rune(s[len(list[0]):])
	if len(list) == 1 {
		return len(rest) == 0
	}
	if len(single) > 0 && single[0] {
		return len(rest) > 0 && pieces(string(rest[1:]), list[1:], single[1:])
	}
	for i := range len(rest) + 1 {
		if pieces(string(rest[i:]), list[1:], single[min(1, len(single)):]) {
			return true
		}
	}
	return false
}
