package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"mangrove/internal/mail"
)

// Mistakes is everything that is wrong with the settings.
type Mistakes []error

func (m Mistakes) Error() string {
	if len(m) == 1 {
		return m[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d settings are wrong:", len(m))
	for _, e := range m {
		b.WriteString("\n  " + e.Error())
	}
	return b.String()
}

// Unwrap gives the single mistakes to errors.Is and errors.As.
func (m Mistakes) Unwrap() []error { return m }

// parser collects mistakes; its methods return a zero value after one.
type parser struct{ mistakes Mistakes }

func (p *parser) wrong(setting, format string, args ...any) {
	p.mistakes = append(p.mistakes, fmt.Errorf("%s: %w", setting, fmt.Errorf(format, args...)))
}

// Parse makes a Config of the settings; f is the file that kong read, getenv
// looks up the secrets (os.Getenv). The error is Mistakes: all of them.
func (s Storage) Parse(f *File, getenv func(string) string) (Config, error) {
	var p parser
	c := p.storage(s, f, getenv)
	return c, p.err()
}

// Parse is Storage.Parse for all settings.
func (s Flags) Parse(f *File, getenv func(string) string) (Config, error) {
	var p parser
	c := p.storage(s.Storage, f, getenv)
	c.TLSDev = p.yes("--tls-dev", s.TLSDev)
	c.TLSCert = p.file("--tls-cert", s.TLSCert)
	c.TLSKey = p.file("--tls-key", s.TLSKey)
	switch {
	case (s.TLSCert == "") != (s.TLSKey == ""):
		p.wrong("--tls-cert, --tls-key", "one does not go without the other")
	case c.TLSDev && s.TLSCert != "":
		p.wrong("--tls-dev", "does not go with --tls-cert: choose one")
	}
	tls := c.TLSDev || s.TLSCert != ""
	c.Listen = p.listen(s.Listen, tls)
	c.PublicURL = p.publicURL(s.PublicURL, c.Listen, tls)
	c.TrustedProxies = p.networks("--trusted-proxies", s.TrustedProxies)
	c.OutboundAllow = p.networks("--outbound-allow", s.OutboundAllow)
	c.ImportLimit = p.size("--import-limit", s.ImportLimit)
	c.ImportJobs = p.number("--import-jobs", s.ImportJobs, 1000)
	c.NeutralPicture = p.yes("--neutral-picture", s.NeutralPicture)
	c.ManagementBurst, c.ManagementRate = p.rate("--management-rate-limit", s.ManagementRateLimit)
	if c.AuthenticationHosted = s.AuthenticationRateLimit == "hosted"; !c.AuthenticationHosted {
		c.AuthenticationBurst, c.AuthenticationRate = p.rate("--authentication-rate-limit", s.AuthenticationRateLimit)
	}
	c.Mail = p.mail(s.Mail)
	c.MailFrom = p.address("--mail-from", s.MailFrom)
	c.MailOperator = p.address("--mail-operator", s.MailOperator)
	c.SMSDirectory = p.oneOf("--sms", s.SMS, "none", "directory") == "directory"
	c.SMSPerHour = p.number("--sms-per-hour", s.SMSPerHour, 1_000_000)
	if s.SMSPerHour == "0" {
		p.wrong("--sms-per-hour", "must be at least 1")
	}
	if u, err := url.Parse(c.PublicURL); c.Mail.Log && (err != nil || !isLoopback(u.Hostname())) {
		p.wrong("--mail", "log prints links and codes, hence is for a public URL on this machine only, like http://localhost:3000")
	}
	switch given := s.Mail != ""; {
	case given && s.MailFrom == "" && c.Mail.Host != "":
		p.wrong("--mail-from", "is needed with a mail server")
	case !given && (s.MailFrom != "" || s.MailOperator != ""):
		p.wrong("--mail", "is needed with --mail-from and --mail-operator")
	}
	return c, p.err()
}

func (p *parser) err() error {
	if len(p.mistakes) == 0 {
		return nil
	}
	return p.mistakes
}

func (p *parser) storage(s Storage, f *File, getenv func(string) string) Config {
	if f != nil {
		p.mistakes = append(p.mistakes, f.problems...)
	}
	c := Config{
		Data:      s.Data,
		Database:  p.database(s.Database),
		LogFormat: p.oneOf("--log-format", s.LogFormat, "text", "json"),
		LogLevel:  p.level(s.LogLevel),
	}
	if c.Data == "" {
		p.wrong("--data", "a directory is needed")
	}
	c.SecretsKeys = p.secretsKeys(getenv("MANGROVE_SECRETS_KEY"))
	c.BootstrapClientID, c.BootstrapClientSecret =
		p.bootstrap(getenv("MANGROVE_BOOTSTRAP_CLIENT_ID"), getenv("MANGROVE_BOOTSTRAP_CLIENT_SECRET"))
	return c
}

func (p *parser) yes(setting string, s Switch) bool {
	switch strings.ToLower(string(s)) {
	case "", "false", "no", "off", "0":
		return false
	case "true", "yes", "on", "1":
		return true
	}
	p.wrong(setting, "%q is neither yes nor no", s)
	return false
}

func (p *parser) oneOf(setting, s string, allowed ...string) string {
	if s == "" {
		return allowed[0]
	}
	for _, a := range allowed {
		if strings.EqualFold(a, s) {
			return a
		}
	}
	p.wrong(setting, "%q is none of %s", s, strings.Join(allowed, ", "))
	return allowed[0]
}

func (p *parser) level(s string) slog.Level {
	switch p.oneOf("--log-level", s, "info", "debug", "warn", "error") {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}

func (p *parser) file(setting, path string) string {
	if path == "" {
		return ""
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		p.wrong(setting, "%w", err)
	case info.IsDir():
		p.wrong(setting, "%s is a directory", path)
	}
	return path
}

func (p *parser) listen(s string, tls bool) string {
	if s == "" {
		if tls {
			return "localhost:8443"
		}
		return "localhost:8080"
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		p.wrong("--listen", "%q is not host:port, like 127.0.0.1:8080 or :8443", s)
		return ""
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		p.wrong("--listen", "%q is not a port between 0 and 65535", port)
		return ""
	}
	return s
}

// publicURL checks s, or derives the URL from the address. Its form is the one
// that tokens carry: lower case, no default port, no slash.
func (p *parser) publicURL(s, listen string, tls bool) string {
	if s == "" {
		return p.derivedURL(listen, tls)
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		p.wrong("--public-url", "%q is not an http or https URL with a host, like https://id.example.com", s)
		return ""
	}
	bad := len(p.mistakes)
	if u.User != nil {
		p.wrong("--public-url", "must not have a user name or password")
	}
	if u.Path != "" && u.Path != "/" {
		p.wrong("--public-url", "must not have a path (it has %q): issuer and audience are made from the host", u.Path)
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#") {
		p.wrong("--public-url", "must not have a query or a fragment")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			p.wrong("--public-url", "%q is not a port between 1 and 65535", port)
		}
	}
	if tls && u.Scheme == "http" {
		p.wrong("--public-url", "is http, but the server speaks https")
	}
	if len(p.mistakes) > bad {
		return ""
	}
	host := strings.ToLower(u.Host)
	host = strings.TrimSuffix(host, ":")
	host = strings.TrimSuffix(host, map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
	return u.Scheme + "://" + host
}

func (p *parser) derivedURL(listen string, tls bool) string {
	if listen == "" {
		return "" // told already
	}
	host, port, _ := net.SplitHostPort(listen)
	if port == "0" {
		p.wrong("--public-url", "is needed when --listen leaves the port open")
		return ""
	}
	if a, err := netip.ParseAddr(host); host == "" || (err == nil && a.IsUnspecified()) {
		host = "localhost"
	}
	scheme := "http"
	if tls {
		scheme = "https"
	}
	return p.publicURL(scheme+"://"+net.JoinHostPort(host, port), listen, tls)
}

// database checks that the form of s is known. Its text is never repeated: it
// may hold a password.
func (p *parser) database(s string) string {
	if isPostgres(s) {
		if u, err := url.Parse(s); err != nil || (u.Host == "" && u.Query().Get("host") == "") {
			p.wrong("--database", "is not a URL like postgres://user@host:5432/name")
		}
		return s
	}
	if scheme, _, ok := strings.Cut(s, "://"); ok && scheme != "sqlite" {
		p.wrong("--database", "neither a postgres:// URL nor a path (it begins with %q)", scheme+"://")
	}
	return s
}

// mail and address repeat nothing: one may hold a password, the other a name.
func (p *parser) mail(s string) mail.Server {
	server, err := mail.Parse(s)
	if err != nil {
		p.wrong("--mail", "%w", err)
	}
	return server
}

func (p *parser) address(setting, s string) netmail.Address {
	if s == "" {
		return netmail.Address{}
	}
	a, err := mail.ParseAddress(s)
	if err != nil {
		p.wrong(setting, "%w", err)
	}
	return a
}

func (p *parser) networks(setting, s string) []netip.Prefix {
	var list []netip.Prefix
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		if a, err := netip.ParseAddr(item); err == nil && a.Zone() == "" {
			list = append(list, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		n, err := netip.ParsePrefix(item)
		switch {
		case err != nil:
			p.wrong(setting, "%q is not a network like 10.0.0.0/8", item)
		case n != n.Masked():
			p.wrong(setting, "%q has host bits set; the network would be %s", item, n.Masked())
		default:
			list = append(list, n)
		}
	}
	return list
}

// number reads a count from 0 to most; empty is 0.
func (p *parser) number(setting, s string, most int64) int64 {
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < 0 || n > most {
		p.wrong(setting, "%q is not a number between 0 and %d", s, most)
		return 0
	}
	return n
}

var sizeForm = regexp.MustCompile(`^([0-9]{1,18})\s*([kKmMgG]?)([iI]?)[bB]?$`)

// size reads bytes; KB, MB, GB are powers of 1000, KiB, MiB, GiB of 1024.
func (p *parser) size(setting, s string) int64 {
	if s == "" {
		return 10 << 30
	}
	m := sizeForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil || (m[2] == "" && m[3] != "") {
		p.wrong(setting, "%q is not a size like 512000, 500KB or 2GB", s)
		return 0
	}
	n, _ := strconv.ParseInt(m[1], 10, 64) // 18 digits always fit
	base := int64(1000)
	if m[3] != "" {
		base = 1024
	}
	for range strings.Index(" kmg", strings.ToLower(m[2] + " ")[:1]) {
		if n > math.MaxInt64/base {
			p.wrong(setting, "%q is too large", s)
			return 0
		}
		n *= base
	}
	if n == 0 {
		p.wrong(setting, "has to be more than nothing")
	}
	return n
}

var rateForm = regexp.MustCompile(`^([1-9][0-9]{0,5})/([0-9]{1,6}(?:\.[0-9]{1,3})?)$`)

// rate reads how many at once and how many per second, of which one in a
// thousand seconds is the least.
func (p *parser) rate(setting, s string) (burst int, perSecond float64) {
	if s == "" {
		return 0, 0
	}
	if m := rateForm.FindStringSubmatch(s); m != nil {
		burst, _ = strconv.Atoi(m[1]) // six digits always fit
		perSecond, _ = strconv.ParseFloat(m[2], 64)
	}
	if perSecond == 0 {
		p.wrong(setting, "%q is not burst/per second, like 50/16", s)
		return 0, 0
	}
	return burst, perSecond
}

// secretsKeys and bootstrap never repeat what they were given.
func (p *parser) secretsKeys(s string) [][]byte {
	if s == "" {
		return nil
	}
	keys, err := decodeKeys(s, ",")
	if err != nil {
		p.wrong("MANGROVE_SECRETS_KEY", "%w", err)
	}
	return keys
}

func decodeKeys(s, sep string) ([][]byte, error) {
	var keys [][]byte
	for part := range strings.SplitSeq(s, sep) {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		k, err := base64.StdEncoding.DecodeString(part)
		if err != nil || len(k) != 32 {
			return nil, errors.New("has to be the base64 of 32 bytes, as `openssl rand -base64 32` makes it")
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("has no key in it")
	}
	return keys, nil
}

var (
	clientIDForm     = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)
	clientSecretForm = regexp.MustCompile(`^[\x21-\x7e]{16,128}$`)
)

func (p *parser) bootstrap(id, secret string) (string, string) {
	if (id == "") != (secret == "") {
		p.wrong("MANGROVE_BOOTSTRAP_CLIENT_ID, MANGROVE_BOOTSTRAP_CLIENT_SECRET", "one does not go without the other")
	}
	if id != "" && !clientIDForm.MatchString(id) {
		p.wrong("MANGROVE_BOOTSTRAP_CLIENT_ID", "has to be 8 to 64 letters, digits, - or _")
	}
	if secret != "" && !clientSecretForm.MatchString(secret) {
		p.wrong("MANGROVE_BOOTSTRAP_CLIENT_SECRET", "has to be 16 to 128 visible ASCII characters")
	}
	return id, secret
}
