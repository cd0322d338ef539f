package oauth

import "strings"

// Response is what an answer of the authorization endpoint carries: the parts of
// response_type.
type Response struct{ Code, Token, IDToken bool }

// ResponseTypes are all that there are, as discovery lists them
// (reference/authentication.md §1.1).
var ResponseTypes = []string{"code", "token", "id_token", "code token", "code id_token", "token id_token", "code token id_token"}

// ParseResponse reads a response_type: its words in any order, none twice.
func ParseResponse(text string) (Response, bool) {
	var r Response
	words := strings.Fields(text)
	for _, w := range words {
		var part *bool
		switch w {
		case "code":
			part = &r.Code
		case "token":
			part = &r.Token
		case "id_token":
			part = &r.IDToken
		default:
			return Response{}, false
		}
		if *part {
			return Response{}, false
		}
		*part = true
	}
	return r, len(words) > 0
}

// FrontChannel reports tokens that pass through the browser: they are never put
// into a query (OAuth 2.0 Multiple Response Types §5).
func (r Response) FrontChannel() bool { return r.Token || r.IDToken }

// String is the canonical spelling.
func (r Response) String() string {
	var words []string
	for _, p := range []struct {
		set  bool
		word string
	}{{r.Code, "code"}, {r.Token, "token"}, {r.IDToken, "id_token"}} {
		if p.set {
			words = append(words, p.word)
		}
	}
	return strings.Join(words, " ")
}

// The response modes (reference/authentication.md §2.1).
const (
	Query      = "query"
	Fragment   = "fragment"
	FormPost   = "form_post"
	WebMessage = "web_message"
)

// ModeOf is the response mode of a request that asks for sent; empty: none was
// named. False for a mode that nobody knows, and for a query that would carry tokens.
func ModeOf(sent string, r Response) (string, bool) {
	switch sent {
	case "":
		if r.FrontChannel() {
			return Fragment, true
		}
		return Query, true
	case Query:
		return sent, !r.FrontChannel()
	case Fragment, FormPost, WebMessage:
		return sent, true
	}
	return "", false
}
