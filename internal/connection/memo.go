package connection

import (
	"reflect"

	"mangrove/internal/strictjson"
)

// Document is Options, parsed. It is shared: it must not be changed.
func (c *Connection) Document() strictjson.Document { return c.view().document }

// Memo is what read makes of c, done once for as long as Options and Extra stay: keys
// and certificates in options cost more to parse than a login does. There is one
// read for each T, by whose type its result is found. The result is shared: it must
// not be changed.
func Memo[T any](c *Connection, read func(*Connection) T) T {
	v, t := c.view(), reflect.TypeFor[T]()
	if known, ok := v.memos.Load(t); ok {
		return known.(T) //nolint:forcetypeassert // stored below
	}
	made := read(c)
	v.memos.Store(t, made)
	return made
}
