package passwd

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decode reads text in an encoding of §6.3: hex in either case, base64 in either
// alphabet with or without padding, utf8.
func decode(encoding, text string) ([]byte, bool) {
	switch encoding {
	case "utf8":
		return []byte(text), utf8.ValidString(text)
	case "hex":
		b, err := hex.DecodeString(text)
		return b, err == nil
	case "base64":
		return decodeBase64(text)
	}
	return nil, false
}

func decodeBase64(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") { // the decoder would step over them
		return nil, false
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	b, err := base64.RawStdEncoding.DecodeString(text)
	return b, err == nil
}

// passwordEncodings are the ways in which an entered password becomes bytes.
// ascii and binary are latin1, as in Node.
var passwordEncodings = []string{"ascii", "utf8", "utf16le", "ucs2", "latin1", "binary"}

// encodePassword transcodes what the user entered. Characters that the encoding
// does not have make it false: cutting them down to a byte, as Node does, would
// let other passwords match.
func encodePassword(encoding, password string) ([]byte, bool) {
	switch encoding {
	case "", "utf8":
		return []byte(password), true
	case "utf16le", "ucs2":
		if !utf8.ValidString(password) {
			return nil, false
		}
		b := make([]byte, 0, 2*len(password))
		for _, u := range utf16.Encode([]rune(password)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return b, true
	case "ascii", "latin1", "binary":
		b := make([]byte, 0, len(password))
		for _, r := range password {
			if r > 0xff {
				return nil, false
			}
			b = append(b, byte(r))
		}
		return b, true
	}
	return nil, false
}
