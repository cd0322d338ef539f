package profile

import (
	"crypto/md5"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Defaults rules what is made up at creation.
type Defaults struct {
	// NeutralPicture is the address of a picture of our own. Empty: the
	// reference's gravatar shape (reference/users.md §1.3), which tells a third
	// party the MD5 of the e-mail address.
	NeutralPicture string
}

// generated are the attributes that every user gets at creation, in the order
// in which they lean on each other (reference/connections.md §3.5).
var generated = []string{Name, Nickname, Picture}

// value is what the attribute would be if nobody said anything about it. host
// is that of the gravatar address.
func (d Defaults) value(name string, p Profile, host string) Value {
	switch name {
	case Name:
		return Text(defaultName(p))
	case Nickname:
		return Text(defaultNickname(p))
	default:
		return Text(d.picture(p, host))
	}
}

// Gravatar hosts, as recorded: imports have another one.
const (
	gravatar       = "https://s.gravatar.com"
	gravatarImport = "https://secure.gravatar.com"
)

// defaultName: e-mail, phone number, username, nothing. Never given and family name.
func defaultName(p Profile) string {
	return first(p.Text(Email), p.Text(PhoneNumber), p.Text(Username))
}

// defaultNickname: local part of the e-mail, name, nothing. Never the username
// of a user who has an e-mail.
func defaultNickname(p Profile) string {
	local, _, _ := strings.Cut(p.Text(Email), "@")
	return first(local, p.Text(Name), defaultName(p))
}

// picture is the neutral one, or gravatar with an initials image to fall back
// on, or the initials image alone where there is no e-mail.
func (d Defaults) picture(p Profile, host string) string {
	if d.NeutralPicture != "" {
		return d.NeutralPicture
	}
	avatar := initials(first(p.Text(Name), p.Text(Email), p.Text(Nickname))) + ".png"
	email := p.Text(Email)
	if email == "" {
		return "https://cdn.auth0.com/avatars/" + avatar
	}
	sum := md5.Sum([]byte(strings.ToLower(email)))
	return host + "/avatar/" + hex.EncodeToString(sum[:]) +
		"?s=480&r=pg&d=https%3A%2F%2Fcdn.auth0.com%2Favatars%2F" + avatar
}

// initials names the image for a name: the first letters of the first and the
// last word, or the first two of a single one. There are images for a to z
// only: one letter where the second is none, "default" where the first is none.
func initials(name string) string {
	words := strings.Fields(name)
	if len(words) == 0 {
		return "default"
	}
	a, rest := letter(words[0])
	if len(words) > 1 {
		rest = words[len(words)-1]
	}
	b, _ := letter(rest)
	if a == "" {
		return "default"
	}
	return a + b
}

// letter is the first character of s in lower case, empty unless it is one of a
// to z, and what follows it.
func letter(s string) (string, string) {
	r, n := utf8.DecodeRuneInString(s)
	if l := unicode.ToLower(r); l >= 'a' && l <= 'z' {
		return string(l), s[n:]
	}
	return "", s[n:]
}

func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

// madeUp is src for a value that nobody brought.
func madeUp(src Source) Source {
	src.Origin = FromDefault
	return src
}
