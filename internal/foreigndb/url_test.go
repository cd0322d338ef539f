package foreigndb

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestParseURL(t *testing.T) {
	for text, want := range map[string]Target{
		"postgres://app:s3cret@db.example/legacy":                         {Engine: Postgres, Host: "db.example", User: "app", Password: "s3cret", Database: "legacy"},
		"postgresql://db.example:6432":                                    {Engine: Postgres, Host: "db.example", Port: 6432},
		"POSTGRES://u@[2001:db8::1]:5432/d?sslmode=verify-full":           {Engine: Postgres, Host: "2001:db8::1", Port: 5432, User: "u", Database: "d", TLS: Verify},
		"postgres://u:p%40ss%2Fword@h/d%20b?sslmode=require":              {Engine: Postgres, Host: "h", User: "u", Password: "p@ss/word", Database: "d b", TLS: Encrypt},
		"postgres://u:p@s/s:w?o#r%d@h:1/d?sslmode=disable":                {Engine: Postgres, Host: "h", Port: 1, User: "u", Password: "p@s/s:w?o#r%d", Database: "d", TLS: Plain},
		"postgres://h/d?ssl=true&sslmode=prefer":                          {Engine: Postgres, Host: "h", Database: "d", TLS: Prefer},
		"postgres://h/d?sslmode=verify-ca&application_name=x":             {Engine: Postgres, Host: "h", Database: "d", TLS: Verify},
		"postgres://h/d?sslmode=no-verify":                                {Engine: Postgres, Host: "h", Database: "d", TLS: Encrypt},
		"postgres://h/d?connect_timeout=3&options=-c%20search_path%3Dold": {Engine: Postgres, Host: "h", Database: "d", Timeout: 3 * time.Second, Options: "-c search_path=old"},
		"postgres://h/d?connect_timeout=900":                              {Engine: Postgres, Host: "h", Database: "d", Timeout: 20 * time.Second},
		"mysql://root:@10.0.0.1:3307/shop?ssl-mode=REQUIRED":              {Engine: MySQL, Host: "10.0.0.1", Port: 3307, User: "root", Database: "shop", TLS: Encrypt},
		"mariadb://h/d?ssl_mode=VERIFY_IDENTITY":                          {Engine: MySQL, Host: "h", Database: "d", TLS: Verify},
		"mysql://h/d?tls=skip-verify&multiStatements=true":                {Engine: MySQL, Host: "h", Database: "d", TLS: Encrypt},
		"mysql://h/d?useSSL=false#part":                                   {Engine: MySQL, Host: "h", Database: "d", TLS: Plain},
		"sqlserver://sa:x@h:1433?database=old&encrypt=true":               {Engine: SQLServer, Host: "h", Port: 1433, User: "sa", Password: "x", Database: "old", TLS: Verify},
		"mssql://h/old?encrypt=true&trustServerCertificate=true":          {Engine: SQLServer, Host: "h", Database: "old", TLS: Encrypt},
	} {
		got, err := ParseURL(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for _, text := range []string{
		"", "db.example/legacy", "http://h/d", "postgres:h", "postgres:///d", "postgres://u:geheim@/d", "postgres://%2Fvar%2Frun/d", "postgres://a,b/d",
		"postgres://h:0/d", "postgres://h:65536/d", "postgres://h:geheim/d", "postgres://h:+5/d", "postgres://[::1/d", "postgres://[::1]x/d", "postgres://h d/",
		"postgres://h/d?sslmode=geheim", "postgres://h/d?ssl=geheim", "postgres://h/d?host=/tmp", "postgres://h/d?sslrootcert=/etc/passwd",
		"postgres://h/d?passfile=geheim", "mysql://h/d?socketPath=/tmp/x", "mysql://h/d?allowAllFiles=true", "mysql://h/d?unix_socket=/x",
		"postgres://h/d?connect_timeout=-1", "postgres://h/d?a=%zz", "postgres://u:ge%00heim@h/d", "postgres://u@" + strings.Repeat("h", 256) + "/d",
	} {
		_, err := ParseURL(text)
		var e *Error
		if !errors.As(err, &e) || e.Code != "ERR_INVALID_URL" || strings.Contains(e.Message, "geheim") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What is encoded well is read as it was meant, and whatever is read leads to one host.
func FuzzParseURL(f *testing.F) {
	f.Add("postgres://u:p@h:1/d?sslmode=require", "user", "p@ss:w/rd", "data base")
	f.Add("mysql://[::1]:3306/?ssl=true", "", "%", "?#")
	f.Add("sqlserver://h", "a", "%41", "\\")
	f.Fuzz(func(t *testing.T, text, user, password, database string) {
		if got, err := ParseURL(text); err == nil {
			if CheckHost(got.Host) != nil || got.Port < 0 || got.Port > 65535 || got.Timeout > maxTimeout {
				t.Errorf("%q: %+v", text, got)
			}
		} else if e := new(Error); !errors.As(err, &e) {
			t.Errorf("%q: %T", text, err)
		}
		if strings.ContainsRune(user+password+database, 0) {
			return
		}
		enc := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
		made := "postgres://" + enc(user) + ":" + enc(password) + "@db.example:" + strconv.Itoa(5432) + "/" + enc(database)
		want := Target{Engine: Postgres, Host: "db.example", Port: 5432, User: user, Password: password, Database: database}
		if got, err := ParseURL(made); err != nil || got != want {
			t.Errorf("%s: %+v, %v", made, got, err)
		}
	})
}
