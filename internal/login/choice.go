package login

import (
	"cmp"
	"slices"
	"strings"

	"mangrove/internal/connection"
	"mangrove/internal/page"
	"mangrove/internal/profile"
)

// kind is how a person signs in by a connection.
type kind uint8

const (
	database     kind = iota // identifier and password
	passwordless             // a one-time code
	directory                // name and password, which a directory elsewhere checks
	provider                 // an identity provider elsewhere
	place                    // a network address
)

// way is one connection by which a person may sign in.
type way struct {
	c      *connection.Connection
	kind   kind
	label  string
	hidden bool
}

// ways are the connections by which a person may sign in to the client:
// databases, passwordless, directories, providers, each by label. spoken is how people
// sign in by a strategy, if there is a connector for it.
func ways(list []*connection.Connection, clientID string, spoken func(strategy string) (kind, bool)) []way {
	var ws []way
	for _, c := range list {
		if w, ok := wayOf(c, clientID, spoken); ok {
			ws = append(ws, w)
		}
	}
	slices.SortStableFunc(ws, func(a, b way) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.label, b.label))
	})
	return ws
}

// wayOf judges one connection.
func wayOf(c *connection.Connection, clientID string, spoken func(strategy string) (kind, bool)) (way, bool) {
	if !c.Active() || !c.EnabledFor(clientID) {
		return way{}, false
	}
	w := way{c: c, label: c.DisplayName()}
	switch class := c.Class(); {
	case class.HasPasswords():
	case class == profile.PasswordlessEmail, class == profile.PasswordlessSMS:
		w.kind = passwordless
	case class.Upstream():
		k, ok := spoken(c.Strategy)
		w.kind, w.hidden = k, c.HiddenButton()
		return w, ok
	default:
		return way{}, false
	}
	return w, true
}

// offer is what a sign-in page offers: a field for an identifier where there is
// a database, a directory, a passwordless connection or a provider that serves
// e-mail domains, and buttons.
type offer struct {
	// At most one of these has the password field.
	database, directory *way
	email, sms          *way
	// homes are the providers and directories to which e-mail domains lead.
	homes   []way
	buttons []way
}

// offered chooses: of several databases the chosen one has the field, else the
// first; the others are buttons. A directory has it when it was chosen or there is
// no database. A passwordless connection that was chosen is alone with the buttons.
// Hidden ways are shown when without them nobody could sign in.
func offered(ws []way, chosen string) (o offer) {
	only, _ := find(ws, func(c *connection.Connection) bool { return c.ID == chosen })
	alone := only.c != nil && only.kind == passwordless
	databases := slices.ContainsFunc(ws, func(w way) bool { return w.kind == database })
	for i := range ws {
		w := &ws[i]
		if w.kind >= directory && len(w.c.Upstream().Domains) > 0 {
			o.homes = append(o.homes, *w)
		}
		switch {
		case alone && w.c.ID != chosen && w.kind < directory:
		case w.kind == database && only.kind != directory && (o.database == nil || w.c.ID == chosen):
			o.database = w
		case w.kind == directory && !alone && (w.c.ID == chosen || len(ws) == 1 || !databases && only.kind != directory && o.directory == nil && !w.hidden):
			o.directory = w
		case w.kind == passwordless && w.c.Class() == profile.PasswordlessSMS:
			if o.sms == nil || w.c.ID == chosen {
				o.sms = w
			}
		case w.kind == passwordless:
			if o.email == nil || w.c.ID == chosen {
				o.email = w
			}
		}
	}
	field := o.password() != nil || o.email != nil || o.sms != nil || len(o.homes) > 0
	for _, hiddenToo := range []bool{false, true} {
		for i := range ws {
			w := &ws[i]
			if w.kind != passwordless && w != o.password() && (hiddenToo || !w.hidden) && (!alone || w.kind >= directory) {
				o.buttons = append(o.buttons, *w)
			}
		}
		if field || len(o.buttons) > 0 {
			break
		}
	}
	return o
}

// password is the way that has the password field; nil: none has.
func (o offer) password() *way {
	if o.directory != nil {
		return o.directory
	}
	return o.database
}

// home is where the domain of an e-mail address leads (home-realm discovery); nil:
// nowhere. Of two connections with one domain the first by label counts.
func (o offer) home(identifier string) *way {
	for i := range o.homes {
		if o.homes[i].c.Upstream().HasDomain(strings.TrimSpace(identifier)) {
			return &o.homes[i]
		}
	}
	return nil
}

// identifiers are the kinds of identifiers that the field takes.
func (o offer) identifiers() (ids page.Identifiers) {
	if o.database != nil {
		ids = identifiersOf(o.database.c)
	}
	ids.Username = ids.Username || o.directory != nil
	ids.Email = ids.Email || o.email != nil || len(o.homes) > 0
	ids.Phone = ids.Phone || o.sms != nil
	return ids
}

// passwordIdentifiers are the kinds of identifiers that go with the password, and
// those that lead away from it.
func (o offer) passwordIdentifiers() page.Identifiers {
	o.email, o.sms = nil, nil
	return o.identifiers()
}

// identifiersOf are those by which the users of a database sign in.
func identifiersOf(c *connection.Connection) page.Identifiers {
	var ids page.Identifiers
	for _, kind := range c.SignInKinds() {
		switch kind {
		case "email":
			ids.Email = true
		case "username":
			ids.Username = true
		case "phone_number":
			ids.Phone = true
		}
	}
	return ids
}

// byCode is the passwordless connection that takes an identifier like this one.
func (o offer) byCode(identifier string) *way {
	switch {
	case strings.Contains(identifier, "@"):
		return o.email
	case strings.HasPrefix(strings.TrimSpace(identifier), "+"):
		return o.sms
	}
	return nil
}

// malformed says what is wrong with the form of an identifier; empty: nothing
// that could be known without looking for its owner.
func malformed(identifier string, ids page.Identifiers) page.Problem {
	switch identifier = strings.TrimSpace(identifier); {
	case identifier == "":
		return page.MissingInput
	case ids.Username:
		return ""
	case ids.Email && !ids.Phone && !strings.Contains(identifier, "@"):
		return page.InvalidEmail
	case ids.Phone && !ids.Email && !strings.HasPrefix(identifier, "+"):
		return page.InvalidPhone
	case ids.Email && ids.Phone && !strings.Contains(identifier, "@") && !strings.HasPrefix(identifier, "+"):
		return page.InvalidEmail
	}
	return ""
}
