package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	gomail "github.com/wneessen/go-mail"
	gosmtp "github.com/wneessen/go-mail/smtp"

	"mangrove/internal/errs"
)

// callTime is how long a server may take for one step.
const callTime = 10 * time.Second

// New makes the sender that a Server describes. data is the directory below
// which mails are written, if they are; log is told of each, without a word
// about who and what.
func New(s Server, data string, log *slog.Logger) Sender {
	if s.Log {
		return &printer{out: os.Stdout}
	}
	if s.Directory {
		return &directory{path: filepath.Join(data, "mail"), log: log}
	}
	return newSMTP(s, nil)
}

// smtp sends by one connection per mail: they are rare, and a connection that
// waits would be closed by the other side.
//
// The operator's own server may be anywhere: mail servers are mostly internal. That
// of a tenant's provider is where a caller of the Management API says, hence behind
// the same guard as upstreams (reach).
type smtp struct {
	server Server
	tls    *tls.Config
	// reach says which addresses may be connected to; nil: any.
	reach func(netip.Addr) bool
}

// newSMTP trusts the system's roots, or those of a test.
func newSMTP(s Server, roots *x509.CertPool) *smtp {
	return &smtp{server: s, tls: &tls.Config{ServerName: s.Host, MinVersion: tls.VersionTLS12, RootCAs: roots}}
}

// Send implements Sender.
func (s *smtp) Send(ctx context.Context, m Message) error {
	msg, err := compose(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := gomail.NewClient(s.server.Host, s.options(ctx)...)
	if err != nil {
		return fmt.Errorf("mail server: %w", err)
	}
	return judge(client.DialAndSendWithContext(ctx, msg))
}

func (s *smtp) options(ctx context.Context) []gomail.Option {
	options := []gomail.Option{
		gomail.WithPort(s.server.Port), gomail.WithTimeout(callTime), gomail.WithTLSConfig(s.tls), gomail.WithDialContextFunc(s.dial(ctx)),
	}
	if s.server.TLS == StartTLS {
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	} else {
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS)) // there already, or not wanted
	}
	if s.server.User != "" {
		options = append(options, gomail.WithSMTPAuthCustom(&login{server: s.server}))
	}
	return options
}

// dial connects for one mail, whose context ends the connection, too: the
// library looks at it while connecting only.
func (s *smtp) dial(whole context.Context) gomail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{Control: s.control}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(whole, func() { _ = c.Close() })
		if s.server.TLS != Implicit {
			return c, nil
		}
		t := tls.Client(c, s.tls)
		return t, t.HandshakeContext(ctx)
	}
}

// errReach is for the log, which names the host nowhere else.
var errReach = errors.New("the mail provider's address may not be reached: see --outbound-allow")

// control sees the address behind the name, after it was resolved.
func (s *smtp) control(_, address string, _ syscall.RawConn) error {
	if s.reach == nil {
		return nil
	}
	a, err := netip.ParseAddrPort(address)
	if err != nil || !s.reach(a.Addr().Unmap()) {
		return errReach
	}
	return nil
}

// login signs in by PLAIN, or by LOGIN where a server knows nothing better. Both
// refuse to do so over a connection that others can read.
type login struct {
	gosmtp.Auth

	server Server
}

// Start implements smtp.Auth.
func (l *login) Start(info *gosmtp.ServerInfo) (string, []byte, error) {
	exposed := l.server.TLS == None // Parse has seen to it that the server is on this machine
	if slices.Contains(info.Auth, "PLAIN") || !slices.Contains(info.Auth, "LOGIN") {
		l.Auth = gosmtp.PlainAuth("", l.server.User, l.server.Password, l.server.Host, exposed)
	} else {
		l.Auth = gosmtp.LoginAuth(l.server.User, l.server.Password, l.server.Host, exposed)
	}
	return l.Auth.Start(info)
}

// compose encodes a message. What would break out of a header is refused.
func compose(m Message) (*gomail.Msg, error) {
	msg := gomail.NewMsg()
	msg.FromMailAddress(&m.From)
	if err := msg.To(m.To); err != nil {
		return nil, refused("the address cannot be written to")
	}
	msg.Subject(m.Subject)
	msg.SetDate()
	msg.SetMessageID()
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
	if m.Text == "" {
		msg.SetBodyString(gomail.TypeTextHTML, m.HTML)
		return msg, nil
	}
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return msg, nil
}

// judge sorts a failure into those that pass and those that do not. Servers
// repeat addresses in what they say, so only the number of it is told.
func judge(err error) error {
	var failed *gomail.SendError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &failed):
		return away("no connection to the mail server")
	case failed.ErrorCode() >= 500:
		return refused(fmt.Sprintf("the mail server answered %d", failed.ErrorCode()))
	case failed.ErrorCode() >= 400:
		return away(fmt.Sprintf("the mail server answered %d", failed.ErrorCode()))
	}
	return away("the mail server broke off")
}

func away(text string) error    { return &errs.Error{Kind: errs.Unavailable, Text: text} }
func refused(text string) error { return &errs.Error{Kind: errs.Invalid, Text: text} }

// write puts the message as it would go out.
func write(w io.Writer, m Message) error {
	msg, err := compose(m)
	if err != nil {
		return err
	}
	_, err = msg.WriteTo(w)
	return err
}
