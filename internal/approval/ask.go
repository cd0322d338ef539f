package approval

import (
	"strconv"
	"time"
	"unicode/utf8"

	"mangrove/internal/errs"
	"mangrove/internal/schema"
	"mangrove/internal/strictjson"
)

// maxMessage is how long a binding message may be, characters.
const maxMessage = 64

// Refusals of /bc-authorize (reference/authentication.md §3.11; those of the hint's form,
// of the message's text and of requested_expiry are ours).
var (
	ErrNobody    = errs.New(errs.Invalid, "unknown_user_id", "User ID is malformed or unknown")
	errNoMessage = errs.New(errs.Invalid, "invalid_request", "binding_message is required")
	errMessage   = errs.New(errs.Invalid, "invalid_binding_message", "binding_message must have no more than %d characters, all of which can be seen.", maxMessage)
	errNoHint    = errs.New(errs.Invalid, "invalid_request", "login_hint is required")
	errHint      = errs.New(errs.Invalid, "invalid_request", `login_hint must be a JSON object such as {"format":"iss_sub","iss":"…","sub":"…"}`)
	errExpiry    = errs.New(errs.Invalid, "invalid_request", "requested_expiry must be a number of seconds from 1 to %d.", int(MaxLifetime/time.Second))
)

// Subject reads login_hint: the id of the user whom issuer knows by it.
func Subject(hint, issuer string) (string, error) {
	if hint == "" {
		return "", errNoHint
	}
	members, err := strictjson.Object([]byte(hint))
	if err != nil {
		return "", errHint
	}
	doc := strictjson.NewDocument(members)
	if doc.Text("format") != "iss_sub" {
		return "", errHint
	}
	sub := doc.Text("sub")
	if doc.Text("iss") != issuer || sub == "" || len(sub) > 1024 {
		return "", ErrNobody
	}
	return sub, nil
}

// CheckMessage refuses a binding message that a person could not compare.
func CheckMessage(text string) error {
	switch {
	case text == "":
		return errNoMessage
	case utf8.RuneCountInString(text) > maxMessage || !schema.Clean(text):
		return errMessage
	}
	return nil
}

// Lifetime reads requested_expiry; empty is the longest.
func Lifetime(text string) (time.Duration, error) {
	if text == "" {
		return MaxLifetime, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	d := time.Duration(n) * time.Second //nolint:gosec // 16 bits
	if err != nil || d < time.Second || d > MaxLifetime {
		return 0, errExpiry
	}
	return d, nil
}
