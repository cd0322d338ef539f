package schema

import (
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of the formats, in bytes, as the wire counts them (RFC 5321 §4.5.3.1
// and RFC 3696 erratum 1690 for e-mail addresses).
const (
	maxEmail = 254
	maxLocal = 64
	maxURI   = 2048
	maxID    = 1024
)

// has reports whether s is of the format. An unknown format has nothing.
func (f Format) has(s string) bool {
	switch f {
	case FormatEmail:
		return IsEmail(s)
	case FormatStrictURI, FormatURL:
		return isStrictURI(s)
	case FormatUserID:
		return strings.Contains(s, "|") && Clean(s)
	case FormatUserIDMaxLength:
		return len(s) <= maxID && FormatUserID.has(s)
	case FormatDateTime:
		_, err := time.Parse(time.RFC3339Nano, s)
		return err == nil
	case FormatURIOrEmpty:
		return s == "" || isStrictURI(s)
	case FormatHTTPSOrEmpty:
		return s == "" || FormatHTTPSOrNull.has(s)
	case FormatHTTPSOrNull:
		return len(s) > 8 && strings.EqualFold(s[:8], "https://") && isStrictURI(s)
	case FormatEmailOrEmpty:
		return s == "" || IsEmail(s)
	case FormatColorOrNull:
		return IsColor(s)
	case FormatACR:
		return isACR(s)
	case FormatIPv4, FormatIPv6:
		a, err := netip.ParseAddr(s)
		return err == nil && a.Zone() == "" && a.Is4() == (f == FormatIPv4)
	case FormatIPv4Range, FormatIPv6Range:
		r, err := netip.ParsePrefix(s)
		return err == nil && r.Addr().Is4() == (f == FormatIPv4Range)
	}
	return false
}

// IsColor reports whether s is a color as #rgb or #rrggbb: the spellings that mean
// nothing else wherever in a style sheet they are written.
func IsColor(s string) bool {
	if len(s) != 4 && len(s) != 7 || s[0] != '#' {
		return false
	}
	return strings.Trim(s[1:], "0123456789abcdefABCDEF") == ""
}

// isACR reports whether s can be a value of acr_values, which blanks separate.
func isACR(s string) bool {
	if s == "" || len(s) > 256 {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && !strings.ContainsRune(":/.-_#?=&+%~", rune(s[i])) {
			return false
		}
	}
	return true
}

// IsEmail reports whether s is an e-mail address: a dot-atom of at most 64
// bytes, one @, a domain name of at least two labels; 254 bytes as a whole.
// Letters and digits of any script are fine as long as they have one spelling:
// combining marks, compatibility forms and letters whose other case is ASCII
// (the Kelvin sign, the dotless i) would let two addresses look like one.
func IsEmail(s string) bool {
	if len(s) > maxEmail {
		return false
	}
	local, domain, ok := strings.Cut(s, "@")
	return ok && len(local) <= maxLocal && isDotAtom(local) && isDomain(domain)
}

func isDotAtom(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" {
			return false
		}
		for _, r := range part {
			if r < utf8.RuneSelf {
				if !isAlnum(byte(r)) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r) {
					return false
				}
			} else if !oneSpelling(r) {
				return false
			}
		}
	}
	return true
}

func isDomain(s string) bool {
	labels, last := 0, ""
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if r < utf8.RuneSelf {
				if !isAlnum(byte(r)) && r != '-' {
					return false
				}
			} else if !oneSpelling(r) {
				return false
			}
		}
		labels, last = labels+1, label
	}
	return labels >= 2 && strings.Trim(last, "0123456789") != "" // four numbers are an IP address
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// compatible are the blocks and letters that are other spellings of other
// letters (those that Unicode normalization, of either kind, would change).
var compatible = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x00B5, 0x00B5, 1}, {0x0130, 0x0133, 1}, {0x013F, 0x0140, 1}, {0x0149, 0x0149, 1}, {0x017F, 0x017F, 1},
		{0x01C4, 0x01CC, 1}, {0x01F1, 0x01F3, 1}, {0x02B0, 0x02E4, 1}, {0x0374, 0x037A, 1}, {0x03D0, 0x03D6, 1},
		{0x03F0, 0x03F5, 1}, {0x03F9, 0x03F9, 1}, {0x0587, 0x0587, 1}, {0x0675, 0x0678, 1}, {0x0E33, 0x0E33, 1},
		{0x0EB3, 0x0EB3, 1}, {0x0EDC, 0x0EDD, 1}, {0x1100, 0x11FF, 1}, {0x1D2C, 0x1D6A, 1}, {0x1D78, 0x1D78, 1},
		{0x1D9B, 0x1DBF, 1}, {0x1E9A, 0x1E9E, 1}, {0x1F00, 0x209F, 1}, {0x2100, 0x218F, 1}, {0x2460, 0x24FF, 1},
		{0x2C7C, 0x2C7D, 1}, {0x3130, 0x318F, 1}, {0x3200, 0x33FF, 1}, {0xA69C, 0xA69D, 1}, {0xA770, 0xA770, 1},
		{0xA7F2, 0xA7F9, 1}, {0xA960, 0xA97F, 1}, {0xAB5C, 0xAB5F, 1}, {0xAB69, 0xAB69, 1}, {0xD7B0, 0xD7FF, 1},
		{0xF900, 0xFDFF, 1}, {0xFE70, 0xFEFF, 1}, {0xFF00, 0xFFEF, 1},
	},
	R32:         []unicode.Range32{{0x1D400, 0x1D7FF, 1}, {0x1EE00, 0x1EEFF, 1}, {0x2F800, 0x2FA1F, 1}},
	LatinOffset: 1,
}

// oneSpelling reports whether the non-ASCII r is a letter or digit that no
// other sequence of characters stands for.
func oneSpelling(r rune) bool {
	return unicode.In(r, unicode.L, unicode.Nd) && r != 0xAA && r != 0xBA && !unicode.Is(compatible, r)
}

// isStrictURI reports whether s is an absolute http or https URI with a host,
// without user information, blanks or characters that end an HTML attribute.
func isStrictURI(s string) bool {
	if len(s) > maxURI || !Clean(s) {
		return false
	}
	for _, r := range s {
		if r <= ' ' || strings.ContainsRune("\"<>\\^`{|}", r) || r >= utf8.RuneSelf && !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == utf8.RuneError {
			return false
		}
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil && isHost(u.Hostname())
}

func isHost(s string) bool {
	if strings.Contains(s, ":") {
		_, err := netip.ParseAddr(s)
		return err == nil
	}
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r < utf8.RuneSelf && !isAlnum(byte(r)) && r != '-' && r != '.' && r != '_'
	})
}
