package passwordless

import (
	"regexp"
	"strings"

	"mangrove/internal/profile"
	"mangrove/internal/schema"
)

// PhonePattern is the form of a telephone number (reference/authentication.md §4.3).
const PhonePattern = `^\+[0-9]{1,15}$`

var phone = regexp.MustCompile(PhonePattern)

// Recipient is the address as users of the class have it: e-mail in lower case,
// telephone numbers as they are. ok is false for everything else.
func Recipient(class profile.Class, typed string) (recipient string, ok bool) {
	switch class {
	case profile.PasswordlessEmail:
		if !schema.IsEmail(typed) {
			return "", false
		}
		return strings.ToLower(typed), true
	case profile.PasswordlessSMS:
		return typed, phone.MatchString(typed)
	}
	return "", false
}

// Typed is what a person means who types a recipient into a page: blanks around
// it, and the marks that people put between the digits of a number, do not count.
func Typed(class profile.Class, text string) (recipient string, ok bool) {
	text = strings.TrimSpace(text)
	if class == profile.PasswordlessSMS {
		text = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "", "/", "").Replace(text)
		if digits, international := strings.CutPrefix(text, "00"); international {
			text = "+" + digits
		}
	}
	return Recipient(class, text)
}
