package foreigndb

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"time"

	"mangrove/internal/script"
)

// Open opens a session for a script (script.Databases).
func (o *Opener) Open(ctx context.Context, kind string, config json.RawMessage) (script.Session, error) {
	switch kind {
	case "pg":
		return o.pgSession(ctx, config)
	case "mysql":
		return o.mysqlSession(ctx, config)
	case "mongodb":
		return o.openMongo(ctx, config)
	case "mssql":
		return o.openSQLServerSession(ctx, config)
	}
	return nil, &script.DatabaseError{Message: "unknown kind of database"}
}

// sqlConfig is what shims of SQL databases send: the members that say something win
// over those of the URL.
type sqlConfig struct {
	URL      string  `json:"url"`
	Host     string  `json:"host"`
	Port     float64 `json:"port"`
	User     string  `json:"user"`
	Password string  `json:"password"`
	Database string  `json:"database"`
	Options  string  `json:"options"`
	// TLS is a mode; empty: that of the URL.
	TLS     TLS     `json:"tls"`
	CA      string  `json:"ca"`
	Timeout float64 `json:"timeout"` // milliseconds
}

// target is where a script wants to go.
func (c sqlConfig) target(e Engine) (Target, error) {
	t := Target{Engine: e}
	if c.URL != "" {
		var err error
		if t, err = ParseURL(c.URL); err != nil {
			return Target{}, err
		}
		if t.Engine != e {
			return Target{}, badURL("it is of another kind of database")
		}
	}
	for _, m := range []struct {
		to   *string
		from string
	}{{&t.Host, c.Host}, {&t.User, c.User}, {&t.Password, c.Password}, {&t.Database, c.Database}, {&t.Options, c.Options}, {&t.CA, c.CA}} {
		if m.from != "" {
			*m.to = m.from
		}
	}
	if c.Port != 0 {
		if c.Port < 1 || c.Port > 65535 || c.Port != float64(int(c.Port)) {
			return Target{}, &Error{Code: "ERR_SOCKET_BAD_PORT", Message: "the port must be a number from 1 to 65535"}
		}
		t.Port = int(c.Port)
	}
	if c.TLS != "" {
		t.TLS = c.TLS
	}
	if c.Timeout > 0 {
		t.Timeout = min(time.Duration(min(c.Timeout, 1e6))*time.Millisecond, maxTimeout)
	}
	return t, CheckHost(t.Host)
}

// thrown is an error as scripts get it; more are members that Error does not have.
func thrown(err error, more map[string]any) error {
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) {
		return &script.DatabaseError{Message: "the database failed"}
	}
	members := map[string]any{}
	if e.Code != "" {
		members["code"] = e.Code
	}
	maps.Copy(members, more)
	return &script.DatabaseError{Message: e.Message, Members: members}
}

// waiting bounds an operation by what a script gave for it, in milliseconds; zero: by
// ctx alone.
func waiting(ctx context.Context, ms float64) (context.Context, context.CancelFunc) {
	if ms <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(min(ms, 1e6))*time.Millisecond)
}

// errSent: a shim sent what a session does not know.
var errSent = &script.DatabaseError{Message: "the operation cannot be read"}

// param is a value of a script: null, a boolean, a number, a text, bytes.
type param struct{ value any }

func (p *param) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil, bool, string:
		p.value = v
		return nil
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			p.value = n
			return nil
		}
		f, err := v.Float64()
		p.value = f
		return err
	case map[string]any:
		if text, ok := v["$bytes"].(string); ok && len(v) == 1 {
			b, err := base64.StdEncoding.DecodeString(text)
			p.value = b
			return err
		}
		if text, ok := v["$int"].(string); ok && len(v) == 1 {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				p.value = n
			} else {
				p.value = text
			}
			return nil
		}
		if ms, ok := v["$date"].(json.Number); ok && len(v) == 1 {
			n, err := ms.Int64()
			p.value = time.UnixMilli(n).UTC()
			return err
		}
	}
	return errSent
}

func params(list []param) []any {
	out := make([]any, len(list))
	for i, p := range list {
		out[i] = p.value
	}
	return out
}

// bytesJSON is what scripts see as a Buffer.
type bytesJSON struct {
	Bytes []byte `json:"$bytes"`
}
