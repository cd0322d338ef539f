package store_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"mangrove/internal/audit"
	"mangrove/internal/job"
	"mangrove/internal/profile"
	"mangrove/internal/store"
	"mangrove/internal/store/storetest"
	"mangrove/internal/user"
)

// searchUsers is how many users a search is measured with: MANGROVE_BENCH_USERS,
// 10,000 without it.
func searchUsers(b *testing.B) int {
	b.Helper()
	n, err := strconv.Atoi(os.Getenv("MANGROVE_BENCH_USERS"))
	if err != nil {
		return 10_000
	}
	return n
}

var (
	firstNames = []string{"Ann", "Bob", "Carla", "Dmitri", "Eve", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kofi", "Lea", "Mina", "Noor", "Olga", "Pia"}
	lastNames  = []string{"Ames", "Berg", "Costa", "Dahl", "Egli", "Fox", "Gray", "Hall", "Ito", "Jones", "Klein", "Lund", "Moss", "Nagy", "Ortiz", "Park", "Quinn", "Rossi"}
)

// searchable is a user with what people have: names, a few metadata values that
// are frequent, one that is rare, one that is its own.
func searchable(i int) *user.User {
	id := fmt.Sprintf("%024x", i)
	u := &user.User{
		ID:         user.ID("auth0|" + id),
		Identities: []user.Identity{{Provider: "auth0", Connection: "users", ConnectionID: "con_1", UserID: id, Subject: id}},
		CreatedAt:  1_700_000_000_000_000 + int64(i)*1000, UpdatedAt: 1_700_000_000_000_000 + int64(i)*1000,
	}
	mix := uint32(i) * 2654435761
	first, last := firstNames[mix>>7%16], lastNames[mix>>13%18]
	src := profile.Source{Origin: profile.FromImport, At: 1}
	for name, v := range map[string]profile.Value{
		profile.Email:         profile.Text(fmt.Sprintf("%s.%s.%d@mail%d.example.test", first, last, mix, mix%50)),
		profile.EmailVerified: profile.Bool(mix%3 > 0),
		profile.Name:          profile.Text(fmt.Sprintf("%s %s %d", first, last, mix%100_000)),
		profile.GivenName:     profile.Text(first),
		profile.FamilyName:    profile.Text(last),
		profile.Nickname:      profile.Text(fmt.Sprintf("%s%d", first, mix%10_000)),
		profile.UserMetadata:  profile.Value(fmt.Sprintf(`{"plan":%q,"team":"t%d","seat":%d}`, []string{"free", "pro", "team", "free"}[mix>>3%4], mix%2000, mix)),
	} {
		u.Profile.Set(name, v, src)
	}
	return u
}

func fillSearchable(b *testing.B, s *store.Store, users int) {
	b.Helper()
	createConnection(b, s)
	j := &job.Job{ID: "job_fill", Type: job.UsersImport, Status: job.Pending, ConnectionID: "con_1"}
	if err := s.CreateJob(bg, j, audit.Event{}); err != nil {
		b.Fatal(err)
	}
	_, l, err := s.Claim(bg, "b", 1, 1<<60)
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	for at := 0; at < users; at += 1000 {
		rows := make([]job.Row, min(1000, users-at))
		for i := range rows {
			rows[i].New = searchable(at + i)
		}
		if _, err := s.ImportBatch(bg, *l, j, rows, nil, int64(at), 1); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("%d users in %v", users, time.Since(began).Round(time.Millisecond))
}

// BenchmarkSearch: goals 9 and 11 of the search index.
func BenchmarkSearch(b *testing.B) {
	for _, engine := range storetest.Engines(b) {
		users := searchUsers(b)
		s := storetest.Open(b, engine)
		fillSearchable(b, s, users)
		for _, c := range []struct {
			name string
			q    func(i int) user.Search
		}{
			{"email", func(i int) user.Search {
				u := searchable(i * 7919 % users)
				return user.Search{Plan: &user.Lookup{Path: "email", Exact: []string{user.TextTerm(strings.ToLower(u.Profile.Text(profile.Email)))}}, Limit: 50}
			}},
			{"email with total", func(i int) user.Search {
				u := searchable(i * 7919 % users)
				return user.Search{Plan: &user.Lookup{Path: "email", Exact: []string{user.TextTerm(strings.ToLower(u.Profile.Text(profile.Email)))}}, Limit: 50, Total: true}
			}},
			{"rare metadata, ten of it", metadata("team", func(i int) string { return fmt.Sprintf("t%d", i%2000) }, 10, false)},
			{"rare metadata, total", metadata("team", func(i int) string { return fmt.Sprintf("t%d", i%2000) }, 0, true)},
			{"frequent metadata, ten of it", metadata("plan", func(int) string { return "free" }, 10, false)},
			{"frequent metadata, total", metadata("plan", func(int) string { return "free" }, 0, true)},
			{"two frequent, total", func(int) user.Search {
				return user.Search{Plan: user.AllOf{
					&user.Lookup{Path: "user_metadata.plan", Exact: []string{user.TextTerm("pro")}},
					&user.Lookup{Path: "email_verified", Exact: []string{user.BoolTerm(true)}},
				}, Total: true}
			}},
			{"everybody, ten of it", func(int) user.Search { return user.Search{Plan: user.Everybody{}, Limit: 10} }},
			{"everybody, total", func(int) user.Search { return user.Search{Plan: user.Everybody{}, Total: true} }},
			{"beginning of a name", func(i int) user.Search {
				return user.Search{Plan: &user.Lookup{Path: "name", Pattern: []string{fmt.Sprintf("ann ames %d", i%1000), ""}}, Limit: 10}
			}},
			{"middle of an e-mail", func(int) user.Search {
				return user.Search{Plan: &user.Lookup{Path: "email", Pattern: []string{"", "osta.1234", ""}}, Limit: 10}
			}},
			{"frequent, newest first", func(int) user.Search {
				return user.Search{Plan: &user.Lookup{Path: "user_metadata.plan", Exact: []string{user.TextTerm("pro")}}, Limit: 10, SortBy: "created_at", Descending: true}
			}},
			{"everybody by name", func(int) user.Search {
				return user.Search{Plan: user.Everybody{}, Limit: 10, SortBy: "name"}
			}},
		} {
			b.Run(engine+"/"+c.name, func(b *testing.B) {
				for i := range b.N {
					if _, err := s.Search(bg, c.q(i)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func metadata(name string, value func(int) string, limit int, total bool) func(int) user.Search {
	return func(i int) user.Search {
		return user.Search{Plan: &user.Lookup{Path: "user_metadata." + name, Exact: []string{user.TextTerm(value(i))}}, Limit: limit, Total: total}
	}
}
