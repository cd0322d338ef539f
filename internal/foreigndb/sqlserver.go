package foreigndb

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-sql/sqlexp"
	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"
)

// sqlServer is a session with SQL Server.
type sqlServer struct {
	db   *sql.DB // of this one connection
	conn *sql.Conn
	wire *watched
}

// watched is a wire that tells when it broke: of an answer that was cut off the driver
// says nothing to who waits for its messages.
type watched struct {
	*wire
	broke atomic.Pointer[context.CancelCauseFunc]
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.wire.Read(b)
	if broke := w.broke.Load(); err != nil && broke != nil {
		(*broke)(err)
	}
	return n, err
}

// sqlServerDialer dials by name, so that the guard looks it up, and ends the opening when
// its context does: the driver's handshakes take none.
type sqlServerDialer struct {
	opener *Opener
	within context.Context
	wire   *watched
	stop   func() bool
}

// HostName has the driver leave names to DialContext.
func (*sqlServerDialer) HostName() string { return "" }

func (d *sqlServerDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network != "tcp" { // the Browser service would be asked by UDP
		return nil, &Error{Code: "EACCES", Message: "SQL Server is reached by TCP alone"}
	}
	w, err := d.opener.wire(ctx, address)
	if err != nil {
		return nil, err
	}
	d.done()
	d.wire, d.stop = &watched{wire: w}, context.AfterFunc(d.within, func() { _ = w.Close() })
	return d.wire, nil
}

func (d *sqlServerDialer) done() {
	if d.stop != nil {
		d.stop()
	}
}

// sqlServer opens a session. Logins are those of SQL Server itself: one of Windows would
// lend the identity of this machine, or be guessed from the form of the name.
func (o *Opener) sqlServer(ctx context.Context, t Target) (Conn, error) {
	return o.openSQLServer(ctx, t)
}

func (o *Opener) openSQLServer(ctx context.Context, t Target) (*sqlServer, error) {
	if strings.ContainsRune(t.User, '\\') {
		return nil, &Error{Code: "ELOGIN", Message: "logins of Windows are not supported: use one of SQL Server"}
	}
	secure, err := t.tlsConfig()
	if err != nil {
		return nil, err
	}
	if t.Port == 0 {
		t.Port = 1433
	}
	c := msdsn.Config{
		Host: t.Host, Port: uint64(t.Port), User: t.User, Password: t.Password, Database: t.Database,
		Protocols: []string{"tcp"}, Parameters: map[string]string{}, AppName: "mangrove", Workstation: "mangrove",
		Encryption: msdsn.EncryptionRequired, TLSConfig: secure, TrustServerCertificate: t.TLS != Verify,
		DialTimeout: -1, DisableRetry: true, NoTraceID: true,
	}
	if t.TLS == Plain {
		c.Encryption = msdsn.EncryptionDisabled
	}
	s, err := o.openMSSQL(ctx, c)
	if err != nil && (t.TLS == Prefer || t.TLS == "") && strings.Contains(err.Error(), "server does not support encryption") {
		c.Encryption = msdsn.EncryptionDisabled
		s, err = o.openMSSQL(ctx, c)
	}
	if err != nil {
		return nil, sqlServerError(err)
	}
	return s, nil
}

func (o *Opener) openMSSQL(ctx context.Context, c msdsn.Config) (*sqlServer, error) {
	d := &sqlServerDialer{opener: o, within: ctx}
	connector := mssql.NewConnectorConfig(c)
	connector.Dialer = d
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	d.done()
	if err != nil {
		_ = db.Close() // nothing is open
		return nil, errors.Join(ctx.Err(), err)
	}
	return &sqlServer{db, conn, d.wire}, nil
}

func (s *sqlServer) Close() error {
	// The driver says nothing when it goes. Of a connection in the middle of an answer it
	// would wait for the rest.
	err := s.wire.Close()
	_ = s.conn.Close()
	_ = s.db.Close()
	return err
}

// clean has the server forget, before the next statement, what this one left in the
// session, an open transaction too.
func (s *sqlServer) clean() bool {
	return s.conn.Raw(func(c any) error {
		m, ok := c.(*mssql.Conn)
		if !ok || !m.IsValid() {
			return net.ErrClosed
		}
		return m.ResetSession(context.Background())
	}) == nil
}

func (s *sqlServer) alive() bool { return s.wire.alive() }

func (s *sqlServer) Query(ctx context.Context, statement string, args []any) (Result, error) {
	answer, err := s.ask(ctx, statement+asStatement, args)
	if err != nil {
		return Result{}, err
	}
	var out Result
	if len(answer.sets) > 0 {
		out = answer.sets[0]
	}
	for _, n := range answer.affected {
		out.Affected += n
	}
	return out, nil
}

// asStatement behind a text of one word keeps the driver from taking it for a procedure.
const asStatement = "\n"

// sqlServerAnswer is what a batch answered.
type sqlServerAnswer struct {
	sets     []Result // Columns and Rows
	affected []int64  // by each of its statements
	status   int32    // of a procedure
}

// ask runs a batch, or a procedure where the text is its name. Arguments are by position
// (@p1), or sql.NamedArg.
func (s *sqlServer) ask(ctx context.Context, text string, args []any) (sqlServerAnswer, error) {
	s.wire.expect()
	ctx, broke := context.WithCancelCause(ctx)
	defer broke(nil)
	s.wire.broke.Store(&broke)
	defer s.wire.broke.Store(nil)
	var (
		messages sqlexp.ReturnMessage
		status   mssql.ReturnStatus
		out      sqlServerAnswer
		failed   error
		rows     = 0
		size     = 0
	)
	got, err := s.conn.QueryContext(ctx, text, append([]any{&messages, &status}, args...)...)
	if err != nil {
		return out, sqlServerError(cause(ctx, err))
	}
	defer func() { _ = got.Close() }() // what it would say was said
	for more := true; more; {
		switch m := messages.Message(ctx).(type) {
		case sqlexp.MsgNext:
			set, err := sqlServerSet(got, &rows, &size)
			if err != nil {
				_ = s.wire.Close() // nobody reads the rest
				return out, sqlServerError(cause(ctx, err))
			}
			out.sets = append(out.sets, set)
		case sqlexp.MsgNextResultSet:
			more = got.NextResultSet()
		case sqlexp.MsgRowsAffected:
			out.affected = append(out.affected, m.Count)
		case sqlexp.MsgError:
			failed = m.Error
		}
	}
	if err := cause(ctx, got.Err()); err != nil {
		return out, sqlServerError(err)
	}
	out.status = int32(status)
	return out, sqlServerError(failed)
}

// cause is why ctx ended, or else err.
func cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); why != nil {
		return why
	}
	return err
}

// sqlServerSet reads one set of rows.
func sqlServerSet(got *sql.Rows, rows, size *int) (Result, error) {
	types, err := got.ColumnTypes()
	if err != nil {
		return Result{}, err
	}
	var set Result
	into := make([]any, len(types))
	for i, t := range types {
		set.Columns = append(set.Columns, Column{t.Name(), strings.ToLower(t.DatabaseTypeName())})
		into[i] = new(any)
	}
	for got.Next() {
		if err := got.Scan(into...); err != nil {
			return Result{}, err
		}
		row := make([]any, len(types))
		for i := range row {
			row[i] = sqlServerValue(set.Columns[i].Type, *into[i].(*any))
			switch v := row[i].(type) {
			case string:
				*size += len(v)
			case []byte:
				*size += len(v)
			}
			*size += 8
		}
		if *rows++; *rows > MaxRows || *size > MaxBytes {
			return Result{}, errTooLarge
		}
		set.Rows = append(set.Rows, row)
	}
	return set, got.Err()
}

// sqlServerValue is a value as Result.Rows has it. kind is the name of its type.
func sqlServerValue(kind string, v any) any {
	b, ok := v.([]byte)
	if !ok {
		return v
	}
	switch kind {
	case "uniqueidentifier":
		if len(b) != 16 {
			return hex.EncodeToString(b)
		}
		// Its first three parts lie the other way round.
		x := strings.ToUpper(hex.EncodeToString([]byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]}))
		return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
	case "binary", "varbinary", "image", "timestamp", "rowversion":
		return b
	case "udt", "geography", "geometry", "hierarchyid":
		return b
	}
	return string(b) // decimals and money
}

// sqlServerError is what went wrong, in words that hold no password.
func sqlServerError(err error) error {
	if err == nil {
		return nil
	}
	var known *Error
	var server mssql.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return reach(err)
	case errors.As(err, &server) && server.Number != 0:
		e := &Error{Code: strconv.Itoa(int(server.Number)), Number: int(server.Number), Message: server.Message}
		switch server.Number {
		case 515, 547, 2601, 2627: // a NULL, a foreign key, a unique index, a unique constraint
			e.State = "23000"
		case 4060, 18452, 18456, 18486, 18487, 18488: // the database, the login
			e.State = "28000"
		}
		return e
	}
	if e := reach(err); e != nil {
		return e
	}
	// The driver keeps the words of the handshake alone.
	for _, e := range []struct{ words, code, message string }{
		{"signed by unknown authority", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the certificate of the database's server"},
		{"x509: certificate is valid for", "ERR_TLS_CERT_ALTNAME_INVALID", "the certificate of the database's server is for another name"},
		{"x509:", "ERR_TLS_CERT", "the certificate of the database's server is not valid"},
		{"does not support encryption", "EPROTO", "the server does not support encryption"},
		{"TLS Handshake failed", "EPROTO", "the TLS of the database's server does not fit"},
	} {
		if strings.Contains(err.Error(), e.words) {
			return &Error{Code: e.code, Message: e.message}
		}
	}
	return &Error{Code: "EPROTO", Message: "the database cannot be understood"}
}

// sqlServerEpoch is the day that Node.js gives a time without one.
var sqlServerEpoch = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
