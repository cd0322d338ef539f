package legal

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// Segment is how an acr stands in a broker's addresses: one segment of the path,
// base64 with padding.
func Segment(acr string) string { return base64.StdEncoding.EncodeToString([]byte(acr)) }

// InAddress is the acr of an eID in the path of an address, or as its acr_values;
// empty: there is none.
func InAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if acr := InValues(u.Query().Get("acr_values")); acr != "" {
		return acr
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if acr := decoded(segment); acr != "" {
			return acr
		}
	}
	return ""
}

// InValues is the first acr of an eID among values between spaces; empty: there is none.
func InValues(values string) string {
	for value := range strings.FieldsSeq(values) {
		if IsACR(value) {
			return value
		}
	}
	return ""
}

// IsACR reports whether the value is an acr of an eID, of this table or not.
func IsACR(value string) bool {
	rest, ok := strings.CutPrefix(value, urn)
	return ok && rest != "" && !strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r > '~' })
}

// WithoutACR is the address without the segment of an acr: what a broker calls
// itself there. ok is false when the last segment is none.
func WithoutACR(address string) (base string, ok bool) {
	i := strings.LastIndexByte(address, '/')
	if i < 0 || decoded(address[i+1:]) == "" {
		return "", false
	}
	return address[:i], true
}

// decoded is the acr that a segment holds, padded or not, in either alphabet.
func decoded(segment string) string {
	if text, err := url.PathUnescape(segment); err == nil {
		segment = text
	}
	bare := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(segment, "="))
	b, err := base64.RawStdEncoding.DecodeString(bare)
	if err != nil || !IsACR(string(b)) {
		return ""
	}
	return string(b)
}
