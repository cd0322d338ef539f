package config

import (
	"log/slog"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"

	"mangrove/internal/mail"
)

// Config is what the server needs to know. The zero Config serves plain HTTP
// on no address; tests fill in what they need.
type Config struct {
	Listen string // host:port
	// PublicURL is scheme://host[:port], without a slash at the end.
	PublicURL string
	// Data is a directory; empty only if neither the database nor the keys nor
	// certificates need one.
	Data string
	// Database is a postgres:// URL or the path of a SQLite file; empty: in Data.
	Database string

	TLSCert, TLSKey string // files; both or none
	TLSDev          bool

	TrustedProxies []netip.Prefix
	OutboundAllow  []netip.Prefix

	// Mail is where mails go; the zero Server is nowhere. MailFrom is set where they
	// are sent; where they are only written it may be the zero address.
	Mail mail.Server
	// MailFrom is the sender of every mail, MailOperator who gets reports; the zero
	// address: one made of PublicURL, and nobody.
	MailFrom, MailOperator netmail.Address

	// SMSDirectory: text messages of connections that name no provider become files
	// in Data. SMSPerHour bounds the codes by SMS of the whole tenant; zero: the
	// default of passwordless.
	SMSDirectory bool
	SMSPerHour   int64

	ImportLimit    int64 // bytes
	ImportJobs     int64 // imports that may be active at once; 0: any number
	NeutralPicture bool

	// ManagementBurst and ManagementRate bound the calls of one client to one group
	// of the Management API's endpoints: that many at once, and per second in the
	// long run. Zero: no bound.
	ManagementBurst int
	ManagementRate  float64
	// AuthenticationBurst and AuthenticationRate bound the calls of all to the
	// Authentication API likewise. AuthenticationHosted: the hosted service's bounds
	// are in force instead, one by one.
	AuthenticationBurst  int
	AuthenticationRate   float64
	AuthenticationHosted bool

	LogFormat string // json or text
	LogLevel  slog.Level

	// SecretsKeys are of 32 bytes each, the first seals; nil: the file
	// secrets.key in Data.
	SecretsKeys [][]byte
	// BootstrapClientID and BootstrapClientSecret name the management client of
	// the first start; empty: made up.
	BootstrapClientID, BootstrapClientSecret string
}

// TLS reports whether the server itself speaks TLS.
func (c Config) TLS() bool { return c.TLSDev || c.TLSCert != "" }

// Issuer is the iss of every token: the public URL with a slash.
func (c Config) Issuer() string { return c.PublicURL + "/" }

// ManagementAudience identifies the Management API.
func (c Config) ManagementAudience() string { return c.PublicURL + "/api/v2/" }

// SQLite reports whether the database is the embedded one.
func (c Config) SQLite() bool { return !isPostgres(c.DatabaseURL()) }

// DatabaseURL is Database, or its default.
func (c Config) DatabaseURL() string {
	if c.Database == "" {
		return filepath.Join(c.Data, "mangrove.db")
	}
	return strings.TrimPrefix(c.Database, "sqlite://")
}

// Warnings are settings that work, but that the operator should know of.
func (c Config) Warnings() []string {
	var list []string
	u, err := url.Parse(c.PublicURL)
	if err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		list = append(list, "the public URL is http: passwords and tokens travel in the clear")
	}
	if host, _, err := net.SplitHostPort(c.Listen); err == nil && !c.TLS() && !isLoopback(host) &&
		len(c.TrustedProxies) == 0 && strings.HasPrefix(c.PublicURL, "https:") {
		list = append(list, "https is spoken by a proxy, but --trusted-proxies is empty: every client will seem to have the proxy's address")
	}
	return list
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func isPostgres(database string) bool {
	return strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://")
}
