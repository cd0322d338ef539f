package connection

import (
	"encoding/json"
	"testing"
)

func TestMemo(t *testing.T) {
	type issuer string
	read := 0
	get := func(c *Connection) issuer {
		return Memo(c, func(c *Connection) issuer {
			read++
			return issuer(c.Document().Text("issuer"))
		})
	}
	c := &Connection{ID: "con_1", Strategy: "samlp", Options: json.RawMessage(`{"issuer":"a"}`)}
	for range 2 {
		if got := get(c); got != "a" || read != 1 {
			t.Errorf("%q, read %d times", got, read)
		}
	}
	c.Options = json.RawMessage(`{"issuer":"b"}`)
	if got := get(c); got != "b" || read != 2 {
		t.Errorf("after a change of the options: %q, read %d times", got, read)
	}
	if got := Memo(c, func(*Connection) int { return 7 }); got != 7 {
		t.Errorf("of another type: %d", got)
	}
	if got := get(c.Clone()); got != "b" || read != 3 {
		t.Errorf("of a copy: %q, read %d times", got, read)
	}
}
