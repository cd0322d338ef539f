package mgmt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"mangrove/internal/profile"
	"mangrove/internal/schema"
)

// MaxPage is the most items of a page.
const MaxPage = 100

// maxPageNumber keeps page*per_page in range.
const maxPageNumber = 1_000_000

// paging is how a list was asked for (reference/authentication.md §6.3).
type paging struct {
	page, perPage int
	totals        bool
	// checkpoint: take or from was sent; it wins over the other three.
	checkpoint bool
	from       string
	take       int
}

// offsetPaging reads page, per_page and include_totals.
func (q *query) offsetPaging() paging {
	var p paging
	p.page = q.number("page", "Page index of the results to return. First page is 0.", 0, maxPageNumber, 0)
	p.perPage = q.number("per_page", "Number of results per page.", 0, MaxPage, 50)
	p.totals = q.flag("include_totals", "Return results inside an object that contains the total result count (true) or as a direct array of results (false, default).", false)
	return p
}

// paging reads the five parameters.
func (q *query) paging() paging {
	p := q.offsetPaging()
	p.take = q.number("take", "Number of results per page.", 1, MaxPage, 50)
	p.from = q.text(schema.Property{Name: "from", Description: "Optional Id from which to start selection."})
	p.checkpoint = q.values.Has("take") || p.from != ""
	return p
}

// offset is how many items a page/per_page call skips.
func (p paging) offset() int { return p.page * p.perPage }

// envelope is the body of a list: a bare array, the array with totals, or, for
// a checkpoint call, the array with next, which is left out when empty. items
// is a JSON array.
func (p paging) envelope(key string, items []byte, total int, next string) []byte {
	switch {
	case p.checkpoint:
		b := append(make([]byte, 0, len(items)+len(key)+len(next)+32), `{"`...)
		b = append(append(append(b, key...), `":`...), items...)
		if next != "" {
			b = append(append(append(b, `,"next":"`...), next...), '"')
		}
		return append(b, '}')
	case p.totals:
		b := append(make([]byte, 0, len(items)+len(key)+64), `{"start":`...)
		b = strconv.AppendInt(b, int64(p.offset()), 10)
		b = append(b, `,"limit":`...)
		b = strconv.AppendInt(b, int64(p.perPage), 10)
		b = append(b, `,"total":`...)
		b = strconv.AppendInt(b, int64(total), 10)
		b = append(append(append(b, `,"`...), key...), `":`...)
		return append(append(b, items...), '}')
	}
	return items
}

// array joins JSON values.
func array(items []json.RawMessage) []byte {
	n := 2
	for _, v := range items {
		n += len(v) + 1
	}
	b := append(make([]byte, 0, n), '[')
	for i, v := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return append(b, ']')
}

// A cursor is base64url of a MAC and the id of the last item seen. The MAC
// covers the list too (its path and filter), so that a cursor of another list,
// or an edited one, is refused.
const cursorMAC = 12

func (a *api) mac(list, id string) []byte {
	h := hmac.New(sha256.New, a.CursorKey)
	h.Write([]byte(list))
	h.Write([]byte{0})
	h.Write([]byte(id))
	return h.Sum(nil)[:cursorMAC]
}

// cursor is the "next" that goes on behind id in the list.
func (a *api) cursor(list, id string) string {
	return base64.RawURLEncoding.EncodeToString(append(a.mac(list, id), id...))
}

// after is the id that a cursor holds; empty for an empty cursor.
func (a *api) after(list, from string) (string, error) {
	if from == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(from)
	if err != nil || len(b) <= cursorMAC || !utf8.Valid(b[cursorMAC:]) || !hmac.Equal(b[:cursorMAC], a.mac(list, string(b[cursorMAC:]))) {
		return "", queryError(schema.Violation{Code: schema.PatternMismatch, Path: "from", Message: "Invalid value " + string(profile.Text(shorten(from)))})
	}
	return string(b[cursorMAC:]), nil
}

// shorten keeps what an error repeats within bounds.
func shorten(s string) string {
	if len(s) <= 100 {
		return s
	}
	n := 100
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
