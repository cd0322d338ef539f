package connection

import (
	"slices"

	"mangrove/internal/profile"
	"mangrove/internal/strictjson"
)

// precedence is the default order of reference/connections.md §2.1, which happens
// to be that of the alphabet.
var precedence = []string{"email", "phone_number", "username"}

// SignInKinds are the kinds of names by which users of a connection of ours sign
// in, the first choice first: email, phone_number, username. Flexible attributes
// say which are identifiers; classic databases have the e-mail address, and the
// username where it is required (reference/connections.md §2.1).
func (c *Connection) SignInKinds() []string {
	switch c.Strategy {
	case "email":
		return []string{"email"}
	case "sms":
		return []string{"phone_number"}
	}
	return signInKinds(strictjson.ParseDocument(c.Options))
}

func signInKinds(o strictjson.Document) []string {
	attributes := o.Object("attributes")
	if !o.Has("attributes") {
		if o.Flag("requires_username") {
			return []string{"email", "username"}
		}
		return []string{"email"}
	}
	order := o.Texts("precedence")
	if !slices.Equal(slices.Sorted(slices.Values(order)), precedence) {
		order = precedence
	}
	return slices.DeleteFunc(slices.Clone(order), func(kind string) bool {
		return !attributes.Object(kind).Object("identifier").Flag("active")
	})
}

// PasskeysEnabled reports whether users may sign in with passkeys
// (authentication_methods.passkey.enabled). Those of an external store may not: it would
// not be asked.
func (c *Connection) PasskeysEnabled() bool {
	if c.Class() == profile.ExternalDatabase {
		return false
	}
	methods := strictjson.ParseDocument(c.Options).Object("authentication_methods")
	return c.Strategy == "auth0" && methods.Object("passkey").Flag("enabled")
}

// PasskeyUI says how passkeys are offered: by a button, in the browser's own list
// of names (passkey_options.challenge_ui; both where nothing is set).
func (c *Connection) PasskeyUI() (button, autofill bool) {
	switch strictjson.ParseDocument(c.Options).Object("passkey_options").Text("challenge_ui") {
	case "button":
		return true, false
	case "autofill":
		return false, true
	}
	return true, true
}

// PasskeyOffered reports whether somebody who signed in with a password is offered
// a passkey (passkey_options.progressive_enrollment_enabled; unless it is off).
func (c *Connection) PasskeyOffered() bool {
	options := strictjson.ParseDocument(c.Options).Object("passkey_options")
	return !options.Has("progressive_enrollment_enabled") || options.Flag("progressive_enrollment_enabled")
}

// HiddenButton reports an identity provider that sign-in pages do not list: its
// show_as_button is set to false.
func (c *Connection) HiddenButton() bool { return c.view().hidden }
