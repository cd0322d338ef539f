package legacytest

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"mangrove/internal/foreigndb"
)

// Person is a row of the old table.
type Person struct {
	ID                          int
	Email, Password             string
	Name, GivenName, FamilyName string
	Nickname, Picture           string
	Verified                    bool
	City, Plan                  string
	Hash                        string // in the form of its Kind
	Kind                        string // bcrypt, pbkdf2, sha256
}

// UserID is the id that the scripts make of a row.
func (p Person) UserID() string { return fmt.Sprintf("shop|%d", p.ID) }

// People are n rows, the same each time; cost is that of bcrypt. Every third has another
// kind of hash: bcrypt, PBKDF2, salted SHA-256.
func People(t testing.TB, n, cost int) []Person {
	t.Helper()
	given := []string{"Kai", "Åsa", "Zoë", "Jürgen", "Marie-Claude", "O’Brien", "李", "Мария"}
	family := []string{"Aho", "Öberg", "D'Angelo", "Müller", "Smith \"Jr\"", "Núñez", "小龙", "Иванова"}
	list := make([]Person, n)
	for i := range list {
		g, f := given[i%len(given)], family[i/3%len(family)]
		p := Person{
			ID: i + 1, Email: fmt.Sprintf("Person.%d@Shop.example", i+1), Password: fmt.Sprintf("pässword %d", i+1),
			Name: g + " " + f, GivenName: g, FamilyName: f, Nickname: fmt.Sprintf("nick%d", i+1),
			Picture:  fmt.Sprintf("https://cdn.shop.example/%d.png", i+1),
			Verified: i%2 == 0, City: []string{"Oulu", "Malmö"}[i%2], Plan: []string{"free", "full"}[i/2%2],
		}
		p.Kind = []string{"bcrypt", "pbkdf2", "sha256"}[i%3]
		p.Hash = hash(t, p.Kind, p.Password, i, cost)
		list[i] = p
	}
	return list
}

func hash(t testing.TB, kind, password string, i, cost int) string {
	t.Helper()
	salt := fmt.Sprintf("salt-%08d", i)
	switch kind {
	case "bcrypt":
		b, err := bcrypt.GenerateFromPassword([]byte(password), cost)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	case "pbkdf2":
		const iterations = 10000
		key, err := pbkdf2.Key(sha256.New, password, []byte(salt), iterations, 32)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("pbkdf2$%d$%s$%s", iterations, salt, base64.StdEncoding.EncodeToString(key))
	default:
		sum := sha256.Sum256([]byte(salt + password))
		return "sha256$" + salt + "$" + hex.EncodeToString(sum[:])
	}
}

// Fill makes the table users of the people.
func (s *Server) Fill(t testing.TB, people []Person) {
	t.Helper()
	conn := s.open(t)
	defer func() { _ = conn.Close() }() // its work is done
	do(t, conn, `CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(200) NOT NULL UNIQUE, password VARCHAR(200) NOT NULL,
		name VARCHAR(200), given_name VARCHAR(100), family_name VARCHAR(100), nickname VARCHAR(100), picture VARCHAR(200),
		email_verified BOOLEAN NOT NULL, city VARCHAR(50), plan VARCHAR(20))`)
	const batch = 500
	for len(people) > 0 {
		part := people[:min(batch, len(people))]
		people = people[len(part):]
		rows := make([]string, len(part))
		for i, p := range part {
			rows[i] = fmt.Sprintf("(%d, %s, %s, %s, %s, %s, %s, %s, %t, %s, %s)", p.ID, quote(p.Email), quote(p.Hash), quote(p.Name), quote(p.GivenName),
				quote(p.FamilyName), quote(p.Nickname), quote(p.Picture), p.Verified, quote(p.City), quote(p.Plan))
		}
		do(t, conn, "INSERT INTO users VALUES "+strings.Join(rows, ", "))
	}
}

// Do runs a statement in the old database.
func (s *Server) Do(t testing.TB, statement string) {
	t.Helper()
	conn := s.open(t)
	defer func() { _ = conn.Close() }() // its work is done
	do(t, conn, statement)
}

func (s *Server) open(t testing.TB) foreigndb.Conn {
	t.Helper()
	conn, err := foreigndb.New((&net.Dialer{}).DialContext).Connect(context.Background(), s.Target())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func do(t testing.TB, conn foreigndb.Conn, statement string) {
	t.Helper()
	if _, err := conn.Query(context.Background(), statement, nil); err != nil {
		t.Fatal(err)
	}
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
