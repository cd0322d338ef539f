package foreigndb

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"mangrove/internal/script"
)

// mysqlSession is a session of js/6c_mysql.js.
type mysqlSession struct{ conn *mysqlConn }

func (o *Opener) mysqlSession(ctx context.Context, config json.RawMessage) (script.Session, error) {
	var c sqlConfig
	if json.Unmarshal(config, &c) != nil {
		return nil, errSent
	}
	t, err := c.target(MySQL)
	if err != nil {
		return nil, thrown(err, nil)
	}
	var s mysqlSession
	err = opening(ctx, t, func(ctx context.Context) (err error) {
		s.conn, err = o.mysql(ctx, t)
		return err
	})
	if err != nil {
		return nil, mysqlThrown(err, true)
	}
	return s, nil
}

func (s mysqlSession) Close() error { return s.conn.Close() }

type mysqlSent struct {
	SQL     string  `json:"sql"`
	Values  []param `json:"values"`
	Timeout float64 `json:"timeout"`
}

// mysqlGot: numbers beyond 2^53 are texts, bytes as in script.Session, and times texts.
type mysqlGot struct {
	Sets     []mysqlGotSet `json:"sets"`
	Affected int64         `json:"affected"`
	InsertID int64         `json:"insertId"`
}

type mysqlGotSet struct {
	Fields []mysqlField `json:"fields"`
	Rows   [][]any      `json:"rows"`
}

type mysqlField struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Do runs a query; the answer is a mysqlGot.
func (s mysqlSession) Do(ctx context.Context, op string, what json.RawMessage) (json.RawMessage, error) {
	var q mysqlSent
	if op != "query" || json.Unmarshal(what, &q) != nil {
		return nil, errSent
	}
	ctx, cancel := waiting(ctx, q.Timeout)
	defer cancel()
	a, err := s.conn.ask(ctx, q.SQL, params(q.Values))
	if err != nil {
		return nil, mysqlThrown(err, s.conn.broken)
	}
	got := mysqlGot{Sets: []mysqlGotSet{}, Affected: a.affected, InsertID: a.insertID}
	for _, set := range a.sets {
		one := mysqlGotSet{Fields: []mysqlField{}, Rows: set.rows}
		if one.Rows == nil {
			one.Rows = [][]any{}
		}
		for _, c := range set.columns {
			one.Fields = append(one.Fields, mysqlField(c))
		}
		for _, row := range set.rows {
			for i, v := range row {
				row[i] = mysqlJSON(v)
			}
		}
		got.Sets = append(got.Sets, one)
	}
	return json.Marshal(got)
}

func mysqlJSON(v any) any {
	const safe = 1<<53 - 1
	switch v := v.(type) {
	case []byte:
		return bytesJSON{v}
	case int64:
		if v > safe || v < -safe {
			return strconv.FormatInt(v, 10)
		}
	case uint64:
		return strconv.FormatUint(v, 10)
	}
	return v
}

// mysqlThrown is an error with the members that mysql and mysql2 give it; fatal: the
// connection is of no use any more.
func mysqlThrown(err error, fatal bool) error {
	more := map[string]any{}
	if fatal {
		more["fatal"] = true
	}
	var e *Error
	if errors.As(err, &e) && e.Number != 0 {
		more["errno"], more["sqlState"], more["sqlMessage"] = e.Number, e.State, e.Message
		return thrown(&Error{Code: e.Code, Message: e.Message}, more)
	}
	if errors.As(err, &e) && e.Code == "ECONNRESET" {
		return thrown(&Error{Code: "PROTOCOL_CONNECTION_LOST", Message: "Connection lost: The server closed the connection."}, more)
	}
	return thrown(err, more)
}
