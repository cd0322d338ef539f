package foreigndb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	mssql "github.com/microsoft/go-mssqldb"

	"mangrove/internal/script"
)

// sqlServerConfig is what js/6e_mssql.js opens a session with: a connection string, or
// the members that mssql and tedious have in common.
type sqlServerConfig struct {
	Text     string `json:"text"`
	Server   string `json:"server"`
	Port     int    `json:"port"`
	User     string `json:"user"`
	Password string `json:"password"`
	Database string `json:"database"`
	Encrypt  *bool  `json:"encrypt"`
	Trust    bool   `json:"trust"` // trustServerCertificate
	CA       string `json:"ca"`
	Instance string `json:"instance"`
	Domain   string `json:"domain"`
	Auth     string `json:"auth"` // authentication.type
	Timeout  int    `json:"timeout"`
}

// target says where that is. Errors: *Error.
func (c sqlServerConfig) target() (Target, error) {
	if c.Text != "" {
		if strings.Contains(c.Text, "://") {
			t, err := ParseURL(c.Text)
			if err == nil && t.Engine != SQLServer {
				err = badURL("it must start with mssql:// or sqlserver://")
			}
			return t, err
		}
		var err error
		if c, err = parseADO(c.Text); err != nil {
			return Target{}, err
		}
	}
	if host, instance, ok := strings.Cut(c.Server, `\`); ok {
		c.Server, c.Instance = host, instance
	}
	switch {
	case c.Instance != "" && c.Port == 0:
		return Target{}, &Error{Code: "EINSTLOOKUP", Message: "names of instances are not looked up here: give the port"}
	case c.Domain != "", c.Auth != "" && c.Auth != "default":
		return Target{}, &Error{Code: "ELOGIN", Message: "logins of Windows and of Azure are not supported: use one of SQL Server"}
	case c.Port < 0 || c.Port > math.MaxUint16:
		return Target{}, badURL("its port must be a number from 1 to 65535")
	}
	if err := CheckHost(c.Server); err != nil {
		return Target{}, err
	}
	t := Target{Engine: SQLServer, Host: c.Server, Port: c.Port, User: c.User, Password: c.Password, Database: c.Database, CA: c.CA, TLS: Prefer}
	switch {
	case c.Encrypt != nil && !*c.Encrypt:
		t.TLS = Plain
	case c.Encrypt != nil && c.Trust:
		t.TLS = Encrypt
	case c.Encrypt != nil:
		t.TLS = Verify
	}
	if c.Timeout > 0 {
		t.Timeout = min(time.Duration(min(c.Timeout, 1<<20))*time.Millisecond, maxTimeout)
	}
	return t, nil
}

// parseADO reads key=value;key=value, values perhaps in quotes, which are doubled within.
// Keys that mean nothing here are passed over.
func parseADO(text string) (c sqlServerConfig, err error) {
	for rest := text; strings.TrimSpace(rest) != ""; {
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			return c, badURL("it must be key=value;key=value")
		}
		var value string
		value, rest = adoValue(after)
		if err := c.set(strings.ToLower(strings.ReplaceAll(strings.Trim(key, "; \t\r\n"), " ", "")), value); err != nil {
			return c, err
		}
	}
	return c, nil
}

// adoValue is what comes up to the next semicolon outside of quotes.
func adoValue(s string) (value, rest string) {
	s = strings.TrimLeft(s, " \t")
	if s == "" || s[0] != '"' && s[0] != '\'' {
		value, rest, _ = strings.Cut(s, ";")
		return strings.TrimRight(value, " \t\r\n"), rest
	}
	quote := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] == quote {
			if i+1 < len(s) && s[i+1] == quote {
				i++
			} else {
				_, rest, _ = strings.Cut(s[i+1:], ";")
				return b.String(), rest
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

func (c *sqlServerConfig) set(key, value string) error {
	yes := value == "1" || strings.EqualFold(value, "true") || strings.EqualFold(value, "yes") || strings.EqualFold(value, "mandatory") || strings.EqualFold(value, "strict")
	switch key {
	case "server", "datasource", "address", "addr", "networkaddress":
		value = strings.TrimPrefix(value, "tcp:")
		host, port, ok := strings.Cut(value, ",")
		if c.Server = host; ok {
			n, err := strconv.ParseUint(strings.TrimSpace(port), 10, 16)
			if err != nil {
				return badURL("its port must be a number from 1 to 65535")
			}
			c.Port = int(n)
		}
	case "port":
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return badURL("its port must be a number from 1 to 65535")
		}
		c.Port = int(n)
	case "userid", "uid", "user", "username":
		c.User = value
	case "password", "pwd":
		c.Password = value
	case "database", "initialcatalog":
		c.Database = value
	case "encrypt":
		c.Encrypt = &yes
	case "trustservercertificate":
		c.Trust = yes
	case "integratedsecurity", "trusted_connection":
		if yes || strings.EqualFold(value, "sspi") {
			c.Auth = "windows"
		}
	case "authentication":
		if !strings.EqualFold(strings.ReplaceAll(value, " ", ""), "sqlpassword") {
			c.Auth = value
		}
	case "attachdbfilename", "servercertificate", "failoverpartner":
		return badURL("the parameter " + key + " is not allowed")
	}
	return nil
}

// sqlServerSession is a session of a script.
type sqlServerSession struct{ conn *sqlServer }

// openSQLServerSession opens one for the modules mssql and tedious.
func (o *Opener) openSQLServerSession(ctx context.Context, config json.RawMessage) (script.Session, error) {
	var c sqlServerConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, sqlServerFailure(badURL("a member has the wrong type"))
	}
	t, err := c.target()
	if err != nil {
		return nil, sqlServerFailure(err)
	}
	var conn *sqlServer
	err = opening(ctx, t, func(ctx context.Context) (err error) {
		conn, err = o.openSQLServer(ctx, t)
		return err
	})
	if err != nil {
		return nil, sqlServerFailure(err)
	}
	return &sqlServerSession{conn}, nil
}

// sqlServerParam is an input of a request. Type is the name of the type in lower case, or
// empty: what the value looks like.
type sqlServerParam struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value param  `json:"value"`
}

// Do runs {text, procedure, params} (op "query") and answers {sets: [{columns: [{name,
// type}], rows: [[…]]}], affected: [n], status}. Of values, bigint, decimals and money
// are texts.
func (s *sqlServerSession) Do(ctx context.Context, op string, what json.RawMessage) (json.RawMessage, error) {
	var q struct {
		Text      string           `json:"text"`
		Procedure bool             `json:"procedure"`
		Params    []sqlServerParam `json:"params"`
	}
	if err := json.Unmarshal(what, &q); err != nil || op != "query" {
		return nil, sqlServerFailure(&Error{Code: "EARGS", Message: "the request cannot be read"})
	}
	if q.Procedure && !procedureName.MatchString(q.Text) {
		return nil, sqlServerFailure(&Error{Code: "EARGS", Message: "the name of the procedure cannot be"})
	}
	args := make([]any, len(q.Params))
	for i, p := range q.Params {
		if !parameterName.MatchString(p.Name) {
			return nil, sqlServerFailure(&Error{Code: "EINJECT", Message: "the name of a parameter cannot be"})
		}
		v, err := p.value()
		if err != nil {
			return nil, sqlServerFailure(&Error{Code: "EPARAM", Message: "Validation failed for parameter '" + p.Name + "'. " + err.Error()})
		}
		args[i] = sql.Named(p.Name, v)
	}
	if !q.Procedure {
		q.Text += asStatement
	}
	answer, err := s.conn.ask(ctx, q.Text, args)
	if err != nil {
		return nil, sqlServerFailure(err)
	}
	return answer.json()
}

func (s *sqlServerSession) Close() error { return s.conn.Close() }

var (
	// The driver writes names of parameters into the statement.
	parameterName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,126}$`)
	procedureName = regexp.MustCompile(`^(?:\[[^\[\]]{1,128}\]|[A-Za-z_#][\w$#@]{0,127})(?:\.(?:\[[^\[\]]{1,128}\]|[A-Za-z_#][\w$#@]{0,127})){0,2}$`)
)

// value is what the driver sends. A value that its type does not know is an error, as it
// is in the modules.
func (p sqlServerParam) value() (any, error) {
	v := p.Value.value
	if v == nil {
		return sqlServerNull(p.Type), nil
	}
	switch p.Type {
	case "int", "smallint", "tinyint", "bigint":
		n, err := strconv.ParseInt(plainText(v), 10, 64)
		if err != nil {
			return nil, errors.New("Invalid number.")
		}
		return n, nil
	case "float", "real":
		f, err := strconv.ParseFloat(plainText(v), 64)
		if err != nil {
			return nil, errors.New("Invalid number.")
		}
		return f, nil
	case "bit":
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return plainText(v) != "0" && !strings.EqualFold(plainText(v), "false") && plainText(v) != "", nil
	case "varchar", "char", "text":
		return mssql.VarChar(plainText(v)), nil
	case "date", "datetime", "smalldatetime", "datetime2", "datetimeoffset":
		return sqlServerTime(p.Type, v), nil
	case "binary", "varbinary", "image":
		if b, ok := v.([]byte); ok {
			return b, nil
		}
		return nil, errors.New("Invalid buffer.")
	case "": // as the value looks
		if t, ok := v.(time.Time); ok {
			return sqlServerTime("datetime", t), nil
		}
		return v, nil
	}
	return plainText(v), nil // nvarchar, decimals, uniqueidentifier, xml: the server converts
}

// sqlServerNull is NULL of a type, where the server cannot convert that of a text.
func sqlServerNull(kind string) any {
	switch kind {
	case "binary", "varbinary", "image":
		return []byte(nil)
	}
	return nil
}

func sqlServerTime(kind string, v any) any {
	t, ok := v.(time.Time)
	switch {
	case !ok:
		return plainText(v)
	case kind == "datetime2" || kind == "datetimeoffset" || t.Year() < 1753:
		return t
	}
	return mssql.DateTime1(t)
}

// plainText of a value as JavaScript's String has it.
func plainText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case []byte:
		return string(v)
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return ""
}

// json is the answer as the shim reads it.
func (a sqlServerAnswer) json() (json.RawMessage, error) {
	type column struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	type set struct {
		Columns []column `json:"columns"`
		Rows    [][]any  `json:"rows"`
	}
	out := struct {
		Sets     []set   `json:"sets"`
		Affected []int64 `json:"affected"`
		Status   int32   `json:"status"`
	}{Sets: []set{}, Affected: append([]int64{}, a.affected...), Status: a.status}
	for _, r := range a.sets {
		s := set{Columns: []column{}, Rows: make([][]any, len(r.Rows))}
		for _, c := range r.Columns {
			s.Columns = append(s.Columns, column(c))
		}
		for i, row := range r.Rows {
			s.Rows[i] = make([]any, len(row))
			for j, v := range row {
				s.Rows[i][j] = packedSQLServer(r.Columns[j].Type, v)
			}
		}
		out.Sets = append(out.Sets, s)
	}
	return json.Marshal(out)
}

func packedSQLServer(kind string, v any) any {
	switch v := v.(type) {
	case []byte:
		return bytesJSON{v}
	case time.Time:
		if kind == "time" {
			day := time.Date(v.Year(), v.Month(), v.Day(), 0, 0, 0, 0, v.Location())
			v = sqlServerEpoch.Add(v.Sub(day))
		}
		return map[string]int64{"$date": v.UnixMilli()}
	case int64:
		if kind == "bigint" {
			return strconv.FormatInt(v, 10)
		}
	case float64:
		if v-v != 0 {
			return nil
		}
	}
	return v
}

// sqlServerFailure is an error as the modules have it.
func sqlServerFailure(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: "EREQUEST", Message: "the database cannot be understood"}
	}
	members := map[string]any{"code": e.Code}
	switch {
	case e.Number != 0 && e.State == "28000":
		members["code"], members["number"] = "ELOGIN", e.Number
	case e.Number != 0:
		members["code"], members["number"] = "EREQUEST", e.Number
	}
	return &script.DatabaseError{Message: e.Message, Members: members}
}
