package connection

import (
	"slices"
	"strings"
)

// Group of a strategy (reference/connections.md §1.2).
type Group uint8

// The groups. The zero Group is no group: an unknown strategy.
const (
	DatabaseGroup Group = iota + 1
	PasswordlessGroup
	SocialGroup
	EnterpriseGroup
)

// Strategy is what follows from the kind of a connection.
type Strategy struct {
	Name  string
	Group Group
	// NamedIDs: the user_id of an identity starts with the connection's name
	// (reference/connections.md §4.0). Such identities do not collide between
	// two connections of one strategy.
	NamedIDs bool
	// NumericIDs: identities[].user_id is shown as a JSON number when it is one
	// (reference/connections.md §0.1, 9).
	NumericIDs bool
}

// IsSocial is the isSocial of its identities.
func (s Strategy) IsSocial() bool { return s.Group == SocialGroup }

// ShowsButton reports whether show_as_button is part of the answers.
func (s Strategy) ShowsButton() bool { return s.Group == EnterpriseGroup }

var enterprise = []Strategy{
	{Name: "ad", NamedIDs: true},
	{Name: "adfs", NamedIDs: true},
	{Name: "auth0-adldap", NamedIDs: true},
	{Name: "auth0-oidc", NamedIDs: true},
	{Name: "custom", NamedIDs: true},
	{Name: "google-apps"},
	{Name: "ip"},
	{Name: "office365", NamedIDs: true},
	{Name: "oidc", NamedIDs: true},
	{Name: "okta", NamedIDs: true},
	{Name: "pingfederate", NamedIDs: true},
	{Name: "samlp", NamedIDs: true},
	{Name: "sharepoint", NamedIDs: true},
	{Name: "waad", NamedIDs: true},
}

var social = []string{
	"amazon", "apple", "baidu", "bitbucket", "bitly", "box", "daccount", "dropbox", "dwolla", "evernote",
	"evernote-sandbox", "exact", "facebook", "fitbit", "github", "google-oauth2", "instagram", "line",
	"linkedin", "paypal", "paypal-sandbox", "planningcenter", "salesforce", "salesforce-sandbox",
	"salesforce-community", "shop", "shopify", "soundcloud", "thirtysevensignals", "twitter", "untappd",
	"vkontakte", "weibo", "windowslive", "wordpress", "yahoo", "yandex",
}

// strategies is the whole table by name.
var strategies = func() map[string]Strategy {
	m := map[string]Strategy{
		"auth0":  {Name: "auth0", Group: DatabaseGroup},
		"email":  {Name: "email", Group: PasswordlessGroup},
		"sms":    {Name: "sms", Group: PasswordlessGroup},
		"oauth2": {Name: "oauth2", Group: SocialGroup, NamedIDs: true},
		"oauth1": {Name: "oauth1", Group: SocialGroup, NamedIDs: true},
	}
	for _, s := range enterprise {
		s.Group = EnterpriseGroup
		m[s.Name] = s
	}
	for _, name := range social {
		m[name] = Strategy{Name: name, Group: SocialGroup, NumericIDs: name == "github"}
	}
	return m
}()

// StrategyOf finds a strategy; ok is false for names that do not exist.
func StrategyOf(name string) (s Strategy, ok bool) {
	s, ok = strategies[name]
	return s, ok
}

// FilterStrategies are the names that ?strategy= of a list accepts, sorted.
func FilterStrategies() []string {
	list := make([]string, 0, len(strategies))
	for name := range strategies {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// Strategies are the names that a new connection may have, sorted. The alias
// auth0-adldap exists in filters alone.
func Strategies() []string {
	return slices.DeleteFunc(FilterStrategies(), func(name string) bool { return name == "auth0-adldap" })
}

// IdentityUserID is identities[].user_id for what the provider calls the
// person; the user_id is strategy, a bar, and this (reference/connections.md §4.0).
func IdentityUserID(strategy, connectionName, subject string) string {
	if strategies[strategy].NamedIDs {
		return connectionName + "|" + subject
	}
	return subject
}

// Subject is the reverse of IdentityUserID; ok is false for an id that no
// identity of the connection has.
func Subject(strategy, connectionName, userID string) (subject string, ok bool) {
	if strategies[strategy].NamedIDs {
		subject, ok = strings.CutPrefix(userID, connectionName+"|")
		return subject, ok && subject != ""
	}
	return userID, userID != ""
}
