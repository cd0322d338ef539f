package foreigndb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"

	"mangrove/internal/script"
)

// mongoConfig is what js/6d_mongodb.js opens a session with. Options are those of
// MongoClient as texts, by their lower-case names; they go before those of the URL.
type mongoConfig struct {
	URL     string            `json:"url"`
	Options map[string]string `json:"options"`
}

// mongoTarget is where a MongoDB is, and how it is reached.
type mongoTarget struct {
	uri   string // made anew of what was understood: the driver reads nothing else
	srv   bool
	seeds int
	tls   *tls.Config // nil: as the scheme has it
}

var (
	mongoHost = regexp.MustCompile(`^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$`)
	// mongoPassed are the options that the driver is handed; of all others it is said that
	// they are refused, or they change nothing here (pools, timeouts, parsers, compression).
	mongoPassed = []string{"authsource", "replicaset", "readpreference", "readconcernlevel", "directconnection", "loadbalanced", "appname", "srvmaxhosts", "srvservicename"}
	// mongoLogins need a name and a password, and nothing of this machine.
	mongoLogins = []string{"", "DEFAULT", "SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN"}
)

// parseMongo reads a connection string of MongoDB (mongodb:// or mongodb+srv://).
// Options that read files or lend the identity of this machine are refused. Errors name
// no part of the string but the names of its options.
func parseMongo(c mongoConfig) (mongoTarget, error) {
	scheme, rest, ok := strings.Cut(c.URL, "://")
	if !ok || scheme != "mongodb" && scheme != "mongodb+srv" {
		return mongoTarget{}, errors.New(`the connection string must begin with "mongodb://" or "mongodb+srv://"`)
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, database, _ := strings.Cut(rest, "/")
	t := mongoTarget{srv: scheme == "mongodb+srv"}
	var who *url.Userinfo
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		name, password, _ := strings.Cut(authority[:at], ":")
		name, errName := url.PathUnescape(name)
		password, errPassword := url.PathUnescape(password)
		if errName != nil || errPassword != nil {
			return mongoTarget{}, errors.New("user and password of the connection string must be percent-encoded")
		}
		who, authority = url.UserPassword(name, password), authority[at+1:]
	}
	hosts := strings.Split(authority, ",")
	for _, h := range hosts {
		if !mongoHost.MatchString(h) || strings.HasSuffix(h, ".sock") {
			return mongoTarget{}, errors.New("the connection string names a host that is none")
		}
	}
	if database, ok = unescaped(database); !ok || strings.ContainsAny(database, `/\. "$`) {
		return mongoTarget{}, errors.New("the connection string names a database that cannot be")
	}
	t.seeds = len(hosts)

	given, err := mongoOptions(query, c.Options)
	if err != nil {
		return mongoTarget{}, err
	}
	if name := given["auth.user"]; name != "" {
		who = url.UserPassword(name, given["auth.password"])
	}
	passed := url.Values{}
	for _, name := range mongoPassed {
		if v := given[name]; v != "" {
			passed.Set(name, v)
		}
	}
	mechanism := strings.ToUpper(given["authmechanism"])
	if !slices.Contains(mongoLogins, mechanism) {
		return mongoTarget{}, fmt.Errorf("authMechanism must be one of %s here", strings.Join(mongoLogins[2:], ", "))
	}
	if mechanism != "" && mechanism != "DEFAULT" && who != nil {
		passed.Set("authmechanism", mechanism)
	}
	if t.tls, err = mongoTLS(given, t.srv); err != nil {
		return mongoTarget{}, err
	}
	if t.tls == nil && t.srv {
		passed.Set("tls", "false") // TLS is the default of this scheme alone
	}
	user := ""
	if who != nil {
		user = who.String() + "@"
	} else {
		passed.Del("authsource") // it would ask for a login without a name
	}
	t.uri = scheme + "://" + user + strings.Join(hosts, ",") + "/" + url.PathEscape(database) + "?" + passed.Encode()
	return t, nil
}

// mongoOptions joins the options of a URL and those beside it, names in lower case.
func mongoOptions(query string, beside map[string]string) (map[string]string, error) {
	given := map[string]string{}
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		value, ok := unescaped(value)
		if !ok {
			return nil, errors.New("an option of the connection string is not percent-encoded")
		}
		given[strings.ToLower(name)] = value
	}
	for name, value := range beside {
		given[strings.ToLower(name)] = value
	}
	for name := range given {
		switch {
		case strings.HasSuffix(name, "file"), strings.HasSuffix(name, "filepassword"), strings.HasSuffix(name, "keypassword"):
			return nil, fmt.Errorf("the option %s reads a file: it is not supported here (give the authority's certificate as ca)", plainName(name))
		case name == "authmechanismproperties", name == "autoencryption", name == "sslkey", name == "sslcert", name == "key", name == "cert", name == "pfx", name == "proxyhost":
			return nil, fmt.Errorf("the option %s is not supported here", plainName(name))
		}
	}
	return given, nil
}

// plainName is the name of an option as an error may show it.
func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r == '.' {
			return r
		}
		return -1
	}, s[:min(len(s), 40)])
}

func unescaped(s string) (string, bool) {
	s, err := url.PathUnescape(s)
	return s, err == nil
}

// mongoTLS is nil for a plain connection.
func mongoTLS(given map[string]string, srv bool) (*tls.Config, error) {
	on := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return given[n] == "true" })
	}
	off := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return given[n] == "false" })
	}
	if !on("tls", "ssl") && (!srv || off("tls", "ssl")) {
		return nil, nil
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		// Whoever asks for less than a certificate gets it, as with the driver for Node.js.
		InsecureSkipVerify: on("tlsinsecure", "tlsallowinvalidcertificates", "tlsallowinvalidhostnames") || off("sslvalidate", "rejectunauthorized"),
	}
	if ca := given["ca"]; ca != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(ca)) {
			return nil, errors.New("the option ca is not a certificate in PEM")
		}
	}
	return config, nil
}

// mongoDialer opens the connections of one client through the guard, and ends the
// opening of a session once every host of it has failed: to choose a server, the driver
// would go on trying.
type mongoDialer struct {
	dial Dial
	fail context.CancelCauseFunc

	mu     sync.Mutex
	seeds  int
	failed map[string]bool
}

func (d *mongoDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.dial(ctx, network, address)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		delete(d.failed, address)
		return conn, nil
	}
	if d.failed[address] = true; len(d.failed) >= d.seeds {
		d.fail(err)
	}
	return nil, err
}

// refusing is the transport of whatever else the driver would ask the network for.
type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("not through the guard")
}

// mongoSession is a client of MongoDB, for one run. It has functions of the client and
// not the client: the linker keeps every method of what an interface may hold, and that
// would be most of the driver.
type mongoSession struct {
	run func(ctx context.Context, db string, command bson.D) (bson.Raw, error)
	all func(ctx context.Context, db string, command bson.D) (json.RawMessage, error)
	end func(ctx context.Context) error
}

// mongoClient is what a session works with.
type mongoClient struct {
	client *mongo.Client
	prefer *readpref.ReadPref
}

// openMongo opens a session and asks the server for a sign of life, so that a wrong
// password is an error of connect, as scripts expect.
func (o *Opener) openMongo(ctx context.Context, config json.RawMessage) (script.Session, error) {
	var c mongoConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, mongoTrouble("MongoParseError", "the connection string must be a text")
	}
	t, err := parseMongo(c)
	if err != nil {
		return nil, mongoTrouble("MongoParseError", err.Error())
	}
	ctx, cancel := context.WithTimeoutCause(ctx, DefaultTimeout, context.DeadlineExceeded)
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	o2, err := mongoClientOptions(ctx, t)
	if err != nil {
		return nil, err
	}
	dialer := &mongoDialer{dial: o.dial, fail: fail, seeds: max(t.seeds, len(o2.Hosts)), failed: map[string]bool{}}
	o2.SetDialer(dialer)
	client, err := mongo.Connect(o2)
	if err != nil {
		return nil, mongoTrouble("MongoParseError", "the options of the connection contradict each other")
	}
	m := mongoClient{client: client, prefer: o2.ReadPreference}
	s := &mongoSession{run: m.run, all: m.all, end: client.Disconnect}
	if err := client.Ping(ctx, nil); err != nil {
		_ = s.Close() // err says more
		var server driver.Error
		if cause := context.Cause(ctx); cause != nil && !errors.As(err, &server) {
			err = cause
		}
		return nil, mongoError(err)
	}
	return s, nil
}

// mongoClientOptions has the driver read the address. It looks up SRV records in that,
// which takes no context.
func mongoClientOptions(ctx context.Context, t mongoTarget) (*options.ClientOptions, error) {
	made := make(chan *options.ClientOptions, 1)
	go func() {
		var c *options.ClientOptions
		defer func() {
			_ = recover() // it reads what name servers say; c is nil then
			made <- c
		}()
		c = options.Client().ApplyURI(t.uri)
	}()
	var c *options.ClientOptions
	select {
	case c = <-made:
		if c == nil {
			return nil, mongoTrouble("MongoParseError", "the connection string cannot be read")
		}
	case <-ctx.Done():
		return nil, mongoTrouble("MongoServerSelectionError", "no server was found in time", "code", "ETIMEDOUT")
	}
	if err := c.Validate(); err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) {
			return nil, mongoTrouble("MongoServerSelectionError", "the SRV record of the connection string cannot be found", "code", "ENOTFOUND")
		}
		return nil, mongoTrouble("MongoParseError", "the options of the connection string contradict each other, or have a value that cannot be")
	}
	c.SetMaxPoolSize(2).SetMinPoolSize(0).SetMaxConnecting(1).
		SetConnectTimeout(DefaultTimeout).SetServerSelectionTimeout(DefaultTimeout).
		SetServerMonitoringMode("poll").
		SetCompressors(nil).
		// The driver would ask the addresses that a server's certificate names.
		SetDisableOCSPEndpointCheck(true).SetHTTPClient(&http.Client{Transport: refusing{}}).
		SetTLSConfig(t.tls)
	return c, nil
}

// mongoCommands are the commands that a script may send; true: their answer is a cursor.
var mongoCommands = map[string]bool{
	"find": true, "aggregate": true, "listCollections": true, "listIndexes": true,
	"insert": false, "update": false, "delete": false, "findAndModify": false, "count": false, "distinct": false, "ping": false,
	"createIndexes": false, "hello": false, "isMaster": false, "buildInfo": false,
}

// Do runs a command (op "command") in the database that what names: {db, command}, the
// command and the answer in the form of mongovalue.go. The answer is the server's, or
// for commands with a cursor the list of all documents, within MaxRows and MaxBytes.
func (s *mongoSession) Do(ctx context.Context, op string, what json.RawMessage) (json.RawMessage, error) {
	if op != "command" {
		return nil, mongoTrouble("MongoError", "unknown operation")
	}
	var q struct {
		DB      string          `json:"db"`
		Command json.RawMessage `json:"command"`
	}
	if err := json.Unmarshal(what, &q); err != nil {
		return nil, mongoTrouble("MongoError", "the command cannot be read")
	}
	if q.DB == "" || len(q.DB) > 63 || strings.ContainsAny(q.DB, "/\\. \"$\x00") {
		return nil, mongoTrouble("MongoInvalidArgumentError", "the name of the database cannot be")
	}
	command, err := readMongoDocument(q.Command)
	if err != nil {
		return nil, mongoTrouble("MongoInvalidArgumentError", err.Error())
	}
	if len(command) == 0 {
		return nil, mongoTrouble("MongoInvalidArgumentError", "a command has a name")
	}
	cursor, known := mongoCommands[command[0].Key]
	if !known {
		return nil, mongoTrouble("MongoError", "the command "+plainName(strings.ToLower(command[0].Key))+" is not supported here")
	}
	if !cursor {
		raw, err := s.run(ctx, q.DB, command)
		if err != nil {
			return nil, mongoError(err)
		}
		return writeMongo(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: raw})
	}
	if end, ok := ctx.Deadline(); ok && !slices.ContainsFunc(command, func(e bson.E) bool { return e.Key == "maxTimeMS" }) && command[0].Key[0] != 'l' {
		// The server stops as well when the run does.
		command = append(command, bson.E{Key: "maxTimeMS", Value: max(time.Until(end).Milliseconds(), 1)})
	}
	return s.all(ctx, q.DB, command)
}

func (m mongoClient) run(ctx context.Context, db string, command bson.D) (bson.Raw, error) {
	return m.client.Database(db).RunCommand(ctx, command).Raw()
}

func (m mongoClient) all(ctx context.Context, db string, command bson.D) (json.RawMessage, error) {
	how := options.RunCmd()
	if m.prefer != nil {
		how.SetReadPreference(m.prefer)
	}
	cursor, err := m.client.Database(db).RunCommandCursor(ctx, command, how)
	if err != nil {
		return nil, mongoError(err)
	}
	defer func() {
		// The server is told also when ctx has ended, but not waited for.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mongoGoodbye)
		defer cancel()
		_ = cursor.Close(ctx) // what was read counts
	}()
	out, rows, size := []byte(`["a"`), 0, 0
	for cursor.Next(ctx) {
		rows++
		if size += len(cursor.Current); rows > MaxRows || size > MaxBytes {
			return nil, mongoTrouble("MongoError", fmt.Sprintf("the answer is more than %d documents or %d MB: ask for fewer", MaxRows, MaxBytes>>20), "code", tooLarge().Code)
		}
		out = append(out, ',')
		if out, err = appendMongo(out, bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: cursor.Current}, 0); err != nil {
			return nil, mongoTrouble("MongoError", err.Error())
		}
	}
	if err := cursor.Err(); err != nil {
		return nil, mongoError(err)
	}
	return append(out, ']'), nil
}

// mongoGoodbye is how long the end of a cursor and of a session may take.
const mongoGoodbye = time.Second

func (s *mongoSession) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), mongoGoodbye)
	defer cancel()
	return s.end(ctx)
}

// mongoTrouble is an error with a name and further members.
func mongoTrouble(name, message string, members ...any) error {
	e := &script.DatabaseError{Message: message, Members: map[string]any{"name": name}}
	for i := 0; i+1 < len(members); i += 2 {
		e.Members[members[i].(string)] = members[i+1]
	}
	return e
}

// mongoError gives an error the name and the members that the driver for Node.js has.
func mongoError(err error) error {
	var command mongo.CommandError
	var write mongo.WriteException
	var server driver.Error // of a login
	switch {
	case errors.As(err, &write) && len(write.WriteErrors) > 0:
		first := write.WriteErrors[0]
		return mongoTrouble("MongoServerError", first.Message, "code", first.Code, "index", first.Index)
	case errors.As(err, &write) && write.WriteConcernError != nil:
		return mongoTrouble("MongoWriteConcernError", write.WriteConcernError.Message, "code", write.WriteConcernError.Code)
	case errors.As(err, &command) && command.Code != 0:
		return mongoTrouble("MongoServerError", command.Message, "code", command.Code, "codeName", command.Name)
	case errors.As(err, &server) && server.Code != 0:
		return mongoTrouble("MongoServerError", server.Message, "code", server.Code, "codeName", server.Name)
	}
	e := reach(err)
	if e == nil {
		var timeout interface{ Timeout() bool }
		if errors.As(err, &timeout) && timeout.Timeout() || mongo.IsTimeout(err) {
			e = &Error{Code: "ETIMEDOUT", Message: "the database did not answer in time"}
		} else {
			e = &Error{Code: "EPROTO", Message: "the database cannot be understood"}
		}
	}
	name := "MongoNetworkError"
	if e.Code == "ETIMEDOUT" {
		name = "MongoServerSelectionError"
	}
	return mongoTrouble(name, e.Message, "code", e.Code)
}
