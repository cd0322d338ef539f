package ticket

import (
	"net/url"
	"strings"

	"mangrove/internal/errs"
)

// Result is what came of a ticket.
type Result struct {
	Purpose Purpose
	Err     error  // why nothing came of it: user.ErrTicketUsed, …; nil: done
	to      string // the result URL; empty: none
	email   string // to be told to the application; empty: not
	// address is what an external store did not verify; empty: that is not what happened.
	address string
}

// What a success says (reference/authentication.md §8.1).
const (
	verifiedText = "Your email was verified. You can continue using the application."
	releasedText = "Your account has been unblocked."
	changedText  = "You can now login to the application with the new password."
)

// Text is for people.
func (r Result) Text() string {
	switch {
	case r.Err != nil:
		return errs.From(r.Err).Text
	case r.Purpose == ChangePassword:
		return changedText
	case r.Purpose == Unblock:
		return releasedText
	}
	return verifiedText
}

// Location is the result URL with success, message, code and email added to its
// query; empty when the ticket has none. A failure tells no address, but for what an
// external store has not verified (reference/connections.md §5.2).
func (r Result) Location() string {
	u, err := url.Parse(r.to)
	if err != nil || r.to == "" {
		return ""
	}
	add := []string{"success", "false", "message", r.Text()}
	if r.address != "" {
		add = []string{"email", r.address, "message", r.Text(), "success", "false"}
	}
	if r.Err == nil {
		add = []string{"success", "true", "message", r.Text(), "code", "success"}
		if r.email != "" {
			add = append([]string{"email", r.email}, add...)
		}
	}
	// The application's own parameters stay as they are, to the byte.
	query := keep(u.RawQuery, add)
	for i := 0; i < len(add); i += 2 {
		query = append(query, add[i]+"="+strings.ReplaceAll(url.QueryEscape(add[i+1]), "+", "%20"))
	}
	u.RawQuery = strings.Join(query, "&")
	return u.String()
}

// keep is the parameters of a query but those that are about to be added: the
// application must be able to trust what it is told.
func keep(query string, add []string) []string {
	var list []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		told := err != nil || name == ""
		for i := 0; i < len(add); i += 2 {
			told = told || name == add[i]
		}
		if !told {
			list = append(list, pair)
		}
	}
	return list
}
