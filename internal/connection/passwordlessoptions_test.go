package connection

import (
	"encoding/json"
	"testing"
)

func TestCodeOptions(t *testing.T) {
	for _, row := range []struct {
		options  string
		length   int
		lifetime int64
		scope    string
	}{
		{`{}`, 6, 180, ""},
		{`{"totp":{"length":8,"time_step":300}}`, 8, 300, ""},
		{`{"totp":{"length":3,"time_step":59}}`, 6, 180, ""},
		{`{"totp":{"length":41,"time_step":60.5}}`, 6, 180, ""},
		{`{"totp":{"length":"8","time_step":null}}`, 6, 180, ""},
		{`{"authParams":{"scope":"openid"}}`, 6, 180, "openid"},
		{`{"authParams":"{\"scope\":\"openid\"}"}`, 6, 180, "openid"},
		{`{"authParams":"scope"}`, 6, 180, ""},
	} {
		c := &Connection{Strategy: "email", Options: json.RawMessage(row.options)}
		if o := c.CodeOptions(); o.Length != row.length || o.Lifetime != row.lifetime || o.Params.Text("scope") != row.scope {
			t.Errorf("%s: %+v", row.options, o)
		}
	}
}
