package user

import (
	"strings"

	"mangrove/internal/profile"
)

// searchField is what a search can ask of one field (reference/users.md §5.1).
type searchField struct {
	kind     fieldKind
	presence presence
	sortable bool
}

// fieldKind is how the values of a field match.
type fieldKind uint8

const (
	asText         fieldKind = iota // as it is
	asFoldedText                    // without regard to case
	asTruth                         // true or false
	asNumber                        // exact and range
	asMoment                        // exact and range, each a period
	asMetadata                      // text, number or truth value
	asUserMetadata                  // likewise, without wildcards and ranges
	asNothing                       // can only be asked for existence
)

// presence is how the index knows who has the field at all.
type presence uint8

const (
	whereListed  presence = iota // PathExists has its name
	unlessLacked                 // PathExists has who lacks it
	whereEmail                   // whoever has an e-mail
	whereLogin                   // whoever has signed in
	whereEither                  // whoever has true or false
	always                       // everybody
)

var searchFields = map[string]searchField{
	profile.Email:         {asFoldedText, unlessLacked, true},
	profile.Name:          {asFoldedText, unlessLacked, true},
	profile.Nickname:      {asFoldedText, unlessLacked, true},
	profile.GivenName:     {asFoldedText, whereListed, true},
	profile.FamilyName:    {asFoldedText, whereListed, true},
	EmailDomain:           {asFoldedText, whereEmail, false},
	profile.Username:      {asText, whereListed, true},
	profile.PhoneNumber:   {asText, whereListed, true},
	"user_id":             {asText, always, true},
	"last_ip":             {asText, whereLogin, true},
	profile.EmailVerified: {asTruth, whereEither, true},
	profile.PhoneVerified: {asTruth, whereEither, false},
	profile.Blocked:       {asTruth, whereEither, true},
	"logins_count":        {asNumber, whereLogin, true},
	"created_at":          {asMoment, always, true},
	"updated_at":          {asMoment, always, true},
	"last_login":          {asMoment, whereLogin, true},

	"identities":            {asNothing, always, false},
	"identities.connection": {asText, always, false},
	"identities.provider":   {asText, always, false},
	"identities.user_id":    {asText, always, false},
	"identities.isSocial":   {asTruth, always, false},
}

// searchTrees are the fields that have others below them.
var searchTrees = []struct {
	name string
	kind fieldKind
}{
	{profile.UserMetadata, asUserMetadata},
	{profile.AppMetadata, asMetadata},
	{"identities.profileData", asMetadata},
}

// bareFields are those that a term without a field searches.
var bareFields = []string{
	profile.Email, profile.Name, profile.GivenName, profile.FamilyName, profile.Nickname,
	profile.Username, "user_id", profile.PhoneNumber,
}

// fieldNamed finds a field. What it does not know is not searchable, be it
// hidden (password_hash, identities.access_token) or not there at all.
func fieldNamed(name string) (searchField, bool) {
	if f, ok := searchFields[name]; ok {
		return f, true
	}
	for _, tree := range searchTrees {
		if rest, ok := strings.CutPrefix(name, tree.name); ok && (rest == "" || rest[0] == '.') {
			return searchField{tree.kind, whereListed, false}, true
		}
	}
	return searchField{}, false
}

// SortField reports whether sort= takes the field.
func SortField(name string) bool { return searchFields[name].sortable }
