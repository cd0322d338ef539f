package user

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"

	"mangrove/internal/profile"
	"mangrove/internal/schema"
)

// The kinds of second factors that an import brings (reference/users.md §6.2).
const (
	FactorTOTP  = "totp"
	FactorPhone = "phone"
	FactorEmail = "email"
)

// Factor is a second factor of a user.
type Factor struct {
	// Device is dev_ and 16 characters. It stays the same as long as the user has
	// the factor, whatever becomes of others, and tells nothing about its value.
	Device string
	Kind   string
	// Shown is the masked address of a phone or an e-mail factor; empty for TOTP,
	// whose secret is shown to nobody.
	Shown string
	// Value is the secret, the number or the address; it goes to nobody.
	Value string
}

// ID is the id of the authentication method, totp|dev_….
func (f Factor) ID() string { return f.Kind + "|" + f.Device }

// Factors lists the second factors of u in their order, each once. Devices are
// made with key, which is the same on every node: without it, who sees one could
// try out which phone number it stands for.
func Factors(u *User, key []byte) []Factor {
	var out []Factor
	for _, v := range schema.Elements(u.MFAFactors) {
		if f, ok := factor(u.ID, v, key); ok && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

// factor reads one element of what an import brought.
func factor(id ID, v profile.Value, key []byte) (Factor, bool) {
	for m := range schema.Members(v) {
		kind := m.Name()
		form, ok := factorForms[kind]
		if !ok {
			return Factor{}, false
		}
		value := profile.TextOf(profile.Member(m.Value, form.member))
		return Factor{Device: device(id, kind, value, key), Kind: kind, Shown: MaskedAddress(kind, value), Value: value}, true
	}
	return Factor{}, false
}

func device(id ID, kind, value string, key []byte) string {
	h := hmac.New(sha256.New, key)
	for _, s := range []string{"second factor", string(id), kind, value} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	const bits80 = 10
	return "dev_" + strings.ToLower(base32.StdEncoding.EncodeToString(h.Sum(nil)[:bits80]))
}

// MaskedAddress is what is shown of the value of a factor: of a phone number the last
// four digits, of an address its first character and the end of its domain.
func MaskedAddress(kind, value string) string {
	switch kind {
	case FactorPhone:
		const digits = 4
		if len(value) <= 2*digits {
			return strings.Repeat("X", len(value))
		}
		return strings.Repeat("X", len(value)-digits) + value[len(value)-digits:]
	case FactorEmail:
		at, dot := strings.LastIndexByte(value, '@'), strings.LastIndexByte(value, '.')
		if at < 0 {
			return "***"
		}
		first := ""
		for _, c := range value[:at] {
			first = string(c)
			break
		}
		if dot < at {
			return first + "***@***"
		}
		return first + "***@***" + value[dot:]
	}
	return ""
}

// DropFactors takes away the imported second factors of these devices.
func (u *User) DropFactors(key []byte, devices []string) {
	u.MFAFactors, _ = withoutFactors(u, key, func(f Factor) bool { return slices.Contains(devices, f.Device) })
}

// withoutFactors is the factors that do not match, as they came, and the number
// of the others; nil when none is left.
func withoutFactors(u *User, key []byte, match func(Factor) bool) (left profile.Value, removed int) {
	for _, v := range schema.Elements(u.MFAFactors) {
		if f, ok := factor(u.ID, v, key); ok && match(f) {
			removed++
			continue
		}
		separator := byte(',')
		if left == nil {
			separator = '['
		}
		left = append(append(left, separator), v...)
	}
	if left != nil {
		left = append(left, ']')
	}
	return left, removed
}
