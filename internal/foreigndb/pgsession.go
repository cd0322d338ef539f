package foreigndb

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"mangrove/internal/script"
)

// pgSession is a session of js/6b_pg.js, which knows what the texts of each type mean.
type pgSession struct{ conn *pgConn }

func (o *Opener) pgSession(ctx context.Context, config json.RawMessage) (script.Session, error) {
	var c sqlConfig
	if json.Unmarshal(config, &c) != nil {
		return nil, errSent
	}
	t, err := c.target(Postgres)
	if err != nil {
		return nil, thrown(err, nil)
	}
	var s pgSession
	err = opening(ctx, t, func(ctx context.Context) (err error) {
		s.conn, err = o.postgres(ctx, t)
		return err
	})
	if err != nil {
		return nil, pgThrown(err)
	}
	return s, nil
}

func (s pgSession) Close() error { return s.conn.Close() }

// pgSent is an operation: statements in one text, or, with values, one statement.
type pgSent struct {
	Text    string   `json:"text"`
	Values  *[]param `json:"values"` // texts, bytes and null
	Timeout float64  `json:"timeout"`
}

type pgField struct {
	Name     string `json:"name"`
	Table    uint32 `json:"tableID"`
	Column   uint16 `json:"columnID"`
	Type     uint32 `json:"dataTypeID"`
	Size     int16  `json:"dataTypeSize"`
	Modifier int32  `json:"dataTypeModifier"`
	Format   string `json:"format"`
}

type pgGot struct {
	Command string      `json:"command"`
	Count   *int64      `json:"rowCount"`
	Fields  []pgField   `json:"fields"`
	Rows    [][]*string `json:"rows"`
}

// Do runs a query; the answer is an array of pgGot.
func (s pgSession) Do(ctx context.Context, op string, what json.RawMessage) (json.RawMessage, error) {
	var q pgSent
	if op != "query" || json.Unmarshal(what, &q) != nil {
		return nil, errSent
	}
	ctx, cancel := waiting(ctx, q.Timeout)
	defer cancel()
	var values []pgParam
	if q.Values != nil {
		var err error
		if values, err = pgParams(params(*q.Values)); err != nil {
			return nil, pgThrown(err)
		}
	}
	answers, err := s.conn.ask(ctx, q.Text, values)
	if err != nil {
		return nil, pgThrown(err)
	}
	list := []pgGot{}
	for _, a := range answers {
		list = append(list, a.json())
	}
	return json.Marshal(list)
}

func (a pgAnswer) json() pgGot {
	got := pgGot{Command: strings.ToUpper(firstWord(a.tag.String())), Fields: []pgField{}, Rows: [][]*string{}}
	if tag := a.tag.String(); tag != "" && tag[len(tag)-1] >= '0' && tag[len(tag)-1] <= '9' {
		n := a.tag.RowsAffected()
		got.Count = &n
	}
	for _, f := range a.fields {
		got.Fields = append(got.Fields, pgField{f.Name, f.TableOID, f.TableAttributeNumber, f.DataTypeOID, f.DataTypeSize, f.TypeModifier, "text"})
	}
	for _, row := range a.rows {
		texts := make([]*string, len(row))
		for i, v := range row {
			if v != nil {
				text := string(v)
				texts[i] = &text
			}
		}
		got.Rows = append(got.Rows, texts)
	}
	return got
}

// pgThrown is an error with the members that node-postgres gives it.
func pgThrown(err error) error {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return thrown(pgError(err), nil)
	}
	more := map[string]any{"name": "error"}
	for name, value := range map[string]string{
		"severity": server.Severity, "detail": server.Detail, "hint": server.Hint, "where": server.Where, "schema": server.SchemaName,
		"table": server.TableName, "column": server.ColumnName, "dataType": server.DataTypeName, "constraint": server.ConstraintName,
		"routine": server.Routine, "file": server.File,
	} {
		if value != "" {
			more[name] = value
		}
	}
	if server.Position > 0 {
		more["position"] = strconv.Itoa(int(server.Position))
	}
	return thrown(pgError(err), more)
}
