package login

import (
	"cmp"
	"encoding/json"
	"slices"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
)

// way is one connection by which a person may sign in.
type way struct {
	c        *connection.Connection
	database bool
	label    string
	hidden   bool
}

// ways are the connections by which a person may sign in to the client, by
// label, databases first. spoken reports whether there is a connector for a strategy.
func ways(list []*connection.Connection, clientID string, spoken func(strategy string) bool) []way {
	var ws []way
	for _, c := range list {
		if w, ok := wayOf(c, clientID, spoken); ok {
			ws = append(ws, w)
		}
	}
	slices.SortStableFunc(ws, func(a, b way) int {
		if a.database != b.database {
			if a.database {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.label, b.label)
	})
	return ws
}

// wayOf judges one connection.
func wayOf(c *connection.Connection, clientID string, spoken func(strategy string) bool) (way, bool) {
	if !slices.Contains(c.EnabledClients, clientID) {
		return way{}, false
	}
	var extra struct {
		DisplayName    string `json:"display_name"`
		ShowAsButton   *bool  `json:"show_as_button"`
		Authentication *struct {
			Active *bool `json:"active"`
		} `json:"authentication"`
	}
	if len(c.Extra) > 0 && json.Unmarshal(c.Extra, &extra) != nil {
		return way{}, false
	}
	if a := extra.Authentication; a != nil && a.Active != nil && !*a.Active {
		return way{}, false
	}
	w := way{c: c, label: cmp.Or(extra.DisplayName, c.Name)}
	switch class := c.Class(); {
	case class == profile.Database, class == profile.ImportDatabase:
		w.database = true
	case class.Upstream() && spoken(c.Strategy):
		w.hidden = extra.ShowAsButton != nil && !*extra.ShowAsButton
	default:
		return way{}, false
	}
	return w, true
}

// shown is what a sign-in page offers: a form for the database, and buttons.
// Of several databases the chosen one has the form, else the first; the others
// are buttons. Hidden ways are shown when without them nobody could sign in.
func shown(ws []way, chosen string) (form *way, buttons []way) {
	for i := range ws {
		if ws[i].database && (form == nil || ws[i].c.ID == chosen) {
			form = &ws[i]
		}
	}
	for _, hiddenToo := range []bool{false, true} {
		for i := range ws {
			if &ws[i] != form && (hiddenToo || !ws[i].hidden) {
				buttons = append(buttons, ws[i])
			}
		}
		if form != nil || len(buttons) > 0 {
			break
		}
	}
	return form, buttons
}

// identifierLabel names what a database takes as identifier.
func identifierLabel(f profile.Connection) (label string, emailOnly bool) {
	switch {
	case f.Username.Allowed && f.PhoneAllowed:
		return "Email address, username or phone number", false
	case f.Username.Allowed:
		return "Username or email address", false
	case f.PhoneAllowed:
		return "Email address or phone number", false
	}
	return "Email address", true
}
