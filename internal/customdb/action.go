package customdb

import (
	"context"
	"encoding/json"
	"strconv"

	"mangrove/internal/connection"
	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// Action is one thing that a custom database can be asked
// (reference/connections.md §5.2). List is ours.
type Action string

// The actions.
const (
	Login             Action = "login"
	GetUser           Action = "get_user"
	Create            Action = "create"
	Verify            Action = "verify"
	ChangePassword    Action = "change_password"
	ChangeEmail       Action = "change_email"
	ChangeUsername    Action = "change_username"
	ChangePhoneNumber Action = "change_phone_number"
	Delete            Action = "delete"
	List              Action = "list"
)

// Actions are all of them.
var Actions = []Action{Login, GetUser, Create, Verify, ChangePassword, ChangeEmail, ChangeUsername, ChangePhoneNumber, Delete, List}

// Call is an action with what it is given: the parameters of a script before its
// context and its callback, in their order. SQL and webhooks know them by name.
type Call struct {
	Action Action
	Args   []Arg
}

// Arg is one parameter; Value is compact JSON.
type Arg struct {
	Name  string
	Value json.RawMessage
}

// Names of parameters.
const (
	ArgIdentifier  = "identifier"
	ArgPassword    = "password"
	ArgUser        = "user"
	ArgEmail       = "email"
	ArgNewEmail    = "new_email"
	ArgVerified    = "verified"
	ArgNewPassword = "new_password"
	ArgUsername    = "username"
	ArgPhoneNumber = "phone_number"
	ArgID          = "id"
	ArgAfter       = "after"
	ArgLimit       = "limit"
)

// Parameters are the names of an action's parameters, in their order.
func (a Action) Parameters() []string {
	switch a {
	case Login:
		return []string{ArgIdentifier, ArgPassword}
	case GetUser:
		return []string{ArgIdentifier}
	case Create:
		return []string{ArgUser}
	case Verify:
		return []string{ArgEmail}
	case ChangePassword:
		return []string{ArgIdentifier, ArgNewPassword}
	case ChangeEmail:
		return []string{ArgEmail, ArgNewEmail, ArgVerified}
	case ChangeUsername:
		return []string{ArgIdentifier, ArgUsername}
	case ChangePhoneNumber:
		return []string{ArgIdentifier, ArgPhoneNumber}
	case Delete:
		return []string{ArgID}
	case List:
		return []string{ArgAfter, ArgLimit}
	}
	return nil
}

// call pairs the parameters of an action with values.
func call(a Action, values ...json.RawMessage) Call {
	c := Call{Action: a}
	for i, name := range a.Parameters() {
		c.Args = append(c.Args, Arg{name, values[i]})
	}
	return c
}

// SignIn asks who signs in by an identifier, as typed, and a password.
func SignIn(identifier, password string) Call {
	return call(Login, profile.Text(identifier), profile.Text(password))
}

// Find asks who is known by an identifier.
func Find(identifier string) Call { return call(GetUser, profile.Text(identifier)) }

// NewUser asks to create somebody: an object with email, password in clear text,
// username, user_metadata and the rest of what was given.
func NewUser(user json.RawMessage) Call { return call(Create, user) }

// Proved tells that an address was verified.
func Proved(email string) Call { return call(Verify, profile.Text(email)) }

// NewPassword asks to replace the password of whoever is known by the identifier.
func NewPassword(identifier, password string) Call {
	return call(ChangePassword, profile.Text(identifier), profile.Text(password))
}

// NewEmail asks to replace an address; verified: the new one is proven.
func NewEmail(email, next string, verified bool) Call {
	return call(ChangeEmail, profile.Text(email), profile.Text(next), profile.Bool(verified))
}

// NewUsername asks to replace the username of whoever is known by the identifier.
func NewUsername(identifier, username string) Call {
	return call(ChangeUsername, profile.Text(identifier), profile.Text(username))
}

// NewPhoneNumber asks to replace the phone number of whoever is known by the identifier.
func NewPhoneNumber(identifier, number string) Call {
	return call(ChangePhoneNumber, profile.Text(identifier), profile.Text(number))
}

// Remove asks to delete whoever has the id, which is without a provider before it.
func Remove(id string) Call { return call(Delete, profile.Text(id)) }

// Page asks for up to limit people behind a cursor; empty: from the start.
func Page(after string, limit int) Call {
	return call(List, profile.Text(after), json.RawMessage(strconv.Itoa(limit)))
}

// Arg is the value of a parameter; nil: the action has none of that name.
func (c Call) Arg(name string) json.RawMessage {
	for _, a := range c.Args {
		if a.Name == name {
			return a.Value
		}
	}
	return nil
}

// Secrets are the passwords in the call.
func (c Call) Secrets() []string {
	var list []string
	for _, v := range []json.RawMessage{
		c.Arg(ArgPassword), c.Arg(ArgNewPassword), strictjson.ParseDocument(c.Arg(ArgUser))[ArgPassword],
	} {
		if s := profile.TextOf(v); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// Answer is what an action answered.
type Answer struct {
	// Value is strict JSON, compact; null: nothing was answered.
	Value   json.RawMessage
	Console []Line
}

// Line is a line that a script wrote to its console, its secrets masked.
type Line struct {
	Level string `json:"level"` // debug, info, warn, error
	Text  string `json:"text"`
}

// Runner runs actions (package action). It asks the network, so it is never called
// inside a transaction.
type Runner interface {
	// Run returns what the action answered. Errors: *Failure, and that of ctx.
	Run(ctx context.Context, c *connection.Connection, call Call) (Answer, error)
}
