package foreigndb

import (
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ParseURL reads where a database is: postgres://, postgresql://, mysql://, mariadb://,
// mssql:// or sqlserver://user:password@host:port/database?sslmode=…
//
// The user ends at the first colon and the password at the last @ of the whole text, so
// that a password may hold what would otherwise have to be percent-encoded; what is
// percent-encoded well is decoded. Parameters that protect the connection are read as
// the engines' own tools have them; those that name files, sockets and further hosts
// are refused; the rest is passed over. Errors: *Error, with nothing of the text in it
// but names of parameters.
func ParseURL(text string) (Target, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return Target{}, badURL("it must start with postgres://, mysql:// or sqlserver://")
	}
	var t Target
	switch strings.ToLower(scheme) {
	case "postgres", "postgresql":
		t.Engine = Postgres
	case "mysql", "mariadb", "mysql2":
		t.Engine = MySQL
	case "mssql", "sqlserver":
		t.Engine = SQLServer
	default:
		return Target{}, badURL("it must start with postgres://, mysql:// or sqlserver://")
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, password, _ := strings.Cut(rest[:i], ":")
		t.User, t.Password = decoded(user), decoded(password)
		rest = rest[i+1:]
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	place, database, _ := strings.Cut(rest, "/")
	t.Database = decoded(database)
	var err error
	if t.Host, t.Port, err = splitPlace(place); err != nil {
		return Target{}, err
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return Target{}, badURL("its parameters cannot be read")
	}
	if err := t.parameters(params); err != nil {
		return Target{}, err
	}
	for _, s := range []string{t.User, t.Password, t.Database, t.Options} {
		if strings.ContainsRune(s, 0) {
			return Target{}, badURL("it holds a NUL")
		}
	}
	return t, nil
}

func badURL(why string) *Error {
	return &Error{Code: "ERR_INVALID_URL", Message: "the database's URL cannot be read: " + why}
}

// decoded is a text without percent-encoding, or, where that is none, as it came.
func decoded(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return s
		}
		c, err := hex.DecodeString(s[i+1 : i+3])
		if err != nil {
			return s
		}
		b.WriteByte(c[0])
		i += 2
	}
	return b.String()
}

// splitPlace reads host:port.
func splitPlace(place string) (host string, port int, err error) {
	var digits string
	if address, ok := strings.CutPrefix(place, "["); ok {
		var after string
		if host, after, ok = strings.Cut(address, "]"); !ok || after != "" && after[0] != ':' {
			return "", 0, badURL("its address cannot be read")
		}
		digits = strings.TrimPrefix(after, ":")
	} else {
		host, digits, _ = strings.Cut(place, ":")
	}
	if digits != "" {
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || n == 0 {
			return "", 0, badURL("its port must be a number from 1 to 65535")
		}
		port = int(n)
	}
	return host, port, CheckHost(host)
}

// CheckHost refuses what is no name and no address of one host: nothing, a socket in
// the file system, a list.
func CheckHost(host string) error {
	if host == "" {
		return badURL("it names no host")
	}
	if len(host) > 255 {
		return badURL("its host is too long")
	}
	for _, c := range host {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.ContainsRune("-._:", c), c > 0x7f:
		default:
			return badURL("its host is no name and no address of one host")
		}
	}
	return nil
}

// refusedParameters lead to files, sockets and hosts that the guard would not see.
var refusedParameters = []string{
	"host", "hostaddr", "port", "user", "password", "socket", "socketpath", "unix-socket", "service", "servicefile", "passfile",
	"sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "ssl-ca", "ssl-cert", "ssl-key", "certificate", "krbsrvname", "gsslib",
	"allowallfiles", "allowcleartextpasswords", "allowoldpasswords", "failoverpartner", "server spn", "krb5-configfile",
}

func (t *Target) parameters(all url.Values) (err error) {
	given := map[string]string{}
	for name, values := range all {
		given[strings.ReplaceAll(strings.ToLower(name), "_", "-")] = values[len(values)-1]
	}
	for _, name := range refusedParameters {
		if _, ok := given[name]; ok {
			return badURL("the parameter " + name + " is not allowed")
		}
	}
	if t.TLS, err = tlsParameters(given); err != nil {
		return err
	}
	for _, name := range []string{"database", "dbname"} {
		if t.Database == "" {
			t.Database = given[name]
		}
	}
	t.Options = given["options"]
	if text := given["connect-timeout"]; text != "" {
		seconds, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return badURL("connect_timeout must be a number of seconds")
		}
		t.Timeout = min(time.Duration(seconds)*time.Second, maxTimeout)
	}
	return nil
}

// tlsParameters: what names a mode says more than what switches it on.
func tlsParameters(given map[string]string) (mode TLS, err error) {
	for _, name := range []string{"sslmode", "ssl-mode"} {
		if value, ok := given[name]; ok {
			return sslMode(value)
		}
	}
	for _, name := range []string{"ssl", "tls", "usessl", "encrypt"} {
		if value, ok := given[name]; ok {
			if mode, err = switchedTLS(value); err != nil {
				return "", err
			}
			break
		}
	}
	if trust := given["trustservercertificate"]; mode != Plain && (trust == "1" || strings.EqualFold(trust, "true")) {
		mode = Encrypt
	}
	return mode, nil
}

// maxTimeout bounds what a URL may ask for opening a connection.
const maxTimeout = 20 * time.Second

// sslMode reads the names of libpq and of MySQL. That of an authority alone counts for
// authority and name.
func sslMode(value string) (TLS, error) {
	switch strings.ReplaceAll(strings.ToLower(value), "_", "-") {
	case "disable", "disabled":
		return Plain, nil
	case "allow", "prefer", "preferred", "":
		return Prefer, nil
	case "require", "required", "no-verify":
		return Encrypt, nil
	case "verify-ca", "verify-full", "verify-identity":
		return Verify, nil
	}
	return "", badURL("sslmode must be disable, prefer, require or verify-full")
}

// switchedTLS reads parameters that switch it on and off.
func switchedTLS(value string) (TLS, error) {
	switch strings.ToLower(value) {
	case "", "1", "true", "strict", "mandatory":
		return Verify, nil
	case "0", "false", "disable", "no":
		return Plain, nil
	case "preferred", "optional":
		return Prefer, nil
	case "skip-verify", "no-verify":
		return Encrypt, nil
	}
	return "", badURL("ssl, tls and encrypt must be true or false")
}
