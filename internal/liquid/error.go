package liquid

import (
	"errors"
	"fmt"
	"strings"
)

// Error says where a template is wrong.
type Error struct {
	Line, Column int // from 1; the column in bytes
	Text         string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s, line:%d, col:%d", e.Text, e.Line, e.Column)
}

// ErrLimit is a rendering that came to one of its Limits.
var ErrLimit = errors.New("the template takes too long or says too much")

// wrong is an Error at a place of the source.
func wrong(src string, at int, format string, args ...any) *Error {
	before := src[:min(at, len(src))]
	return &Error{
		Line:   1 + strings.Count(before, "\n"),
		Column: len(before) - strings.LastIndexByte(before, '\n'),
		Text:   fmt.Sprintf(format, args...),
	}
}
