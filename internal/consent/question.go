package consent

import (
	"errors"
	"slices"

	"mangrove/internal/audit"
)

// Question is what a person is asked, and what is stored when the answer is yes.
type Question struct {
	Needed bool
	UserID string
	// ClientID asks for Scope at the API with this id, name and identifier; no id:
	// for the profile alone.
	ClientID               string
	API, APIName, Audience string
	Scope                  []Scope
}

// Scope is one line of the question.
type Scope struct {
	Name        string
	Description string // of the API; empty: none
}

// ErrDenied is the answer to a person's no (reference/authentication.md §2.4).
var ErrDenied = errors.New("User did not authorize the request")

// Yes is the consent to the question.
func (q *Question) Yes(at int64) Consent {
	c := Consent{ID: NewID(), UserID: q.UserID, ClientID: q.ClientID, API: q.API, Audience: q.Audience, CreatedAt: at}
	for _, s := range q.Scope {
		c.Scope = append(c.Scope, s.Name)
	}
	return c
}

// Event is the record of a yes.
func (c *Consent) Event(ip, userAgent string) audit.Event {
	return audit.Event{
		Type: audit.ConsentGiven, At: c.CreatedAt, ClientID: c.ClientID, UserID: c.UserID, IP: ip, UserAgent: userAgent,
		Description: "The user authorized the application",
	}
}

// Add is the scopes of both, each once, the older first.
func Add(older, newer []string) []string {
	all := slices.Clone(older)
	for _, s := range newer {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}
