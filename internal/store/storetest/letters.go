package storetest

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"mangrove/internal/letter"
	"mangrove/internal/store"
	"mangrove/internal/user"
)

func runLetters(t *testing.T, open func(testing.TB) *store.Store) {
	soon := func() int64 { return time.Now().Add(time.Minute).UnixMicro() } // the store's clock is the real one
	claim := func(t *testing.T, s *store.Store, now, until int64) *letter.Queued {
		t.Helper()
		q, err := s.ClaimLetter(bg, now, until)
		must(t, err)
		return q
	}

	t.Run("queued as it is, claimed, finished", func(t *testing.T) {
		s := open(t)
		now := soon()
		want := letter.Letter{
			Template: letter.ResetEmail, To: "ann@example.com", UserID: "auth0|ann", ConnectionID: ourConnection, ClientID: "app", Language: "de",
			URL: "https://id.example/x", Code: "123456", Lifetime: 60, Vars: map[string]string{"send": "link"}, ExpiresAt: day,
		}
		must(t, s.SendLetters(bg, []letter.Letter{want}, event("auth0|ann")))
		q := claim(t, s, now, now+10)
		if q == nil || !reflect.DeepEqual(q.Letter, want) || q.ID == "" || q.Fence != 1 || q.CreatedAt == 0 {
			t.Fatalf("%+v", q)
		}
		if again := claim(t, s, now+9, now+20); again != nil {
			t.Errorf("claimed twice: %+v", again)
		}
		must(t, s.FinishLetter(bg, q, event("auth0|ann")))
		if err := s.FinishLetter(bg, q, event("auth0|ann")); !errors.Is(err, letter.ErrTaken) {
			t.Error(err)
		}
		if q := claim(t, s, now+1000, now+2000); q != nil {
			t.Errorf("still there: %+v", q)
		}
	})

	t.Run("the first that is due comes first", func(t *testing.T) {
		s := open(t)
		now := soon()
		for _, to := range []string{"a", "b"} {
			must(t, s.SendLetters(bg, []letter.Letter{{To: to}}))
		}
		one := claim(t, s, now, now+10)
		if one == nil || one.To != "a" {
			t.Fatalf("%+v", one)
		}
		must(t, s.PostponeLetter(bg, one, now+5))
		if two := claim(t, s, now, now+10); two == nil || two.To != "b" {
			t.Errorf("%+v", two)
		}
		again := claim(t, s, now+6, now+30)
		if again == nil || again.To != "a" || again.Fence != 2 {
			t.Fatalf("%+v", again)
		}
		// Whoever had it before neither moves nor ends it.
		must(t, s.PostponeLetter(bg, one, now))
		if err := s.FinishLetter(bg, one); !errors.Is(err, letter.ErrTaken) {
			t.Error(err)
		}
		must(t, s.FinishLetter(bg, again))
	})

	t.Run("they end with their user", func(t *testing.T) {
		s := open(t)
		for _, name := range []string{"ann", "ben"} {
			must(t, s.CreateUser(bg, ourUser(name, name+"@example.com"), user.Effect{
				Letters: []letter.Letter{{Template: letter.VerifyEmail, To: name, UserID: "auth0|" + name}},
			}))
		}
		must(t, s.SendLetters(bg, []letter.Letter{{To: "nobody"}}))
		must(t, s.DeleteUser(bg, "auth0|ann", 0, user.Effect{}))
		now := soon()
		var left []string
		for q := claim(t, s, now, now+10); q != nil; q = claim(t, s, now, now+10) {
			left = append(left, q.To)
		}
		if !slices.Equal(left, []string{"ben", "nobody"}) {
			t.Errorf("left: %q", left)
		}
	})

	t.Run("whoever waits is told when they are there", func(t *testing.T) {
		s := open(t)
		told := 0
		s.OnLetters(func() { told++ })
		must(t, s.SendLetters(bg, nil, event("auth0|ann")))
		create := func(name string) error {
			return s.CreateUser(bg, ourUser(name, "ann@example.com"), user.Effect{Letters: []letter.Letter{{To: "ann"}}})
		}
		if told != 0 {
			t.Error("told of no letter")
		}
		must(t, create("ann"))
		if told != 1 {
			t.Errorf("told %d times", told)
		}
		if err := create("ben"); !errors.Is(err, user.ErrExists) || told != 1 {
			t.Errorf("%v, told %d times", err, told)
		}
	})

	t.Run("many claim one", func(t *testing.T) {
		s := open(t)
		now := soon()
		const letters = 6
		for range letters {
			must(t, s.SendLetters(bg, []letter.Letter{{To: "a"}}))
		}
		var wait sync.WaitGroup
		var mu sync.Mutex
		seen := map[string]int{}
		for range 4 {
			wait.Go(func() {
				for {
					q, err := s.ClaimLetter(bg, now, now+1_000_000)
					if err != nil {
						t.Error(err)
						return
					}
					if q == nil {
						return
					}
					mu.Lock()
					seen[q.ID]++
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		for q := claim(t, s, now, now+1_000_000); q != nil; q = claim(t, s, now, now+1_000_000) {
			seen[q.ID]++ // one that somebody gave up choosing
		}
		if len(seen) != letters {
			t.Errorf("%v", seen)
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s was claimed %d times", id, n)
			}
		}
	})

	t.Run("with the change of a user, or not at all", func(t *testing.T) {
		s := open(t)
		now := soon()
		create(t, s, ourUser("ann", "ann@example.com"))
		change := func(effect user.Effect, fail error) error {
			return second(s.UpdateUser(bg, "auth0|ann", func(u *user.User) (user.Effect, error) {
				u.UpdatedAt++
				return effect, fail
			}))
		}
		effect := user.Effect{Letters: []letter.Letter{{Template: letter.PasswordChanged, To: "ann@example.com"}}}
		refused := errors.New("no")
		if err := change(effect, refused); !errors.Is(err, refused) {
			t.Error(err)
		}
		effect.Redeems = user.Redemption{Ticket: "none", At: day}
		if err := change(effect, nil); !errors.Is(err, user.ErrTicketOver) {
			t.Error(err)
		}
		if q := claim(t, s, now, now+1); q != nil {
			t.Errorf("a letter of what did not happen: %+v", q)
		}
		effect.Redeems = user.Redemption{}
		must(t, change(effect, nil))
		if q := claim(t, s, now, now+1); q == nil || q.Template != letter.PasswordChanged {
			t.Errorf("%+v", q)
		}
	})

	t.Run("documents of mails", func(t *testing.T) {
		s := open(t)
		read := func(name string) string {
			t.Helper()
			doc, err := s.MailDocument(bg, name)
			must(t, err)
			return string(doc)
		}
		set := func(name, doc string) {
			t.Helper()
			must(t, second(s.UpdateMailDocument(bg, name, func(json.RawMessage) (json.RawMessage, error) {
				if doc == "" {
					return nil, nil
				}
				return json.RawMessage(doc), nil
			}, event(""))))
		}
		if doc := read("provider"); doc != "" {
			t.Error(doc)
		}
		set("provider", `{"a":1}`)
		set("verify_email", `{"b":2}`)
		if read("provider") != `{"a":1}` || read("verify_email") != `{"b":2}` || read("reset_email") != "" {
			t.Error(read("provider"), read("verify_email"), read("reset_email"))
		}
		set("provider", "")
		if doc := read("provider"); doc != "" {
			t.Error(doc)
		}
	})
}
